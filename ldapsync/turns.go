package ldapsync

import "context"

// turns is a mutex that one can stop waiting for.
type turns chan struct{}

func newTurns() turns { return make(turns, 1) }

// take waits for a turn until ctx is done, whose error it returns then.
func (t turns) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Lock waits for a turn.
func (t turns) Lock() { t <- struct{}{} }

// Unlock ends a turn.
func (t turns) Unlock() { <-t }
