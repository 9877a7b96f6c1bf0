// What administrators do, step by step, as they do it: by links and forms.

import assert from "node:assert/strict";

import { administrator, staff } from "./world.js";

/** The row of a table that has a text. */
export const row = (w, name) => w.page.locator("tbody tr", { hasText: name });

/** What the page tells once. */
export async function flash(w, text) {
  assert.equal(await w.text(".flash"), text);
}

/** By the navigation, as somebody does who looks for a page. */
export async function navigate(w, path) {
  await w.page.locator(`nav.side a[href$="${path}"]`).click();
}

export async function signIn(w, t) {
  await w.go("/");
  await w.look("login");
  await w.page.fill("#name", administrator.name);
  await w.page.fill("#password", "not the password");
  await w.refused(401, () => w.page.click("button.act"));
  assert.equal(await w.text("#fault"), t("login.wrong"));
  await w.page.fill("#password", administrator.password);
  await w.page.click("button.act");
  assert.equal(await w.text("h1"), t("nav.overview"));
}

export async function lookAtARun(w, t) {
  await navigate(w, "/runs");
  await w.look("runs");
  await w.page.locator("table[data-rows] tbody th a").first().click();
  assert.match(w.here, /^\/runs\/\w+/);
  assert.equal(await w.text(".pill"), t("words.result.ok"));
  await w.look("run");
  await w.page.locator(".tabs a", { hasText: t("runs.tab.failures") }).click();
  await w.page.locator("ul.changes", { hasText: "eva" }).waitFor();
  await w.look("run-failures");
}

/** Somebody who knows nothing but the page finds in three clicks why Eva has no account, and what to do. */
export async function findOutWhy(w) {
  let clicks = 0;
  const click = async (what) => { clicks++; await what.click(); };
  await w.go("/");
  await click(w.page.locator('nav.side a[href$="/failures"]'));
  await w.look("failures");
  await click(row(w, "eva").locator("a").first());
  const card = w.page.locator(".failcard");
  assert.match(await card.innerText(), /required_missing/);
  assert.ok(await card.locator("ol li").count() > 0, "it does not say what to do");
  assert.match(await card.locator("ol").innerText(), /mail|e-post/i);
  assert.ok(clicks <= 3, `${clicks} clicks`);
  await w.look("failure");
}

/** The cause is mended where it is, in the directory; the failure is tried again and closes. */
export async function mendAFailure(w, t) {
  const address = w.here;
  await w.page.click('a[href$="/retry"]');
  await w.look("retry");
  await w.refused(409, () => w.page.click("button.act"));
  assert.match(await w.text(".failcard"), /required_missing/);
  await w.look("refused");
  await w.world.giveMail("eva", "eva@acme.test");
  await w.go(`${address}/retry`);
  await w.page.click("button.act");
  assert.equal(w.here, "/failures");
  assert.match(await w.text(".flash"), /eva/);
  assert.equal(await row(w, "eva").count(), 0);
  await w.refused(404, () => w.go(address));
  await w.go("/users?q=eva@acme.test");
  await row(w, "Eva Lind").locator("a").first().click();
  assert.equal(await w.text("h1"), "Eva Lind");
}

/** People are gone from the directory, more than a run may remove by itself; it is held, looked at, and approved. */
export async function approveAHold(w, t) {
  const gone = staff.slice(-4);
  await w.world.remove(gone);
  await navigate(w, "/runs");
  await w.page.click('a[href$="/runs/start"]');
  await w.look("run-start");
  await w.page.locator('input[name="choice"][value$="full"], input[name="mode"][value="full"]').first().check();
  await w.page.click("button.act");
  await w.page.locator(".card.warn").waitFor();
  await w.look("run-held");
  await navigate(w, "/approvals");
  await w.look("approvals");
  await w.page.locator(".card.warn a").first().click();
  await w.page.click('a[href$="/approve"]');
  await w.look("approve");
  await w.page.fill("#reason", "left the company");
  await w.page.click("button.danger");
  await w.page.locator(".pill", { hasText: t("words.result.ok") }).first().waitFor();
  await navigate(w, "/approvals");
  assert.equal(await w.text(".empty"), t("approvals.none"));
  await w.go(`/users?q=${gone[0]}@acme.test&active=any`);
  assert.match(await row(w, gone[0]).innerText(), new RegExp(t("words.state.inactive")));
}

/** Somebody is deactivated, looked for by e-mail among the active ones in vain, found among the inactive ones, and brought back. */
export async function reactivate(w, t) {
  await w.go("/users?q=carl@acme.test");
  await row(w, "Carl Dahl").locator("a").first().click();
  await w.page.click('a[href$="/deactivate"]');
  await w.look("deactivate");
  await w.page.fill("#reason", "<script>alert(1)</script>");
  await w.page.click("button.danger");
  await flash(w, t("users.deactivate.done", { Name: "Carl Dahl" }));
  await w.look("user-inactive");
  await navigate(w, "/users");
  await w.look("users");
  await w.page.fill("#q", "carl@acme.test");
  await w.page.locator("form.filters #active").check();
  await w.page.click("form.filters button.act");
  assert.equal(await row(w, "Carl Dahl").count(), 0);
  await w.look("users-hidden");
  await w.page.click(".announce a");
  await row(w, "Carl Dahl").locator("a").first().click();
  await w.page.click('a[href$="/reactivate"]');
  await w.page.click("button.act");
  await flash(w, t("users.reactivate.done", { Name: "Carl Dahl" }));
}

/** There is one premium seat; it is taken, while somebody else has the page open on which it is still free. */
export async function changePackage(w, t) {
  const page = async (mail) => {
    await w.go(`/users?q=${mail}&active=any`);
    await w.page.locator("table[data-rows] tbody th a").first().click();
    await w.page.click('a[href$="/package"]');
  };
  const premium = 'input[name="choice"][value="premium"]';
  const first = w.page, second = await w.tab();
  w.page = second;
  await page("dora@acme.test");
  await w.page.check(premium);
  w.page = first;
  await page("ann@acme.test");
  await w.look("package");
  await w.page.check(premium);
  await w.page.click("button.act");
  await flash(w, t("users.package.done", { Name: "Ann Berg" }));
  w.page = second;
  await w.refused(409, () => w.page.click("button.act"));
  assert.match(await w.text(".failcard"), /no_seat/);
  await page("dora@acme.test");
  assert.ok(await w.page.locator(premium).isDisabled(), "a package without a free seat can be chosen");
  await second.close();
  w.page = first;
}

/** Reports are taken along as files, in which nothing is a formula. */
export async function exportCSV(w, t) {
  await navigate(w, "/runs");
  await w.go("/runs?quiet=1");
  await w.page.locator("table[data-rows] tbody th a").last().click();
  await w.page.click("details.facts summary");
  const report = await w.download(w.page.locator('a[href*="/export/report.csv"]'));
  assert.match(report.text, /staff01@acme\.test/);
  guarded(report.text, "'=cmd");
  await w.world.add("=1+1", { sn: "Late", mail: "late@acme.test", department: "Sales" });
  await w.go("/runs/start");
  await w.page.locator('input[name="choice"][value$="full"], input[name="mode"][value="full"]').first().check();
  await w.page.click("button.act");
  await w.page.locator(".pill", { hasText: t("words.result.ok") }).first().waitFor();
  await navigate(w, "/seats");
  await w.page.locator("tbody tr", { hasText: "Premium" }).locator("th a").click();
  await w.look("package-waiting");
  const queue = await w.download(w.page.locator('a[href*="waiting.csv"]').first());
  guarded(queue.text, "'=1+1");
}

/** No cell of a file begins as a formula does, and the one that did is there with an apostrophe. */
export function guarded(csv, kept) {
  const cells = [...csv.matchAll(/(?<=^|,|\n)(?:"((?:[^"]|"")*)"|([^",\r\n]*))/g)].map((m) => m[1] ?? m[2]);
  assert.deepEqual(cells.filter((c) => /^\s*[=+@\t\r\n-]/.test(c)), []);
  assert.ok(cells.includes(kept), `${kept} is not in\n${csv}`);
}

/** All pages of the navigation, and of each the first page of each kind that it leads to. */
export async function everyPage(w) {
  await w.go("/");
  const paths = await w.page.locator("nav.side a").evaluateAll((links) => links.map((a) => a.getAttribute("href")));
  assert.ok(paths.length >= 10, `the navigation has ${paths}`);
  const kinds = new Set();
  for (const path of paths) {
    await w.go(path);
    await w.look(path.replace(/\W+/g, "-").replace(/^-/, "") || "overview");
    const below = await w.page.locator("main a[href]").evaluateAll((links) => links.map((a) => a.getAttribute("href")));
    for (const next of below) {
      const [to] = next.split("?"), kind = to.replace(/[0-9A-Z]{20,}|[0-9a-f-]{30,}/g, "ID").split("/").map((x, i) => (i > 1 && /\d/.test(x) ? "ID" : x)).join("/");
      if (!to.startsWith("/") || paths.includes(to) || kinds.has(kind) || /\.\w+$/.test(to) || to.includes("/export/")) continue;
      kinds.add(kind);
      await w.go(next);
      await w.look(kind.slice(1).replace(/\W+/g, "-"));
    }
  }
  return paths.length + kinds.size;
}
