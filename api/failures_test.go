package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
)

// failing has the source bring people who lack what is required.
func (w *world) failing(org string, names ...string) {
	w.Helper()
	w.failingIn(org, "idp", names...)
}

func (w *world) failingIn(org, source string, names ...string) {
	w.Helper()
	for _, name := range names {
		r := &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name}, Enabled: connector.EnabledYes}
		r.Attributes = []connector.Attribute{{Name: "userName", Values: [][]byte{[]byte(name)}}}
		ch, err := w.provs[org].Submit(w.Context(), source, r, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
		w.ok(err)
		if ch.Action != connector.Failed {
			w.Fatalf("%+v", ch)
		}
	}
}

func TestFailuresAreListedAndDismissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.failing("acme", "ann", "bob", "eve")
	w.failing("beta", "pia")
	c := w.client("acme", connector.APIRead, connector.APIUsers).with("Accept-Language", "sv")
	seen, after := map[string]string{}, ""
	for {
		page := get[api.Failures](c, "/orgs/acme/failures?limit=2&after=%s", after)
		for _, f := range page.Failures {
			seen[f.Subject] = f.Ref
			if f.Code != 31 || f.Reason != "required_missing" || len(f.Fields) != 3 || f.Org != "acme" || f.Count != 1 {
				t.Errorf("%+v", f)
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(seen) != 3 {
		t.Fatal(seen)
	}
	for query, want := range map[string]int{"?search=BO": 1, "?reason=no_seat": 0, "?source=idp": 3, "?source=x": 0} {
		if got := get[api.Failures](c, "/orgs/acme/failures%s", query); len(got.Failures) != want {
			t.Errorf("%s: %d", query, len(got.Failures))
		}
	}
	if got := get[api.OpenItem](c, "/orgs/acme/failures/%s", seen["ann"]); got.Subject != "ann" || got.Reason != "required_missing" {
		t.Errorf("%+v", got)
	}
	c.want(http.StatusNoContent, http.MethodDelete, "/orgs/acme/failures/"+seen["ann"], nil)
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/failures/"+seen["ann"], nil)
	c.refused(http.StatusNotFound, "not_found", http.MethodDelete, "/orgs/acme/failures/"+seen["ann"], nil)
	other := get[api.Failures](w.client("beta"), "/orgs/beta/failures")
	c.refused(http.StatusNotFound, "not_found", http.MethodDelete, "/orgs/acme/failures/"+other.Failures[0].Ref, nil)
	if got := get[api.Failures](c, "/orgs/acme/failures"); len(got.Failures) != 2 {
		t.Errorf("%+v", got)
	}
}

// Many are closed by one request: one that is not open is told and stops none of the others, and the audit log has each with the reason.
func TestManyFailuresAreDismissedByOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.failing("acme", "ann", "bob", "eve")
	w.failing("beta", "pia")
	c := w.client("acme", connector.APIRead, connector.APIUsers)
	refs := []string{get[api.Failures](w.client("beta"), "/orgs/beta/failures").Failures[0].Ref}
	for _, f := range get[api.Failures](c, "/orgs/acme/failures").Failures[:2] {
		refs = append(refs, f.Ref)
	}
	const path = "/orgs/acme/failures/dismiss"
	w.client("acme", connector.APIRead).refused(http.StatusForbidden, "scope", http.MethodPost, path, map[string]any{"failures": refs})
	type answer struct {
		Failures []api.DismissedFailure `json:"failures"`
	}
	got := read[answer](w, c.want(http.StatusOK, http.MethodPost, path, map[string]any{"failures": append(refs, refs[1]), "reason": "left"})).Failures
	if len(got) != 4 || got[0].Closed || !got[1].Closed || !got[2].Closed || got[3].Closed || got[3].Problem == nil || got[0].Problem.Status != http.StatusNotFound {
		t.Errorf("%+v", got)
	}
	if rest := get[api.Failures](c, "/orgs/acme/failures"); len(rest.Failures) != 1 || rest.Failures[0].Subject != "eve" {
		t.Errorf("%+v", rest)
	}
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditDismissed})
	if err != nil || len(entries) != 2 || entries[0].Actor.Reason != "left" || entries[0].Actor.Name == "" {
		t.Errorf("%v %+v", err, entries)
	}
}

func TestWhatNumbersMean(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead)
	if list := get[api.ErrorCodes](c, "/orgs/acme/errors"); len(list.Errors) != 32 || list.Errors[30].Title != "Auto account creation failed (31)" {
		t.Errorf("%+v", list)
	}
	if d := get[api.ErrorDescription](c, "/orgs/acme/errors/31"); len(d.Reasons) < 10 || len(d.Never) == 0 || len(d.Before) == 0 {
		t.Errorf("%+v", d)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/errors/99", nil)
	w.person("acme", "ann", nil)
	s := get[api.Seats](c, "/orgs/acme/seats")
	if len(s.Packages) != 2 || s.Packages[1] != (api.PackageSeats{Package: "standard", Name: "standard", Seats: 3, Used: 1, Free: 2}) && s.Packages[0].Used+s.Packages[1].Used != 1 {
		t.Errorf("%+v", s)
	}
	o := get[api.About](c, "/orgs/acme")
	if o.ID != "acme" || o.Contact.Email != "help@acme.test" || len(o.Sources) != 1 || o.Sources[0].Kind != connector.SCIM || o.Version != "v0" {
		t.Errorf("%+v", o)
	}
}

func TestUserIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("acme", "ann", nil)
	c := w.client("acme", connector.APIRead)
	var e struct {
		State  string
		SignIn struct{ OK bool } `json:"sign_in"`
	}
	r := c.want(http.StatusOK, http.MethodGet, "/orgs/acme/users/ann/explanation", nil)
	if err := json.Unmarshal(r.body, &e); err != nil || e.State != "verified" || !e.SignIn.OK {
		t.Errorf("%v %s", err, r.body)
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/users/ann/explanation?at=2090-01-01T00:00:00Z", nil)
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/users/ann/explanation?at=yesterday", nil)
	if r := c.do(http.MethodGet, "/orgs/acme/users/ann/explanation?at=2001-01-01T00:00:00Z", nil); r.StatusCode >= 500 {
		t.Errorf("before there was the user: %s %s", r.Status, r.body)
	}
}

func TestRunsAndTheirReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var ids []connector.ID
	for _, org := range []string{"acme", "beta", "acme", "acme"} {
		run := &connector.Run{
			ID: connector.NewID(w.now()), Org: org, Source: "idp", Mode: connector.ModeFull, Result: connector.ResultHeld, Started: w.now(), Finished: w.now().Add(time.Minute),
			Hold: &connector.Hold{Reason: "too many", Whole: true, Status: connector.HoldOpen, Expires: w.now().Add(time.Hour)},
		}
		w.ok(w.db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRun(t.Context(), run) }))
		ids = append(ids, run.ID)
	}
	c := w.client("acme", connector.APIRead, connector.APIRuns)
	page := get[api.Runs](c, "/orgs/acme/runs?limit=2")
	if len(page.Runs) != 2 || page.Next == "" {
		t.Fatalf("%+v", page)
	}
	if last := get[api.Runs](c, "/orgs/acme/runs?limit=2&before=%s", page.Next); len(last.Runs) != 1 || last.Next != "" {
		t.Errorf("%+v", last)
	}
	r := c.want(http.StatusOK, http.MethodGet, "/orgs/acme/runs/"+ids[0].String(), nil)
	var report struct{ ID, Result string }
	if err := json.Unmarshal(r.body, &report); err != nil || report.ID != ids[0].String() || report.Result != "held" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", err, r.body)
	}
	for format, want := range map[string][2]string{"csv": {"text/csv; charset=utf-8", "action,held,"}, "html": {"text/html; charset=utf-8", "<!DOCTYPE html>"}} {
		r := c.with("Accept-Language", "en").want(http.StatusOK, http.MethodGet, "/orgs/acme/runs/"+ids[0].String()+"?format="+format, nil)
		if r.Header.Get("Content-Type") != want[0] || !strings.HasPrefix(strings.ToLower(string(r.body)), strings.ToLower(want[1])) || !strings.HasSuffix(r.Header.Get("Content-Disposition"), `_report.`+format+`"`) {
			t.Errorf("%s: %v\n%s", format, r.Header, r.body)
		}
	}
	taken, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditExported, Target: "run " + ids[0].String()})
	if err != nil || len(taken) != 2 || !strings.HasPrefix(taken[0].Actor.Name, "api:") || !strings.HasPrefix(taken[0].Details["file"], "report.") {
		t.Errorf("the audit trail has of what was taken along: %+v %v", taken, err)
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/runs/"+ids[0].String()+"?format=xml", nil)
	for _, x := range [][2]string{{"GET", ""}, {"POST", "/reject"}} {
		c.refused(http.StatusNotFound, "not_found", x[0], "/orgs/acme/runs/"+ids[1].String()+x[1], nil)
	}
	c.want(http.StatusNoContent, http.MethodPost, "/orgs/acme/runs/"+ids[0].String()+"/reject", nil)
	if r := c.do(http.MethodPost, "/orgs/acme/runs/"+ids[0].String()+"/reject", nil); r.StatusCode < 400 || r.StatusCode >= 500 {
		t.Errorf("a second time: %s %s", r.Status, r.body)
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/runs/last", nil)
}
