package portal_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// The link of an invitation in a real browser that runs no script: used, used again, altered, of another organization, and when its
// time is over; and the form for people whose account does not work.
func TestLinksWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path, late := w.invited("ann"), w.invited("bob")
	srv := httptest.NewServer(http.StripPrefix("/usherd", w.server))
	t.Cleanup(srv.Close)
	base := srv.URL + "/usherd"
	b := webdriver.Start(t).Browser(t, false, "en")
	shows := func(address, title string) {
		t.Helper()
		b.Open(base + address)
		if got := b.Text("h1"); got != title {
			t.Errorf("%s: %q, want %q", address, got, title)
		}
	}
	shows(path, "Confirm your e-mail address")
	if got := b.Text(".address"); got != "ann@example.com" {
		t.Errorf("%q", got)
	}
	b.Click("a[hreflang=sv]")
	if got := b.Text("html[lang=sv] h1"); got != "Bekräfta din e-postadress" {
		t.Errorf("%q", got)
	}
	b.Click("button.act")
	b.Leave(base + path)
	if got := b.Text("h1"); got != "Din adress är bekräftad" || w.state("ann") != connector.Verified { //nolint:misspell // Swedish, which is remembered
		t.Errorf("%q, %s", got, w.state("ann"))
	}
	shows(path+"?lang=en", "This link has been used already")
	b.Click("a.button")
	b.Leave(base + path)
	if got := b.Text("h1"); got != "Your account does not work?" {
		t.Errorf("%q", got)
	}
	b.Type("#email", "no address")
	b.Click("button.act")
	if got := b.Text("#fault"); !strings.Contains(got, "no e-mail address") {
		t.Errorf("%q", got)
	}
	b.Open(base + "/account/acme")
	b.Type("#email", "stranger@example.com")
	b.Click("button.act")
	b.Text("a.button")
	if got := b.Text("h1"); got != "Look into your mailbox" {
		t.Errorf("%q", got)
	}
	shows(strings.Replace(late, "/acme/", "/other/", 1), "This link is not complete")
	shows(late[:len(late)-1], "This link is not complete")
	w.now = w.now.Add(8 * 24 * time.Hour)
	shows(late, "This link has ended")
	shows("/account/acme/inactive", "Your account has been deactivated. Contact your administrator (18)")
	if b.Shown("#copy") {
		t.Error("there is a button that needs a script")
	}
	if w.state("bob") != connector.NotVerified {
		t.Error(w.state("bob"))
	}
}
