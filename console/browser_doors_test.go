package console_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// enter signs somebody in at a console with a browser.
func enter(t *testing.T, b *webdriver.Browser, base, name string) {
	t.Helper()
	b.Open(base + "/")
	b.Type("#name", name)
	b.Type("#password", secret)
	b.Click("button.act")
	b.Leave(base + "/login")
}

// An owner makes a token, reads it once, and puts another one in its place, with script and without.
func TestTokensInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		w := newWorld(t)
		w.pushes("okta")
		k := connector.Token{
			ID: connector.NewID(w.now), Org: "acme", Source: "okta", Kind: connector.BearerToken, Name: strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 2) + " <b>שלום</b>",
			Scopes: []string{"scim"}, CreatedAt: w.now, CreatedBy: "cli:ann", EndsAt: w.now.Add(3 * 24 * time.Hour),
		}
		k.Draw()
		if err := w.db.AddToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(nil)
		t.Cleanup(srv.Close)
		w.serve(srv.URL)
		srv.Config.Handler = w.server
		b := d.Browser(t, script, "en")
		enter(t, b, srv.URL, "owner")
		look := func(page, name string) {
			if script {
				shoot(t, b, srv.URL, page, name)
			}
		}
		look("/tokens", "tokens")
		look("/tokens/new", "token_for")
		look("/tokens/new?for=api", "token_new_api")
		look("/tokens/new?for=okta", "token_new")
		look("/tokens/"+k.ID.String()+"/rotate", "token_rotate")
		b.Open(srv.URL + "/tokens/new?for=okta")
		b.Type("#name", "second")
		b.Click(".card button.act")
		if got := b.Text("h1"); got != "The token" {
			t.Fatal(got)
		}
		if script && shots != "" {
			picture(t, b, "token_made")
		}
		b.Open(srv.URL + "/tokens")
		if got := b.Text("tbody"); !strings.Contains(got, "second") || !strings.Contains(got, "Ends soon") {
			t.Error(got)
		}
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

// picture keeps what is shown now, of a page that cannot be asked for again.
func picture(t *testing.T, b *webdriver.Browser, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(shots, name+".png"), b.Screenshot(), 0o600); err != nil {
		t.Fatal(err)
	}
}
