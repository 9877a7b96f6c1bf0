package provision

import (
	"context"
	"errors"
	"time"

	"usherd/connector"
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

// lease takes the source for this run and keeps it until release. When it is lost, the context ends.
func (p *Provisioner) lease(ctx context.Context, source string) (*claimed, context.Context, error) {
	l, err := TakeLease(ctx, LeaseOptions{
		Store: p.o.Store, Name: "source:" + p.o.Org.ID + "/" + source, Process: p.o.Process, Dead: p.o.Dead, Now: p.o.Now(),
	})
	if err != nil {
		if connector.KindOf(err) == connector.Conflict {
			err = &connector.Error{
				Kind: connector.Conflict, Op: "provision: " + source, Err: errors.New("another run of this source is going on"),
				Hint: "see it with: usherd runs; a run that was killed frees the source after " + LeaseTTL.String(),
			}
		}
		return nil, ctx, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.Keep(ctx); err != nil {
			cancel(err)
		}
	}()
	return &claimed{release: func() { cancel(nil); <-done }, turn: l.token}, ctx, nil
}
