package sources

import (
	"context"
	"errors"
	"sync"
	"time"

	"usherd/connector"
)

const (
	// asksAtATime is how many ask a directory at the same time.
	asksAtATime = 4
	// placeFor is how long one waits until fewer others ask.
	placeFor = 2 * time.Second
	// answerFor is how long one waits for an answer.
	answerFor = 10 * time.Second
	// testFor is how long a connection test takes at most: it tries one server after the other.
	testFor = 30 * time.Second
	// deniedFor is how long a directory is not asked again that does not accept the service account: each try could lock it. A
	// connection test that succeeds, or another configuration, ends it at once.
	deniedFor = time.Hour
)

// ErrBusy says that too many others ask at the moment.
var ErrBusy = &connector.Error{
	Kind: connector.Unavailable, Op: "ask a directory", Err: errors.New("too many ask directories at the moment"), Hint: "try again in a few seconds",
}

// Desk is where directories are asked while somebody waits for the answer: by few at a time, not for ever, and not again and again
// where the service account is not accepted. It is safe for concurrent use.
type Desk struct {
	now     func() time.Time
	places  chan struct{}
	denials sync.Map // denial by Key
}

// Key names a source.
type Key struct{ Org, Source string }

// denial is that a directory has not accepted the service account.
type denial struct {
	at  time.Time
	err error
}

// NewDesk returns one at which nobody asks yet.
func NewDesk(now func() time.Time) *Desk {
	return &Desk{now: now, places: make(chan struct{}, asksAtATime)}
}

// Ask asks what changes nothing, for ten seconds at most. Where the directory has not accepted the service account of late, that is
// told again, and it is not asked.
func (d *Desk) Ask(ctx context.Context, key Key, question func(ctx context.Context) error) error {
	return d.unlessDenied(key, func() error { return d.ask(ctx, answerFor, question) })
}

// Change is Ask for what also writes: it takes as long as it takes.
func (d *Desk) Change(ctx context.Context, key Key, change func(ctx context.Context) error) error {
	return d.unlessDenied(key, func() error { return d.ask(ctx, 0, change) })
}

// Test walks the way to a server, for half a minute at most, also where the service account was not accepted of late.
func (d *Desk) Test(ctx context.Context, key Key, walk func(ctx context.Context) (ok bool, err error)) (ok bool, err error) {
	err = d.ask(ctx, testFor, func(ctx context.Context) (err error) {
		if ok, err = walk(ctx); err == nil {
			err = ctx.Err()
		}
		return err
	})
	if ok = ok && err == nil; ok {
		d.denials.Delete(key)
	}
	return ok, err
}

// Forget has each directory asked again: another configuration is in force.
func (d *Desk) Forget() { d.denials.Clear() }

func (d *Desk) unlessDenied(key Key, ask func() error) error {
	if x, ok := d.denials.Load(key); ok {
		if x, _ := x.(denial); d.now().Sub(x.at) < deniedFor {
			return x.err
		}
	}
	err := ask()
	if connector.KindOf(err) == connector.Denied {
		d.denials.Store(key, denial{d.now(), err})
	}
	return err
}

// ask takes a place, and asks for so long at most; 0 = as long as it takes.
func (d *Desk) ask(ctx context.Context, most time.Duration, question func(ctx context.Context) error) error {
	place, stop := context.WithTimeout(ctx, placeFor)
	defer stop()
	select {
	case d.places <- struct{}{}:
		defer func() { <-d.places }()
	case <-place.Done():
		return ErrBusy
	}
	if most == 0 {
		return question(ctx)
	}
	timed, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err := question(timed)
	if err != nil && errors.Is(timed.Err(), context.DeadlineExceeded) {
		err = &connector.Error{
			Kind: connector.Unavailable, Op: "ask the directory", Err: errors.New("it has not answered within " + most.String()),
			Hint: "test the connection: it says at which step the time is lost",
		}
	}
	return err
}
