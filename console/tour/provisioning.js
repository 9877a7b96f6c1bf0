// What administrators do with people whom upstream systems announce, and what they take along and try out without changing anything.

import assert from "node:assert/strict";

import { flash, guarded, navigate, row } from "./steps.js";

/** Opens the actions of a row, and takes one. */
async function act(w, name, action) {
  await row(w, name).locator("details.rowmenu summary").click();
  await row(w, name).locator(`details.rowmenu a[href$="/${action}"]`).click();
}

/** Somebody without a seat gets a package that has one; who has no address is tried again with one; nobody can choose a full package. */
export async function provisioning(w, t) {
  await navigate(w, "/provisioning");
  await w.look("provisioning");
  assert.equal(await row(w, "4711").count(), 0, "who is provisioned is shown although something has failed");
  await w.page.click(".announce a");
  assert.match(await row(w, "4711").innerText(), new RegExp(t("provisioning.status.provisioned")));
  await row(w, "4713").locator("details.rowmenu summary").click();
  await w.look("provisioning-menu");
  assert.match(await row(w, "4713").locator("textarea").inputValue(), /31.*no_seat[^]*\d{4}-\d\d-\d\d/);

  const name = { Name: "Milo Nord" };
  await act(w, "4712", "package");
  await w.look("subscriber-package");
  assert.ok(await w.page.locator('input[name="choice"][value="premium"]').isDisabled(), "a package without a free seat can be chosen");
  await w.page.check('input[name="choice"][value="standard"]');
  await w.page.click("button.act");
  await flash(w, t("provisioning.package.done", { ...name, Status: t("provisioning.status.pending_email_input") }));
  await w.page.click('.actions a[href$="/retry"]');
  await w.look("activation");
  await w.page.fill("#email", "milo@home");
  await w.page.locator("#email").evaluate((field) => { field.form.noValidate = true; field.type = "text"; });
  await w.page.fill("#email", "no address");
  await w.refused(422, () => w.page.click("main button.act"));
  assert.equal(await w.page.locator("#email").getAttribute("aria-invalid"), "true");
  await w.look("activation-wrong");
  await w.page.locator("#email").evaluate((field) => { field.type = "text"; });
  await w.page.fill("#email", "milo@home.test");
  await w.page.click("main button.act");
  await flash(w, t("provisioning.retry.done", { ...name, Status: t("provisioning.status.provisioned") }));
  await w.look("subscriber");

  await w.go("/provisioning?status=error");
  await act(w, "4713", "retry");
  await w.refused(409, () => w.page.click("main button.act"));
  assert.match(await w.text(".failcard"), /no_seat/);
  await w.go("/provisioning?status=error");
  await act(w, "4713", "package");
  await w.page.check('input[name="choice"][value="standard"]');
  await w.page.click("button.act");
  await flash(w, t("provisioning.package.done", { Name: "Nils Olin", Status: t("provisioning.status.provisioned") }));
}

/** Who is provisioned is excluded; the rest is taken along as a file, exactly those that are ticked, and forgotten. */
export async function manySubscribers(w, t) {
  await navigate(w, "/provisioning");
  assert.equal(await row(w, "4711").count(), 1);
  const all = await w.download(w.page.locator('a[href*="/provisioning/export.csv"]'));
  guarded(all.text, "'=4714");
  assert.match(all.text, /4711,lines,provisioned/);
  await w.page.check("form.filters #exclude");
  await w.page.click("form.filters button.act");
  assert.equal(await row(w, "4711").count(), 0);
  const rest = await w.download(w.page.locator('a[href*="/provisioning/export.csv"]'));
  assert.doesNotMatch(rest.text, /provisioned/);

  await row(w, "=4714").locator('input[name="user"]').check();
  await w.page.click('button[name="deed"][value="export"]');
  await w.look("selection-export");
  const few = await w.download(w.page.locator('a[href*="/selections/"][href*="export.csv"]'));
  guarded(few.text, "'=4714");
  assert.equal(few.text.trim().split("\n").length, 2);
  await w.go("/provisioning?exclude=provisioned");
  await row(w, "=4714").locator('input[name="user"]').check();
  await w.page.click('button[name="deed"][value="delete"]');
  assert.equal(await w.text("h1"), t("provisioning.select.title.delete"));
  await w.look("selection");
  await w.page.click("form button.danger");
  await w.page.locator(".announce").waitFor();
  await w.look("selection-done");
  await w.go("/provisioning?exclude=none");
  assert.equal(await row(w, "=4714").count(), 0);
  assert.equal(await row(w, "4711").count(), 1);
}

/** The people are taken along as a file, and somebody is tried out of whom nothing is kept. */
export async function peopleAndFields(w, t) {
  await w.go("/users?active=any");
  const users = await w.download(w.page.locator('a[href*="/users/export.csv"]'));
  guarded(users.text, "'=cmd");
  assert.match(users.text, /dora@acme\.test/);
  await w.go("/users/fields");
  assert.ok(await w.page.locator('th abbr').count() >= 4, "no field has an asterisk");
  await w.look("fields");
  await w.page.click('a[href*="/users/fields/check"]');
  await w.look("fields-check");
  const fill = async (fields) => {
    await w.page.selectOption("#source", "office");
    for (const [name, value] of Object.entries(fields)) await w.page.fill(`[name="f.${name}"]`, value);
    await w.page.click("main button.act");
  };
  const fields = { userName: "rut", givenName: "<b>Rut</b>", familyName: "Rask", email: "" };
  await fill(fields);
  assert.equal(await w.text("#answer h2"), t("fields.check.no"));
  assert.match(await w.text(".failcard"), /required_missing/);
  await w.look("fields-refused");
  await fill({ ...fields, email: "rut@acme.test" });
  assert.equal(await w.text("#answer h2"), t("fields.check.yes"));
  await w.look("fields-accepted");
  await w.go("/users?q=rut&active=any");
  assert.equal(await row(w, "rut@acme.test").count(), 0);
}
