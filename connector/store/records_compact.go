package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"time"

	"usherd/connector"
)

const (
	// compactPage is how many chunks are read at a time, compactWhole how many records a chunk needs that is
	// left as it is when all of them are still wanted, and compactMost how many chunks become one.
	compactPage  = 16
	compactWhole = 250
	compactMost  = 4096

	sqlChunksBack = sqlChunkColumns + ` AND c.id < ? AND c.at < ? ORDER BY c.id DESC LIMIT 0 + ?`

	sqlLinkedAnchors = `SELECT anchor FROM links WHERE org = ? AND source = ? AND anchor IN (*)`

	sqlDropChunk = `DELETE FROM record_chunks WHERE org = ? AND source = ? AND id = ? AND hash = ?`
	sqlDropBlob  = `DELETE FROM record_blobs WHERE org = ? AND hash = ?
 AND NOT EXISTS (SELECT 1 FROM record_chunks c WHERE c.org = record_blobs.org AND c.hash = record_blobs.hash)`

	sqlOldChunks = `SELECT id, run, at, records, hash, CAST('' AS BLOB) FROM record_chunks WHERE org = ? AND source = ? AND at < ? LIMIT 0 + ?`
)

// CompactRecords forgets of what a source said before that time all but the last word about each person who
// has an account, so that a replay has a base; those who have none are read anew by each full run. It returns
// how many records went. Each step is one transaction: after a crash the next call does the rest. It keeps
// 16 bytes and its share of a map for each person. It must not run twice at a time for one source: the second
// fails with Kind Conflict.
func (db *DB) CompactRecords(ctx context.Context, org, source string, before time.Time) (dropped int, err error) {
	// That somebody is gone is only forgotten when everything older about him is: else a crash between would
	// bring him back.
	last := lastWords{}
	for _, keep := range [...]func(context.Context, []byte) ([]*connector.Record, error){
		func(_ context.Context, data []byte) ([]*connector.Record, error) { return last.of(data) },
		func(ctx context.Context, data []byte) ([]*connector.Record, error) {
			return db.linked(ctx, org, source, data)
		},
	} {
		c := compaction{db: db, org: org, source: source, keep: keep}
		err := c.run(ctx, before)
		if dropped += c.dropped; err != nil {
			return dropped, wrap("compact records", err)
		}
	}
	return dropped, nil
}

// compaction goes from the latest chunk back. What is left of chunks that are small, or have lost somebody,
// is put together in the place of the latest of them: nothing of what lies between is about the same people.
type compaction struct {
	db          *DB
	org, source string
	keep        func(ctx context.Context, data []byte) ([]*connector.Record, error)
	packer      connector.RecordPacker
	from        []chunkRow // whose records the packer has; without their data
	lost        int        // records of these that are not kept
	dropped     int
}

func (c *compaction) run(ctx context.Context, before time.Time) error {
	for id := (connector.ID{0xff}); ; {
		rows, err := c.db.q.query(ctx, sqlChunksBack, c.org, c.source, id[:], micros(before), compactPage)
		page, err := add[chunkRow](nil, rows, err, scanChunk)
		if err != nil {
			return err
		}
		for i := range page {
			if err := c.chunk(ctx, &page[i]); err != nil {
				return err
			}
		}
		if len(page) < compactPage {
			return c.flush(ctx)
		}
		id = page[len(page)-1].id
	}
}

func (c *compaction) chunk(ctx context.Context, row *chunkRow) error {
	kept, err := c.keep(ctx, row.data)
	if err != nil || len(kept) == row.records && len(kept) >= compactWhole {
		return err
	}
	c.lost += row.records - len(kept)
	c.from = append(c.from, chunkRow{id: row.id, at: row.at, records: row.records, hash: row.hash})
	full := len(c.from) >= compactMost
	for _, r := range kept {
		full = c.packer.Add(r) || full
	}
	if !full {
		return nil
	}
	return c.flush(ctx)
}

// linked returns the records of those who are not gone and have an account.
func (db *DB) linked(ctx context.Context, org, source string, data []byte) ([]*connector.Record, error) {
	list, err := unpacked(data)
	if err != nil {
		return nil, err
	}
	args := make([]any, len(list))
	for i, r := range list {
		args[i] = anchorBlob(r.Anchor)
	}
	linked := map[connector.Anchor]bool{}
	err = inLists(sqlLinkedAnchors, []any{org, source}, args, func(q string, args []any) error {
		rows, err := db.q.query(ctx, q, args...)
		for a, err := range each(rows, err, func(r *sql.Rows, a *connector.Anchor) error { return r.Scan((*anchorColumn)(a)) }) {
			if err != nil {
				return err
			}
			linked[a] = true
		}
		return nil
	})
	return slices.DeleteFunc(list, func(r *connector.Record) bool { return r.Gone || !linked[r.Anchor] }), err
}

// flush puts what is kept in the place of the chunks that it comes from, in one transaction.
func (c *compaction) flush(ctx context.Context) error {
	if len(c.from) == 0 || len(c.from) == 1 && c.lost == 0 {
		c.packer, c.from = connector.RecordPacker{}, c.from[:0]
		return nil
	}
	chunk := connector.RecordChunk{}
	if c.packer.Count() > 0 {
		chunk = c.packer.Pack()
		chunk.Org, chunk.Source, chunk.At = c.org, c.source, c.from[0].at
	}
	err := c.db.write(ctx, func(t *tx) error {
		for i := range c.from {
			if err := t.dropChunk(ctx, c.org, c.source, &c.from[i]); err != nil {
				return err
			}
		}
		if chunk.Count > 0 {
			if err := t.putChunk(ctx, &chunk, c.from[0].id); err != nil {
				return err
			}
		}
		return t.dropBlobs(ctx, c.org, c.from)
	})
	if err == nil {
		c.dropped += c.lost
		c.from, c.lost = c.from[:0], 0
	}
	return err
}

func (t *tx) dropChunk(ctx context.Context, org, source string, c *chunkRow) error {
	n, err := t.s.exec(ctx, sqlDropChunk, org, source, c.id[:], c.hash)
	if err == nil && n == 0 {
		return conflict("compact records", "what source %s has said is being compacted by somebody else", source)
	}
	return err
}

// dropBlobs deletes those of the chunks' contents that no chunk has any more.
func (t *tx) dropBlobs(ctx context.Context, org string, chunks []chunkRow) error {
	var last []byte
	for i := range chunks {
		if bytes.Equal(last, chunks[i].hash) {
			continue
		}
		last = chunks[i].hash
		if _, err := t.s.exec(ctx, sqlDropBlob, org, last); err != nil {
			return err
		}
	}
	return nil
}

// DropRecords forgets everything that a source said before that time.
func (db *DB) DropRecords(ctx context.Context, org, source string, before time.Time) error {
	for {
		n := 0
		err := db.write(ctx, func(t *tx) error {
			rows, err := t.q.query(ctx, sqlOldChunks, org, source, micros(before), compactPage)
			old, err := add[chunkRow](nil, rows, err, scanChunk)
			if err != nil {
				return err
			}
			for i := range old {
				if err := t.dropChunk(ctx, org, source, &old[i]); err != nil {
					return err
				}
			}
			n = len(old)
			return t.dropBlobs(ctx, org, old)
		})
		if err != nil || n == 0 {
			return wrap("drop records", err)
		}
	}
}
