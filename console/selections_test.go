package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/internal/webdriver"
)

// choose ticks people in the list, or all that match, and gives the page of the selection.
func (b *browser) choose(deed, query string, form url.Values) string {
	b.w.t.Helper()
	form.Set("deed", deed)
	a := b.post("/users"+query, form)
	if to := strings.TrimPrefix(a.to(), "/admin"); strings.HasPrefix(to, "/selections/") {
		return to
	}
	b.w.t.Fatalf("%d %s\n%s", a.StatusCode, a.to(), a.text)
	return ""
}

// gone makes a user with a package whom an administrator has deactivated, so that its seat is free.
func (w *world) gone(name string) *connector.User {
	w.t.Helper()
	u := w.create(name, connector.Active, func(u *connector.User) { u.Package = "standard" })
	if _, err := w.prov.Deactivate(w.t.Context(), provision.Command{User: u.ID, Actor: "test"}); err != nil {
		w.t.Fatal(err)
	}
	return u
}

func TestManyAreReactivatedAndWhoFindsNoSeatIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []string
	for i := range 4 {
		ids = append(ids, w.gone(fmt.Sprintf("p%d<b>", i)).ID.String())
	}
	ids = append(ids, w.create("active", connector.Active).ID.String())
	b := w.as("helpdesk")
	list := b.get("/users?active=any")
	w.want(list, http.StatusOK, `type="checkbox" name="user" value="`+ids[0]+`"`, `name="deed" value="reactivate"`)
	w.not(list, `value="deactivate"`)
	w.not(w.as("auditor").get("/users?active=any"), `name="deed"`, `name="user"`)
	page := b.choose("reactivate", "?active=any", url.Values{"user": ids})
	w.want(b.get(page), http.StatusOK, "Reactivate 4 people", "Standard: 4 seats are needed and 3 are free", "Left out", "Given active", "p0&lt;b&gt;")
	if u := w.user("p0<b>"); u.State != connector.Inactive {
		t.Error("a page has changed somebody")
	}
	w.want(w.as("operator").get(page), http.StatusNotFound, "no such selection") // of another administrator
	if a := b.post(page, nil); a.to() != "/admin"+page {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	w.want(b.get(page), http.StatusOK, "3 people are back", "no_seat", "Copy error text", "p3&lt;b&gt;")
	if a, z := w.user("p0<b>"), w.user("p3<b>"); a.State != connector.Active || z.State != connector.Inactive {
		t.Error(a.State, z.State)
	}
	w.now = w.now.Add(29 * time.Minute)
	w.want(b.get(page), http.StatusOK, "3 people are back")
	w.now = w.now.Add(2 * time.Minute)
	w.want(b.get(page), http.StatusNotFound)
}

func TestManyAreDeactivatedAboveTheGuard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Sources[0].Guard = connector.Guard{Min: 10, Percent: 5}
	for i := range 30 {
		w.create(fmt.Sprintf("p%02d", i), connector.Active)
	}
	w.create("boss", connector.Active)
	helpdesk, b := w.as("helpdesk"), w.as("operator")
	w.want(helpdesk.post("/users", url.Values{"deed": {"deactivate"}, "all": {"1"}}), http.StatusForbidden)
	if a := b.post("/users?q=p", url.Values{"deed": {"deactivate"}}); a.to() != "/admin/users?q=p" {
		t.Error(a.to())
	}
	w.want(b.get("/users?q=p"), http.StatusOK, "Nobody was chosen")
	few := b.choose("deactivate", "?q=p0", url.Values{"all": {"1"}})
	w.want(b.get(few), http.StatusOK, "Deactivate 10 people", "seats are free at once")
	w.not(b.get(few), `name="typed"`)
	page := b.choose("deactivate", "?q=p", url.Values{"all": {"1"}})
	w.want(b.get(page), http.StatusOK, "Deactivate 30 people", `name="typed"`)
	w.want(b.get(page+"?lang=pl"), http.StatusOK, "Dezaktywuj 30 osób")
	w.not(b.get(page+"?lang=en"), "boss")
	w.want(b.post(page, url.Values{"typed": {"3"}}), http.StatusUnprocessableEntity, "type 30 to go on", `aria-invalid="true"`)
	w.now = w.now.Add(11 * time.Minute) // the sign-in is old
	if a := b.post(page, url.Values{"typed": {"30"}}); !strings.HasPrefix(a.to(), "/admin/reauth") {
		t.Error(a.to())
	}
	w.want(b.post("/reauth", url.Values{"password": {secret}}), http.StatusSeeOther)
	w.want(b.post(page, url.Values{"typed": {"30"}, "reason": {"moved away"}}), http.StatusSeeOther)
	w.want(b.get(page), http.StatusOK, "30 people are deactivated")
	w.want(b.get(few), http.StatusOK, "There is nobody to whom this can be done")
	if u, boss := w.user("p07"), w.user("boss"); u.State != connector.Inactive || u.DeactivatedReason != "moved away" || boss.State != connector.Active {
		t.Error(u.State, u.DeactivatedReason, boss.State)
	}
}

// People are ticked and brought back in a real browser, with and without script.
func TestSelectionInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		w := newWorld(t)
		w.gone(strings.Repeat("a very long name ", 8))
		w.gone("\u202eשלום<b>")
		w.create("cy", connector.Active)
		srv := w.listens()
		b := d.Browser(t, script, "en")
		enter(b, srv.URL, "/users?active=any", "owner")
		if script {
			shoot(t, b, srv.URL, "/users?active=any", "users-select")
			shoot(t, b, srv.URL, w.as("owner").choose("package", "?active=any", url.Values{"all": {"1"}}), "selection-package")
			shoot(t, b, srv.URL, w.as("owner").choose("reactivate", "?active=any", url.Values{"all": {"1"}}), "selection")
			b.Open(srv.URL + "/users?active=any")
		}
		b.Click("#all")
		b.Click("button[value=reactivate]")
		b.Leave(srv.URL + "/users?active=any")
		if got := b.Text("form button.act"); got != "Reactivate 2 people" {
			t.Error(got)
		}
		b.Click("form button.act")
		if got := b.Text("p.announce"); got != "2 people are back." {
			t.Error(got)
		}
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}
