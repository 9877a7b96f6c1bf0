package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	sqlite3 "modernc.org/sqlite/lib"

	"usherd/connector"
)

func (e *sqliteEngine) backup(ctx context.Context, path string) error {
	// A connection of its own: those that read may write nothing, not even elsewhere.
	return openOnly(ctx, dsn(e.path), func(q connQuerier, _ *sql.Conn) error { return copyInto(ctx, q, path) })
}

// copyInto copies the database into a new file.
func copyInto(ctx context.Context, q querier, path string) error {
	fail := func(err error) error {
		hint := "nothing was written to " + path
		switch r, _ := sqliteRemedy(err); {
		case r == sqliteRemedies[sqlite3.SQLITE_FULL]:
			hint += ": make room on that disk, or name a file on another one"
		case r == sqliteRemedies[sqlite3.SQLITE_CORRUPT]:
			hint = r.hint
		case errors.Is(err, fs.ErrNotExist):
			hint += ": create the folder " + filepath.Dir(path)
		}
		return &connector.Error{Kind: connector.Unavailable, Op: "store: backup", Err: err, Hint: hint}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = invalid("backup", "%s exists: choose another name or remove it", path)
		}
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".usherd-backup-") // mode 0700
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nothing depends on it
	temp := filepath.Join(dir, "copy")
	err = drain(q.stream(ctx, "VACUUM INTO ?", temp))
	if err == nil {
		err = os.Chmod(temp, 0o600)
	}
	if err == nil {
		err = syncFile(temp)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the caller's own file
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir makes a rename last; Windows has no such thing and needs none.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path) //nolint:gosec // the folder of the caller's own file
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// freeName returns name, or name with a number behind it, that no file has.
func freeName(name string) (string, error) {
	for i := range 1000 {
		try := name
		if i > 0 {
			try = fmt.Sprintf("%s.%d", name, i)
		}
		if _, err := os.Lstat(try); errors.Is(err, fs.ErrNotExist) {
			return try, nil
		}
	}
	return "", invalid("copy", "there are a thousand copies %s already: remove some", name)
}

// copyFile copies a file into a new one for its owner alone.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from) //nolint:gosec // the caller's own file
	if err != nil {
		return err
	}
	defer in.Close()                                                      //nolint:errcheck // only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the caller's own file
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}
