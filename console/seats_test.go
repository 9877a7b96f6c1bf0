package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// waits has people wait for a seat of a package, in this order.
func (w *world) waits(source, pkg string, names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.now = w.now.Add(time.Second)
		ch := failed(name, connector.NoSeat)
		ch.Failures[0].Package = pkg
		ch.Waiting = &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name}, DN: "CN=" + name, Enabled: connector.EnabledYes, Package: pkg}
		w.fails(source, ch)
	}
}

// countDays counts the seats of a package on days that are over, as the leader does: as many are used as are said, a day each.
func (w *world) countDays(pkg string, used ...int) {
	w.t.Helper()
	now := w.now
	for i, n := range used {
		w.now = now.AddDate(0, 0, i-len(used)+1)
		for have := w.seatsUsed(pkg); have < n; have++ {
			w.create(fmt.Sprintf("%s%d", pkg, have), connector.Active, func(u *connector.User) { u.Package = pkg })
		}
		if err := w.db.CountSeats(w.t.Context(), "acme", w.now); err != nil {
			w.t.Fatal(err)
		}
	}
	w.now = now
}

func (w *world) seatsUsed(pkg string) int {
	w.t.Helper()
	counts, err := w.db.Seats(w.t.Context(), "acme")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range counts {
		if n.Package == pkg {
			return n.Used
		}
	}
	w.t.Fatal("there is no package " + pkg)
	return 0
}

// packages are those of acme from now on.
func (w *world) packages(list ...connector.Package) {
	w.t.Helper()
	w.org.Packages = list
	if err := w.db.SetPackages(w.t.Context(), "acme", list); err != nil {
		w.t.Fatal(err)
	}
}

func TestSeatsOfPackages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("helpdesk")
	a := b.get("/seats")
	w.want(a, http.StatusOK, `<a href="/admin/seats/standard"><bdi>Standard</bdi></a>`, "A forecast needs a week", "unlimited", "Never full")
	w.want(b.get("/seats/guest"), http.StatusOK, "is counted from today on", "Nobody waits for a seat")
	w.want(b.get("/seats/nothing"), http.StatusNotFound)

	w.packages(connector.Package{ID: "standard", Name: "=cmd()<i>", Seats: 20}, connector.Package{ID: "guest", Seats: connector.Unlimited})
	w.countDays("standard", 2, 3, 4, 5, 6, 7, 8, 9)
	a = b.get("/seats")
	w.want(a, http.StatusOK, "=cmd()&lt;i&gt;", "Full in about 11 days", `<progress class="seats" max="100" value="45"`)
	a = b.get("/seats/standard")
	w.want(a, http.StatusOK, "<strong>11</strong> <span>Free</span>", "<strong>9</strong> <span>Used</span>", `class="forecast"`, `class="limit"`, "Used now: 9; on 2026-02-",
		"If it goes on like that", "<th scope=\"row\">2026-03-01</th><td>9</td><td>20</td><td>0</td>")
	w.packages(connector.Package{ID: "standard", Seats: 9})
	w.want(b.get("/seats"), http.StatusOK, `<span class="pill bad">Full</span>`)
	w.packages(connector.Package{ID: "standard", Seats: 7})
	w.want(b.get("/seats/standard"), http.StatusOK, "2 more than there are", "Nobody loses a seat")
	w.packages()
	w.want(b.get("/seats"), http.StatusOK, "Not in the configuration any more")
	w.want(w.as("root").get("/seats?org=other"), http.StatusOK, "Inga paket.")
}

func TestWaitingLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.packages(connector.Package{ID: "standard", Name: "Standard", Seats: 0})
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "okta", Kind: connector.SCIM})
	w.waits("okta", "standard", "=cmd|' /C calc'!A0")
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.waits("office", "standard", "<b>bob</b>", "\u202eשלום")
	for n := range 50 {
		w.waits("office", "standard", fmt.Sprintf("p%02d@example.com", n))
	}
	b := w.as("operator")
	w.want(b.get("/seats"), http.StatusOK, `<a href="/admin/seats/standard#waiting">53</a>`)
	a := b.get("/seats/standard")
	w.want(a, http.StatusOK, `<td class="num">1</td><th scope="row"><a href="/admin/failures/`, "&lt;b&gt;bob&lt;/b&gt;", "A free seat", "the place is given up", "p46@example.com", `rel="next"`)
	w.not(a, "p47@example.com")
	if first, second := strings.Index(a.text, "=cmd|"), strings.Index(a.text, "&lt;b&gt;"); first < 0 || second < first {
		t.Error("the order is another one")
	}
	next := nextPage(t, a)
	w.want(b.get(next), http.StatusOK, "p47@example.com", `<td class="num">…</td>`)
	w.want(b.get("/seats/standard?after=x"), http.StatusOK, "p46")

	a = b.get("/seats/standard/waiting.csv")
	rows, err := csv.NewReader(strings.NewReader(a.text)).ReadAll()
	if err != nil || len(rows) != 54 || rows[1][1] != "'=cmd|' /C calc'!A0" || rows[53][0] != "53" || rows[53][1] != "p49@example.com" || rows[53][2] != "office" {
		t.Errorf("%v %q", err, rows)
	}
	a = w.as("auditor").get("/seats/standard/waiting.csv")
	w.want(a, http.StatusOK, "p•••@example.com")
	w.not(a, "bob", "p49")
	w.not(w.as("auditor").get("/seats/standard"), "bob@", "p46@") // three letters alone can stand in the key of a form

	w.org.InactiveHoldsSeat = true
	w.create("ina", connector.Inactive, func(u *connector.User) { u.Resume = connector.Active })
	w.want(b.get("/seats/standard"), http.StatusOK, "<strong>0</strong> <span>held by inactive people</span>")
}

// nextPage is the path of the page after that one.
func nextPage(t *testing.T, a answer) string {
	t.Helper()
	_, rest, found := strings.Cut(a.text, `rel="next" href="/admin`)
	if !found {
		t.Fatal("there is no next page")
	}
	path, _, _ := strings.Cut(rest, `"`)
	return strings.ReplaceAll(path, "&amp;", "&")
}

func TestSeatsInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.packages(connector.Package{ID: "standard", Name: "Standard", Seats: 40}, connector.Package{ID: "gold", Name: strings.Repeat("Gold and more ", 8), Seats: 2},
		connector.Package{ID: "guest", Name: "Guest", Seats: connector.Unlimited})
	var used []int
	for n := range 60 {
		used = append(used, 3+n/2+n%3)
	}
	w.countDays("standard", used...)
	w.countDays("gold", 2)
	w.waits("office", "gold", "ann@example.com", "<b>bob</b>", "\u202eשלום (admin)", strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 3))
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/seats", "owner")
	b.Await("tbody tr:first-child .pill", "Full in about 12 days")
	shoot(t, b, srv.URL, "/seats", "seats")
	shoot(t, b, srv.URL, "/seats/standard", "package")
	shoot(t, b, srv.URL, "/seats/gold", "waiting")
	b.Open(srv.URL + "/seats/gold")
	if got := b.Text("table[data-rows] tbody tr:nth-child(2) th"); got != "<b>bob</b>" {
		t.Error(got)
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
