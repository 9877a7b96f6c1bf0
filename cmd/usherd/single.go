package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/store"
)

const (
	daemonLease = "daemon"
	daemonTTL   = 30 * time.Second
)

// single is the daemon's claim to its store: two daemons with two configurations would undo each other.
type single struct {
	db     *store.DB
	holder string
}

// takeSingle claims the store, also from a daemon that has been killed.
func takeSingle(ctx context.Context, db *store.DB, now time.Time) (*single, error) {
	s := &single{db: db, holder: processName() + " " + connector.NewID(now).String()}
	_, err := db.Lease(ctx, daemonLease, s.holder, daemonTTL)
	if connector.KindOf(err) != connector.Conflict || err == nil {
		return s, err
	}
	other, lookErr := db.LeaseHolder(ctx, daemonLease)
	if lookErr != nil {
		return nil, lookErr
	}
	process, _, _ := strings.Cut(other, " ")
	if other != "" && !processDead(process) {
		return nil, &connector.Error{
			Kind: connector.Conflict, Op: "serve", Err: errors.New("another usherd serves this store: " + process),
			Hint: "stop it first; if it was killed on another machine, the store is free after " + daemonTTL.String(),
		}
	}
	if err := db.Release(ctx, daemonLease, other); err != nil {
		return nil, err
	}
	_, err = db.Lease(ctx, daemonLease, s.holder, daemonTTL)
	return s, err
}

// keep renews the claim until ctx ends; it fails when another daemon has taken it, as after a long sleep
// of the machine.
func (s *single) keep(ctx context.Context) error {
	tick := time.NewTicker(daemonTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), daemonTTL)
			defer cancel()
			return s.db.Release(end, daemonLease, s.holder)
		case <-tick.C:
			if _, err := s.db.Lease(ctx, daemonLease, s.holder, daemonTTL); err != nil && connector.KindOf(err) == connector.Conflict {
				return err
			}
		}
	}
}
