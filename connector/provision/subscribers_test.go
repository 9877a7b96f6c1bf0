package provision_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// template adds a template behind the directory, and a second package with one seat.
func template(edit func(t *connector.TemplateSettings, s *connector.SourceSettings)) func(*connector.Organization) {
	return func(o *connector.Organization) {
		t := connector.TemplateSettings{ID: "phones", Name: "Phones", Fields: []string{connector.GivenName, connector.FamilyName}}
		s := connector.SourceSettings{ID: "phones", Kind: connector.Template, Fingerprint: connector.Hash{7}}
		if edit != nil {
			edit(&t, &s)
		}
		o.Templates, o.Sources = append(o.Templates, t), append(o.Sources, s)
		o.Packages = append(o.Packages, connector.Package{ID: "gold", Seats: 1})
	}
}

func untrusted(t *connector.TemplateSettings, _ *connector.SourceSettings) { t.Untrusted = true }

// line is the announcement of the i-th subscriber; more overrides or removes attributes.
func line(i int, more ...string) connector.Announcement {
	a := connector.Announcement{Template: "phones", Name: fmt.Sprintf("Line%d@Phones", i), Profile: connector.Profile{
		connector.GivenName: {"Ann"}, connector.FamilyName: {"Lee"}, connector.Email: {fmt.Sprintf("ann%d@example.org", i)},
	}}
	for j := 0; j+1 < len(more); j += 2 {
		if a.Profile.Set(more[j]); more[j+1] != "" {
			a.Profile.Set(more[j], more[j+1])
		}
	}
	return a
}

func (w *world) announce(a connector.Announcement) *connector.Subscriber {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	out, err := w.prov.Announce(w.t.Context(), []connector.Announcement{a}, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return out[0].Subscriber
}

func (w *world) subscriber(s *connector.Subscriber) *connector.Subscriber {
	w.t.Helper()
	s, err := w.db.Subscriber(w.t.Context(), w.org.ID, s.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// is checks how far a subscriber has come; reason is of its failure.
func (w *world) is(s *connector.Subscriber, status connector.SubscriberStatus, reason connector.Reason) *connector.Subscriber {
	w.t.Helper()
	s = w.subscriber(s)
	var got connector.Reason
	if s.Failure != nil {
		got = s.Failure.Reason
	}
	if s.Status != status || got != reason {
		w.t.Fatalf("%s is %s %q, want %s %q", s.Name, s.Status, got, status, reason)
	}
	return s
}

func (w *world) ask(req provision.ActivationRequest) bool {
	w.t.Helper()
	w.now = w.now.Add(2 * time.Minute)
	req.Template = "phones"
	before := w.mails(connector.ActivationMail)
	if err := w.prov.AskActivation(w.t.Context(), req); err != nil {
		w.t.Fatal(err)
	}
	list, err := w.db.AskedMails(w.t.Context(), w.now, 10)
	if err != nil || len(list) != 1 || list[0].Kind != connector.AskedMail {
		w.t.Fatal(list, err)
	}
	for range 2 { // whoever is second finds nothing to answer
		if err := w.prov.AnswerAsked(w.t.Context(), list[0]); err != nil {
			w.t.Fatal(err)
		}
	}
	if w.mails(connector.AskedMail) != 0 {
		w.t.Error("what was answered is still asked")
	}
	return w.mails(connector.ActivationMail) > before
}

// linkOf is the one that was sent last to a subscriber.
func (w *world) linkOf(s *connector.Subscriber) connector.MailLink {
	w.t.Helper()
	links, err := w.db.MailLinks(w.t.Context(), w.org.ID, connector.ActivateLink, s.ID, 10)
	if err != nil || len(links) == 0 {
		w.t.Fatal("no link", err)
	}
	return links[0]
}

func (w *world) mails(kind connector.MailKind) (n int) {
	w.t.Helper()
	list, err := w.db.Mails(w.t.Context(), connector.MailQuery{Org: w.org.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range list {
		if m.Kind == kind {
			n++
		}
	}
	return n
}

func (w *world) activate(l connector.MailLink) *connector.Subscriber {
	w.t.Helper()
	s, err := w.prov.Activate(w.t.Context(), l.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestAnnouncedWithATrustedAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(nil))
	s := w.is(w.announce(line(1)), connector.Provisioned, "")
	u := w.user("ann1@example.org")
	if u == nil || u.ID != s.User || u.State != connector.Verified || s.Email != "ann1@example.org" || s.Tries != 1 {
		t.Fatalf("%+v %+v", u, s)
	}
	out, err := w.prov.Announce(t.Context(), []connector.Announcement{line(1)}, "test")
	if err != nil || !out[0].Same || out[0].New {
		t.Errorf("said twice: %+v %v", out, err)
	}
	w.is(w.announce(line(1, connector.FamilyName, "Berg", connector.Email, "new@example.org")), connector.Provisioned, "")
	if u := w.user("new@example.org"); u == nil || u.ID != s.User || u.Profile.Get(connector.FamilyName) != "Berg" {
		t.Errorf("%+v", u)
	}
	events, err := w.db.SubscriberEvents(t.Context(), "acme", s.ID, 0)
	if err != nil || len(events) != 4 || events[0].What != connector.StepProvisioned || events[3].What != connector.StepAnnounced {
		t.Errorf("%+v %v", events, err)
	}
	w.is(w.announce(line(2, connector.Email, "")), connector.PendingEmailInput, "")
}

// With an untrusted address nothing exists until the person has proved one of its own choice.
func TestUntrustedAddressesAreProved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(untrusted))
	s := w.is(w.announce(line(1, connector.GivenName, "")), connector.PendingEmailInput, "")
	if w.user("ann1@example.org") != nil {
		t.Fatal("there is a user")
	}
	keyed := func(x *connector.Subscriber) bool { return x.ID == s.ID }
	if !w.ask(provision.ActivationRequest{
		Email: "me@home.test", Name: "LINE1@phones", Keyed: keyed, Language: "sv",
		Given: connector.Profile{connector.GivenName: {"Anna"}, connector.FamilyName: {"Mine"}, "department": {"Board"}},
	}) {
		t.Fatal("the own link does not tie")
	}
	w.is(s, connector.PendingEmailValidation, "")
	first := w.linkOf(s)
	if _, l, err := w.prov.Activation(t.Context(), first.ID); err != nil || l.Email != "me@home.test" || w.user("me@home.test") != nil {
		t.Fatal("looking uses nothing", err)
	}
	if !w.ask(provision.ActivationRequest{Email: "me@home.test", Name: s.Name, Keyed: keyed}) {
		t.Fatal("no second mail")
	}
	second := w.linkOf(s)
	s = w.activate(first)
	u := w.user("me@home.test")
	if s.Status != connector.Provisioned || u == nil || u.ID != s.User || u.State != connector.Verified {
		t.Fatalf("%+v %+v", s, u)
	}
	if u.Profile.Get(connector.GivenName) != "Anna" || u.Profile.Get(connector.FamilyName) != "Lee" || u.Profile.Get("department") != "" {
		t.Errorf("what was announced counts first, and what nobody asks for not at all: %v", u.Profile)
	}
	for _, l := range []connector.MailLink{first, second} {
		if again := w.activate(l); again.User != u.ID || again.Tries != 1 {
			t.Errorf("once more: %+v", again)
		}
	}
	if w.ask(provision.ActivationRequest{Email: "else@home.test", Name: s.Name, Keyed: keyed}) {
		t.Error("who is provisioned got another address by the portal")
	}
	if w.mails(connector.ActivationMail) != 2 {
		t.Error("not two mails")
	}
}

// Nobody is tied to a subscriber by its id, which can be guessed, nor by an address that is not its own alone.
func TestStrangersTakeNobodysSubscription(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(untrusted))
	s := w.announce(line(1))
	no := func(*connector.Subscriber) bool { return false }
	stranger := provision.ActivationRequest{Email: "stranger@example.net", Name: s.Name}
	for _, req := range []provision.ActivationRequest{stranger, {Email: stranger.Email, Name: s.Name, Keyed: no}, {Email: stranger.Email, Name: "line9", Keyed: no}, {Email: "no address"}} {
		if w.ask(req) {
			t.Errorf("%+v is sent a link", req)
		}
	}
	w.is(s, connector.PendingEmailInput, "")
	if w.mails(connector.ActivationMail) != 0 {
		t.Error("a mail was sent")
	}
	// Who types the announced address of somebody has a mail sent there, and gets nothing.
	if !w.ask(provision.ActivationRequest{Email: "ANN1@example.org"}) || w.linkOf(s).Email != "ANN1@example.org" {
		t.Error("the announced address does not tie")
	}
	w.announce(line(2, connector.Email, "shared@example.org"))
	w.announce(line(3, connector.Email, "shared@example.org"))
	if w.ask(provision.ActivationRequest{Email: "shared@example.org"}) {
		t.Error("an address of two is taken for one of them")
	}
	// A proven address does not give way to the announced one.
	keyed := func(x *connector.Subscriber) bool { return x.ID == s.ID }
	w.org.Packages[0].Seats = 0
	w.rebuild()
	w.ask(provision.ActivationRequest{Email: "own@home.test", Name: s.Name, Keyed: keyed})
	w.activate(w.linkOf(s))
	w.is(s, connector.SubscriberError, connector.NoSeat)
	if w.ask(provision.ActivationRequest{Email: "ann1@example.org"}) {
		t.Error("the announced address takes the place of the proven one")
	}
}

func TestUnannouncedPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(func(t *connector.TemplateSettings, s *connector.SourceSettings) {
		t.Unannounced, s.Domains = true, []string{"example.org"}
	}))
	if w.ask(provision.ActivationRequest{Email: "x@elsewhere.org"}) {
		t.Error("a domain that is not allowed")
	}
	if !w.ask(provision.ActivationRequest{Email: "Bo@sub.example.org", Given: connector.Profile{connector.GivenName: {"Bo"}, connector.FamilyName: {"Ek"}}}) {
		t.Fatal("no link")
	}
	list, _, err := w.db.Subscribers(t.Context(), connector.SubscriberQuery{Org: "acme"})
	if err != nil || len(list) != 1 || list[0].Announced {
		t.Fatalf("%+v %v", list, err)
	}
	if s := w.activate(w.linkOf(list[0])); s.Status != connector.Provisioned || s.Name != "self:bo@sub.example.org" || w.user("Bo@sub.example.org") == nil {
		t.Errorf("%+v", s)
	}
}

func TestLinksEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(untrusted))
	s := w.announce(line(1))
	req := provision.ActivationRequest{Email: "ann1@example.org"}
	for range 4 {
		if !w.ask(req) {
			t.Fatal("no mail")
		}
	}
	if w.ask(req) {
		t.Error("a fifth mail within a day")
	}
	old := w.linkOf(s)
	w.now = old.Until
	if _, err := w.prov.Activate(t.Context(), old.ID); !errors.Is(err, connector.ErrLinkEnded) {
		t.Errorf("after a day: %v", err)
	}
	if !w.ask(req) {
		t.Error("no mail on the next day")
	}
	w.now = w.now.Add(-110 * time.Second) // ask turns the clock by two minutes
	if w.ask(req) {
		t.Error("another mail within a minute")
	}
	before := w.linkOf(s)
	w.now = w.now.Add(time.Minute)
	if _, err := w.prov.RetrySubscriber(t.Context(), provision.SubscriberCommand{ID: s.ID, Actor: "admin"}, "other@example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.prov.Activate(t.Context(), before.ID); !errors.Is(err, connector.ErrLinkEnded) {
		t.Errorf("a link from before the administrator's: %v", err)
	}
	if s := w.activate(w.linkOf(s)); s.Status != connector.Provisioned || s.Email != "other@example.org" {
		t.Errorf("%+v", s)
	}
	if _, err := w.prov.Activate(t.Context(), connector.ID{1}); !errors.Is(err, connector.ErrLinkUnknown) {
		t.Errorf("a link of nobody: %v", err)
	}
	if _, err := w.prov.RetrySubscriber(t.Context(), provision.SubscriberCommand{ID: s.ID}, ""); connector.KindOf(err) != connector.Refused {
		t.Errorf("who is provisioned: %v", err)
	}
}

// One link, used by many at once, makes one user.
func TestALinkUsedByManyMakesOneUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(untrusted))
	s := w.announce(line(1))
	w.ask(provision.ActivationRequest{Email: "ann1@example.org"})
	l := w.linkOf(s)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if s, err := w.prov.Activate(t.Context(), l.ID); err != nil || s.Status != connector.Provisioned {
				t.Errorf("%+v %v", s, err)
			}
		})
	}
	wg.Wait()
	if n, err := w.db.CountUsers(t.Context(), "acme"); err != nil || n[connector.Verified] != 1 {
		t.Errorf("%v %v", n, err)
	}
}

// Whoever has an account in another organization that can be claimed gets no second one: the subscriber waits for the claim,
// and goes on by itself when it is made, or when there is nothing to be claimed any more.
func TestASubscriberWaitsForTheClaimOfItsAccount(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(acme, _ *connector.Organization) { template(nil)(acme) })
	claimed, left := p.person(1, connector.Verified), p.person(2, connector.NotVerified)
	first := p.announce(line(1, connector.Email, "U0001@example.com"))
	second := p.announce(line(2, connector.Email, "u0002@example.com"))
	for _, s := range []*connector.Subscriber{first, second} {
		if s.Status != connector.PendingClaim || s.Failure != nil || !s.User.IsZero() {
			t.Errorf("%s is %s: %+v", s.Name, s.Status, s.Failure)
		}
	}
	if p.user("u0001") != nil || p.used("standard") != 0 {
		t.Error("there is a second account")
	}
	if n, err := p.prov.RetrySubscribers(t.Context()); n != 0 || err != nil || p.subscriber(first).Status != connector.PendingClaim {
		t.Error(n, err)
	}
	c := p.claim(claimed)[0]
	if s := p.subscriber(first); s.Status != connector.Provisioned || s.User != c.User {
		t.Errorf("%s after the claim: %+v", s.Status, s.Failure)
	}
	p.old.become("u0002", connector.Inactive) // whom nobody can claim
	if n, err := p.prov.RetrySubscribers(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	if s := p.subscriber(second); s.Status != connector.Provisioned || s.User.IsZero() || s.User == left.ID {
		t.Errorf("%s when it cannot be claimed: %+v", s.Status, s.Failure)
	}
	if kinds := p.mails("u0002@example.com"); len(kinds) != 1 || kinds[0] != connector.ReadyMail {
		t.Error(kinds)
	}
}

// Accounts elsewhere are nobody's business who has not verified the domain, or who has the person already.
func TestASubscriberDoesNotWaitForWhatCannotBeClaimed(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(acme, _ *connector.Organization) { template(nil)(acme) })
	p.old.submit("idp", pushed(1, "e1", connector.NewID(p.now), connector.Email, "ann1@example.org"))
	if s := p.announce(line(1)); s.Status == connector.PendingClaim {
		t.Error("the other organization's account was told of")
	}
	p.person(2, connector.Verified)
	p.submit("dir", person(2))
	if s := p.announce(line(2, connector.Email, "u0002@example.com")); s.Status == connector.PendingClaim || s.User != p.user("u0002").ID {
		t.Errorf("%s: %+v", s.Status, s.Failure)
	}
}
