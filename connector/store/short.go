package store

import (
	"context"
	"database/sql"
	"errors"
)

// row is one row of an answer: *sql.Rows, or what a driver itself gives.
type row interface {
	// Scan copies the columns into what dest points to.
	Scan(dest ...any) error
}

// shortReader is a querier that has a way past database/sql for statements that clients repeat.
type shortReader interface {
	short(ctx context.Context, q string, args []any, scan func(r row) error) error
}

// short runs a kept statement and hands each of its rows to scan, which must not ask anything else.
func (r *reader) short(ctx context.Context, q string, args []any, scan func(r row) error) (err error) {
	if s, ok := r.q.(shortReader); ok {
		return s.short(ctx, q, args, scan)
	}
	rows, err := r.q.query(ctx, q, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// found returns the one row of a kept statement, or an error of Kind NotFound.
func found[T any](ctx context.Context, r *reader, q string, args []any, scan func(row, *T) error, what string, names ...any) (*T, error) {
	var v *T
	err := r.short(ctx, q, args, func(r row) error {
		if v != nil {
			return errors.New("there is a second row")
		}
		v = new(T)
		return scan(r, v)
	})
	switch {
	case err != nil:
		return nil, wrap("resource", err)
	case v == nil:
		return nil, notFound("resource", "there is no "+what, names...)
	}
	return v, nil
}

var _ row = (*sql.Rows)(nil)
