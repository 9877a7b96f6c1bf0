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
	sqlMoveSelection  = `UPDATE selections SET begun = ?, result = ? WHERE id = ? AND begun = ?`
	sqlDropSelections = `DELETE FROM selections WHERE until < ?`
)

// PutSelection keeps a selection that nobody has carried out.
func (db *DB) PutSelection(ctx context.Context, s connector.Selection) error {
	if s.ID.IsZero() || s.Org == "" || s.Actor == "" || s.Deed == "" || len(s.IDs) == 0 || s.Until.IsZero() {
		return invalid("put selection", "a selection needs its id, organization, who has chosen whom for what, and its end")
	}
	ids := make([]byte, 0, len(s.IDs)*len(s.ID))
	for _, id := range s.IDs {
		ids = append(ids, id[:]...)
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlPutSelection, s.ID[:], s.Org, s.Actor, s.Deed, ids, micros(s.Until))
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

// selectionResult is how far a selection has come, as it is stored.
type selectionResult struct {
	Reason string                       `json:"reason,omitempty"`
	Choice string                       `json:"choice,omitempty"`
	Done   []connector.SelectionOutcome `json:"done,omitempty"`
}

func scanSelection(r *sql.Rows, s *connector.Selection) error {
	var ids []byte
	var text string
	err := r.Scan((*idColumn)(&s.ID), &s.Org, &s.Actor, &s.Deed, &ids, (*timeColumn)(&s.Until), (*timeColumn)(&s.Begun), &text)
	for len(ids) >= len(s.ID) {
		s.IDs = append(s.IDs, connector.ID(ids[:len(s.ID)]))
		ids = ids[len(s.ID):]
	}
	if err != nil || text == "" {
		return err
	}
	var result selectionResult
	err = json.Unmarshal([]byte(text), &result)
	s.Reason, s.Choice, s.Done = result.Reason, result.Choice, result.Done
	return err
}

// MoveSelection keeps how far a selection has come, and that it is at work since now: the first time, and each time after. Of those who
// begin it, or go on with it, at the same moment, in whatever process, one is told that it is theirs; s has that time then. Nobody is who
// read it before somebody else moved it.
func (db *DB) MoveSelection(ctx context.Context, s *connector.Selection, now time.Time) (ours bool, err error) {
	text, err := json.Marshal(selectionResult{s.Reason, s.Choice, s.Done})
	if err != nil {
		return false, wrap("move selection", err)
	}
	now = now.Truncate(time.Microsecond)
	err = db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlMoveSelection, micros(now), string(text), s.ID[:], micros(s.Begun))
		ours = n > 0
		return wrap("move selection", err)
	})
	if err != nil || !ours {
		return false, err
	}
	s.Begun = now
	return true, nil
}
