package console_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// shortOf is somebody whom a run finds no seat for.
func shortOf(pkg, name string) *connector.Change {
	ch := failed(name, connector.NoSeat)
	ch.Failures[0].Package = pkg
	return ch
}

func preview(r *connector.Run) { r.Mode, r.Result = connector.ModePreview, connector.ResultHeld }

// The page of a package says whom the next run would leave without a seat, what it rests on and when that was, and asks no directory.
func TestWhomTheNextRunLeavesWithoutASeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("operator")
	a := b.get("/seats/standard")
	w.want(a, http.StatusOK, "Whom the next run would leave without a seat", "Nobody waits now.", "The directory was not read lately: a preview tells.",
		`<a class="button" href="/admin/sources/office/preview">Preview…</a>`)
	w.not(w.as("helpdesk").get("/seats/standard"), "/sources/office/preview")
	w.not(b.get("/seats/guest"), "Whom the next run") // it never runs out

	held := w.aRun(0, preview, shortOf("standard", "<b>ann@example.com"), shortOf("guest", "guest@example.com"), failed("other@example.com", connector.RequiredMissing),
		shortOf("standard", "bob@example.com"))
	w.now = w.now.Add(20 * time.Minute)
	a = b.get("/seats/standard")
	w.want(a, http.StatusOK, "By the last preview, <a href=\"/admin"+runPath(held, "")+"\">", "19 minutes ago", "2 people would find no seat:", "&lt;b&gt;ann@example.com", "bob@example.com")
	w.not(a, "guest@example.com", "other@example.com", "all failures of that run")
	w.not(w.as("auditor").get("/seats/standard"), "ann@", "bob@")

	// A run that was applied has put those people on the waiting list, and tells of nobody else.
	w.aRun(0, func(r *connector.Run) { r.Result = connector.ResultPartial }, shortOf("standard", "carol@example.com"))
	w.aRun(0, func(r *connector.Run) { r.Result = connector.ResultFailed })
	w.waits("office", "standard", "carol@example.com", "dave@example.com", "eve@example.com", "frank@example.com")
	a = b.get("/seats/standard")
	w.want(a, http.StatusOK, "1 of those who wait would still find no seat", "There is no preview since the last full run.")
	w.not(a, "bob@example.com", "would find no seat:")

	// Of many failures a part is looked at, and the page says so.
	var many []*connector.Change
	for n := range 60 {
		many = append(many, shortOf("standard", fmt.Sprintf("p%02d@example.com", n)))
	}
	w.aRun(0, waitsAsAWhole, many...)
	w.want(b.get("/seats/standard"), http.StatusOK, "By the run that waits for approval,", "At least 50 people would find no seat", "p49@example.com", "tab=failures")
	many = nil
	for n := range 2100 {
		many = append(many, failed(fmt.Sprintf("q%04d@example.com", n), connector.RequiredMissing))
	}
	w.aRun(0, preview, many...)
	w.want(b.get("/seats/standard"), http.StatusOK, "Nobody among those who were looked at; not all were.", "tab=failures")
	w.aRun(0, preview)
	w.want(b.get("/seats/standard"), http.StatusOK, "Everybody whom it would give a seat of this package finds one.")
}

func waitsAsAWhole(r *connector.Run) {
	waits(r)
	r.Hold.Removals, r.Hold.Whole = false, true
}

func TestNextSeatsInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aRun(0, preview, shortOf("standard", "ann@example.com"), shortOf("standard", "Wolfeschlegelsteinhausenbergerdorff.wolfeschlegelsteinhausenbergerdorff@example.com"))
	w.waits("office", "standard", "a@example.com", "b@example.com", "c@example.com", "d@example.com")
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/seats/standard", "owner")
	b.Await("#next ul.names li:first-child", "ann@example.com")
	shoot(t, b, srv.URL, "/seats/standard", "next-seats")
	b.Open(srv.URL + "/seats/standard")
	b.Click("#next a.button")
	b.Await("h1", "Preview")
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
