package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

// linked makes a user of which sources have a record.
func (w *world) linked(name string, state connector.State, sources ...string) *connector.User {
	w.t.Helper()
	u := w.create(name, state)
	for _, source := range sources {
		ch := &connector.Change{
			Action: connector.Unchanged, Org: "acme", Source: source, Subject: name, Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name},
		}
		ch.Link = &connector.Link{Org: "acme", Source: source, Anchor: ch.Anchor, User: u.ID, DN: "cn=" + name, Standing: connector.StandingEnabled, UpdatedAt: w.now}
		err := w.db.Write(w.t.Context(), func(tx connector.Tx) error {
			errs, err := tx.Save(w.t.Context(), []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, w.now)
			if err == nil {
				err = errs[0]
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return w.user(name)
}

func TestADirectoryIsAskedForAPersonAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "lab", Kind: connector.Directory}, connector.SourceSettings{ID: "okta", Kind: connector.SCIM})
	ann, bob, cy := w.linked("ann", connector.Active, "office", "okta"), w.linked("bob", connector.Active, "office", "lab"), w.linked("cy", connector.Active, "okta")
	b := w.as("helpdesk")
	w.want(b.get(path(ann, "")), http.StatusOK, path(ann, "/retry"))
	w.not(b.get(path(cy, "")), path(cy, "/retry"))
	w.want(b.get(path(cy, "/retry")), http.StatusOK, "No directory has a record")
	w.want(b.post(path(ann, "/retry"), nil), http.StatusSeeOther)
	w.want(b.get(path(ann, "")), http.StatusOK, "office did not find Given ann")
	w.runner.person = &provision.Person{Change: &connector.Change{Action: connector.Unchanged}}
	w.want(b.get(path(bob, "/retry")), http.StatusOK, `value="lab" required checked`, `value="office"`)
	if a := b.post(path(bob, "/retry"), url.Values{"choice": {"okta"}}); a.to() != "/admin"+path(bob, "/retry") {
		t.Error(a.to())
	}
	w.want(b.post(path(bob, "/retry"), url.Values{"choice": {"lab"}}), http.StatusSeeOther)
	w.want(b.get(path(bob, "")), http.StatusOK, "lab was asked for Given bob")
	w.runner.person = &provision.Person{Change: failed("bob", connector.NoSeat)}
	w.want(b.post(path(bob, "/retry"), url.Values{"choice": {"lab"}}), http.StatusConflict, "no_seat", "Copy error text")
	want := []string{"retry acme office ann by console:helpdesk", "retry acme lab bob by console:helpdesk", "retry acme lab bob by console:helpdesk"}
	if got := strings.Join(w.runner.asked, "\n"); got != strings.Join(want, "\n") {
		t.Error(got)
	}
	auditor := w.as("auditor")
	w.not(auditor.get(path(ann, "")), path(ann, "/retry"))
	w.want(auditor.get(path(ann, "/retry")), http.StatusForbidden)
}

func TestWhereAClaimedAccountComesFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.elsewhere("ann")
	b := w.as("operator")
	w.want(b.claimAll(b.post("/claims/start", url.Values{"names": {"ann@example.com"}})), http.StatusSeeOther)
	a := b.get(path(w.user("ann@example.com"), ""))
	w.want(a, http.StatusOK, "Taken over from <strong>", "open until", "Waits for an answer")
	if claimLink.FindString(a.text) == "" {
		t.Error("the claim is not linked")
	}
}
