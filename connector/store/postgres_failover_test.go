package store_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
	"usherd/internal/testpg"
)

// writers are eight clients that write people one after the other, whatever becomes of the database.
type writers struct {
	db     *store.DB
	next   atomic.Int64
	stop   chan struct{}
	all    sync.WaitGroup
	mu     sync.Mutex
	people []int // acknowledged, in order
	last   time.Time
	outage time.Duration // the longest time in which nothing was acknowledged
	refuse []error
}

// writing starts writers on a store that gets its packages; they end with the test at the latest.
func writing(t *testing.T, db *store.DB) *writers {
	t.Helper()
	return writingFrom(t, db, 0)
}

// writingFrom is writing with people from that number on, for a second process.
func writingFrom(t *testing.T, db *store.DB, first int64) *writers {
	t.Helper()
	if err := db.SetPackages(t.Context(), storetest.Org, []connector.Package{{ID: "gold", Seats: connector.Unlimited}}); err != nil {
		t.Fatal(err)
	}
	w := &writers{db: db, stop: make(chan struct{}), last: time.Now()}
	w.next.Store(first)
	for range 8 {
		w.all.Go(func() {
			for {
				select {
				case <-w.stop:
					return
				default:
				}
				// Nobody waits for longer than the store's own patience: the context is that of a client who stays.
				n := int(w.next.Add(1))
				w.saw(n, live(context.Background(), w.db, n))
			}
		})
	}
	t.Cleanup(w.end)
	return w
}

func (w *writers) saw(n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.refuse = append(w.refuse, err)
		return
	}
	now := time.Now()
	w.outage, w.last = max(w.outage, now.Sub(w.last)), now
	w.people = append(w.people, n)
}

// written returns how many people were acknowledged.
func (w *writers) written() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.people)
}

func (w *writers) refusals() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]error(nil), w.refuse...)
}

// more waits until n more people are acknowledged.
func (w *writers) more(t *testing.T, n int) {
	t.Helper()
	from := w.written()
	soon(t, "writes", func() bool { return w.written() >= from+n })
}

func (w *writers) end() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.all.Wait()
}

// soon waits for a condition.
func soon(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited two minutes for %s", what)
		}
	}
}

// kept ends the writers and checks that everything that was acknowledged is there, whole, and that refusals say what
// they are: that the database is away, and what to do.
func (w *writers) kept(t *testing.T, db *store.DB) {
	t.Helper()
	w.end()
	sound(t, db)
	lost := 0
	for _, n := range w.people {
		if _, err := db.FindUser(t.Context(), storetest.Org, storetest.Profile(n).Get(connector.UserName)); err != nil {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged people are lost", lost, len(w.people))
	}
	for _, err := range w.refuse {
		if connector.KindOf(err) != connector.Unavailable || connector.HintOf(err) == "" {
			t.Errorf("a client was told %v (kind %v, hint %q)", err, connector.KindOf(err), connector.HintOf(err))
		}
	}
	t.Logf("%d people acknowledged, %d clients refused, the longest outage %s", len(w.people), len(w.refuse), w.outage.Round(time.Millisecond))
}

// nameOf is the database of a URL.
func nameOf(t *testing.T, storeURL string) string {
	t.Helper()
	u, err := url.Parse(storeURL)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// A primary that dies while eight clients write, and a synchronous standby that takes its place: nothing that was
// acknowledged is lost, and nobody but the database's own fail-over has to do anything.
func TestNothingAcknowledgedIsLostWhenAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	primary := testpg.Start(t, testpg.Options{TCP: true})
	database := nameOf(t, primary.Database(t))
	standby := primary.Standby(t, testpg.StandbyOptions{Synchronous: true})
	db := openURL(t, testpg.URLOf(database, primary, standby))
	w := writing(t, db)
	w.more(t, 200)
	primary.Kill()
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.more(t, 200)
	w.kept(t, db)
	if n := len(w.refuse); n > 0 {
		t.Errorf("%d clients were refused, although the standby was there within the store's patience: %v", n, w.refuse[0])
	}
}

// A primary that is frozen instead of dead, and wakes when another one has taken its place, cannot acknowledge anything:
// it waits for a standby that follows nobody any more.
func TestAFrozenPrimaryThatWakesAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	primary := testpg.Start(t, testpg.Options{TCP: true})
	database := nameOf(t, primary.Database(t))
	standby := primary.Standby(t, testpg.StandbyOptions{Synchronous: true})
	old := openURL(t, testpg.URLOf(database, primary))
	store.SetPatience(old, 2*time.Second)
	w := writing(t, old)
	w.more(t, 100)
	if err := primary.Freeze(); err != nil {
		t.Fatal(err)
	}
	before := w.written()
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := openURL(t, testpg.URLOf(database, primary, standby)+"&connect_timeout=1") // the frozen one is asked first
	after := writingFrom(t, db, 1_000_000)                                          // people whom the others have not written
	after.more(t, 100)
	if err := primary.Thaw(); err != nil {
		t.Fatal(err)
	}
	after.more(t, 100)
	if n := w.written(); n > before+8 { // what was under way when it froze may have been on the standby already
		t.Errorf("the old primary acknowledged %d people more", n-before)
	}
	primary.Kill() // its clients cannot be helped: they were told of one host only
	after.kept(t, db)
	w.kept(t, db)
}

// A server that is started again, properly or after kill -9, is waited for: no client is told.
func TestARestartedServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{})
	db := openURL(t, s.Database(t))
	w := writing(t, db)
	for _, end := range []func(){s.Stop, s.Kill} {
		w.more(t, 100)
		end()
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.more(t, 100)
	w.kept(t, db)
	if n := len(w.refuse); n > 0 {
		t.Errorf("%d clients were refused: %v", n, w.refuse[0])
	}
}
