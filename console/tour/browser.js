// One administrator's window: it keeps what goes wrong in it, and looks at pages with axe-core.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Rules whose answer depends on colours and on the width of the window: all others are asked once for a page. */
const visual = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"];

/** How each page is looked at. */
const looks = [
  { name: "light", scheme: "light", width: 1280 },
  { name: "dark", scheme: "dark", width: 1280, rules: visual },
  { name: "narrow-dark", scheme: "dark", width: 390, rules: visual },
  { name: "narrow", scheme: "light", width: 390, rules: visual },
];

/** Window is a page of the browser with a language, with script or without. */
export class Window {
  /** shots is the folder for pictures, "" = none are taken. */
  static async open(browser, world, { lang, script, shots = "" }) {
    const w = new Window();
    Object.assign(w, { world, lang, script, shots, faults: [], seen: new Set() });
    w.context = await browser.newContext({ locale: lang === "sv" ? "sv-SE" : "en-GB", javaScriptEnabled: script, acceptDownloads: true });
    w.context.setDefaultTimeout(20_000);
    w.page = await w.tab();
    return w;
  }

  /** Another page that shares the sign-in. */
  async tab() {
    const page = await this.context.newPage();
    // Chromium tells of violated policies and of answers from 400 on by errors of the console too.
    page.on("console", (m) => { if (["error", "warning"].includes(m.type()) && !this.expected(m)) this.faults.push(`${page.url()}: ${m.text()}`); });
    page.on("pageerror", (err) => this.faults.push(`${page.url()}: ${err}`));
    page.on("requestfailed", (r) => { if (r.failure().errorText !== "net::ERR_ABORTED") this.faults.push(`${r.url()}: ${r.failure().errorText}`); });
    page.on("response", (r) => { if (r.status() >= 400 && r.status() !== this.status) this.faults.push(`${r.url()}: ${r.status()}`); });
    return page;
  }

  /** Reports whether an error of the console is only that of the answer that a step waits for. */
  expected(message) {
    return this.status && message.text().includes(`status of ${this.status}`);
  }

  /** Does what is answered with a status that is a fault elsewhere. */
  async refused(status, f) {
    this.status = status;
    try {
      const [answer] = await Promise.all([this.page.waitForResponse((r) => r.request().isNavigationRequest()), f()]);
      assert.equal(answer.status(), status);
      await this.page.waitForLoadState();
    } finally {
      this.status = 0;
    }
  }

  async go(path) {
    await this.page.goto(this.world.url + path);
  }

  /** Where the window is: the path with what follows it. */
  get here() {
    return this.page.url().slice(this.world.url.length);
  }

  text(selector) {
    return this.page.locator(selector).first().innerText();
  }

  /** Downloads what a link leads to, and gives its name and text. */
  async download(link) {
    const [file] = await Promise.all([this.page.waitForEvent("download"), link.click()]);
    return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
  }

  /** Looks at the page that is shown, once for each name: axe-core, which needs script, in all looks, nothing wider than the window, pictures. */
  async look(name) {
    if (this.seen.has(name)) return;
    this.seen.add(name);
    if (this.script) await this.page.evaluate(axe);
    for (const l of looks) {
      await this.page.setViewportSize({ width: l.width, height: 900 });
      await this.page.emulateMedia({ colorScheme: l.scheme, reducedMotion: "reduce" });
      if (this.script) await this.inspect(name, l);
      await this.measure(name, l);
      if (this.shots) {
        await mkdir(this.shots, { recursive: true });
        await this.page.screenshot({ path: join(this.shots, `${name}-${l.name}.png`), fullPage: true });
      }
    }
    await this.page.setViewportSize({ width: 1280, height: 900 });
    await this.page.emulateMedia({ colorScheme: "light" });
  }

  async inspect(name, { name: look, rules }) {
    const { violations } = await this.page.evaluate((only) => window.axe.run(document, {
      resultTypes: ["violations"], ...(only ? { runOnly: { type: "rule", values: only } } : {}),
    }), rules);
    for (const v of violations) {
      if (["serious", "critical"].includes(v.impact)) this.faults.push(`${name} ${look}: axe ${v.id} (${v.impact}): ${v.nodes.map((n) => n.target.join(" ")).join(", ")}: ${v.help}`);
    }
  }

  /** A page that is wider than the window has to be pushed about. */
  async measure(name, { name: look, width }) {
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) this.faults.push(`${name} ${look}: ${wide} pixels wide`);
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }
}
