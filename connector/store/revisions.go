package store

import (
	"context"
	"database/sql"
	"time"

	"usherd/connector"
)

const (
	sqlPutRevision = `INSERT INTO revisions (id, at, text) VALUES (?,?,?) ON CONFLICT (id) DO NOTHING`
	sqlRevisions   = `SELECT id, at, text FROM revisions ORDER BY at DESC, id LIMIT 0 + ?`

	sqlRevision      = `SELECT id, at, text FROM revisions WHERE id = ?`
	sqlRevisionTimes = `SELECT id, at FROM revisions WHERE (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT 0 + ?`
)

// PutRevision keeps a revision; one that is there already stays as it is.
func (db *DB) PutRevision(ctx context.Context, r connector.Revision) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlPutRevision, r.ID, micros(r.At), r.Text)
		return wrap("put revision", err)
	})
}

// Revisions returns at most limit revisions, latest first.
func (r *reader) Revisions(ctx context.Context, limit int) ([]connector.Revision, error) {
	rows, err := r.q.query(ctx, sqlRevisions, pageSize(limit))
	list, err := add[connector.Revision](nil, rows, err, func(r *sql.Rows, v *connector.Revision) error {
		return r.Scan(&v.ID, (*timeColumn)(&v.At), &v.Text)
	})
	return list, wrap("revisions", err)
}

// Revision returns one revision, or an error of Kind NotFound.
func (r *reader) Revision(ctx context.Context, id string) (connector.Revision, error) {
	rows, err := r.q.query(ctx, sqlRevision, id)
	v, ok, err := first(rows, err, func(r *sql.Rows, v *connector.Revision) error { return r.Scan(&v.ID, (*timeColumn)(&v.At), &v.Text) })
	if err == nil && !ok {
		return v, notFound("revision", "there is no revision %s", id)
	}
	return v, wrap("revision", err)
}

// RevisionTimes returns at most limit revisions without their texts, latest first, from behind that one on; zero is from the latest on.
func (r *reader) RevisionTimes(ctx context.Context, before connector.Revision, limit int) ([]connector.Revision, error) {
	if before.ID == "" {
		before.At = time.Unix(1<<40, 0)
	}
	rows, err := r.q.query(ctx, sqlRevisionTimes, micros(before.At), before.ID, pageSize(limit))
	list, err := add[connector.Revision](nil, rows, err, func(r *sql.Rows, v *connector.Revision) error { return r.Scan(&v.ID, (*timeColumn)(&v.At)) })
	return list, wrap("revision times", err)
}
