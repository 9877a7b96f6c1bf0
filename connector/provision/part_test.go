package provision_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/provision"
)

// run reads a run again.
func (w *world) run(id connector.ID) *connector.Run {
	w.t.Helper()
	run, err := w.db.Run(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func (w *world) choose(run *connector.Run, ask connector.Part) (*provision.Choice, error) {
	return provision.Choose(run, w.db.RunChanges(w.t.Context(), run.ID), ask)
}

// approvePart approves a part of what a run holds.
func (w *world) approvePart(id connector.ID, p *people, ask connector.Part, by string) (*provision.Plan, error) {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	run := w.run(id)
	part, err := w.choose(run, ask)
	if err != nil {
		w.t.Fatal(err)
	}
	plan, err := w.prov.Sync(w.t.Context(), provision.SyncRequest{
		Source: run.Source, From: p, Mode: connector.ModeFull, Actor: by, Approve: run, Part: part,
	})
	if plan != nil {
		w.t.Cleanup(func() { _ = plan.Close() })
	}
	return plan, err
}

func (w *world) mustApprove(id connector.ID, p *people, ask connector.Part) *provision.Plan {
	w.t.Helper()
	plan, err := w.approvePart(id, p, ask, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return plan
}

// leavers is a world of 100 people of whom 20 have left: their removals are held.
func leavers(t *testing.T, edit func(*connector.Organization)) (*world, *people, *provision.Plan) {
	t.Helper()
	w := newWorld(t, edit)
	p := &people{list: crowd(100)}
	w.sync(p, connector.ResultOK)
	p.list = p.list[:80]
	held := w.sync(p, connector.ResultHeld)
	counts(t, held, connector.Counts{Held: 20, Unchanged: 80})
	return w, p, held
}

func TestApprovalOfAPartLeavesTheRestHeld(t *testing.T) {
	t.Parallel()
	w, p, held := leavers(t, nil)
	expires := w.run(held.Run.ID).Hold.Expires
	part := connector.Part{Only: []string{"U0081", "u0082@EXAMPLE.com", "uid=u0083,ou=people", strings.ToUpper(person(84).Anchor.String())}}
	done := w.mustApprove(held.Run.ID, p, part)
	counts(t, done, connector.Counts{Deactivated: 4, Held: 16, Unchanged: 80})
	if done.Run.Result != connector.ResultHeld || done.Run.Approves != held.Run.ID {
		t.Errorf("%s, approves %s", done.Run.Result, done.Run.Approves)
	}
	for name, want := range map[string]connector.State{"u0081": connector.Inactive, "u0084": connector.Inactive, "u0085": connector.Active} {
		if got := w.state(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	old, rest := w.run(held.Run.ID).Hold, w.run(done.Run.ID).Hold
	if old.Status != connector.HoldApproved || old.By != "test" || old.Part == nil || old.Part.People != 4 || old.Part.Of != 20 || old.Next != done.Run.ID {
		t.Errorf("the old hold: %+v, part %+v", old, old.Part)
	}
	short := held.Run.ID.String()[len(held.Run.ID.String())-8:]
	if rest.Status != connector.HoldOpen || rest.Reason != "the rest of run "+short || !rest.Expires.Equal(expires) || rest.Rest != held.Run.ID {
		t.Errorf("the rest: %+v", rest)
	}
	if err := w.prov.CheckHold(w.run(held.Run.ID)); connector.KindOf(err) != connector.Refused || !strings.Contains(connector.HintOf(err), "usherd report") {
		t.Errorf("approved twice: %v, %s", err, connector.HintOf(err))
	}
	done = w.mustApprove(done.Run.ID, p, connector.Part{Except: []string{"u0100"}})
	counts(t, done, connector.Counts{Deactivated: 15, Held: 1, Unchanged: 80})
	done = w.mustApprove(done.Run.ID, p, connector.Part{})
	counts(t, done, connector.Counts{Deactivated: 1, Unchanged: 80})
	if done.Run.Hold != nil || w.state("u0100") != connector.Inactive {
		t.Errorf("%+v", done.Run.Hold)
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 80})
}

// What an approval has left waits, although the guard would let so few pass; not longer than it would have.
func TestRestStaysHeldUntilItExpires(t *testing.T) {
	t.Parallel()
	w, p, held := leavers(t, nil)
	done := w.mustApprove(held.Run.ID, p, connector.Part{Except: []string{"u0081", "u0082"}})
	counts(t, done, connector.Counts{Deactivated: 18, Held: 2, Unchanged: 80})
	again := w.sync(p, connector.ResultHeld)
	counts(t, again, connector.Counts{Held: 2, Unchanged: 80})
	if h := w.run(done.Run.ID).Hold; h.Status != connector.HoldSuperseded || h.Next != again.Run.ID {
		t.Errorf("the older one: %+v", h)
	}
	expires := again.Run.Hold.Expires
	if !expires.Equal(held.Run.Hold.Expires) {
		t.Errorf("expires %s, want %s", expires, held.Run.Hold.Expires)
	}
	counts(t, w.mustApprove(again.Run.ID, p, connector.Part{Only: []string{"u0081"}}), connector.Counts{Deactivated: 1, Held: 1, Unchanged: 80})
	w.now = expires.Add(-time.Minute)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 1, Unchanged: 80})
}

func TestFirstRunIsApprovedInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		o.Sources[0].FirstRun = connector.FirstRunPreview
		o.Packages[0].Seats = 6
	})
	p := &people{list: crowd(8)} // two get no seat
	held := w.sync(p, connector.ResultHeld)
	counts(t, held, connector.Counts{Held: 6, Failed: 2})
	done := w.mustApprove(held.Run.ID, p, connector.Part{Except: []string{"u0001", "u0002", "u0004", "u0005"}})
	counts(t, done, connector.Counts{Created: 2, Held: 4, Failed: 2})
	if !done.Run.Hold.Whole || w.user("u0001") != nil || w.state("u0006") != connector.Active || len(w.items()) > 0 {
		t.Errorf("%+v", done.Run.Hold)
	}
	counts(t, w.sync(p, connector.ResultHeld), connector.Counts{Held: 4, Failed: 2, Unchanged: 2})
	held = w.sync(p, connector.ResultHeld)
	counts(t, w.mustApprove(held.Run.ID, p, connector.Part{Action: connector.Created}), connector.Counts{Created: 4, Failed: 2, Unchanged: 2})
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Failed: 2, Unchanged: 6})
}

// A part that is not applied to its end leaves no rest: the run before is what can be looked at again.
func TestPartThatIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].FirstRun = connector.FirstRunPreview })
	p := &people{list: crowd(2500)}
	held := w.run(w.sync(p, connector.ResultHeld).Run.ID)
	part, err := w.choose(held, connector.Part{Except: []string{"u0007"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	plan, err := w.prov.Sync(ctx, provision.SyncRequest{
		Source: "dir", From: p, Mode: connector.ModeFull, Actor: "test", Approve: held, Part: part,
		Progress: func(x provision.Progress) {
			if x.Phase == "apply" {
				cancel()
			}
		},
	})
	t.Cleanup(func() { _ = plan.Close() })
	if err == nil || plan.Run.Result != connector.ResultCancelled || w.run(plan.Run.ID).Hold != nil {
		t.Fatalf("%s %+v %v", plan.Run.Result, plan.Run.Hold, err)
	}
	again, err := w.approvePart(held.ID, p, connector.Part{Except: []string{"u0007"}}, "test")
	if connector.KindOf(err) != connector.Conflict {
		t.Fatalf("%v", err)
	}
	n := again.Run.Counts.Unchanged
	counts(t, w.mustApprove(again.Run.ID, p, connector.Part{Except: []string{"u0007"}}), connector.Counts{Created: 2499 - n, Held: 1, Unchanged: n})
	if w.user("u0007") != nil || n == 0 {
		t.Errorf("%d were written before", n)
	}
}

func TestMappingMistakeIsApprovedInPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(100)}
	w.sync(p, connector.ResultOK)
	for i := range 60 {
		p.list[i] = person(i+1, "sn", "-")
	}
	p.list = p.list[:85] // and 15 leave
	held := w.sync(p, connector.ResultHeld)
	counts(t, held, connector.Counts{Held: 75, Unchanged: 25})
	done := w.mustApprove(held.Run.ID, p, connector.Part{Action: connector.Deactivated})
	counts(t, done, connector.Counts{Deactivated: 15, Held: 60, Unchanged: 25})
	done = w.mustApprove(done.Run.ID, p, connector.Part{Only: []string{"u0001", "u0002"}})
	counts(t, done, connector.Counts{Updated: 2, Held: 58, Unchanged: 25})
	if w.user("u0001").Profile.Get(connector.FamilyName) != "-" || w.user("u0003").Profile.Get(connector.FamilyName) != "Lee3" {
		t.Error("others than those chosen")
	}
	counts(t, w.mustApprove(done.Run.ID, p, connector.Part{}), connector.Counts{Updated: 58, Unchanged: 27})
}

// Changed settings stay to be looked at as long as anybody waits for them.
func TestChangedSettingsAreApprovedInPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	w.org.Sources[0].Fingerprint = connector.Hash{9}
	w.rebuild()
	p.list = p.list[:17]
	held := w.sync(p, connector.ResultHeld)
	counts(t, w.mustApprove(held.Run.ID, p, connector.Part{Only: []string{"u0020"}}), connector.Counts{Deactivated: 1, Held: 2, Unchanged: 17})
	w.now = w.now.Add(2 * day)
	held = w.sync(p, connector.ResultHeld)
	counts(t, w.mustApprove(held.Run.ID, p, connector.Part{}), connector.Counts{Deactivated: 2, Unchanged: 17})
	p.list = p.list[:16]
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deactivated: 1, Unchanged: 16})
}

func TestKeysOfAPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(100)}
	w.sync(p, connector.ResultOK)
	p.list = p.list[:80]
	run := w.run(w.sync(p, connector.ResultHeld).Run.ID)
	for name, c := range map[string]struct {
		ask  connector.Part
		want string
	}{
		"nobody":         {connector.Part{Only: []string{"u0081", "ghost"}}, `"ghost"`},
		"not held":       {connector.Part{Only: []string{"u0001"}}, `"u0001"`},
		"nobody at all":  {connector.Part{Action: connector.Removed}, "nobody of those who wait"},
		"too many names": {connector.Part{Only: make([]string, 1001)}, "more than 1000"},
	} {
		if _, err := w.choose(run, c.ask); connector.KindOf(err) != connector.Invalid || !strings.Contains(fmt.Sprint(err), c.want) || connector.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, connector.HintOf(err))
		}
	}
	for name, ask := range map[string]connector.Part{"nothing asked": {}, "everybody": {Action: connector.Deactivated}} {
		if c, err := w.choose(run, ask); c != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestKeyThatFitsSeveralIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].FirstRun = connector.FirstRunPreview })
	p := &people{list: []*connector.Record{person(1), person(2)}}
	p.list[1].DN = "u0001" // a DN as somebody's user name
	run := w.run(w.sync(p, connector.ResultHeld).Run.ID)
	if _, err := w.choose(run, connector.Part{Only: []string{"u0001"}}); connector.KindOf(err) != connector.Invalid || !strings.Contains(err.Error(), "several") {
		t.Errorf("%v", err)
	}
}

func TestPlanIsCarriedOutWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: &people{list: crowd(3)}, Mode: connector.ModePreview})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plan.Close() })
	if _, err := w.choose(w.run(plan.Run.ID), connector.Part{Only: []string{"u0001"}}); connector.KindOf(err) != connector.Invalid {
		t.Errorf("%v", err)
	}
}

// What is held must still be exactly what was shown, whichever part of it is approved.
func TestPartIsRefusedWhenAnythingMoved(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(w *world, p *people){
		"the directory": func(_ *world, p *people) { p.list = p.list[:79] },
		"a user": func(w *world, _ *people) {
			if _, err := w.prov.Deactivate(t.Context(), command(w, "u0099")); err != nil {
				t.Fatal(err)
			}
		},
		"back in the directory":   func(_ *world, p *people) { p.list = append(p.list, person(99)) },
		"an empty answer":         func(_ *world, p *people) { p.list = nil },
		"an answer cut short":     func(_ *world, p *people) { p.incomplete = "size limit" },
		"an attribute unreadable": func(_ *world, p *people) { p.list = stripped(p.list) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, ask := range []connector.Part{{Only: []string{"u0081"}}, {}} {
				w, p, held := leavers(t, nil)
				move(w, p)
				plan, err := w.approvePart(held.Run.ID, p, ask, "test")
				if k := connector.KindOf(err); k != connector.Conflict && k != connector.Incomplete {
					t.Fatalf("%v", err)
				}
				if c := plan.Run.Counts; c.Deactivated > 0 && w.state("u0081") != connector.Active {
					t.Errorf("applied: %+v", c)
				}
				if w.state("u0081") != connector.Active || w.state("u0082") != connector.Active {
					t.Error("something of it was applied")
				}
			}
		})
	}
}

// stripped are the records without their addresses.
func stripped(list []*connector.Record) (out []*connector.Record) {
	for _, r := range list {
		c := r.Clone()
		c.Attributes = c.Attributes[:3]
		out = append(out, c)
	}
	return out
}

func TestHoldExpiresAtTheSecond(t *testing.T) {
	t.Parallel()
	w, p, held := leavers(t, nil)
	expires := held.Run.Hold.Expires
	if want := held.Run.Started.Add(24 * time.Hour); !expires.Equal(want) {
		t.Fatalf("expires %s, want %s", expires, want)
	}
	w.now = expires.Add(-time.Second)
	if n, err := w.prov.ExpireHolds(t.Context()); n != 0 || err != nil || w.prov.CheckHold(w.run(held.Run.ID)) != nil {
		t.Fatalf("a second before: %d, %v", n, err)
	}
	w.now = expires
	err := w.prov.CheckHold(w.run(held.Run.ID))
	if connector.KindOf(err) != connector.Refused || !strings.Contains(err.Error(), "expired") || connector.HintOf(err) == "" {
		t.Errorf("at the second: %v", err)
	}
	if _, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: p, Mode: connector.ModeFull, Actor: "test", Approve: w.run(held.Run.ID)}); connector.KindOf(err) != connector.Refused {
		t.Errorf("carried out: %v", err)
	}
	if n, err := w.prov.ExpireHolds(t.Context()); n != 1 || err != nil {
		t.Fatalf("written: %d, %v", n, err)
	}
	if h := w.run(held.Run.ID).Hold; h.Status != connector.HoldExpired || !h.At.Equal(expires) {
		t.Errorf("%+v", h)
	}
	if n, err := w.prov.ExpireHolds(t.Context()); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	w.sync(p, connector.ResultHeld)
	if n, err := w.db.Prune(t.Context(), w.now.Add(time.Hour)); n != 2 || err != nil {
		t.Errorf("%d runs pruned, %v: the first one and the expired one may go", n, err)
	}
}

func TestNewerRunTakesThePlaceOfAHold(t *testing.T) {
	t.Parallel()
	w, p, held := leavers(t, nil)
	p.incomplete = "size limit"
	w.sync(p, connector.ResultPartial)
	if s := w.run(held.Run.ID).Hold.Status; s != connector.HoldOpen {
		t.Errorf("%s by a run that does not know the whole answer", s)
	}
	p.incomplete = ""
	w.now = w.now.Add(time.Minute)
	plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: p, Mode: connector.ModePreview, Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plan.Close() })
	if s := w.run(held.Run.ID).Hold.Status; s != connector.HoldOpen {
		t.Errorf("%s by a look", s)
	}
	newer := w.sync(p, connector.ResultHeld)
	run := w.run(held.Run.ID)
	if run.Hold.Status != connector.HoldSuperseded || run.Hold.Next != newer.Run.ID {
		t.Errorf("%+v", run.Hold)
	}
	if err := w.prov.CheckHold(run); connector.KindOf(err) != connector.Refused || !strings.Contains(connector.HintOf(err), newer.Run.ID.String()[28:]) {
		t.Errorf("%v, hint %q", err, connector.HintOf(err))
	}
	counts(t, w.mustApprove(newer.Run.ID, p, connector.Part{}), connector.Counts{Deactivated: 20, Unchanged: 80})
}

func TestTwoAdministratorsApprove(t *testing.T) {
	t.Parallel()
	w, p, held := leavers(t, func(o *connector.Organization) { o.SecondApprover = true })
	run, ask := w.run(held.Run.ID), connector.Part{Only: []string{"u0081", "u0082"}}
	if _, err := w.approvePart(run.ID, p, ask, "cli:bob"); connector.KindOf(err) != connector.Refused {
		t.Fatalf("one alone: %v", err)
	}
	part, err := w.choose(run, ask)
	if err != nil {
		t.Fatal(err)
	}
	if first, err := w.prov.CheckApproval(run, part, "cli:anna"); !first || err != nil {
		t.Fatalf("%v %v", first, err)
	}
	if run, err = w.prov.ApproveFirst(t.Context(), run, part, "cli:anna"); err != nil || run.Hold.First.By != "cli:anna" || run.Hold.First.Part.People != 2 {
		t.Fatalf("%+v %v", run.Hold.First, err)
	}
	if w.state("u0081") != connector.Active || w.run(run.ID).Hold.Status != connector.HoldOpen {
		t.Error("the first applies nothing")
	}
	if _, err := w.approvePart(run.ID, p, ask, "cli:anna"); connector.KindOf(err) != connector.Refused || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("the same person: %v", err)
	}
	for _, other := range []connector.Part{{}, {Only: []string{"u0081"}}, {Except: []string{"u0081", "u0082"}}} {
		if _, err := w.approvePart(run.ID, p, other, "cli:bob"); connector.KindOf(err) != connector.Refused || !strings.Contains(err.Error(), "2 of 20") {
			t.Errorf("another part: %v", err)
		}
	}
	if _, err := w.prov.ApproveFirst(t.Context(), run, part, "cli:bob"); connector.KindOf(err) != connector.Conflict {
		t.Errorf("two firsts: %v", err)
	}
	done, err := w.approvePart(run.ID, p, connector.Part{Only: []string{"u0082@example.com", "u0081"}}, "cli:bob")
	if err != nil {
		t.Fatal(err)
	}
	counts(t, done, connector.Counts{Deactivated: 2, Held: 18, Unchanged: 80})
	if h := w.run(run.ID).Hold; h.By != "cli:bob" || h.First.By != "cli:anna" {
		t.Errorf("%+v", h)
	}
	rest := w.run(done.Run.ID)
	if rest.Hold.First != nil {
		t.Error("the rest needs two of its own")
	}
	if err := w.prov.Reject(t.Context(), rest, "cli:anna"); err != nil || w.run(rest.ID).Hold.Status != connector.HoldRejected {
		t.Errorf("one is enough to reject: %v", err)
	}
}

// Approving parts in any order ends in the same users as approving all.
func TestPartsInAnyOrderEndTheSame(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	at := time.Time{}
	build := func() (*world, *people) {
		w := newWorld(t, nil)
		w.sync(&people{list: crowd(120)}, connector.ResultOK)
		p := &people{list: crowd(100)}
		mixed := rand.New(rand.NewPCG(seed, 4))
		for i := range 70 {
			p.list[i] = person(i+1, "sn", fmt.Sprintf("New%d", mixed.IntN(1000)))
		}
		mutate(mixed, p, 20)
		at = w.now
		return w, p
	}
	one, p := build()
	held := one.sync(p, connector.ResultHeld)
	one.mustApprove(held.Run.ID, p, connector.Part{})
	two, p := build()
	two.now = at
	next := two.sync(p, connector.ResultHeld).Run.ID
	for steps := 0; ; steps++ {
		run := two.run(next)
		if run.Hold == nil {
			if steps < 2 {
				t.Errorf("seed %d: %d steps are no parts", seed, steps)
			}
			break
		}
		next = two.mustApprove(next, p, randomPart(t, two, r, run)).Run.ID
	}
	if diff := cmp.Diff(one.picture(), two.picture()); diff != "" {
		t.Fatalf("seed %d: %s", seed, diff)
	}
	counts(t, two.sync(p, connector.ResultOK), one.sync(p, connector.ResultOK).Run.Counts)
}

// randomPart names some of those who wait; all of them when they are few.
func randomPart(t *testing.T, w *world, r *rand.Rand, run *connector.Run) connector.Part {
	t.Helper()
	var names []string
	for ch, err := range w.db.RunChanges(t.Context(), run.ID) {
		if err != nil {
			t.Fatal(err)
		}
		if ch.Held {
			names = append(names, ch.Subject)
		}
	}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	some := names[:r.IntN(len(names))]
	switch {
	case len(names) < 4 || len(some) == 0:
		return connector.Part{}
	case r.IntN(2) == 0:
		return connector.Part{Except: some}
	}
	return connector.Part{Only: some}
}
