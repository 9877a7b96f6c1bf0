package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
)

// sqlitePool is a pool with some connections that are asked by the driver's own interface: for one row, database/sql
// takes about as long as SQLite.
type sqlitePool struct {
	*pool
	free chan *shortConn // a nil is one that is not open yet
	quit chan struct{}
}

func newSQLitePool(p *pool, conns int) *sqlitePool {
	s := &sqlitePool{p, make(chan *shortConn, conns), make(chan struct{})}
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
	var c *shortConn
	select {
	case c = <-p.free:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.quit:
		return sql.ErrConnDone
	}
	defer func() {
		if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
			c = nil // the next one opens another
		}
		p.free <- c
	}()
	whole := context.WithoutCancel(ctx)
	if c == nil {
		conn, err := p.db.Conn(whole)
		if err != nil {
			return err
		}
		c = &shortConn{conn: conn, stmts: map[string]driver.StmtQueryContext{}}
	}
	p.asked.Add(1)
	return c.conn.Raw(func(dc any) error { return c.ask(whole, dc, q, args, scan) })
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

// shortConn is a connection with its kept statements.
type shortConn struct {
	conn  *sql.Conn
	stmts map[string]driver.StmtQueryContext
	args  []driver.NamedValue
	row   driverRow
}

func (c *shortConn) stmt(ctx context.Context, dc any, q string) (driver.StmtQueryContext, error) {
	if st, ok := c.stmts[q]; ok {
		return st, nil
	}
	p, ok := dc.(driver.ConnPrepareContext)
	if !ok {
		return nil, fmt.Errorf("driver connection %T cannot prepare", dc)
	}
	st, err := p.PrepareContext(ctx, q)
	if err != nil {
		return nil, err
	}
	kept, ok := st.(driver.StmtQueryContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("driver statement %T cannot be asked", st), st.Close())
	}
	c.stmts[q] = kept
	return kept, nil
}

func (c *shortConn) ask(ctx context.Context, dc any, q string, args []any, scan func(r row) error) (err error) {
	st, err := c.stmt(ctx, dc, q)
	if err != nil {
		return err
	}
	c.args = c.args[:0]
	for i, a := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return err
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	rows, err := st.QueryContext(ctx, c.args)
	clear(c.args)
	if err != nil {
		return err
	}
	defer func() {
		clear(c.row)
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if n := len(rows.Columns()); cap(c.row) < n {
		c.row = make(driverRow, n)
	} else {
		c.row = c.row[:n]
	}
	for {
		switch err := rows.Next(c.row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := scan(c.row); err != nil {
			return err
		}
	}
}

func (c *shortConn) close() error {
	_ = c.conn.Raw(func(any) error {
		for _, st := range c.stmts {
			if s, ok := st.(driver.Stmt); ok {
				_ = s.Close()
			}
		}
		return nil
	})
	return c.conn.Close()
}

// driverRow is a row as the driver gives it. Its values are the caller's own.
type driverRow []driver.Value

// Scan implements row for what columns of the store hold.
func (r driverRow) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("%d places for %d columns", len(dest), len(r))
	}
	for i, d := range dest {
		if err := assign(d, r[i]); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case sql.Scanner:
		return d.Scan(v)
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *int:
		if n, ok := v.(int64); ok {
			*d = int(n)
			return nil
		}
	case *uint32:
		if n, ok := v.(int64); ok && n >= 0 && n <= math.MaxUint32 {
			*d = uint32(n)
			return nil
		}
	case *bool:
		if n, ok := v.(int64); ok {
			*d = n != 0
			return nil
		}
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	default:
		if to, s := reflect.ValueOf(dest).Elem(), reflect.ValueOf(v); to.Kind() == reflect.String && s.Kind() == reflect.String {
			to.SetString(s.String())
			return nil
		}
	}
	return fmt.Errorf("%T does not hold %T", dest, v)
}
