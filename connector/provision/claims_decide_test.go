package provision_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/store"
)

// The conversion table of the design: what a user becomes by its state before the claim, whoever ends that and however.
func TestConversionTable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		was          connector.State
		verified     bool // the domain still is when the claim ends
		want         connector.State
		mayUseBefore bool
	}{
		{connector.NotVerified, true, connector.Verified, false},
		{connector.NotVerified, false, connector.NotVerified, false},
		{connector.Verified, true, connector.Verified, true},
		{connector.Verified, false, connector.Verified, true},
		{connector.Active, true, connector.Active, true},
		{connector.Active, false, connector.Active, true},
	} {
		for _, by := range []string{"move", "delete", "keep", "time"} {
			for _, away := range []bool{false, true} { // deactivated before the claim ends, and back after it
				t.Run(fmt.Sprintf("%s, verified %v, %s, away %v", row.was, row.verified, by, away), func(t *testing.T) {
					t.Parallel()
					p := newPair(t, nil)
					c := p.claim(p.person(1, row.was))[0]
					if u := p.user("u0001"); u.Standing().MayUse() != row.mayUseBefore || (provision.SignInRefusal(u) == nil) != row.mayUseBefore {
						t.Errorf("while the claim is open it may use services: %v", u.Standing())
					}
					if away {
						p.must(p.prov.Deactivate(t.Context(), command(p.world, "u0001")))
						if u := p.user("u0001"); u.Resume != connector.ClaimPending || u.Was != row.was {
							t.Errorf("%+v", u)
						}
					}
					if !row.verified {
						if err := p.db.RemoveDomain(t.Context(), "acme", "example.com"); err != nil {
							t.Fatal(err)
						}
					}
					p.end(c, by)
					if away {
						if s := p.state("u0001"); s != connector.Inactive {
							t.Errorf("ending a claim brought somebody back: %s", s)
						}
						p.must(p.prov.Reactivate(t.Context(), command(p.world, "u0001")))
					}
					if u := p.user("u0001"); u.State != row.want || u.Was != "" {
						t.Errorf("%s (was %q), want %s", u.State, u.Was, row.want)
					}
				})
			}
		}
	}
}

// end ends a claim by a choice of the person, or by time.
func (p *pair) end(c *connector.Claim, by string) {
	p.t.Helper()
	switch by {
	case "keep":
		p.decide(c, connector.ClaimKeep, "ann@private.test")
	case "time":
		p.now = c.Until
		if done := p.expire(); done.Expired != 1 {
			p.t.Errorf("%+v", done)
		}
	default:
		p.decide(c, connector.ClaimChoice(by), "")
	}
}

func TestWhatBecomesOfTheOldData(t *testing.T) {
	t.Parallel()
	setUp := func(t *testing.T) (*pair, *connector.Claim) {
		t.Helper()
		p := newPair(t, nil)
		u := p.person(1, connector.Active, "title", "Chief")
		p.must(p.old.prov.SetPackage(t.Context(), provision.Command{User: u.ID, Actor: "admin"}, "gold", false))
		return p, p.claim(p.old.user("u0001"))[0]
	}
	t.Run("move", func(t *testing.T) {
		t.Parallel()
		p, c := setUp(t)
		c = p.decide(c, connector.ClaimMove, "")
		u := p.user("u0001")
		if u.Profile.Get("title") != "Chief" || c.Status != connector.ClaimDecided || c.Data != nil || len(p.old.picture()) != 0 {
			t.Errorf("%v %+v", u.Profile, c)
		}
		if got := p.mails(c.Email); !slices.Equal(got, []connector.MailKind{connector.ClaimMail, connector.ClaimDoneMail}) {
			t.Error(got)
		}
		_, _, err := p.claims.DecideClaim(t.Context(), provision.ClaimDecision{Org: "acme", Claim: c.ID, Choice: connector.ClaimDelete})
		if connector.KindOf(err) != connector.Conflict || p.user("u0001").Profile.Get("title") != "Chief" {
			t.Errorf("decided twice: %v", err)
		}
	})
	t.Run("delete", func(t *testing.T) {
		t.Parallel()
		p, c := setUp(t)
		c = p.decide(c, connector.ClaimDelete, "")
		if u := p.user("u0001"); u.Profile.Get("title") != "" || c.Data != nil || len(p.old.picture()) != 0 {
			t.Errorf("%v %+v", u.Profile, c)
		}
	})
	t.Run("keep", func(t *testing.T) {
		t.Parallel()
		p, c := setUp(t)
		c = p.decide(c, connector.ClaimKeep, "ann@private.test")
		kept := p.old.user("u0001")
		if kept == nil || kept.ID != c.Kept || kept.State != connector.Active || kept.Profile.Get("title") != "Chief" ||
			kept.Profile.Get(connector.Email) != "ann@private.test" || kept.Package != "gold" || p.old.used("gold") != 1 {
			t.Errorf("%+v", kept)
		}
		if u := p.user("u0001"); u.Profile.Get("title") != "" || u.Profile.Get(connector.Email) != c.Email {
			t.Errorf("%v", u.Profile)
		}
		if n := len(p.old.since(c.Kept, 0)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("keep, refused", func(t *testing.T) {
		t.Parallel()
		p, c := setUp(t)
		p.person(2, connector.Active, "mail", "ann@private.test")
		for email, want := range map[string]connector.Reason{"ann@private.test": connector.EmailTaken, c.Email: connector.DomainClaimedElsewhere} {
			before := p.picture()
			_, failures, err := p.claims.DecideClaim(t.Context(), provision.ClaimDecision{Org: "acme", Claim: c.ID, Choice: connector.ClaimKeep, Email: email})
			if err != nil || len(failures) != 1 || failures[0].Reason != want || failures[0].Ref == "" {
				t.Errorf("%s: %+v %v, want %s", email, failures, err, want)
			}
			if fmt.Sprint(p.picture()) != fmt.Sprint(before) {
				t.Error("a refusal has changed somebody")
			}
		}
		for i := range 3 { // the seats of the old package
			u := p.person(10+i, connector.Active)
			p.must(p.old.prov.SetPackage(t.Context(), provision.Command{User: u.ID, Actor: "admin"}, "gold", false))
		}
		_, failures, err := p.claims.DecideClaim(t.Context(), provision.ClaimDecision{Org: "acme", Claim: c.ID, Choice: connector.ClaimKeep, Email: "x@private.test"})
		if err != nil || len(failures) != 1 || failures[0].Reason != connector.NoSeat {
			t.Errorf("%+v %v", failures, err)
		}
		p.decide(c, connector.ClaimMove, "")
	})
}

// Data that the new organization's rules refuse stays behind, and the rest goes along.
func TestDataThatCannotGoAlong(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	p.sync(&people{list: []*connector.Record{person(2, "mail", "second@example.com")}}, connector.ResultOK)
	u := p.person(1, connector.Active, "title", "Chief")
	after := *u
	after.Profile, after.Version = u.Profile.Clone(), u.Version+1
	after.Profile.Set(connector.OtherEmails, "second@example.com")
	p.old.write(u, &after)
	c := p.claim(p.old.user("u0001"))[0]
	p.decide(c, connector.ClaimMove, "")
	if got := p.user("u0001").Profile; got.Get("title") != "Chief" || len(got[connector.OtherEmails]) != 0 {
		t.Errorf("%v", got)
	}
}

func (w *world) write(before, after *connector.User) {
	w.t.Helper()
	ch := &connector.Change{Action: connector.Updated, Org: before.Org, BaseVersion: before.Version, After: after, Fields: connector.Diff(before, after)}
	err := w.db.Write(w.t.Context(), func(tx connector.Tx) error {
		errs, err := tx.Save(w.t.Context(), []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, w.now)
		return errors.Join(err, errs[0])
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// Two weeks pass, with the daemon stopped and started again between any two days, and twice at once on the last.
func TestTwoWeeksPass(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	c := p.claim(p.person(1, connector.Active, "title", "Chief"))[0]
	want := map[int]provision.ClaimsDone{7: {Reminded: 1}, 11: {Reminded: 1}, 13: {Reminded: 1}, 14: {Expired: 1}}
	for d := range 20 {
		p.now = c.At.Add(time.Duration(d) * day)
		p.restart()
		if got := p.expire(); got != want[d] {
			t.Errorf("day %d: %+v, want %+v", d, got, want[d])
		}
		if got := p.expire(); got != (provision.ClaimsDone{}) {
			t.Errorf("day %d, again: %+v", d, got)
		}
		if s := p.state("u0001"); (s == connector.ClaimPending) != (d < 14) {
			t.Errorf("day %d: %s", d, s)
		}
	}
	u := p.user("u0001")
	if u.State != connector.Active || u.Profile.Get("title") != "Chief" || len(p.since(u.ID, 0)) != 2 {
		t.Errorf("%+v", u)
	}
	kinds := []connector.MailKind{connector.ClaimMail, connector.ClaimReminderMail, connector.ClaimReminderMail, connector.ClaimReminderMail, connector.ClaimDoneMail}
	if got := p.mails(c.Email); !slices.Equal(got, kinds) {
		t.Error(got)
	}
}

// restart closes the store and opens it again.
func (p *pair) restart() {
	p.t.Helper()
	if err := p.db.Close(); err != nil {
		p.t.Fatal(err)
	}
	db, err := store.Open(p.t.Context(), p.url, store.Options{Now: func() time.Time { return p.now }})
	if err != nil {
		p.t.Fatal(err)
	}
	p.db, p.old.db = db, db
	p.rebuild()
	p.old.rebuild()
	p.build()
}

// A daemon that was down over several reminders sends one, and over the end none.
func TestAfterALongPause(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	c := p.claim(p.person(1, connector.Active))[0]
	p.now = c.At.Add(12 * day)
	if got := p.expire(); got != (provision.ClaimsDone{Reminded: 1}) {
		t.Errorf("%+v", got)
	}
	p.now = c.At.Add(40 * day)
	if got := p.expire(); got != (provision.ClaimsDone{Expired: 1}) {
		t.Errorf("%+v", got)
	}
}

// Who is deleted before the decision is not converted, and the claim has ended.
func TestDeletedBeforeTheDecision(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	c := p.claim(p.person(1, connector.Active))[0]
	cmd := command(p.world, "u0001")
	p.must(p.prov.Deactivate(t.Context(), cmd))
	p.must(p.prov.Delete(t.Context(), cmd))
	_, _, err := p.claims.DecideClaim(t.Context(), provision.ClaimDecision{Org: "acme", Claim: c.ID, Choice: connector.ClaimMove})
	if connector.KindOf(err) != connector.Conflict {
		t.Error(err)
	}
	stored, err := p.db.Claim(t.Context(), "acme", c.ID)
	if err != nil || stored.Status != connector.ClaimEnded || stored.Data != nil {
		t.Errorf("%+v %v", stored, err)
	}
}

// The client of the old organization goes on pushing.
func TestOldSourceDoesNotMakeThePersonAnew(t *testing.T) {
	t.Parallel()
	for _, exclusive := range []bool{false, true} {
		t.Run(fmt.Sprintf("domain claimed: %v", exclusive), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, nil)
			if exclusive {
				if err := p.db.ClaimDomain(t.Context(), "acme", "example.com", p.now); err != nil {
					t.Fatal(err)
				}
			}
			u := p.personBefore(1, exclusive)
			c := p.claim(u)[0]
			push := func(source string, rec *connector.Record) *connector.Change { return p.old.submit(source, rec) }
			refusedWith(t, push("idp", pushed(1, "e1", u.ID)), connector.CodeCreation, connector.DomainClaimedElsewhere)
			refusedWith(t, push("idp", pushed(1, "", connector.NewID(p.now))), connector.CodeCreation, connector.DomainClaimedElsewhere)
			refusedWith(t, push("sso", asserted(1)), connector.CodeCreation, connector.DomainClaimedElsewhere)
			p.decide(c, connector.ClaimMove, "")
			refusedWith(t, push("idp", pushed(1, "e1", u.ID)), connector.CodeCreation, connector.DomainClaimedElsewhere)
			if ch := push("idp", pushed(7, "e7", connector.NewID(p.now))); (ch.Action == connector.Created) == exclusive {
				t.Errorf("somebody else: %s", ch.Action)
			}
			cmd := command(p.world, "u0001")
			p.must(p.prov.Deactivate(t.Context(), cmd))
			p.must(p.prov.Delete(t.Context(), cmd))
			if ch := push("idp", pushed(1, "e1", connector.NewID(p.now))); (ch.Action == connector.Created) == exclusive {
				t.Errorf("when the claimed user is gone: %s", ch.Action)
			}
		})
	}
}

// personBefore makes the person when the domain was not claimed yet.
func (p *pair) personBefore(i int, claimed bool) *connector.User {
	p.t.Helper()
	if claimed {
		if err := p.db.ReleaseDomain(p.t.Context(), "acme", "example.com"); err != nil {
			p.t.Fatal(err)
		}
		defer func() {
			if err := p.db.ClaimDomain(p.t.Context(), "acme", "example.com", p.now); err != nil {
				p.t.Fatal(err)
			}
		}()
	}
	return p.person(i, connector.Active)
}

// A directory of the claiming organization that does not know the claimed user yet leaves it alone, run after run; when it
// does, it takes the user on, and what came along stays where the directory says nothing.
func TestClaimedUsersAndTheDirectory(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(acme, _ *connector.Organization) { acme.Packages[0].Seats = connector.Unlimited })
	dir := &people{}
	for i := 2; i <= 30; i++ {
		dir.list = append(dir.list, person(i))
	}
	p.sync(dir, connector.ResultOK)
	c := p.claim(p.person(1, connector.Active, "title", "Chief"))[0]
	for range 3 {
		plan := p.sync(dir, connector.ResultOK)
		counts(t, plan, connector.Counts{Unchanged: 29})
		if s := p.state("u0001"); s != connector.ClaimPending {
			t.Fatal(s)
		}
	}
	dir.list = append(dir.list, person(1, "givenName", "Anna"))
	p.sync(dir, connector.ResultOK)
	u := p.user("u0001")
	if u.ID != c.User || u.State != connector.ClaimPending || u.Profile.Get(connector.GivenName) != "Anna" {
		t.Errorf("%+v", u)
	}
	p.decide(c, connector.ClaimMove, "")
	if u := p.user("u0001"); u.State != connector.Active || u.Profile.Get("title") != "Chief" || u.Profile.Get(connector.GivenName) != "Anna" {
		t.Errorf("%+v", u)
	}
	dir.list[len(dir.list)-1] = person(1, "givenName", "Annie")
	p.sync(dir, connector.ResultOK)
	if u := p.user("u0001"); u.Profile.Get("title") != "Chief" || u.Profile.Get(connector.GivenName) != "Annie" {
		t.Errorf("%+v", u)
	}
	dir.list = dir.list[:len(dir.list)-1]
	p.sync(dir, connector.ResultOK)
	if s := p.state("u0001"); s != connector.Inactive {
		t.Errorf("gone from the directory that knew it: %s", s)
	}
}

// A claim is undone only by claiming back, by an organization that has verified the domain as well; what a third one
// claims takes along what is not decided.
func TestClaimedOnAndBack(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	p.old.verify("example.com")
	c := p.claim(p.person(1, connector.NotVerified, "title", "Chief"))[0]
	back, err := p.claims.Claim(t.Context(), provision.ClaimRequest{Org: "globex", Emails: []string{c.Email}, Actor: "cli:bo"})
	if err != nil || len(back) != 1 || back[0].Claim == nil {
		t.Fatalf("%+v %v", back, err)
	}
	second := back[0].Claim
	if second.Was != connector.NotVerified || second.Data.Get("title") != "Chief" || p.old.state("u0001") != connector.ClaimPending || p.user("u0001") != nil {
		t.Errorf("%+v", second)
	}
	if first, err := p.db.Claim(t.Context(), "acme", c.ID); err != nil || first.Status != connector.ClaimEnded || first.Data != nil {
		t.Errorf("%+v %v", first, err)
	}
	p.decide(second, connector.ClaimMove, "")
	if u := p.old.user("u0001"); u.State != connector.Verified || u.Profile.Get("title") != "Chief" {
		t.Errorf("%+v", u)
	}
}

func TestAskToKeep(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	c := p.claim(p.person(1, connector.Active))[0]
	ask := func(email string) error { return p.claims.AskToKeep(t.Context(), "acme", c.ID, email) }
	for email, want := range map[string]connector.Kind{"": connector.Invalid, "nonsense": connector.Invalid, "U0001@example.com": connector.Invalid} {
		if err := ask(email); connector.KindOf(err) != want || err == nil {
			t.Errorf("%q: %v", email, err)
		}
	}
	if err := ask("ann@private.test"); err != nil {
		t.Fatal(err)
	}
	if err := ask("ann@private.test"); connector.KindOf(err) != connector.Refused {
		t.Errorf("at once again: %v", err)
	}
	for range 4 {
		p.now = p.now.Add(2 * time.Minute)
		if err := ask("ann@private.test"); err != nil {
			t.Fatal(err)
		}
	}
	p.now = p.now.Add(time.Hour)
	if err := ask("ann@private.test"); connector.KindOf(err) != connector.Refused {
		t.Errorf("the sixth: %v", err)
	}
	links, err := p.db.MailLinks(t.Context(), "acme", connector.ClaimKeepLink, c.ID, 10)
	if err != nil || len(links) != 5 || links[0].Email != "ann@private.test" || !links[0].Until.After(p.now) {
		t.Fatalf("%+v %v", links, err)
	}
	x := provision.ClaimDecision{Org: "acme", Claim: c.ID, Choice: connector.ClaimKeep, Email: links[0].Email, Link: links[0].ID, Actor: "person"}
	if _, failures, err := p.claims.DecideClaim(t.Context(), x); err != nil || len(failures) > 0 {
		t.Fatal(failures, err)
	}
	if l, err := p.db.MailLink(t.Context(), "acme", links[0].ID); err != nil || l.UsedAt.IsZero() {
		t.Errorf("%+v %v", l, err)
	}
	if err := ask("other@private.test"); connector.KindOf(err) != connector.Conflict {
		t.Errorf("after the decision: %v", err)
	}
}
