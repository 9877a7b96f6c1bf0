package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// Parameters are written `?`, in order: modernc.org/sqlite looks each numbered one up by name, which
// costs more than the statement. For PostgreSQL they are numbered when the statement is prepared.
// A limit is written `LIMIT 0 + ?`: of a bare parameter SQLite takes the value into the plan, and plans the
// statement anew whenever that is bound again.

// querier asks one connection or a pool. Statements given to query are prepared once and kept, so
// their rows must be read to the end before the same statement runs again; those given to stream are
// not kept where that matters. Those given to once are never kept: there is no end of them.
type querier interface {
	query(ctx context.Context, q string, args ...any) (*sql.Rows, error)
	stream(ctx context.Context, q string, args ...any) (*sql.Rows, error)
	once(ctx context.Context, q string, args ...any) (*sql.Rows, error)
}

// pool is a querier for reads outside of transactions. Like those of the writer, its kept statements are short:
// only those that are streamed, and those that are not kept, can be cancelled once they have begun.
type pool struct {
	db    *sql.DB
	stmts sync.Map     // SQL -> *sql.Stmt
	asked atomic.Int64 // statements
}

func (p *pool) stmt(ctx context.Context, q string) (*sql.Stmt, error) {
	p.asked.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s, ok := p.stmts.Load(q); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := p.db.PrepareContext(ctx, q)
	if err != nil {
		return nil, err
	}
	if old, loaded := p.stmts.LoadOrStore(q, s); loaded {
		_ = s.Close() //nolint:sqlclosecheck // only the one that came second
		s = old.(*sql.Stmt)
	}
	return s, nil
}

func (p *pool) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, q) //nolint:sqlclosecheck // kept until the pool is closed
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.WithoutCancel(ctx), args...)
}

func (p *pool) stream(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, q) //nolint:sqlclosecheck // kept until the pool is closed
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (p *pool) once(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	p.asked.Add(1)
	return p.db.QueryContext(ctx, q, args...)
}

// connQuerier is one connection or transaction whose statements are not kept.
type connQuerier struct {
	c interface {
		QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error)
	}
}

func (c connQuerier) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return c.c.QueryContext(ctx, q, args...)
}

func (c connQuerier) stream(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return c.c.QueryContext(ctx, q, args...)
}

func (c connQuerier) once(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return c.query(ctx, q, args...)
}

// session is the connection of the writer with its prepared statements. Not safe for concurrent use.
// A context is asked before each statement and not handed on: the driver starts a goroutine for each
// one that could be cancelled, and a statement of the writer is short.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	bulk  map[string]driver.StmtExecContext
	args  []driver.NamedValue
	wrote bool // a statement that could write was begun

	// linked are sources that link_sources is known to have.
	linked map[linkSource]bool
	known  known
	asked  *atomic.Int64 // statements
}

type linkSource struct{ org, source string }

func newSession(conn *sql.Conn) *session {
	s := &session{asked: &atomic.Int64{}}
	s.renew(conn)
	return s
}

// renew has the session go on with another connection.
func (s *session) renew(conn *sql.Conn) {
	*s = session{
		conn: conn, stmts: map[string]*sql.Stmt{}, bulk: map[string]driver.StmtExecContext{}, linked: map[linkSource]bool{}, known: newKnown(),
		asked: s.asked,
	}
}

func (s *session) stmt(ctx context.Context, q string) (*sql.Stmt, error) {
	s.asked.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if st, ok := s.stmts[q]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(context.WithoutCancel(ctx), q)
	if err == nil {
		s.stmts[q] = st
	}
	return st, err
}

func (s *session) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	st, err := s.stmt(ctx, q) //nolint:sqlclosecheck // kept until the session ends
	if err != nil {
		return nil, err
	}
	return st.QueryContext(context.WithoutCancel(ctx), args...)
}

func (s *session) stream(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	s.asked.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.conn.QueryContext(context.WithoutCancel(ctx), q, args...)
}

func (s *session) once(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return s.stream(ctx, q, args...)
}

// exec runs a statement and returns how many rows it changed.
func (s *session) exec(ctx context.Context, q string, args ...any) (int64, error) {
	st, err := s.stmt(ctx, q) //nolint:sqlclosecheck // kept until the session ends
	if err != nil {
		return 0, err
	}
	s.wrote = true
	r, err := st.ExecContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// undo rolls the transaction back, or to its savepoint.
func (s *session) undo(ctx context.Context, rollback string) error {
	clear(s.linked)
	s.forget()
	_, err := s.exec(ctx, rollback)
	return err
}

// batch runs f with the driver's own connection: five statements a person go through it, and
// database/sql would take a third of their time.
func (s *session) batch(ctx context.Context, f func(b *batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.conn.Raw(func(dc any) error {
		c, ok := dc.(driver.ConnPrepareContext)
		if !ok {
			return fmt.Errorf("driver connection %T cannot prepare", dc)
		}
		b := &batch{s: s, c: c, ctx: context.WithoutCancel(ctx)}
		b.pipe, _ = dc.(pipeline)
		if err := f(b); err != nil {
			return err
		}
		return b.flush()
	})
}

// pipeline is a connection that is better given many statements at once, since each is a way to the server and back.
type pipeline interface {
	// sendAll runs the statements, those of the same text together. Done, where it is not nil, is told whether the statement
	// has written a row.
	sendAll(ctx context.Context, list []queued) error
}

// queued is a statement that is to be run with others.
type queued struct {
	text string
	args []any
	done func(wrote bool) error

	wrote bool // a row
}

// queueMax bounds what is sent at once.
const queueMax = 10_000

// batch is a session inside session.batch. Statements run in order, on some databases not before flush.
type batch struct {
	s    *session
	c    driver.ConnPrepareContext
	ctx  context.Context //nolint:containedctx // lives as long as the call that it came with
	pipe pipeline        // nil: statements run at once
	list []queued
}

// exec runs a statement with arguments of the types int64, string, []byte and nil.
func (b *batch) exec(q string, args ...driver.Value) error { return b.then(nil, q, args...) }

// then is exec and calls done with whether a row was written, at once or when flush is called. Done may run
// statements.
func (b *batch) then(done func(wrote bool) error, q string, args ...driver.Value) error {
	if b.pipe != nil {
		return b.queue(done, q, args)
	}
	r, err := b.change(q, args)
	if err != nil || done == nil {
		return err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return err
	}
	return done(n > 0)
}

// queue keeps a statement for later. Callers use their bytes again.
func (b *batch) queue(done func(wrote bool) error, q string, args []driver.Value) error {
	own := make([]any, len(args))
	for i, a := range args {
		if bytes, ok := a.([]byte); ok {
			a = slices.Clone(bytes)
		}
		own[i] = a
	}
	b.s.wrote = true
	if b.list = append(b.list, queued{text: q, args: own, done: done}); len(b.list) < queueMax {
		return nil
	}
	return b.flush()
}

// flush runs what has not been run yet.
func (b *batch) flush() error {
	for len(b.list) > 0 {
		list := b.list
		b.list = nil
		if err := b.pipe.sendAll(b.ctx, list); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) change(q string, args []driver.Value) (driver.Result, error) {
	b.s.asked.Add(1)
	st, ok := b.s.bulk[q]
	if !ok {
		p, err := b.c.PrepareContext(b.ctx, q)
		if err != nil {
			return nil, err
		}
		if st, ok = p.(driver.StmtExecContext); !ok {
			return nil, fmt.Errorf("driver statement %T cannot execute", p)
		}
		b.s.bulk[q] = st
	}
	named := b.s.args[:0]
	for i, a := range args {
		named = append(named, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	b.s.args, b.s.wrote = named, true
	r, err := st.ExecContext(b.ctx, named)
	clear(named)
	return r, err
}

// close closes the statements and gives the connection back.
func (s *session) close() error {
	for _, st := range s.stmts {
		_ = st.Close()
	}
	_ = s.conn.Raw(func(any) error {
		for _, st := range s.bulk {
			if c, ok := st.(driver.Stmt); ok {
				_ = c.Close()
			}
		}
		return nil
	})
	return s.conn.Close()
}

// each yields the rows of a query, one error at most, last.
func each[T any](rows *sql.Rows, err error, scan func(*sql.Rows, *T) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err != nil {
			yield(zero, err)
			return
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var v T
			if err := scan(rows, &v); err != nil {
				yield(zero, err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, err)
		}
	}
}

// drain runs a statement whose rows nobody wants.
func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		continue
	}
	return rows.Err()
}

// add appends the rows of a query to list.
func add[T any](list []T, rows *sql.Rows, err error, scan func(*sql.Rows, *T) error) ([]T, error) {
	for v, err := range each(rows, err, scan) {
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// first returns the first row of a query; ok is false where there is none.
func first[T any](rows *sql.Rows, err error, scan func(*sql.Rows, *T) error) (v T, ok bool, e error) {
	for v, err := range each(rows, err, scan) {
		return v, err == nil, err
	}
	return v, false, nil
}
