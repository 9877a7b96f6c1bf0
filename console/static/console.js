// What pages do more where a browser runs scripts: copying, keys, the menu on narrow screens, lists that are sent when they are
// changed. Nothing needs it.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const each = (selector, f) => document.querySelectorAll(selector).forEach(f);
  const text = (name) => document.body.dataset[name] || "";

  document.addEventListener("click", async (e) => {
    const copy = e.target.closest("button[data-copy]"), menu = e.target.closest("[data-menu]");
    if (copy) {
      const area = copy.parentElement.querySelector("textarea");
      await navigator.clipboard.writeText(area ? area.value : copy.dataset.copy);
      copy.textContent = text("copied");
    } else if (menu) {
      e.preventDefault();
      document.getElementById("nav").classList.toggle("open");
    }
    each("details.account[open]", (d) => { if (!d.contains(e.target)) d.open = false; });
  });

  const ready = () => {
    if (navigator.clipboard) each("button[data-copy]", (b) => { b.hidden = false; if (!b.textContent) b.textContent = text(b.dataset.copy || "copy"); });
    each("[data-noscript]", (b) => { b.hidden = true; });
  };
  ready();
  document.addEventListener("htmx:afterSwap", ready);
  document.addEventListener("change", (e) => { if (e.target.matches("[data-submit]")) e.target.form.requestSubmit(); });

  // "/" searches, "g" and a letter goes to a page, "j" and "k" move through rows, "x" ticks one, "e" opens it, "c" copies
  // the error, "?" tells the keys.
  const pages = { o: "", r: "runs", a: "approvals", f: "failures", p: "users", v: "provisioning", s: "sources" };
  let go = false, row = -1;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, textarea, select")) return;
    const rows = [...document.querySelectorAll("[data-rows] tbody tr")];
    if (go) {
      go = false;
      const home = document.querySelector(".brand"), link = pages[e.key] === undefined ? null : document.querySelector(`.side a[href*="/${pages[e.key]}"]`);
      if (pages[e.key] === "" && home) home.click(); else if (link) link.click();
      return;
    }
    if (e.key === "g") go = true;
    else if (e.key === "/") { e.preventDefault(); document.querySelector('[data-key="/"]')?.focus(); }
    else if ((e.key === "j" || e.key === "k") && rows.length) {
      row = Math.min(Math.max(row + (e.key === "j" ? 1 : -1), 0), rows.length - 1);
      rows.forEach((r, i) => r.classList.toggle("here", i === row));
      rows[row].querySelector("a")?.focus();
    } else if (e.key === "e" && rows[row]) rows[row].querySelector("a")?.click();
    else if (e.key === "x" && rows[row]) rows[row].querySelector("input[type=checkbox]")?.click();
    else if (e.key === "?") document.querySelector("[data-help]")?.click();
    else if (e.key === "c") document.querySelector("button[data-copy]")?.click();
  });
})();
