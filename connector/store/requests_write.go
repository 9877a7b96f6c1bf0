package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"sort"
	"strings"
	"time"

	"usherd/connector"
)

const (
	sqlPutBlock    = `INSERT INTO request_blocks (org, source, last, about, data) VALUES (?,?,?,?,?)`
	sqlDropBlock   = `DELETE FROM request_blocks WHERE org = ? AND source = ? AND last = ?`
	sqlLatestBlock = `SELECT last, data FROM request_blocks WHERE org = ? AND source = ? ORDER BY last DESC LIMIT 1`

	sqlPutBodies = `INSERT INTO request_bodies (org, source, id, asked, answered) VALUES (?,?,?,?,?) ON CONFLICT (org, source, id) DO NOTHING`

	sqlCountQuirk = `INSERT INTO request_quirks (org, source, quirk, n, first, last) VALUES (?,?,?,?,?,?)
 ON CONFLICT (org, source, quirk) DO UPDATE SET n = request_quirks.n + excluded.n, last = CASE WHEN excluded.last > request_quirks.last THEN excluded.last ELSE request_quirks.last END`
	sqlQuirks     = `SELECT org, source, quirk, n, first, last FROM request_quirks WHERE org = ? AND source = ? ORDER BY quirk`
	sqlDropQuirks = `DELETE FROM request_quirks WHERE last < ?` // there are a few for each client

	sqlOldBlocks     = `SELECT last, about FROM request_blocks WHERE org = ? AND source = ? AND last < ? ORDER BY last LIMIT 0 + ?`
	sqlDropOldBlocks = `DELETE FROM request_blocks WHERE org = ? AND source = ? AND last <= ?`
	sqlDropBodies    = `DELETE FROM request_bodies WHERE org = ? AND source = ? AND id <= ?`

	sqlProfile    = `SELECT org, source, profile, why, at FROM client_profiles WHERE org = ? AND source = ?`
	sqlPutProfile = `INSERT INTO client_profiles (org, source, profile, why, at) VALUES (?,?,?,?,?)
 ON CONFLICT (org, source) DO UPDATE SET profile = excluded.profile, why = excluded.why, at = excluded.at`

	sqlUseAssertion  = `INSERT INTO used_assertions (org, source, hash, until) VALUES (?,?,?,?) ON CONFLICT (org, source, hash) DO NOTHING`
	sqlDropAssertion = `DELETE FROM used_assertions WHERE until < ?`
)

// dropChunk is how many blocks are deleted in one transaction, so that others get their turn between.
const dropChunk = 32

// PutRequests writes requests and adds to the counts of quirks, in one transaction; either may be empty. Count,
// First and Last of a quirk are those since the last call. A request that is there already stays as it is.
func (db *DB) PutRequests(ctx context.Context, list []connector.Request, quirks []connector.QuirkCount) error {
	for i := range list {
		if r := &list[i]; r.Org == "" || r.Source == "" || r.ID.IsZero() {
			return invalid("put requests", "a request names no organization, client or id")
		}
	}
	err := db.write(ctx, func(t *tx) error {
		blocks, err := placed(ctx, t.q, list)
		if err != nil {
			return err
		}
		return t.s.batch(ctx, func(b *batch) error {
			if err := writeBlocks(b, blocks); err != nil {
				return err
			}
			for i := range list {
				if err := putBodies(b, &list[i]); err != nil {
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

// placed puts requests into the blocks in which they belong, and returns these.
func placed(ctx context.Context, q querier, list []connector.Request) (blocks []*block, err error) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b connector.Request) int {
		return cmp.Or(strings.Compare(a.Org, b.Org), strings.Compare(a.Source, b.Source), compareIDs(a.ID, b.ID))
	})
	for len(list) > 0 {
		org, source := list[0].Org, list[0].Source
		n := sort.Search(len(list), func(i int) bool { return list[i].Org != org || list[i].Source != source })
		of, err := placedOf(ctx, q, org, source, list[:n])
		if err != nil {
			return nil, err
		}
		blocks, list = append(blocks, of...), list[n:]
	}
	return blocks, nil
}

// placedOf places the requests of one client, in order. Nearly always they are later than all that is there; those of
// another process, or of a second try, may not be.
func placedOf(ctx context.Context, q querier, org, source string, rows []connector.Request) (blocks []*block, err error) {
	latest, err := readBlock(ctx, q, sqlLatestBlock, org, source)
	if err != nil {
		return nil, err
	}
	for len(rows) > 0 && latest != nil && compareIDs(rows[0].ID, latest.stored) <= 0 {
		b, err := readBlock(ctx, q, sqlBlockOf, org, source, rows[0].ID[:])
		if err != nil {
			return nil, err
		}
		if b.stored == latest.stored {
			b = latest
		}
		n := sort.Search(len(rows), func(i int) bool { return compareIDs(rows[i].ID, b.stored) > 0 })
		b.merge(rows[:n])
		blocks, rows = append(blocks, b), rows[n:]
	}
	if len(rows) == 0 {
		return blocks, nil
	}
	last := len(blocks) - 1
	switch {
	case last >= 0 && blocks[last] == latest:
	case latest != nil && len(latest.rows) < blockOpen:
		blocks = append(blocks, latest)
	default:
		blocks = append(blocks, &block{})
	}
	blocks[len(blocks)-1].merge(rows)
	return blocks, nil
}

func putBodies(b *batch, r *connector.Request) error {
	if r.Asked == nil && r.Answered == nil {
		return nil
	}
	return b.exec(sqlPutBodies, r.Org, r.Source, r.ID[:], bodyColumn(r.Asked), bodyColumn(r.Answered))
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
	for more := true; more; {
		n := 0
		err := db.write(ctx, func(t *tx) (err error) {
			if n, more, err = t.dropBlocks(ctx, org, source, end); err != nil || more {
				return err
			}
			beheaded, err := t.behead(ctx, org, source, end)
			n += beheaded
			return err
		})
		if err != nil {
			return dropped, wrap("drop requests", err)
		}
		dropped += n
	}
	return dropped, nil
}

// dropBlocks deletes some blocks of which all requests are older, with the bodies; more reports whether there may be others.
func (t *tx) dropBlocks(ctx context.Context, org, source string, end connector.ID) (n int, more bool, err error) {
	rows, err := t.q.query(ctx, sqlOldBlocks, org, source, end[:], dropChunk)
	list, err := add[blockHead](nil, rows, err, scanHead)
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	for i := range list {
		n += list[i].about.requests().Requests
	}
	last := list[len(list)-1].last[:]
	if _, err := t.s.exec(ctx, sqlDropBodies, org, source, last); err != nil {
		return 0, false, err
	}
	_, err = t.s.exec(ctx, sqlDropOldBlocks, org, source, last)
	return n, len(list) == dropChunk, err
}

// behead takes the older requests out of the block that has newer ones too, and returns how many these were.
func (t *tx) behead(ctx context.Context, org, source string, end connector.ID) (int, error) {
	b, err := readBlock(ctx, t.q, sqlBlockOf, org, source, end[:])
	if err != nil || b == nil {
		return 0, err
	}
	n := sort.Search(len(b.rows), func(i int) bool { return compareIDs(b.rows[i].ID, end) >= 0 })
	if n == 0 {
		return 0, nil
	}
	last := b.rows[n-1].ID
	if _, err := t.s.exec(ctx, sqlDropBodies, org, source, last[:]); err != nil {
		return 0, err
	}
	b.rows = b.rows[n:]
	return n, t.s.batch(ctx, func(to *batch) error { return writeBlocks(to, []*block{b}) })
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
