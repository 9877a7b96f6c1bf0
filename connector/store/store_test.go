package store_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"usherd/connector/store"
	"usherd/connector/store/storetest"
)

func open(t *testing.T, path string) *store.DB {
	t.Helper()
	return openURL(t, "sqlite:"+path)
}

func openURL(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store {
		t.Helper()
		return copied{open(t, filepath.Join(t.TempDir(), "usherd.db")), t, new(sync.Once)}
	})
}

// What conditions find does not depend on the way in which it is looked for.
func TestResourcesByWalking(t *testing.T) {
	t.Parallel()
	for _, few := range []int{0, 5} {
		storetest.Resources(t, func(t *testing.T) storetest.Store {
			t.Helper()
			return store.WalkMore(open(t, filepath.Join(t.TempDir(), "usherd.db")), few)
		})
	}
}
