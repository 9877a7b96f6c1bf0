package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"usherd/connector"
)

// Restore puts a backup in the place of the store that the URL names. The backup is checked first: it
// must be whole and of a schema that this usherd knows. The store must not be in use: a live lease or
// an open connection of any process is an error of Kind Conflict. The old file stays beside the new
// one under the name that is returned ("" = there was none).
func Restore(ctx context.Context, storeURL, file string) (old string, err error) {
	if isPostgres(storeURL) {
		return "", &connector.Error{
			Kind: connector.Refused, Op: "store: restore", Err: fmt.Errorf("%s is a database of PostgreSQL", ShownURL(storeURL)),
			Hint: "put a dump into an empty database with pg_restore, and name that one in the configuration",
		}
	}
	path, err := Path(storeURL)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".usherd-restore-") // mode 0700
	if err != nil {
		hint := "the account must be able to write the folder of the store"
		if errors.Is(err, fs.ErrNotExist) {
			hint = "create the folder " + filepath.Dir(path)
		}
		return "", &connector.Error{Kind: connector.Unavailable, Op: "store: restore", Err: err, Hint: hint}
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nothing depends on it
	// The copy is what is checked: opening may write, and the backup stays as it is.
	temp := filepath.Join(dir, "copy")
	if err := copyFile(file, temp); err != nil {
		return "", copyError(file, err)
	}
	if err := checkFile(ctx, temp, file); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		if err := settle(ctx, path); err != nil {
			return "", err
		}
		if old, err = freeName(path + ".before-restore"); err != nil {
			return "", err
		}
		if err := os.Rename(path, old); err != nil {
			return "", wrap("restore", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", wrap("restore", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return old, wrap("restore", err)
	}
	return old, wrap("restore", syncDir(filepath.Dir(path)))
}

// copyError tells why the backup could not be copied beside the store.
func copyError(file string, err error) error {
	e := &connector.Error{Kind: connector.Unavailable, Op: "store: restore", Err: err}
	switch r, ok := sqliteRemedy(err); {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Hint = connector.NotFound, "name a file that usherd backup has written, with its folder"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "the account that runs usherd must be able to read " + file
	case ok:
		e.Hint = r.hint
	}
	return e
}

// noBackup is an error about a file that cannot take the place of the store.
func noBackup(format string, args ...any) error {
	return &connector.Error{
		Kind: connector.Invalid, Op: "store: restore", Err: fmt.Errorf(format, args...),
		Hint: "nothing was changed: name a file that usherd backup has written",
	}
}

// openOnly opens a file with one connection and hands it to f.
func openOnly(ctx context.Context, uri string, f func(q connQuerier, conn *sql.Conn) error) (err error) {
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return f(connQuerier{conn}, conn)
}

// checkFile refuses a file that is damaged, no store, or of a newer schema.
func checkFile(ctx context.Context, path, shown string) error {
	known, err := loadMigrations((&sqliteEngine{}).migrations())
	if err != nil {
		return err
	}
	err = openOnly(ctx, fileURI(path)+"?_pragma=journal_mode(delete)", func(q connQuerier, _ *sql.Conn) error {
		faults, err := texts(ctx, q, "PRAGMA integrity_check(10)")
		if err != nil {
			return err
		}
		if len(faults) != 1 || faults[0] != "ok" {
			return noBackup("%s is damaged: %s", shown, strings.Join(faults, "; "))
		}
		n, err := applied(ctx, q, &sqliteEngine{path: shown}, known)
		if err == nil && n == 0 {
			err = noBackup("%s is no usherd store", shown)
		}
		return err
	})
	var domain *connector.Error
	if err != nil && !errors.As(err, &domain) {
		return noBackup("%s cannot be read as a store: %w", shown, err)
	}
	return err
}

// settle makes sure that nobody uses the store, and writes its log back into the file.
func settle(ctx context.Context, path string) error {
	err := openOnly(ctx, fileURI(path)+"?_pragma=busy_timeout(0)", func(q connQuerier, conn *sql.Conn) error {
		has, err := count(ctx, q, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'leases'`)
		if err != nil {
			return err
		}
		if has > 0 {
			held, err := liveLeases(ctx, q)
			if err != nil {
				return err
			}
			if len(held) > 0 {
				return inUse(path, fmt.Errorf("leases are held: %s", strings.Join(held, ", ")))
			}
		}
		// Leaving WAL mode needs the file for oneself: any other connection makes it fail.
		_, err = conn.ExecContext(ctx, "PRAGMA journal_mode = delete")
		return err
	})
	if err == nil {
		return nil
	}
	if isBusy(err) {
		return inUse(path, err)
	}
	if code := primary(err); code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_CORRUPT {
		return &connector.Error{
			Kind: connector.Invalid, Op: "store: restore: " + path + " is there and is no whole store", Err: err,
			Hint: "move it away, together with the files " + path + "-wal and -shm, then restore again",
		}
	}
	return wrap("restore", err)
}

func inUse(path string, err error) error {
	return &connector.Error{
		Kind: connector.Conflict, Op: "store: restore: " + path + " is in use", Err: err,
		Hint: "stop usherd first; a lease that was left behind ends by itself within a minute",
	}
}

// texts returns the first column of a query.
func texts(ctx context.Context, q querier, text string) ([]string, error) {
	rows, err := q.stream(ctx, text)
	return add[string](nil, rows, err, func(r *sql.Rows, v *string) error { return r.Scan(v) })
}
