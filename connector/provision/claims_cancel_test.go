package provision_test

import (
	"fmt"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// without leaves the claimer out of the configuration.
func (p *pair) without() { p.claims = provision.NewClaims(p.db, p.old.prov) }

// An open claim of an organization that is not configured any more ends as if it had not been.
func TestClaimOfAnOrganizationThatIsGone(t *testing.T) {
	t.Parallel()
	for _, was := range []connector.State{connector.NotVerified, connector.Verified, connector.Active} {
		for _, away := range []bool{false, true} { // deactivated where it went
			t.Run(fmt.Sprintf("%s, away %v", was, away), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, nil)
				u := p.person(1, was, "title", "Chief")
				p.must(p.old.prov.SetPackage(t.Context(), provision.Command{User: u.ID, Actor: "admin"}, "gold", false))
				if err := p.db.ClaimDomain(t.Context(), "acme", "example.com", p.now); err != nil {
					t.Fatal(err)
				}
				c := p.claim(p.old.user("u0001"))[0]
				if away {
					p.must(p.prov.Deactivate(t.Context(), command(p.world, "u0001")))
				}
				p.without()
				if done := p.expire(); done != (provision.ClaimsDone{Cancelled: 1}) {
					t.Fatalf("%+v", done)
				}
				p.hasItBack(c, was)
				if done := p.expire(); done != (provision.ClaimsDone{}) {
					t.Errorf("again: %+v", done)
				}
				if err := p.db.ReleaseDomain(t.Context(), "acme", "example.com"); err != nil {
					t.Fatal(err)
				}
				p.old.submit("idp", pushed(1, "e1", u.ID, "title", "Boss"))
				if again := p.old.user("u0001"); again.Profile.Get("title") != "Boss" || len(p.old.picture()) != 1 {
					t.Errorf("the client does not have the person any more: %+v", again)
				}
				p.sound()
			})
		}
	}
}

// hasItBack checks the account after its claim was cancelled.
func (p *pair) hasItBack(c *connector.Claim, was connector.State) {
	p.t.Helper()
	back, went := p.old.user("u0001"), p.byID(c.User)
	if back == nil || back.State != was || back.Profile.Get("title") != "Chief" || back.Profile.Get(connector.Email) != c.Email || back.Package != "gold" {
		p.t.Fatalf("%+v", back)
	}
	if went.State.Live() || len(p.picture()) != 0 || p.used("standard") != 0 || p.old.used("gold") != 1 {
		p.t.Errorf("where it went: %+v, seats %d and %d", went, p.used("standard"), p.old.used("gold"))
	}
	end, err := p.db.Claim(p.t.Context(), "acme", c.ID)
	if err != nil || end.Status != connector.ClaimCancelled || end.Data != nil || end.Kept != back.ID || !end.DecidedAt.Equal(p.now) || end.Choice != "" {
		p.t.Errorf("%+v %v", end, err)
	}
	mails, err := p.db.Mails(p.t.Context(), connector.MailQuery{Org: "globex", To: c.Email, Limit: 10})
	n := 0
	for _, m := range mails {
		if m.Kind == connector.ClaimCancelledMail && m.Values["old"] == "acme" {
			n++
		}
	}
	if err != nil || n != 1 {
		p.t.Errorf("%+v %v", mails, err)
	}
}

// Whose seat or name is gone where the account was waits, with nothing changed, until it can be given back.
func TestClaimThatCannotBeCancelledYet(t *testing.T) {
	t.Parallel()
	for _, why := range []string{"seat", "name"} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, func(_, globex *connector.Organization) { globex.Packages[0].Seats = 1 })
			c := p.claim(p.person(1, connector.Active))[0]
			other := 2
			if why == "name" {
				other = 1
			}
			p.old.submit("idp", pushed(other, "other", connector.NewID(p.now), "mail", "other@elsewhere.test"))
			p.without()
			before := fmt.Sprint(p.picture(), p.old.picture())
			for range 2 {
				if done := p.expire(); done != (provision.ClaimsDone{Blocked: 1}) || fmt.Sprint(p.picture(), p.old.picture()) != before {
					t.Fatalf("%+v", done)
				}
			}
			p.must(p.old.prov.Deactivate(t.Context(), command(p.old, fmt.Sprintf("u%04d", other))))
			if why == "name" {
				p.must(p.old.prov.Delete(t.Context(), command(p.old, "u0001")))
			}
			p.now = c.Until.Add(time.Hour) // however late that is
			p.old.now = p.now
			if done := p.expire(); done != (provision.ClaimsDone{Cancelled: 1}) || p.old.user("u0001") == nil {
				t.Errorf("%+v", done)
			}
		})
	}
}

// What is decided already stays so when the claimer goes.
func TestClaimThatIsOverIsNotCancelled(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	decided, deleted := p.claim(p.person(1, connector.Active))[0], p.claim(p.person(2, connector.Active))[0]
	p.decide(decided, connector.ClaimMove, "")
	p.must(p.prov.Deactivate(t.Context(), command(p.world, "u0002")))
	p.must(p.prov.Delete(t.Context(), command(p.world, "u0002")))
	p.without()
	if done := p.expire(); done != (provision.ClaimsDone{}) || len(p.old.picture()) != 0 || p.user("u0001") == nil {
		t.Errorf("%+v", done)
	}
	if c, err := p.db.Claim(t.Context(), "acme", deleted.ID); err != nil || c.Status != connector.ClaimEnded {
		t.Errorf("%+v %v", c, err)
	}
}
