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
	"usherd/internal/testpg"
)

// onPostgres is set to "postgres" in the environment where tests are to run on it.
const onPostgres = "USHERD_TEST_STORE"

// URL returns the URL of an empty store of one's own: of SQLite, or with USHERD_TEST_STORE=postgres in the environment
// of PostgreSQL.
func URL(tb testing.TB) string {
	tb.Helper()
	if OnPostgres() {
		return Postgres(tb)
	}
	return SQLite(tb)
}

// OnPostgres reports whether tests are to run on PostgreSQL that can run on both.
func OnPostgres() bool { return os.Getenv(onPostgres) == "postgres" }

// Postgres returns the URL of an empty store in a database of its own, which goes with the test.
func Postgres(tb testing.TB) string {
	tb.Helper()
	if err := emptyDatabase(tb); err != nil {
		tb.Fatal(err)
	}
	return testpg.Clone(tb, template)
}

// template is the database that is copied.
const template = "usherd_empty"

var making sync.Mutex

var isMade bool

// emptyDatabase makes the template once in a process.
func emptyDatabase(tb testing.TB) error {
	tb.Helper()
	making.Lock()
	defer making.Unlock()
	if isMade {
		return nil
	}
	server, ctx := testpg.Shared(tb), context.Background()
	if _, err := server.SQL(ctx, "postgres", "CREATE DATABASE "+template+" OWNER usherd"); err != nil {
		return err
	}
	db, err := store.Open(ctx, server.URLOf(template), store.Options{Now: func() time.Time { return made }})
	if err != nil {
		return err
	}
	isMade = true
	return db.Close()
}

// SQLite returns the URL of an empty SQLite store in a folder of its own. Its schema is made once in a process and copied:
// with the race detector, making it takes longer than most tests.
func SQLite(tb testing.TB) string {
	tb.Helper()
	return SQLiteAt(tb, filepath.Join(tb.TempDir(), "usherd.db"))
}

// SQLiteAt is SQLite with the path of the file, which must not exist yet.
func SQLiteAt(tb testing.TB, path string) string {
	tb.Helper()
	empty, err := emptyStore()
	if err != nil {
		tb.Fatal(err)
	}
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
