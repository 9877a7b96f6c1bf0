// The tour of an administrator through the console of a real daemon, in a real browser: in two languages, and without script.
//
// USHERD_TEST_BINARY is the daemon, CHROMIUM the browser; into USHERD_SHOTS go pictures of each page.

import { after, before, describe, test } from "node:test";

import { chromium } from "playwright-core";

import { Window } from "./browser.js";
import * as announced from "./provisioning.js";
import * as steps from "./steps.js";
import { texts } from "./texts.js";
import { World } from "./world.js";

const { USHERD_TEST_BINARY: usherd, CHROMIUM: executablePath, USHERD_SHOTS: shots = "" } = process.env;

let browser;
before(async () => { browser = await chromium.launch({ executablePath }); });
after(() => browser.close());

for (const how of [{ lang: "en", script: true, shots }, { lang: "sv", script: true }, { lang: "en", script: false }]) {
  describe(`${how.lang}, ${how.script ? "with" : "without"} script`, () => {
    let world, window, t, broken;
    before(async () => {
      [world, t] = [await World.start(usherd), await texts(how.lang)];
      window = await Window.open(browser, world, how);
    });
    after(() => world?.end());

    // Each step begins where the one before has ended.
    const step = (name, f, timeout = 300_000) => test(name, { timeout }, async (context) => {
      if (broken) return context.skip("a step before has failed");
      try {
        await f(window, t, context);
      } catch (err) {
        broken = true;
        context.diagnostic(`${window.page.url()}\n${await window.page.locator("main").innerText().catch(() => "")}\n${await world.logged()}`);
        throw err;
      }
    });
    step("an administrator signs in", steps.signIn);
    step("a run is looked at", steps.lookAtARun);
    step("in three clicks somebody finds out why a person has no account", steps.findOutWhy);
    step("the cause of a failure is mended in the directory", steps.mendAFailure);
    step("a held run is approved", steps.approveAHold);
    step("somebody inactive is found by e-mail and reactivated", steps.reactivate);
    step("a package is changed, with a free seat and without", steps.changePackage);
    step("people who were announced are tried again, and given a package that has a seat", announced.provisioning);
    step("many who were announced are taken along as a file, and forgotten", announced.manySubscribers);
    step("people are taken along as a file, and somebody is tried out", announced.peopleAndFields);
    step("reports are taken along as files", steps.exportCSV);
    step("every page is looked at", async (w, _, context) => context.diagnostic(`${await steps.everyPage(w)} pages`), 900_000);
    test("nothing was wrong with any page", () => window.close());
  });
}
