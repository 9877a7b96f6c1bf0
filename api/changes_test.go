package api_test

import (
	"net/http"
	"testing"

	"usherd/api"
	"usherd/connector"
)

func TestAdministratorsOfAPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.orgs["acme"].Approval = true })
	ann, bob := w.person("acme", "ann", nil), w.person("acme", "bob", nil)
	c := w.client("acme", connector.APIUsers, connector.APIRead)
	if list := get[api.Users](c, "/orgs/acme/users?pending=true"); len(list.Users) != 2 || !list.Users[0].PendingApproval {
		t.Fatalf("%+v", list)
	}
	r := c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/approve", nil)
	if got := read[api.Changed](w, r); !got.Changed || got.User.PendingApproval || got.User.Version != 2 || r.Header.Get("ETag") != `"2"` {
		t.Errorf("%s", r.body)
	}
	if got := read[api.Changed](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/approve", "")); got.Changed || got.Action != connector.Unchanged {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusConflict, "refused", http.MethodPost, "/orgs/acme/users/ann/reject", `{"reason":"no"}`)
	got := read[api.Changed](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/"+bob.ID.String()+"/reject", `{"reason":"who is that?"}`))
	if got.User.State != connector.Inactive || got.User.Deactivated.Reason != "who is that?" || got.User.Deactivated.By != connector.ByAdministrator || got.User.PendingApproval {
		t.Errorf("%+v", got)
	}
	if n, err := w.db.CountMails(t.Context(), "acme", connector.MailWaiting); n != 2 || err != nil { // the one of the approval, too
		t.Errorf("%d mails, %v", n, err)
	}
	h := get[api.History](c, "/orgs/acme/users/%s/history", ann.ID)
	if len(h.Events) != 2 || len(h.Events[1].Cause) != len("api:12345678") || h.Events[1].Cause[:4] != "api:" {
		t.Errorf("%+v", h)
	}
}

func TestAccessIsTakenAndGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, name := range []string{"ann", "bob", "eve"} {
		w.person("acme", name, nil)
	}
	c := w.client("acme", connector.APIUsers)
	c.refused(http.StatusConflict, "refused", http.MethodDelete, "/orgs/acme/users/ann", nil)
	got := read[api.Changed](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/deactivate", `{"reason":"left"}`))
	if got.Action != connector.Deactivated || len(got.Transitions) != 1 || got.Transitions[0].To != connector.Inactive || len(got.Changes) == 0 {
		t.Errorf("%+v", got)
	}
	w.person("acme", "pia", nil) // takes the seat
	p := c.refused(http.StatusConflict, "no_seat", http.MethodPost, "/orgs/acme/users/ann/reactivate", nil)
	if p.Code != 32 || p.Failure.Package != "standard" || p.Ref == "" {
		t.Errorf("%+v", p)
	}
	c.want(http.StatusOK, http.MethodPut, "/orgs/acme/users/pia/package", `{"package":"guest"}`)
	got = read[api.Changed](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/reactivate", nil))
	if got.User.State != connector.Verified {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPut, "/orgs/acme/users/pia/package", `{"package":"gold"}`)
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPut, "/orgs/acme/users/pia/package", `{"package":"guest","release":true}`)
	got = read[api.Changed](w, c.want(http.StatusOK, http.MethodPut, "/orgs/acme/users/bob/package", `{}`))
	if got.User.Package != "" || !got.User.PackageFixed {
		t.Errorf("%+v", got)
	}
	got = read[api.Changed](w, c.want(http.StatusOK, http.MethodPut, "/orgs/acme/users/pia/package", `{"release":true}`))
	if got.User.Package != "standard" || got.User.PackageFixed {
		t.Errorf("%+v", got)
	}
	c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/deactivate", nil)
	if got = read[api.Changed](w, c.want(http.StatusOK, http.MethodDelete, "/orgs/acme/users/ann", nil)); got.User.State != connector.Deleted {
		t.Errorf("%+v", got)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodPost, "/orgs/acme/users/ann/reactivate", nil)
	for _, reason := range []string{`{"reason":"two\nlines"}`, `{"reason":"` + long(501) + `"}`, `{"reason":"\u0000"}`} {
		c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, "/orgs/acme/users/bob/deactivate", reason)
	}
}

// What was meant for another version of a user is not done.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("acme", "ann", nil)
	c := w.client("acme", connector.APIUsers)
	for _, tag := range []string{`"7"`, `W/"1"`, `1`, `"2", "3"`, `""`} {
		c.with("If-Match", tag).refused(http.StatusPreconditionFailed, "other_version", http.MethodPost, "/orgs/acme/users/ann/deactivate", nil)
	}
	for _, tag := range []string{`"1"`, `"7", "2"`, "*"} {
		path := "deactivate"
		if tag == `"7", "2"` {
			path = "reactivate"
		}
		c.with("If-Match", tag).want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/"+path, nil)
	}
}

// The users of one organization are nobody in another.
func TestOneOrganizationNeverSeesAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ann := w.person("beta", "ann", nil)
	c := w.client("acme")
	for _, key := range []string{"ann", ann.ID.String(), "ann@beta.test"} {
		for _, x := range [][2]string{
			{"GET", ""}, {"GET", "/history"}, {"DELETE", ""}, {"POST", "/approve"}, {"POST", "/reject"}, {"POST", "/deactivate"}, {"POST", "/reactivate"}, {"PUT", "/package"},
		} {
			var body any
			if x[0] == "PUT" {
				body = "{}"
			}
			c.refused(http.StatusNotFound, "not_found", x[0], "/orgs/acme/users/"+key+x[1], body)
			c.refused(http.StatusNotFound, "other_organization", x[0], "/orgs/beta/users/"+key+x[1], body)
		}
	}
	if w.events("beta", ann.ID) != 1 {
		t.Error("somebody was changed")
	}
	if list := get[api.Users](c, "/orgs/acme/users?search=a"); len(list.Users) != 0 {
		t.Errorf("%+v", list)
	}
}
