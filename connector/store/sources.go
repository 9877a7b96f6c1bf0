package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"usherd/connector"
)

const (
	sqlSource = `SELECT fingerprint, entries, present, last_run, last_ok, cursor, cursor_key FROM sources WHERE org = ? AND source = ?`

	sqlPutSource = `INSERT INTO sources (org, source, fingerprint, entries, present, last_run, last_ok, cursor, cursor_key) VALUES (?,?,?,?,?,?,?,?,?)
 ON CONFLICT (org, source) DO UPDATE SET fingerprint = excluded.fingerprint, entries = excluded.entries, present = excluded.present,
   last_run = excluded.last_run, last_ok = excluded.last_ok, cursor = excluded.cursor, cursor_key = excluded.cursor_key`
)

// SourceState returns what is remembered of a source; zero but for the names when nothing is.
func (r *reader) SourceState(ctx context.Context, org, source string) (connector.SourceState, error) {
	rows, err := r.q.query(ctx, sqlSource, org, source)
	s, _, err := first(rows, err, func(r *sql.Rows, s *connector.SourceState) error {
		var present []byte
		err := r.Scan((*hashColumn)(&s.Fingerprint), &s.Entries, &present, (*idColumn)(&s.LastRun), (*timeColumn)(&s.LastOK),
			&s.Cursor, (*hashColumn)(&s.CursorKey))
		if err != nil {
			return err
		}
		return json.Unmarshal(present, &s.Present)
	})
	s.Org, s.Source = org, source
	return s, wrap("source state", err)
}

// PutSourceState overwrites what is remembered of a source.
func (t *tx) PutSourceState(ctx context.Context, s connector.SourceState) error {
	present, err := json.Marshal(s.Present)
	if err == nil {
		_, err = t.s.exec(ctx, sqlPutSource, s.Org, s.Source, s.Fingerprint[:], s.Entries, string(present), idBlob(s.LastRun),
			micros(s.LastOK), s.Cursor, s.CursorKey[:])
	}
	return wrap("put source state", err)
}
