package store

import (
	"context"
	"database/sql"
	"errors"
)

// sqlitePool is a pool with some connections that are asked past driver and database/sql: for one row, these take longer
// than SQLite.
type sqlitePool struct {
	*pool
	path string
	free chan *directConn // a nil is one that is not open yet
	quit chan struct{}
}

func newSQLitePool(p *pool, path string, conns int) *sqlitePool {
	s := &sqlitePool{p, path, make(chan *directConn, conns), make(chan struct{})}
	for range conns {
		s.free <- nil
	}
	return s
}

// short implements shortReader. As with other kept statements, one that has begun cannot be cancelled.
func (p *sqlitePool) short(ctx context.Context, q string, args []any, scan func(r row) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *directConn
	select {
	case c = <-p.free:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.quit:
		return sql.ErrConnDone
	}
	defer func() {
		if c != nil && c.broken {
			c = nil // the next one opens another
		}
		p.free <- c
	}()
	if c == nil {
		if c, err = openDirect(p.path); err != nil {
			return err
		}
	}
	p.asked.Add(1)
	return c.ask(q, args, scan)
}

// close closes the connections, each when its statement has ended.
func (p *sqlitePool) close() error {
	close(p.quit)
	var errs []error
	for range cap(p.free) {
		if c := <-p.free; c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(errs...)
}
