package store

import (
	"context"

	"go.uber.org/zap"
)

// A table of which the planner knows nothing is taken for one with 200 organizations, so that it would look for 64 people
// among all of an organization; and what has been planned is kept until the server looks at the table by itself, a
// minute later, when a first sync may have written a hundred thousand. So the writer has it look early.

const (
	figuresFirst = 500    // statements that write, before the server is told to look
	figuresMore  = 4      // times as many before it is told again
	figuresKnown = 10_000 // users whom the server knows of: from then on it keeps up by itself

	pgKnown   = `SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = 'users'::regclass`
	pgAnalyze = `ANALYZE users, user_keys, user_terms, links, events, groups, members, group_events, open_items, waiting, request_blocks, record_chunks`
)

// look has the server look at the tables where they may have become larger than it knows.
func (e *pgEngine) look(ctx context.Context) {
	if e.next == 0 || e.conn.written < e.next {
		return
	}
	var users int64
	err := e.conn.pgx().QueryRow(ctx, pgKnown).Scan(&users)
	if err == nil && users >= figuresKnown {
		e.next = 0
		return
	}
	if err == nil {
		err = e.simple(ctx, pgAnalyze)
	}
	if err != nil {
		e.log.Debug("analyze", zap.Error(err)) // the server does it by itself, only later
	}
	e.next = e.conn.written * figuresMore
}
