package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"usherd/connector"
)

const (
	sqlPutRequest = `INSERT INTO requests (org, source, id, at, method, path, query, status, scim_type, person, folded, user_id, took, profile, quirks,
 ref, bytes_in, bytes_out, remote) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (org, source, id) DO NOTHING`
	sqlPutBodies = `INSERT INTO request_bodies (org, source, id, asked, answered) VALUES (?,?,?,?,?) ON CONFLICT (org, source, id) DO NOTHING`

	sqlCountQuirk = `INSERT INTO request_quirks (org, source, quirk, n, first, last) VALUES (?,?,?,?,?,?)
 ON CONFLICT (org, source, quirk) DO UPDATE SET n = request_quirks.n + excluded.n, last = CASE WHEN excluded.last > request_quirks.last THEN excluded.last ELSE request_quirks.last END`
	sqlQuirks     = `SELECT org, source, quirk, n, first, last FROM request_quirks WHERE org = ? AND source = ? ORDER BY quirk`
	sqlDropQuirks = `DELETE FROM request_quirks WHERE last < ?` // there are a few for each client

	sqlOldRequest = `SELECT id FROM (SELECT id FROM requests WHERE org = ? AND source = ? AND id < ? ORDER BY id LIMIT 0 + ?) AS s ORDER BY id DESC LIMIT 1`
	sqlDropOld    = `DELETE FROM requests WHERE org = ? AND source = ? AND id <= ?`
	sqlDropBodies = `DELETE FROM request_bodies WHERE org = ? AND source = ? AND id <= ?`

	sqlProfile    = `SELECT org, source, profile, why, at FROM client_profiles WHERE org = ? AND source = ?`
	sqlPutProfile = `INSERT INTO client_profiles (org, source, profile, why, at) VALUES (?,?,?,?,?)
 ON CONFLICT (org, source) DO UPDATE SET profile = excluded.profile, why = excluded.why, at = excluded.at`

	sqlUseAssertion  = `INSERT INTO used_assertions (org, source, hash, until) VALUES (?,?,?,?) ON CONFLICT (org, source, hash) DO NOTHING`
	sqlDropAssertion = `DELETE FROM used_assertions WHERE until < ?`
)

// dropChunk is how many requests are deleted in one transaction, so that others get their turn between.
const dropChunk = 2000

// PutRequests writes requests and adds to the counts of quirks, in one transaction; either may be empty. Count,
// First and Last of a quirk are those since the last call. A request that is there already stays as it is.
func (db *DB) PutRequests(ctx context.Context, list []connector.Request, quirks []connector.QuirkCount) error {
	err := db.write(ctx, func(t *tx) error {
		return t.s.batch(ctx, func(b *batch) error {
			for i := range list {
				if err := putRequest(b, &list[i]); err != nil {
					return err
				}
			}
			for _, q := range quirks {
				if err := b.exec(sqlCountQuirk, q.Org, q.Source, q.Quirk, q.Count, micros(q.First), micros(q.Last)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return wrap("put requests", err)
}

func putRequest(b *batch, r *connector.Request) error {
	if r.Org == "" || r.Source == "" || r.ID.IsZero() {
		return invalid("put requests", "a request names no organization, client or id")
	}
	id := r.ID[:]
	var user any
	if !r.User.IsZero() {
		user = r.User[:]
	}
	err := b.exec(sqlPutRequest, r.Org, r.Source, id, micros(r.At), r.Method, r.Path, r.Query, int64(r.Status), r.ScimType, r.Person,
		indexed(connector.Fold(r.Person)), user, r.Duration.Microseconds(), r.Profile, strings.Join(r.Quirks, " "), r.Ref, r.BytesIn, r.BytesOut, r.Remote)
	if err != nil || r.Asked == nil && r.Answered == nil {
		return err
	}
	return b.exec(sqlPutBodies, r.Org, r.Source, id, bodyColumn(r.Asked), bodyColumn(r.Answered))
}

func bodyColumn(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// Quirks returns which leniencies a client has needed, by id.
func (r *reader) Quirks(ctx context.Context, org, source string) ([]connector.QuirkCount, error) {
	rows, err := r.q.query(ctx, sqlQuirks, org, source)
	list, err := add[connector.QuirkCount](nil, rows, err, func(r *sql.Rows, v *connector.QuirkCount) error {
		return r.Scan(&v.Org, &v.Source, &v.Quirk, &v.Count, (*timeColumn)(&v.First), (*timeColumn)(&v.Last))
	})
	return list, wrap("quirks", err)
}

// DropRequests forgets the requests of a client from before that time with their bodies. It returns how many went.
func (db *DB) DropRequests(ctx context.Context, org, source string, before time.Time) (dropped int, err error) {
	end := connector.FirstID(before)
	for {
		n := 0
		err := db.write(ctx, func(t *tx) error {
			n = 0
			rows, err := t.q.query(ctx, sqlOldRequest, org, source, end[:], dropChunk)
			last, _, err := first(rows, err, func(r *sql.Rows, v *[]byte) error { return r.Scan(v) })
			if err != nil || last == nil {
				return err
			}
			if _, err := t.s.exec(ctx, sqlDropBodies, org, source, last); err != nil {
				return err
			}
			went, err := t.s.exec(ctx, sqlDropOld, org, source, last)
			n = int(went)
			return err
		})
		dropped += n
		if err != nil {
			return dropped, wrap("drop requests", err)
		}
		if n < dropChunk {
			return dropped, nil
		}
	}
}

// DropQuirks forgets what no client has shown since that time.
func (db *DB) DropQuirks(ctx context.Context, before time.Time) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlDropQuirks, micros(before))
		return wrap("drop quirks", err)
	})
}

// ClientProfile returns the dialect that a client was recognised to speak; zero but for the names when none was.
func (r *reader) ClientProfile(ctx context.Context, org, source string) (connector.ClientProfile, error) {
	rows, err := r.q.query(ctx, sqlProfile, org, source)
	p, _, err := first(rows, err, func(r *sql.Rows, v *connector.ClientProfile) error {
		return r.Scan(&v.Org, &v.Source, &v.Profile, &v.Why, (*timeColumn)(&v.At))
	})
	p.Org, p.Source = org, source
	return p, wrap("client profile", err)
}

// PutClientProfile overwrites the dialect of a client.
func (db *DB) PutClientProfile(ctx context.Context, p connector.ClientProfile) error {
	if p.Org == "" || p.Source == "" || p.Profile == "" {
		return invalid("put client profile", "a profile names no organization, client or dialect")
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlPutProfile, p.Org, p.Source, p.Profile, p.Why, micros(p.At))
		return wrap("put client profile", err)
	})
}

// UseAssertion marks the hash of a signed assertion as used by a client until that time, and reports whether it
// was used for the first time. Of those who use one at the same moment, in whatever process, one is first.
func (db *DB) UseAssertion(ctx context.Context, org, source string, hash []byte, until time.Time) (fresh bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlUseAssertion, org, source, hash, micros(until))
		fresh = n > 0
		return wrap("use assertion", err)
	})
	return fresh, err
}

// DropAssertions forgets used assertions that nobody could use any more at that time.
func (db *DB) DropAssertions(ctx context.Context, now time.Time) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlDropAssertion, micros(now))
		return wrap("drop assertions", err)
	})
}
