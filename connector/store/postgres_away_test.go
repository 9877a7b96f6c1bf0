package store_test

import (
	"context"
	"errors"
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

// create writes person n. Running it twice could only end with ErrMoved.
func create(ctx context.Context, db *store.DB, n int) error {
	return db.Write(ctx, func(tx connector.Tx) error { return createIn(ctx, tx, n) })
}

func createIn(ctx context.Context, tx connector.Tx, n int) error {
	changes := []*connector.Change{storetest.Create(n, "", storetest.Start())}
	errs, err := tx.Save(ctx, changes, storetest.RunCause(connector.ID{}), storetest.Start())
	return errors.Join(append(errs, err)...)
}

// crowd are clients that write one person after another until they are stopped.
type crowd struct {
	db      *store.DB
	stop    context.CancelFunc
	wg      sync.WaitGroup
	next    atomic.Int64
	changes atomic.Int64

	mu      sync.Mutex
	written []int
	refused []error
}

// newCrowd starts clients; each person has a number from first on.
func newCrowd(db *store.DB, clients, first int) *crowd {
	ctx, stop := context.WithCancel(context.Background())
	c := &crowd{db: db, stop: stop}
	c.next.Store(int64(first))
	for range clients {
		c.wg.Go(func() {
			for ctx.Err() == nil {
				n := int(c.next.Add(1))
				err := create(context.Background(), db, n)
				c.mu.Lock()
				if err == nil {
					c.written = append(c.written, n)
				} else {
					c.refused = append(c.refused, err)
				}
				c.mu.Unlock()
				c.changes.Add(1)
			}
		})
	}
	return c
}

// more waits until so many writes more have been answered.
func (c *crowd) more(t *testing.T, n int64) {
	t.Helper()
	limit, tick := time.After(2*time.Minute), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for want := c.changes.Load() + n; c.changes.Load() < want; {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the clients stand still")
		}
	}
}

// end stops the clients and holds what they were told against what is there: all that was acknowledged, and
// nothing that was refused for another reason than that the database was away.
func (c *crowd) end(t *testing.T) {
	t.Helper()
	c.stop()
	c.wg.Wait()
	for _, err := range c.refused {
		if connector.KindOf(err) != connector.Unavailable || connector.HintOf(err) == "" {
			t.Errorf("refused: %v of kind %d, hint %q", err, connector.KindOf(err), connector.HintOf(err))
		}
	}
	t.Logf("%d written, %d refused", len(c.written), len(c.refused))
	sound(t, c.db)
	for _, n := range c.written {
		if _, err := c.db.FindUser(t.Context(), storetest.Org, storetest.Profile(n).Get(connector.UserName)); err != nil {
			t.Fatalf("person %d was acknowledged: %v", n, err)
		}
	}
}

// A server that takes no writes for a while is waited for, and what is read goes on.
func TestServerIsReadOnly(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{})
	db := openURL(t, s.Database(t))
	if err := create(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.ReadOnly(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	store.SetPatience(db, 100*time.Millisecond)
	reading, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() {
		for reading.Err() == nil {
			_, err := db.FindUser(t.Context(), storetest.Org, "user000001")
			if err != nil {
				t.Error(err)
			}
		}
	})
	err := create(t.Context(), db, 2)
	if connector.KindOf(err) != connector.Unavailable || !strings.Contains(connector.HintOf(err), "takes no writes") {
		t.Errorf("%v, hint %q", err, connector.HintOf(err))
	}
	if err := s.ReadOnly(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := create(t.Context(), db, 2); err != nil {
		t.Error(err)
	}
	sound(t, db)
}

// A process that stands still in the middle of a transaction loses the lock; when it goes on, all is run again.
func TestWhoStandsStillKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	s := testpg.Shared(t)
	at := s.Database(t)
	still := openURL(t, at+"&idle_in_transaction_session_timeout=300")
	other := openURL(t, at)
	inside, leave, done := make(chan struct{}, 9), make(chan struct{}), make(chan error, 1)
	runs := 0
	go func() {
		done <- still.Write(context.Background(), func(tx connector.Tx) error {
			runs++
			inside <- struct{}{}
			<-leave
			return createIn(context.Background(), tx, 1)
		})
	}()
	<-inside
	if err := create(t.Context(), other, 2); err != nil {
		t.Error(err)
	}
	close(leave)
	if err := <-done; err != nil || runs != 2 {
		t.Errorf("after %d runs: %v", runs, err)
	}
	sound(t, other)
	if n, err := other.CountUsers(t.Context(), storetest.Org); err != nil || n[connector.Active] != 2 {
		t.Errorf("%v, %v", n, err)
	}
}

// Seats and names hold whatever the number of processes.
func TestProcessesShareOneDatabase(t *testing.T) {
	t.Parallel()
	at := kinds["postgres"](t)
	const seats, processes, clients = 40, 3, 8
	dbs := make([]*store.DB, processes)
	for i := range dbs {
		dbs[i] = openURL(t, at)
	}
	if err := dbs[0].SetPackages(t.Context(), storetest.Org, []connector.Package{{ID: "gold", Seats: seats}}); err != nil {
		t.Fatal(err)
	}
	var given, refused, twice atomic.Int64
	var wg sync.WaitGroup
	for i := range processes * clients {
		wg.Go(func() {
			for n := range 10 {
				// Every third person is tried to be created by each of the processes.
				person := i*100 + n
				if n%3 == 0 {
					person = 1_000_000 + i/processes*100 + n
				}
				var errs []error
				err := dbs[i%processes].Write(t.Context(), func(tx connector.Tx) (err error) {
					errs, err = tx.Save(t.Context(), []*connector.Change{storetest.Create(person, "gold", storetest.Start())}, storetest.RunCause(connector.ID{}), storetest.Start())
					return err
				})
				switch {
				case err != nil:
					t.Error(err)
				case errs[0] == nil:
					given.Add(1)
				case errors.Is(errs[0], connector.ErrNoSeat):
					refused.Add(1)
				default:
					twice.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if given.Load() != seats || twice.Load() == 0 {
		t.Errorf("%d of %d seats were given, %d refused, %d were there already", given.Load(), seats, refused.Load(), twice.Load())
	}
	sound(t, dbs[1])
}
