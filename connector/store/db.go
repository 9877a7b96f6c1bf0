package store

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
)

// Options are what a store needs beside its URL.
type Options struct {
	Now func() time.Time // for the marks of migrations and the ids of waiting places; must not be nil
	Log *zap.Logger      // nil = silent

	Password connector.Secret // for PostgreSQL, in the place of one in the URL or PGPASSFILE
}

// DB is an open store. It implements connector.Store and more; all methods are safe for concurrent
// use, and several processes may have the same file open.
type DB struct {
	reader
	engine engine
	now    func() time.Time
	log    *zap.Logger
	pool   *pool
	w      *session // belongs to the writer goroutine

	jobs    chan *job
	quit    chan struct{}   // closed by Close
	stopped chan struct{}   // closed by the writer when it has ended
	waiting context.Context //nolint:containedctx // ends with Close: a database that is away is not waited for any more
	once    sync.Once

	stopWaiting context.CancelFunc
	disconnect  func() error
	closed      error
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
	return open(ctx, storeURL, o, nil)
}

// open uses other migrations than its own where files is not nil.
func open(ctx context.Context, storeURL string, o Options, files fs.FS) (*DB, error) {
	if o.Now == nil {
		return nil, invalid("open", "Options.Now is missing")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	engine, err := newEngine(storeURL, o)
	if err != nil {
		return nil, err
	}
	db := &DB{
		engine: engine, now: o.Now, log: o.Log, jobs: make(chan *job, 256),
		quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	own := context.WithoutCancel(ctx)
	db.waiting, db.stopWaiting = context.WithCancel(own)
	db.disconnect = func() error { return db.engine.close(own, db.w) }
	if err := db.connect(ctx, files); err != nil {
		db.stopWaiting()
		return nil, errors.Join(err, db.disconnect())
	}
	go db.writer(own)
	return db, nil
}

func (db *DB) connect(ctx context.Context, files fs.FS) (err error) {
	if db.w, err = db.engine.connect(ctx); err != nil {
		return err
	}
	if files == nil {
		files = db.engine.migrations()
	}
	if err := db.migrate(ctx, files); err != nil {
		return err
	}
	readers, err := db.engine.readers(ctx)
	if err != nil {
		return err
	}
	db.pool = &pool{db: readers}
	db.reader = reader{db.engine.querier(db.pool), fewIDs}
	return nil
}

// Close ends the writer after what has been handed to it, and closes the store. Writes that come later
// fail. Calling it again returns what it returned.
func (db *DB) Close() error {
	db.once.Do(func() {
		close(db.quit)
		db.stopWaiting()
		<-db.stopped
		db.closed = db.disconnect()
	})
	return db.closed
}

// Shared reports whether several processes may serve from the store at once, as replicas do on PostgreSQL: what one has seen
// the other may have changed.
func (db *DB) Shared() bool {
	_, ok := db.engine.(*pgEngine)
	return ok
}

// Statements returns how many SQL statements were run, from the beginning of transactions to their ends. What costs one on
// SQLite costs a way to the server and back on another database.
func (db *DB) Statements() int64 { return db.w.asked.Load() + db.pool.asked.Load() }

// Size is how many bytes the database takes.
func (db *DB) Size(ctx context.Context) (int, error) {
	n, err := count(ctx, db.engine.querier(db.pool), db.engine.size())
	return n, wrap("size", err)
}

// Backup writes a consistent copy of the store to a file that must not exist, while others read and
// write. The file is readable by its owner alone and is complete once it is there.
func (db *DB) Backup(ctx context.Context, path string) error { return db.engine.backup(ctx, path) }
