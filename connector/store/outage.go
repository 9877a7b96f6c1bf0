package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// patience is how long a database that is away is waited for, from the first failure on. Afterwards whoever asks
	// is told at once, until it is back.
	patience = 20 * time.Second

	retryFirst = 10 * time.Millisecond
	retryMost  = 500 * time.Millisecond
)

// outage is a time in which the database cannot be reached. The writer and those who read have one each: what can be read
// need not take writes.
type outage struct {
	log      *zap.Logger
	patience time.Duration

	on   atomic.Bool
	mu   sync.Mutex
	end  context.Context //nolint:containedctx // ends when patience does
	stop context.CancelFunc
}

// wait pauses before something is tried again for the n-th time, and reports whether it is to be. The first failure
// begins the outage.
func (o *outage) wait(ctx context.Context, n int, err error) bool {
	o.mu.Lock()
	if o.end == nil {
		o.end, o.stop = context.WithTimeout(context.Background(), o.patience)
		o.on.Store(true)
		o.log.Warn("the database is away", zap.Error(err))
	}
	end := o.end
	o.mu.Unlock()
	pause := min(retryFirst<<min(n, 10), retryMost)
	timer := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // so that not all try at the same moment
	defer timer.Stop()
	select {
	case <-end.Done():
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return !errors.Is(end.Err(), context.DeadlineExceeded) // if it has ended otherwise, the database is back
}

// long reports whether the database has been away for longer than it is waited for.
func (o *outage) long() bool {
	if !o.on.Load() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.end != nil && o.end.Err() != nil
}

// over says that the database has answered.
func (o *outage) over() {
	if !o.on.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end == nil {
		return
	}
	o.stop()
	o.end, o.stop = nil, nil
	o.on.Store(false)
	o.log.Info("the database is back")
}
