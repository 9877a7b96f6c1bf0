package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/portal"
)

// subscribed is a portal with a template whose addresses are not believed, and one subscriber.
func subscribed(t *testing.T, edit func(*connector.Organization)) (*world, *provision.Provisioner, *connector.Subscriber) {
	t.Helper()
	w := newWorld(t)
	w.org.PartnerID = "P-1"
	w.org.Packages, w.org.DefaultPackage = []connector.Package{{ID: "gold", Seats: 1}}, "gold"
	w.org.Templates = []connector.TemplateSettings{{ID: "phones", Name: "Phones", Untrusted: true, Fields: []string{connector.GivenName, connector.FamilyName, "department"}}}
	w.org.Sources = []connector.SourceSettings{{ID: "phones", Kind: connector.Template}}
	if edit != nil {
		edit(w.org)
	}
	m, faults := mapping.Compile(mapping.Config{Preset: mapping.Template})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if err := w.db.SetPackages(t.Context(), "acme", w.org.Packages); err != nil {
		t.Fatal(err)
	}
	prov := provision.New(provision.Options{
		Store: w.db, Org: w.org, Mappings: map[string]*mapping.Mapping{"phones": m}, Now: func() time.Time { return w.now }, SpoolDir: t.TempDir(),
	})
	w.prov = prov
	w.server.Replace([]*portal.Organization{{Settings: w.org, People: prov, Activations: prov}, {Settings: &connector.Organization{ID: "other", Name: "Other"}}})
	out, err := prov.Announce(t.Context(), []connector.Announcement{{
		Template: "phones", Name: "4711@phones", Profile: connector.Profile{connector.Email: {"old@shared.test"}},
	}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return w, prov, out[0].Subscriber
}

const form = "/activate/acme/phones"

// person is what somebody writes into the form.
func person(s *connector.Subscriber, key string) url.Values {
	return url.Values{"email": {"ann@home.test"}, "givenName": {"Ann"}, "familyName": {"Lee"}, "subscriber": {s.Name}, "key": {key}}
}

// linkPath is where the last link that was sent to a subscriber leads, "" = none.
func (w *world) linkPath(s *connector.Subscriber) string {
	w.t.Helper()
	w.answer()
	links, err := w.db.MailLinks(w.t.Context(), "acme", connector.ActivateLink, s.ID, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(links) == 0 {
		return ""
	}
	return w.links.Path(&links[0])
}

// answer decides what those are owed who have asked.
func (w *world) answer() {
	w.t.Helper()
	list, err := w.db.AskedMails(w.t.Context(), w.now, 1000)
	for _, m := range list {
		if err == nil {
			err = w.prov.AnswerAsked(w.t.Context(), m)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestActivation(t *testing.T) {
	t.Parallel()
	w, _, s := subscribed(t, nil)
	key := w.links.Subscriber(s)
	w.want(w.get(form+"?subscriber=4711%40phones&key="+key), http.StatusOK, `name="key" value="`+key, "E-mail address *", "First Name *", ">Department<", "* required", "help@acme.test")
	a := w.post(form, url.Values{"email": {"ann@"}, "givenName": {"<b>"}})
	w.want(a, http.StatusUnprocessableEntity, "no complete e-mail address", "&lt;b&gt;", "Fill this in")
	w.want(w.post(form, person(s, key)), http.StatusOK, "Look into your mail", "ann@home.test", "3 more at most")
	path := w.linkPath(s)
	for range 3 { // whoever only looks uses nothing
		w.want(w.get(path), http.StatusOK, "ann@home.test", "Activate")
	}
	if a := w.post(path, nil); a.StatusCode != http.StatusSeeOther || !strings.HasSuffix(a.Header.Get("Location"), path) {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	w.want(w.get(path), http.StatusOK, "Your account is ready")
	u, err := w.db.FindUser(t.Context(), "acme", "ann@home.test")
	if err != nil || u.State != connector.Verified || u.Profile.Get(connector.GivenName) != "Ann" {
		t.Errorf("%+v %v", u, err)
	}
	altered := path[:len(path)-1] + map[bool]string{true: "b", false: "a"}[strings.HasSuffix(path, "a")]
	w.want(w.get(altered), http.StatusNotFound, "not complete")
	w.want(w.get(strings.Replace(path, "acme", "other", 1)), http.StatusNotFound)
	for _, nowhere := range []string{"/activate/acme/none", "/activate/nobody/phones"} {
		w.want(w.get(nowhere), http.StatusNotFound, "no such page")
	}
}

// The id alone, or a key that is another one's, ties nobody to a subscriber.
func TestTheIDAloneOpensNothing(t *testing.T) {
	t.Parallel()
	w, _, s := subscribed(t, nil)
	for _, key := range []string{"", "x", w.links.Subscriber(&connector.Subscriber{Org: "acme", ID: connector.ID{1}})} {
		w.want(w.post(form, person(s, key)), http.StatusOK, "Look into your mail")
	}
	if w.linkPath(s) != "" {
		t.Error("a stranger is tied to the subscriber")
	}
}

func TestAnotherMail(t *testing.T) {
	t.Parallel()
	w, _, s := subscribed(t, nil)
	q := person(s, w.links.Subscriber(s))
	w.want(w.post(form, q), http.StatusOK)
	q.Set("again", "0")
	first := w.linkPath(s)
	w.now = w.now.Add(59 * time.Second)
	w.want(w.post(form+"/resend", q), http.StatusTooManyRequests, "One minute, please")
	for again := range 3 {
		w.now = w.now.Add(61 * time.Second)
		q.Set("again", []string{"0", "1", "2"}[again])
		w.want(w.post(form+"/resend", q), http.StatusOK, "Look into your mail")
	}
	if a := w.post(form+"/resend", url.Values{"again": {"3"}, "email": {"x@y.test"}}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Error(a.StatusCode)
	}
	if w.linkPath(s) == first {
		t.Error("no other link")
	}
	w.now = w.now.Add(25 * time.Hour)
	w.want(w.get(w.linkPath(s)), http.StatusGone, "This link has ended")
	w.want(w.post(first, nil), http.StatusGone)
}

// Each refusal has its number, says what happens next, and can be tried again by the same link.
func TestRefusalsAtThePortal(t *testing.T) {
	t.Parallel()
	w, prov, s := subscribed(t, func(o *connector.Organization) { o.Packages[0].Seats = 0 })
	w.want(w.post(form, person(s, w.links.Subscriber(s))), http.StatusOK)
	path := w.linkPath(s)
	texts := []string{"Auto account creation failed (31)", "no_seat", "Try again", "Copy error text", "help@acme.test", "as soon as a seat is free", `<form method="post">`}
	a := w.post(path, nil)
	w.want(a, http.StatusForbidden, texts...)
	if strings.Contains(a.text, "<details>") {
		t.Error("a person is told what administrators do")
	}
	w.want(w.get(path), http.StatusOK, texts...)
	w.want(w.post(path, nil), http.StatusForbidden, texts...)
	w.want(w.get(path+"?lang=pl"), http.StatusOK, "gdy tylko zwolni się miejsce", "Automatyczne utworzenie konta nie powiodło się (31)")
	w.org.Packages[0].Seats = 1
	if err := w.db.SetPackages(t.Context(), "acme", w.org.Packages); err != nil {
		t.Fatal(err)
	}
	if err := prov.Offer(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want(w.get(path), http.StatusOK, "Your account is ready")

	w, _, s = subscribed(t, func(o *connector.Organization) { o.Approval = true })
	w.want(w.post(form, person(s, w.links.Subscriber(s))), http.StatusOK)
	w.want(w.post(w.linkPath(s), nil), http.StatusForbidden, "(31)", "account_pending_approval", "An administrator has to approve")
}
