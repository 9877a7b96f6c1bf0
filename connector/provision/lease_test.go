package provision_test

import (
	"context"
	"errors"
	"testing"

	"usherd/connector"
	"usherd/connector/lease"
	"usherd/connector/provision"
	"usherd/connector/store"
)

// robbed takes a source away from whoever holds it, as happens to a process that has been frozen for too long.
func robbed(t *testing.T, db *store.DB) (back func()) {
	t.Helper()
	o := lease.Options{Store: db, Name: "source:acme/dir", Holder: "elsewhere 1", Dead: func(string) bool { return true }}
	if _, err := lease.Take(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := db.Release(t.Context(), o.Name, o.Holder); err != nil {
			t.Fatal(err)
		}
	}
}

// thief robs whoever reads at the end of what is read.
type thief struct {
	people
	rob func()
}

func (p *thief) Read(ctx context.Context, yield func(*connector.Record) error) (connector.ReadResult, error) {
	result, err := p.people.Read(ctx, yield)
	p.rob()
	return result, err
}

// A run that loses its source writes nothing after that, says so, and is told to have been cut off by the next one, which
// goes on from what is stored.
func TestRunThatLosesItsSourceWritesNothingMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		people, written int
		robs            func(p provision.Progress) bool
	}{
		"before the first chunk": {50, 0, nil},
		"between two chunks":     {1001, 1000, func(p provision.Progress) bool { return p.Phase == "apply" && p.Done == 1000 }},
		"after the last of them": {50, 50, func(p provision.Progress) bool { return p.Phase == "apply" && p.Done == 50 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			var back func()
			rob := func() {
				if back == nil {
					back = robbed(t, w.db)
				}
			}
			p := &thief{people{list: crowd(c.people)}, func() {}}
			req := provision.SyncRequest{Source: "dir", From: p, Mode: connector.ModeFull, Actor: "test"}
			if req.Progress = func(at provision.Progress) {
				if c.robs(at) {
					rob()
				}
			}; c.robs == nil {
				p.rob, req.Progress = rob, nil
			}
			plan, err := w.prov.Sync(t.Context(), req)
			if !errors.Is(err, connector.ErrLeaseLost) || plan.Run.Result != connector.ResultFailed || plan.Run.Hint == "" {
				t.Fatalf("the run ends as %s %q, %q: %v", plan.Run.Result, plan.Run.Error, plan.Run.Hint, err)
			}
			if err := plan.Close(); err != nil {
				t.Error(err)
			}
			if n := w.used("standard"); n != c.written {
				t.Errorf("%d people have a seat, want %d", n, c.written)
			}
			if run, err := w.db.Run(t.Context(), plan.Run.ID); err != nil || run.Result != connector.ResultRunning {
				t.Errorf("it wrote its end: %+v %v", run, err)
			}
			if back == nil {
				t.Fatal("it was not robbed")
			}
			back()
			next := w.sync(&p.people, connector.ResultOK)
			counts(t, next, connector.Counts{Created: c.people - c.written, Unchanged: c.written})
			if run, err := w.db.Run(t.Context(), plan.Run.ID); err != nil || run.Result != connector.ResultFailed || run.Error != connector.CutOff {
				t.Errorf("the next run leaves it as %+v %v", run, err)
			}
		})
	}
}

// Whoever leads next tells of runs that were cut off, but leaves alone what goes on.
func TestInterruptLeavesARunThatGoesOnAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var during error
	p := &thief{people: people{list: crowd(20)}}
	p.rob = func() { during = w.prov.Interrupt(t.Context(), "dir") }
	plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: p, Mode: connector.ModeFull, Actor: "test"})
	if err != nil || during != nil || plan.Run.Result != connector.ResultOK {
		t.Fatal(err, during, plan.Run.Result)
	}
	defer plan.Close()
	cut := *plan.Run
	cut.ID, cut.Result = connector.NewID(w.now), connector.ResultRunning
	if err := w.db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRun(t.Context(), &cut) }); err != nil {
		t.Fatal(err)
	}
	if err := w.prov.Interrupt(t.Context(), "dir"); err != nil {
		t.Fatal(err)
	}
	if run, err := w.db.Run(t.Context(), cut.ID); err != nil || run.Error != connector.CutOff {
		t.Errorf("%+v %v", run, err)
	}
}
