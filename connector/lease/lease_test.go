package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usherd/connector"
	"usherd/connector/lease"
)

const ttl = 15 * time.Second

func isLost(err error) bool { return errors.Is(err, connector.ErrLeaseLost) }

// rows are leases with the clock of a bubble, which a real database does not know. They do what storetest demands.
type rows struct {
	mu   sync.Mutex
	list map[string]row
}

type row struct {
	holder string
	token  int64
	end    time.Time
}

var errTaken = &connector.Error{Kind: connector.Conflict, Err: errors.New("it is held")}

func (r *rows) lease(name, holder string, ttl time.Duration) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.list[name]
	switch {
	case was.holder == holder:
	case was.end.After(time.Now()):
		return 0, errTaken
	default:
		was.token++
	}
	was.holder, was.end = holder, time.Now().Add(ttl)
	r.list[name] = was
	return was.token, nil
}

func (r *rows) of(name string) row {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.list[name]; now.end.After(time.Now()) {
		return now
	}
	return row{}
}

func (r *rows) release(name, holder string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.list[name]; was.holder == holder {
		r.list[name] = row{token: was.token}
	}
}

// line is the way of one process to the rows, on which messages get lost and wait.
type line struct {
	*rows

	mu    sync.Mutex
	down  bool          // nothing comes through
	hangs bool          // nor does it say so
	back  time.Duration // answers take that long
}

func (l *line) is(down, hangs bool, back time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down, l.hangs, l.back = down, hangs, back
}

var errDown = &connector.Error{Kind: connector.Unavailable, Err: errors.New("the database is away")}

func (l *line) way(ctx context.Context) (back time.Duration, err error) {
	l.mu.Lock()
	down, hangs, back := l.down, l.hangs, l.back
	l.mu.Unlock()
	switch {
	case down && hangs:
		<-ctx.Done()
		return 0, ctx.Err()
	case down:
		return 0, errDown
	}
	return back, nil
}

// wait makes no timer that is over at once: the runtime of Go 1.26 crashes now and then when a bubble's channel meets one
// under the race detector.
func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *line) Lease(ctx context.Context, name, holder string, ttl time.Duration) (int64, error) {
	back, err := l.way(ctx)
	if err != nil {
		return 0, err
	}
	token, err := l.lease(name, holder, ttl)
	if late := wait(ctx, back); late != nil {
		return 0, late
	}
	return token, err
}

func (l *line) LeaseHolder(ctx context.Context, name string) (string, error) {
	_, err := l.way(ctx)
	return l.of(name).holder, err
}

func (l *line) Release(ctx context.Context, name, holder string) error {
	_, err := l.way(ctx)
	if err == nil {
		l.release(name, holder)
	}
	return err
}

func newRows() *rows { return &rows{list: map[string]row{}} }

// hold takes a lease in a bubble.
func hold(t *testing.T, l *line) (held context.Context, release func()) {
	t.Helper()
	got, err := lease.Take(t.Context(), lease.Options{Store: l, Name: "x", Holder: "me 1", TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return got.Hold(t.Context())
}

func TestHolderStopsBeforeItsLeaseCanHaveRunOut(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*line){
		"the database refuses":         func(l *line) { l.is(true, false, 0) },
		"the database does not answer": func(l *line) { l.is(true, true, 0) },
		"the answer gets lost":         func(l *line) { l.is(false, false, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &line{rows: newRows()}
				held, release := hold(t, l)
				time.Sleep(10 * ttl)
				if held.Err() != nil {
					t.Fatal(context.Cause(held))
				}
				last := l.of("x").end
				fault(l)
				<-held.Done()
				if left := time.Until(last); left < 2*time.Second || left > 4*time.Second {
					t.Errorf("it stops %s before the end", left)
				}
				if err := lease.Lost(held); !isLost(err) || connector.HintOf(err) == "" {
					t.Errorf("it ended by %v", err)
				}
				release()
			})
		})
	}
}

func TestShortOutageIsNoLoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &line{rows: newRows()}
		held, release := hold(t, l)
		for range 20 {
			l.is(true, false, 0)
			time.Sleep(6 * time.Second)
			l.is(false, false, 0)
			time.Sleep(2 * time.Second)
		}
		if err := lease.Lost(held); err != nil {
			t.Error(err)
		}
		release()
		if now := l.of("x"); now.holder != "" {
			t.Errorf("it is not given back: %+v", now)
		}
		if err := lease.Lost(held); err != nil {
			t.Errorf("what was given back is lost: %v", err)
		}
	})
}

// Somebody else had the lease for a moment while its holder could not know.
func TestHolderNoticesThatSomebodyElseHadTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &line{rows: newRows()}
		held, release := hold(t, l)
		l.release("x", "me 1")
		if _, err := l.lease("x", "you 1", time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // it has run out
		<-held.Done()
		if err := lease.Lost(held); !isLost(err) {
			t.Errorf("it ended by %v", context.Cause(held))
		}
		release()
		if now := l.of("x"); now.holder != "" {
			t.Errorf("somebody holds it: %+v", now)
		}
	})
}

// Processes want the lease whose lines to the database fail at random: never do two of them believe that they hold it,
// and none waits for it longer than a dead one's lease lives while its own line is good.
func TestNeverTwoHolders(t *testing.T) {
	t.Parallel()
	for range 8 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { contend(t, seed) })
		})
	}
}

func contend(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	all := newRows()
	var mu sync.Mutex
	holders := map[int]func() error{} // why they do not hold it any more
	terms := 0
	ctx, end := context.WithCancel(t.Context())
	var processes sync.WaitGroup
	lines := make([]*line, 4)
	for i := range lines {
		lines[i] = &line{rows: all}
		r := rand.New(rand.NewPCG(seed, uint64(i+2)))
		processes.Go(func() {
			for term := 0; ctx.Err() == nil; term++ {
				ask, enough := context.WithTimeout(ctx, 2*time.Second)
				l, err := lease.Take(ask, lease.Options{Store: lines[i], Name: "x", Holder: fmt.Sprintf("p%d %d", i, term), TTL: ttl})
				if enough(); err != nil {
					_ = wait(ctx, time.Second)
					continue
				}
				held, release := l.Hold(ctx)
				mu.Lock()
				holders[i] = held.Err
				terms++
				mu.Unlock()
				_ = wait(held, time.Duration(r.Int64N(int64(3*time.Minute))))
				release()
			}
		})
	}
	var idle time.Duration
	for range 4 * 3600 { // an hour
		time.Sleep(time.Second / 4)
		synctest.Wait()
		if random.IntN(60) == 0 {
			l := lines[random.IntN(len(lines))]
			l.is(random.IntN(2) == 0, random.IntN(2) == 0, time.Duration(random.IntN(3))*time.Second/2)
		}
		lines[0].is(false, false, 0) // one is always well
		mu.Lock()
		var now []int
		for i, ended := range holders {
			if ended() == nil {
				now = append(now, i)
			}
		}
		mu.Unlock()
		if len(now) > 1 {
			t.Fatalf("%v hold it at once", now)
		}
		if idle += time.Second / 4; len(now) == 1 {
			idle = 0
		}
		if idle > ttl+5*time.Second {
			t.Fatalf("nobody has held it for %s", idle)
		}
	}
	end()
	processes.Wait()
	if terms < 10 {
		t.Errorf("%d terms in an hour", terms)
	}
}
