package console_test

import (
	"encoding/csv"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

var (
	shownToken = regexp.MustCompile(`usherd_(scim|api)_[0-9A-Za-z]{49}`)
	tokenLink  = regexp.MustCompile(`/tokens/([0-9a-f-]{36})/rotate`)
)

// pushes adds a source that pushes.
func (w *world) pushes(id string) {
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: id, Kind: connector.SCIM})
}

// A token is made, shown once, and opens what it was made for.
func TestTokensAreMadeAndShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pushes("okta")
	b := w.as("owner")
	w.want(b.get("/tokens"), http.StatusOK, "No tokens. Make one")
	w.want(b.get("/tokens/new"), http.StatusOK, "?for=api", "?for=okta", "What is it for?")
	w.not(b.get("/tokens/new"), "for=office")
	a := b.post("/tokens/new?for=okta", url.Values{
		"kind": {"secret"}, "name": {"=cmd|' /C calc'!A0 <b>שלום</b>"}, "scope": {"scim:read"}, "expires": {"30d"}, "networks": {"192.0.2.0/24\n2001:db8::7\n"},
	})
	w.want(a, http.StatusOK, "It is shown only now", "acme/okta", "https://scim.acme.test/scim/acme/v2")
	text := shownToken.FindString(a.text)
	hash, ok := connector.HashToken(text)
	if !ok {
		t.Fatal(a.text)
	}
	k, err := w.db.TokenByHash(t.Context(), hash)
	if err != nil || k.Source != "okta" || k.Kind != connector.ClientSecret || k.CreatedBy != "console:owner" || len(k.Networks) != 2 || k.Scopes[0] != "scim:read" ||
		!k.EndsAt.Equal(w.now.Add(30*24*time.Hour)) {
		t.Fatalf("%v %+v", err, k)
	}
	a = b.get("/tokens")
	w.want(a, http.StatusOK, "&lt;b&gt;שלום&lt;/b&gt;", "Ends soon", "1 token ends within 30 days", "192.0.2.0/24", "<code>scim:read</code>")
	w.not(a, text, "<b>")
	w.want(b.post("/tokens/new?for=api", url.Values{"scope": {"read", "sign-in"}, "expires": {"never"}}), http.StatusOK, "usherd_api_", "never ends")
	for field, form := range map[string]url.Values{
		"no network and no address": {"networks": {"here"}, "expires": {"30d"}}, "at most 100 characters": {"name": {strings.Repeat("x", 101)}, "expires": {"30d"}},
		"how long it lives": {"expires": {"soon"}}, "could be allowed": {"scope": {"everything"}, "expires": {"30d"}},
	} {
		w.want(b.post("/tokens/new?for=api", form), http.StatusUnprocessableEntity, field, `role="alert"`)
	}
	w.want(b.post("/tokens/new?for=okta", url.Values{"kind": {"access"}, "expires": {"30d"}}), http.StatusUnprocessableEntity, "one of the kinds")
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditTokenCreated})
	if err != nil || len(entries) != 2 || entries[0].Actor.Name != "console:owner" {
		t.Errorf("%v %+v", err, entries)
	}
	for _, role := range []string{"operator", "helpdesk", "auditor"} {
		w.want(w.as(role).get("/tokens"), http.StatusForbidden)
	}
}

// Another token takes the place of one, and one is ended; each asks for a sign-in that is not old.
func TestTokensAreReplacedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("owner")
	old := shownToken.FindString(b.post("/tokens/new?for=api", url.Values{"scope": {"read", "users"}, "expires": {"90d"}, "name": {"desk"}}).text)
	hash, _ := connector.HashToken(old)
	id := tokenLink.FindStringSubmatch(b.get("/tokens").text)[1]
	w.want(b.get("/tokens/"+id+"/rotate"), http.StatusOK, "never been used", "desk")
	a := b.post("/tokens/"+id+"/rotate", url.Values{"choice": {"1d"}})
	w.want(a, http.StatusOK, "in 1 day", "It is shown only now")
	next, _ := connector.HashToken(shownToken.FindString(a.text))
	k, err := w.db.TokenByHash(t.Context(), next)
	if err != nil || k.Name != "desk" || len(k.Scopes) != 2 || k.Kind != connector.APIToken || !k.EndsAt.Equal(w.now.Add(90*24*time.Hour)) {
		t.Errorf("%v %+v", err, k)
	}
	if k, err := w.db.TokenByHash(t.Context(), hash); err != nil || !k.EndsAt.Equal(w.now.Add(24*time.Hour)) {
		t.Errorf("%v %+v", err, k)
	}
	w.want(b.post("/tokens/"+id+"/rotate", url.Values{"choice": {"soon"}}), http.StatusUnprocessableEntity, "Choose how long")
	w.not(b.get("/tokens/"+id+"/revoke"), "the last one")
	w.want(b.post("/tokens/"+id+"/revoke", url.Values{"reason": {"leaked"}}), http.StatusSeeOther)
	a = b.get("/tokens")
	w.want(a, http.StatusOK, "desk is revoked.", "1 token that has ended or was revoked is hidden")
	w.not(a, id)
	w.want(b.get("/tokens?ended=1"), http.StatusOK, id, "Revoked")
	w.want(b.get("/tokens/"+id+"/revoke"), http.StatusConflict, "opens nothing any more")
	w.want(b.get("/tokens/"+k.ID.String()+"/revoke"), http.StatusOK, "the last one of api")
	if entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditTokenRevoked}); err != nil || len(entries) != 1 || entries[0].Actor.Reason != "leaked" {
		t.Errorf("%v %+v", err, entries)
	}
	w.want(b.get("/tokens/x/revoke"), http.StatusNotFound)
	w.want(b.get("/tokens/"+connector.NewID(w.now).String()+"/revoke"), http.StatusNotFound)
	w.now = w.now.Add(11 * time.Minute)
	if a := b.get("/tokens/new"); !strings.HasPrefix(a.to(), "/admin/reauth?") {
		t.Error(a.StatusCode, a.to())
	}
}

// The list is filtered, sorted and paged, and the file has what the list has.
func TestTokensAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pushes("okta")
	add := func(org, source, name string, days int) {
		k := connector.Token{ID: connector.NewID(w.now), Org: org, Source: source, Kind: connector.BearerToken, Name: name, Scopes: []string{"scim"}, CreatedAt: w.now, CreatedBy: "cli:x"}
		if days != 0 {
			k.EndsAt = w.now.Add(time.Duration(days) * 24 * time.Hour)
		}
		k.Draw()
		if err := w.db.AddToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 60 {
		add("acme", "okta", "many"+strings.Repeat("x", i), 400-i)
	}
	add("acme", "gone", "=1+1", 0)
	add("acme", "okta", "late", -1)
	add("other", "okta", "foreign", 0)
	b := w.as("owner")
	a := b.get("/tokens?for=okta&sort=ends")
	w.not(a, "foreign", "=1+1", ">late<")
	if first, last := strings.Index(a.text, "many"+strings.Repeat("x", 59)), strings.Index(a.text, "many"+strings.Repeat("x", 10)+"<"); first < 0 || last < first {
		t.Error(first, last)
	}
	m := nextLink.FindStringSubmatch(a.text)
	if m == nil {
		t.Fatal("there is no second page")
	}
	w.want(b.get(html.UnescapeString(m[1])), http.StatusOK, ">many<", "First page")
	w.want(b.get("/tokens?q=1%2b1"), http.StatusOK, "not in the configuration")
	w.want(b.get("/tokens?q=nothing"), http.StatusOK, "No token fits")
	for query, want := range map[string]int{"": 61, "?for=okta": 60, "?for=okta&ended=1": 61, "?q=1%2b1": 1, "?sep=%3b&for=api": 0} {
		a := b.get("/tokens/export.csv" + query)
		r := csv.NewReader(strings.NewReader(a.text))
		if strings.Contains(query, "sep") {
			r.Comma = ';'
		}
		rows, err := r.ReadAll()
		if err != nil || len(rows) != want+1 || len(rows[0]) != 13 {
			t.Errorf("%s: %v, %d rows", query, err, len(rows)-1)
		}
		if strings.Contains(query, "1%2b1") && rows[1][3] != "'=1+1" {
			t.Error(rows[1])
		}
	}
	w.want(b.get("/tokens/export.csv?bom=1"), http.StatusOK, "\ufeffid,for")
}
