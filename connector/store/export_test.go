package store

import (
	"context"
	"errors"
	"time"

	"modernc.org/sqlite"
)

// WalkMore has conditions walk all rows from so few ids on.
func WalkMore(db *DB, few int) *DB {
	db.few = few
	return db
}

// SetPatience has a database of PostgreSQL that is away be waited for so long.
func SetPatience(db *DB, d time.Duration) {
	e := db.engine.(*pgEngine)
	e.away.patience, e.gone.patience = d, d
}

// OneReader has everything that is read outside of transactions come by one connection.
func OneReader(db *DB) {
	db.pool.db.SetMaxOpenConns(1)
	db.q = db.pool
}

// Work is what SQLite has done so far.
type Work struct {
	Pages int64 // that were looked at, in memory or not, by the writer and by OneReader
	Rows  int   // that were inserted, changed or deleted
}

// Sub is what was done since an earlier moment.
func (w Work) Sub(o Work) Work { return Work{w.Pages - o.Pages, w.Rows - o.Rows} }

// WorkDone counts, which itself looks at the same few pages each time.
func WorkDone(ctx context.Context, db *DB) (w Work, err error) {
	looked := func(dc any) error {
		for _, op := range [...]sqlite.DBStatusOp{sqlite.DBStatusCacheHit, sqlite.DBStatusCacheMiss} {
			n, _, err := dc.(sqlite.DBStatus).Status(op, false)
			if err != nil {
				return err
			}
			w.Pages += int64(n)
		}
		return nil
	}
	reader, err := db.pool.db.Conn(ctx)
	if err == nil {
		err = errors.Join(reader.Raw(looked), reader.Close())
	}
	if err != nil {
		return w, err
	}
	return w, db.write(ctx, func(t *tx) error {
		if w.Rows, err = count(ctx, t.q, "SELECT total_changes()"); err != nil {
			return err
		}
		return t.s.conn.Raw(looked)
	})
}
