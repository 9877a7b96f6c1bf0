package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"usherd/connector"
)

const (
	sqlPutSelection   = `INSERT INTO selections (id, org, actor, deed, users, until, begun, result) VALUES (?,?,?,?,?,?,0,'')`
	sqlSelection      = `SELECT id, org, actor, deed, users, until, begun, result FROM selections WHERE id = ?`
	sqlBeginSelection = `UPDATE selections SET begun = ? WHERE id = ? AND begun = 0`
	sqlEndSelection   = `UPDATE selections SET result = ? WHERE id = ?`
	sqlDropSelections = `DELETE FROM selections WHERE until < ?`
)

// PutSelection keeps a selection that nobody has carried out.
func (db *DB) PutSelection(ctx context.Context, s connector.Selection) error {
	if s.ID.IsZero() || s.Org == "" || s.Actor == "" || s.Deed == "" || len(s.Users) == 0 || s.Until.IsZero() {
		return invalid("put selection", "a selection needs its id, organization, who has chosen whom for what, and its end")
	}
	users := make([]byte, 0, len(s.Users)*len(s.ID))
	for _, id := range s.Users {
		users = append(users, id[:]...)
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlPutSelection, s.ID[:], s.Org, s.Actor, s.Deed, users, micros(s.Until))
		return wrap("put selection", err)
	})
}

// Selection returns one of an organization, whatever its time. It fails with Kind NotFound.
func (r *reader) Selection(ctx context.Context, org string, id connector.ID) (connector.Selection, error) {
	rows, err := r.q.query(ctx, sqlSelection, id[:])
	s, ok, err := first(rows, err, scanSelection)
	switch {
	case err != nil:
		return connector.Selection{}, wrap("selection", err)
	case !ok || s.Org != org:
		return connector.Selection{}, notFound("selection", "there is no such selection")
	}
	return s, nil
}

func scanSelection(r *sql.Rows, s *connector.Selection) error {
	var users []byte
	var result string
	err := r.Scan((*idColumn)(&s.ID), &s.Org, &s.Actor, &s.Deed, &users, (*timeColumn)(&s.Until), (*timeColumn)(&s.Begun), &result)
	for len(users) >= len(s.ID) {
		s.Users = append(s.Users, connector.ID(users[:len(s.ID)]))
		users = users[len(s.ID):]
	}
	if err != nil || result == "" {
		return err
	}
	return json.Unmarshal([]byte(result), &s.Result)
}

// BeginSelection notes that a selection is carried out: of those who do it at the same moment, in whatever process, one is told to.
func (db *DB) BeginSelection(ctx context.Context, id connector.ID, now time.Time) (begun bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlBeginSelection, micros(now), id[:])
		begun = n > 0
		return wrap("begin selection", err)
	})
	return begun && err == nil, err
}

// EndSelection keeps what came of a selection.
func (db *DB) EndSelection(ctx context.Context, id connector.ID, result []connector.SelectionOutcome) error {
	text, err := json.Marshal(result)
	if err != nil {
		return wrap("end selection", err)
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlEndSelection, string(text), id[:])
		return wrap("end selection", err)
	})
}
