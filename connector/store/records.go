package store

import (
	"context"
	"database/sql"
	"iter"
	"slices"
	"time"

	"usherd/connector"
)

const (
	sqlPutBlob  = `INSERT INTO record_blobs (org, hash, data) VALUES (?,?,?) ON CONFLICT (org, hash) DO NOTHING`
	sqlPutChunk = `INSERT INTO record_chunks (org, source, id, run, at, records, hash) VALUES (?,?,?,?,?,?,?)`

	sqlChunkColumns = `SELECT c.id, c.run, c.at, c.records, c.hash, b.data
 FROM record_chunks c JOIN record_blobs b ON b.org = c.org AND b.hash = c.hash WHERE c.org = ? AND c.source = ?`

	sqlChunksBefore = sqlChunkColumns + ` AND c.at < ? ORDER BY c.id DESC`
	sqlChunksSince  = sqlChunkColumns + ` AND c.at >= ? ORDER BY c.id`

	sqlNextRecordSource = `SELECT min(source) FROM record_chunks WHERE org = ? AND source > ?`
)

// chunkRow is a stored chunk.
type chunkRow struct {
	id, run connector.ID
	at      time.Time
	records int
	hash    []byte
	data    []byte
}

func scanChunk(r *sql.Rows, c *chunkRow) error {
	return r.Scan((*idColumn)(&c.id), (*idColumn)(&c.run), (*timeColumn)(&c.at), &c.records, &c.hash, &c.data)
}

// PutRecords keeps what a source said of some people. What is there already under the same hash is not
// written again.
func (t *tx) PutRecords(ctx context.Context, c *connector.RecordChunk) error {
	if c.Org == "" || c.Source == "" || c.At.IsZero() {
		return invalid("put records", "a chunk of records names no organization, source or time")
	}
	return wrap("put records", t.putChunk(ctx, c, connector.NewID(c.At)))
}

func (t *tx) putChunk(ctx context.Context, c *connector.RecordChunk, id connector.ID) error {
	return t.s.batch(ctx, func(b *batch) error {
		if err := b.exec(sqlPutBlob, c.Org, c.Hash[:], c.Data); err != nil {
			return err
		}
		return b.exec(sqlPutChunk, c.Org, c.Source, id[:], idBlob(c.Run), micros(c.At), int64(c.Count), c.Hash[:])
	})
}

// Records streams what is kept of what a source has said: first, as Base and in no order, the last word of
// before since about each person who was not gone then, and after that everything since in the order in which
// it was said. All of it is of one state of the store. It keeps 16 bytes and its share of a map for each
// person of the base.
func (db *DB) Records(ctx context.Context, org, source string, since time.Time) iter.Seq2[connector.StoredRecord, error] {
	return func(yield func(connector.StoredRecord, error) bool) {
		t, err := db.pool.db.BeginTx(ctx, snapshot)
		if err != nil {
			yield(connector.StoredRecord{}, wrap("records", err))
			return
		}
		defer t.Rollback()
		q := connQuerier{t}
		rows, err := q.stream(ctx, sqlChunksBefore, org, source, micros(since))
		last := lastWords{}
		if !eachRecord(rows, err, func(data []byte) ([]*connector.Record, error) {
			list, err := last.of(data)
			return slices.DeleteFunc(list, func(r *connector.Record) bool { return r.Gone }), err
		}, yield, true) {
			return
		}
		rows, err = q.stream(ctx, sqlChunksSince, org, source, micros(since))
		eachRecord(rows, err, unpacked, yield, false)
	}
}

// eachRecord yields what choose takes of each chunk and reports whether to go on.
func eachRecord(rows *sql.Rows, err error, choose func(data []byte) ([]*connector.Record, error),
	yield func(connector.StoredRecord, error) bool, base bool,
) bool {
	for c, err := range each(rows, err, scanChunk) {
		var list []*connector.Record
		if err == nil {
			list, err = choose(c.data)
		}
		if err != nil {
			yield(connector.StoredRecord{}, wrap("records", err))
			return false
		}
		for _, r := range list {
			if !yield(connector.StoredRecord{Record: r, Run: c.run, At: c.at, Base: base}, nil) {
				return false
			}
		}
	}
	return true
}

func unpacked(data []byte) (list []*connector.Record, err error) {
	for r, err := range connector.UnpackRecords(data) {
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// lastWords are the people of whom something was said in the chunks that were looked at, from the latest
// one back.
type lastWords map[connector.Hash]struct{}

// of returns the records of a chunk that are the last word about somebody.
func (l lastWords) of(data []byte) ([]*connector.Record, error) {
	list, err := unpacked(data)
	if err != nil {
		return nil, err
	}
	kept := list[:0:0]
	for _, r := range slices.Backward(list) {
		key := r.Anchor.Key()
		if _, known := l[key]; !known {
			l[key] = struct{}{}
			kept = append(kept, r)
		}
	}
	slices.Reverse(kept)
	return kept, nil
}

// RecordSources returns the sources of which records are kept, sorted.
func (r *reader) RecordSources(ctx context.Context, org string) (list []string, err error) {
	for last := ""; ; {
		rows, err := r.q.query(ctx, sqlNextRecordSource, org, last)
		next, _, err := first(rows, err, func(r *sql.Rows, v *sql.NullString) error { return r.Scan(v) })
		if err != nil || !next.Valid {
			return list, wrap("record sources", err)
		}
		last = next.String
		list = append(list, last)
	}
}
