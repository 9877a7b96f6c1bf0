package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"usherd/connector"
)

const (
	reloadLease   = "reload"
	reloadOK      = "ok"
	reloadRefused = "refused"
	reloadTTL     = 15 * time.Second // how long a request waits for the daemon
	reloadLook    = time.Second      // how often the daemon looks for one
)

func (a *app) reloadCmd() *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Have the daemon read the configuration again", Args: noArgs,
		Long: `reload checks the configuration and asks the daemon that works on its store to read it again. SIGHUP does the
same where there are signals. A file with faults changes nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error { return a.askReload(cmd.Context(), s) })
		},
	}
}

// askReload leaves a request in the store, as a lease that the daemon takes away when it has followed
// it: that works on every system and needs no door that others could use.
func (a *app) askReload(ctx context.Context, s *site) error {
	holder := processName() + " " + connector.NewID(a.now()).String()
	if _, err := s.db.Lease(ctx, reloadLease, holder, reloadTTL); err != nil {
		return err
	}
	defer s.db.Release(context.WithoutCancel(ctx), reloadLease, holder) //nolint:errcheck // it expires by itself
	tick := time.NewTicker(reloadLook / 5)
	defer tick.Stop()
	end := time.NewTimer(reloadTTL / 2)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return &connector.Error{
				Kind: connector.Unavailable, Op: "reload", Err: errors.New("no daemon answers on this store"),
				Hint: "start it with: usherd serve; when it runs, its log says why it does not answer",
			}
		case <-tick.C:
		}
		now, err := s.db.LeaseHolder(ctx, reloadLease)
		if err != nil {
			return err
		}
		switch now {
		case holder:
		case reloadRefused:
			return &connector.Error{
				Kind: connector.Refused, Op: "reload", Err: errors.New("the daemon refuses the configuration, the old one stays in force"),
				Hint: "its log says why; it may see other secrets or environment variables than you do",
			}
		default:
			_, err := fmt.Fprintf(a.out, "the daemon has read %s again, revision %s\n", s.file.Path, s.file.Revision)
			return err
		}
	}
}

// request returns who asks for a reload, "" when nobody does.
func (d *daemon) request(ctx context.Context) string {
	holder, err := d.current().db.LeaseHolder(ctx, reloadLease)
	if err != nil || holder == reloadRefused {
		return ""
	}
	return holder
}

// answer takes the request away, and leaves a word where it is refused.
func (d *daemon) answer(ctx context.Context, holder string, ok bool) {
	db := d.current().db
	if err := db.Release(ctx, reloadLease, holder); err != nil || ok {
		return
	}
	_, _ = db.Lease(ctx, reloadLease, reloadRefused, 2*reloadLook)
}
