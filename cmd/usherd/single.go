package main

import (
	"context"
	"fmt"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/store"
)

// takeSingle claims the store for this daemon: two with two configurations would undo each other.
func takeSingle(ctx context.Context, db *store.DB, now time.Time) (*provision.Lease, error) {
	l, err := provision.TakeLease(ctx, provision.LeaseOptions{
		Store: db, Name: "daemon", Process: processName(), Dead: processDead, Now: now,
	})
	if err != nil && connector.KindOf(err) == connector.Conflict {
		err = &connector.Error{
			Kind: connector.Conflict, Op: "serve", Err: fmt.Errorf("another usherd serves this store: %w", err),
			Hint: "stop it first; if it was killed on another machine, the store is free after " + provision.LeaseTTL.String(),
		}
	}
	return l, err
}
