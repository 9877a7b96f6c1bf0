package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"usherd/connector"
)

// Options are what a store needs beside its URL.
type Options struct {
	Now func() time.Time // for the marks of migrations and the ids of waiting places; must not be nil
	Log *zap.Logger      // nil = silent
}

// DB is an open store. It implements connector.Store and more; all methods are safe for concurrent
// use, and several processes may have the same file open.
type DB struct {
	reader
	path string
	now  func() time.Time
	log  *zap.Logger
	pool *pool
	wdb  *sql.DB
	w    *session // belongs to the writer goroutine

	jobs    chan *job
	quit    chan struct{} // closed by Close
	stopped chan struct{} // closed by the writer when it has ended
	once    sync.Once
	closed  error
}

var (
	_ connector.Store     = (*DB)(nil)
	_ connector.Resources = (*DB)(nil)
	_ connector.Resources = (*tx)(nil)
)

// Open opens the store that a URL names (see Path). A file that does not exist is created for its
// owner alone; its folder must exist. An older schema is brought up to date after a copy of the file
// was put beside it; a newer one is an error of Kind Refused.
func Open(ctx context.Context, storeURL string, o Options) (*DB, error) {
	return open(ctx, storeURL, o, migrations)
}

func open(ctx context.Context, storeURL string, o Options, files fs.FS) (*DB, error) {
	if o.Now == nil {
		return nil, invalid("open", "Options.Now is missing")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	path, err := Path(storeURL)
	if err != nil {
		return nil, err
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	db := &DB{
		path: path, now: o.Now, log: o.Log, jobs: make(chan *job, 256),
		quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := db.connect(ctx, files); err != nil {
		return nil, errors.Join(err, db.disconnect())
	}
	go db.writer(context.WithoutCancel(ctx))
	return db, nil
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

// writerCache is the page cache of the writer in KiB: the names and anchors of 100,000 people, which
// come in no order.
const writerCache = 32 << 10

func (db *DB) connect(ctx context.Context, files fs.FS) (err error) {
	db.wdb, err = sql.Open("sqlite", dsn(db.path, fmt.Sprintf("cache_size(-%d)", writerCache), "temp_store(memory)"))
	if err != nil {
		return wrap("open", err)
	}
	db.wdb.SetMaxOpenConns(1)
	conn, err := db.wdb.Conn(ctx)
	if err != nil {
		return openError(db.path, err)
	}
	db.w = newSession(conn)
	db.pragma(ctx, "busy_timeout", beginPause)
	if err := db.migrate(ctx, files); err != nil {
		return err
	}
	readers := max(4, 2*runtime.NumCPU())
	rdb, err := sql.Open("sqlite", dsn(db.path, "query_only(1)"))
	if err != nil {
		return wrap("open", err)
	}
	rdb.SetMaxOpenConns(readers)
	rdb.SetMaxIdleConns(readers)
	db.pool = &pool{db: rdb}
	db.reader = reader{db.pool, fewIDs}
	return nil
}

func (db *DB) disconnect() error {
	var errs []error
	if db.pool != nil {
		errs = append(errs, db.pool.db.Close())
	}
	if db.w != nil {
		errs = append(errs, db.w.close())
	}
	if db.wdb != nil {
		errs = append(errs, db.wdb.Close())
	}
	return errors.Join(errs...)
}

// Close ends the writer after what has been handed to it, and closes the file. Writes that come later
// fail. Calling it again returns what it returned.
func (db *DB) Close() error {
	db.once.Do(func() {
		close(db.quit)
		<-db.stopped
		db.closed = db.disconnect()
	})
	return db.closed
}

func openError(path string, err error) error {
	if r, ok := remedyOf(err); ok {
		return &connector.Error{Kind: r.kind, Op: "store: open " + path, Err: err, Hint: r.hint}
	}
	return &connector.Error{
		Kind: connector.Unavailable, Op: "store: open " + path, Err: err,
		Hint: "the file must be an usherd store on a local disk (not a network share) that the account may write",
	}
}
