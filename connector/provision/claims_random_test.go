package provision_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// Any mixture of what can happen to claimed people keeps what must hold; the store is verified after it.
func TestRandomClaims(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	p := newPair(t, func(acme, _ *connector.Organization) { acme.Packages[0].Seats = 8 })
	p.old.verify("sub.example.com")
	sides := map[string]*world{"acme": p.world, "globex": p.old}
	for range 400 {
		i := r.IntN(12)
		name, side := fmt.Sprintf("u%04d", i), [...]string{"acme", "globex"}[r.IntN(2)]
		w := sides[side]
		u := w.user(name)
		var err error
		switch r.IntN(8) {
		case 0, 1:
			p.old.submit("idp", pushed(i, fmt.Sprintf("e%d", i), connector.NewID(p.now), "mail", fmt.Sprintf("u%04d@%s", i, [...]string{"example.com", "sub.example.com"}[i%2])))
		case 2, 3:
			if u != nil {
				to := "acme"
				if side == "acme" {
					to = "globex"
				}
				_, err = p.claims.Claim(t.Context(), provision.ClaimRequest{Org: to, Users: []connector.ID{u.ID}, Actor: "test"})
			}
		case 4:
			if u != nil {
				if c, e := p.db.OpenClaimOf(t.Context(), side, u.ID); e == nil && c != nil {
					x := provision.ClaimDecision{Org: side, Claim: c.ID, Choice: connector.ClaimChoices()[r.IntN(3)]}
					if x.Choice == connector.ClaimKeep {
						x.Email = fmt.Sprintf("k%d@private.test", r.IntN(100))
					}
					_, _, err = p.claims.DecideClaim(t.Context(), x)
				}
			}
		case 5:
			if u != nil {
				_, err = w.prov.Deactivate(t.Context(), provision.Command{User: u.ID, Actor: "admin"})
			}
		case 6:
			if u != nil {
				_, err = w.prov.Reactivate(t.Context(), provision.Command{User: u.ID, Actor: "admin"})
			}
		case 7:
			p.now = p.now.Add(time.Duration(r.IntN(5*24)) * time.Hour)
			p.old.now = p.now
			p.expire()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p.consistent()
}

// consistent checks that open claims and the users who wait for them are the same.
func (p *pair) consistent() {
	p.t.Helper()
	for _, w := range []*world{p.world, p.old} {
		waiting := map[connector.ID]bool{}
		for id, u := range w.everybody() {
			waits := u.State == connector.ClaimPending || u.State == connector.Inactive && u.Resume == connector.ClaimPending
			if waits {
				waiting[id] = true
			}
			if waits != (u.Was != "") {
				p.t.Errorf("%s of %s is %s and was %q", u.UserName(), w.org.ID, u.State, u.Was)
			}
		}
		list, err := p.db.Claims(p.t.Context(), connector.ClaimQuery{Org: w.org.ID, Status: connector.ClaimOpen})
		if err != nil {
			p.t.Fatal(err)
		}
		for _, c := range list {
			if !waiting[c.User] {
				p.t.Errorf("claim %s of %s is open, and its user does not wait for it", c.ID, w.org.ID)
			}
			delete(waiting, c.User)
		}
		if len(waiting) > 0 {
			p.t.Errorf("%d users of %s wait for claims that are not open", len(waiting), w.org.ID)
		}
	}
}
