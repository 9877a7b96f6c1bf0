package provision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// generous guards nothing, so that a test can do much in one run.
func generous(o *connector.Organization) {
	for i := range o.Sources {
		o.Sources[i].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	}
}

// rollback undoes a run at once.
func (w *world) rollback(run connector.ID) *provision.Plan {
	w.t.Helper()
	return w.undo(provision.RollbackRequest{Run: run, Apply: true}, connector.ResultOK)
}

func (w *world) undo(req provision.RollbackRequest, want connector.Result) *provision.Plan {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	req.Actor = "test"
	plan, err := w.prov.Rollback(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = plan.Close() })
	if plan.Run.Result != want {
		w.t.Fatalf("the rollback ended as %s (%s %+v), want %s", plan.Run.Result, plan.Run.Error, plan.Run.Hold, want)
	}
	stored, err := w.db.Run(w.t.Context(), plan.Run.ID)
	if err != nil || stored.Counts != plan.Run.Counts || stored.Mode != connector.ModeRollback || stored.Undoes != plan.Run.Undoes {
		w.t.Fatalf("stored as %+v, %v", stored, err)
	}
	w.sound()
	return plan
}

// sound checks the invariants of the store.
func (w *world) sound() {
	w.t.Helper()
	problems, err := w.db.Verify(w.t.Context())
	if err != nil || len(problems) > 0 {
		w.t.Fatalf("the store breaks an invariant: %v %v", problems, err)
	}
}

// same checks that all users are as they were.
func (w *world) same(before map[string]string) {
	w.t.Helper()
	now := w.picture()
	for name, was := range before {
		if now[name] != was {
			w.t.Fatalf("%s is\n%s, was\n%s", name, now[name], was)
		}
	}
	if len(now) != len(before) {
		w.t.Fatalf("%d users, were %d", len(now), len(before))
	}
}

// outcome returns what a plan says of a person.
func outcome(t *testing.T, p *provision.Plan, subject string) *connector.Change {
	t.Helper()
	for ch, err := range p.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if ch.Subject == subject {
			return ch
		}
	}
	t.Fatalf("nothing is said of %s", subject)
	return nil
}

// The story of the requirement: 500 deactivated and 2,000 changed, in a package that has not one seat more.
func TestRollbackPutsBackFiveHundredAndTwoThousand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { generous(o); seats(2600)(o) })
	p := &people{list: crowd(2600)}
	w.sync(p, connector.ResultOK)
	before := w.picture()
	for i := range p.list[:2500] {
		if p.list[i] = person(i+1, "sn", "Wrong", "title", "Wrong"); i < 500 {
			p.list[i].Enabled = connector.EnabledNo
		}
	}
	wrong := w.sync(p, connector.ResultOK)
	counts(t, wrong, connector.Counts{Updated: 2000, Deactivated: 500, Unchanged: 100})
	if n := w.used("standard"); n != 2100 {
		t.Fatalf("%d seats used", n)
	}
	back := w.rollback(wrong.Run.ID)
	counts(t, back, connector.Counts{Updated: 2000, Reactivated: 500})
	w.same(before)
	if n := w.used("standard"); n != 2600 {
		t.Errorf("%d seats used", n)
	}
	n := 0
	for e, err := range w.db.UserEvents(t.Context(), w.org.ID, w.user("u0001").ID) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 && (e.Cause.Run != back.Run.ID || e.Action != connector.Reactivated) {
			t.Errorf("the history says %+v", e)
		}
	}
	if n != 3 {
		t.Errorf("%d events", n)
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 2600}) // the directory has said nothing new
	w.same(before)
}

// A rollback is a run like any other, and so is the rollback of a rollback.
func TestRollbackIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(6)}
	w.sync(p, connector.ResultOK)
	before := w.picture()
	p.list[0], p.list[1] = person(1, "title", "Wrong"), person(2)
	p.list[1].Enabled = connector.EnabledNo
	run := w.sync(p, connector.ResultOK).Run
	wrong := w.picture()
	back := w.rollback(run.ID)
	w.same(before)
	again := w.rollback(back.Run.ID)
	counts(t, again, connector.Counts{Updated: 1, Deactivated: 1})
	w.same(wrong)
	counts(t, w.rollback(again.Run.ID), connector.Counts{Updated: 1, Reactivated: 1})
	w.same(before)
	counts(t, w.rollback(run.ID), connector.Counts{Unchanged: 2})
}

// What the directory says anew counts, also for people who were rolled back.
func TestNextWordOfTheDirectoryCountsAfterARollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(6)}
	w.sync(p, connector.ResultOK)
	before := w.picture()
	all := p.list
	disabled := func(i int, more ...string) *connector.Record {
		r := person(i, more...)
		r.Enabled = connector.EnabledNo
		return r
	}
	p.list = []*connector.Record{disabled(1), disabled(2), disabled(3), all[5]} // 4 and 5 are gone
	run := w.sync(p, connector.ResultOK).Run
	counts(t, w.rollback(run.ID), connector.Counts{Reactivated: 5})
	w.same(before)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 4})
	w.same(before)
	p.list = []*connector.Record{all[0], disabled(2, "title", "New"), disabled(3), all[3], all[5]} // 1 enabled again, 4 is there again
	w.sync(p, connector.ResultOK)
	for name, want := range map[string]connector.State{
		"u0001": connector.Active, "u0002": connector.Inactive, "u0003": connector.Active, "u0004": connector.Active, "u0005": connector.Active,
	} {
		if got := w.state(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	p.list[0], p.list[3] = disabled(1), disabled(4)
	w.sync(p, connector.ResultOK)
	if w.state("u0001") != connector.Inactive || w.state("u0004") != connector.Inactive {
		t.Error("a rollback is not for ever")
	}
}

// Somebody who was enabled again, and rolled back, is neither enabled nor deleted by the next run.
func TestRolledBackReactivation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(2)}
	w.sync(p, connector.ResultOK)
	p.list[0] = person(1)
	p.list[0].Enabled = connector.EnabledNo
	w.sync(p, connector.ResultOK)
	before := w.picture()
	p.list[0] = person(1)
	run := w.sync(p, connector.ResultOK).Run
	counts(t, w.rollback(run.ID), connector.Counts{Deactivated: 1})
	w.same(before)
	w.now = w.now.Add(60 * day)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 2})
	if w.state("u0001") != connector.Inactive {
		t.Errorf("u0001 is %q", w.state("u0001"))
	}
	p.list[0] = person(1, "title", "New")
	w.sync(p, connector.ResultOK)
	if w.state("u0001") != connector.Active {
		t.Errorf("u0001 is %q", w.state("u0001"))
	}
}

func TestLaterChangesStandInTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(6)}
	w.sync(p, connector.ResultOK)
	for i := range p.list {
		if p.list[i] = person(i+1, "sn", "Wrong", "title", "Wrong"); i < 3 {
			p.list[i].Enabled = connector.EnabledNo
		}
	}
	run := w.sync(p, connector.ResultOK).Run
	if _, err := w.prov.Deactivate(t.Context(), command(w, "u0001")); err != nil { // the administrator's word replaces the source's
		t.Fatal(err)
	}
	if _, err := w.prov.Reactivate(t.Context(), command(w, "u0002")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.prov.Deactivate(t.Context(), command(w, "u0004")); err != nil {
		t.Fatal(err)
	}
	p.list[4] = person(5, "sn", "Wrong", "title", "Right")
	w.sync(p, connector.ResultOK)
	back := w.rollback(run.ID)
	counts(t, back, connector.Counts{Reactivated: 1, Updated: 4, Skipped: 1})
	if back.Run.Skips[connector.SkipChangedSince] != 1 {
		t.Errorf("%v", back.Run.Skips)
	}
	one := outcome(t, back, "u0001")
	if one.Skip != connector.SkipChangedSince || len(one.Warnings) != 1 || !strings.Contains(one.Warnings[0], "the state is not put back: it was changed by admin at 2026-03-01") {
		t.Errorf("%+v", one)
	}
	stored := 0 // the report of the past run says so too
	for ch, err := range w.db.RunChanges(t.Context(), back.Run.ID) {
		if err != nil {
			t.Fatal(err)
		}
		stored += len(ch.Warnings)
	}
	if stored != 2 {
		t.Errorf("%d warnings are stored", stored)
	}
	five := outcome(t, back, "u0005")
	if five.Action != connector.Updated || len(five.Warnings) != 1 || !strings.HasPrefix(five.Warnings[0], "title is not put back: it was changed by run ") &&
		!strings.HasPrefix(five.Warnings[0], "Title is not put back: it was changed by run ") {
		t.Errorf("%+v", five)
	}
	for name, want := range map[string][3]string{
		"u0001": {"inactive", "Wrong", "Wrong"}, "u0002": {"active", "Lee2", ""}, "u0003": {"active", "Lee3", ""},
		"u0004": {"inactive", "Lee4", ""}, "u0005": {"active", "Lee5", "Right"}, "u0006": {"active", "Lee6", ""},
	} {
		u := w.user(name)
		if got := [3]string{string(u.State), u.Profile.Get(connector.FamilyName), u.Profile.Get("title")}; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if u := w.user("u0001"); u.DeactivatedBy != connector.ByAdministrator {
		t.Errorf("%+v", u)
	}
}

// An administrator's word counts even where the value is the same as the run's.
func TestAdministratorsPackageIsNotRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		generous(o)
		o.Packages = []connector.Package{{ID: "standard", Seats: 3}, {ID: "other", Seats: 3}}
	})
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	w.org.Sources[0].Package = "other"
	w.org.Sources[0].Fingerprint = connector.Hash{7}
	w.rebuild()
	run := w.sync(p, connector.ResultOK).Run
	if w.used("other") != 3 {
		t.Fatal("nobody moved")
	}
	if _, err := w.prov.SetPackage(t.Context(), command(w, "u0001"), "other", false); err != nil {
		t.Fatal(err)
	}
	counts(t, w.rollback(run.ID), connector.Counts{Updated: 2, Skipped: 1})
	if w.used("standard") != 2 || w.user("u0001").Package != "other" {
		t.Errorf("%d seats, u0001 has %s", w.used("standard"), w.user("u0001").Package)
	}
}

func TestRollbackIsHeldAndApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	before := w.picture()
	for i := range p.list {
		p.list[i] = person(i+1, "title", "Wrong")
	}
	run := w.sync(p, connector.ResultOK).Run
	wrong := w.picture()
	held := w.undo(provision.RollbackRequest{Run: run.ID}, connector.ResultHeld)
	counts(t, held, connector.Counts{Held: 20})
	w.same(wrong)
	approve := func(id connector.ID) (*provision.Plan, error) {
		stored, err := w.db.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Minute)
		plan, err := w.prov.Rollback(t.Context(), provision.RollbackRequest{Approve: stored, Actor: "test"})
		t.Cleanup(func() { _ = plan.Close() })
		return plan, err
	}
	p.list[0] = person(1, "title", "Other")
	w.sync(p, connector.ResultOK)
	moved, err := approve(held.Run.ID)
	if connector.KindOf(err) != connector.Conflict || moved.Run.Result != connector.ResultHeld || moved.Run.Hold == nil {
		t.Fatalf("%v %+v", err, moved.Run)
	}
	done, err := approve(moved.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	counts(t, done, connector.Counts{Updated: 19, Skipped: 1})
	before["u0001"] = w.picture()["u0001"]
	w.same(before)
	list, err := w.db.Rollbacks(t.Context(), run)
	if err != nil || len(list) != 1 || list[0].ID != done.Run.ID {
		t.Errorf("%v %v", list, err)
	}
	closed, err := w.db.Run(t.Context(), moved.Run.ID)
	if err != nil || closed.Hold.Status != connector.HoldApproved {
		t.Errorf("%+v %v", closed.Hold, err)
	}
}

func TestRollbackOfSomePeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(4)}
	w.sync(p, connector.ResultOK)
	for i := range p.list {
		p.list[i] = person(i+1, "title", "Wrong")
	}
	run := w.sync(p, connector.ResultOK).Run
	only := []connector.ID{w.user("u0002").ID, w.user("u0003").ID}
	held := w.undo(provision.RollbackRequest{Run: run.ID, People: only}, connector.ResultHeld)
	counts(t, held, connector.Counts{Held: 2})
	done, err := w.prov.Rollback(t.Context(), provision.RollbackRequest{Approve: held.Run, Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = done.Close() })
	counts(t, done, connector.Counts{Updated: 2})
	if w.user("u0001").Profile.Get("title") != "Wrong" || w.user("u0002").Profile.Get("title") != "" {
		t.Error("the wrong people")
	}
	counts(t, w.rollback(run.ID), connector.Counts{Updated: 2, Unchanged: 2})
}

func TestRollbackIsCutOffAndDoneAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(2500)}
	w.sync(p, connector.ResultOK)
	before := w.picture()
	for i := range p.list {
		if p.list[i] = person(i+1, "title", "Wrong"); i < 600 {
			p.list[i].Enabled = connector.EnabledNo
		}
	}
	run := w.sync(p, connector.ResultOK).Run
	ctx, cancel := context.WithCancel(t.Context())
	plan, err := w.prov.Rollback(ctx, provision.RollbackRequest{Run: run.ID, Apply: true, Actor: "test", Progress: func(x provision.Progress) {
		if x.Phase == "apply" && x.Done >= 1600 {
			cancel()
		}
	}})
	t.Cleanup(func() { _ = plan.Close() })
	if !errors.Is(err, context.Canceled) || plan.Run.Result != connector.ResultCancelled {
		t.Fatalf("%v %s", err, plan.Run.Result)
	}
	w.sound()
	half := w.picture()
	done := 0
	for name, is := range half {
		if is == before[name] {
			done++
		}
	}
	if done == 0 || done == 2500 {
		t.Fatalf("%d were done", done)
	}
	again := w.rollback(run.ID)
	if c := again.Run.Counts; c.Unchanged != done || c.Changed() != 2500-done || c.Skipped+c.Failed > 0 {
		t.Errorf("%d were done, then %+v", done, c)
	}
	w.same(before)
}

// Names that went from one to the next, or round in a ring, go back.
func TestRollbackOfSwappedNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(12)}
	w.sync(p, connector.ResultOK)
	before := w.picture()
	mail := func(i, has int) *connector.Record {
		return person(i, "uid", fmt.Sprintf("u%04d", has), "mail", fmt.Sprintf("u%04d@example.com", has))
	}
	p.list[0], p.list[1] = mail(1, 2), mail(2, 1)                         // two swap
	p.list[2], p.list[3], p.list[4] = mail(3, 4), mail(4, 5), mail(5, 3)  // a ring
	p.list[5], p.list[6], p.list[7] = mail(6, 7), mail(7, 8), mail(8, 90) // a chain
	run := w.sync(p, connector.ResultOK).Run
	counts(t, &provision.Plan{Run: run}, connector.Counts{Updated: 8, Unchanged: 4})
	counts(t, w.rollback(run.ID), connector.Counts{Updated: 8})
	w.same(before)
}

func TestWhatCannotBeRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(2)}
	w.sync(p, connector.ResultOK)
	idle := w.sync(p, connector.ResultOK).Run
	for _, test := range []struct {
		req  provision.RollbackRequest
		want connector.Kind
	}{
		{provision.RollbackRequest{Run: idle.ID}, connector.Refused},
		{provision.RollbackRequest{Run: connector.NewID(w.now)}, connector.NotFound},
		{provision.RollbackRequest{Run: idle.ID, People: make([]connector.ID, 1001)}, connector.Invalid},
	} {
		if _, err := w.prov.Rollback(t.Context(), test.req); connector.KindOf(err) != test.want {
			t.Errorf("%+v: %v", test.req, err)
		}
	}
	p.during = func(int) { // while a run goes on, nothing is undone
		if _, err := w.prov.Rollback(t.Context(), provision.RollbackRequest{Run: w.first().ID, Apply: true}); connector.KindOf(err) != connector.Conflict {
			t.Errorf("%v", err)
		}
	}
	w.sync(p, connector.ResultOK)
}

// first is the run that came first.
func (w *world) first() *connector.Run {
	w.t.Helper()
	runs, err := w.db.Runs(w.t.Context(), connector.RunFilter{Org: w.org.ID})
	if err != nil || len(runs) == 0 {
		w.t.Fatal(err)
	}
	return runs[len(runs)-1]
}
