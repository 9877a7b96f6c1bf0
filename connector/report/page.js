(function () {
  "use strict";
  var form = document.getElementById("filter"), table = document.getElementById("all");
  if (!form || !table) return;
  var rows = Array.prototype.slice.call(table.tBodies[0].rows), texts = null, timer = 0;
  var query = document.getElementById("q"), action = document.getElementById("a"), out = document.getElementById("n");
  function filter() {
    var words = query.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0;
    if (!texts) texts = rows.map(function (r) { return r.textContent.toLowerCase(); });
    rows.forEach(function (row, i) {
      var fits = (!action.value || row.dataset.a === action.value) && words.every(function (w) { return texts[i].indexOf(w) >= 0; });
      row.hidden = !fits;
      if (fits) shown++;
    });
    out.textContent = out.dataset.pattern.replace("%", shown.toLocaleString(document.documentElement.lang));
  }
  function later() { clearTimeout(timer); timer = setTimeout(filter, 150); }
  function openAll(open) {
    rows.forEach(function (row) {
      var d = row.hidden ? null : row.querySelector("details");
      if (d) d.open = open;
    });
  }
  form.addEventListener("submit", function (e) { e.preventDefault(); });
  query.addEventListener("input", later);
  action.addEventListener("change", filter);
  document.getElementById("open").addEventListener("click", function () { openAll(true); });
  document.getElementById("close").addEventListener("click", function () { openAll(false); });
  form.hidden = false;
})();
