package provision_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/provision"
)

// groupIDs are the ids of all groups, by anchor.
func (w *world) groupIDs() map[string]connector.ID {
	w.t.Helper()
	ids := map[string]connector.ID{}
	for g, err := range w.db.GroupStates(w.t.Context(), "acme", "dir") {
		if err != nil {
			w.t.Fatal(err)
		}
		ids[g.Anchor.Raw] = g.ID
	}
	return ids
}

// approveRollback carries out what a rollback holds.
func (w *world) approveRollback(held *provision.Plan, part *provision.Choice) (*provision.Plan, error) {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	run, err := w.db.Run(w.t.Context(), held.Run.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	plan, err := w.prov.Rollback(w.t.Context(), provision.RollbackRequest{Approve: run, Part: part, Actor: "test"})
	if plan != nil {
		w.t.Cleanup(func() { _ = plan.Close() })
	}
	return plan, err
}

func member(i int) string { return fmt.Sprintf("uid=u%04d,ou=people", i) }

// changedGroups is a world of which a run of changes has changed groups in every way.
func changedGroups(t *testing.T) (w *world, f *feed, before map[string]string, run connector.ID) {
	t.Helper()
	w = groupWorld(t)
	f = groupedFeed(6, groupOf(1, "all", member(1), member(2), "cn=inner,ou=groups"), groupOf(2, "inner", member(3), "cn=printer"), groupOf(3, "old", member(4)))
	w.readInFull(f, connector.ResultOK)
	before = w.pictureOfGroups()
	all := groupOf(1, "everybody", member(2), member(5), "cn=inner,ou=groups")
	all.Description = "all of us"
	f.putGroup(all)
	f.dropGroup(groupOf(2, "").Anchor)
	f.putGroup(groupOf(4, "new", member(1)))
	plan := w.changes(f, connector.ResultOK)
	groupCounts(t, plan, connector.GroupCounts{Created: 1, Updated: 1, Deleted: 1, MembersAdded: 2, MembersRemoved: 3})
	return w, f, before, plan.Run.ID
}

func TestRollbackPutsGroupsBack(t *testing.T) {
	t.Parallel()
	w, _, before, run := changedGroups(t)
	after, ids := w.pictureOfGroups(), w.groupIDs()
	held := w.undo(provision.RollbackRequest{Run: run}, connector.ResultHeld)
	want := connector.GroupCounts{Created: 1, Updated: 1, Deleted: 1, MembersAdded: 3, MembersRemoved: 2}
	groupCounts(t, held, want)
	if d := cmp.Diff(after, w.pictureOfGroups()); d != "" {
		t.Fatalf("a plan has changed groups: %s", d)
	}
	if h := held.Run.Hold; h == nil || h.Reason != "a rollback is looked at before it is applied: 1 groups brought back, 1 groups updated, 1 groups deleted, 3 memberships added, 2 memberships removed" {
		t.Errorf("%+v", h)
	}
	done, err := w.approveRollback(held, nil)
	if err != nil || done.Run.Result != connector.ResultOK {
		t.Fatalf("%+v, %v", done.Run, err)
	}
	groupCounts(t, done, want)
	if d := cmp.Diff(before, w.pictureOfGroups()); d != "" {
		t.Errorf("before (-), after the rollback (+):\n%s", d)
	}
	if is := w.groupIDs(); is[groupOf(1, "").Anchor.Raw] != ids[groupOf(1, "").Anchor.Raw] {
		t.Error("a group has another id")
	}
	again := w.rollback(done.Run.ID)
	groupCounts(t, again, connector.GroupCounts{Created: 1, Updated: 1, Deleted: 1, MembersAdded: 2, MembersRemoved: 3})
	if d := cmp.Diff(after, w.pictureOfGroups()); d != "" {
		t.Errorf("the rollback rolled back: %s", d)
	}
	if is := w.groupIDs(); !maps.Equal(is, ids) {
		t.Errorf("ids %v, were %v", is, ids)
	}
}

func TestLaterChangesOfGroupsStandInTheWay(t *testing.T) {
	t.Parallel()
	w, f, _, run := changedGroups(t)
	put := func(g *connector.GroupRecord) {
		t.Helper()
		f.putGroup(g)
		w.isChanges(w.changes(f, connector.ResultOK))
	}
	all := func(members ...string) *connector.GroupRecord {
		g := groupOf(1, "everybody", append(members, "cn=inner,ou=groups")...)
		g.Description = "all of us"
		return g
	}
	put(all(member(2)))            // 5 goes
	put(all(member(2), member(5))) // and comes back: not what the run did
	put(groupOf(4, "new", member(1), member(6)))
	anew := groupOf(2, "inner", member(6)) // the deleted one is there again, as another one
	put(anew)
	plan := w.rollback(run)
	groupCounts(t, plan, connector.GroupCounts{Updated: 1, MembersAdded: 1})
	for _, text := range []string{
		member(5) + " stays in the group cn=everybody,ou=groups: that was changed by run ",
		"the group cn=new,ou=groups that the run created stays: it was changed by run ",
		"the group cn=inner,ou=groups does not come back: its entry in the source belongs to another group now: ",
	} {
		if !warned(plan, text) {
			t.Errorf("nothing says %q: %q", text, plan.Run.Warnings)
		}
	}
	if got := w.members("all"); !slices.Contains(got, "u0001") || !slices.Contains(got, "u0005") || !w.hasGroup("new") {
		t.Errorf("all has %q", got)
	}
	// Nothing is left to do.
	groupCounts(t, w.undo(provision.RollbackRequest{Run: run, Apply: true}, connector.ResultOK), connector.GroupCounts{})
}

func TestNamesAndRenamesOfLaterRunsStay(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	f := groupedFeed(3, groupOf(1, "one", member(1)), groupOf(2, "two", member(1)))
	w.readInFull(f, connector.ResultOK)
	f.putGroup(groupOf(1, "eins", member(1), member(2)))
	f.putGroup(groupOf(2, "zwei"))
	run := w.changes(f, connector.ResultOK).Run.ID
	f.putGroup(groupOf(1, "un", member(1), member(2)))
	f.dropGroup(groupOf(2, "").Anchor)
	renamed := grouped(2)
	renamed.DN, renamed.Key = "uid=new,ou=people", dnKey("uid=new,ou=people")
	f.put(renamed)
	f.inLists(member(2), renamed.DN)
	w.changes(f, connector.ResultOK)
	plan := w.rollback(run)
	groupCounts(t, plan, connector.GroupCounts{})
	for _, text := range []string{
		"the name of the group cn=un,ou=groups is not put back: it was changed by run ",
		member(2) + " stays in the group cn=un,ou=groups: it was renamed since",
		"the group cn=zwei,ou=groups is not put back: it was deleted by run ",
	} {
		if !warned(plan, text) {
			t.Errorf("nothing says %q: %q", text, plan.Run.Warnings)
		}
	}
}

func TestARollbackOfGroupsIsApprovedAsItWasSeen(t *testing.T) {
	t.Parallel()
	w, f, _, run := changedGroups(t)
	held := w.undo(provision.RollbackRequest{Run: run}, connector.ResultHeld)
	f.putGroup(groupOf(4, "new", member(1), member(6)))
	w.changes(f, connector.ResultOK)
	after := w.pictureOfGroups()
	if _, err := w.approveRollback(held, nil); connector.KindOf(err) != connector.Conflict {
		t.Errorf("what has moved was approved: %v", err)
	}
	if d := cmp.Diff(after, w.pictureOfGroups()); d != "" {
		t.Errorf("something was written: %s", d)
	}
}

// Who chooses people approves nothing of groups.
func TestPartOfARollbackLeavesTheGroups(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	f := groupedFeed(3, groupOf(1, "one", member(1)))
	w.readInFull(f, connector.ResultOK)
	f.put(grouped(1, "sn", "Berg"))
	f.putGroup(groupOf(1, "one", member(1), member(2)))
	run := w.changes(f, connector.ResultOK).Run.ID
	limited := w.undo(provision.RollbackRequest{Run: run, People: []connector.ID{w.user("u0001").ID}}, connector.ResultHeld)
	groupCounts(t, limited, connector.GroupCounts{})
	held := w.undo(provision.RollbackRequest{Run: run}, connector.ResultHeld)
	part, err := provision.Choose(held.Run, held.Changes(), connector.Part{Only: []string{"u0001"}})
	if err != nil || part == nil {
		t.Fatalf("%+v, %v", part, err)
	}
	done, err := w.approveRollback(held, part)
	if err != nil || done.Run.Counts.Updated != 1 || done.Run.Hold == nil {
		t.Fatalf("%+v, %v", done.Run, err)
	}
	if got := w.members("one"); len(got) != 2 {
		t.Errorf("one has %q", got)
	}
	rest, err := w.approveRollback(done, nil)
	if err != nil || rest.Run.Result != connector.ResultOK {
		t.Fatalf("%+v, %v", rest.Run, err)
	}
	if got := w.members("one"); !slices.Equal(got, []string{"u0001"}) {
		t.Errorf("one has %q", got)
	}
}

// Whatever a run does to groups, its rollback gives those that there were, and the rollback of that what the
// run had made.
func TestAnyChangeOfGroupsIsRolledBack(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 3))
	w := groupWorld(t)
	w.org.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	w.rebuild()
	f := groupedFeed(8)
	for range 10 {
		f.randomGroup(r)
	}
	w.readInFull(f, connector.ResultOK)
	for round := range rounds(25) {
		before, ids := w.pictureOfGroups(), w.groupIDs()
		for range 1 + r.IntN(5) {
			f.randomMembers(r)
		}
		plan := w.readInFull(f, connector.ResultOK)
		if plan.Run.Groups == (connector.GroupCounts{}) {
			continue
		}
		after := w.pictureOfGroups()
		back := w.rollback(plan.Run.ID)
		if diff := cmp.Diff(before, w.pictureOfGroups()); diff != "" || !maps.Equal(ids, w.groupIDs()) {
			t.Fatalf("seed %d, round %d: before (-), rolled back (+)\n%s", seed, round, diff)
		}
		w.rollback(back.Run.ID)
		if diff := cmp.Diff(after, w.pictureOfGroups()); diff != "" {
			t.Fatalf("seed %d, round %d: after (-), rolled back twice (+)\n%s", seed, round, diff)
		}
	}
}

// randomMembers is randomGroup without renames of people, of whom a rollback of groups knows nothing.
func (f *feed) randomMembers(r *rand.Rand) {
	before := slices.Clone(f.list)
	f.randomGroup(r)
	for i, rec := range before {
		if f.list[i].DN != rec.DN {
			f.inLists(f.list[i].DN, rec.DN)
			f.list[i] = rec
		}
	}
}
