package portal_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/portal"
)

// claimed is a world in which acme has claimed ann from another organization.
type claimed struct {
	*world
	claims *provision.Claims
	claim  *connector.Claim
	path   string // of the link that was mailed
}

func newClaimed(t *testing.T) *claimed {
	t.Helper()
	w := &claimed{world: newWorld(t)}
	w.org.PartnerID = "P-1"
	other := &connector.Organization{ID: "other", Name: "Globex <&> Co", PartnerID: "P-2", Contact: connector.Contact{Email: "it@globex.test"}}
	at := func() time.Time { return w.now }
	w.claims = provision.NewClaims(w.db, provision.New(provision.Options{Store: w.db, Org: w.org, Now: at}), provision.New(provision.Options{Store: w.db, Org: other, Now: at}))
	w.server.Replace([]*portal.Organization{{Settings: w.org, Claims: w.claims}, {Settings: other, Claims: w.claims}})
	if err := w.db.AddDomain(t.Context(), connector.Domain{Org: "acme", Name: "acme.test", Token: "t", AddedAt: w.now, VerifiedAt: w.now}); err != nil {
		t.Fatal(err)
	}
	u := w.person("ann@acme.test")
	list, err := w.claims.Claim(t.Context(), provision.ClaimRequest{Org: "acme", Users: []connector.ID{u.ID}, Actor: "test"})
	if err != nil || len(list) != 1 || list[0].Claim == nil {
		t.Fatalf("%+v %v", list, err)
	}
	w.claim = list[0].Claim
	w.path = w.link(connector.ClaimLink)
	return w
}

// person is an active user of the other organization.
func (w *claimed) person(email string) *connector.User {
	w.t.Helper()
	u := &connector.User{ID: connector.NewID(w.now), Org: "other", State: connector.Active, CreatedAt: w.now, Version: 1, Profile: connector.Profile{
		connector.UserName: {email}, connector.Email: {email}, connector.GivenName: {"Ann"}, connector.FamilyName: {"Lee"}, "title": {"Chief"}, "phone": {"+4670"},
	}}
	ch := &connector.Change{Action: connector.Created, Org: u.Org, After: u, Fields: connector.Diff(nil, u), Transitions: []connector.Transition{{To: u.State, Signal: "created"}}}
	if err := w.db.Write(w.t.Context(), func(tx connector.Tx) error {
		errs, err := tx.Save(w.t.Context(), []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, w.now)
		return errors.Join(err, errors.Join(errs...))
	}); err != nil {
		w.t.Fatal(err)
	}
	return u
}

// link is the path of the latest link of a kind.
func (w *claimed) link(kind connector.LinkKind) string {
	w.t.Helper()
	links, err := w.db.MailLinks(w.t.Context(), "acme", kind, w.claim.ID, 1)
	if err != nil || len(links) != 1 {
		w.t.Fatal(links, err)
	}
	return w.links.Path(&links[0])
}

func (w *claimed) user(org, name string) *connector.User {
	w.t.Helper()
	users, err := w.db.UsersByKey(w.t.Context(), org, []connector.UserKey{{Kind: connector.UserName, Value: name}})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(users) == 0 {
		return nil
	}
	return users[0]
}

// leadsTo asks for a redirect within the portal and follows it.
func (w *claimed) leadsTo(a answer, path string) answer {
	w.t.Helper()
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/usherd"+path {
		w.t.Fatalf("%d %s\n%s", a.StatusCode, a.Header.Get("Location"), a.text)
	}
	return w.get(path)
}

func TestClaimIsShownAndDecided(t *testing.T) {
	t.Parallel()
	w := newClaimed(t)
	page := w.get(w.path)
	w.want(page, http.StatusOK, "<h1>Your account was claimed</h1>", "ann@acme.test", "Acme has claimed", "Globex &lt;&amp;&gt; Co", "Title", "Phone",
		"14 days are left.", w.claim.Until.Format(time.DateOnly), "help@acme.test", `value="move" checked`)
	if strings.Contains(page.text, "Chief") || strings.Contains(page.text, "4670") {
		t.Error("the page shows what the claimed account knew")
	}
	w.now = w.now.Add(13*24*time.Hour + time.Hour)
	w.want(w.get(w.path), http.StatusOK, "1 day is left.")
	w.want(w.post(w.path, url.Values{}), http.StatusUnprocessableEntity, "Choose one of the three.")
	if u := w.user("acme", "ann@acme.test"); u.State != connector.ClaimPending {
		t.Fatalf("a look has decided: %s", u.State)
	}
	w.want(w.leadsTo(w.post(w.path, url.Values{"choice": {"move"}}), "/claim/acme/done/move"), http.StatusOK, "The data is moved", "Acme")
	if u := w.user("acme", "ann@acme.test"); u.State != connector.Active || u.Profile.Get("title") != "Chief" {
		t.Errorf("%+v", u)
	}
	w.want(w.get(w.path), http.StatusGone, "used already")
	w.want(w.post(w.path, url.Values{"choice": {"delete"}}), http.StatusGone, "used already")
	w.want(w.get("/claim/acme/done/nonsense"), http.StatusNotFound)
}

func TestClaimLinksThatOpenNothing(t *testing.T) {
	t.Parallel()
	w := newClaimed(t)
	token := w.path[strings.LastIndexByte(w.path, '/')+1:]
	for _, path := range []string{"/claim/acme/" + token[1:], "/claim/acme/" + strings.ToUpper(token), "/claim/other/" + token, "/claim-keep/acme/" + token} {
		w.want(w.get(path), http.StatusNotFound, "not complete")
		w.want(w.post(path, url.Values{"choice": {"delete"}}), http.StatusNotFound)
	}
	w.want(w.get("/claim/nobody/"+token), http.StatusNotFound)
	w.now = w.claim.Until
	w.want(w.get(w.path), http.StatusGone, "has ended")
	w.want(w.post(w.path, url.Values{"choice": {"delete"}}), http.StatusGone, "has ended")
	if u := w.user("acme", "ann@acme.test"); u.State != connector.ClaimPending {
		t.Error(u.State)
	}
}

// Somebody else has decided in the meantime, as an administrator does: the link is not used, and there is nothing left.
func TestClaimThatIsOver(t *testing.T) {
	t.Parallel()
	w := newClaimed(t)
	if _, _, err := w.claims.DecideClaim(t.Context(), provision.ClaimDecision{Org: "acme", Claim: w.claim.ID, Choice: connector.ClaimDelete, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	w.want(w.get(w.path), http.StatusGone, "nothing to decide any more")
	w.want(w.post(w.path, url.Values{"choice": {"move"}}), http.StatusGone, "nothing to decide any more")
}

func TestOldAccountIsKeptUnderAProvedAddress(t *testing.T) {
	t.Parallel()
	w := newClaimed(t)
	w.person("taken@private.test")
	for _, bad := range []string{"", "no address", "ANN@acme.test"} {
		w.want(w.post(w.path, url.Values{"choice": {"keep"}, "email": {bad}}), http.StatusUnprocessableEntity, "another one than the claimed", `value="keep" checked`, `aria-invalid="true"`)
	}
	ask := func(email string) {
		t.Helper()
		w.now = w.now.Add(2 * time.Minute)
		w.want(w.leadsTo(w.post(w.path, url.Values{"choice": {"keep"}, "email": {email}}), "/claim/acme/done/asked"), http.StatusOK, "Open the mail")
	}
	ask("taken@private.test") // whose it is, nobody learns before having proved it
	w.want(w.post(w.path, url.Values{"choice": {"keep"}, "email": {"ann@private.test"}}), http.StatusTooManyRequests, "on its way")
	path := w.link(connector.ClaimKeepLink)
	w.want(w.get(path), http.StatusOK, "taken@private.test", "ann@acme.test")
	refused := w.post(path, nil)
	w.want(refused, http.StatusConflict, "could not be kept", "user_name_taken", "it@globex.test")
	if strings.Contains(refused.text, "also carried") {
		t.Error("the page says who holds the address")
	}
	ask("ann@private.test")
	path = w.link(connector.ClaimKeepLink)
	w.want(w.get(path), http.StatusOK, "<h1>Keep the old account under this address</h1>", "ann@private.test")
	w.want(w.leadsTo(w.post(path, nil), "/claim/acme/done/keep"), http.StatusOK, "The old account is kept")
	kept := w.user("other", "ann@private.test")
	if kept == nil || kept.State != connector.Active || kept.Profile.Get("title") != "Chief" {
		t.Errorf("%+v", kept)
	}
	if u := w.user("acme", "ann@acme.test"); u.State != connector.Active || u.Profile.Get("title") != "" {
		t.Errorf("%+v", u)
	}
	w.want(w.post(path, nil), http.StatusGone, "used already")
	w.want(w.get(w.path), http.StatusGone, "nothing to decide any more")
}

func TestClaimPagesInAllLanguages(t *testing.T) {
	t.Parallel()
	w := newClaimed(t)
	if _, err := w.claims.Preview(t.Context(), provision.ClaimRequest{Org: "acme"}); err != nil {
		t.Fatal(err)
	}
	w.leadsTo(w.post(w.path, url.Values{"choice": {"keep"}, "email": {"ann@private.test"}}), "/claim/acme/done/asked")
	seen := map[string]bool{}
	for _, lang := range failure.Languages() {
		for _, path := range []string{w.path, w.link(connector.ClaimKeepLink), "/claim/acme/done/move", "/claim/acme/done/delete", "/claim/acme/done/keep", "/claim/acme/done/asked"} {
			a := w.get(path + "?lang=" + lang)
			w.want(a, http.StatusOK, `<html lang="`+lang+`">`)
			if strings.Contains(a.text, "claim.") || strings.Contains(a.text, "<no value>") || strings.Contains(a.text, "{{") {
				t.Errorf("%s in %s has a text that is not there:\n%s", path, lang, a.text)
			}
			_, title, _ := strings.Cut(a.text, "<h1>")
			if title, _, _ = strings.Cut(title, "</h1>"); seen[title] {
				t.Errorf("%s: %q is in two languages", path, title)
			}
			seen[title] = true
		}
	}
}
