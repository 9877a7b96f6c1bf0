package storetest

import (
	"fmt"
	"time"

	"usherd/connector"
)

// claimOf is number n of the claims that Org has made of users of another organization, open until two weeks later.
func (f *fixture) claimOf(n int, org, from string) *connector.Claim {
	f.Helper()
	at := f.now.Add(time.Duration(n) * time.Hour)
	mine, theirs := f.someone(org, fmt.Sprintf("here%d", n)), f.someone(from, fmt.Sprintf("there%d", n))
	c := &connector.Claim{
		ID: connector.NewID(at), Org: org, User: mine, From: from, FromUser: theirs, Email: fmt.Sprintf("Ann%d@Example.com", n), Was: connector.Active,
		Actor: "cli:ann", At: at, Until: at.Add(connector.ClaimTime), NextAt: at.Add(7 * 24 * time.Hour), Status: connector.ClaimOpen,
		Data: connector.Profile{"title": {"Chief"}}, Package: "gold",
	}
	f.putClaim(c)
	return c
}

// someone makes a user of that name.
func (f *fixture) someone(org, name string) connector.ID {
	f.Helper()
	c := Create(1, "", f.now)
	u := c.After
	u.Org, u.Profile = org, connector.Profile{connector.UserName: {name}}
	c.Org, c.Source, c.Anchor, c.Link, c.Fields = org, "", connector.Anchor{}, nil, connector.Diff(nil, u)
	f.save(c)
	return u.ID
}

func (f *fixture) putClaim(c *connector.Claim) {
	f.Helper()
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutClaim(f.ctx, c) }))
}

// claimsOfUsers: claims are read back by organization on either side, come due, and hold an address as long as the user lives.
func claimsOfUsers(f *fixture) {
	f.kind(f.s.Write(f.ctx, func(tx connector.Tx) error {
		return tx.PutClaim(f.ctx, &connector.Claim{ID: connector.ID{1}, Org: Org, From: Org})
	}), connector.Invalid)
	a, b, other := f.claimOf(1, Org, "old"), f.claimOf(2, Org, "old"), f.claimOf(3, "old", Org)
	got, err := f.s.Claim(f.ctx, Org, a.ID)
	f.ok(err)
	f.equal(got, a)
	_, err = f.s.Claim(f.ctx, "old", a.ID)
	f.kind(err, connector.NotFound)
	list := func(q connector.ClaimQuery, want ...connector.Claim) {
		f.Helper()
		got, err := f.s.Claims(f.ctx, q)
		f.ok(err)
		f.equal(got, want)
	}
	list(connector.ClaimQuery{Org: Org}, *b, *a)
	list(connector.ClaimQuery{Org: Org, Limit: 1}, *b)
	list(connector.ClaimQuery{Org: Org, Before: b.ID}, *a)
	list(connector.ClaimQuery{Org: Org, Lost: true}, *other)
	list(connector.ClaimQuery{Org: "old", Lost: true, Status: connector.ClaimOpen}, *b, *a)
	due := func(at time.Time, want ...connector.Claim) {
		f.Helper()
		got, err := f.s.ClaimsDue(f.ctx, Org, at, 10)
		f.ok(err)
		f.equal(got, want)
	}
	due(a.NextAt.Add(-time.Microsecond))
	due(b.NextAt, *a, *b)
	b.Status, b.Choice, b.DecidedAt, b.DecidedBy, b.NextAt, b.Data = connector.ClaimDecided, connector.ClaimKeep, b.At, "person", time.Time{}, nil
	b.Kept, b.KeptEmail, b.Package = connector.ID{7}, "ann@private.example", ""
	f.putClaim(b)
	due(b.Until, *a)
	list(connector.ClaimQuery{Org: Org, Status: connector.ClaimDecided}, *b)
	open, err := f.s.OpenClaimOf(f.ctx, Org, a.User)
	f.ok(err)
	f.equal(open, a)
	if none, err := f.s.OpenClaimOf(f.ctx, Org, b.User); err != nil || none != nil {
		f.Errorf("%+v %v", none, err)
	}
	taken := func(want map[string]string) {
		f.Helper()
		got, err := f.s.TakenOver(f.ctx, "old", []string{"ann1@example.com", "ann2@example.com", "ann3@example.com"})
		f.ok(err)
		f.equal(got, want)
	}
	taken(map[string]string{"ann1@example.com": Org, "ann2@example.com": Org})
	u := f.user(a.User)
	f.save(Next(connector.Removed, u, f.now, setState(connector.Deleted)))
	taken(map[string]string{"ann2@example.com": Org})
}

// othersOnDomains: whatever the size of a page, all of the organizations that are asked for come once, by domain.
func othersOnDomains(f *fixture) {
	want := map[string]bool{}
	for i, email := range []string{
		"a@example.com", "b@sub.example.com", "c@deep.sub.Example.com", "d@example.org", "e@notexample.com", "f@example.com.br", "g@xn--bcher-kva.example", "h@bücher.example",
	} {
		for _, org := range []string{"one", "two", "three"} {
			c := Create(i, "", f.now)
			c.Org, c.Source, c.Anchor, c.Link = org, "", connector.Anchor{}, nil
			c.After.Org, c.After.Profile = org, connector.Profile{connector.UserName: {email}, connector.Email: {email}}
			c.Fields = connector.Diff(nil, c.After)
			f.save(c)
			if org != "two" && i != 3 && i != 4 && i != 5 {
				want[c.After.ID.String()] = true
			}
		}
	}
	for limit := 1; limit < 5; limit++ {
		got := map[string]bool{}
		for q := (connector.DomainQuery{Orgs: []string{"three", "one", Org}, Domains: []string{"example.com", "bücher.example"}, Limit: limit}); ; {
			users, next, err := f.s.UsersOnDomains(f.ctx, q)
			f.ok(err)
			if len(users) > limit {
				f.Fatalf("%d users on a page of %d", len(users), limit)
			}
			for _, u := range users {
				if got[u.ID.String()] {
					f.Errorf("%s came twice", u.UserName())
				}
				got[u.ID.String()] = true
			}
			if q.After = next; next == "" {
				break
			}
		}
		f.equal(got, want)
	}
	_, _, err := f.s.UsersOnDomains(f.ctx, connector.DomainQuery{Orgs: []string{"one"}, After: "nonsense"})
	f.kind(err, connector.Invalid)
	if users, next, err := f.s.UsersOnDomains(f.ctx, connector.DomainQuery{Orgs: []string{"one"}}); err != nil || next != "" || len(users) != 0 {
		f.Errorf("without a domain: %d users, %v", len(users), err)
	}
}
