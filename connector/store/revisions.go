package store

import (
	"context"
	"database/sql"

	"usherd/connector"
)

const (
	sqlPutRevision = `INSERT INTO revisions (id, at, text) VALUES (?,?,?) ON CONFLICT (id) DO NOTHING`
	sqlRevisions   = `SELECT id, at, text FROM revisions ORDER BY at DESC, id LIMIT 0 + ?`
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
