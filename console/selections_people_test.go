package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"usherd/connector"
)

// A package is chosen for many: free seats stand beside each, a full one cannot be chosen, and who finds no seat is told.
func TestManyAreGivenAPackage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 4 {
		w.create(fmt.Sprintf("p%d", i), connector.Active, func(u *connector.User) { u.Package = "guest" })
	}
	b := w.as("helpdesk")
	w.want(b.get("/users"), http.StatusOK, `name="deed" value="package"`, `name="deed" value="invite"`)
	page := b.choose("package", "?q=p", url.Values{"all": {"1"}})
	w.want(b.get(page), http.StatusOK, "Change the package of 4 people", "3 of 3 seats free", "unlimited", "No package", "Let the sources decide")
	for _, wrong := range []string{"", "nonsense"} {
		w.want(b.post(page, url.Values{"choice": {wrong}}), http.StatusUnprocessableEntity, "Choose one of them that is free")
	}
	if a := b.post(page, url.Values{"choice": {"standard"}}); a.to() != "/admin"+page {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	w.want(b.get(page), http.StatusOK, "The package of 3 people is as chosen", "no_seat", "Given p3")
	if first, last := w.user("p0"), w.user("p3"); first.Package != "standard" || !first.PackageFixed || last.Package != "guest" {
		t.Error(first.Package, first.PackageFixed, last.Package)
	}
	page = b.choose("package", "?q=p3", url.Values{"all": {"1"}})
	w.want(b.get(page), http.StatusOK, `value="standard" required disabled`, "0 of 3 seats free")
	w.want(b.post(page, url.Values{"choice": {"standard"}}), http.StatusUnprocessableEntity)
	for _, x := range []struct {
		choice, pkg string
		fixed       bool
	}{{"*", "standard", false}, {"-", "", true}} {
		page = b.choose("package", "?q=p0", url.Values{"all": {"1"}})
		w.want(b.post(page, url.Values{"choice": {x.choice}}), http.StatusSeeOther)
		w.want(b.get(page), http.StatusOK, "The package of 1 person is as chosen")
		if u := w.user("p0"); u.Package != x.pkg || u.PackageFixed != x.fixed {
			t.Errorf("%s: %q %v", x.choice, u.Package, u.PackageFixed)
		}
	}
}

// Invitations are sent again to who is not verified, and not twice within a selection.
func TestManyAreInvitedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("ann", connector.NotVerified)
	w.create("bob", connector.NotVerified)
	w.create("cy", connector.NotVerified, func(u *connector.User) { u.PendingApproval = true })
	w.create("di", connector.Active)
	b := w.as("helpdesk")
	var ids []string
	for _, name := range []string{"ann", "bob", "cy", "di"} {
		ids = append(ids, w.user(name).ID.String())
	}
	mails := func() int {
		list, err := w.db.Mails(t.Context(), connector.MailQuery{Org: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for _, want := range []struct {
		done  string
		mails int
	}{{"2 invitations are on their way", 2}, {"0 invitations are on their way", 2}} {
		page := b.choose("invite", "", url.Values{"user": ids})
		w.want(b.get(page), http.StatusOK, "Invite 2 people", "Left out", "Given cy", "Given di")
		w.want(b.post(page, nil), http.StatusSeeOther)
		w.want(b.get(page), http.StatusOK, want.done)
		if n := mails(); n != want.mails {
			t.Errorf("%d mails", n)
		}
	}
	w.now = w.now.Add(29 * time.Minute)
	w.want(b.get("/users"), http.StatusOK)
	w.now = w.now.Add(2 * time.Minute)
	page := b.choose("invite", "?q=ann", url.Values{"all": {"1"}})
	w.want(b.post(page, nil), http.StatusSeeOther)
	w.want(b.get(page), http.StatusOK, "1 invitation is on its way")
	if mails() != 3 {
		t.Error(mails())
	}
}
