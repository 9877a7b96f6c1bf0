package lease_test

import (
	"context"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/lease"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
)

func TestLeaseIsTakenFromTheDeadOnly(t *testing.T) {
	t.Parallel()
	db := openStore(t)
	take := func(process string, dead ...string) (*lease.Lease, error) {
		return lease.Take(t.Context(), lease.Options{
			Store: db, Name: "daemon", Holder: process + " " + connector.NewID(time.Now()).String(),
			Dead: func(p string) bool { return len(dead) > 0 && p == dead[0] },
		})
	}
	first, err := take("host:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take("host:2"); connector.KindOf(err) != connector.Conflict {
		t.Errorf("taken from a living process: %v", err)
	}
	second, err := take("host:3", "host:1")
	if err != nil {
		t.Fatalf("not taken from a dead process: %v", err)
	}
	if first.Turn()+1 != second.Turn() {
		t.Errorf("turn %d comes after %d", second.Turn(), first.Turn())
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := first.Keep(ended); err != nil { // gives back what it does not hold any more
		t.Error(err)
	}
	if _, err := take("host:4"); connector.KindOf(err) != connector.Conflict {
		t.Errorf("the lease of the second was given back by the first: %v", err)
	}
	if err := second.Keep(ended); err != nil {
		t.Error(err)
	}
	if _, err := take("host:4"); err != nil {
		t.Errorf("a lease given back is free: %v", err)
	}
}

// What is written under a lease is refused as soon as somebody else has it, by whatever method of the store.
func TestWritesUnderALostLeaseAreRefused(t *testing.T) {
	t.Parallel()
	db := openStore(t)
	l, err := lease.Take(t.Context(), lease.Options{Store: db, Name: "work", Holder: "host:1 a"})
	if err != nil {
		t.Fatal(err)
	}
	held, release := l.Hold(t.Context())
	defer release()
	write := func() error {
		_, err := db.DropTokens(held, time.Now())
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if _, err := lease.Take(t.Context(), lease.Options{Store: db, Name: "work", Holder: "host:2 b", Dead: func(string) bool { return true }}); err != nil {
		t.Fatal(err)
	}
	if err := write(); !isLost(err) {
		t.Errorf("written under a lease that somebody else has: %v", err)
	}
}

// Whoever has a later turn of what fences a holder takes its lease at once: nothing that it does is written any more. Others
// wait until it runs out.
func TestLeaseIsTakenFromWhoIsFencedOut(t *testing.T) {
	t.Parallel()
	db := openStore(t)
	take := func(ctx context.Context, name, process string) (*lease.Lease, error) {
		return lease.Take(ctx, lease.Options{
			Store: db, Name: name, Holder: lease.NewHolder(ctx, process, connector.NewID(time.Now()).String()),
			Dead: func(p string) bool { return p == "gone:1" },
		})
	}
	lead := func(process string) context.Context {
		t.Helper()
		l, err := take(t.Context(), "lead", process)
		if err != nil {
			t.Fatal(err)
		}
		return connector.WithFence(t.Context(), l.Fence())
	}
	first := lead("gone:1")
	if _, err := take(first, "source", "host:1"); err != nil { // one that does not seem to be dead
		t.Fatal(err)
	}
	for what, ctx := range map[string]context.Context{"a command": t.Context(), "the same turn": first} {
		if _, err := take(ctx, "source", "host:2"); connector.KindOf(err) != connector.Conflict {
			t.Errorf("%s has taken it: %v", what, err)
		}
	}
	second := lead("host:2")
	l, err := take(second, "source", "host:2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.DropTokens(connector.WithFence(first, connector.Fence{Lease: "source", Token: l.Turn() - 1}), time.Now()); !isLost(err) {
		t.Errorf("the first one writes: %v", err)
	}
	if _, err := take(first, "source", "host:1"); connector.KindOf(err) != connector.Conflict {
		t.Errorf("taken back under an earlier turn: %v", err)
	}
}

func openStore(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), newstore.URL(t), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
