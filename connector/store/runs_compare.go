package store

import (
	"context"
	"database/sql"

	"usherd/connector"
)

const (
	sqlRunDocs       = `SELECT doc FROM runs WHERE id > ? ORDER BY id`
	sqlNothingUndone = `UPDATE runs SET undoes = ?`
	sqlPutUndoes     = `UPDATE runs SET undoes = ? WHERE id = ?`

	sqlEventsInRun = `SELECT u.org, ` + eventColumns + ` FROM users u JOIN events e ON e.user_id = u.id
 WHERE e.run = ? AND u.org = ? AND u.id IN (*) ORDER BY e.id`

	sqlOutcomesOf     = `SELECT id, doc FROM outcomes WHERE run = ? AND person IN (*) ORDER BY id`
	sqlAnyWithoutName = `SELECT 1 FROM outcomes WHERE run = ? AND person IS NULL LIMIT 1`
)

// fillUndoes notes which run each one undoes that was written before that stood in a column.
func fillUndoes(ctx context.Context, s *session) error {
	var undone []*connector.Run
	rows, err := s.stream(ctx, sqlRunDocs, make([]byte, len(connector.ID{})))
	for run, err := range each(rows, err, scanRun) {
		if err != nil {
			return err
		}
		if !run.Undoes.IsZero() {
			undone = append(undone, run)
		}
	}
	if err := drain(s.stream(ctx, sqlNothingUndone, make([]byte, len(connector.ID{})))); err != nil {
		return err
	}
	return s.batch(ctx, func(b *batch) error {
		for _, run := range undone {
			if err := b.exec(sqlPutUndoes, run.Undoes[:], run.ID[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// EventsInRun returns what a run did to these users, in the order in which it happened.
func (r *reader) EventsInRun(ctx context.Context, org string, run connector.ID, users []connector.ID) (events []connector.Event, err error) {
	err = inLists(sqlEventsInRun, []any{run[:], org}, idArgs(users), func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		list, err := add[eventRow](nil, rows, err, scanEvent)
		for i := range list {
			events = append(events, list[i].Event)
		}
		return err
	})
	return events, wrap("events in run", err)
}

// OutcomesOf returns what was kept of these people of a run; of each Anchor counts, or where there is none DN, or else Subject.
func (r *reader) OutcomesOf(ctx context.Context, run connector.ID, people []*connector.Change) (list []connector.Outcome, err error) {
	args := make([]any, len(people))
	for i, c := range people {
		args[i] = personBlob(c.Anchor, c.DN, c.Subject)
	}
	err = inLists(sqlOutcomesOf, []any{run[:]}, args, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		list, err = add(list, rows, err, scanOutcome)
		return err
	})
	return list, wrap("outcomes of people", err)
}

// OutcomesFound reports whether OutcomesOf finds all that was kept of a run: it does not where an older usherd has kept it.
func (r *reader) OutcomesFound(ctx context.Context, run connector.ID) (bool, error) {
	rows, err := r.q.query(ctx, sqlAnyWithoutName, run[:])
	_, some, err := first(rows, err, func(r *sql.Rows, n *int) error { return r.Scan(n) })
	return !some, wrap("outcomes found", err)
}
