package console_test

import (
	"encoding/csv"
	"errors"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/sources"
)

// signsIn adds an identity provider by which people sign in.
func (w *world) signsIn(id string, s *sources.SignOn) {
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: id, Kind: connector.SignIn})
	org := w.set.Organizations[0]
	if org.SignOns == nil {
		org.SignOns = map[string]*sources.SignOn{}
	}
	if org.Sources == nil {
		org.Sources = map[string]*sources.Source{}
	}
	org.SignOns[id], org.Sources[id] = s, &sources.Source{Server: true, File: "usherd.yaml"}
}

// tried keeps attempts to sign in, one a minute; every third is refused. Their ids say when they were, whatever other tests have made.
func (w *world) tried(n int, f func(i int, x *connector.Attempt)) []connector.Attempt {
	w.t.Helper()
	list := make([]connector.Attempt, n)
	for i := range list {
		at := w.now.Add(time.Duration(i-n) * time.Minute)
		x := connector.Attempt{
			ID: connector.FirstID(at), Org: "acme", Source: "entra", At: at, Person: "ann@example.com", Remote: "192.0.2.9", Took: 2500 * time.Microsecond,
			Steps: []connector.AttemptStep{{Name: "received", Result: "ok"}, {Name: "signature", Result: "ok", Detail: "by <b>CN=idp</b>"}},
		}
		x.ID[15] = 1
		if i%3 == 0 {
			x.Code, x.Reason, x.Ref, x.Person = 31, connector.NoSeat, "7KQ2-M4ZT", "=bob@example.com"
			x.Steps = append(x.Steps, connector.AttemptStep{Name: "seat", Result: "refused", Detail: "no seat of standard"}, connector.AttemptStep{Name: "created", Result: "skipped"})
		}
		if f != nil {
			f(i, &x)
		}
		list[i] = x
		if err := w.db.PutAttempt(w.t.Context(), x); err != nil {
			w.t.Fatal(err)
		}
	}
	return list
}

func TestIdentityProvidersAreShownAndTested(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("operator")
	w.want(b.get("/sso"), http.StatusOK, "People sign in by no identity provider here", "metadata_url")
	w.want(b.get("/sso/idps/entra"), http.StatusNotFound)
	is := sources.IDP{
		EntityID: "https://idp.test/<b>", SSOURL: "https://idp.test/sso", Read: w.now, Fetched: true, Until: w.now.Add(40 * 24 * time.Hour),
		Certificates: []sources.Certificate{{Subject: "CN=<i>idp</i>", SHA256: "ab12", From: w.now.Add(-time.Hour), Until: w.now.Add(5*24*time.Hour + time.Hour)}},
	}
	w.signsIn("entra", &sources.SignOn{Base: "https://login.acme.test/saml/acme/entra", IDP: func() sources.IDP { return is }, Keep: time.Hour, Skew: 2 * time.Minute})
	w.signsIn("shut", &sources.SignOn{})
	w.want(b.get("/sso"), http.StatusOK, `href="/admin/sso/idps/entra"`, "People can sign in", "No door for sign-on", "https://idp.test/&lt;b&gt;", `<span class="pill bad">Ends soon</span>`)
	w.want(b.get("/sso/idps/shut"), http.StatusOK, "has no sso: at its top", "None is known", "set saml.keep")
	w.tried(7, nil)
	a := b.get("/sso/idps/entra")
	w.want(a, http.StatusOK, "https://login.acme.test/saml/acme/entra/acs", "https://login.acme.test/saml/acme/entra/metadata", "CN=&lt;i&gt;idp", "ab12", "in 5 days", "by URL, each hour",
		"gets one with the first sign-in", "<strong>7</strong>", "<strong>3</strong>", "result=refused", "/sso/idps/entra/test", "/sources/entra/connection")
	w.not(a, "<i>", "<b>")
	is.Certificates[0].From = w.now.Add(time.Hour)
	w.want(b.get("/sso"), http.StatusOK, "No certificate is good now")
	w.org.Source("entra").OnlyKnown = true
	is.Code, is.Certificates = 11, nil
	w.want(b.get("/sso/idps/entra"), http.StatusOK, "Nobody can sign in", "Copy error text", "is refused (create: false)")
	w.want(b.get("/sso"), http.StatusOK, `<span class="pill bad">Nobody can sign in</span>`)

	w.want(b.get("/sso/idps/entra/test"), http.StatusOK, "Nobody is signed in")
	w.runner.steps = []connector.CheckStep{
		{Name: "identity", Server: "https://idp.test/metadata", Detail: "https://idp.test"},
		{Name: "signature", Err: &connector.Error{Kind: connector.Unavailable, Op: "check", Err: errors.New("no certificate is good now"), Hint: "enter the one that it signs with now"}},
	}
	w.want(b.post("/sso/idps/entra/test", nil), http.StatusOK, "Identity provider", "no certificate is good now", "enter the one that it signs with now", "Copy error text")
	w.want(w.as("helpdesk").get("/sso/idps/entra/test"), http.StatusForbidden)
	w.not(w.as("helpdesk").get("/sso/idps/entra"), "/sso/idps/entra/test")
}

// Attempts are filtered, paged and taken along; one is shown with its steps and what helps.
func TestSignInAttemptsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signsIn("entra", &sources.SignOn{Keep: time.Hour})
	b := w.as("helpdesk")
	w.want(b.get("/sso/attempts"), http.StatusOK, "Nobody has tried yet")
	ann := w.create("ann", connector.Active)
	list := w.tried(150, func(i int, x *connector.Attempt) {
		if i%3 != 0 {
			x.User = ann.ID
		}
		if i == 0 {
			x.Reason, x.Code = connector.NoAccount, connector.CodeNoAccount
		}
	})
	a := b.get("/sso/attempts")
	w.want(a, http.StatusOK, "Refused (31)", "no_seat", "7KQ2-M4ZT", "=bob@example.com", "2.5 ms")
	seen := strings.Count(a.text, `<tr><th scope="row">`)
	for m := nextLink.FindStringSubmatch(a.text); m != nil; m = nextLink.FindStringSubmatch(a.text) {
		a = b.get(html.UnescapeString(m[1]))
		seen += strings.Count(a.text, `<tr><th scope="row">`)
	}
	if seen != 150 {
		t.Error(seen)
	}
	for query, want := range map[string]int{
		"": 150, "result=refused": 50, "result=in": 100, "code=31": 49, "code=3&reason=no_account": 1, "q=ANN@example.com": 100, "idp=none": 0, "since=1h": 60, "result=in&since=1h": 40,
	} {
		rows, err := csv.NewReader(strings.NewReader(b.get("/sso/attempts/export.csv?" + query).text)).ReadAll()
		if err != nil || len(rows) != want+1 {
			t.Errorf("%s: %v, %d rows, want %d", query, err, len(rows)-1, want)
		}
		if page := strings.Count(b.get("/sso/attempts?"+query).text, `<tr><th scope="row">`); page != min(want, 50) {
			t.Errorf("%s: %d rows on the page, want %d", query, page, min(want, 50))
		}
		if query == "code=31" && (rows[1][5] != "'=bob@example.com" || rows[1][10] != "seat") {
			t.Error(rows[1])
		}
	}
	w.want(b.get("/sso/attempts?code=99"), http.StatusOK, "No sign-in fits")
	w.want(b.get("/sso/attempts?after=bm9uZQ"), http.StatusNotFound)

	refused, in := "/sso/attempts/"+list[147].ID.String(), "/sso/attempts/"+list[149].ID.String()
	a = b.get(refused)
	w.want(a, http.StatusOK, "All seats of the package", "Copy error text", "no seat of standard", "by &lt;b&gt;CN=idp&lt;/b&gt;", "Not reached", `href="/admin/errors/31"`, "7KQ2-M4ZT", "/sso/idps/entra")
	w.not(a, "<b>")
	w.want(b.get(in), http.StatusOK, "Signed in", "/users/"+ann.ID.String())
	w.not(b.get(in), "failcard")
	x := w.as("auditor")
	for _, page := range []string{refused, in, "/sso/attempts", "/sso/attempts/export.csv"} {
		w.not(x.get(page), "bob@", "ann@")
	}
	w.want(b.get("/sso/attempts/x"), http.StatusNotFound)
	w.want(b.get("/sso/attempts/"+connector.NewID(w.now).String()), http.StatusNotFound, "This sign-in is not kept")
	w.want(w.as("root").get(in+"?org=other"), http.StatusNotFound)
}
