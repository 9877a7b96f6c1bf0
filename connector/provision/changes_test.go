package provision_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/provision"
)

// changes does a run of changes.
func (w *world) changes(f *feed, want connector.Result) *provision.Plan {
	w.t.Helper()
	return w.do(provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeChanges, Actor: "test"}, want)
}

func (w *world) do(req provision.SyncRequest, want connector.Result) *provision.Plan {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	plan, err := w.prov.Sync(w.t.Context(), req)
	if err != nil && want != connector.ResultFailed {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = plan.Close() })
	if plan.Run.Result != want {
		w.t.Fatalf("the run ended as %s (%s %+v), want %s", plan.Run.Result, plan.Run.Error, plan.Run.Hold, want)
	}
	return plan
}

// readInFull does a full run of a feed.
func (w *world) readInFull(f *feed, want connector.Result) *provision.Plan {
	w.t.Helper()
	return w.do(provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeFull, Actor: "test"}, want)
}

func (w *world) isChanges(p *provision.Plan) {
	w.t.Helper()
	if p.Run.Mode != connector.ModeChanges {
		w.t.Fatalf("a run of %s: %q", p.Run.Mode, p.Run.Warnings)
	}
}

// isFull checks that a run of changes became a full one that says why.
func (w *world) isFull(p *provision.Plan, why string) {
	w.t.Helper()
	if p.Run.Mode != connector.ModeFull || !strings.Contains(strings.Join(p.Run.Warnings, "\n"), why) {
		w.t.Fatalf("a run of %s that says %q, not %q", p.Run.Mode, p.Run.Warnings, why)
	}
}

func (w *world) storedCursor() string {
	w.t.Helper()
	s, err := w.db.SourceState(w.t.Context(), w.org.ID, "dir")
	if err != nil {
		w.t.Fatal(err)
	}
	return string(s.Cursor.Data)
}

func TestChangesAreApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.isFull(w.changes(f, connector.ResultOK), "not been read in full yet")
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{})

	f.put(person(1, "sn", "Berg"), person(21), disabled(2))
	f.fire(person(3).Anchor)
	plan := w.changes(f, connector.ResultOK)
	w.isChanges(plan)
	counts(t, plan, connector.Counts{Created: 1, Updated: 1, Deactivated: 2})
	if u := w.user("u0001"); u.Profile.Get("familyName") != "Berg" || w.state("u0021") != connector.Active || w.state("u0003") != connector.Inactive {
		t.Errorf("%+v", w.picture())
	}
	if w.user("u0003").DeactivatedReason != "gone" || f.lookups != 0 {
		t.Errorf("%s, %d look-ups", w.user("u0003").DeactivatedReason, f.lookups)
	}
	if got := w.storedCursor(); got != "4" {
		t.Errorf("the cursor is %s", got)
	}
	if stored, err := w.db.Run(t.Context(), plan.Run.ID); err != nil || stored.Mechanism != "test" || stored.Result != connector.ResultOK {
		t.Errorf("%+v, %v", stored, err)
	}
	full := w.readInFull(f, connector.ResultOK)
	counts(t, full, connector.Counts{Unchanged: 20})
	if full.Run.Missed == nil || *full.Run.Missed != 0 {
		t.Errorf("missed %v", full.Run.Missed)
	}
}

func disabled(i int) *connector.Record {
	r := person(i)
	r.Enabled = connector.EnabledNo
	return r
}

// settledPicture is picture, but of users who are inactive only that they are: what their records say meanwhile
// is told by changes in more detail than by full runs.
func (w *world) settledPicture() map[string]string {
	w.t.Helper()
	out := w.picture()
	for name, is := range out {
		if strings.HasPrefix(is, string(connector.Inactive)) {
			out[name] = string(connector.Inactive)
		}
	}
	return out
}

// Whatever happens to a source, changes and full runs end in the same users.
func TestChangesEqualFullRuns(t *testing.T) {
	t.Parallel()
	// The first is of a history in which it was not so once.
	for _, seed := range []uint64{1795737681103147739, uint64(time.Now().UnixNano())} {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			changesEqualFullRuns(t, seed)
		})
	}
}

func changesEqualFullRuns(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	open := func(o *connector.Organization) {
		o.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	}
	w, other := newWorld(t, open), newWorld(t, open)
	f := newFeed(crowd(40))
	w.readInFull(f, connector.ResultOK)
	other.sync(&people{list: slices.Clone(f.list)}, connector.ResultOK)
	next := 100
	for round := range rounds(40) {
		for range 1 + r.IntN(6) {
			f.random(r, &next)
		}
		w.changes(f, connector.ResultOK)
		other.sync(&people{list: slices.Clone(f.list)}, connector.ResultOK)
		if diff := cmp.Diff(other.settledPicture(), w.settledPicture()); diff != "" {
			t.Fatalf("seed %d, round %d: full run (-), changes (+)\n%s", seed, round, diff)
		}
	}
	if full := w.readInFull(f, connector.ResultOK); full.Run.Missed == nil || *full.Run.Missed != 0 {
		t.Errorf("seed %d: missed %v", seed, full.Run.Missed)
	}
}

// random does something to somebody: names are exchanged, taken over, given up.
func (f *feed) random(r *rand.Rand, next *int) {
	i := r.IntN(len(f.list))
	rec := f.list[i].Clone()
	switch r.IntN(8) {
	case 0:
		f.fire(rec.Anchor)
		return
	case 1:
		*next++
		rec = person(*next)
	case 2:
		rec.Enabled = connector.EnabledYes + connector.EnabledNo - rec.Enabled
	case 3:
		rec.OutOfScope = map[bool]string{true: "", false: "elsewhere"}[rec.OutOfScope != ""]
	case 4: // deleted and created anew
		f.fire(rec.Anchor)
		*next++
		rec.Anchor = person(*next).Anchor
	case 5: // two exchange their addresses
		other := f.list[r.IntN(len(f.list))].Clone()
		if other.Anchor == rec.Anchor {
			return
		}
		a, b := &rec.Attributes[3].Values, &other.Attributes[3].Values
		*a, *b = *b, *a
		f.put(other)
	default:
		rec.Attributes[2].Values = [][]byte{fmt.Appendf(nil, "Name%d", r.IntN(1000))}
	}
	f.put(rec)
}

func TestWhatChangesCannotTellIsReadInFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	f.full = "an OU was renamed"
	w.isFull(w.changes(f, connector.ResultOK), "an OU was renamed")
	f.full = ""
	w.isChanges(w.changes(f, connector.ResultOK))
	f.log = nil // a server that has forgotten
	f.put(person(1, "sn", "Berg"))
	f.log = f.log[:0]
	w.isChanges(w.changes(f, connector.ResultOK)) // its cursor is 0, as in the beginning
	f.put(person(2))
	w.changes(f, connector.ResultOK)
	f.log = nil
	w.isFull(w.changes(f, connector.ResultOK), "from elsewhere")
	w.org.Sources[0].Fingerprint = connector.Hash{9}
	w.rebuild()
	w.isFull(w.changes(f, connector.ResultOK), "scope, filter or mapping")

	plain := &people{list: crowd(20)}
	plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: plain, Mode: connector.ModeChanges})
	if err != nil {
		t.Fatal(err)
	}
	w.isFull(plan, "cannot tell")
	if err := plan.Close(); err != nil {
		t.Error(err)
	}
}

func TestTooManyRemovalsByChangesAreHeldByAFullRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(100))
	w.readInFull(f, connector.ResultOK)
	for i := 1; i <= 10; i++ { // one by one, as they come
		f.fire(person(i).Anchor)
		w.isChanges(w.changes(f, connector.ResultOK))
	}
	for i := 11; i <= 30; i++ {
		f.fire(person(i).Anchor)
		plan := w.changes(f, connector.ResultHeld)
		w.isFull(plan, "in the last hour")
		if w.state(fmt.Sprintf("u%04d", i)) != connector.Active {
			t.Fatalf("person %d has lost access", i)
		}
	}
	w.now = w.now.Add(time.Hour)
	f.fire(person(31).Anchor)
	w.isFull(w.changes(f, connector.ResultHeld), "wait for approval in run")
	w.now = w.now.Add(25 * time.Hour) // nobody has decided
	f.fire(person(32).Anchor)
	w.isChanges(w.changes(f, connector.ResultOK))
}

func TestWhatIsApprovedWasNotMissedByTheFeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(100))
	w.readInFull(f, connector.ResultOK)
	for i := range 30 {
		f.fire(person(i + 1).Anchor)
	}
	held := w.changes(f, connector.ResultHeld)
	run, err := w.db.Run(t.Context(), held.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	done := w.do(provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeFull, Approve: run}, connector.ResultOK)
	if done.Run.Counts.Deactivated != 30 || done.Run.Missed != nil || strings.Contains(strings.Join(done.Run.Warnings, ""), "feed") {
		t.Errorf("%+v, missed %v, %q", done.Run.Counts, done.Run.Missed, done.Run.Warnings)
	}
	if full := w.readInFull(f, connector.ResultOK); full.Run.Missed == nil || *full.Run.Missed != 0 {
		t.Errorf("afterwards missed %v", full.Run.Missed)
	}
}

func TestAMappingTypoInChangesIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(40))
	w.readInFull(f, connector.ResultOK)
	for i := 1; i <= 30; i++ {
		f.put(person(i, "title", "", "sn", "Changed"))
	}
	w.isFull(w.changes(f, connector.ResultHeld), "would change for 30 of 40")
	if w.user("u0001").Profile.Get("familyName") == "Changed" {
		t.Error("it is applied")
	}
}

func TestWhoWaitsForANameGetsItByAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(5))
	w.readInFull(f, connector.ResultOK)
	f.put(person(6, "mail", "u0001@example.com"))
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{Failed: 1})
	f.put(person(2, "sn", "Berg"))
	w.changes(f, connector.ResultOK)
	if f.rereads != 0 {
		t.Error("who waits is asked for although nobody gives a name up")
	}
	f.put(person(1, "mail", "other@example.com"))
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{Created: 1, Updated: 1})
	if len(w.items()) != 0 {
		t.Errorf("open items stay: %+v", w.items())
	}
}

func TestCreatedAnewByChangesIsTheSamePerson(t *testing.T) {
	t.Parallel()
	for name, split := range map[string]bool{"in one batch": false, "the new entry first": true} {
		w := newWorld(t, nil)
		f := newFeed(crowd(5))
		w.readInFull(f, connector.ResultOK)
		before := w.user("u0001").ID
		f.put(person(1, "sn", ""))
		counts(t, w.changes(f, connector.ResultOK), connector.Counts{Failed: 1})
		anew := person(1)
		anew.Anchor = person(77).Anchor
		f.put(anew)
		if split {
			counts(t, w.changes(f, connector.ResultOK), connector.Counts{Failed: 1})
		}
		f.fire(person(1).Anchor)
		w.changes(f, connector.ResultOK)
		if u := w.user("u0001"); u.ID != before || u.State != connector.Active {
			t.Errorf("%s: %+v", name, u)
		}
		if items := w.items(); len(items) > 0 {
			t.Errorf("%s: the entry is gone, and what was wrong with it is open: %+v", name, items)
		}
	}
}

func TestExpiryByTheClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(5))
	expires := person(1)
	expires.RecheckAt = w.now.Add(time.Hour)
	f.put(expires)
	w.readInFull(f, connector.ResultOK)
	w.isChanges(w.changes(f, connector.ResultOK))
	w.now = w.now.Add(time.Hour)
	f.putSilently(disabled(1)) // the source says so from now on, and tells nobody
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{Deactivated: 1})
	counts(t, w.changes(f, connector.ResultOK), connector.Counts{})
	if f.rereads != 1 {
		t.Errorf("asked %d times", f.rereads)
	}
}

func TestAFullRunTellsWhatTheFeedMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(5))
	w.readInFull(f, connector.ResultOK)
	f.put(person(1, "sn", "Berg"))
	f.putSilently(person(2, "sn", "Quiet"))
	f.list = slices.DeleteFunc(f.list, func(r *connector.Record) bool { return r.Anchor == person(3).Anchor })
	full := w.readInFull(f, connector.ResultOK)
	counts(t, full, connector.Counts{Updated: 2, Deactivated: 1, Unchanged: 2})
	if full.Run.Missed == nil || *full.Run.Missed != 2 || !strings.Contains(strings.Join(full.Run.Warnings, ""), "2 people") {
		t.Errorf("missed %v, %q", full.Run.Missed, full.Run.Warnings)
	}
}

// Whom a rollback has deleted comes again of a record that has not changed: the feed has nothing to tell.
func TestWhoWasRolledBackWasNotMissedByTheFeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(5))
	first := w.readInFull(f, connector.ResultOK)
	w.rollback(first.Run.ID)
	again := w.readInFull(f, connector.ResultOK)
	counts(t, again, connector.Counts{Created: 5})
	if again.Run.Missed != nil {
		t.Errorf("missed %d", *again.Run.Missed)
	}
	f.putSilently(person(2, "sn", "Quiet"))
	if full := w.readInFull(f, connector.ResultOK); full.Run.Missed == nil || *full.Run.Missed != 1 {
		t.Errorf("afterwards missed %v", full.Run.Missed)
	}
}

func TestAServerThatWentBackInTimeIsHeldWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(5))
	w.readInFull(f, connector.ResultOK)
	f.older = "dc1 went back in time"
	f.fire(person(1).Anchor)
	f.put(person(2, "sn", "Berg"))
	plan := w.readInFull(f, connector.ResultHeld)
	if plan.Run.Hold.Reason != f.older || !plan.Run.Hold.Whole || w.state("u0001") != connector.Active || w.storedCursor() != "0" {
		t.Errorf("%+v %s %s", plan.Run.Hold, w.state("u0001"), w.storedCursor())
	}
	run, err := w.db.Run(t.Context(), plan.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	ok := w.do(provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeFull, Approve: run}, connector.ResultOK)
	counts(t, ok, connector.Counts{Updated: 1, Deactivated: 1, Unchanged: 3})
}

func TestQuietRunsOfChangesThatChangeNobodyAreNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(5))
	w.readInFull(f, connector.ResultOK)
	quiet := provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeChanges, Quiet: true}
	plan := w.runQuiet(quiet)
	if _, err := w.db.Run(t.Context(), plan.Run.ID); connector.KindOf(err) != connector.NotFound {
		t.Errorf("kept: %v", err)
	}
	f.put(person(1, "sn", "Berg"))
	plan = w.runQuiet(quiet)
	if run, err := w.db.Run(t.Context(), plan.Run.ID); err != nil || run.Counts.Updated != 1 {
		t.Errorf("%+v, %v", run, err)
	}
	f.put(person(1, "sn", "Berg")) // as it was
	plan = w.runQuiet(quiet)
	if run, err := w.db.Run(t.Context(), plan.Run.ID); connector.KindOf(err) != connector.NotFound || w.storedCursor() != "2" {
		t.Errorf("kept: %+v, %v", run, err)
	}
	f.err = errors.New("the line is dead")
	if plan, err := w.prov.Sync(t.Context(), quiet); err == nil || plan.Run.Result != connector.ResultFailed {
		t.Errorf("%v, %v", plan.Run.Result, err)
	} else if run, err := w.db.Run(t.Context(), plan.Run.ID); err != nil || run.Error != "the line is dead" {
		t.Errorf("%+v, %v", run, err)
	}
}

func (w *world) runQuiet(req provision.SyncRequest) *provision.Plan {
	w.t.Helper()
	plan, err := w.prov.Sync(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = plan.Close() })
	return plan
}

// A run of changes that is cut off in the middle leaves the cursor where it was; the next one does the rest.
func TestChangesCutOffInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].Guard.AttributePercent = 100 })
	f := newFeed(crowd(2500))
	w.readInFull(f, connector.ResultOK)
	for i := 1; i <= 2500; i++ {
		f.put(person(i, "title", "New"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plan, err := w.prov.Sync(ctx, provision.SyncRequest{
		Source: "dir", From: f, Mode: connector.ModeChanges, Actor: "test",
		Progress: func(p provision.Progress) {
			if p.Phase == "apply" {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) || plan.Run.Result != connector.ResultCancelled || w.storedCursor() != "0" {
		t.Fatalf("%v, %s, cursor %s", err, plan.Run.Result, w.storedCursor())
	}
	_ = plan.Close()
	rest := w.changes(f, connector.ResultOK)
	if c := rest.Run.Counts; c.Updated == 0 || c.Updated == 2500 || c.Updated+c.Unchanged != 2500 || w.storedCursor() != "2500" {
		t.Errorf("%+v, cursor %s", c, w.storedCursor())
	}
}

var _ connector.Feed = (*feed)(nil)
