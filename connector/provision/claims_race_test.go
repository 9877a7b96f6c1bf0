package provision_test

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"usherd/connector"
	"usherd/connector/provision"
)

// Two organizations claim the same people at the same moment: each person moves once.
func TestTwoClaimTheSamePeople(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(acme, _ *connector.Organization) { acme.Packages[0].Seats = connector.Unlimited })
	third := p.beside(neighbour("third"))
	third.verify("example.com")
	p.claims = provision.NewClaims(p.db, p.prov, p.old.prov, third.prov)
	var ids []connector.ID
	for i := range 20 {
		ids = append(ids, p.person(i+1, connector.Active).ID)
	}
	var g errgroup.Group
	won := make([]map[connector.ID]bool, 8)
	for i := range won {
		won[i] = map[connector.ID]bool{}
		g.Go(func() error {
			req := provision.ClaimRequest{Org: [...]string{"acme", "third"}[i%2], Users: ids, Actor: "test"}
			list, err := p.claims.Claim(context.Background(), req)
			for _, r := range list {
				if r.Claim != nil {
					won[i][r.Claim.FromUser] = true
				} else if r.Failures[0].Reason != connector.NobodyToClaim {
					t.Errorf("%+v", r.Failures)
				}
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		n := 0
		for _, w := range won {
			if w[id] {
				n++
			}
		}
		if n != 1 || p.old.byID(id).State != connector.ConvertedAway || len(p.old.since(id, 2)) != 1 {
			t.Errorf("%s was taken over %d times", id, n)
		}
	}
	if n := len(p.picture()) + len(third.picture()); n != len(ids) {
		t.Errorf("%d users of %d", n, len(ids))
	}
}

// A claim beside runs and deactivations of both sides, beside the client that pushes the people, and beside two who do what is
// due: whoever comes first, the person is in one place, and the store holds together.
func TestClaimsBesideEverythingElse(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(acme, _ *connector.Organization) { acme.Packages[0].Seats = connector.Unlimited })
	const n = 24
	dir := &people{}
	var ids []connector.ID
	for i := 1; i <= n; i++ {
		ids = append(ids, p.person(i, connector.Active).ID)
		if i%2 == 0 { // these come by the directory of the claimer, too
			dir.list = append(dir.list, person(i))
		}
	}
	for i := 100; i < 140; i++ {
		dir.list = append(dir.list, person(i))
	}
	ctx := context.Background()
	var g errgroup.Group
	g.Go(func() error {
		_, err := p.claims.Claim(ctx, provision.ClaimRequest{Org: "acme", Users: ids, Actor: "test"})
		return err
	})
	g.Go(func() error {
		plan, err := p.prov.Sync(ctx, provision.SyncRequest{Source: "dir", From: dir, Mode: connector.ModeFull, Actor: "test"})
		if plan != nil {
			_ = plan.Close()
		}
		return err
	})
	g.Go(func() error {
		for i, id := range ids {
			if i%3 != 0 {
				continue
			}
			_, err := p.old.prov.Deactivate(ctx, provision.Command{User: id, Actor: "admin"})
			if err != nil && connector.KindOf(err) != connector.NotFound {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for i := 1; i <= n; i++ {
			_, err := p.old.prov.Submit(ctx, "idp", pushed(i, fmt.Sprintf("e%d", i), ids[i-1], "title", "Chief"), connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		name := fmt.Sprintf("u%04d", i+1)
		there, here := p.old.byID(id), p.user(name)
		switch {
		case there.State == connector.ConvertedAway:
			if here == nil || p.old.user(name) != nil {
				t.Errorf("%s was claimed, and is in acme: %v, in globex: %v", name, here, p.old.user(name))
			}
		case here != nil && (i+1)%2 != 0:
			t.Errorf("%s was not claimed, and is in acme", name)
		}
	}
	p.consistent()
	p.now = p.now.Add(14 * day)
	done := make([]provision.ClaimsDone, 4)
	for i := range done {
		g.Go(func() (err error) { done[i], err = p.claims.ExpireClaims(ctx); return err })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	list, err := p.db.Claims(ctx, connector.ClaimQuery{Org: "acme"})
	expired := 0
	for _, d := range done {
		expired += d.Expired
	}
	if err != nil || expired != len(list) || expired == 0 {
		t.Errorf("%d of %d claims ended by time, %v", expired, len(list), err)
	}
	p.consistent()
}
