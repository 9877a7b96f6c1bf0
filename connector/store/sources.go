package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"usherd/connector"
)

const (
	sqlSource = `SELECT fingerprint, entries, present, last_run, last_ok, cursor, cursor_key, removed FROM sources WHERE org = ? AND source = ?`

	sqlPutSource = `INSERT INTO sources (org, source, fingerprint, entries, present, last_run, last_ok, cursor, cursor_key, removed) VALUES (?,?,?,?,?,?,?,?,?,?)
 ON CONFLICT (org, source) DO UPDATE SET fingerprint = excluded.fingerprint, entries = excluded.entries, present = excluded.present,
   last_run = excluded.last_run, last_ok = excluded.last_ok, cursor = excluded.cursor, cursor_key = excluded.cursor_key, removed = excluded.removed`
)

// SourceState returns what is remembered of a source; zero but for the names when nothing is.
func (r *reader) SourceState(ctx context.Context, org, source string) (connector.SourceState, error) {
	rows, err := r.q.query(ctx, sqlSource, org, source)
	s, _, err := first(rows, err, func(r *sql.Rows, s *connector.SourceState) error {
		var present, removed []byte
		err := r.Scan((*hashColumn)(&s.Fingerprint), &s.Entries, &present, (*idColumn)(&s.LastRun), (*timeColumn)(&s.LastOK),
			&s.Cursor.Data, (*hashColumn)(&s.Cursor.Key), &removed)
		if err != nil {
			return err
		}
		return errors.Join(json.Unmarshal(present, &s.Present), json.Unmarshal(removed, &s.Removed))
	})
	s.Org, s.Source = org, source
	return s, wrap("source state", err)
}

// PutSourceState overwrites what is remembered of a source.
func (t *tx) PutSourceState(ctx context.Context, s connector.SourceState) error {
	present, err := json.Marshal(s.Present)
	removed, more := json.Marshal(append([]connector.RemovalCount{}, s.Removed...))
	if err = errors.Join(err, more); err == nil {
		_, err = t.s.exec(ctx, sqlPutSource, s.Org, s.Source, s.Fingerprint[:], s.Entries, string(present), idBlob(s.LastRun),
			micros(s.LastOK), s.Cursor.Data, s.Cursor.Key[:], string(removed))
	}
	return wrap("put source state", err)
}
