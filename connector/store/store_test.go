package store_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
)

// kinds are the stores that every test runs on which is not about one of them.
var kinds = map[string]func(testing.TB) string{"sqlite": newstore.SQLite, "postgres": newstore.Postgres}

// others are where stores are copied to.
var others = map[string]func(testing.TB) string{"sqlite": newstore.Postgres, "postgres": newstore.SQLite}

func open(t *testing.T, path string) *store.DB {
	t.Helper()
	return openURL(t, "sqlite:"+path)
}

// openURL opens a store of that URL, and closes it with the test.
func openURL(tb testing.TB, url string) *store.DB {
	tb.Helper()
	db, err := store.Open(context.WithoutCancel(tb.Context()), url, store.Options{Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// onEach runs a test on each kind of store.
func onEach(t *testing.T, f func(t *testing.T, kind string)) {
	t.Helper()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f(t, kind)
		})
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, kind string) {
		t.Helper()
		storetest.Run(t, func(t *testing.T) storetest.Store {
			t.Helper()
			return copied{openURL(t, kinds[kind](t)), t, others[kind](t), new(sync.Once)}
		})
	})
}

// SQLite is a file that can be copied; a database server has its own ways.
func TestBackupsOfSQLite(t *testing.T) {
	t.Parallel()
	storetest.Backups(t, func(t *testing.T) storetest.Store {
		t.Helper()
		return openURL(t, newstore.SQLite(t))
	})
}

// What conditions find does not depend on the way in which it is looked for.
func TestResourcesByWalking(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, kind string) {
		t.Helper()
		for _, few := range []int{0, 5} {
			t.Run(strconv.Itoa(few), func(t *testing.T) {
				t.Parallel()
				storetest.Resources(t, func(t *testing.T) storetest.Store {
					t.Helper()
					return store.WalkMore(openURL(t, kinds[kind](t)), few)
				})
			})
		}
	})
}
