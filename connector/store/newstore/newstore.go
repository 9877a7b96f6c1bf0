// Package newstore gives tests of other packages an empty store of their own, quickly.
package newstore

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"usherd/connector/store"
)

// URL returns the URL of an empty SQLite store in a folder of its own. Its schema is made once in a process and copied:
// with the race detector, making it takes longer than most tests.
func URL(tb testing.TB) string {
	tb.Helper()
	empty, err := emptyStore()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "usherd.db")
	if err := os.WriteFile(path, empty, 0o600); err != nil {
		tb.Fatal(err)
	}
	return "sqlite:" + path
}

// made is when the schema says that it was made.
var made = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var emptyStore = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "usherd-store")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system's temporary folder
	path := filepath.Join(dir, "usherd.db")
	db, err := store.Open(context.Background(), "sqlite:"+path, store.Options{Now: func() time.Time { return made }})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil { // what stands in the log is in the file then
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // our own
})
