package console_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
	"usherd/connector/sources"
	"usherd/internal/webdriver"
)

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
		srv := w.listens()
		b := d.Browser(t, script, "en")
		enter(b, srv.URL, "/", "owner")
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
		b.Await("h1", "The token")
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

// The pages about SCIM in a browser, with much on them and with nothing.
func TestSCIMInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/", "operator")
	shoot(t, b, srv.URL, "/scim", "scim_none")
	w.pushesAs("okta", clients.Settings{Profile: clients.Auto, KeepLog: 7 * 24 * time.Hour, LogBodies: true, Rate: 25, Burst: 100, Concurrency: 8})
	w.pushesAs("entra", clients.Settings{Profile: "entra", Rate: 25, Burst: 100, Concurrency: 8})
	w.server.Replace(w.set)
	long := strings.Repeat("Wolfeschlegelsteinhausenbergerdorff.", 4) + "\u202e<b>@example.com"
	list := w.asked(70, func(i int, r *connector.Request) {
		r.Person = "ann@example.com"
		if i%4 == 1 {
			r.Method, r.Status, r.ScimType, r.Quirks, r.Person, r.Ref = "POST", 409, "uniqueness", []string{"op-case", "bool-text"}, long, "AAAA-BBBB"
			r.Asked, r.Answered = []byte(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann","password":"***"}`), []byte(`{"detail":"this e-mail is taken by another user","status":"409"}`)
			r.Query = "filter=userName%20eq%20%22" + strings.Repeat("x", 200) + "%22"
		}
	})
	counts := []connector.QuirkCount{
		{Org: "acme", Source: "okta", Quirk: "op-case", Count: 12345, First: w.now.Add(-1e15), Last: w.now}, {Org: "acme", Source: "okta", Quirk: "bool-text", Count: 3, First: w.now.Add(-1e13), Last: w.now.Add(-1e12)},
	}
	if err := w.db.PutRequests(t.Context(), nil, counts); err != nil {
		t.Fatal(err)
	}
	shoot(t, b, srv.URL, "/scim", "scim")
	shoot(t, b, srv.URL, "/scim/clients/okta", "client")
	shoot(t, b, srv.URL, "/scim/requests", "requests")
	one := "/scim/requests/" + list[69].ID.String()
	shoot(t, b, srv.URL, one, "request")
	b.Open(srv.URL + "/scim/requests?status=4xx")
	b.Click("tbody a")
	if got := b.Text(".failcard p"); got != "this e-mail is taken by another user" {
		t.Error(got)
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}

// The pages about single sign-on in a browser.
func TestSignOnInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/", "operator")
	shoot(t, b, srv.URL, "/sso", "sso_none")
	is := sources.IDP{
		EntityID: "https://idp.acme.test/realms/" + strings.Repeat("x", 60), SSOURL: "https://idp.acme.test/sso", Read: w.now, Fetched: true,
		Certificates: []sources.Certificate{
			{Subject: "CN=signing 2026,O=Acme", SHA256: strings.Repeat("ab12", 16), From: w.now.Add(-24 * time.Hour), Until: w.now.Add(20 * 24 * time.Hour)},
			{Subject: "CN=signing 2027,O=Acme", SHA256: strings.Repeat("cd34", 16), From: w.now.Add(24 * time.Hour), Until: w.now.Add(400 * 24 * time.Hour)},
		},
	}
	w.signsIn("entra", &sources.SignOn{
		Base: "https://login.acme.test/saml/acme/entra", IDP: func() sources.IDP { return is }, Keep: 30 * 24 * time.Hour, Skew: 2 * time.Minute, Ours: is.Certificates[:1],
		Try: func(context.Context, string, string) (string, error) {
			return "https://login.acme.test/login?test=x", nil
		},
	})
	w.signsIn("broken", &sources.SignOn{Base: "https://login.acme.test/saml/acme/broken", IDP: func() sources.IDP { return sources.IDP{Code: 11} }, Keep: time.Hour})
	w.server.Replace(w.set)
	list := w.tried(70, func(i int, x *connector.Attempt) {
		if i%3 == 0 {
			x.Person = strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 3) + "\u202e@example.com"
		}
		if i == 68 {
			x.Test = &connector.AttemptTest{
				By: "root", Subject: "e-0001", Left: 2, Fields: []connector.FieldChange{{Field: "title", Before: []string{"Clerk"}, After: []string{"Chief"}}},
				Attributes: []connector.SaidAttribute{
					{Name: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", Values: []string{"ann@example.com"}},
					{Name: "groups", Values: []string{"Sales", "\u202eevil", strings.Repeat("long", 90)}},
					{Name: "title"},
				},
			}
		}
	})
	one := "/sso/attempts/" + list[69].ID.String()
	for name, page := range map[string]string{"sso": "/sso", "idp": "/sso/idps/entra", "idp_broken": "/sso/idps/broken", "attempts": "/sso/attempts", "attempt": one, "attempt_test": "/sso/attempts/" + list[68].ID.String()} {
		shoot(t, b, srv.URL, page, name)
	}
	b.Open(srv.URL + "/sso/attempts?result=refused")
	b.Click("tbody a")
	if got := b.Text(".failcard h3"); !strings.Contains(got, "(31)") {
		t.Error(got)
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
