package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
)

const (
	benchPeople = 100_000
	benchChunk  = 1_000
)

func openBench(tb testing.TB) (*store.DB, string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "usherd.db")
	db, err := store.Open(tb.Context(), "sqlite:"+path, store.Options{Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db, path
}

func saveAll(ctx context.Context, tb testing.TB, db *store.DB, changes []*connector.Change) {
	tb.Helper()
	run := connector.NewID(storetest.Start())
	for len(changes) > 0 {
		chunk := changes[:min(benchChunk, len(changes))]
		changes = changes[len(chunk):]
		err := db.Bulk(ctx, func(tx connector.Tx) error {
			errs, err := tx.Save(ctx, chunk, storetest.RunCause(run), storetest.Start())
			for _, e := range errs {
				if e != nil {
					return e
				}
			}
			return err
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func creations(n int) []*connector.Change {
	changes := make([]*connector.Change, n)
	for i := range changes {
		changes[i] = storetest.Create(i, "", storetest.Start())
	}
	return changes
}

func BenchmarkCreate(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		db, _ := openBench(b)
		changes := creations(benchPeople)
		b.StartTimer()
		saveAll(b.Context(), b, db, changes)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchPeople/b.Elapsed().Seconds(), "users/s")
}

func BenchmarkFilled(b *testing.B) {
	db, path := openBench(b)
	changes := creations(benchPeople)
	saveAll(b.Context(), b, db, changes)
	b.Run("LinksNaming", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range db.LinksNaming(b.Context(), storetest.Org, storetest.Source, []string{"user000007"}) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != 1 {
				b.Fatal(n)
			}
		}
	})
	b.Run("LinkStates", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range db.LinkStates(b.Context(), storetest.Org, storetest.Source) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != benchPeople {
				b.Fatal(n)
			}
		}
		b.ReportMetric(float64(b.N)*benchPeople/b.Elapsed().Seconds(), "links/s")
	})
	users := make([]*connector.User, len(changes))
	ids := make([]connector.ID, len(changes))
	for i, c := range changes {
		users[i], ids[i] = c.After, c.After.ID
	}
	b.Run("Update", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			for i, u := range users {
				changes[i] = storetest.Next(connector.Updated, u, storetest.Start(), func(u *connector.User) {
					u.Profile.Set("title", time.Now().String())
				})
				users[i] = changes[i].After
			}
			b.StartTimer()
			saveAll(b.Context(), b, db, changes)
		}
		b.ReportMetric(float64(b.N)*benchPeople/b.Elapsed().Seconds(), "users/s")
	})
	b.Run("UsersByID", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			from := n * 1000 % benchPeople
			if got, err := db.Users(b.Context(), storetest.Org, ids[from:from+1000]); err != nil || len(got) != 1000 {
				b.Fatal(len(got), err)
			}
		}
		b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "users/s")
	})
	b.Run("UserByKey", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			key := []connector.UserKey{{Kind: connector.UserName, Value: connector.Fold(users[n*7919%benchPeople].UserName())}}
			if got, err := db.UsersByKey(b.Context(), storetest.Org, key); err != nil || len(got) != 1 {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("ListUsers", func(b *testing.B) {
		q := connector.UserQuery{Org: storetest.Org, Limit: 100}
		for b.Loop() {
			got, next, err := db.ListUsers(b.Context(), q)
			if err != nil || len(got) == 0 {
				b.Fatal(len(got), err)
			}
			q.After = next
		}
	})
	b.Run("Search", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			q := connector.UserQuery{Org: storetest.Org, Limit: 100, Search: "given" + strconv.Itoa(n%900)}
			if got, _, err := db.ListUsers(b.Context(), q); err != nil || len(got) == 0 {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("Verify", func(b *testing.B) {
		for b.Loop() {
			if faults, err := db.Verify(b.Context()); err != nil || len(faults) > 0 {
				b.Fatal(faults, err)
			}
		}
		b.ReportMetric(float64(b.N)*benchPeople/b.Elapsed().Seconds(), "users/s")
	})
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			again, err := store.Open(b.Context(), "sqlite:"+path, store.Options{Now: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			if err := again.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWrite is one durable change of one person after another, from 1 and from 32 clients.
func BenchmarkWrite(b *testing.B) {
	for _, clients := range []int{1, 32} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) {
			db, _ := openBench(b)
			var next atomic.Int64
			b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c := storetest.Create(int(next.Add(1)), "", storetest.Start())
					err := db.Write(b.Context(), func(tx connector.Tx) error {
						errs, err := tx.Save(b.Context(), []*connector.Change{c}, storetest.RunCause(connector.ID{}), storetest.Start())
						return errors.Join(append(errs, err)...)
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}
