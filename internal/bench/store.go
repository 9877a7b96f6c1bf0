package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
	"usherd/internal/testpg"
)

const (
	storePeople = 20_000      // that are there before anything is measured
	storePhase  = time.Second // of one number of clients
	storeChunk  = 1000        // users that are written together
	hotClients  = 32
	hotSeats    = 500 // of the package that all of them want
	hotPackage  = "hot"
)

// engine is a database that keeps a store.
type engine struct {
	name string
	url  func(ctx context.Context) (string, error) // of a new, empty store
}

// measureStore measures single durable changes and the last seats of a package, on each engine in turns.
func measureStore(ctx context.Context, b *bench) error {
	engines, end, err := b.engines(ctx)
	if err != nil {
		return err
	}
	defer end()
	b.fill("stores with %d users", storePeople)
	for i := range b.o.rounds {
		b.say("store: round %d of %d", i+1, b.o.rounds)
		for _, e := range engines {
			if err := b.storeRound(ctx, e); err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
		}
	}
	if err := b.storeMillion(ctx, engines); err != nil {
		return err
	}
	b.say("store: one of two replicas is frozen")
	url, err := engines[len(engines)-1].url(ctx)
	if err != nil {
		return err
	}
	return b.failover(ctx, url)
}

// engines starts the databases, last the one that replicas can share; end ends them.
func (b *bench) engines(ctx context.Context) (list []engine, end func(), err error) {
	top, err := os.MkdirTemp("", "usherd-bench-pg-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { _ = os.RemoveAll(top) }
	server, err := startPostgres(ctx, top)
	if err != nil {
		remove()
		return nil, nil, err
	}
	n := 0
	name := func() string { n++; return fmt.Sprint("store", n) }
	return []engine{
		{"sqlite", func(context.Context) (string, error) {
			return "sqlite:" + filepath.ToSlash(filepath.Join(b.dir, name()+".db")), nil
		}},
		{"postgres", func(ctx context.Context) (string, error) {
			database := name()
			_, err := server.SQL(ctx, "postgres", "CREATE DATABASE "+database+" OWNER usherd")
			return server.URLOf(database), err
		}},
	}, func() { server.Close(); remove() }, nil
}

// startPostgres starts a server that keeps what it has said, below a folder that it may walk through: as another user,
// where this is root.
func startPostgres(ctx context.Context, top string) (*testpg.Server, error) {
	if err := os.Chmod(top, 0o755); err != nil { //nolint:gosec // see above
		return nil, err
	}
	return testpg.StartIn(ctx, filepath.Join(top, "server"), testpg.Options{Durable: true})
}

// storeMillion measures a first sync of very many people into each engine, once.
func (b *bench) storeMillion(ctx context.Context, engines []engine) (err error) {
	m, err := b.startMillion(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if _, err := b.usherd(ctx); err != nil {
		return err
	}
	for _, e := range engines {
		b.say("store: first sync of %d people into %s", b.o.million, e.name)
		if m.url, err = e.url(ctx); err != nil {
			return err
		}
		if err := m.configure(); err != nil {
			return err
		}
		first, _, err := b.sync(ctx, m.site, true)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		b.add(figure{name: "store." + e.name + ".million_first_s", unit: "s"}, first.wall.Seconds())
	}
	return nil
}

// storeRound measures one engine once, on a store of its own.
func (b *bench) storeRound(ctx context.Context, e engine) (err error) {
	url, err := e.url(ctx)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, url, store.Options{Now: b.o.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := &stored{db: db, now: b.o.now, users: make([]*connector.User, storePeople)}
	if err := s.fill(ctx); err != nil {
		return err
	}
	name := "store." + e.name
	for _, clients := range []int{1, 8, 32} {
		n, err := s.during(ctx, clients, s.change)
		if err != nil {
			return err
		}
		b.add(figure{name: fmt.Sprintf("%s.change_c%d_per_s", name, clients), unit: "/s"}, n)
	}
	n, err := s.during(ctx, hotClients, s.claim)
	if err != nil {
		return err
	}
	b.add(figure{name: fmt.Sprintf("%s.hot_seat_c%d_per_s", name, hotClients), unit: "/s"}, n)
	return s.noneTooMany(ctx)
}

// stored is a store and who is in it.
type stored struct {
	db      *store.DB
	now     func() time.Time
	users   []*connector.User
	created atomic.Int64
	refused atomic.Int64
}

// fill creates the people who are there before, and the package that everybody wants.
func (s *stored) fill(ctx context.Context) error {
	if err := s.db.SetPackages(ctx, storetest.Org, []connector.Package{{ID: hotPackage, Name: hotPackage, Seats: hotSeats}}); err != nil {
		return err
	}
	s.created.Store(storePeople)
	for from := 0; from < len(s.users); from += storeChunk {
		changes := make([]*connector.Change, 0, storeChunk)
		for n := from; n < min(from+storeChunk, len(s.users)); n++ {
			c := storetest.Create(n, "", s.now())
			s.users[n], changes = c.After, append(changes, c)
		}
		if err := s.db.Bulk(ctx, s.save(ctx, changes...)); err != nil {
			return err
		}
	}
	return nil
}

// save is a transaction that writes changes of which each must succeed.
func (s *stored) save(ctx context.Context, changes ...*connector.Change) func(connector.Tx) error {
	return func(tx connector.Tx) error {
		errs, err := tx.Save(ctx, changes, connector.Cause{Kind: connector.CauseRequest, Actor: "bench"}, s.now())
		return errors.Join(append(errs, err)...)
	}
}

// during has clients do something one after the other for a while, each alone, and returns how often that was in a second.
func (s *stored) during(ctx context.Context, clients int, do func(ctx context.Context, client, turn int) error) (float64, error) {
	errs, done := make([]error, clients), make([]int, clients)
	began := s.now()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for ; errs[c] == nil && s.now().Sub(began) < storePhase; done[c]++ {
				errs[c] = do(ctx, c, done[c])
			}
		})
	}
	wg.Wait()
	n := 0
	for _, d := range done {
		n += d
	}
	return float64(n) / s.now().Sub(began).Seconds(), errors.Join(errs...)
}

// change gives somebody another title. Each client has people of its own.
func (s *stored) change(ctx context.Context, client, turn int) error {
	share := len(s.users) / hotClients
	at := client*share + turn%share
	c := storetest.Next(connector.Updated, s.users[at], s.now(), func(u *connector.User) {
		u.Profile.Set("title", fmt.Sprintf("Engineer %d", u.Version))
	})
	if err := s.db.Write(ctx, s.save(ctx, c)); err != nil {
		return err
	}
	s.users[at] = c.After
	return nil
}

// claim creates somebody who needs a seat of the package that all want. Who gets none is answered too.
func (s *stored) claim(ctx context.Context, _, _ int) error {
	err := s.db.Write(ctx, s.save(ctx, storetest.Create(int(s.created.Add(1)), hotPackage, s.now())))
	if errors.Is(err, connector.ErrNoSeat) {
		s.refused.Add(1)
		return nil
	}
	return err
}

// noneTooMany fails unless exactly the seats that there are were given, and somebody was refused one.
func (s *stored) noneTooMany(ctx context.Context) error {
	seats, err := s.db.Seats(ctx, storetest.Org)
	if err != nil {
		return err
	}
	for _, c := range seats {
		if c.Package == hotPackage && (c.Used > hotSeats || c.Used < hotSeats && s.refused.Load() > 0) {
			return fmt.Errorf("%d of %d seats were given, and %d people refused", c.Used, hotSeats, s.refused.Load())
		}
	}
	return nil
}
