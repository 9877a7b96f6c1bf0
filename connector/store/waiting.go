package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"usherd/connector"
)

const (

	// Who is on the list of the same package keeps the place.
	sqlPutWaiting = `INSERT INTO waiting (org, source, person, package, id, since, record) VALUES (?,?,?,?,?,?,?)
 ON CONFLICT (org, source, person) DO UPDATE SET record = excluded.record,
   id = CASE WHEN waiting.package = excluded.package THEN waiting.id ELSE excluded.id END,
   since = CASE WHEN waiting.package = excluded.package THEN waiting.since ELSE excluded.since END,
   package = excluded.package`

	sqlLeaveList  = `DELETE FROM waiting WHERE org = ? AND source = ? AND person IN (*)`
	sqlLeavePlace = `DELETE FROM waiting WHERE org = ? AND package = ? AND id = ?`

	sqlWaiting = `SELECT id, org, package, source, record, since FROM waiting WHERE org = ? AND package = ? ORDER BY id LIMIT 0 + ?`

	sqlQueue = `SELECT w.id, w.org, w.package, w.source, w.record, w.since, coalesce(i.ref, ''), coalesce(i.subject, ''), i.user_id
 FROM waiting w LEFT JOIN open_items i ON i.org = w.org AND i.source = w.source AND i.person = w.person AND i.reason = 'no_seat'
 WHERE w.org = ? AND w.package = ? AND w.id > ? ORDER BY w.id LIMIT 0 + ?`
)

// placeDoc is what is kept of a place: the record to try again, and when it came last.
type placeDoc struct {
	recordDoc
	Asked time.Time `json:"asked,omitzero"` // there is none in a place from before it was kept
}

// Waiting returns the head of the waiting list of a package, longest waiting first.
func (r *reader) Waiting(ctx context.Context, org, pkg string, limit int) ([]connector.Waiter, error) {
	rows, err := r.q.query(ctx, sqlWaiting, org, pkg, limit)
	list, err := add[connector.Waiter](nil, rows, err, func(r *sql.Rows, w *connector.Waiter) error { return scanWaiter(r, w) })
	return list, wrap("waiting", err)
}

// scanWaiter reads a place, and more columns after it.
func scanWaiter(r *sql.Rows, w *connector.Waiter, more ...any) error {
	var doc []byte
	if err := r.Scan(append([]any{(*idColumn)(&w.ID), &w.Org, &w.Package, &w.Source, &doc, (*timeColumn)(&w.Since)}, more...)...); err != nil {
		return err
	}
	var d placeDoc
	if err := json.Unmarshal(doc, &d); err != nil {
		return err
	}
	if w.Record, w.Asked = d.record(), d.Asked; w.Asked.IsZero() {
		w.Asked = w.Since
	}
	return nil
}

// Queue returns a page of the waiting list of a package with what is known of the people, longest waiting first, after a place.
func (r *reader) Queue(ctx context.Context, org, pkg string, after connector.ID, limit int) ([]connector.Queued, error) {
	rows, err := r.q.query(ctx, sqlQueue, org, pkg, after[:], pageSize(limit))
	list, err := add[connector.Queued](nil, rows, err, func(r *sql.Rows, q *connector.Queued) error {
		return scanWaiter(r, &q.Waiter, &q.Ref, &q.Subject, (*idColumn)(&q.User))
	})
	return list, wrap("queue", err)
}

// LeaveList takes a place off the list, see connector.Tx.
func (t *tx) LeaveList(ctx context.Context, w connector.Waiter) error {
	err := t.s.waitingMoved(ctx, linkSource{w.Org, w.Source})
	if err == nil {
		_, err = t.s.exec(ctx, sqlLeavePlace, w.Org, w.Package, w.ID[:])
	}
	return wrap("waiting", err)
}

func (s *saver) wait(c *connector.Change, pkg string, person []byte) error {
	doc, err := json.Marshal(placeDoc{*newRecordDoc(c.Waiting), timeOf(micros(s.now))})
	if err != nil {
		return err
	}
	if err := s.t.s.waitingMoved(s.ctx, linkSource{c.Org, c.Source}); err != nil {
		return err
	}
	id := connector.NewID(s.now)
	_, err = s.t.s.exec(s.ctx, sqlPutWaiting, c.Org, c.Source, person, pkg, id[:], micros(s.now), doc)
	return err
}
