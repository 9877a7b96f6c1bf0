package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"usherd/connector"
)

// transferred are the tables whose rows make a store, in the order in which they are copied. The others belong to one
// database and those who are at work on it: migrations, leases, keys that daemons make themselves, the number of the
// token revision, and sessions of the console with what was tried and chosen there.
var transferred = [...]string{
	"packages", "seat_days", "sources", "domains", "revisions", "users", "user_keys", "user_terms", "user_counts", "links", "link_sources", "events",
	"groups", "members", "group_events", "open_items", "waiting", "runs", "outcomes", "record_blobs", "record_chunks", "tokens",
	"request_blocks", "request_bodies", "request_quirks", "client_profiles", "used_assertions", "tickets", "sign_ins",
	"mails", "mail_links", "subscribers", "subscriber_events", "claims", "run_files", "kept_answers", "audit", "report_deliveries", "report_marks",
}

const (
	transferStep   = 10_000 // rows between two words about progress
	transferValues = 128    // in one statement, about
)

// Transferred is what was copied of one table.
type Transferred struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	Digest string `json:"digest"` // of the rows in any order: the sum of the SHA-256 of each, in hexadecimal
}

// Transfer copies everything that a store holds into another one, which must hold nothing, whatever engines they are
// of. It is one transaction there: all is there afterwards, or nothing. What was written is read again before it is
// made to last, and must be what was read, by number and digest; texts that PostgreSQL cannot keep, see cleanText, are read
// as it keeps them. Nobody may be at work on either: a live lease is an
// error of Kind Conflict. Progress, which may be nil, is called now and then with how many rows of a table are copied.
// Memory does not grow with the store.
func Transfer(ctx context.Context, from, to *DB, progress func(table string, rows int64)) (list []Transferred, err error) {
	t, err := from.pool.db.BeginTx(ctx, snapshot)
	if err != nil {
		return nil, wrap("transfer", err)
	}
	defer t.Rollback()
	c := &transfer{ctx: ctx, from: connQuerier{t}, progress: progress}
	if err := c.unused(c.from, from); err != nil {
		return nil, err
	}
	err = to.submit(&job{ctx: ctx, bulk: true, done: make(chan struct{}), f: func(t *tx) (err error) {
		if err := c.unused(t.q, to); err != nil {
			return err
		}
		list, err = c.all(t)
		return err
	}})
	return list, wrap("transfer", err)
}

// transfer is one copy of a store.
type transfer struct {
	ctx      context.Context //nolint:containedctx // lives as long as the call that it came with
	from     querier
	progress func(table string, rows int64)
}

// unused fails where somebody is at work on the store.
func (c *transfer) unused(q querier, db *DB) error {
	held, err := liveLeases(c.ctx, q)
	if err == nil && len(held) > 0 {
		err = &connector.Error{
			Kind: connector.Conflict, Op: "store: transfer", Err: fmt.Errorf("%s is in use: %s", db.engine.where(), strings.Join(held, ", ")),
			Hint: "stop usherd first; a lease that was left behind ends by itself within a minute",
		}
	}
	return err
}

func (c *transfer) all(t *tx) ([]Transferred, error) {
	for _, table := range transferred {
		if has, err := anyRow(c.ctx, t.q, "SELECT 1 FROM "+table+" LIMIT 1"); err != nil || has {
			if err == nil {
				err = conflict("transfer", "the store that everything is to be copied into has rows in %s already: name an empty one", table)
			}
			return nil, err
		}
	}
	list := make([]Transferred, 0, len(transferred))
	for _, table := range transferred {
		columns, read, err := c.copy(t, table)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		var written digest
		if err := eachRow(c.ctx, t.q, table, columns, written.add); err != nil {
			return nil, fmt.Errorf("%s, read again: %w", table, err)
		}
		if read != written {
			return nil, fmt.Errorf("%s: %d rows were read and %d are there now, or they differ: nothing was kept", table, read.rows, written.rows)
		}
		list = append(list, Transferred{table, read.rows, read.String()})
	}
	return list, nil
}

// copy copies one table. It returns its columns and what was read.
func (c *transfer) copy(t *tx, table string) (columns []string, read digest, err error) {
	if columns, err = columnsOf(c.ctx, c.from, table); err != nil {
		return nil, read, err
	}
	in := &inserter{ctx: c.ctx, s: t.s, head: "INSERT INTO " + table + " (" + strings.Join(columns, ",") + ") VALUES ", width: len(columns)}
	err = eachRow(c.ctx, c.from, table, columns, func(row []any) error {
		for i, v := range row {
			if text, ok := v.(string); ok {
				row[i] = cleanText(text)
			}
		}
		if err := read.add(row); err != nil {
			return err
		}
		if c.progress != nil && read.rows%transferStep == 0 {
			c.progress(table, read.rows)
		}
		return in.add(row)
	})
	if err == nil {
		err = in.flush()
	}
	if err == nil && c.progress != nil {
		c.progress(table, read.rows)
	}
	return columns, read, err
}

// columnsOf returns the columns of a table in alphabetical order: engines may have them in different ones.
func columnsOf(ctx context.Context, q querier, table string) ([]string, error) {
	rows, err := q.once(ctx, "SELECT * FROM "+table+" LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // it has none
	columns, err := rows.Columns()
	if err == nil {
		err = rows.Err()
	}
	slices.Sort(columns)
	return columns, err
}

// eachRow calls f with each row of a table; the values are int64, string, []byte or nil, and f's own.
func eachRow(ctx context.Context, q querier, table string, columns []string, f func(row []any) error) error {
	rows, err := q.once(ctx, "SELECT "+strings.Join(columns, ",")+" FROM "+table)
	for row, err := range each(rows, err, func(r *sql.Rows, row *[]any) error {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		*row = values
		err := r.Scan(dest...)
		for i, v := range values {
			if b, ok := v.([]byte); ok && b == nil {
				values[i] = []byte{} // empty, and not NULL
			}
		}
		return err
	}) {
		if err != nil {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return nil
}

// inserter inserts several rows by one statement.
type inserter struct {
	ctx   context.Context //nolint:containedctx // lives as long as the call that it came with
	s     *session
	head  string
	width int
	args  []any
}

func (in *inserter) add(row []any) error {
	if in.args = append(in.args, row...); len(in.args)+in.width <= transferValues {
		return nil
	}
	return in.flush()
}

func (in *inserter) flush() error {
	if len(in.args) == 0 {
		return nil
	}
	one := ",(" + strings.Repeat(",?", in.width)[1:] + ")"
	_, err := in.s.exec(in.ctx, in.head+strings.Repeat(one, len(in.args)/in.width)[1:], in.args...)
	in.args = in.args[:0]
	return err
}

// digest sums up rows in any order.
type digest struct {
	rows int64
	sum  [4]uint64 // a number of 256 bits
}

var errStrangeValue = errors.New("a value of a type that no column has")

// add adds the SHA-256 of a row, whose values cannot run into each other.
func (d *digest) add(row []any) error {
	var b []byte
	for _, v := range row {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v)) //nolint:gosec // its bits
		case string:
			b = append(binary.BigEndian.AppendUint64(append(b, 't'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
		default:
			return fmt.Errorf("%w: %T", errStrangeValue, v)
		}
	}
	sum, carry := sha256.Sum256(b), uint64(0)
	for i := range d.sum {
		d.sum[i], carry = bits.Add64(d.sum[i], binary.LittleEndian.Uint64(sum[8*i:]), carry)
	}
	d.rows++
	return nil
}

func (d *digest) String() string {
	var b []byte
	for _, n := range d.sum {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return hex.EncodeToString(b)
}
