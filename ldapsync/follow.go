package ldapsync

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

const (
	followPoll = time.Second            // between two questions of what has changed
	followRest = 100 * time.Millisecond // at least, however often the server rings
)

// forEver is a silence that never ends: on a connection on which the server speaks only when something
// happens. Its end is noticed by TCP's keep-alive.
const forEver = time.Duration(math.MaxInt64)

// Follow tells what has changed since a cursor and then each change as it happens; see connector.Feed.
// It keeps one connection, and a second one to the same server where the server rings, or where the first
// is taken up by the feed itself.
func (s *Source) Follow(ctx context.Context, req connector.ChangesRequest, yield func(*connector.Batch) error) error {
	x, err := s.openAny(ctx, (*session).glance)
	if err != nil {
		return err
	}
	defer x.c.Close() //nolint:errcheck // nothing was written
	f, full, err := x.takeUp(ctx, req.Since)
	if err != nil {
		return err
	}
	g := &following{feeding: f, yield: yield}
	if full != nil {
		return g.tell(full)
	}
	x.known, x.knownGroups, x.naming = req.Known, req.KnownGroups, req.Naming
	if m, ok := f.m.(follower); ok {
		return g.stream(ctx, m)
	}
	return g.poll(ctx)
}

// following is one Follow.
type following struct {
	*feeding

	yield  func(*connector.Batch) error
	caught bool // the first batch was told
}

// tell hands a batch on when there is something in it. One after which only a full read helps ends all.
func (g *following) tell(b *connector.Batch) error {
	if g.caught && len(b.Records)+len(b.Groups)+len(b.Warnings) == 0 && b.Full == "" && !g.moved {
		return nil
	}
	g.caught, g.moved = true, false
	if err := g.yield(b); err != nil {
		return err
	}
	if b.Full != "" {
		return &connector.Error{
			Kind: connector.Conflict, Op: "ldapsync: follow", Err: errors.New(b.Full), Hint: "read in full, and follow from its cursor",
		}
	}
	return nil
}

// stream lets the mechanism tell. Its connection is taken up, so whoever is read again is read on another.
func (g *following) stream(ctx context.Context, m follower) error {
	var second *session
	defer func() {
		if second != nil {
			_ = second.c.Close()
		}
	}()
	g.asks = func(ctx context.Context) (*session, error) {
		if second != nil && !second.c.broken.Load() {
			return second, nil
		}
		var err error
		second, err = g.x.another(ctx, (*session).glance)
		return second, err
	}
	err := m.follow(ctx, g.x, g.place, func(t *touched, next []byte, full string) error {
		b, err := g.batch(ctx, t, next, full)
		if err != nil {
			return err
		}
		return g.tell(b)
	})
	if isTooMany(err) {
		return g.tell(g.full(err.Error()))
	}
	return err
}

// another opens one more connection to the same server: another one may be behind it.
func (x *session) another(ctx context.Context, look opening) (*session, error) {
	config := x.s.config
	config.Servers, config.Domain = []string{x.c.server}, ""
	y, err := x.s.openOn(ctx, &config, look)
	if err != nil {
		return nil, err
	}
	return y, nil
}

// poll asks again and again, at once when the server rings.
func (g *following) poll(ctx context.Context) error {
	every := g.x.s.options.poll
	if every == 0 {
		every = followPoll
	}
	ring, stop := g.x.bell(ctx)
	defer stop()
	for {
		b, err := g.next(ctx)
		if err != nil {
			return err
		}
		if err := g.tell(b); err != nil {
			return err
		}
		if err := pause(ctx, min(every, followRest), nil); err != nil {
			return err
		}
		if err := pause(ctx, every-min(every, followRest), ring); err != nil {
			return err
		}
	}
}

// pause waits until the time is over or it rings.
func pause(ctx context.Context, d time.Duration, ring <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-ring:
	}
	return nil
}

// controlNotification makes a search of a domain controller one that never ends and yields each entry as it
// changes ([MS-ADTS] section 3.1.1.3.4.1.9).
const controlNotification = "1.2.840.113556.1.4.528"

// bell has the domain controller ring when something changes anywhere in the naming contexts, where it can.
// That it cannot, or no longer, is no error: who polls needs no bell.
func (x *session) bell(ctx context.Context) (ring <-chan struct{}, stop func()) {
	if !x.root.controls[controlNotification] {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	rings := make(chan struct{}, 1)
	var wait sync.WaitGroup
	for _, root := range x.watched() {
		wait.Go(func() { x.listen(ctx, root, rings) })
	}
	return rings, func() {
		cancel()
		wait.Wait()
	}
}

// listen rings for one naming context until ctx or the connection ends.
func (x *session) listen(ctx context.Context, root string, rings chan<- struct{}) {
	y, err := x.another(ctx, func(*session, context.Context) error { return nil })
	if err != nil {
		return
	}
	defer y.c.Close() //nolint:errcheck // nothing was written
	y.c.silence.limit = forEver
	// The filter must be exactly this one.
	_, _ = y.c.search(ctx, searchRequest{
		Base: root, Scope: ldap.ScopeWholeSubtree, Filter: anyObject, Attributes: []string{noAttributes},
		Controls: []ldap.Control{ldap.NewControlString(controlNotification, true, "")},
	}, func(*entry) error {
		select {
		case rings <- struct{}{}:
		default:
		}
		return nil
	})
}
