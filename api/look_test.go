package api_test

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
)

// What was done by API stands in the audit trail under its token, page by page, and the chain can be followed.
func TestAuditByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, name := range []string{"ann", "bob"} {
		w.person("acme", name, nil)
	}
	c := w.client("acme", connector.APIRead, connector.APIUsers, connector.APIDomains)
	c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/deactivate", nil)
	c.with("Idempotency-Key", "k").want(http.StatusOK, http.MethodPost, "/orgs/acme/users/bob/deactivate", nil)
	c.want(http.StatusCreated, http.MethodPost, "/orgs/acme/domains", map[string]string{"domain": "new.test"})
	page := get[api.AuditPage](c, "/orgs/acme/audit?limit=2&actor=api:")
	if len(page.Entries) != 2 || page.Entries[0].Action != connector.AuditDomainAdded || page.Entries[0].Target != "domain new.test" || page.Next == 0 {
		t.Fatalf("%+v", page)
	}
	rest := get[api.AuditPage](c, "/orgs/acme/audit?actor=api:&before=%d", page.Next)
	if len(rest.Entries) != 1 || rest.Next != 0 || rest.Entries[0].Action != "user.deactivated" || rest.Entries[0].Actor != page.Entries[0].Actor {
		t.Errorf("%+v", rest)
	}
	if got := get[api.AuditPage](c, "/orgs/acme/audit?since=2030-01-01T00:00:00Z"); len(got.Entries) != 0 {
		t.Errorf("%+v", got)
	}
	check := get[api.AuditCheck](c, "/orgs/acme/audit/check")
	if check.Broken != 0 || check.Unknown || check.Head != page.Entries[0].Hash || check.Entries != page.Entries[0].Seq {
		t.Errorf("%+v", check)
	}
	if got := get[api.AuditCheck](c, "/orgs/acme/audit/check?head=%s", rest.Entries[0].Hash); got.Unknown {
		t.Errorf("%+v", got)
	}
	if got := get[api.AuditCheck](c, "/orgs/acme/audit/check?head=%064d", 1); !got.Unknown {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/audit/check?head=x", nil)
	if got := get[api.AuditPage](w.client("beta"), "/orgs/beta/audit?actor=api:"); len(got.Entries) != 0 {
		t.Errorf("%+v", got)
	}
}

// Attempts to sign in are listed, latest first, and one is shown with what to do.
func TestSignInsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	put := func(org string, code connector.Code, reason connector.Reason) connector.ID {
		w.at.Add(time.Second.Microseconds())
		x := connector.Attempt{
			ID: connector.NewID(w.now()), Org: org, Source: "login", At: w.now(), Code: code, Reason: reason, Person: "ann@acme.test", Ref: "7KQ2-M4ZT",
			Took: 1500 * time.Microsecond, Steps: []connector.AttemptStep{{Name: "received", Result: "ok"}},
		}
		w.ok(w.db.PutAttempt(t.Context(), x))
		return x.ID
	}
	put("acme", 0, "")
	refused := put("acme", 31, connector.NoSeat)
	other := put("beta", 0, "")
	c := w.client("acme", connector.APIRead)
	first := get[api.Attempts](c, "/orgs/acme/sign-ins?limit=1")
	if len(first.Attempts) != 1 || first.Attempts[0].ID != refused.String() || first.Attempts[0].Title == "" || first.Attempts[0].Duration != 1.5 {
		t.Fatalf("%+v", first)
	}
	if last := get[api.Attempts](c, "/orgs/acme/sign-ins?before=%s", first.Next); len(last.Attempts) != 1 || last.Attempts[0].Code != 0 || last.Next != "" {
		t.Errorf("%+v", last)
	}
	for query, n := range map[string]int{
		"?failed=true": 1, "?result=refused": 1, "?result=in": 1, "?code=31": 1, "?code=32": 0, "?reason=no_seat": 1, "?reason=no_account": 0,
		"?code=31&result=in": 0, "?ref=7kq2-m4zt": 2, "?ref=7kq2-0000": 0, "?person=ANN@acme.test": 2, "?person=bob": 0, "?source=other": 0, "?since=2030-01-01T00:00:00Z": 0,
	} {
		if got := get[api.Attempts](c, "/orgs/acme/sign-ins%s", query); len(got.Attempts) != n {
			t.Errorf("%s: %+v", query, got)
		}
	}
	if one := get[api.AttemptDetail](c, "/orgs/acme/sign-ins/%s", refused); len(one.Remedy) == 0 || len(one.Steps) != 1 {
		t.Errorf("%+v", one)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/sign-ins/"+other.String(), nil)
}

// Requests of identity providers are found by person, status and time; bodies come where they are asked for.
func TestRequestsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ann := w.person("acme", "ann", nil)
	var list []connector.Request
	for i, status := range []int{201, 409, 500} {
		w.at.Add(time.Second.Microseconds())
		r := connector.Request{
			ID: connector.NewID(w.now()), Org: "acme", Source: "idp", At: w.now(), Method: "POST", Path: "/Users", Status: status, Duration: time.Millisecond, Asked: []byte("{}"), Answered: []byte("{}"),
		}
		if i == 2 {
			r.Method = "PUT"
		}
		if i == 0 {
			r.User = ann.ID
		} else {
			r.Person = "bob"
		}
		list = append(list, r)
	}
	w.ok(w.db.PutRequests(t.Context(), list, nil))
	c := w.client("acme", connector.APIRead)
	for query, n := range map[string]int{
		"": 3, "?method=POST": 2, "?method=PUT": 1, "?method=GET": 0, "?method=POST&limit=1": 1, "?status=4xx-5xx": 2, "?status=409": 1, "?status=4xx": 1, "?status=2xx": 1, "?person=ann": 1, "?person=" + ann.ID.String(): 1, "?person=bob": 2, "?person=nobody": 0,
		"?since=2030-01-01T00:00:00Z": 0, "?source=other": 0, "?limit=2": 2,
	} {
		if got := get[api.Requests](c, "/orgs/acme/scim/requests%s", query); len(got.Requests) != n || n > 0 && got.Requests[0].Asked != nil {
			t.Errorf("%s: %+v", query, got)
		}
	}
	first := get[api.Requests](c, "/orgs/acme/scim/requests?limit=2&bodies=true")
	if first.Requests[0].Status != 500 || first.Requests[0].Asked == nil || *first.Requests[0].Asked != "{}" {
		t.Errorf("%+v", first)
	}
	if last := get[api.Requests](c, "/orgs/acme/scim/requests?before=%s", first.Next); len(last.Requests) != 1 || last.Next != "" {
		t.Errorf("%+v", last)
	}
	if got := get[api.Request](c, "/orgs/acme/scim/requests/%s", first.Requests[0].ID); !reflect.DeepEqual(*got, first.Requests[0]) || got.Asked == nil {
		t.Errorf("%+v", got)
	}
	w.client("beta").refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/beta/scim/requests/"+first.Requests[0].ID, nil)
	posts := get[api.Requests](c, "/orgs/acme/scim/requests?method=POST&limit=1")
	if rest := get[api.Requests](c, "/orgs/acme/scim/requests?method=POST&limit=1&before=%s", posts.Next); posts.Requests[0].Status != 409 || len(rest.Requests) != 1 || rest.Requests[0].Status != 201 || rest.Next != "" {
		t.Errorf("%+v, then %+v", posts, rest)
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/scim/requests?status=999", nil)
	if got := get[api.Requests](w.client("beta"), "/orgs/beta/scim/requests"); len(got.Requests) != 0 {
		t.Errorf("%+v", got)
	}
}
