package auth

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// defaultTotal is how many requests are worked on at a time, of all clients. Most wait for the store: more at a
	// time are not faster. Bodies that arrive, or wait for their turn, are in memory beside those: in each lane as many
	// as it has places.
	defaultTotal = 64
	// maxWait is how long a request waits for its turn. Some clients give up after five seconds.
	maxWait = 3 * time.Second
	// A client may have that many access tokens a second for long, and at once.
	issueRate  = 2
	issueBurst = 60
	// maxParts bounds among how many processes limits are shared out.
	maxParts = 1000
)

// gate hands out the right to work. A client has a rate and a number of requests at a time; what is beyond waits in
// the client's own lane, and lanes take turns, so that it is the flood that waits and not whoever sends one request.
// Turns are for work only: a request whose body is still on its way, or whose answer is, has a place in its lane and
// nothing else, so that whoever sends or reads slowly is in nobody's way but its own.
type gate struct {
	total int
	parts atomic.Int32                     // among which clients are shared out, see Authenticator.Share; 0 = 1
	lanes atomic.Pointer[map[Source]*lane] // never changed, but replaced

	mu      sync.Mutex
	running int
	turns   []*lane // those where somebody waits, in the order of their turns
}

type lane struct {
	limits  atomic.Pointer[Limits]
	vouched atomic.Pointer[netip.Addr] // where it came from last without a token

	bucket  bucket // guarded by the gate, as what follows
	issued  bucket
	present int // requests that have arrived and are not answered yet
	running int
	waiting []chan struct{} // closed when it is their turn
}

// most is how many of its requests run at a time: no client takes more than half of the door.
func (g *gate) most(l *lane) int {
	return max(min(l.limits.Load().Concurrency/int(g.share()), g.total/2), 1)
}

func (g *gate) share() float64 { return float64(max(g.parts.Load(), 1)) }

// take takes one of a bucket that others fill as well, where they are several.
func (g *gate) take(b *bucket, rate, burst int, now time.Time) (wait time.Duration) {
	share := g.share()
	return b.take(float64(rate)/share, max(float64(burst)/share, 1), now)
}

// replace sets the limits of all clients. What runs or waits goes on.
func (g *gate) replace(sources map[Source]Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	lanes := make(map[Source]*lane, len(sources))
	for id, limits := range sources {
		l := g.lane(id)
		if l == nil {
			l = &lane{}
		}
		l.limits.Store(&limits)
		lanes[id] = l
	}
	g.lanes.Store(&lanes)
	g.next()
}

// split shares the limits of all clients out among so many processes. Where there are fewer than before, who waits may
// have a place.
func (g *gate) split(parts int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts.Store(int32(parts)) //nolint:gosec // at most maxParts
	g.next()
}

// lane is that of a source, nil when there is no such source.
func (g *gate) lane(id Source) *lane {
	if lanes := g.lanes.Load(); lanes != nil {
		return (*lanes)[id]
	}
	return nil
}

// arrive gives a request its place in the lane, twice as many as may be worked on at a time. The caller must call leave
// when it is answered.
func (g *gate) arrive(l *lane, now time.Time) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	limits := l.limits.Load()
	if wait := g.take(&l.bucket, limits.Rate, limits.Burst, now); wait > 0 {
		return later(http.StatusTooManyRequests, ReasonRate, wait, "too many requests a second: wait, and send them more slowly")
	}
	if l.present >= 2*g.most(l) {
		return g.busy(l)
	}
	l.present++
	return nil
}

// work waits for a turn of a request that has arrived. The caller must call rest when the work is done.
func (g *gate) work(ctx context.Context, l *lane) *Error {
	turn := g.queue(l)
	if turn == nil {
		return nil
	}
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	return g.giveUp(l, turn)
}

// queue takes a turn at once, which is nil, or waits in the lane for the one that it returns.
func (g *gate) queue(l *lane) (turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(l.waiting) == 0 && l.running < g.most(l) && g.running < g.total {
		l.running++
		g.running++
		return nil
	}
	turn = make(chan struct{})
	if l.waiting = append(l.waiting, turn); len(l.waiting) == 1 {
		g.turns = append(g.turns, l)
	}
	return turn
}

// issue takes one access token from what the client may have.
func (g *gate) issue(l *lane, now time.Time) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait := g.take(&l.issued, issueRate, issueBurst, now); wait > 0 {
		return later(http.StatusTooManyRequests, ReasonRate, wait, "too many access tokens: use each until it ends")
	}
	return nil
}

// busy says whether it is the client itself that is in its own way.
func (g *gate) busy(l *lane) *Error {
	if l.running >= g.most(l) || len(l.waiting) == 0 {
		return later(http.StatusTooManyRequests, ReasonBusy, time.Second, "too many requests at a time: wait for the answers of those before")
	}
	return later(http.StatusServiceUnavailable, ReasonFull, time.Second, "there is too much to do at the moment: try again")
}

// giveUp leaves the lane; when the turn has come in the meantime, it is taken.
func (g *gate) giveUp(l *lane, turn chan struct{}) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := slices.Index(l.waiting, turn)
	if at < 0 {
		return nil
	}
	refusal := g.busy(l)
	if l.waiting = slices.Delete(l.waiting, at, at+1); len(l.waiting) == 0 {
		g.turns = slices.DeleteFunc(g.turns, func(x *lane) bool { return x == l })
	}
	return refusal
}

func (g *gate) leave(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.present--
}

// rest gives a turn back.
func (g *gate) rest(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.running--
	g.running--
	g.next()
}

// next gives free places to those who wait, one to each lane in turn.
func (g *gate) next() {
	for g.running < g.total {
		at := slices.IndexFunc(g.turns, func(l *lane) bool { return l.running < g.most(l) })
		if at < 0 {
			return
		}
		l := g.turns[at]
		g.turns = slices.Delete(g.turns, at, at+1)
		close(l.waiting[0])
		if l.waiting = slices.Delete(l.waiting, 0, 1); len(l.waiting) > 0 {
			g.turns = append(g.turns, l)
		}
		l.running++
		g.running++
	}
}
