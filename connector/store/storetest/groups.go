package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

// keyOf is the key of a DN as a directory writes it.
func keyOf(dn string) connector.Hash { return connector.KeyOf([]byte(strings.ToLower(dn))) }

func member(dn string) connector.Member { return connector.Member{Key: keyOf(dn), DN: dn} }

// GroupRecord is what a source says of group n with these members.
func GroupRecord(n int, name string, members ...string) *connector.GroupRecord {
	dn := "CN=" + name + ",OU=Groups"
	g := &connector.GroupRecord{Anchor: AnchorOf(1_000_000 + n), DN: dn, Key: keyOf(dn), Name: name}
	for _, m := range members {
		g.Members = append(g.Members, member(m))
	}
	return g
}

// putGroups compares and writes, as a run does, and returns the changes.
func (f *fixture) putGroups(follow bool, records ...*connector.GroupRecord) (changes []*connector.GroupChange) {
	f.Helper()
	f.now = f.now.Add(time.Second)
	f.ok(f.s.Bulk(f.ctx, func(tx connector.Tx) (err error) {
		if changes, err = tx.CompareGroups(f.ctx, Org, Source, records, nil); err != nil {
			return err
		}
		return tx.PutGroups(f.ctx, changes, follow, RunCause(f.run), f.now)
	}))
	again, err := f.s.CompareGroups(f.ctx, Org, Source, records, nil)
	f.ok(err)
	f.equal(len(again), 0)
	return changes
}

// member creates person n with the place where its entry stands.
func (f *fixture) member(n int, dn string, primary uint32) *connector.User {
	f.Helper()
	c := Create(n, "", f.now)
	c.DN, c.Link.DN, c.Link.Key, c.Link.PrimaryGroup = dn, dn, keyOf(dn), primary
	f.save(c)
	return c.After
}

// move is the decision that the entry of person n stands elsewhere now.
func (f *fixture) move(n int, u *connector.User, dn string) *connector.Change {
	return &connector.Change{
		Action: connector.Unchanged, Org: Org, Source: Source, Anchor: AnchorOf(n), DN: dn, BaseVersion: u.Version,
		Link: &connector.Link{
			Org: Org, Source: Source, Anchor: AnchorOf(n), User: u.ID, DN: dn, Key: keyOf(dn), Standing: connector.StandingEnabled,
			MembershipsFollow: true,
		},
	}
}

func (f *fixture) group(key string) *connector.Group {
	f.Helper()
	g, err := f.s.FindGroup(f.ctx, Org, key)
	f.ok(err)
	return g
}

// direct lists the members of a group as words: user names, groups as [name], others as (DN), a * for
// those whose primary group it is.
func (f *fixture) direct(key string) (words []string) {
	f.Helper()
	for _, m := range collect(f, f.s.DirectMembers(f.ctx, Org, f.group(key).ID)) {
		word := "(" + m.DN + ")"
		switch {
		case m.User != nil:
			word = m.User.UserName()
		case m.Group != nil:
			word = "[" + m.Group.Name + "]"
		}
		if m.Primary {
			word += "*"
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

func (f *fixture) effective(key string) (names []string) {
	f.Helper()
	for _, u := range collect(f, f.s.EffectiveMembers(f.ctx, Org, f.group(key).ID)) {
		names = append(names, u.UserName())
	}
	slices.Sort(names)
	return names
}

// groupsOf lists the groups of a user, those through others in brackets.
func (f *fixture) groupsOf(u *connector.User) (names []string) {
	f.Helper()
	groups, err := f.s.GroupsOfUser(f.ctx, Org, u.ID, 0)
	f.ok(err)
	for _, g := range groups {
		if g.Direct {
			names = append(names, g.Name)
		} else {
			names = append(names, "("+g.Name+")")
		}
	}
	return names
}

func (f *fixture) affected(dns ...string) (found []string) {
	f.Helper()
	var keys []connector.Hash
	for _, dn := range dns {
		keys = append(keys, keyOf(dn))
	}
	for _, a := range collect(f, f.s.AffectedMembers(f.ctx, Org, Source, keys)) {
		found = append(found, a.DN)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (f *fixture) groupEvents() (lines []string) {
	f.Helper()
	for _, e := range collect(f, f.s.RunGroupEvents(f.ctx, f.run)) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s > %s", e.Kind, e.Before, e.After)))
	}
	slices.Sort(lines)
	return lines
}

func groupsWritten(f *fixture) {
	f.putGroups(true, GroupRecord(1, "Sales", "CN=a", "CN=b"), GroupRecord(2, "Empty"))
	g := f.group("sales")
	f.equal([]any{g.Name, g.DN, g.MemberCount, g.Anchor}, []any{"Sales", "CN=Sales,OU=Groups", 2, AnchorOf(1_000_001)})
	f.equal(f.direct("Sales"), []string{"(CN=a)", "(CN=b)"})

	edited := GroupRecord(1, "Sales EMEA", "CN=b", "CN=c", "CN=d")
	edited.Description, edited.RID = "all of them", 1101
	f.run = connector.NewID(f.now)
	changes := f.putGroups(true, edited, GroupRecord(2, "Empty"))
	f.equal(len(changes), 1)
	c := changes[0]
	f.equal([]any{c.Action, c.Before.Name, c.After.ID, len(c.Added), c.Removed}, []any{connector.Updated, "Sales", g.ID, 2, []connector.Member{member("CN=a")}})
	f.equal(f.group(g.ID.String()).MemberCount, 3)
	f.equal(f.groupEvents(), []string{
		"edited Sales > Sales EMEA: all of them", "member_added  > CN=c", "member_added  > CN=d", "member_removed CN=a >",
		"renamed CN=Sales,OU=Groups > CN=Sales EMEA,OU=Groups",
	})

	f.run = connector.NewID(f.now)
	f.putGroups(true, &connector.GroupRecord{Anchor: edited.Anchor, Gone: true}, &connector.GroupRecord{Anchor: AnchorOf(77), Gone: true})
	f.equal(f.groupEvents(), []string{
		"deleted CN=Sales EMEA,OU=Groups >", "member_removed CN=b >", "member_removed CN=c >", "member_removed CN=d >",
	})
	groupsRemembered(f, g, c, edited)
	_, err := f.s.FindGroup(f.ctx, Org, "Sales EMEA")
	f.kind(err, connector.NotFound)
	f.equal(len(collect(f, f.s.GroupStates(f.ctx, Org, Source))), 1)
}

// groupsRemembered checks what events keep of a group that was created, edited and deleted.
func groupsRemembered(f *fixture, created *connector.Group, edit *connector.GroupChange, last *connector.GroupRecord) {
	f.Helper()
	was, is := *edit.Before, *edit.After
	for _, g := range []*connector.Group{&was, &is} {
		g.MemberCount, g.CreatedAt, g.UpdatedAt, g.Version = 0, time.Time{}, time.Time{}, 0
	}
	list := collect(f, f.s.RunGroups(f.ctx, f.run))
	f.equal([]any{len(list), list[0].Group}, []any{1, created.ID})
	later := collect(f, f.s.GroupHistory(f.ctx, Org, created.ID, list[0].First))
	f.equal(len(later), 4) // three members, and the group
	f.equal(len(collect(f, f.s.GroupHistory(f.ctx, "other", created.ID, list[0].First))), 0)
	all := collect(f, f.s.GroupHistory(f.ctx, Org, created.ID, connector.ID{}))
	states := map[connector.GroupEventKind][2]*connector.Group{}
	for _, e := range all {
		states[e.Kind] = [2]*connector.Group{e.Was, e.Is}
	}
	f.equal(states[connector.GroupCreated], [2]*connector.Group{nil, &was})
	f.equal(states[connector.GroupEdited], [2]*connector.Group{&was, &is})
	f.equal(states[connector.GroupRenamed], [2]*connector.Group{&was, &is})
	f.equal(states[connector.GroupDeleted], [2]*connector.Group{&is, nil})
	f.equal(states[connector.MemberAdded], [2]*connector.Group{})

	// It comes back as who it was.
	back := &connector.GroupChange{Action: connector.Created, After: &is, Added: []connector.Member{member("CN=b")}}
	f.ok(f.s.Bulk(f.ctx, func(tx connector.Tx) error {
		return tx.PutGroups(f.ctx, []*connector.GroupChange{back}, false, connector.Cause{Kind: connector.CauseRun, Run: f.run}, f.now)
	}))
	groups, err := f.s.GroupsOf(f.ctx, Org, Source, []connector.ID{created.ID}, []connector.Anchor{AnchorOf(77)})
	f.ok(err)
	f.equal([]any{len(groups), groups[0].Name, groups[0].MemberCount}, []any{1, is.Name, 1})
	groups, err = f.s.GroupsOf(f.ctx, Org, Source, nil, []connector.Anchor{last.Anchor})
	f.ok(err)
	f.equal(groups[0].ID, created.ID)
	members, err := f.s.MembersOf(f.ctx, created.ID, []connector.Hash{keyOf("CN=a"), keyOf("CN=b")})
	f.ok(err)
	f.equal(members, []connector.Member{member("CN=b")})
	f.putGroups(true, &connector.GroupRecord{Anchor: last.Anchor, Gone: true})
}

func groupsFound(f *fixture) {
	var records []*connector.GroupRecord
	for i := range 25 {
		records = append(records, GroupRecord(i, fmt.Sprintf("Group %02d", i)))
	}
	twin := GroupRecord(99, "group 07")
	twin.DN = "CN=Group 07,OU=Elsewhere"
	twin.Key = keyOf(twin.DN)
	f.putGroups(true, append(records, twin)...)
	var names []string
	q := connector.GroupQuery{Org: Org, Source: Source, Search: "GROUP 0", Limit: 4}
	for more := true; more; more = q.After != "" {
		groups, next, err := f.s.Groups(f.ctx, q)
		f.ok(err)
		for _, g := range groups {
			names = append(names, g.Name)
		}
		q.After = next
	}
	f.equal(names, []string{
		"Group 00", "Group 01", "Group 02", "Group 03", "Group 04", "Group 05", "Group 06", "Group 07", "group 07", "Group 08", "Group 09",
	})
	all, next, err := f.s.Groups(f.ctx, connector.GroupQuery{Org: Org})
	f.ok(err)
	f.equal([]any{len(all), next}, []any{26, ""})
	for _, key := range []string{"group 03", "cn=group 03,ou=groups", AnchorOf(1_000_003).String(), all[3].ID.String()} {
		f.equal(f.group(key).Name, "Group 03")
	}
	_, err = f.s.FindGroup(f.ctx, Org, "Group 07")
	f.kind(err, connector.Conflict)
	_, _, err = f.s.Groups(f.ctx, connector.GroupQuery{Org: Org, After: "x"})
	f.kind(err, connector.Invalid)
}

func nestedMembers(f *fixture) {
	ann, bob, cyd := f.member(1, "CN=Ann", 0), f.member(2, "CN=Bob", 1102), f.member(3, "CN=Cyd", 513)
	inner := GroupRecord(2, "Inner", "CN=Outer,OU=Groups", "CN=Cyd", "CN=Contact")
	inner.RID = 1102
	f.putGroups(true, GroupRecord(1, "Outer", "CN=Ann", "CN=Inner,OU=Groups", "CN=Visitor"), inner, GroupRecord(3, "Other", "CN=Ann"))
	f.equal(f.direct("Outer"), []string{"(CN=Visitor)", ann.UserName(), "[Inner]"})
	f.equal(f.direct("Inner"), []string{"(CN=Contact)", bob.UserName() + "*", cyd.UserName(), "[Outer]"})
	everybody := []string{ann.UserName(), bob.UserName(), cyd.UserName()}
	f.equal(f.effective("Outer"), everybody)
	f.equal(f.effective("Inner"), everybody)
	f.equal(f.effective("Other"), []string{ann.UserName()})
	n, err := f.s.CountMembers(f.ctx, Org, f.group("Outer").ID)
	f.ok(err)
	f.equal(n, connector.MemberCounts{Users: 3, Groups: 1, Outside: 2})
	f.equal(f.groupsOf(ann), []string{"(Inner)", "Other", "Outer"})
	f.equal(f.groupsOf(bob), []string{"Inner", "(Outer)"})
	f.equal(f.affected("CN=Inner,OU=Groups"), []string{"CN=Ann", "CN=Bob", "CN=Cyd"})
	f.equal(f.affected("CN=Cyd", "CN=Contact", "CN=Other,OU=Groups"), []string{"CN=Ann", "CN=Cyd"})
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error {
		n := 0
		for _, err := range tx.AffectedMembers(f.ctx, Org, Source, []connector.Hash{keyOf("CN=Outer,OU=Groups")}) {
			f.ok(err)
			n++
		}
		f.equal(n, 3)
		return nil
	}))

	gone := f.move(1, ann, "CN=Ann")
	gone.Link.Standing = connector.StandingGone
	f.save(gone)
	f.equal(len(f.effective("Other")), 0)
	f.equal(f.direct("Other"), []string{"(CN=Ann)"})
}

func membershipsFollow(f *fixture) {
	ann, bob, cyd := f.member(1, "CN=Ann", 0), f.member(2, "CN=Bob", 0), f.member(3, "CN=Cyd", 0)
	f.putGroups(true, GroupRecord(1, "A", "CN=Ann", "CN=B,OU=Groups"), GroupRecord(2, "B", "CN=Bob"), GroupRecord(3, "Both", "CN=Ann", "CN=Bob", "CN=Zed"))
	f.run = connector.NewID(f.now)

	f.save(f.move(1, ann, "CN=Bob"), f.move(2, bob, "CN=Ann")) // they swap
	f.equal(f.direct("A"), []string{ann.UserName(), "[B]"})
	f.equal(f.direct("B"), []string{bob.UserName()})
	f.equal(f.direct("Both"), []string{"(CN=Zed)", ann.UserName(), bob.UserName()})

	f.save(f.move(3, cyd, "CN=Ann")) // Bob's place, before it is known that he has left it
	f.equal(f.direct("B"), []string{bob.UserName()})
	f.save(f.move(2, bob, "CN=Bobby"))
	f.equal(f.direct("B"), []string{bob.UserName()})
	f.equal(f.direct("Both"), []string{"(CN=Zed)", ann.UserName(), bob.UserName()})

	f.save(f.move(2, bob, "CN=Zed")) // under whose name nobody was known here
	f.equal(f.direct("Both"), []string{ann.UserName(), bob.UserName()})
	f.equal(f.group("Both").MemberCount, 2)
	f.equal(len(f.groupEvents()), 0)

	f.putGroups(true, GroupRecord(2, "Renamed", "CN=Zed"))
	f.equal(f.direct("A"), []string{ann.UserName(), "[Renamed]"})
	f.equal(f.groupEvents(), []string{"edited B > Renamed", "renamed CN=B,OU=Groups > CN=Renamed,OU=Groups"})
}

// membershipsStay: without referential integrity, as in OpenLDAP, the list keeps what was written there.
func membershipsStay(f *fixture) {
	ann := f.member(1, "CN=Ann", 0)
	f.putGroups(false, GroupRecord(1, "A", "CN=Ann", "CN=B,OU=Groups"), GroupRecord(2, "B", "CN=Ann Lee"))
	moved := f.move(1, ann, "CN=Ann Lee")
	moved.Link.MembershipsFollow = false
	f.save(moved)
	f.equal(f.direct("A"), []string{"(CN=Ann)", "[B]"})
	f.equal(f.effective("B"), []string{ann.UserName()})
	f.putGroups(false, GroupRecord(2, "C", "CN=Ann Lee"))
	f.equal(f.direct("A"), []string{"(CN=Ann)", "(CN=B,OU=Groups)"})
}

func groupsApart(f *fixture) {
	ann := f.member(1, "CN=Ann", 0)
	f.putGroups(true, GroupRecord(1, "A", "CN=Ann"))
	var others []*connector.GroupChange
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) (err error) {
		for _, at := range [][2]string{{"other", Source}, {Org, "second"}} {
			changes, err := tx.CompareGroups(f.ctx, at[0], at[1], []*connector.GroupRecord{GroupRecord(1, "A", "CN=Ann", "CN=A,OU=Groups")}, nil)
			if err != nil {
				return err
			}
			others = append(others, changes...)
			if err := tx.PutGroups(f.ctx, changes, true, RunCause(f.run), f.now); err != nil {
				return err
			}
		}
		return nil
	}))
	f.equal(len(others), 2)
	for _, c := range others {
		f.equal(len(collect(f, f.s.EffectiveMembers(f.ctx, c.After.Org, c.After.ID))), 0)
	}
	f.equal(f.groupsOf(ann), []string{"A"})
	f.equal(len(collect(f, f.s.EffectiveMembers(f.ctx, Org, others[0].After.ID))), 0)
	f.save(f.move(1, ann, "CN=Ann Lee"))
	for _, c := range others { // a rename here is none there
		f.equal(c.After.MemberCount, 2)
		var dns []string
		for _, m := range collect(f, f.s.DirectMembers(f.ctx, c.After.Org, c.After.ID)) {
			dns = append(dns, m.DN)
		}
		f.equal(slices.Contains(dns, "CN=Ann"), true)
	}
	f.equal(len(collect(f, f.s.GroupStates(f.ctx, "other", Source))), 1)
}
