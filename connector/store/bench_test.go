package store_test

import (
	"context"
	"path/filepath"
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

func openBench(b *testing.B) *store.DB {
	b.Helper()
	db, err := store.Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "usherd.db"), store.Options{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

func saveAll(ctx context.Context, b *testing.B, db *store.DB, changes []*connector.Change) {
	b.Helper()
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
			b.Fatal(err)
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
		db, changes := openBench(b), creations(benchPeople)
		b.StartTimer()
		saveAll(b.Context(), b, db, changes)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchPeople/b.Elapsed().Seconds(), "users/s")
}

func BenchmarkFilled(b *testing.B) {
	db, changes := openBench(b), creations(benchPeople)
	saveAll(b.Context(), b, db, changes)
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
}
