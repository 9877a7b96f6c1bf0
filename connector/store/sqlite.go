package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"go.uber.org/zap"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"usherd/connector"
)

// sqliteEngine is a file of SQLite in WAL mode, which several processes may have open.
type sqliteEngine struct {
	path  string
	log   *zap.Logger
	w, r  *sql.DB
	short *sqlitePool // nil before readers are opened
}

func newSQLite(storeURL string, o Options) (*sqliteEngine, error) {
	path, err := Path(storeURL)
	if err != nil {
		return nil, err
	}
	return &sqliteEngine{path: path, log: o.Log}, nil
}

func (e *sqliteEngine) where() string { return e.path }

// writerCache is the page cache of the writer in KiB: the names and anchors of 100,000 people, which
// come in no order.
const writerCache = 32 << 10

func (e *sqliteEngine) connect(ctx context.Context) (_ *session, err error) {
	if err := createFile(e.path); err != nil {
		return nil, err
	}
	e.w, err = sql.Open("sqlite", dsn(e.path, fmt.Sprintf("cache_size(-%d)", writerCache), "temp_store(memory)"))
	if err != nil {
		return nil, wrap("open", err)
	}
	e.w.SetMaxOpenConns(1)
	conn, err := e.w.Conn(ctx)
	if err != nil {
		return nil, e.openError(err)
	}
	s := newSession(conn)
	return s, pragma(ctx, s, "busy_timeout", beginPause)
}

func (e *sqliteEngine) readers(context.Context) (_ *sql.DB, err error) {
	readers := max(4, 2*runtime.NumCPU())
	e.r, err = sql.Open("sqlite", dsn(e.path, "query_only(1)"))
	if err != nil {
		return nil, wrap("open", err)
	}
	e.r.SetMaxOpenConns(readers)
	e.r.SetMaxIdleConns(readers)
	return e.r, nil
}

func (e *sqliteEngine) querier(p *pool) querier {
	e.short = newSQLitePool(p, e.path, shortConns())
	return e.short
}

// shortConns is how many connections are asked past the driver: as many as can be at work, and one that waits for the disk.
func shortConns() int { return runtime.NumCPU() + 1 }

func (e *sqliteEngine) close(_ context.Context, s *session) error {
	var errs []error
	if s != nil {
		errs = append(errs, s.close())
	}
	if e.short != nil {
		errs = append(errs, e.short.close())
	}
	for _, db := range [...]*sql.DB{e.r, e.w} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// createFile makes an empty file that only its owner can read; SQLite gives its companions the
// same mode.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the administrator's own
	if err == nil {
		err = f.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &connector.Error{
			Kind: connector.Unavailable, Op: "store: open", Err: err,
			Hint: "create the folder " + filepath.Dir(path),
		}
	}
	if err != nil {
		return &connector.Error{
			Kind: connector.Unavailable, Op: "store: open", Err: err,
			Hint: "the account that runs usherd must own the file and its folder",
		}
	}
	return nil
}

func (e *sqliteEngine) openError(err error) error {
	if r, ok := sqliteRemedy(err); ok {
		return &connector.Error{Kind: r.kind, Op: "store: open " + e.path, Err: err, Hint: r.hint}
	}
	return &connector.Error{
		Kind: connector.Unavailable, Op: "store: open " + e.path, Err: err,
		Hint: "the file must be an usherd store on a local disk (not a network share) that the account may write",
	}
}

//go:embed migration/sqlite/*.sql
var sqliteFiles embed.FS

func (e *sqliteEngine) migrations() fs.FS {
	sub, err := fs.Sub(sqliteFiles, "migration/sqlite")
	if err != nil {
		panic(err) // it is embedded
	}
	return sub
}

func (e *sqliteEngine) marked() (hasMarks, hasTables string) {
	const tables = `SELECT count(*) FROM sqlite_master WHERE type = 'table'`
	return tables + ` AND name = 'migrations'`, tables
}

func (e *sqliteEngine) size() string {
	return `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
}

func (e *sqliteEngine) createMarks() string {
	return `CREATE TABLE migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL, at INTEGER NOT NULL) STRICT`
}

func (e *sqliteEngine) script(ctx context.Context, s *session, text string) error {
	_, err := s.conn.ExecContext(ctx, text)
	return err
}

// keep puts a copy of the file beside it.
func (e *sqliteEngine) keep(ctx context.Context, s *session, version int) error {
	target, err := freeName(fmt.Sprintf("%s.v%d", e.path, version))
	if err != nil {
		return err
	}
	e.log.Info("copying the store before its schema is migrated", zap.String("copy", target))
	return copyInto(ctx, s, target)
}

const (
	beginPause = 5    // milliseconds that SQLite waits for the lock, asking ever less often
	beginTries = 4000 // times that it is told to: 20 s
)

// begin begins a transaction. SQLite's own waiting asks each tenth of a second in the end, and would
// meet the short gaps between the commits of another process by chance only; asking every few
// milliseconds does.
func (e *sqliteEngine) begin(ctx context.Context, s *session) (err error) {
	for range beginTries {
		if _, err = s.exec(ctx, "BEGIN IMMEDIATE"); err == nil || !isBusy(err) {
			break
		}
	}
	return wrap("begin", busy(err))
}

func (e *sqliteEngine) commit(ctx context.Context, s *session) error {
	_, err := s.exec(ctx, "COMMIT")
	return err
}

func (e *sqliteEngine) spoils(err error) bool { return primary(err) != 0 }

// lost and wait: the file does not go away.
func (e *sqliteEngine) lost(error) error { return nil }

func (e *sqliteEngine) wait(context.Context, int, error) bool { return false }

const (
	bulkCheckpoint   = 64000 // pages of the log before a checkpoint, while a bulk run goes on
	normalCheckpoint = 1000
)

// bulk lets the log grow while chunks come, and writes it back into the file afterwards.
func (e *sqliteEngine) bulk(ctx context.Context, s *session, on bool) error {
	if on {
		return pragma(ctx, s, "wal_autocheckpoint", bulkCheckpoint)
	}
	err := pragma(ctx, s, "wal_autocheckpoint", normalCheckpoint)
	return errors.Join(err, drain(s.stream(ctx, "PRAGMA wal_checkpoint(PASSIVE)")))
}

func pragma(ctx context.Context, s *session, name string, value int) error {
	return drain(s.stream(ctx, fmt.Sprintf("PRAGMA %s = %d", name, value)))
}

func (e *sqliteEngine) faults(ctx context.Context, q querier) ([]string, error) {
	list, err := texts(ctx, q, "PRAGMA quick_check(10)")
	if len(list) == 1 && list[0] == "ok" {
		return nil, err
	}
	return list, err
}
