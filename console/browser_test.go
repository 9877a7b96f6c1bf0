package console_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/console"
	"usherd/internal/webdriver"
)

// shots is the folder in which pictures of the pages are kept, "" = nowhere.
var shots = os.Getenv("USHERD_SHOTS")

// shoot keeps pictures of a page in three looks.
func shoot(t *testing.T, b *webdriver.Browser, base, page, name string) {
	t.Helper()
	if shots == "" {
		return
	}
	for _, look := range []struct {
		name, theme   string
		width, height int
	}{{"light", "light", 1280, 900}, {"dark", "dark", 1280, 900}, {"narrow", "light", 375, 800}} {
		b.Size(look.width, look.height)
		b.Open(base + page)
		b.Click("details.account summary")
		b.Click("button[value=" + look.theme + "]")
		b.Text("html[data-theme=" + look.theme + "]") // waits for it: or the next page could be asked for before the choice is
		b.Open(base + page)
		if err := os.WriteFile(filepath.Join(shots, name+"-"+look.name+".png"), b.Screenshot(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A tour through the pages in a real browser, with and without script: sign in, find somebody who is inactive, bring the person
// back, change the language. No page has the browser complain.
func TestTourInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		w := newWorld(t)
		w.create("ann", connector.Active, func(u *connector.User) { u.Package = "standard" })
		w.create("bob", connector.NotVerified)
		long := strings.Repeat("Wolfeschlegelsteinhausenbergerdorff ", 4)
		w.create("x", connector.Verified, func(u *connector.User) { u.Profile.Set(connector.DisplayName, long+"<b>bold</b>") })
		w.create("rtl", connector.Active, func(u *connector.User) { u.Profile.Set(connector.DisplayName, "\u202eשלום עולם (admin)") })
		carol := w.create("carol", connector.Active)
		srv := w.listens()
		b := d.Browser(t, script, "en")
		b.Open(srv.URL + "/users")
		shoot2 := func(page, name string) {
			if script {
				shoot(t, b, srv.URL, page, name)
			}
		}
		b.Type("#name", "owner")
		b.Type("#password", secret)
		b.Click("button.act")
		b.Leave(srv.URL + "/login")
		if got := b.Text("h1"); got != "People" {
			t.Fatal(got)
		}
		shoot2("/", "overview")
		shoot2("/users", "users")
		b.Open(srv.URL + path(carol, "/deactivate"))
		shoot2(path(carol, "/deactivate"), "deactivate")
		b.Type("#reason", "<script>alert(1)</script>")
		b.Click("button.danger")
		b.Await(".flash", "Given carol is deactivated.")
		shoot2(path(carol, ""), "user")
		b.Open(srv.URL + "/users?q=carol&active=any")
		b.Click("#active")
		b.Click(".filters button.act")
		b.Await(".announce", "1 inactive account matches on this page and is hidden. Show them")
		b.Click(".announce a")
		b.Click("tbody a")
		b.Click(".actions a")
		b.Click("button.act")
		b.Await(".flash", "Given carol is back.")
		shoot2(path(carol, "/package"), "package")
		b.Open(srv.URL + "/?lang=sv")
		if got := b.Text("h1"); got != "Översikt" {
			t.Error(got)
		}
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

// serve makes the console anew, at another address.
func (w *world) serve(address string) {
	w.t.Helper()
	var err error
	w.server, err = console.New(console.Options{
		Store: w.db, URL: address, Version: "1.0", Secret: []byte(strings.Repeat("s", 32)), Now: w.clock, Log: zap.NewNop(), Address: from, Runner: &w.runner, Program: w.program,
		Quirk: func(id string) string {
			if id == "empty-path" {
				return "an empty path was taken for none"
			}
			return "text of " + id
		},
		Go: w.background,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.server.Replace(w.set)
}

// listens serves the console at an address of its own, for a browser.
func (w *world) listens() *httptest.Server {
	w.t.Helper()
	srv := httptest.NewServer(nil)
	w.t.Cleanup(srv.Close)
	w.serve(srv.URL)
	srv.Config.Handler = w.server
	return srv
}

// enter signs an administrator in who asks for a page, and is led to it.
func enter(b *webdriver.Browser, base, path, name string) {
	b.Open(base + path)
	b.Type("#name", name)
	b.Type("#password", secret)
	b.Click("button.act")
	b.Leave(base + "/login")
}
