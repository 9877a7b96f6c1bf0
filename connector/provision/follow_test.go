package provision_test

import (
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

// Each refusal has its code, is kept with its text, and is an open item like that of anybody else.
func TestRefusalsOfSubscribers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		org    func(*connector.Organization)
		line   connector.Announcement
		reason connector.Reason
	}{
		"partner ID":    {func(o *connector.Organization) { o.PartnerID = "" }, line(1), connector.PartnerIDMissing},
		"required":      {nil, line(1, connector.GivenName, ""), connector.RequiredMissing},
		"seat":          {seats(0), line(1), connector.NoSeat},
		"Member Status": {nil, line(1, connector.MemberStatus, "active"), connector.MemberStatusPresent},
		"address":       {nil, line(1, connector.Email, "no address"), connector.EmailInvalid},
		"taken":         {nil, line(1, connector.Email, "ann9@example.org"), connector.EmailTaken},
		"user name":     {nil, line(1, connector.UserName, "u0001"), connector.UserNameTaken},
		"claimed":       {nil, line(1, connector.Email, "ann@claimed.test"), connector.DomainClaimedElsewhere},
		"not allowed":   {func(o *connector.Organization) { o.Sources[1].Domains = []string{"example.org"} }, line(1, connector.Email, "ann@example.net"), connector.DomainNotAllowed},
		"too long":      {nil, line(1, "title", strings.Repeat("x", 300)), connector.AttributeTooLong},
		"inactive":      {nil, line(1, connector.Email, "u0002@example.com"), connector.AccountInactive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, template(nil))
			if name != "seat" {
				w.is(w.announce(line(9)), connector.Provisioned, "")
				w.sync(&people{list: crowd(2)}, connector.ResultOK)
				if _, err := w.prov.Deactivate(t.Context(), command(w, "u0002")); err != nil {
					t.Fatal(err)
				}
			}
			for _, d := range []connector.Domain{{Name: "claimed.test", Org: "other", Token: "t", AddedAt: w.now, VerifiedAt: w.now}} {
				if err := w.db.AddDomain(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				if err := w.db.ClaimDomain(t.Context(), d.Org, d.Name, w.now); err != nil {
					t.Fatal(err)
				}
			}
			if test.org != nil {
				test.org(w.org)
				w.rebuild()
			}
			s := w.is(w.announce(test.line), connector.SubscriberError, test.reason)
			if s.Failure.Code != connector.CodeCreation || s.Failure.Ref == "" || s.Failure.At.IsZero() || !s.User.IsZero() {
				t.Errorf("%+v", s.Failure)
			}
			if items := w.items(); len(items) != 1 || items[0].Reason != test.reason || items[0].Source != "phones" {
				t.Errorf("%+v", items)
			}
			events, err := w.db.SubscriberEvents(t.Context(), "acme", s.ID, 0)
			if err != nil || len(events) != 2 || events[0].What != connector.StepRefused || events[0].Reason != test.reason || events[0].Code != 31 {
				t.Errorf("%+v %v", events, err)
			}
			if err := w.prov.DeleteSubscriber(t.Context(), provision.SubscriberCommand{ID: s.ID, Actor: "admin"}); err != nil {
				t.Fatal(err)
			}
			if items := w.items(); len(items) != 0 || w.waiting() != 0 {
				t.Errorf("what was deleted is still open: %+v", items)
			}
		})
	}
}

// Who finds no seat is provisioned by itself when one frees, and is told by mail.
func TestSubscribersWaitForASeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(func(_ *connector.TemplateSettings, s *connector.SourceSettings) { s.Package = "gold" }))
	first := w.announce(line(1))
	second := w.is(w.announce(line(2)), connector.SubscriberError, connector.NoSeat)
	w.announce(line(2, connector.FamilyName, "Berg")) // the last word counts when the seat is there
	if n := w.mails(connector.ReadyMail); n != 0 {
		t.Fatal(n, "mails")
	}
	if err := w.prov.DeleteSubscriber(t.Context(), provision.SubscriberCommand{ID: first.ID, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	second = w.is(second, connector.Provisioned, "")
	if u := w.user("ann2@example.org"); u == nil || u.ID != second.User || u.Package != "gold" || u.Profile.Get(connector.FamilyName) != "Berg" {
		t.Errorf("%+v", u)
	}
	if w.mails(connector.ReadyMail) != 1 || w.state("ann1@example.org") != connector.Inactive {
		t.Error("no mail, or the first is there")
	}
	// The first is announced again: it waits, and gets the same account back.
	first = w.is(w.announce(line(1)), connector.SubscriberError, connector.NoSeat)
	w.is(second, connector.Provisioned, "")
	if err := w.prov.DeleteSubscriber(t.Context(), provision.SubscriberCommand{ID: second.ID, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	w.is(first, connector.Provisioned, "")
	if w.state("ann1@example.org") != connector.Verified {
		t.Error(w.state("ann1@example.org"))
	}
}

// A change of package that finds no seat waits, and the account keeps what it has.
func TestPackageOfASubscriber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(nil))
	a, b := w.announce(line(1)), w.announce(line(2))
	set := func(s *connector.Subscriber, pkg string) {
		t.Helper()
		if _, err := w.prov.SetSubscriberPackage(t.Context(), provision.SubscriberCommand{ID: s.ID, Actor: "admin"}, pkg); err != nil {
			t.Fatal(err)
		}
	}
	set(a, "gold")
	w.is(a, connector.Provisioned, "")
	set(b, "gold")
	b = w.is(b, connector.Updating, connector.NoSeat)
	if b.Failure.Code != connector.CodeUpdate || w.user("ann2@example.org").Package != "standard" || w.used("gold") != 1 {
		t.Errorf("%+v", b.Failure)
	}
	set(a, "")
	w.is(b, connector.Provisioned, "")
	if w.user("ann2@example.org").Package != "gold" || w.user("ann1@example.org").Package != "standard" {
		t.Error("the packages are not as chosen")
	}
	if _, err := w.prov.SetSubscriberPackage(t.Context(), provision.SubscriberCommand{ID: a.ID}, "silver"); connector.KindOf(err) != connector.Invalid {
		t.Error(err)
	}
}

// Whatever door changes the account, the subscriber follows.
func TestSubscribersFollowTheirAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(func(_ *connector.TemplateSettings, s *connector.SourceSettings) { s.Approval = true }))
	s := w.is(w.announce(line(1)), connector.Provisioning, connector.AccountPendingApproval)
	const name = "ann1@example.org"
	do := func(f func() (*connector.Change, error)) {
		t.Helper()
		if _, err := f(); err != nil {
			t.Fatal(err)
		}
	}
	do(func() (*connector.Change, error) { return w.prov.Approve(t.Context(), command(w, name)) })
	w.is(s, connector.Provisioned, "")
	do(func() (*connector.Change, error) { return w.prov.Deactivate(t.Context(), command(w, name)) })
	w.is(s, connector.SubscriberError, connector.AccountInactive)
	w.is(w.announce(line(1, "title", "Chief")), connector.SubscriberError, connector.AccountInactive)
	do(func() (*connector.Change, error) { return w.prov.Reactivate(t.Context(), command(w, name)) })
	w.is(s, connector.Provisioned, "")
	do(func() (*connector.Change, error) { return w.prov.Deactivate(t.Context(), command(w, name)) })
	old := w.user(name).ID
	do(func() (*connector.Change, error) { return w.prov.Delete(t.Context(), command(w, name)) })
	if s := w.is(s, connector.SubscriberError, connector.NoAccount); !s.User.IsZero() {
		t.Error("the account that was deleted is still its own")
	}
	if _, err := w.prov.RetrySubscriber(t.Context(), provision.SubscriberCommand{ID: s.ID, Actor: "admin"}, ""); err != nil {
		t.Fatal(err)
	}
	if s := w.is(s, connector.Provisioning, connector.AccountPendingApproval); s.User == old || s.User.IsZero() {
		t.Error("no other account")
	}
}

// A directory's word on whether somebody is there counts for more than that of a template.
func TestLeaversAreNotKeptByTheirSubscription(t *testing.T) {
	t.Parallel()
	w := newWorld(t, template(nil))
	staff := &people{list: crowd(20)}
	w.sync(staff, connector.ResultOK)
	s := w.is(w.announce(line(1, connector.Email, "u0001@example.com")), connector.Provisioned, "")
	if s.User != w.user("u0001").ID {
		t.Fatal("the account was not found")
	}
	staff.list = staff.list[1:]
	w.sync(staff, connector.ResultOK)
	if w.state("u0001") != connector.Inactive {
		t.Fatal(w.state("u0001"))
	}
	w.is(s, connector.SubscriberError, connector.AccountInactive)
	staff.list = crowd(20)
	w.sync(staff, connector.ResultOK)
	w.is(s, connector.Provisioned, "")
	if err := w.prov.DeleteSubscriber(t.Context(), provision.SubscriberCommand{ID: s.ID, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	if w.state("u0001") != connector.Active {
		t.Error("whom the directory has lost the account with the subscription")
	}
}

// The proof of an address at the portal is one at every door.
func TestActivationProvesTheAddressOfAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { client(o); template(untrusted)(o) })
	w.submit("idp", pushed(1, "e1", connector.NewID(w.now), "mail", "u@unverified.test"))
	if w.state("u0001") != connector.NotVerified {
		t.Fatal(w.state("u0001"))
	}
	s := w.announce(line(1, connector.Email, "u@unverified.test"))
	w.ask(provision.ActivationRequest{Email: "u@unverified.test"})
	w.activate(w.linkOf(s))
	w.is(s, connector.Provisioned, "")
	if w.state("u0001") != connector.Verified {
		t.Error(w.state("u0001"))
	}
}

// When the cause of a refusal may be gone, those who were refused are tried again, once and without noise.
func TestRefusedSubscribersAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { template(untrusted)(o); o.Required = []string{"department"} })
	s, late := w.announce(line(1)), w.announce(line(2))
	w.ask(provision.ActivationRequest{Email: "ann1@example.org"})
	w.activate(w.linkOf(s))
	w.is(s, connector.SubscriberError, connector.RequiredMissing)
	for range 3 {
		if n, err := w.prov.RetrySubscribers(t.Context()); err != nil || n != 0 {
			t.Fatal(n, err)
		}
	}
	events, err := w.db.SubscriberEvents(t.Context(), "acme", s.ID, 0)
	if err != nil || len(events) != 4 { // announced, link sent, proved, refused
		t.Errorf("%d events: %v", len(events), err)
	}
	w.org.Required = nil
	w.rebuild()
	if n, err := w.prov.RetrySubscribers(t.Context()); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	w.is(s, connector.Provisioned, "")
	w.is(late, connector.PendingEmailInput, "")
	if w.mails(connector.ReadyMail) != 1 {
		t.Error("the person was not told")
	}
}
