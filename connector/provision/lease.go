package provision

import (
	"context"
	"fmt"
	"strings"
	"time"

	"usherd/connector"
)

// LeaseTTL is how long a lease outlives a process that cannot be seen to be dead.
const LeaseTTL = 30 * time.Second

// LeaseOptions say who wants which lease. Process and Dead are those of Options.
type LeaseOptions struct {
	Store   connector.Store
	Name    string
	Process string
	Dead    func(process string) bool
	Now     time.Time
}

// Lease is the claim of one process to something that only one may do at a time.
type Lease struct {
	store        connector.Store
	name, holder string
	token        int64 // one more each time that somebody takes the lease
}

// TakeLease takes the lease, also from a process that has died with it. While a living one holds it, the
// error is of Kind Conflict and names it.
func TakeLease(ctx context.Context, o LeaseOptions) (*Lease, error) {
	l := &Lease{store: o.Store, name: o.Name, holder: o.Process + " " + connector.NewID(o.Now).String()}
	err := l.renew(ctx)
	if err == nil || connector.KindOf(err) != connector.Conflict {
		return l, err
	}
	other, err := o.Store.LeaseHolder(ctx, o.Name)
	if err != nil {
		return nil, err
	}
	process, _, _ := strings.Cut(other, " ")
	if other != "" && (o.Dead == nil || !o.Dead(process)) {
		return nil, &connector.Error{Kind: connector.Conflict, Op: "lease " + o.Name, Err: fmt.Errorf("process %s holds it", process)}
	}
	if err := o.Store.Release(ctx, o.Name, other); err != nil {
		return nil, err
	}
	return l, l.renew(ctx)
}

func (l *Lease) renew(ctx context.Context) error {
	token, err := l.store.Lease(ctx, l.name, l.holder, LeaseTTL)
	if err == nil && l.token == 0 {
		l.token = token
	}
	return err
}

// Keep renews the lease until ctx ends and gives it back then. It fails when somebody else has got it, as
// after a long sleep of the machine.
func (l *Lease) Keep(ctx context.Context) error {
	tick := time.NewTicker(LeaseTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			free, stop := context.WithTimeout(context.WithoutCancel(ctx), LeaseTTL)
			defer stop()
			_ = l.store.Release(free, l.name, l.holder) // else it expires by itself
			return nil
		case <-tick.C:
			if err := l.renew(ctx); err != nil && connector.KindOf(err) == connector.Conflict {
				return err
			}
		}
	}
}
