package provision_test

import (
	"context"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

func TestLeaseIsTakenFromTheDeadOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	take := func(process string, dead ...string) (*provision.Lease, error) {
		return provision.TakeLease(t.Context(), provision.LeaseOptions{
			Store: w.db, Name: "daemon", Process: process, Now: w.now,
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
