package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

const (
	// Each end of a run, which one that grows has many of, is to be told; what becomes of its hold afterwards is not.
	sqlPutRun = `INSERT INTO runs (id, org, source, result, finished, held, doc, untold, undoes) VALUES (?,?,?,?,?,?,?,?,?)
 ON CONFLICT (id) DO UPDATE SET result = excluded.result, finished = excluded.finished, held = excluded.held, doc = excluded.doc,
 untold = CASE WHEN excluded.finished = runs.finished THEN runs.untold ELSE runs.untold + 1 END`

	sqlRun = `SELECT doc FROM runs WHERE id = ?`

	sqlRuns         = `SELECT doc FROM runs WHERE id < ? ORDER BY id DESC LIMIT 0 + ?`
	sqlRunsOfOrg    = `SELECT doc FROM runs WHERE org = ? AND id < ? ORDER BY id DESC LIMIT 0 + ?`
	sqlRunsOfSource = `SELECT doc FROM runs WHERE org = ? AND source = ? AND id < ? ORDER BY id DESC LIMIT 0 + ?`

	sqlOpenHolds         = `SELECT doc FROM runs WHERE org = ? AND held = 1 ORDER BY id LIMIT 1000`
	sqlOpenHoldsOfSource = `SELECT doc FROM runs WHERE org = ? AND source = ? AND held = 1 ORDER BY id LIMIT 1000`

	// Latest end first. A pair bounds where the list begins: the end of one run and its id, or a time alone.
	sqlRunsEnded = `SELECT doc FROM runs
 WHERE org = ? AND finished > 0 AND finished >= ? AND (finished, id) < (?, ?) AND (? = '' OR source = ?) ORDER BY finished DESC, id DESC LIMIT 0 + ?`
	sqlRunsOfOrgUp    = `SELECT doc FROM runs WHERE org = ? AND id > ? ORDER BY id LIMIT 0 + ?`
	sqlRunsOfSourceUp = `SELECT doc FROM runs WHERE org = ? AND source = ? AND id > ? ORDER BY id LIMIT 0 + ?`
	// The index is asked for the times alone: of places it tells without reading a run.
	sqlRunsEndedUp = `SELECT doc FROM runs
 WHERE org = ? AND finished > 0 AND finished < ? AND (finished, id) > (?, ?) AND (? = '' OR source = ?) ORDER BY finished, id LIMIT 0 + ?`
	sqlRunEnd = `SELECT finished FROM runs WHERE id = ?`

	sqlRollbacks    = `SELECT doc FROM runs WHERE undoes = ? AND id > ?`
	sqlOldRunsAfter = `SELECT doc FROM runs WHERE undoes IS NULL AND id > ?`

	sqlRunIDs = `SELECT id FROM runs ORDER BY id DESC`

	sqlRunning = `SELECT doc FROM runs WHERE org = ? AND source = ? AND result = 'running'`

	sqlPrunable = `SELECT r.id FROM runs r WHERE r.finished > 0 AND r.finished < ? AND r.held = 0
   AND EXISTS (SELECT 1 FROM runs l WHERE l.org = r.org AND l.source = r.source AND l.id > r.id)
 ORDER BY r.id LIMIT 8`

	sqlDeleteRun      = `DELETE FROM runs WHERE id = ?`
	sqlDeleteOutcomes = `DELETE FROM outcomes WHERE run = ?`
	sqlPutOutcome     = `INSERT INTO outcomes (run, id, doc, person) VALUES (?,?,?,?)`
)

// lastOfAll is after every id.
var lastOfAll = connector.ID(bytes.Repeat([]byte{0xff}, 16))

func scanRun(r *sql.Rows, v **connector.Run) error {
	var doc sql.RawBytes
	if err := r.Scan(&doc); err != nil {
		return err
	}
	*v = &connector.Run{}
	return json.Unmarshal(doc, *v)
}

// PutRun inserts the run or overwrites it.
func (t *tx) PutRun(ctx context.Context, run *connector.Run) error {
	if run.ID.IsZero() {
		return invalid("put run", "a run has no id")
	}
	doc, err := json.Marshal(run)
	if err != nil {
		return wrap("put run", err)
	}
	held := run.Hold != nil && run.Hold.Status == connector.HoldOpen
	_, err = t.s.exec(ctx, sqlPutRun, run.ID[:], run.Org, run.Source, run.Result, micros(run.Finished), flag(held), doc, flag(!run.Finished.IsZero()), run.Undoes[:])
	return wrap("put run", err)
}

// Run returns one run, or an error of Kind NotFound.
func (r *reader) Run(ctx context.Context, id connector.ID) (*connector.Run, error) {
	rows, err := r.q.query(ctx, sqlRun, id[:])
	run, ok, err := first(rows, err, scanRun)
	if err == nil && !ok {
		return nil, notFound("run", "there is no run %s", id)
	}
	return run, wrap("run", err)
}

// Runs returns runs, latest first: by their start, or with From or Until by their end.
func (r *reader) Runs(ctx context.Context, f connector.RunFilter) ([]*connector.Run, error) {
	before := f.Before
	if before.IsZero() && !f.Oldest {
		before = lastOfAll
	}
	q, args, ofOrg, ofSource := sqlRuns, []any{before[:], pageSize(f.Limit)}, sqlRunsOfOrg, sqlRunsOfSource
	if f.Oldest {
		ofOrg, ofSource = sqlRunsOfOrgUp, sqlRunsOfSourceUp
	}
	switch {
	case f.Oldest && f.Org == "":
		return nil, invalid("runs", "Oldest needs Org")
	case !f.From.IsZero() || !f.Until.IsZero():
		var err error
		if q, args, err = r.endedRuns(ctx, f); err != nil {
			return nil, wrap("runs", err)
		}
	case f.Source != "":
		q, args = ofSource, []any{f.Org, f.Source, before[:], pageSize(f.Limit)}
	case f.Org != "":
		q, args = ofOrg, []any{f.Org, before[:], pageSize(f.Limit)}
	}
	rows, err := r.q.query(ctx, q, args...)
	runs, err := add[*connector.Run](nil, rows, err, scanRun)
	return runs, wrap("runs", err)
}

// endedRuns is the question for runs by their end. A run that grows has another end each time: while somebody turns pages it may move up.
func (r *reader) endedRuns(ctx context.Context, f connector.RunFilter) (string, []any, error) {
	if f.Org == "" {
		return "", nil, invalid("runs", "From and Until need Org")
	}
	end, begin := int64(math.MaxInt64), micros(f.From)
	if !f.Until.IsZero() {
		end = micros(f.Until)
	}
	last, err := r.endOf(ctx, f.Before)
	switch {
	case err != nil:
		return "", nil, err
	case f.Oldest && !f.Before.IsZero() && last >= begin:
		return sqlRunsEndedUp, []any{f.Org, end, last, f.Before[:], f.Source, f.Source, pageSize(f.Limit)}, nil
	case f.Oldest: // from the first run that ended at that time on
		return sqlRunsEndedUp, []any{f.Org, end, begin, make([]byte, len(f.Before)), f.Source, f.Source, pageSize(f.Limit)}, nil
	}
	before := connector.ID{} // before the first run that ended at that time
	if !f.Before.IsZero() && last < end {
		end, before = last, f.Before
	}
	return sqlRunsEnded, []any{f.Org, begin, end, before[:], f.Source, f.Source, pageSize(f.Limit)}, nil
}

// endOf is when the run ended that a page ended with; 0 where there was none.
func (r *reader) endOf(ctx context.Context, id connector.ID) (int64, error) {
	if id.IsZero() {
		return 0, nil
	}
	rows, err := r.q.query(ctx, sqlRunEnd, id[:])
	last, ok, err := first(rows, err, func(r *sql.Rows, n *int64) error { return r.Scan(n) })
	if err == nil && !ok {
		err = notFound("runs", "there is no run %s any more", id)
	}
	return last, err
}

// OpenHolds returns the runs that are written as waiting for approval, oldest first.
func (r *reader) OpenHolds(ctx context.Context, org, source string) ([]*connector.Run, error) {
	q, args := sqlOpenHolds, []any{org}
	if source != "" {
		q, args = sqlOpenHoldsOfSource, []any{org, source}
	}
	rows, err := r.q.query(ctx, q, args...)
	runs, err := add[*connector.Run](nil, rows, err, scanRun)
	return runs, wrap("open holds", err)
}

// Rollbacks returns the runs that put back what that run did and have changed somebody, the first one
// first.
func (r *reader) Rollbacks(ctx context.Context, run *connector.Run) (list []*connector.Run, err error) {
	rows, err := r.q.query(ctx, sqlRollbacks, run.ID[:], run.ID[:])
	found, err := add[*connector.Run](nil, rows, err, scanRun)
	if err == nil { // of those that an older usherd writes beside this one nothing but their document tells
		rows, err = r.q.query(ctx, sqlOldRunsAfter, run.ID[:])
		found, err = add(found, rows, err, scanRun)
	}
	for _, later := range found {
		if later.Undoes == run.ID && later.Counts.Changed() > 0 {
			list = append(list, later)
		}
	}
	slices.SortFunc(list, func(a, b *connector.Run) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return list, wrap("rollbacks", err)
}

// refMin is the shortest ending of an id that names a run.
const refMin = 4

// FindRun returns the run that a person means: its id, an ending of it of at least four characters
// that no other run has, or "last". It fails with Kind NotFound or Invalid.
func (r *reader) FindRun(ctx context.Context, text string) (*connector.Run, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if id, err := connector.ParseID(text); err == nil {
		return r.Run(ctx, id)
	}
	if text != "last" && len(text) < refMin {
		return nil, invalid("find run", "%q is too short: give the id, at least its last %d characters, or last", text, refMin)
	}
	rows, err := r.q.stream(ctx, sqlRunIDs)
	var found connector.ID
	for id, err := range each(rows, err, func(r *sql.Rows, id *connector.ID) error { return r.Scan((*idColumn)(id)) }) {
		if err != nil {
			return nil, wrap("find run", err)
		}
		if text == "last" {
			found = id
			break
		}
		if !strings.HasSuffix(id.String(), text) {
			continue
		}
		if !found.IsZero() {
			return nil, invalid("find run", "%q is the ending of more than one run: give more of the id", text)
		}
		found = id
	}
	if found.IsZero() {
		return nil, notFound("find run", "there is no run %q", text)
	}
	return r.Run(ctx, found)
}

// InterruptRuns marks the runs of the source that still say "running" as failed: cut off. Only who
// holds the source's lease may call it. It returns how many there were.
func (db *DB) InterruptRuns(ctx context.Context, org, source string, now time.Time) (n int, err error) {
	err = db.write(ctx, func(t *tx) error {
		rows, err := t.q.query(ctx, sqlRunning, org, source)
		runs, err := add[*connector.Run](nil, rows, err, scanRun)
		if err != nil {
			return err
		}
		for _, run := range runs {
			run.Result, run.Error, run.Finished = connector.ResultFailed, connector.CutOff, now.UTC()
			if err := t.PutRun(ctx, run); err != nil {
				return err
			}
		}
		n = len(runs)
		return nil
	})
	return n, wrap("interrupt runs", err)
}

// PutOutcomes keeps changes that left no event for the run's report, in the order given.
func (t *tx) PutOutcomes(ctx context.Context, run connector.ID, changes []*connector.Change) error {
	docs := make([][]byte, len(changes))
	for i, c := range changes {
		doc, err := marshalChange(c)
		if err != nil {
			return wrap("put outcomes", err)
		}
		docs[i] = doc
	}
	now := t.now()
	return wrap("put outcomes", t.s.batch(ctx, func(b *batch) error {
		for i, c := range changes {
			id := connector.NewID(now)
			if err := b.exec(sqlPutOutcome, run[:], id[:], docs[i], personBlob(c.Anchor, c.DN, c.Subject)); err != nil {
				return err
			}
		}
		return nil
	}))
}

// DropOutcomes forgets the outcomes of a run.
func (db *DB) DropOutcomes(ctx context.Context, run connector.ID) error {
	return wrap("drop outcomes", db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlDeleteOutcomes, run[:])
		return err
	}))
}

// Prune deletes runs that finished before that time, with their outcomes, but neither the latest one
// of a source nor one that waits for approval. Events stay. It returns how many runs went.
func (db *DB) Prune(ctx context.Context, before time.Time) (int, error) {
	for total := 0; ; {
		n := 0
		err := db.write(ctx, func(t *tx) error {
			var err error
			n, err = t.pruneSome(ctx, before)
			return err
		})
		total += n
		if err != nil || n == 0 {
			return total, wrap("prune", err)
		}
	}
}

// pruneSome deletes a few runs, so that others get their turn between.
func (t *tx) pruneSome(ctx context.Context, before time.Time) (int, error) {
	rows, err := t.q.query(ctx, sqlPrunable, micros(before))
	ids, err := add[connector.ID](nil, rows, err, func(r *sql.Rows, id *connector.ID) error { return r.Scan((*idColumn)(id)) })
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		for _, q := range [...]string{sqlDeleteOutcomes, sqlDeleteRun} {
			if _, err := t.s.exec(ctx, q, id[:]); err != nil {
				return 0, err
			}
		}
	}
	return len(ids), nil
}
