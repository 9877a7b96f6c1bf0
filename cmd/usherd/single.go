package main

import (
	"context"
	"fmt"
	"time"

	"usherd/connector"
	"usherd/connector/lease"
	"usherd/connector/store"
)

// takeSingle claims the store for this daemon: two with two configurations would undo each other.
func takeSingle(ctx context.Context, db *store.DB, now time.Time) (*lease.Lease, error) {
	l, err := lease.Take(ctx, lease.Options{
		Store: db, Name: "daemon", Holder: processName() + " " + connector.NewID(now).String(), Dead: processDead,
	})
	if err != nil && connector.KindOf(err) == connector.Conflict {
		err = &connector.Error{
			Kind: connector.Conflict, Op: "serve", Err: fmt.Errorf("another usherd serves this store: %w", err),
			Hint: "stop it first; if it was killed on another machine, the store is free after " + lease.TTL.String(),
		}
	}
	return l, err
}
