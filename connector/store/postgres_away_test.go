package store_test

import (
	"context"
	"errors"
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

// A process that stands still in the middle of a transaction loses the lock; when it goes on, all is run again.
func TestWhoStandsStillKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	s := testpg.Shared(t)
	at := s.Database(t)
	other := openURL(t, at)
	still := openURL(t, at+"&idle_in_transaction_session_timeout=300")
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

// Who costs the connection each time is told so in the end, and nobody waits for ever behind it.
func TestWhoAlwaysStandsStillIsToldSo(t *testing.T) {
	t.Parallel()
	at := testpg.Shared(t).Database(t)
	openURL(t, at) // makes the schema, which may stand still longer on a busy machine
	db := openURL(t, at+"&idle_in_transaction_session_timeout=100")
	runs := 0
	err := db.Write(t.Context(), func(tx connector.Tx) error {
		if runs++; runs > 10 {
			return errors.New("it is never told")
		}
		time.Sleep(time.Second)
		return createIn(t.Context(), tx, 1)
	})
	if connector.KindOf(err) != connector.Unavailable || connector.HintOf(err) == "" || runs > 10 {
		t.Errorf("after %d runs: %v (%s)", runs, err, connector.HintOf(err))
	}
	if err := create(t.Context(), db, 2); err != nil {
		t.Error(err)
	}
	if n, err := db.CountUsers(t.Context(), storetest.Org); err != nil || n[connector.Active] != 1 {
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
