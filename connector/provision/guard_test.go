package provision_test

import (
	"context"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

func TestFirstRunIsLookedAtBeforeItIsApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].FirstRun = connector.FirstRunPreview })
	p := &people{list: append(crowd(20), person(21, "sn", ""))}
	held := w.sync(p, connector.ResultHeld)
	counts(t, held, connector.Counts{Held: 20, Failed: 1})
	if w.user("u0001") != nil || len(w.items()) != 0 {
		t.Fatal("a held first run changes nothing")
	}
	done, err := w.approve(held, p)
	if err != nil {
		t.Fatal(err)
	}
	counts(t, done, connector.Counts{Created: 20, Failed: 1})
	run, err := w.db.Run(t.Context(), held.Run.ID)
	if err != nil || run.Hold.Status != connector.HoldApproved {
		t.Fatalf("%+v %v", run.Hold, err)
	}
	if err := w.prov.CheckHold(run); err == nil {
		t.Error("approved twice")
	}
	w.org.Sources[0].Fingerprint = connector.Hash{2}
	w.rebuild()
	p.list = p.list[:19]
	counts(t, w.sync(p, connector.ResultHeld), connector.Counts{Held: 1, Unchanged: 19})
}

func TestRejectedHoldIsNotApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].FirstRun = connector.FirstRunPreview })
	p := &people{list: crowd(3)}
	held := w.sync(p, connector.ResultHeld)
	run, err := w.db.Run(t.Context(), held.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.prov.Reject(t.Context(), run, "test"); err != nil {
		t.Fatal(err)
	}
	run, _ = w.db.Run(t.Context(), held.Run.ID)
	if err := w.prov.CheckHold(run); connector.KindOf(err) != connector.Refused {
		t.Errorf("%v", err)
	}
}

func TestProtectedPeopleAreNeverDeactivated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(5)}
	p.list[0].Protected, p.list[1].Protected = true, true
	w.sync(p, connector.ResultOK)
	p.list[0].Enabled = connector.EnabledNo
	p.list = append(p.list[:1:1], p.list[2:]...)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Skipped: 2, Unchanged: 3})
	if w.state("u0001") != connector.Active || w.state("u0002") != connector.Active {
		t.Error("protected")
	}
}

// What a full run after the other would take away counts together, and what waits does not pass because an
// hour is over, but can be approved then.
func TestRemovalsOfSeveralFullRunsCountTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(100)}
	w.sync(p, connector.ResultOK)
	all := p.list
	p.list = all[8:]
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 8, Unchanged: 92})
	p.list = all[13:]
	held := w.sync(p, connector.ResultHeld)
	if want := "5 removals, with 8 in the last hour, are more than 10 and more than 5 % of 92 users: " +
		"5 not in the directory any more, most or all of them below ou=people"; held.Run.Hold.Reason != want {
		t.Errorf("%q, want %q", held.Run.Hold.Reason, want)
	}
	for range 3 {
		w.now = w.now.Add(2 * time.Hour)
		held = w.sync(p, connector.ResultHeld)
		counts(t, held, connector.Counts{Held: 5, Unchanged: 87})
	}
	w.now = w.now.Add(2 * time.Hour)
	done, err := w.approve(held, p)
	if err != nil {
		t.Fatal(err)
	}
	counts(t, done, connector.Counts{Deactivated: 5, Unchanged: 87})
	p.list = all[20:]
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 7, Unchanged: 80}) // somebody was asked about the 5
}

// What was last heard of the protection holds for somebody of whom nothing is left that could tell.
func TestProtectionIsRememberedOfWhoIsSpared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(5)}
	w.sync(p, connector.ResultOK)
	all := p.list
	p.list[0] = person(1)
	p.list[0].Protected, p.list[0].OutOfScope = true, "elsewhere"
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Skipped: 1, Unchanged: 4})
	p.list = all[1:]
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Skipped: 1, Unchanged: 4})
	if w.state("u0001") != connector.Active {
		t.Error("protected")
	}
}

// Whose own entry says that the protection is over is protected no longer, also when it says more than that.
func TestProtectionEndsWithTheWordOfTheEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(5)}
	p.list[0].Protected, p.list[1].Protected = true, true
	w.sync(p, connector.ResultOK)
	p.list[0], p.list[1] = person(1), person(2)
	p.list[0].Enabled, p.list[1].OutOfScope = connector.EnabledNo, "elsewhere"
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 2, Unchanged: 3})
}

func TestPreviewChangesNothingAndCanBeCarriedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(5)}
	plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: p, Mode: connector.ModePreview, Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plan.Close() })
	counts(t, plan, connector.Counts{Created: 5})
	if plan.Run.Result != connector.ResultOK || w.user("u0001") != nil {
		t.Errorf("%s", plan.Run.Result)
	}
	done, err := w.approve(plan, p)
	if err != nil {
		t.Fatal(err)
	}
	counts(t, done, connector.Counts{Created: 5})
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 5})
}

func TestCancelledRunLeavesEverythingConsistent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(3000)}
	ctx, cancel := context.WithCancel(t.Context())
	plan, err := w.prov.Sync(ctx, provision.SyncRequest{
		Source: "dir", From: p, Mode: connector.ModeFull, Actor: "test",
		Progress: func(x provision.Progress) {
			if x.Phase == "apply" {
				cancel()
			}
		},
	})
	t.Cleanup(func() { _ = plan.Close() })
	if err == nil || plan.Run.Result != connector.ResultCancelled {
		t.Fatalf("%s %v", plan.Run.Result, err)
	}
	p.list = p.list[:3000]
	again := w.sync(p, connector.ResultOK)
	if c := again.Run.Counts; c.Created+c.Unchanged != 3000 || c.Unchanged == 0 {
		t.Errorf("%+v", c)
	}
}

func TestTwoRunsOfOneSourceNeverOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(3)}
	p.during = func(i int) {
		if i != 1 {
			return
		}
		p.during = nil
		_, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: &people{}, Mode: connector.ModeFull})
		if connector.KindOf(err) != connector.Conflict {
			t.Errorf("%v", err)
		}
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Created: 3})
}

func TestMappingMistakeIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(100)}
	w.sync(p, connector.ResultOK)
	for i := range 60 {
		p.list[i] = person(i+1, "sn", "-")
	}
	p.list = append(p.list, person(200))
	held := w.sync(p, connector.ResultHeld)
	counts(t, held, connector.Counts{Created: 1, Held: 60, Unchanged: 40})
	if w.user("u0001").Profile.Get(connector.FamilyName) != "Lee1" {
		t.Error("held")
	}
	done, err := w.approve(held, p)
	if err != nil {
		t.Fatal(err)
	}
	counts(t, done, connector.Counts{Updated: 60, Unchanged: 41})
}
