package provision

import (
	"context"
	"errors"
	"time"

	"usherd/connector"
	"usherd/connector/lease"
)

const (
	leaseTry    = time.Second / 5
	runPatience = 5 * time.Second // following live holds a source for moments only
)

// claimed is a source on which nobody else works until release.
type claimed struct {
	release func()
	waited  bool  // another run went on
	turn    int64 // one more than that of whoever worked on the source before
}

// claim takes the source when no other run of it goes on, and waits for that for a time or, when patience is
// 0, as long as it takes; whatever ran before and did not end is told to have been cut off. When the source is
// lost, the context ends.
func (p *Provisioner) claim(ctx context.Context, source string, patience time.Duration) (*claimed, context.Context, error) {
	var c *claimed
	var held context.Context
	waited := false
	for tried := time.Duration(0); ; tried += leaseTry {
		var err error
		if c, held, err = p.lease(ctx, source); err == nil {
			break
		}
		if connector.KindOf(err) != connector.Conflict || patience > 0 && tried >= patience {
			return nil, ctx, err
		}
		waited = true
		select {
		case <-ctx.Done():
			return nil, ctx, ctx.Err()
		case <-time.After(leaseTry):
		}
	}
	if _, err := p.o.Store.InterruptRuns(held, p.o.Org.ID, source, p.o.Now()); err != nil {
		c.release()
		return nil, ctx, err
	}
	c.waited = waited
	return c, held, nil
}

// lease takes the source for this run and keeps it until release. When it is lost, the context ends; what is written
// under the context is fenced.
func (p *Provisioner) lease(ctx context.Context, source string) (*claimed, context.Context, error) {
	l, err := lease.Take(ctx, lease.Options{
		Store: p.o.Store, Name: "source:" + p.o.Org.ID + "/" + source, Dead: p.o.Dead,
		Holder: lease.NewHolder(ctx, p.o.Process, connector.NewID(p.o.Now()).String()),
	})
	if err != nil {
		if connector.KindOf(err) == connector.Conflict {
			err = &connector.Error{
				Kind: connector.Conflict, Op: "provision: " + source, Err: errors.New("another run of this source is going on"),
				Hint: "see it with: usherd runs; a run that was killed frees the source after " + lease.TTL.String(),
			}
		}
		return nil, ctx, err
	}
	held, release := l.Hold(ctx)
	return &claimed{release: release, turn: l.Turn()}, held, nil
}

// Interrupt tells of runs of the source that were cut off, unless one goes on.
func (p *Provisioner) Interrupt(ctx context.Context, source string) error {
	c, _, err := p.claim(ctx, source, leaseTry/2)
	if err != nil {
		if connector.KindOf(err) == connector.Conflict {
			return lease.Lost(ctx)
		}
		return err
	}
	c.release()
	return nil
}
