package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"usherd/connector"
)

// The time of the database in microseconds.
const sqlNow = `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`

const (
	sqlTakeLease = `INSERT INTO leases (name, holder, token, expires_at) VALUES (?, ?, 1, ` + sqlNow + ` + ?)
 ON CONFLICT (name) DO UPDATE SET token = leases.token + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END,
   holder = excluded.holder, expires_at = excluded.expires_at
 WHERE leases.holder = excluded.holder OR leases.expires_at <= ` + sqlNow + `
 RETURNING token`

	sqlReleaseLease = `UPDATE leases SET holder = '', expires_at = 0 WHERE name = ? AND holder = ?`

	// One that has run out still excludes others as long as nobody has taken it.
	sqlHoldsLease = `SELECT 1 FROM leases WHERE name = ? AND token = ? AND holder <> ''`

	sqlLeaseHolder = `SELECT holder FROM leases WHERE name = ? AND expires_at > ` + sqlNow

	sqlDropLeases = `DELETE FROM leases WHERE name >= ? AND name < ? AND expires_at <= ` + sqlNow

	sqlLiveLeases = `SELECT name, holder FROM leases WHERE expires_at > ` + sqlNow + ` ORDER BY name`
)

// Lease takes the named lease for holder until ttl from now, by the database's clock, or renews it.
// It fails with Kind Conflict while somebody else holds it. Token grows with each take-over.
func (db *DB) Lease(ctx context.Context, name, holder string, ttl time.Duration) (token int64, err error) {
	if holder == "" || ttl <= 0 {
		return 0, invalid("lease", "a lease needs a holder and a time")
	}
	err = db.write(connector.WithoutFences(ctx), func(t *tx) error {
		rows, err := t.q.query(ctx, sqlTakeLease, name, holder, ttl.Microseconds())
		var ok bool
		token, ok, err = first(rows, err, func(r *sql.Rows, v *int64) error { return r.Scan(v) })
		if err == nil && !ok {
			return &connector.Error{
				Kind: connector.Conflict, Op: "store: lease " + name, Err: errHeldElsewhere,
				Hint: "another usherd is at work on it: wait until it is done",
			}
		}
		return wrap("lease", err)
	})
	return token, err
}

// LeaseHolder returns who holds the lease now, "" when nobody does.
func (r *reader) LeaseHolder(ctx context.Context, name string) (string, error) {
	rows, err := r.q.query(ctx, sqlLeaseHolder, name)
	holder, _, err := first(rows, err, func(r *sql.Rows, v *string) error { return r.Scan(v) })
	return holder, wrap("lease holder", err)
}

// liveLeases says which leases are held, and by whom.
func liveLeases(ctx context.Context, q querier) ([]string, error) {
	rows, err := q.stream(ctx, sqlLiveLeases)
	return add[string](nil, rows, err, func(r *sql.Rows, v *string) error {
		var holder string
		err := r.Scan(v, &holder)
		*v = fmt.Sprintf("%s (by %s)", *v, holder)
		return err
	})
}

// Leases returns who holds each lease now whose name begins like that, by name.
func (r *reader) Leases(ctx context.Context, prefix string) (map[string]string, error) {
	rows, err := r.q.query(ctx, sqlLiveLeases)
	list, err := add[[2]string](nil, rows, err, func(r *sql.Rows, v *[2]string) error { return r.Scan(&v[0], &v[1]) })
	held := map[string]string{}
	for _, l := range list {
		if strings.HasPrefix(l[0], prefix) {
			held[l[0]] = l[1]
		}
	}
	return held, wrap("leases", err)
}

// DropLeases forgets leases that nobody holds whose names begin like that. Their tokens begin again: it is for names that
// nothing is fenced with. The prefix ends in a character before 0x7f.
func (db *DB) DropLeases(ctx context.Context, prefix string) error {
	if prefix == "" {
		return invalid("drop leases", "a prefix is missing")
	}
	last := len(prefix) - 1
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlDropLeases, prefix, prefix[:last]+string(prefix[last]+1))
		return wrap("drop leases", err)
	})
}

// Release gives a lease back; none held is no error.
func (db *DB) Release(ctx context.Context, name, holder string) error {
	return db.write(connector.WithoutFences(ctx), func(t *tx) error {
		_, err := t.s.exec(ctx, sqlReleaseLease, name, holder)
		return wrap("release", err)
	})
}

// fence asks for each lease that the context of a write is fenced with, see connector.WithFence. It is part of every
// transaction, so that nobody who writes under a lease can forget it.
func (t *tx) fence(ctx context.Context) error {
	for _, f := range connector.Fences(ctx) {
		held, err := anyRow(ctx, t.q, sqlHoldsLease, f.Lease, f.Token)
		if err != nil {
			return wrap("fence", err)
		}
		if !held {
			return &connector.Error{
				Kind: connector.Conflict, Op: "store: fence", Err: fmt.Errorf("%w: %s", connector.ErrLeaseLost, f.Lease),
				Hint: "what was written is consistent, and whoever has the lease now does the rest",
			}
		}
	}
	return nil
}
