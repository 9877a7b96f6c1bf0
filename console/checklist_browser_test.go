package console_test

import (
	"net/url"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// Somebody without an account is looked up in the checklists, with a name that is long and runs from right to left.
func TestChecklistsInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := "שלום<b>" + strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 3)
	w.fails("office", failed(name, connector.RequiredMissing), failed("eve", connector.NoSeat))
	w.signs(name, connector.MemberStatusPresent)
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/", "operator")
	b.Open(srv.URL + "/errors/31")
	b.Type("#user", name)
	b.Click("form.filters button.act")
	b.Await("section.about h2", "What is known of the person")
	if got := b.Text("section.about .failcard h3"); got != "Auto account creation failed (31)" {
		t.Error(got)
	}
	shoot(t, b, srv.URL, "/errors/31?user="+url.QueryEscape(name), "checklists")
	shoot(t, b, srv.URL, "/failures", "failures_kinds")
	shoot(t, b, srv.URL, "/help", "help")
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
