package store

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// pgConnector opens pgConns.
type pgConnector struct{ driver.Connector }

// Connect implements driver.Connector.
func (c pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	dc, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &pgConn{Conn: dc.(*stdlib.Conn)}, nil
}

// pgConn is a connection of pgx that behaves as one of SQLite does: it takes the same texts, whose statements pgx
// prepares once and keeps, and rows may be read on after another statement was run. What is left of them is read
// into memory then.
type pgConn struct {
	*stdlib.Conn
	open *pgRows

	written int64 // statements that were given to sendAll

	texts map[string]string // as they are for PostgreSQL
	forms map[string]*many  // of statements for several rows
}

func (c *pgConn) pgx() *pgx.Conn { return c.Conn.Conn() }

// alive reports whether there is a connection that has not ended.
func (c *pgConn) alive() bool { return c != nil && !c.pgx().IsClosed() }

// text returns a statement as it is for PostgreSQL. Those that are not kept have the mode of their execution
// before their arguments, and are no end of texts.
func (c *pgConn) text(q string, args []driver.NamedValue) string {
	if t, ok := c.texts[q]; ok {
		return t
	}
	t := pgText(q)
	if len(args) == 0 || !isMode(args[0].Value) {
		if c.texts == nil {
			c.texts = map[string]string{}
		}
		c.texts[q] = t
	}
	return t
}

func isMode(v any) bool {
	_, ok := v.(pgx.QueryExecMode)
	return ok
}

// settle makes room for another statement.
func (c *pgConn) settle() {
	if c.open != nil {
		c.open.detach()
	}
}

// QueryContext implements driver.QueryerContext.
func (c *pgConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	c.settle()
	rows, err := c.Conn.QueryContext(ctx, c.text(q, args), args)
	if err != nil {
		return nil, err
	}
	c.open = &pgRows{Rows: rows, conn: c}
	return c.open, nil
}

// ExecContext implements driver.ExecerContext.
func (c *pgConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	c.settle()
	return c.Conn.ExecContext(ctx, c.text(q, args), args)
}

// PrepareContext implements driver.ConnPrepareContext. The server is asked when the statement is run first.
func (c *pgConn) PrepareContext(_ context.Context, q string) (driver.Stmt, error) {
	return &pgStmt{c, q}, nil
}

// BeginTx implements driver.ConnBeginTx.
func (c *pgConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.settle()
	return c.Conn.BeginTx(ctx, opts)
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *pgConn) CheckNamedValue(v *driver.NamedValue) (err error) {
	if isMode(v.Value) {
		return nil
	}
	if v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value); err != nil {
		return err
	}
	if s, ok := v.Value.(string); ok {
		v.Value = cleanText(s)
	}
	return nil
}

// cleanText is a text as PostgreSQL can keep it, which knows neither NUL nor what is no UTF-8. Whatever decides
// about people refuses such texts before; these stand in what is kept of sign-ins and of errors, and in questions.
func cleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// pgStmt is a text; pgx keeps what the server has prepared.
type pgStmt struct {
	c *pgConn
	q string
}

var (
	_ driver.StmtExecContext   = (*pgStmt)(nil)
	_ driver.StmtQueryContext  = (*pgStmt)(nil)
	_ driver.NamedValueChecker = (*pgConn)(nil)
	_ driver.QueryerContext    = (*pgConn)(nil)
)

// Close implements driver.Stmt.
func (s *pgStmt) Close() error { return nil }

// NumInput implements driver.Stmt.
func (s *pgStmt) NumInput() int { return -1 }

var errNoContext = errors.New("statements are run with a context")

// Exec implements driver.Stmt; database/sql never calls it.
func (s *pgStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }

// Query implements driver.Stmt; database/sql never calls it.
func (s *pgStmt) Query([]driver.Value) (driver.Rows, error) { return nil, errNoContext }

// ExecContext implements driver.StmtExecContext.
func (s *pgStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.ExecContext(ctx, s.q, args)
}

// QueryContext implements driver.StmtQueryContext.
func (s *pgStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.QueryContext(ctx, s.q, args)
}

// pgRows are rows that stay readable when their connection is wanted for something else.
type pgRows struct {
	driver.Rows
	conn *pgConn
	left [][]driver.Value // once detached
	err  error            // after those
	off  bool             // the connection is not theirs any more
}

// detach reads what is left.
func (r *pgRows) detach() {
	r.conn.open, r.off = nil, true
	n := len(r.Columns())
	for {
		row := make([]driver.Value, n)
		if r.err = r.Rows.Next(row); r.err != nil {
			break
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok {
				row[i] = bytes.Clone(b)
			}
		}
		r.left = append(r.left, row)
	}
	_ = r.Rows.Close() // Next has told
}

// Next implements driver.Rows.
func (r *pgRows) Next(dest []driver.Value) error {
	if !r.off {
		err := r.Rows.Next(dest)
		if err != nil && r.conn.open == r {
			r.conn.open = nil
		}
		return err
	}
	if len(r.left) == 0 {
		if r.err == nil {
			return io.EOF
		}
		return r.err
	}
	copy(dest, r.left[0])
	r.left = r.left[1:]
	return nil
}

// Close implements driver.Rows.
func (r *pgRows) Close() error {
	r.left = nil
	if r.off {
		return nil
	}
	if r.conn.open == r {
		r.conn.open = nil
	}
	return r.Rows.Close()
}
