package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

const (
	// TTL is how long a lease outlives a process that cannot be seen to be dead, where its options do not say. Renewals
	// wait behind what is being written where the store has one writer.
	TTL = 30 * time.Second
	// again is how soon it is tried once more to renew a lease.
	again = time.Second
	// freeTime is how long giving a lease back may take.
	freeTime = 5 * time.Second
)

// Store is where leases are. A store of usherd is one.
type Store interface {
	// Lease takes the named lease for holder until ttl from now, by the database's clock, or renews it.
	// It fails with Kind Conflict while somebody else holds it. Token grows with each take-over.
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (token int64, err error)
	// LeaseHolder returns who holds the lease now, "" when nobody does.
	LeaseHolder(ctx context.Context, name string) (string, error)
	// Release gives a lease back; none held is no error.
	Release(ctx context.Context, name, holder string) error
}

// Options say who wants which lease.
type Options struct {
	Store Store
	Name  string
	// Holder is another one each time that a lease is taken, see NewHolder.
	Holder string
	TTL    time.Duration // 0 = TTL; it is renewed when a third of it is over
	// Dead says of the name of a process that it has certainly ended; nil = that cannot be seen.
	Dead func(process string) bool
	// Renewed is told of each attempt to renew the lease; may be nil.
	Renewed func(err error)
}

// Lease is the claim of one process to something that only one may do at a time.
type Lease struct {
	o     Options
	token int64
	sure  *time.Timer // runs until the holder has to stop, unless it renews
}

// sureFor is how long after it was asked for the lease is certainly there, less what it takes to end what is being written.
func (l *Lease) sureFor() time.Duration { return l.o.TTL - l.o.TTL/5 }

// NewHolder is the name of one who takes a lease under ctx, of a process and an id that nobody else has. It says by which
// fences of ctx all that is done under the lease is fenced.
func NewHolder(ctx context.Context, process, id string) string {
	words := []string{process, id}
	for _, f := range connector.Fences(ctx) {
		words = append(words, f.Lease+"#"+strconv.FormatInt(f.Token, 10))
	}
	return strings.Join(words, " ")
}

// superseded reports whether what a holder does is refused because whoever asks has a later turn of what fences it.
func superseded(ctx context.Context, holder string) bool {
	for word := range strings.FieldsSeq(holder) {
		name, text, _ := strings.Cut(word, "#")
		token, err := strconv.ParseInt(text, 10, 64)
		if err == nil && slices.ContainsFunc(connector.Fences(ctx), func(f connector.Fence) bool { return f.Lease == name && f.Token > token }) {
			return true
		}
	}
	return false
}

// Process is the name of the process in that of a holder.
func Process(holder string) string {
	process, _, _ := strings.Cut(holder, " ")
	return process
}

// Take takes the lease, also from a process that has died with it, and from one whose every write is refused because ctx
// has a later turn of what fences it, as that of a leader before. While somebody else holds it, the error is of Kind
// Conflict and names the process. Keep must be called at once.
func Take(ctx context.Context, o Options) (*Lease, error) {
	o.TTL = cmp.Or(o.TTL, TTL)
	l := &Lease{o: o}
	err := l.take(ctx)
	if err == nil || connector.KindOf(err) != connector.Conflict {
		return l, err
	}
	other, err := o.Store.LeaseHolder(ctx, o.Name)
	if err != nil {
		return nil, err
	}
	if other != "" && !superseded(ctx, other) && (o.Dead == nil || !o.Dead(Process(other))) {
		return nil, &connector.Error{Kind: connector.Conflict, Op: "lease " + o.Name, Err: fmt.Errorf("process %s holds it", Process(other))}
	}
	if err := o.Store.Release(ctx, o.Name, other); err != nil {
		return nil, err
	}
	return l, l.take(ctx)
}

func (l *Lease) take(ctx context.Context) (err error) {
	l.sure = time.NewTimer(l.sureFor()) // from before the question on: the answer may take its time
	if l.token, err = l.o.Store.Lease(ctx, l.o.Name, l.o.Holder, l.o.TTL); err != nil {
		l.sure.Stop()
	}
	return err
}

// Fence is what a store is asked for with each write under the lease.
func (l *Lease) Fence() connector.Fence { return connector.Fence{Lease: l.o.Name, Token: l.token} }

// Turn is one more than that of whoever had the lease before.
func (l *Lease) Turn() int64 { return l.token }

// Hold renews the lease until release is called, which gives it back: also when ctx has ended, for what is done then is
// not done before. The context that it returns is fenced, and ends as soon as the lease is lost, see Lost.
func (l *Lease) Hold(ctx context.Context) (held context.Context, release func()) {
	held, cancel := context.WithCancelCause(connector.WithFence(ctx, l.Fence()))
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.Keep(keep); err != nil {
			cancel(err)
		}
	}()
	return held, func() {
		cancel(nil)
		stop()
		<-done
	}
}

// Lost returns why a context of Hold has ended, where it is because the lease is lost, else nil.
func Lost(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, connector.ErrLeaseLost) {
		return err
	}
	return nil
}

// Keep renews the lease until ctx ends and gives it back then. It fails with connector.ErrLeaseLost when somebody else
// has got it, or when it could not be renewed for so long that somebody else may get it soon. That is measured by
// timers, which know nothing of the time of the day; a machine that sleeps stops them, and is told by the store when it
// is awake.
func (l *Lease) Keep(ctx context.Context) error {
	defer func() { l.sure.Stop() }()
	for wait := l.o.TTL / 3; ; {
		next := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			next.Stop()
			l.giveBack(ctx)
			return nil
		case <-l.sure.C:
			next.Stop()
			return l.lost(errors.New("it could not be renewed in time"))
		case <-next.C:
		}
		err := l.renew(ctx)
		switch {
		case err == nil:
			wait = l.o.TTL / 3
		case errors.Is(err, connector.ErrLeaseLost):
			return err
		default:
			wait = again
		}
	}
}

// renew does not wait longer for an answer than the lease is sure.
func (l *Lease) renew(ctx context.Context) error {
	ask, cancel := context.WithCancel(ctx)
	defer cancel()
	sure := time.NewTimer(l.sureFor())
	answer := make(chan error, 1)
	go func() {
		token, err := l.o.Store.Lease(ask, l.o.Name, l.o.Holder, l.o.TTL)
		if err == nil && token != l.token { // it ran out, and somebody has had it since
			l.giveBack(ask)
			err = l.lost(errors.New("somebody else has had it"))
		}
		answer <- err
	}()
	var err error
	select {
	case err = <-answer:
	case <-l.sure.C:
		err = l.lost(errors.New("the store does not answer"))
	}
	if connector.KindOf(err) == connector.Conflict && !errors.Is(err, connector.ErrLeaseLost) {
		err = l.lost(err)
	}
	if ctx.Err() == nil && l.o.Renewed != nil {
		l.o.Renewed(err)
	}
	if err != nil {
		sure.Stop()
		return err
	}
	l.sure.Stop()
	l.sure = sure
	return nil
}

func (l *Lease) lost(why error) error {
	return &connector.Error{
		Kind: connector.Conflict, Op: "lease " + l.o.Name, Err: fmt.Errorf("%w: %w", connector.ErrLeaseLost, why),
		Hint: "what was written is consistent, and whoever has the lease next does the rest; find out why the store did not answer in time",
	}
}

// giveBack needs no success: the lease runs out by itself.
func (l *Lease) giveBack(ctx context.Context) {
	free, stop := context.WithTimeout(context.WithoutCancel(ctx), freeTime)
	defer stop()
	_ = l.o.Store.Release(free, l.o.Name, l.o.Holder)
}
