package api_test

import (
	"net/http"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
)

// Invitations go into the outbox, whose mails are listed page by page and tried again.
func TestInvitationsAndTheOutbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead, connector.APIUsers)
	w.person("acme", "ann", nil) // verified: nobody to invite
	for _, name := range []string{"bob", "eve"} {
		w.person("acme", name, address(name+"@other.test"))
	}
	all := map[string]any{"all_not_verified": true, "per_minute": 60}
	if got := read[api.Invited](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/invitations", all)); *got != (api.Invited{Invited: 2}) {
		t.Errorf("%+v", got)
	}
	w.at.Add(time.Hour.Microseconds())
	if got := read[api.Invited](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/invitations", all)); *got != (api.Invited{Recent: 2}) {
		t.Errorf("%+v", got)
	}
	named := map[string]any{"users": []string{"bob", "ann"}}
	if got := read[api.Invited](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/invitations", named)); *got != (api.Invited{Invited: 1, Others: 1}) {
		t.Errorf("%+v", got)
	}
	for _, wrong := range []any{map[string]any{}, map[string]any{"users": []string{"bob"}, "all_not_verified": true}, map[string]any{"users": []string{"nobody"}}, map[string]any{"all_not_verified": true, "again_after": "soon"}} {
		c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, "/orgs/acme/invitations", wrong)
	}

	first := get[api.Mails](c, "/orgs/acme/mails?limit=2")
	if len(first.Mails) != 2 || first.Counts[connector.MailWaiting] != 3 || first.Mails[0].To != "bob@other.test" || first.Mails[0].Kind != connector.InvitationMail {
		t.Fatalf("%+v", first)
	}
	if last := get[api.Mails](c, "/orgs/acme/mails?limit=2&before=%s", first.Next); len(last.Mails) != 1 || last.Next != "" {
		t.Errorf("%+v", last)
	}
	if got := get[api.Mails](c, "/orgs/acme/mails?to=EVE@other.test&state=waiting"); len(got.Mails) != 1 {
		t.Errorf("%+v", got)
	}
	id, err := connector.ParseID(first.Mails[0].ID)
	w.ok(err)
	w.ok(w.db.Write(t.Context(), func(tx connector.Tx) error {
		_, err := tx.SetMail(t.Context(), connector.Mail{ID: id, Org: "acme", Kind: connector.InvitationMail, State: connector.MailFailed, Attempts: 9, Code: 550, Answer: "no such user", DoneAt: w.now()})
		return err
	}))
	if got := get[api.Mails](c, "/orgs/acme/mails?state=failed"); len(got.Mails) != 1 || got.Mails[0].Code != 550 || got.Mails[0].Next != nil {
		t.Errorf("%+v", got)
	}
	if got := read[api.MailsRetried](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/mails/retry", nil)); got.Mails != 1 {
		t.Errorf("%+v", got)
	}
	c.want(http.StatusNoContent, http.MethodPost, "/orgs/acme/mails/"+id.String()+"/retry", nil)
	w.client("beta").refused(http.StatusNotFound, "not_found", http.MethodPost, "/orgs/beta/mails/"+id.String()+"/retry", nil)
}

// A deactivated user is kept for longer, and who is deleted soon is listed.
func TestDeletionsArePutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead, connector.APIUsers)
	for _, name := range []string{"ann", "bob"} {
		w.person("acme", name, nil)
		w.person("acme", name, func(r *connector.Record) { r.Enabled = connector.EnabledNo })
	}
	soon := func(days string) int {
		return len(get[api.Users](c, "/orgs/acme/deletions?within_days=%s", days).Users)
	}
	if soon("7") != 0 || soon("30") != 2 {
		t.Error(soon("7"), soon("30"))
	}
	path := "/orgs/acme/users/ann/keep"
	w.at.Add(time.Hour.Microseconds())
	for _, x := range []struct {
		body  string
		until time.Time
	}{
		{"", w.now().Add(30 * 24 * time.Hour)},
		{`{"days":90}`, w.now().Add(90 * 24 * time.Hour)},
		{`{"until":"2027-11-27"}`, time.Date(2027, 11, 27, 0, 0, 0, 0, time.UTC)},
	} {
		r := read[api.Changed](w, c.want(http.StatusOK, http.MethodPost, path, x.body))
		if r.User.Deactivated == nil || !r.User.Deactivated.DeletedAt.Equal(x.until) {
			t.Errorf("%s: %+v", x.body, r.User.Deactivated)
		}
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, path, `{"days":1}`) // it is kept for longer already
	for _, wrong := range []string{`{"days":0}`, `{"days":3651}`, `{"days":1,"until":"2027-11-27"}`, `{"until":"2036-12-01"}`, `{"until":"soon"}`} {
		c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, path, wrong)
	}
	c.with("If-Match", `"1"`).refused(http.StatusPreconditionFailed, "other_version", http.MethodPost, path, `{"days":90}`)
}
