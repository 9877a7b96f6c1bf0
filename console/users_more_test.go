package console_test

import (
	"net/http"
	"strings"
	"testing"

	"usherd/connector"
)

// The file of people holds whom the filters ask for, no formula, and no names for whoever sees them masked.
func TestPeopleAsAFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("ann", connector.Active, func(u *connector.User) { u.Package = "standard" })
	w.create("gone", connector.Inactive)
	w.create("x", connector.Verified, func(u *connector.User) { u.Profile.Set(connector.DisplayName, "=cmd|' /C calc'!A0") })
	b := w.as("helpdesk")
	w.want(b.get("/users"), http.StatusOK, `href="/admin/users/export.csv"`)
	a := b.get("/users/export.csv")
	w.want(a, http.StatusOK, "id,user_name,name", ",ann,Given ann,ann@example.com,active,false,standard,", ",'=cmd|' /C calc'!A0,")
	w.not(a, "gone")
	w.want(b.get("/users/export.csv?active=any"), http.StatusOK, ",gone,")
	w.not(b.get("/users/export.csv?q=an"), ",x,")
	masked := w.as("auditor").get("/users/export.csv")
	w.want(masked, http.StatusOK, "active,false,standard")
	w.not(masked, "ann@example.com", "Given ann")
	w.want(w.as("owner").get("/audit"), http.StatusOK, "users_acme_")
}

func TestInvitationsFromThePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("helpdesk")
	ann := w.create("ann", connector.NotVerified)
	w.create("bob", connector.NotVerified)
	eve := w.create("eve", connector.Active)
	waiting := func() string {
		list, err := w.db.Mails(t.Context(), connector.MailQuery{Org: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		var to []string
		for _, m := range list {
			to = append(to, m.To)
		}
		return strings.Join(to, " ")
	}
	w.want(b.get(path(ann, "")), http.StatusOK, "Resend invitation…")
	w.not(b.get(path(eve, "")), "Resend invitation…")
	w.want(b.get(path(eve, "/invite")), http.StatusOK, "role=\"alert\"")
	if a := b.post(path(ann, "/invite"), nil); a.to() != "/admin"+path(ann, "") || waiting() != "ann@example.com" {
		t.Errorf("%d %s, %s", a.StatusCode, a.to(), waiting())
	}
	w.want(b.get("/users?state=not_verified"), http.StatusOK, "Invite all who are not verified…")
	w.want(b.get("/users/invite"), http.StatusOK, "Invite 2 people")
	w.want(b.post("/users/invite", nil), http.StatusSeeOther)
	w.want(b.get("/users?state=not_verified"), http.StatusOK, "on their way: 1", "within a day: 1")
	if got := waiting(); got != "bob@example.com ann@example.com" {
		t.Error(got)
	}
	w.want(w.as("auditor").get("/users/invite"), http.StatusForbidden)
}
