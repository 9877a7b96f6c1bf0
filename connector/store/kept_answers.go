package store

import (
	"context"
	"database/sql"
	"time"

	"usherd/connector"
)

const (
	keptAnswerColumns = `org, token, key, request, begun, sealed`

	sqlKeptAnswer      = `SELECT ` + keptAnswerColumns + ` FROM kept_answers WHERE org = ? AND token = ? AND key = ?`
	sqlPutKeptAnswer   = `INSERT INTO kept_answers (` + keptAnswerColumns + `) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING`
	sqlEndKeptAnswer   = `UPDATE kept_answers SET sealed = ? WHERE org = ? AND token = ? AND key = ? AND begun = ?`
	sqlForgetAnswer    = `DELETE FROM kept_answers WHERE org = ? AND token = ? AND key = ?`
	sqlUndoKeptAnswer  = sqlForgetAnswer + ` AND begun = ?`
	sqlDropKeptAnswers = `DELETE FROM kept_answers WHERE begun < ?`
)

func scanKeptAnswer(r *sql.Rows, a *connector.KeptAnswer) error {
	var key, request []byte
	err := r.Scan(&a.Org, (*idColumn)(&a.Token), &key, &request, (*timeColumn)(&a.Begun), &a.Sealed)
	copy(a.Key[:], key)
	copy(a.Request[:], request)
	if len(a.Sealed) == 0 {
		a.Sealed = nil
	}
	return err
}

// BeginAnswer notes that the work for a request begins: of those who do it at the same moment, in whatever process, one
// begins. The others get what is known of it, perhaps without an answer yet. What was begun before forgotten counts for
// nothing, nor does work before abandoned that has no answer: whoever did it is gone.
func (db *DB) BeginAnswer(ctx context.Context, a connector.KeptAnswer, abandoned, forgotten time.Time) (former connector.KeptAnswer, begun bool, err error) {
	if a.Org == "" || a.Token.IsZero() || a.Begun.IsZero() {
		return former, false, invalid("begin answer", "an answer is given to a token of an organization, at a time")
	}
	err = db.write(ctx, func(t *tx) error {
		var ok bool
		rows, err := t.q.query(ctx, sqlKeptAnswer, a.Org, a.Token[:], a.Key[:])
		if former, ok, err = first(rows, err, scanKeptAnswer); err != nil {
			return wrap("begin answer", err)
		}
		valid := !former.Begun.Before(forgotten) && (former.Sealed != nil || former.Request != a.Request || !former.Begun.Before(abandoned))
		if begun = !ok || !valid; !begun {
			return nil
		}
		if _, err := t.s.exec(ctx, sqlForgetAnswer, a.Org, a.Token[:], a.Key[:]); err != nil {
			return wrap("begin answer", err)
		}
		n, err := t.s.exec(ctx, sqlPutKeptAnswer, a.Org, a.Token[:], a.Key[:], a.Request[:], micros(a.Begun), []byte{})
		if err == nil && n == 0 { // another process has been faster, and nothing more is known of it
			former, begun = a, false
		}
		return wrap("begin answer", err)
	})
	return former, begun, err
}

// EndAnswer keeps the answer of work that has begun; where somebody else has begun it again since, nothing.
func (db *DB) EndAnswer(ctx context.Context, a connector.KeptAnswer) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlEndKeptAnswer, a.Sealed, a.Org, a.Token[:], a.Key[:], micros(a.Begun))
		return wrap("end answer", err)
	})
}

// UndoAnswer forgets work that has begun and came to no answer, so that it can begin again at once.
func (db *DB) UndoAnswer(ctx context.Context, a connector.KeptAnswer) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlUndoKeptAnswer, a.Org, a.Token[:], a.Key[:], micros(a.Begun))
		return wrap("undo answer", err)
	})
}

// DropAnswers forgets what was begun before that time.
func (db *DB) DropAnswers(ctx context.Context, before time.Time) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlDropKeptAnswers, micros(before))
		return wrap("drop answers", err)
	})
}
