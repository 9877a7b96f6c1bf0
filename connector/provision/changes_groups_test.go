package provision_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/provision"
)

// Groups makes a feed a source of groups.
func (f *feed) Groups(ctx context.Context, yield func(*connector.GroupRecord) error) (connector.ReadResult, error) {
	f.mu.Lock()
	c := company{groups: slices.Clone(f.groups)}
	f.mu.Unlock()
	return c.Groups(ctx, yield)
}

func (f *feed) RereadGroups(_ context.Context, anchors []connector.Anchor) ([]*connector.GroupRecord, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.groupRecords(anchors), nil
}

func (f *feed) groupRecords(anchors []connector.Anchor) (out []*connector.GroupRecord) {
	for _, a := range anchors {
		rec := &connector.GroupRecord{Anchor: a, Gone: true}
		for _, g := range f.groups {
			if g.Anchor == a {
				own := *g
				own.Members = slices.Clone(g.Members)
				rec = &own
			}
		}
		out = append(out, rec)
	}
	return out
}

// putGroup adds or replaces a group, and tells of it.
func (f *feed) putGroup(g *connector.GroupRecord) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups = slices.DeleteFunc(f.groups, func(o *connector.GroupRecord) bool { return o.Anchor == g.Anchor })
	f.groups = append(f.groups, g)
	f.log = append(f.log, g.Anchor)
	f.tell()
}

func (f *feed) dropGroup(a connector.Anchor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups = slices.DeleteFunc(f.groups, func(o *connector.GroupRecord) bool { return o.Anchor == a })
	f.log = append(f.log, a)
	f.tell()
}

func groupedFeed(n int, groups ...*connector.GroupRecord) *feed {
	f := newFeed(newCompany(n).list)
	f.groups = groups
	return f
}

// groupEvents are what a run did to groups and memberships.
func (w *world) groupEvents(run connector.ID) (lines []string) {
	w.t.Helper()
	for e, err := range w.db.RunGroupEvents(w.t.Context(), run) {
		if err != nil {
			w.t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s > %s", e.Kind, e.Before, e.After)))
	}
	slices.Sort(lines)
	return lines
}

func TestGroupsComeWithChanges(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	f := groupedFeed(4, groupOf(1, "all", "uid=u0001,ou=people"))
	w.readInFull(f, connector.ResultOK)

	// A membership changes although nobody's entry does.
	f.putGroup(groupOf(1, "all", "uid=u0001,ou=people", "uid=u0002,ou=people"))
	f.putGroup(groupOf(2, "inner", "uid=u0003,ou=people"))
	f.putGroup(groupOf(3, "outer", "cn=inner,ou=groups"))
	plan := w.changes(f, connector.ResultOK)
	w.isChanges(plan)
	groupCounts(t, plan, connector.GroupCounts{Created: 2, Updated: 1, MembersAdded: 3})
	if d := cmp.Diff([]string{
		"created  > cn=inner,ou=groups", "created  > cn=outer,ou=groups", "member_added  > uid=u0002,ou=people",
	}, w.groupEvents(plan.Run.ID)); d != "" {
		t.Error(d)
	}
	if got := w.members("outer"); !slices.Equal(got, []string{"u0003"}) || w.storedCursor() != "3" {
		t.Errorf("outer has %q, cursor %s", got, w.storedCursor())
	}
	if run, err := w.db.Run(t.Context(), plan.Run.ID); err != nil || run.Result != connector.ResultOK || run.Groups != plan.Run.Groups {
		t.Errorf("%+v, %v", run, err)
	}

	f.dropGroup(groupOf(2, "").Anchor)
	f.putGroup(groupOf(3, "renamed", "cn=inner,ou=groups"))
	groupCounts(t, w.changes(f, connector.ResultOK), connector.GroupCounts{Updated: 1, Deleted: 1, MembersRemoved: 1})
	if w.hasGroup("inner") || w.hasGroup("outer") || !w.hasGroup("renamed") {
		t.Error("inner is there, or outer has its old name")
	}
	f.putGroup(f.groups[0]) // as it was
	f.dropGroup(groupOf(9, "").Anchor)
	groupCounts(t, w.changes(f, connector.ResultOK), connector.GroupCounts{})
	if w.storedCursor() != "7" {
		t.Errorf("cursor %s", w.storedCursor())
	}
	full := w.readInFull(f, connector.ResultOK)
	groupCounts(t, full, connector.GroupCounts{})
	if full.Run.Missed == nil || *full.Run.Missed != 0 {
		t.Errorf("missed %v", full.Run.Missed)
	}
}

// A source that does not sync groups any more is not bothered with what its feed says.
func TestGroupsOfChangesNeedTheSetting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := groupedFeed(2)
	w.readInFull(f, connector.ResultOK)
	f.putGroup(groupOf(1, "all", "uid=u0001,ou=people"))
	groupCounts(t, w.changes(f, connector.ResultOK), connector.GroupCounts{})
}

func TestQuietRunsThatChangeOnlyGroupsAreKept(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	f := groupedFeed(2, groupOf(1, "all"))
	w.readInFull(f, connector.ResultOK)
	quiet := provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeChanges, Quiet: true}
	f.putGroup(groupOf(1, "all", "uid=u0001,ou=people"))
	plan := w.runQuiet(quiet)
	if run, err := w.db.Run(t.Context(), plan.Run.ID); err != nil || run.Groups.MembersAdded != 1 || run.Result != connector.ResultOK {
		t.Errorf("%+v, %v", run, err)
	}
	f.putGroup(groupOf(1, "all", "uid=u0001,ou=people"))
	plan = w.runQuiet(quiet)
	if run, err := w.db.Run(t.Context(), plan.Run.ID); connector.KindOf(err) != connector.NotFound || w.storedCursor() != "2" {
		t.Errorf("a run without a change is kept: %+v, %v, cursor %s", run, err, w.storedCursor())
	}
}

func TestTooManyRemovalsOfMembershipsByChangesAreHeldByAFullRun(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	c := newCompany(40)
	f := groupedFeed(40, groupOf(1, "all", c.dns(0, 40)...))
	w.readInFull(f, connector.ResultOK)
	f.putGroup(groupOf(1, "all", c.dns(0, 30)...)) // 10 are not more than the guard lets pass
	plan := w.changes(f, connector.ResultOK)
	w.isChanges(plan)
	groupCounts(t, plan, connector.GroupCounts{Updated: 1, MembersRemoved: 10})

	f.putGroup(groupOf(1, "all", c.dns(0, 10)...))
	held := w.changes(f, connector.ResultOK)
	w.isFull(held, "20 memberships would be removed")
	if held.Run.GroupHold == nil || len(w.members("all")) != 30 {
		t.Errorf("%+v, %d members", held.Run.GroupHold, len(w.members("all")))
	}
}

func TestMembershipsFollowRenamesInChanges(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	f := groupedFeed(3, groupOf(1, "some", "uid=u0001,ou=people", "uid=u0002,ou=people"), groupOf(2, "outer", "cn=some,ou=groups"))
	w.readInFull(f, connector.ResultOK)
	renamed := func(i int, dn string) {
		r := grouped(i)
		r.DN, r.Key = dn, dnKey(dn)
		f.put(r)
	}
	// The server says nothing of the group.
	renamed(1, "uid=new,ou=people")
	f.groups[0] = groupOf(1, "some", "uid=new,ou=people", "uid=u0002,ou=people")
	plan := w.changes(f, connector.ResultOK)
	w.isChanges(plan)
	groupCounts(t, plan, connector.GroupCounts{})
	if got := w.members("some"); !slices.Equal(got, []string{"u0001", "u0002"}) {
		t.Errorf("some has %q", got)
	}
	// A person and the group are renamed, and a member joins, in one batch.
	renamed(2, "uid=other,ou=people")
	f.putGroup(groupOf(1, "several", "uid=new,ou=people", "uid=other,ou=people", "uid=u0003,ou=people"))
	i := slices.IndexFunc(f.groups, func(g *connector.GroupRecord) bool { return g.Name == "outer" })
	f.groups[i] = groupOf(2, "outer", "cn=several,ou=groups")
	plan = w.changes(f, connector.ResultOK)
	w.isChanges(plan)
	groupCounts(t, plan, connector.GroupCounts{Updated: 1, MembersAdded: 1})
	if got := w.members("outer"); !slices.Equal(got, []string{"u0001", "u0002", "u0003"}) {
		t.Errorf("outer has %q", got)
	}
	groupCounts(t, w.readInFull(f, connector.ResultOK), connector.GroupCounts{})
}

// One member of 10,000 is one row and one event.
func TestOneMemberOfManyIsOneRow(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	members := make([]string, 10_000)
	for i := range members {
		members[i] = fmt.Sprintf("cn=contact %05d,ou=people", i)
	}
	f := groupedFeed(3, groupOf(1, "many", members...))
	w.readInFull(f, connector.ResultOK)
	members[5000] = "uid=u0002,ou=people"
	f.putGroup(groupOf(1, "many", members...))
	plan := w.changes(f, connector.ResultOK)
	w.isChanges(plan)
	groupCounts(t, plan, connector.GroupCounts{Updated: 1, MembersAdded: 1, MembersRemoved: 1})
	if got := w.groupEvents(plan.Run.ID); len(got) != 2 {
		t.Errorf("%d events", len(got))
	}
	if got := w.members("many"); !slices.Equal(got, []string{"u0002"}) {
		t.Errorf("many has %q", got)
	}
}

func TestLiveFollowsGroups(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	f := groupedFeed(3, groupOf(1, "all", "uid=u0001,ou=people"))
	x := w.follow(f)
	if first := x.next(); first.Groups != (connector.GroupCounts{Created: 1, MembersAdded: 1}) {
		t.Errorf("%+v", first.Groups)
	}
	x.catchUp()
	f.putGroup(groupOf(1, "all", "uid=u0001,ou=people", "uid=u0002,ou=people"))
	one := x.next()
	if one.Groups != (connector.GroupCounts{Updated: 1, MembersAdded: 1}) || one.Counts != (connector.Counts{}) {
		t.Errorf("%+v", one)
	}
	f.put(grouped(4))
	f.putGroup(groupOf(2, "more", "uid=u0004,ou=people"))
	two := x.next()
	for two.Groups == (connector.GroupCounts{}) { // the person may come alone
		two = x.next()
	}
	want := connector.GroupCounts{Created: 1, Updated: 1, MembersAdded: 2}
	if two.Run.ID != one.Run.ID || two.Run.Groups != want || two.Groups != (connector.GroupCounts{Created: 1, MembersAdded: 1}) {
		t.Errorf("one run an hour: %+v, %+v", two.Groups, two.Run.Groups)
	}
	if err := x.end(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if run, err := w.db.Run(t.Context(), one.Run.ID); err != nil || run.Groups != want || run.Counts.Created != 1 {
		t.Errorf("%+v, %v", run, err)
	}
	if got := w.members("more"); !slices.Equal(got, []string{"u0004"}) {
		t.Errorf("more has %q", got)
	}
}

// pictureOfGroups is all groups with their members.
func (w *world) pictureOfGroups() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for g, err := range w.db.GroupStates(w.t.Context(), "acme", "dir") {
		if err != nil {
			w.t.Fatal(err)
		}
		var members []string
		for m, err := range w.db.DirectMembers(w.t.Context(), "acme", g.ID) {
			if err != nil {
				w.t.Fatal(err)
			}
			name := m.DN
			switch {
			case m.User != nil:
				name = m.User.UserName()
			case m.Group != nil:
				name = "group " + m.Group.Name
			}
			members = append(members, name)
		}
		slices.Sort(members)
		group, err := w.db.FindGroup(w.t.Context(), "acme", g.ID.String())
		if err != nil {
			w.t.Fatal(err)
		}
		out[g.Anchor.Raw] = fmt.Sprintf("%s %s %d %q", group.Name, group.DN, g.MemberCount, members)
	}
	return out
}

// Whatever happens to groups, changes and full runs end in the same ones.
func TestGroupsOfChangesEqualThoseOfFullRuns(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	open := func(w *world) *world {
		w.org.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
		w.rebuild()
		return w
	}
	w, other := open(groupWorld(t)), open(groupWorld(t))
	f := groupedFeed(12)
	w.readInFull(f, connector.ResultOK)
	other.readInFull(f, connector.ResultOK)
	for round := range rounds(60) {
		for range 1 + r.IntN(4) {
			f.randomGroup(r)
		}
		w.isChanges(w.changes(f, connector.ResultOK))
		other.readInFull(f, connector.ResultOK)
		if diff := cmp.Diff(other.pictureOfGroups(), w.pictureOfGroups()); diff != "" {
			t.Fatalf("seed %d, round %d: full run (-), changes (+)\n%s", seed, round, diff)
		}
	}
	groupCounts(t, w.readInFull(f, connector.ResultOK), connector.GroupCounts{})
}

// randomGroup does something to a group, or renames somebody, as a server that gives renamed entries their
// new names in all lists.
func (f *feed) randomGroup(r *rand.Rand) {
	const groups = 6
	i := 1 + r.IntN(groups)
	a := groupOf(i, "").Anchor
	at := slices.IndexFunc(f.groups, func(g *connector.GroupRecord) bool { return g.Anchor == a })
	member := f.list[r.IntN(len(f.list))].DN
	if r.IntN(4) == 0 && len(f.groups) > 0 {
		member = f.groups[r.IntN(len(f.groups))].DN
	}
	switch n := r.IntN(10); {
	case n == 0 && at >= 0:
		gone := f.groups[at].DN
		f.dropGroup(a)
		f.inLists(gone, "")
	case n == 1:
		rec := f.list[r.IntN(len(f.list))].Clone()
		was := rec.DN
		rec.DN = fmt.Sprintf("uid=n%d,ou=people", r.IntN(1<<30))
		rec.Key = dnKey(rec.DN)
		f.inLists(was, rec.DN)
		f.put(rec)
	case at < 0:
		f.putGroup(groupOf(i, fmt.Sprintf("g%d", r.IntN(1<<30)), member))
	case n == 2:
		g, was := *f.groups[at], f.groups[at].DN
		g.Name = fmt.Sprintf("g%d", r.IntN(1<<30))
		g.DN = "cn=" + g.Name + ",ou=groups"
		g.Key = dnKey(g.DN)
		f.putGroup(&g)
		f.inLists(was, g.DN)
	default:
		g := *f.groups[at]
		g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m connector.Member) bool { return m.DN == member })
		if len(g.Members) == len(f.groups[at].Members) {
			g.Members = append(g.Members, connector.Member{Key: dnKey(member), DN: member})
		}
		f.putGroup(&g)
	}
}

// inLists gives a member another name in all groups, without telling of them; "" takes it out, and tells: a
// server that does not would have removed nothing that full runs could see.
func (f *feed) inLists(was, is string) {
	for _, g := range slices.Clone(f.groups) {
		i := slices.IndexFunc(g.Members, func(m connector.Member) bool { return m.DN == was })
		if i < 0 {
			continue
		}
		own := *g
		own.Members = slices.Delete(slices.Clone(g.Members), i, i+1)
		if is == "" {
			f.putGroup(&own)
			continue
		}
		own.Members = append(own.Members, connector.Member{Key: dnKey(is), DN: is})
		f.groups[slices.Index(f.groups, g)] = &own
	}
}

var _ connector.GroupSource = (*feed)(nil)
