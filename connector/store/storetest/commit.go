package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"usherd/connector"
)

// sharedCommit has many wait for one writer, so that they share a commit: those who take seats, give them back, fail
// before or after they have written, wait for a seat, change a package or add a domain. Each sees in its transaction
// what all before it have done, and at the end it is as if they had come one by one.
func sharedCommit(f *fixture) {
	const clients, rounds = 24, 6
	seed := rand.Uint64() //nolint:gosec // a test
	f.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
	f.packages(connector.Package{ID: "gold", Seats: 20}, connector.Package{ID: "tin", Seats: connector.Unlimited})
	s := &sharers{fixture: f, bad: errors.New("bad")}
	for round := range rounds {
		inside, leave := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := f.s.Write(f.ctx, func(connector.Tx) error { close(inside); <-leave; return nil }); err != nil {
				f.Error(err)
			}
		})
		<-inside
		for client := range clients {
			n, what := round*clients+client, rnd.IntN(10)
			wg.Go(func() { s.one(n, what) })
		}
		close(leave)
		wg.Wait()
		if f.Failed() {
			return
		}
		f.equal(f.seats("gold").Used, int(s.given.Load()))
		f.equal(f.seats("gold").Waiting, int(s.waiting.Load()))
		counts, err := f.s.CountUsers(f.ctx, Org)
		f.ok(err)
		f.equal(counts[connector.Active], int(s.active.Load()))
		domains, err := f.s.Domains(f.ctx, Org)
		f.ok(err)
		f.equal(len(domains), int(s.domains.Load()))
		f.verify()
	}
}

// sharers count what the writes should come to.
type sharers struct {
	*fixture
	bad                             error
	given, waiting, active, domains atomic.Int64
}

// one is one client.
func (s *sharers) one(n, what int) {
	var err error
	switch what {
	case 0:
		err = s.s.SetPackages(s.ctx, Org, []connector.Package{{ID: "gold", Seats: 20 + n%3}, {ID: "tin", Seats: connector.Unlimited}})
	case 1:
		err = s.s.AddDomain(s.ctx, connector.Domain{Org: Org, Name: fmt.Sprintf("d%d.example", n), Token: "t", AddedAt: s.now})
		s.domains.Add(1)
	default:
		var done func()
		if err = s.s.Write(s.ctx, func(tx connector.Tx) (err error) {
			done, err = s.write(tx, n, what)
			return err
		}); err == nil {
			done()
		}
		if errors.Is(err, s.bad) && (what == 2 || what == 3) {
			err = nil
		}
	}
	if err != nil {
		s.Errorf("client %d: %v", n, err)
	}
}

// write is what it does in a transaction; what is returned is to be called when that is durable.
func (s *sharers) write(tx connector.Tx, n, what int) (done func(), err error) {
	if what == 2 {
		return nil, s.bad
	}
	pkg := "gold"
	if what > 7 {
		pkg = "tin"
	}
	before, err := s.stand(tx, pkg)
	if err != nil {
		return nil, err
	}
	c := Create(n, pkg, s.now)
	errs, err := tx.Save(s.ctx, []*connector.Change{c}, RunCause(s.run), s.now)
	if err != nil {
		return nil, err
	}
	want, active, done := before, 1, func() { s.active.Add(1) }
	switch full := pkg == "gold" && before.free == 0; {
	case full != errors.Is(errs[0], connector.ErrNoSeat):
		return nil, fmt.Errorf("%d seats are free, and the answer is %w", before.free, errs[0])
	case full:
		if errs, err = tx.Save(s.ctx, []*connector.Change{Fail(n, connector.NoSeat)}, RunCause(s.run), s.now); err != nil || errs[0] != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		want.waiting, active, done = want.waiting+1, 0, func() { s.waiting.Add(1) }
	case what == 4: // gives it back at once
		if errs, err = tx.Save(s.ctx, []*connector.Change{Deactivate(c.After, s.now)}, RunCause(s.run), s.now); err != nil || errs[0] != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		active, done = 0, func() {}
	default:
		if want.used++; pkg == "gold" {
			want.free--
			done = func() { s.active.Add(1); s.given.Add(1) }
		}
	}
	after, err := s.stand(tx, pkg)
	if want.active += active; err == nil && after != want {
		err = fmt.Errorf("it stands at %+v, not at %+v", after, want)
	}
	if what == 3 {
		err = errors.Join(err, s.bad)
	}
	return done, err
}

// stand is how the counters stand in a transaction.
type stand struct{ used, free, waiting, active int }

func (s *sharers) stand(tx connector.Tx, pkg string) (at stand, err error) {
	seats, err := tx.Seats(s.ctx, Org)
	for _, p := range seats {
		if p.Package == pkg {
			if at = (stand{used: p.Used, waiting: p.Waiting}); p.Seats != connector.Unlimited {
				at.free = p.Free()
			}
		}
	}
	if err != nil {
		return at, err
	}
	at.active, err = tx.CountResources(s.ctx, connector.UserResource, connector.ResourceQuery{
		Org: Org, Client: Source, Where: &connector.Condition{Op: connector.OpEq, Field: connector.OnState, Value: string(connector.Active)},
	})
	return at, err
}

// knownDomains asks for domains twice in a transaction: what another job of the same commit has done in between is seen.
func knownDomains(f *fixture) {
	ask := func() (names []string) {
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error {
			for range 2 {
				list, err := tx.DomainsByName(f.ctx, []string{"a.example", "b.example", "a.example"})
				if err != nil {
					return err
				}
				names = nil
				for _, d := range list {
					names = append(names, d.Name+" of "+d.Org)
				}
			}
			return nil
		}))
		return names
	}
	f.equal(len(ask()), 0)
	f.ok(f.s.AddDomain(f.ctx, connector.Domain{Org: Org, Name: "a.example", Token: "t", AddedAt: f.now}))
	f.ok(f.s.AddDomain(f.ctx, connector.Domain{Org: "other", Name: "a.example", Token: "t", AddedAt: f.now}))
	f.equal(len(ask()), 2)
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = f.s.Write(context.WithoutCancel(f.ctx), func(connector.Tx) error { close(inside); <-leave; return nil })
	})
	<-inside
	for range 8 {
		wg.Go(func() { ask() })
	}
	wg.Go(func() {
		if err := f.s.RemoveDomain(f.ctx, Org, "a.example"); err != nil {
			f.Error(err)
			return
		}
		if got := ask(); len(got) != 1 || got[0] != "a.example of other" {
			f.Errorf("after the domain was removed: %q", got)
		}
	})
	close(leave)
	wg.Wait()
}
