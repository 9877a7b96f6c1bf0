package provision_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
)

const day = 24 * time.Hour

// second adds a source of lower priority than dir.
func second(o *connector.Organization) {
	o.Sources = append(o.Sources, connector.SourceSettings{
		ID: "second", Kind: connector.Directory, FirstRun: connector.FirstRunApply, Fingerprint: connector.Hash{2},
		Guard: connector.Guard{Min: 10, Percent: 5},
	})
}

// inSecond gives a record the anchor that the person has there.
func inSecond(r *connector.Record) *connector.Record {
	r.Anchor.Raw = "second" + r.Anchor.Raw[len("second"):]
	return r
}

// Settings that would take people away stay a reason to hold until somebody has approved it, not only in
// the first run under them.
func TestRemovalsByChangedSettingsStayHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	w.org.Sources[0].Fingerprint = connector.Hash{9}
	w.rebuild()
	p.list = p.list[:18]
	w.sync(p, connector.ResultHeld)
	held := w.sync(p, connector.ResultHeld)
	if w.state("u0020") != connector.Active {
		t.Fatal("removed without approval")
	}
	if _, err := w.approve(held, p); err != nil {
		t.Fatal(err)
	}
	p.list = p.list[:17]
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 1, Unchanged: 17})
}

// What moved so far that nothing needs approval any more is still not what was approved.
func TestApprovalOfWhatIsNotThereAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(100)}
	w.sync(p, connector.ResultOK)
	all := p.list
	p.list = all[:80]
	held := w.sync(p, connector.ResultHeld)
	p.list = all[:95]
	if _, err := w.approve(held, p); connector.KindOf(err) != connector.Conflict {
		t.Fatalf("%v", err)
	}
	if w.state("u0100") != connector.Active {
		t.Error("nothing of it may be applied")
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 5, Unchanged: 95})
}

// Changed settings under which nothing is to be done need no approval, and the runs after it are like
// any other.
func TestChangedSettingsThatChangeNobodyHoldNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].FirstRun = connector.FirstRunPreview })
	p := &people{list: crowd(20)}
	if _, err := w.approve(w.sync(p, connector.ResultHeld), p); err != nil {
		t.Fatal(err)
	}
	w.org.Sources[0].Fingerprint = connector.Hash{9}
	w.rebuild()
	w.sync(p, connector.ResultOK)
	p.list = p.list[:19]
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 1, Unchanged: 19})
}

// A first run in which nobody could be created is still to come.
func TestFirstRunOfFailuresIsNoFirstRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].FirstRun, o.PartnerID = connector.FirstRunPreview, "" })
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	w.org.PartnerID = "P-1"
	w.rebuild()
	w.sync(p, connector.ResultHeld)
}

func TestCancelledFirstRunIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].FirstRun = connector.FirstRunPreview })
	p := &people{list: crowd(2500)}
	held := w.sync(p, connector.ResultHeld)
	run, err := w.db.Run(t.Context(), held.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	plan, err := w.prov.Sync(ctx, provision.SyncRequest{
		Source: "dir", From: p, Mode: connector.ModeFull, Actor: "test", Approve: run,
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
	again := w.sync(p, connector.ResultHeld)
	if c := again.Run.Counts; c.Held == 0 || c.Held+c.Unchanged != 2500 {
		t.Errorf("%+v", c)
	}
}

// An entry that cannot be read as a person changes nothing of that person.
func TestFaultyEntryChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	p.list[0].Enabled = connector.EnabledNo
	w.sync(p, connector.ResultOK)
	if _, err := w.prov.Reactivate(t.Context(), command(w, "u0001")); err != nil {
		t.Fatal(err)
	}
	p.list[0].Fault = "two entries have this anchor"
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Failed: 1, Unchanged: 2})
	if w.state("u0001") != connector.Active || len(w.items()) != 1 {
		t.Errorf("%s, %d open items", w.state("u0001"), len(w.items()))
	}
}

func TestFaultyEntryOfSomebodyInactiveIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	p.list[0].Enabled = connector.EnabledNo
	w.sync(p, connector.ResultOK)
	p.list[0].Fault = "two entries have this anchor"
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Failed: 1, Unchanged: 2})
}

// An entry that moved while pages were read comes twice: what was read of it first is no reason to take
// anything away.
func TestEntryThatComesTwiceLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(5)}
	w.sync(p, connector.ResultOK)
	before := w.user("u0001").Version
	old := person(1)
	old.OutOfScope = "OU excluded"
	p.list = append([]*connector.Record{old}, p.list...)
	plan := w.sync(p, connector.ResultOK)
	counts(t, plan, connector.Counts{Skipped: 1, Unchanged: 4})
	if plan.Run.Skips[connector.SkipMoved] != 1 {
		t.Errorf("%+v", plan.Run.Skips)
	}
	if w.state("u0001") != connector.Active || w.user("u0001").Version != before {
		t.Error("deactivated for what was not true any more")
	}
}

// Two entries with one anchor are one person with one failure.
func TestSharedAnchorFailsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(5)}
	w.sync(p, connector.ResultOK)
	a, b := person(1), person(1)
	a.Fault, b.Fault, b.DN = "two entries have this anchor", "two entries have this anchor", "uid=double"
	p.list = append([]*connector.Record{a, b}, p.list[1:]...)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Failed: 1, Unchanged: 4})
	if i := w.items(); len(i) != 1 || i[0].Count != 1 {
		t.Errorf("%+v", i)
	}
}

// Whom one source protects no other source deactivates.
func TestProtectedInOneSourceIsProtectedInAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, second)
	high, low := &people{list: crowd(3)}, &people{}
	for i := 1; i <= 3; i++ {
		low.list = append(low.list, inSecond(person(i)))
	}
	low.list[0].Protected = true
	w.syncFrom("second", low, connector.ResultOK)
	w.sync(high, connector.ResultOK)
	high.list[0].Enabled = connector.EnabledNo
	counts(t, w.sync(high, connector.ResultOK), connector.Counts{Skipped: 1, Unchanged: 2})
	if w.state("u0001") != connector.Active {
		t.Error("protected")
	}
}

// A source that has the person but cannot say whether it is enabled has not lost it.
func TestUnknownIsNotGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, second)
	high, low := &people{list: crowd(3)}, &people{list: []*connector.Record{inSecond(person(1))}}
	w.sync(high, connector.ResultOK)
	low.list[0].Enabled = connector.EnabledUnknown
	w.syncFrom("second", low, connector.ResultOK)
	high.list = high.list[1:]
	w.sync(high, connector.ResultOK)
	if w.state("u0001") != connector.Active {
		t.Error("deactivated although a source still has the person")
	}
}

// Access ends even when the package that the entry gives from now on is full.
func TestLeaverNeedsNoSeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		o.InactiveHoldsSeat = true
		o.Packages = append(o.Packages, connector.Package{ID: "full", Seats: 0})
	})
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	w.org.Sources[0].Package = "full"
	w.rebuild()
	p.list[0].Enabled = connector.EnabledNo
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 1, Unchanged: 2})
	if u := w.user("u0001"); u.State != connector.Inactive || u.Package != "standard" {
		t.Errorf("%s with %s", u.State, u.Package)
	}
}

// A leaver whose last entry carries the address of somebody new leaves all the same.
func TestLeaverWithSomebodysAddressLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	p.list[0] = person(1, "mail", "new@example.com")
	p.list[0].Enabled = connector.EnabledNo
	p.list = append(p.list, person(9, "mail", "new@example.com"))
	w.sync(p, connector.ResultOK)
	if w.state("u0001") != connector.Inactive {
		t.Error("keeps the access for the sake of an address")
	}
}

// Somebody back on the last day of the grace period is the same user.
func TestReturnerIsNotDeletedInTheSameRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	id, all := w.user("u0020").ID, p.list
	p.list = all[:19]
	w.sync(p, connector.ResultOK)
	w.now = w.now.Add(8 * day)
	p.list = all
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 19, Reactivated: 1})
	if u := w.user("u0020"); u == nil || u.ID != id || u.State != connector.Active {
		t.Errorf("%+v", u)
	}
}

// Whom an administrator has deactivated stays so whatever sources say: forgetting the user would let the
// next run create it anew.
func TestAdministratorsDeactivationOutlivesTheGracePeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	id := w.user("u0001").ID
	if _, err := w.prov.Deactivate(t.Context(), command(w, "u0001")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.now = w.now.Add(31 * day)
		w.sync(p, connector.ResultOK)
	}
	if u := w.user("u0001"); u == nil || u.ID != id || u.State != connector.Inactive {
		t.Fatalf("%+v", u)
	}
	p.list = p.list[1:]
	w.sync(p, connector.ResultOK)
	w.sync(p, connector.ResultOK)
	if w.user("u0001") != nil {
		t.Error("gone from the directory, and its grace is over")
	}
}

// What was moved by others while a run is applied is counted as what it came to.
func TestMovedWhileApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		o.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	})
	p := &people{list: crowd(4000)}
	w.sync(p, connector.ResultOK)
	for i := range p.list {
		p.list[i] = person(i+1, "sn", fmt.Sprintf("Other%d", i))
	}
	w.now = w.now.Add(time.Minute)
	moved := false
	plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{
		Source: "dir", From: p, Mode: connector.ModeFull, Actor: "test",
		Progress: func(x provision.Progress) {
			if x.Phase != "apply" || moved {
				return
			}
			moved = true
			for i := 1001; i <= 4000; i += 30 {
				rec := person(i, "sn", "Meanwhile")
				if _, err := w.prov.Submit(t.Context(), "dir", rec, connector.Cause{Kind: connector.CauseRequest, Actor: "test"}); err != nil {
					t.Error(err)
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plan.Close() })
	counts(t, plan, connector.Counts{Updated: 3900, Skipped: 100})
	if n := plan.Run.Skips[connector.SkipMoved]; n != 100 {
		t.Errorf("%d moved, want 100", n)
	}
}

// broken is a store in which one thing fails.
type broken struct {
	connector.Store
	seats func() error
}

func (b *broken) Seats(ctx context.Context, org string) ([]connector.SeatCount, error) {
	if err := b.seats(); err != nil {
		return nil, err
	}
	return b.Store.Seats(ctx, org)
}

// A run whose last questions fail still ends in the store.
func TestEndOfARunIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ended := false
	prov := provision.New(provision.Options{
		Store: &broken{w.db, func() error {
			if ended {
				return errors.New("the disk is tired")
			}
			return nil
		}},
		Org: w.org, Mappings: w.maps, Now: func() time.Time { return w.now }, SpoolDir: t.TempDir(),
	})
	plan, err := prov.Sync(t.Context(), provision.SyncRequest{
		Source: "dir", From: &people{list: crowd(3)}, Mode: connector.ModeFull, Actor: "test",
		Progress: func(x provision.Progress) { ended = x.Phase == "apply" },
	})
	if err == nil {
		t.Error("the fault must be told")
	}
	t.Cleanup(func() { _ = plan.Close() })
	run, err := w.db.Run(t.Context(), plan.Run.ID)
	if err != nil || run.Result == connector.ResultRunning || run.Finished.IsZero() {
		t.Errorf("stored as %s, %v", run.Result, err)
	}
}

// An open item stays when its person was merely not in the answer.
func TestItemOfSomebodyWhoIsStillThereStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seats(3))
	p := &people{list: crowd(5)}
	w.sync(p, connector.ResultOK)
	all := p.list
	p.list, p.presence = all[:4], map[string]connector.Presence{all[4].Anchor.Raw: connector.PresentInScope}
	w.sync(p, connector.ResultOK)
	if n := len(w.items()); n != 2 {
		t.Errorf("%d open items, want 2", n)
	}
}

// A package that is released follows the sources again with their next run.
func TestReleasedPackageFollowsTheSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		o.Packages = append(o.Packages, connector.Package{ID: "gold", Seats: connector.Unlimited})
	})
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	if _, err := w.prov.SetPackage(t.Context(), command(w, "u0002"), "gold", false); err != nil {
		t.Fatal(err)
	}
	w.sync(p, connector.ResultOK)
	if got := w.user("u0002").Package; got != "gold" {
		t.Fatalf("fixed, but is %s", got)
	}
	if _, err := w.prov.SetPackage(t.Context(), command(w, "u0002"), "", true); err != nil {
		t.Fatal(err)
	}
	w.sync(p, connector.ResultOK)
	if got := w.user("u0002").Package; got != "standard" {
		t.Errorf("released, but is still %s", got)
	}
}

// A person who is gone keeps the name of the place where the entry stood.
func TestLinkOfSomebodyGoneKeepsItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	gone := p.list[0]
	p.list = p.list[1:]
	w.sync(p, connector.ResultOK)
	links, err := w.db.Links(t.Context(), w.org.ID, "dir", []connector.Anchor{gone.Anchor})
	if err != nil || len(links) != 1 || links[0].DN != gone.DN {
		t.Errorf("%+v %v", links, err)
	}
}

func TestNoTemporaryFilesStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	dir := t.TempDir()
	m, _ := mapping.Compile(mapping.Config{Preset: "openldap"})
	prov := provision.New(provision.Options{
		Store: w.db, Org: w.org, Mappings: map[string]*mapping.Mapping{"dir": m}, Now: func() time.Time { return w.now }, SpoolDir: dir,
	})
	for _, p := range []*people{{list: crowd(3)}, {list: crowd(3), err: errors.New("cut off")}, {}} {
		if plan, err := prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: p, Mode: connector.ModeFull}); plan != nil {
			if err := plan.Close(); err != nil {
				t.Error(err)
			}
		} else if err == nil {
			t.Error("no plan and no error")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("%v", left)
	}
}
