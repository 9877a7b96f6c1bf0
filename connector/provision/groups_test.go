package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/provision"
)

// company is people with groups.
type company struct {
	people
	groups  []*connector.GroupRecord
	why     string // the answer about groups is not complete
	err     error
	silent  bool // cannot say of any group that it is gone
	rereads int
}

func (c *company) Groups(ctx context.Context, yield func(*connector.GroupRecord) error) (connector.ReadResult, error) {
	res := connector.ReadResult{Complete: c.why == "", Why: c.why}
	for _, g := range c.groups {
		res.Entries++
		lent := *g
		lent.Members = slices.Clone(g.Members)
		if err := yield(&lent); err != nil {
			return res, err
		}
	}
	return res, errors.Join(c.err, ctx.Err())
}

func (c *company) RereadGroups(_ context.Context, anchors []connector.Anchor) ([]*connector.GroupRecord, error) {
	c.rereads++
	if c.silent {
		return nil, nil
	}
	var recs []*connector.GroupRecord
	for _, a := range anchors {
		recs = append(recs, &connector.GroupRecord{Anchor: a, Gone: true})
	}
	return recs, nil
}

func dnKey(dn string) connector.Hash { return connector.KeyOf([]byte(strings.ToLower(dn))) }

// grouped is a person of a source whose groups are synced.
func grouped(i int, more ...string) *connector.Record {
	r := person(i, more...)
	r.Key = dnKey(r.DN)
	return r
}

func groupOf(i int, name string, members ...string) *connector.GroupRecord {
	dn := "cn=" + name + ",ou=groups"
	g := &connector.GroupRecord{
		Anchor: connector.Anchor{Kind: connector.EntryUUID, Raw: fmt.Sprintf("groups-%09d", i)}, DN: dn, Key: dnKey(dn), Name: name,
	}
	for _, m := range members {
		g.Members = append(g.Members, connector.Member{Key: dnKey(m), DN: m})
	}
	return g
}

func newCompany(n int) *company {
	c := &company{}
	for i := 1; i <= n; i++ {
		c.list = append(c.list, grouped(i))
	}
	return c
}

// dns are those of people from the list.
func (c *company) dns(from, to int) (dns []string) {
	for _, r := range c.list[from:to] {
		dns = append(dns, r.DN)
	}
	return dns
}

func groupWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t, func(o *connector.Organization) {
		o.Sources[0].Groups, o.Sources[0].RenamesFollow = true, true
		o.Packages = append(o.Packages, connector.Package{ID: "gold", Seats: 2}, connector.Package{ID: "tin", Seats: connector.Unlimited})
	})
}

func (w *world) syncCompany(c *company, edit func(*provision.SyncRequest)) *provision.Plan {
	w.t.Helper()
	req := provision.SyncRequest{Source: "dir", From: c, Mode: connector.ModeFull, Actor: "test"}
	if edit != nil {
		edit(&req)
	}
	plan, err := w.prov.Sync(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = plan.Close() })
	return plan
}

// members are the user names in a group, nested ones included.
func (w *world) members(name string) (names []string) {
	w.t.Helper()
	g, err := w.db.FindGroup(w.t.Context(), "acme", name)
	if err != nil {
		w.t.Fatal(err)
	}
	for u, err := range w.db.EffectiveMembers(w.t.Context(), "acme", g.ID) {
		if err != nil {
			w.t.Fatal(err)
		}
		names = append(names, u.UserName())
	}
	slices.Sort(names)
	return names
}

func (w *world) hasGroup(name string) bool {
	_, err := w.db.FindGroup(w.t.Context(), "acme", name)
	return err == nil
}

func groupCounts(t *testing.T, p *provision.Plan, want connector.GroupCounts) {
	t.Helper()
	if d := cmp.Diff(want, p.Run.Groups); d != "" {
		t.Errorf("groups (-want +got):\n%s", d)
	}
}

func warned(p *provision.Plan, text string) bool {
	return slices.ContainsFunc(p.Run.Warnings, func(s string) bool { return strings.Contains(s, text) })
}

func TestGroupsOfARunAreWritten(t *testing.T) {
	t.Parallel()
	w, c := groupWorld(t), newCompany(6)
	c.groups = []*connector.GroupRecord{groupOf(1, "outer", append(c.dns(0, 2), "cn=inner,ou=groups")...), groupOf(2, "inner", append(c.dns(2, 4), "cn=printer")...)}
	preview := w.syncCompany(c, func(r *provision.SyncRequest) { r.Mode = connector.ModePreview })
	groupCounts(t, preview, connector.GroupCounts{Created: 2, MembersAdded: 6})
	if w.hasGroup("outer") {
		t.Error("a preview has written a group")
	}
	groupCounts(t, w.syncCompany(c, nil), connector.GroupCounts{Created: 2, MembersAdded: 6})
	if got := w.members("outer"); !slices.Equal(got, []string{"u0001", "u0002", "u0003", "u0004"}) {
		t.Errorf("outer has %q", got)
	}
	groupCounts(t, w.syncCompany(c, nil), connector.GroupCounts{})

	// A membership changes although no person's entry does.
	c.groups[1] = groupOf(2, "inner", append(c.dns(3, 6), "cn=printer")...)
	plan := w.syncCompany(c, nil)
	groupCounts(t, plan, connector.GroupCounts{Updated: 1, MembersAdded: 2, MembersRemoved: 1})
	counts(t, plan, connector.Counts{Unchanged: 6})
	if got := w.members("outer"); !slices.Equal(got, []string{"u0001", "u0002", "u0004", "u0005", "u0006"}) {
		t.Errorf("outer has %q", got)
	}
	events := 0
	for e, err := range w.db.RunGroupEvents(t.Context(), plan.Run.ID) {
		if events++; err != nil || e.Cause.Run != plan.Run.ID || e.Cause.Actor != "test" {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if events != 3 {
		t.Errorf("%d events", events)
	}
	c.groups = c.groups[:1]
	groupCounts(t, w.syncCompany(c, nil), connector.GroupCounts{Deleted: 1, MembersRemoved: 4})
	if w.hasGroup("inner") || c.rereads != 1 {
		t.Errorf("inner is there: %v; %d questions about absent groups", w.hasGroup("inner"), c.rereads)
	}
}

func TestRenamesChangeNoMembership(t *testing.T) {
	t.Parallel()
	w, c := groupWorld(t), newCompany(4)
	c.groups = []*connector.GroupRecord{groupOf(1, "all", c.dns(0, 4)...), groupOf(2, "some", append(c.dns(0, 2), "cn=all,ou=groups")...)}
	w.syncCompany(c, nil)
	// Two people take each other's place, a third one a new one, and a group gets another name; the server
	// gives all of them their new names in all lists.
	c.list[0].DN, c.list[1].DN, c.list[2].DN = c.list[1].DN, c.list[0].DN, "uid=new,ou=elsewhere"
	for _, r := range c.list {
		r.Key = dnKey(r.DN)
	}
	// The fourth cannot be updated, but is renamed too.
	c.list[3] = grouped(4, "mail", "")
	c.list[3].DN = "uid=fourth,ou=people"
	c.list[3].Key = dnKey(c.list[3].DN)
	c.groups = []*connector.GroupRecord{groupOf(1, "everybody", c.dns(0, 4)...), groupOf(2, "some", append(c.dns(0, 2), "cn=everybody,ou=groups")...)}
	for range 2 {
		preview := w.syncCompany(c, func(r *provision.SyncRequest) { r.Mode = connector.ModePreview })
		groupCounts(t, preview, connector.GroupCounts{Updated: 1})
	}
	plan := w.syncCompany(c, nil)
	groupCounts(t, plan, connector.GroupCounts{Updated: 1})
	counts(t, plan, connector.Counts{Unchanged: 3, Failed: 1})
	if got := w.members("some"); !slices.Equal(got, []string{"u0001", "u0002", "u0003", "u0004"}) {
		t.Errorf("some has %q", got)
	}
	groupCounts(t, w.syncCompany(c, nil), connector.GroupCounts{})
	c.list[3] = grouped(4)
	c.list[3].DN = "uid=fourth,ou=people"
	c.list[3].Key = dnKey(c.list[3].DN)
	groupCounts(t, w.syncCompany(c, nil), connector.GroupCounts{})
	if got := w.members("everybody"); len(got) != 4 {
		t.Errorf("everybody has %q", got)
	}
}

func TestGroupsAreNotRemovedOnADoubtfulAnswer(t *testing.T) {
	t.Parallel()
	w, c := groupWorld(t), newCompany(6)
	all := []*connector.GroupRecord{groupOf(1, "one", c.dns(0, 4)...), groupOf(2, "two", c.dns(0, 2)...)}
	c.groups = all
	w.syncCompany(c, nil)

	c.groups, c.why = []*connector.GroupRecord{groupOf(1, "one", c.dns(3, 5)...)}, "size limit"
	plan := w.syncCompany(c, nil)
	groupCounts(t, plan, connector.GroupCounts{Updated: 1, MembersAdded: 1})
	if got := w.members("one"); len(got) != 5 || !w.hasGroup("two") || !warned(plan, "size limit") {
		t.Errorf("one has %q; %q", got, plan.Run.Warnings)
	}
	c.groups, c.why = nil, ""
	plan = w.syncCompany(c, func(r *provision.SyncRequest) { r.AcceptGroups = "0000000000000000" })
	groupCounts(t, plan, connector.GroupCounts{})
	if !w.hasGroup("one") || !w.hasGroup("two") || !warned(plan, "none at all where 2 were known") || plan.Run.GroupHold != nil {
		t.Errorf("after an empty answer: %q, %+v", plan.Run.Warnings, plan.Run.GroupHold)
	}
	c.groups, c.err = all[:1], errors.New("connection reset")
	plan = w.syncCompany(c, nil)
	groupCounts(t, plan, connector.GroupCounts{})
	if !w.hasGroup("two") || !warned(plan, "connection reset") || plan.Run.Result != connector.ResultOK {
		t.Errorf("after an error: %s, %q", plan.Run.Result, plan.Run.Warnings)
	}
	c.err, c.silent = nil, true
	plan = w.syncCompany(c, nil)
	if !w.hasGroup("two") || !warned(plan, "1 groups were absent") {
		t.Errorf("a group of which nothing is known for certain: %q", plan.Run.Warnings)
	}
}

func TestManyRemovalsOfMembershipsWait(t *testing.T) {
	t.Parallel()
	w, c := groupWorld(t), newCompany(40)
	c.groups = []*connector.GroupRecord{groupOf(1, "all", c.dns(0, 40)...), groupOf(2, "few", c.dns(0, 2)...)}
	w.syncCompany(c, nil)
	c.groups[0], c.groups[1] = groupOf(1, "all", c.dns(0, 29)...), groupOf(2, "few", c.dns(0, 3)...)
	held := w.syncCompany(c, nil)
	want := "11 memberships would be removed, more than 10 and more than 5 % of 42 memberships"
	if h := held.Run.GroupHold; h == nil || h.Reason != want || len(h.Digest) != 16 {
		t.Fatalf("held: %+v, want %s", h, want)
	}
	groupCounts(t, held, connector.GroupCounts{Updated: 2, MembersAdded: 1, MembersRemoved: 11})
	if len(w.members("all")) != 40 || len(w.members("few")) != 2 {
		t.Error("something was written")
	}
	accept := func(r *provision.SyncRequest) { r.AcceptGroups = held.Run.GroupHold.Digest }
	c.groups[0] = groupOf(1, "all", c.dns(0, 28)...)
	if moved := w.syncCompany(c, accept); moved.Run.GroupHold == nil || len(w.members("all")) != 40 {
		t.Error("what has moved was applied")
	}
	c.groups[0] = groupOf(1, "all", c.dns(0, 29)...)
	if done := w.syncCompany(c, accept); done.Run.GroupHold != nil || len(w.members("all")) != 29 || len(w.members("few")) != 3 {
		t.Errorf("what was accepted: %+v, %d members", done.Run.GroupHold, len(w.members("all")))
	}
}

func TestLargeGroupsAreWrittenInParts(t *testing.T) {
	t.Parallel()
	w, c := groupWorld(t), newCompany(3)
	var dns []string
	for i := range 25_000 {
		dns = append(dns, fmt.Sprint("cn=contact ", i))
	}
	c.groups = []*connector.GroupRecord{groupOf(1, "many", append(c.dns(0, 3), dns...)...)}
	groupCounts(t, w.syncCompany(c, nil), connector.GroupCounts{Created: 1, MembersAdded: 25_003})
	if got := w.members("many"); len(got) != 3 {
		t.Errorf("many has %q", got)
	}
	groupCounts(t, w.syncCompany(c, nil), connector.GroupCounts{})
}

func TestPackageOfAGroupComesAfterTheMapping(t *testing.T) {
	t.Parallel()
	w, c := groupWorld(t), newCompany(3)
	c.list[0].Package, c.list[1].Package = "gold", "tin"
	w.syncCompany(c, nil)
	got := []string{w.user("u0001").Package, w.user("u0002").Package, w.user("u0003").Package}
	if !slices.Equal(got, []string{"gold", "tin", "standard"}) {
		t.Errorf("packages %q", got)
	}
	c.list[0].Package = "" // left the group; nothing else of the entry changed
	counts(t, w.syncCompany(c, nil), connector.Counts{Updated: 1, Unchanged: 2})
	if u := w.user("u0001"); u.Package != "standard" || w.used("gold") != 0 {
		t.Errorf("%s holds %s, gold has %d", u.UserName(), u.Package, w.used("gold"))
	}
}

func TestTurningGroupsOnReachesPeopleWhoHaveNotChanged(t *testing.T) {
	t.Parallel()
	w, c := groupWorld(t), newCompany(3)
	before := &company{people: people{list: []*connector.Record{person(1), person(2), person(3)}}}
	w.syncCompany(before, nil)
	c.groups = []*connector.GroupRecord{groupOf(1, "all", c.dns(0, 3)...)}
	counts(t, w.syncCompany(c, nil), connector.Counts{Unchanged: 3})
	if got := w.members("all"); len(got) != 3 {
		t.Errorf("all has %q", got)
	}
}
