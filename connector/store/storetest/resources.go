package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"usherd/connector"
)

func newWorld(f *fixture, people, groups int) *worldMaker {
	f.Helper()
	seed := rand.Uint64() //nolint:gosec // a test
	f.Logf("seed %d", seed)
	m := &worldMaker{f, &world{client: client}, rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // a test
	m.people(people)
	m.societies(groups)
	return m
}

// listed walks all pages of a query, forwards or backwards, and returns what they hold in the query's order.
func (m *worldMaker) listed(kind connector.ResourceKind, q connector.ResourceQuery, backwards bool) (ids []connector.ID) {
	m.Helper()
	if backwards { // from the end: the last one of the same list turned round stands behind it
		all := m.listed(kind, q, false)
		if len(all) == 0 {
			return nil
		}
		last := q
		last.Offset, last.Limit = len(all)-1, 1
		page, _, previous := m.page(kind, last)
		for previous != "" {
			before := q
			before.Before = previous
			var more []connector.ID
			more, _, previous = m.page(kind, before)
			page = append(slices.Clone(more), page...)
		}
		return page
	}
	for range 1000 {
		page, next, _ := m.page(kind, q)
		if len(page) > q.Limit {
			m.Fatalf("a page of %d", len(page))
		}
		ids = append(ids, page...)
		if next == "" {
			return ids
		}
		q.After, q.Offset = next, 0
	}
	m.Fatal("the pages do not end")
	return nil
}

func (m *worldMaker) page(kind connector.ResourceKind, q connector.ResourceQuery) (ids []connector.ID, next, previous string) {
	m.Helper()
	if kind == connector.GroupResource {
		page, err := m.s.ClientGroups(m.ctx, q)
		m.ok(err)
		for _, g := range page.Items {
			ids = append(ids, g.ID)
		}
		return ids, page.Next, page.Previous
	}
	page, err := m.s.ClientUsers(m.ctx, q)
	m.ok(err)
	for i := range page.Items {
		m.looksRight(&page.Items[i])
		ids = append(ids, page.Items[i].User.ID)
	}
	return ids, page.Next, page.Previous
}

// looksRight checks a user in a list; whole users not each time.
func (m *worldMaker) looksRight(c *connector.ClientUser) {
	m.Helper()
	u, link := m.person(c.User.ID), connector.Link{}
	if l := m.link(m.client, u.ID); l != nil {
		link = *l
	}
	if c.User.Version != u.Version || c.Anchor != link.Anchor || c.Standing != link.Standing {
		m.Fatalf("got %+v with version %d, want version %d and link %+v", c, c.User.Version, u.Version, link)
	}
	if m.rnd.IntN(20) == 0 {
		m.equal(c.User, u)
	}
}

// resourcesAgainstModel asks random questions of a random store.
func resourcesAgainstModel(f *fixture) {
	m := newWorld(f, 50, 12)
	for step := range rounds(120) {
		kind := pick(m.rnd, connector.UserResource, connector.UserResource, connector.GroupResource)
		m.client = pick(m.rnd, client, client, client2, "none")
		q := connector.ResourceQuery{
			Org: Org, Client: m.client, Where: m.condition(kind, 3), Descending: m.rnd.IntN(2) == 0, Limit: 1 + m.rnd.IntN(20),
			Sort: pick(m.rnd, connector.ByID, connector.ByUserName, connector.ByDisplayName, connector.ByCreated, connector.ByLastModified),
		}
		if kind == connector.GroupResource && q.Sort == connector.ByUserName {
			q.Sort = connector.ByID
		}
		if step%20 == 0 {
			q.Where = nil
		}
		want := m.usersOf(q)
		if kind == connector.GroupResource {
			want = m.groupsFor(q)
		}
		text, err := json.Marshal(q)
		m.ok(err)
		say := fmt.Sprintf("step %d, kind %d: %s", step, kind, text)
		for _, backwards := range []bool{false, true} {
			if got := m.listed(kind, q, backwards); !slices.Equal(got, want) {
				m.Fatalf("%s\nbackwards %v, got %d:\n%v\nwant %d:\n%v", say, backwards, len(got), got, len(want), want)
			}
		}
		n, err := m.s.CountResources(m.ctx, kind, q)
		m.ok(err)
		if n != len(want) {
			m.Fatalf("%s\ncounted %d, want %d", say, n, len(want))
		}
		q.Offset = m.rnd.IntN(len(want) + 3)
		if got := m.listed(kind, q, false); !slices.Equal(got, want[min(q.Offset, len(want)):]) {
			m.Fatalf("%s\nfrom %d on, got %v, want %v", say, q.Offset, got, want)
		}
	}
}

// severalByName finds all users whose names an `or` has, each of which a unique index gives.
func (m *worldMaker) severalByName() {
	m.Helper()
	where := &connector.Condition{Op: connector.OpOr}
	var want []connector.ID
	for _, u := range m.users {
		if len(want) < 3 && m.seen(u) {
			where.Of = append(where.Of, &connector.Condition{Op: connector.OpEq, Field: connector.OnUserName, Value: connector.Fold(u.UserName())})
			want = append(want, u.ID)
		}
	}
	slices.SortFunc(want, func(a, b connector.ID) int { return bytes.Compare(a[:], b[:]) })
	m.equal(m.listed(connector.UserResource, connector.ResourceQuery{Org: Org, Client: m.client, Where: where, Limit: 10}, false), want)
}

// resourcesOne reads users and groups one by one.
func resourcesOne(f *fixture) {
	m := newWorld(f, 40, 10)
	for _, m.client = range []string{client, client2} {
		m.severalByName()
		for _, u := range m.users {
			got, err := m.s.ClientUser(m.ctx, Org, m.client, u.ID)
			l := m.link(m.client, u.ID)
			if !m.seen(u) {
				m.kind(err, connector.NotFound)
				continue
			}
			m.ok(err)
			m.equal(got.User, u)
			m.asides(got, u)
			if l == nil || l.Anchor.Kind == connector.ResourceID {
				m.equal(got.ExternalID(), "")
				continue
			}
			m.equal(got.ExternalID(), l.Anchor.Raw)
			again, err := m.s.ClientUserByExternalID(m.ctx, Org, m.client, l.Anchor.Raw)
			m.ok(err)
			m.equal(again, got)
		}
		for _, g := range m.groups {
			got, err := m.s.ClientGroup(m.ctx, Org, m.client, g.ID)
			if g.Source != m.client {
				m.kind(err, connector.NotFound)
				continue
			}
			m.ok(err)
			m.equal([]any{got.Name, got.MemberCount}, []any{g.Name, len(m.lists[g.ID])})
			if name := got.ExternalID(); name != "" {
				again, err := m.s.ClientGroupByExternalID(m.ctx, Org, m.client, name)
				m.ok(err)
				m.equal(again, got)
			}
			m.membersOf(g)
		}
	}
	m.knownOnes()
	u, g := m.users[0].ID, m.groups[0].ID
	for _, org := range []string{"other", ""} {
		_, err := m.s.ClientUser(m.ctx, org, client, u)
		m.kind(err, connector.NotFound)
		_, err = m.s.ClientGroup(m.ctx, org, m.groups[0].Source, g)
		m.kind(err, connector.NotFound)
		names, err := m.s.GroupNames(m.ctx, org, m.client, []connector.ID{u})
		m.ok(err)
		m.equal(len(names[u]), 0)
	}
	_, err := m.s.ClientUserByExternalID(m.ctx, Org, client, "no such")
	m.kind(err, connector.NotFound)
	_, err = m.s.ClientUserByExternalID(m.ctx, Org, client, "")
	m.kind(err, connector.NotFound)
}

// knownOnes asks of all ids at once which the client sees.
func (m *worldMaker) knownOnes() {
	m.Helper()
	ids := []connector.ID{connector.NewID(m.now)}
	want := map[connector.ID]bool{}
	for _, u := range m.users {
		if ids = append(ids, u.ID); m.seen(u) {
			want[u.ID] = true
		}
	}
	for _, g := range m.groups {
		if ids = append(ids, g.ID); g.Source == m.client {
			want[g.ID] = true
		}
	}
	known, err := m.s.KnownResources(m.ctx, Org, m.client, ids)
	m.ok(err)
	m.equal(known, want)
	known, err = m.s.KnownResources(m.ctx, "other", m.client, ids)
	m.ok(err)
	m.equal(len(known), 0)
}

// asides compares what there is beside a user with whether it is worth asking for.
func (m *worldMaker) asides(got *connector.ClientUser, u *connector.User) {
	m.Helper()
	if direct, _ := m.clientGroupsWith(u); len(direct) > 0 || !m.named(u) {
		m.equal(got.Grouped, len(direct) > 0)
	}
	if got.Anchor.IsZero() {
		m.equal(got.Refused, false)
		return
	}
	failed := Fail(0, connector.EmailTaken)
	failed.Source, failed.Anchor, failed.Failures[0].Source = m.client, got.Anchor, m.client
	for _, c := range []*connector.Change{failed, {Action: connector.Skipped, Org: Org, Source: m.client, Anchor: got.Anchor}} {
		m.save(c)
		again, err := m.s.ClientUser(m.ctx, Org, m.client, u.ID)
		m.ok(err)
		item, err := m.s.LastFailure(m.ctx, Org, m.client, got.Anchor)
		m.ok(err)
		m.equal([]bool{again.Refused, item != nil}, []bool{c == failed, c == failed})
	}
}

// named reports whether a list names the user by id, be it that of a group which the client does not see.
func (m *worldMaker) named(u *connector.User) bool {
	for _, list := range m.lists {
		if slices.ContainsFunc(list, func(n connector.Member) bool { return n.Key == connector.Hash(u.ID) }) {
			return true
		}
	}
	return false
}

// membersOf reads the members of a group in pages.
func (m *worldMaker) membersOf(g *connector.Group) {
	m.Helper()
	var got []connector.ID
	var after connector.ID
	for {
		page := collect(m.fixture, m.s.ClientMembers(m.ctx, Org, m.client, g.ID, after, 2))
		for _, member := range page {
			want := connector.ClientMember{ID: member.ID, Kind: connector.GroupResource}
			if u := m.person(member.ID); u != nil {
				want.Kind, want.Display = connector.UserResource, u.Profile.Get(connector.DisplayName)
				if want.Display == "" {
					want.Display = u.UserName()
				}
			} else {
				want.Display = m.group(member.ID.String()).Name
			}
			m.equal(member, want)
			got, after = append(got, member.ID), member.ID
		}
		if len(page) < 2 {
			break
		}
	}
	m.equal(got, m.members(g))
	m.equal(len(collect(m.fixture, m.s.ClientMembers(m.ctx, Org, m.client, g.ID, connector.ID{}, 0))), len(got))
	m.equal(len(collect(m.fixture, m.s.ClientMembers(m.ctx, Org, "none", g.ID, connector.ID{}, 0))), 0)
}

// groupNames compares what groups users are in, by all ways of asking.
func groupNames(f *fixture) {
	m := newWorld(f, 40, 14)
	for _, m.client = range []string{client, client2, "none"} {
		m.namesForClient()
	}
	effective := map[connector.ID][]connector.ID{}
	for _, u := range m.users {
		direct, groups := m.groupsWith(u)
		one, err := m.s.GroupsOfUser(m.ctx, Org, u.ID, 0)
		m.ok(err)
		var list []connector.GroupName
		for _, g := range one {
			list = append(list, connector.GroupName{ID: g.ID, Name: g.Name, Direct: g.Direct})
		}
		m.equal(namesOf(list), wantNames(direct, groups))
		for _, g := range groups {
			effective[g.ID] = append(effective[g.ID], u.ID)
		}
	}
	for _, g := range m.groups {
		var got []connector.ID
		for _, u := range collect(f, m.s.EffectiveMembers(m.ctx, Org, g.ID)) {
			got = append(got, u.ID)
		}
		m.equal(got, effective[g.ID])
		n, err := m.s.CountMembers(m.ctx, Org, g.ID)
		m.ok(err)
		m.equal(n.Users, len(got))
		var people int
		for _, member := range collect(f, m.s.DirectMembers(m.ctx, Org, g.ID)) {
			if member.User != nil && !member.Primary {
				people++
			}
		}
		var want int
		noPrimary := *g
		noPrimary.RID = 0
		for _, u := range m.users {
			if m.has(&noPrimary, u) {
				want++
			}
		}
		m.equal(people, want)
	}
}

// namesForClient compares what a client is told of the groups of the users that it sees.
func (m *worldMaker) namesForClient() {
	m.Helper()
	var seen []connector.ID
	for _, u := range m.users {
		if m.seen(u) {
			seen = append(seen, u.ID)
		}
	}
	all, err := m.s.GroupNames(m.ctx, Org, m.client, seen)
	m.ok(err)
	m.equal(len(all), len(seen))
	for _, id := range seen {
		direct, groups := m.clientGroupsWith(m.person(id))
		m.equal(namesOf(all[id]), wantNames(direct, groups))
		inOrder := slices.IsSortedFunc(all[id], func(a, b connector.GroupName) int {
			return strings.Compare(connector.Fold(a.Name), connector.Fold(b.Name))
		})
		m.equal(inOrder, true)
	}
}

func namesOf(list []connector.GroupName) (words []string) {
	for _, g := range list {
		words = append(words, fmt.Sprint(g.ID, g.Name, g.Direct))
	}
	slices.Sort(words)
	return words
}

func wantNames(direct, all []*connector.Group) (words []string) {
	for _, g := range all {
		words = append(words, fmt.Sprint(g.ID, g.Name, slices.Contains(direct, g)))
	}
	slices.Sort(words)
	return words
}

// resourcesRefused are questions that make no sense.
func resourcesRefused(f *fixture) {
	f.create(1, "")
	f.create(2, "")
	page, err := f.s.ClientUsers(f.ctx, connector.ResourceQuery{Org: Org, Client: client, Limit: 1})
	f.ok(err)
	for _, q := range []connector.ResourceQuery{
		{After: "x"},
		{Before: `{"s":1}`},
		{After: page.Next, Sort: connector.ByCreated},
		{Before: page.Next, Offset: 1},
		{Before: page.Next, After: page.Next},
		{Sort: 9},
		{Where: &connector.Condition{Op: connector.OpEq, Field: connector.OnMember}},
		{Where: &connector.Condition{Op: connector.OpGt, Field: connector.OnCreated, Value: "soon"}},
	} {
		q.Org, q.Client = Org, client
		_, err := f.s.ClientUsers(f.ctx, q)
		f.kind(err, connector.Invalid)
	}
	_, err = f.s.ClientGroups(f.ctx, connector.ResourceQuery{Org: Org, Client: client, Sort: connector.ByUserName})
	f.kind(err, connector.Invalid)
	_, err = f.s.CountResources(f.ctx, connector.GroupResource, connector.ResourceQuery{Org: Org, Where: &connector.Condition{Op: connector.OpPr, Field: connector.OnEmail}})
	f.kind(err, connector.Invalid)
	n, err := f.s.CountResources(f.ctx, connector.UserResource, connector.ResourceQuery{Org: "other", Client: client})
	f.ok(err)
	f.equal(n, 0)
}
