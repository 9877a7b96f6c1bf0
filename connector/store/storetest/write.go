package storetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"usherd/connector"
)

func isolation(f *fixture) {
	a := f.create(1, "")
	b := Create(1, "", f.now) // the same person at another organization: same names, same anchor
	b.Org, b.After.Org, b.Link.Org = "other", "other", "other"
	f.save(b)
	theirs, err := f.s.Users(f.ctx, Org, []connector.ID{a.ID, b.After.ID})
	f.ok(err)
	f.equal(len(theirs), 1)
	links, err := f.s.LinksOfUsers(f.ctx, Org, []connector.ID{a.ID, b.After.ID})
	f.ok(err)
	f.equal(len(links), 1)
	users, err := f.s.UsersByKey(f.ctx, Org, b.After.Keys())
	f.ok(err)
	f.equal(len(users), 1)
	f.equal(users[0].ID, a.ID)
	f.equal(len(collect(f, f.s.LinkStates(f.ctx, "other", Source))), 1)
	f.equal(len(collect(f, f.s.UserEvents(f.ctx, "other", a.ID))), 0)
	list, _, err := f.s.ListUsers(f.ctx, connector.UserQuery{Org: "other"})
	f.ok(err)
	f.equal(len(list), 1)
	counts, err := f.s.CountUsers(f.ctx, "third")
	f.ok(err)
	f.equal(len(counts), 0)
	foreign := Next(connector.Updated, a, f.now, func(u *connector.User) { u.Profile.Set("title", "theirs") })
	foreign.Org = "other"
	f.are(f.try(foreign), connector.ErrMoved)
	_, err = f.s.FindUser(f.ctx, "third", a.ID.String())
	f.kind(err, connector.NotFound)
}

func readsOwnWrites(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 5})
	c := Create(1, "gold", f.now)
	undo := errors.New("undo")
	err := f.s.Write(f.ctx, func(tx connector.Tx) error {
		_, err := tx.Save(f.ctx, []*connector.Change{c}, RunCause(f.run), f.now)
		f.ok(err)
		for s, err := range tx.LinkStates(f.ctx, Org, Source) { // other reads go on while it streams
			f.ok(err)
			users, err := tx.Users(f.ctx, Org, []connector.ID{s.User})
			f.ok(err)
			f.equal(len(users), 1)
			for _, err := range tx.LinkStates(f.ctx, Org, Source) {
				f.ok(err)
			}
		}
		users, err := tx.UsersByKey(f.ctx, Org, c.After.Keys())
		f.ok(err)
		f.equal(len(users), 1)
		seats, err := tx.Seats(f.ctx, Org)
		f.ok(err)
		f.equal(seats[0].Used, 1)
		outside, err := f.s.Users(f.ctx, Org, []connector.ID{c.After.ID})
		f.ok(err)
		f.equal(len(outside), 0)
		return undo
	})
	if !errors.Is(err, undo) {
		f.Fatal(err)
	}
	f.equal(f.seats("gold").Used, 0)
}

func failingNeighbour(f *fixture) {
	const clients = 64
	bad := errors.New("bad")
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		wg.Go(func() {
			errs[i] = f.s.Write(f.ctx, func(tx connector.Tx) error {
				got, err := tx.Save(f.ctx, []*connector.Change{Create(i, "", f.now)}, RunCause(f.run), f.now)
				switch {
				case err != nil:
					return err
				case i%4 == 1:
					return bad
				case i%4 == 2:
					panic("worse")
				}
				return got[0]
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if fails := i%4 == 1 || i%4 == 2; fails != (err != nil) {
			f.Errorf("client %d: %v", i, err)
		}
	}
	f.equal(len(collect(f, f.s.LinkStates(f.ctx, Org, Source))), clients/2)
}

func panicIsError(f *fixture) {
	for _, write := range []func(context.Context, func(connector.Tx) error) error{f.s.Write, f.s.Bulk} {
		err := write(f.ctx, func(tx connector.Tx) error {
			if _, err := tx.Save(f.ctx, []*connector.Change{Create(1, "", f.now)}, RunCause(f.run), f.now); err != nil {
				return err
			}
			panic("boom")
		})
		f.kind(err, connector.Internal)
	}
	f.create(1, "") // nothing of it was there, and the store goes on
}

func errorUndoes(f *fixture) {
	bad := errors.New("bad")
	err := f.s.Bulk(f.ctx, func(tx connector.Tx) error {
		if _, err := tx.Save(f.ctx, []*connector.Change{Create(1, "", f.now), Create(2, "", f.now)}, RunCause(f.run), f.now); err != nil {
			return err
		}
		return bad
	})
	if !errors.Is(err, bad) {
		f.Fatal(err)
	}
	f.equal(len(collect(f, f.s.LinkStates(f.ctx, Org, Source))), 0)
}

// endedContext cancels writes that wait behind one that is at work.
func endedContext(f *fixture) {
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	save := func(n int) func(connector.Tx) error {
		return func(tx connector.Tx) error {
			_, err := tx.Save(f.ctx, []*connector.Change{Create(n, "", f.now)}, RunCause(f.run), f.now)
			return err
		}
	}
	if err := f.s.Write(ended, save(1)); !errors.Is(err, context.Canceled) {
		f.Fatal(err)
	}
	waits, cancel := context.WithCancel(f.ctx)
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f.s.Write(f.ctx, func(tx connector.Tx) error {
			close(inside)
			<-leave
			return save(2)(tx)
		}); err != nil {
			f.Error(err)
		}
	})
	<-inside
	answer := make(chan error)
	go func() { answer <- f.s.Write(waits, save(3)) }()
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		f.Error(err)
	}
	close(leave)
	wg.Wait()
	err := f.s.Write(f.ctx, func(tx connector.Tx) error { // one that ends while it is at work
		if err := save(4)(tx); err != nil {
			return err
		}
		_, err := tx.Users(ended, Org, []connector.ID{f.run})
		return err
	})
	if !errors.Is(err, context.Canceled) {
		f.Fatal(err)
	}
	users, _, err := f.s.ListUsers(f.ctx, connector.UserQuery{Org: Org})
	f.ok(err)
	f.equal(len(users), 1)
	f.equal(users[0].UserName(), "User000002")
}

func backupWhileWriting(f *fixture) {
	path := filepath.Join(f.TempDir(), "backup.db")
	started, stop := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := f.s.Write(f.ctx, func(tx connector.Tx) error {
				_, err := tx.Save(f.ctx, []*connector.Change{Create(n, "", f.now)}, RunCause(f.run), f.now)
				return err
			}); err != nil {
				f.Error(fmt.Errorf("person %d: %w", n, err))
				return
			}
			if n == 20 {
				close(started)
			}
		}
	})
	<-started
	err := f.s.Backup(f.ctx, path)
	close(stop)
	wg.Wait()
	f.ok(err)
	f.kind(f.s.Backup(f.ctx, path), connector.Invalid) // overwrites nothing
}
