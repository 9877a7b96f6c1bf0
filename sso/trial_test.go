package sso_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/sso"
)

const back = "https://console.acme.test/admin/sso/attempts?org=acme"

// ticket is the query with which one sign-in is tried.
func (w *world) ticket() string {
	w.t.Helper()
	at, err := w.server.Try(w.t.Context(), "acme", "corp", sso.Trial{By: "root", Back: back})
	query, ok := strings.CutPrefix(at, door+"/login")
	if err != nil || !ok {
		w.t.Fatal(at, err)
	}
	return query
}

// try goes the whole way of a test, and returns the attempt that the browser is sent back to.
func (w *world) try(response func(request string) string) connector.Attempt {
	w.t.Helper()
	b := w.browser()
	request, relay := b.login(w.ticket())
	a := b.post(response(request), relay)
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusSeeOther || to.Host != "console.acme.test" || to.RawQuery != "org=acme" {
		w.t.Fatalf("%d %s %s", a.StatusCode, to, a.text)
	}
	id, err := connector.ParseID(strings.TrimPrefix(to.Path, "/admin/sso/attempts/"))
	if err != nil {
		w.t.Fatal(to, err)
	}
	x, ok, err := w.db.Attempt(w.t.Context(), "acme", id)
	if err != nil || !ok || x.Test == nil || x.Test.By != "root" {
		w.t.Fatalf("%+v %v", x, err)
	}
	return x
}

// A test ends as the sign-in would, at the same step with the same number, and changes nothing: not even who waits for a seat.
func TestSignInIsTried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit   func(*world)
		known  bool
		person person
		code   connector.Code
		reason connector.Reason
		step   string // at which it ends
		detail string
	}{
		"would create":     {person: ann, step: "created", detail: "created"},
		"would update":     {known: true, person: ann.with("title", "Chief"), step: "created", detail: "updated: title"},
		"would do nothing": {known: true, person: ann, step: "created", detail: "unchanged"},
		"no seat":          {edit: func(w *world) { w.org.Packages[0].Seats = 0 }, person: ann, code: 31, reason: connector.NoSeat, step: "seat"},
		"member status":    {person: ann.with("Member Status", "active"), code: 31, reason: connector.MemberStatusPresent, step: "rules"},
		"approval":         {edit: func(w *world) { w.org.Approval = true }, person: ann, code: 31, reason: connector.AccountPendingApproval, step: "created"},
		"unknown":          {edit: func(w *world) { w.org.Sources[0].OnlyKnown = true }, person: ann, code: 3, reason: connector.NoAccount, step: "rules"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.edit)
			if c.known {
				w.codeOf(w.signIn(ann))
			}
			before := w.everything()
			x := w.try(func(request string) string { return w.response(c.person, request) })
			if x.Code != c.code || x.Reason != c.reason || x.User.IsZero() == c.known || x.Test.Subject != "e-0001" || len(x.Test.Attributes) != len(c.person)-1 {
				t.Errorf("%+v %+v", x, x.Test)
			}
			last := ""
			for _, s := range x.Steps {
				if s.Result != "skipped" {
					last = s.Name + " " + s.Detail
				}
			}
			if !strings.HasPrefix(last, c.step+" "+c.detail) {
				t.Error(last)
			}
			if after := w.everything(); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
			if c.detail == "updated: title" && (len(x.Test.Fields) != 1 || x.Test.Fields[0].After[0] != "Chief") {
				t.Errorf("%+v", x.Test.Fields)
			}
			if n, err := w.db.CountAttempts(t.Context(), "acme", "corp", w.now.Add(-time.Hour), 100); err != nil || n.Refused != 0 {
				t.Error(n, err)
			}
		})
	}
}

// everything is what stands in the store of people.
func (w *world) everything() string {
	w.t.Helper()
	users, _, err := w.db.ListUsers(w.t.Context(), connector.UserQuery{Org: "acme", Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	seats, err := w.db.Seats(w.t.Context(), "acme")
	if err != nil {
		w.t.Fatal(err)
	}
	items, _, err := w.db.OpenItems(w.t.Context(), connector.ItemQuery{Org: "acme", Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := json.Marshal([]any{users, seats, items})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// What the identity provider has not signed is shown to the administrator too, and a ticket is good once, for a while.
func TestTrialsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key, cert := stranger()
	x := w.try(func(request string) string { return w.signed(w.draft(ann, request), key, cert) })
	if x.Code == 0 || x.Test.Subject != "" || len(x.Test.Attributes) != 0 {
		t.Errorf("%+v", x)
	}
	query := w.ticket()
	w.browser().login(query)
	for name, q := range map[string]string{"used": query, "guessed": "?test=" + strings.Repeat("A", 43), "malformed": "?test=x", "empty": "?test="} {
		if a := w.browser().get("/saml/acme/corp/login" + q); a.StatusCode != http.StatusBadRequest {
			t.Error(name, a.StatusCode)
		}
	}
	late := w.ticket()
	w.now = w.now.Add(10 * time.Minute)
	if a := w.browser().get("/saml/acme/corp/login" + late); a.StatusCode != http.StatusBadRequest {
		t.Error(a.StatusCode)
	}
	// The answer to a test signs nobody in who brings it without the test.
	b := w.browser()
	request, _ := b.login(w.ticket())
	if a := b.post(w.response(ann, request), ""); a.StatusCode != http.StatusForbidden {
		t.Error(a.StatusCode, a.text)
	}
}

// Of an assertion as large as it may be, what there is room for is kept.
func TestLargeAssertionsAreTried(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := ann.with("title", strings.Repeat("ż", 2000))
	for i := range 60 {
		p = p.with("x"+strings.Repeat("y", i), strings.Repeat("v", 1000))
	}
	x := w.try(func(request string) string { return w.response(p, request) })
	if len(x.Test.Attributes)+x.Test.Left != len(p)-1 || x.Test.Left == 0 {
		t.Errorf("%d kept, %d left out of %d", len(x.Test.Attributes), x.Test.Left, len(p)-1)
	}
	for _, a := range x.Test.Attributes {
		if len(a.Values[0]) > 1100 || strings.Contains(a.Values[0], "\ufffd") {
			t.Error(a.Name, len(a.Values[0]))
		}
	}
}

// Who has asked by the API has no page to come back to: the door tells the number of the attempt, also of one that was refused.
func TestTriedWithoutAPageToComeBackTo(t *testing.T) {
	t.Parallel()
	for name, person := range map[string]person{"goes well": ann, "refused": ann.with("Member Status", "active")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			at, err := w.server.Try(t.Context(), "acme", "corp", sso.Trial{By: "api:1"})
			if err != nil {
				t.Fatal(err)
			}
			b := w.browser()
			request, relay := b.login(strings.TrimPrefix(at, door+"/login"))
			before := w.everything()
			a := b.post(w.response(person, request), relay)
			list, err := w.db.Attempts(t.Context(), connector.AttemptQuery{Org: "acme", Limit: 2})
			if err != nil || len(list) != 1 || list[0].Test == nil || list[0].Test.By != "api:1" {
				t.Fatalf("%+v %v", list, err)
			}
			if a.StatusCode != http.StatusOK || !strings.Contains(a.text, list[0].ID.String()) || !strings.Contains(a.text, "was tried") {
				t.Errorf("%d %s", a.StatusCode, a.text)
			}
			if after := w.everything(); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
		})
	}
}
