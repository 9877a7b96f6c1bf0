package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// planChanges plans what a feed tells now.
func (w *world) planChanges(f *feed) *provision.Plan {
	w.t.Helper()
	plan, full, err := w.prov.PlanChanges(w.t.Context(), provision.PlanRequest{Source: "dir", From: f}, nil)
	if err != nil || full != "" {
		w.t.Fatal(full, err)
	}
	w.t.Cleanup(func() { _ = plan.Close() })
	return plan
}

func (w *world) storedRun(id connector.ID) *connector.Run {
	w.t.Helper()
	run, err := w.db.Run(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// What a feed has told once it does not tell again: who was changed by somebody else meanwhile is decided again.
func TestWhoMovesDuringARunOfChangesIsDecidedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		o.Packages = append(o.Packages, connector.Package{ID: "big", Seats: connector.Unlimited})
		o.Sources = append(o.Sources, connector.SourceSettings{
			ID: "hr", Kind: connector.Directory, FirstRun: connector.FirstRunApply, Fingerprint: connector.Hash{2}, Guard: o.Sources[0].Guard,
		})
	})
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	f.put(person(1, "sn", "Berg"), person(21), person(22), person(2, "sn", "Holm"))
	f.fire(person(3).Anchor)
	plan := w.planChanges(f)

	for _, name := range []string{"u0001", "u0003"} { // an administrator
		if _, err := w.prov.SetPackage(t.Context(), command(w, name), "big", false); err != nil {
			t.Fatal(err)
		}
	}
	w.submit("hr", person(21))                 // the same person by another door
	w.submit("hr", person(99, "uid", "u0022")) // the name is somebody's already
	if err := w.prov.Apply(t.Context(), plan, nil); err != nil {
		t.Fatal(err)
	}
	counts(t, plan, connector.Counts{Updated: 3, Deactivated: 1, Unchanged: 1})
	if w.user("u0001").Profile.Get("familyName") != "Berg" || w.state("u0003") != connector.Inactive || w.storedCursor() != "5" {
		t.Errorf("%+v", w.picture())
	}
	links, err := w.db.Links(t.Context(), w.org.ID, "dir", []connector.Anchor{person(21).Anchor, person(22).Anchor})
	if err != nil || len(links) != 2 || links[0].User != w.user("u0021").ID || links[1].User != w.user("u0022").ID {
		t.Errorf("%+v, %v", links, err)
	}
	full := w.readInFull(f, connector.ResultOK)
	if full.Run.Counts.Changed() != 0 {
		t.Errorf("a full run finds more: %+v", full.Run.Counts)
	}
}

// Decided again, nobody loses an access that the guard has not counted.
func TestWhoMovesIsNotRemovedUncounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	if _, err := w.prov.Deactivate(t.Context(), command(w, "u0001")); err != nil {
		t.Fatal(err)
	}
	f.put(disabled(1), person(2, "sn", "Berg"))
	plan := w.planChanges(f)
	if _, err := w.prov.Reactivate(t.Context(), command(w, "u0001")); err != nil {
		t.Fatal(err)
	}
	err := w.prov.Apply(t.Context(), plan, nil)
	if connector.KindOf(err) != connector.Conflict || w.state("u0001") != connector.Active || w.storedCursor() != "0" {
		t.Errorf("%v, %s, cursor %s", err, w.state("u0001"), w.storedCursor())
	}
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{Deactivated: 1, Updated: 1})
}

// A batch in which nobody is another one leaves no run behind.
func TestBatchesThatChangeNobodyLeaveNoRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	f.put(person(1))
	w.do(provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeChanges, Actor: "test", Quiet: true}, connector.ResultRunning)
	x := w.follow(f)
	x.catchUp()
	f.put(person(2))
	f.put(person(3, "sn", "Berg"))
	one := x.next()
	f.put(person(4))
	f.put(person(5, "sn", "Berg"))
	if two := x.next(); two.Run.ID != one.Run.ID {
		t.Error("another run")
	}
	x.end() //nolint:errcheck // it was cancelled
	w.changes(f, connector.ResultOK)
	for _, r := range w.runs() {
		if r.Result != connector.ResultOK {
			t.Errorf("%s %s: %s %s", r.Mode, r.Actor, r.Result, r.Error)
		}
	}
}

func (w *world) runs() []*connector.Run {
	w.t.Helper()
	runs, err := w.db.Runs(w.t.Context(), connector.RunFilter{Org: w.org.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return runs
}

// As long as what changed settings do waits for an approval, nothing can be followed: a full run after the
// other would only hold it again.
func TestLiveWaitsForTheApprovalOfChangedSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	w.org.Sources[0].Fingerprint = connector.Hash{9}
	w.rebuild()
	f.fire(person(1).Anchor)
	x := w.follow(f)
	full := x.next()
	select {
	case err := <-x.ended:
		if connector.KindOf(err) != connector.Refused || !strings.Contains(err.Error(), "waits for approval") {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on reading in full")
	}
	if n := len(x.applied); n != 0 || full.Run.Result != connector.ResultHeld {
		t.Errorf("%d more runs, %s", n, full.Run.Result)
	}
	w.do(provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeFull, Actor: "anna", Approve: w.storedRun(full.Run.ID)}, connector.ResultOK)
	x = w.follow(f)
	x.catchUp()
	f.put(person(2, "sn", "Berg"))
	if r := x.next(); r.Run.Mode != connector.ModeChanges || r.Counts != (connector.Counts{Updated: 1}) {
		t.Errorf("%+v", r)
	}
	x.end() //nolint:errcheck // it was cancelled
}

// expiring is a person whose account ends by the clock.
func (f *feed) expiring(i int, at time.Time) {
	r := person(i)
	r.RecheckAt = at
	f.put(r)
}

func (f *feed) expired(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.putSilently(disabled(i))
}

// More accounts expire at once than the guard lets pass: they are held once, and not by each batch again.
func TestExpiredAccountsThatAreHeldAreNotHeldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(100))
	end := w.now.Add(24 * time.Hour)
	for i := 1; i <= 12; i++ {
		f.expiring(i, end)
	}
	w.readInFull(f, connector.ResultOK)
	w.now = end
	for i := 1; i <= 12; i++ {
		f.expired(i)
	}
	held := w.changes(f, connector.ResultHeld)
	w.isFull(held, "")
	for i := 20; i < 25; i++ {
		f.put(person(i, "sn", "Berg"))
		w.isChanges(w.changes(f, connector.ResultOK))
	}
	w.do(provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeFull, Actor: "anna", Approve: w.storedRun(held.Run.ID)}, connector.ResultOK)
	if w.state("u0001") != connector.Inactive {
		t.Error("the approval does nothing")
	}
}

// The clock moves although the directory is quiet.
func TestLiveSeesAccountsExpire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	f.expiring(1, w.now.Add(-time.Second))
	w.readInFull(f, connector.ResultOK)
	f.expired(1)
	ticking := w.followWith(f, func(r *provision.LiveRequest) { r.Look = time.Millisecond })
	ticking.catchUp()
	for w.state("u0001") != connector.Inactive {
		ticking.next()
	}
	ticking.end() //nolint:errcheck // it was cancelled
}

// Whom a look leaves as it is nobody looks at again and again.
func TestLooksEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	end := w.now.Add(time.Hour)
	for i := 1; i <= 2; i++ {
		r := person(i)
		r.RecheckAt, r.Protected = end, i == 1
		f.put(r)
	}
	w.readInFull(f, connector.ResultOK)
	w.now = end
	a, b := disabled(1), person(2)
	a.Protected, b.Fault = true, "it cannot be read"
	f.mu.Lock()
	f.putSilently(a)
	f.putSilently(b)
	f.mu.Unlock()
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{Skipped: 1, Failed: 1})
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{})
}

// A domain that is proven, or lost, is news about its people although their entries have not changed.
func TestChangesDecideAgainAboutADomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var list []*connector.Record
	for i := 1; i <= 1200; i++ {
		mail := "u%04d@example.com"
		if i <= 3 {
			mail = "u%04d@other.example"
		}
		list = append(list, person(i, "mail", fmt.Sprintf(mail, i)))
	}
	f := newFeed(list)
	w.readInFull(f, connector.ResultOK)
	if w.state("u0001") != connector.NotVerified {
		t.Fatal(w.state("u0001"))
	}
	w.verify("other.example")
	if n, err := w.db.ForgetHashes(t.Context(), w.org.ID, "other.example"); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{Updated: 3})
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{})
	if w.state("u0003") != connector.Active {
		t.Error(w.state("u0003"))
	}
	if n, err := w.db.ForgetHashes(t.Context(), w.org.ID, "example.com"); err != nil || n != 1197 {
		t.Fatal(n, err)
	}
	w.isFull(w.changes(f, connector.ResultOK), "more than 1,000")
	w.isChanges(w.changes(f, connector.ResultOK))
}

// What is rolled back does not grow on.
func TestRollbackOfALiveRunThatGrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	x := w.follow(f)
	x.catchUp()
	f.put(person(1, "sn", "Berg"))
	one := x.next()
	back, err := w.prov.Rollback(t.Context(), provision.RollbackRequest{Run: one.Run.ID, Actor: "anna", Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	counts(t, back, connector.Counts{Updated: 1})
	_ = back.Close()
	f.put(person(2, "sn", "Holm"))
	two := x.next()
	if two.Run.ID == one.Run.ID || two.Run.Counts != (connector.Counts{Updated: 1}) {
		t.Errorf("%+v", two.Run)
	}
	x.end() //nolint:errcheck // it was cancelled
	var names []string
	for ch, err := range w.db.RunChanges(t.Context(), one.Run.ID) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, ch.Subject)
	}
	if !slices.Equal(names, []string{"u0001"}) || w.user("u0001").Profile.Get("familyName") != "Lee1" {
		t.Errorf("the run that was put back is of %v", names)
	}
}

// The row, the warnings and the people of a run that grows are those of all its batches.
func TestLiveRunTellsOfAllItsBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	x := w.follow(f)
	x.catchUp()
	f.warn = []string{"one is hidden"}
	f.put(person(1, "mail", "u0002@example.com")) // refused
	x.next()
	f.warn = nil
	for i := 3; i < 8; i++ {
		f.put(person(i, "sn", "Berg"))
		x.next()
	}
	f.put(person(21))
	last := x.next()
	x.end() //nolint:errcheck // it was cancelled
	stored := w.storedRun(last.Run.ID)
	if stored.Counts != (connector.Counts{Created: 1, Updated: 5, Failed: 1}) || !slices.Equal(stored.Warnings, []string{"one is hidden"}) ||
		stored.Entries != 7 || stored.Mechanism != "test" || stored.Result != connector.ResultOK {
		t.Errorf("%+v", stored)
	}
	var told connector.Counts
	for ch, err := range w.db.RunChanges(t.Context(), last.Run.ID) {
		if err != nil {
			t.Fatal(err)
		}
		told.Add(ch)
	}
	if told != stored.Counts {
		t.Errorf("the people of the report are %+v, its head says %+v", told, stored.Counts)
	}
}

// However following ends, in the middle of whatever, what was told and not applied is told again.
func TestLiveCancelledAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	for round := range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		f.put(person(1+round%20, "sn", fmt.Sprint("Name", round)))
		go func() {
			ended <- w.prov.Live(ctx, provision.LiveRequest{Source: "dir", From: f, CaughtUp: cancel, Look: time.Millisecond})
		}()
		if round%3 == 0 {
			cancel()
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
	}
	w.changes(f, connector.ResultOK)
	for i := range 20 {
		want := ""
		for _, v := range f.list[i].Values("sn") {
			want = string(v)
		}
		if u := w.user(fmt.Sprintf("u%04d", i+1)); u.Profile.Get("familyName") != want {
			t.Errorf("%s is %s, not %s", u.UserName(), u.Profile.Get("familyName"), want)
		}
	}
	full := w.readInFull(f, connector.ResultOK)
	if full.Run.Counts.Changed() != 0 || *full.Run.Missed != 0 {
		t.Errorf("%+v, missed %d", full.Run.Counts, *full.Run.Missed)
	}
}

// A seat that changes free goes to whoever has waited longest, not to whoever comes with them.
func TestSeatsThatChangesFreeGoToTheWaitingList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Packages[0].Seats = 3 })
	f := newFeed(crowd(6))
	w.readInFull(f, connector.ResultOK)
	f.put(person(6, "sn", "Berg"), person(7))
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{Failed: 2})
	f.fire(person(1).Anchor)
	f.put(person(6, "sn", "Holm"), person(8))
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{Deactivated: 1, Failed: 2})
	if w.state("u0004") != connector.Active || w.state("u0006") != "" || w.state("u0008") != "" || w.used("standard") != 3 {
		t.Errorf("%v", w.picture())
	}
	f.fire(person(2).Anchor, person(3).Anchor, person(4).Anchor)
	f.put(person(9))
	w.changes(f, connector.ResultOK)
	for _, name := range []string{"u0005", "u0006", "u0007"} {
		if w.state(name) != connector.Active {
			t.Errorf("%s: %v", name, w.picture())
		}
	}
}

// The guard takes its share of the people, not of the entries: most of those may be out of scope.
func TestTheGuardOfChangesCountsPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	list := crowd(400)
	for _, r := range list[60:] {
		r.OutOfScope = "elsewhere"
	}
	f := newFeed(list)
	w.readInFull(f, connector.ResultOK)
	for i := 1; i <= 12; i++ {
		f.fire(person(i).Anchor)
	}
	held := w.changes(f, connector.ResultHeld)
	w.isFull(held, "of 60 users")
	w.do(provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeFull, Actor: "anna", Approve: w.storedRun(held.Run.ID)}, connector.ResultOK)
	for i := 20; i < 50; i++ {
		f.put(person(i, "sn", "Changed"))
	}
	w.isFull(w.changes(f, connector.ResultHeld), "for 30 of 48")
}

// So it does of grace periods that end without a full run.
func TestTheGuardOfGraceCountsPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(400)}
	w.sync(p, connector.ResultOK)
	for i := range 12 {
		p.list[i].Enabled = connector.EnabledNo
	}
	w.sync(p, connector.ResultOK)
	w.now = w.now.Add(31 * day)
	run, err := w.prov.EndGrace(t.Context(), "dir", "r1")
	if err != nil || run.Result != connector.ResultOK || run.Counts != (connector.Counts{Deleted: 12}) {
		t.Errorf("%+v, %v", run, err)
	}
}
