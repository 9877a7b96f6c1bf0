package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"usherd/connector"
)

// groupModel is a directory whose lists follow renames: members are known by what they are.
type groupModel struct {
	dns    map[int]string // where person n stands
	users  map[int]*connector.User
	groups map[int]map[string]bool // group -> members: "p3", "g2", or a DN of nobody
	names  map[int]string
}

func (m *groupModel) dn(member string) string {
	var n int
	if _, err := fmt.Sscanf(member, "p%d", &n); err == nil {
		return m.dns[n]
	}
	if _, err := fmt.Sscanf(member, "g%d", &n); err == nil {
		return "CN=" + m.names[n] + ",OU=Groups"
	}
	return member
}

func (m *groupModel) record(n int) *connector.GroupRecord {
	if m.groups[n] == nil {
		return &connector.GroupRecord{Anchor: AnchorOf(1_000_000 + n), Gone: true}
	}
	var dns []string
	for member := range m.groups[n] {
		dns = append(dns, m.dn(member))
	}
	return GroupRecord(n, m.names[n], dns...)
}

// closure is everybody in a group, the naive way.
func (m *groupModel) closure(n int, entered, people map[int]bool) {
	if entered[n] {
		return
	}
	entered[n] = true
	for member := range m.groups[n] {
		var i int
		if _, err := fmt.Sscanf(member, "p%d", &i); err == nil {
			people[i] = true
		} else if _, err := fmt.Sscanf(member, "g%d", &i); err == nil && m.groups[i] != nil {
			m.closure(i, entered, people)
		}
	}
}

func (m *groupModel) userNames(people map[int]bool) (names []string) {
	for n := range people {
		names = append(names, m.users[n].UserName())
	}
	slices.Sort(names)
	return names
}

// groupsAgainstModel changes a directory at random, as a source whose lists follow renames, and compares what
// the store makes of it.
func groupsAgainstModel(f *fixture) {
	seed := rand.Uint64() //nolint:gosec // a test
	f.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
	m := &groupModel{dns: map[int]string{}, users: map[int]*connector.User{}, groups: map[int]map[string]bool{}, names: map[int]string{}}
	for n := range 12 {
		m.dns[n] = fmt.Sprint("CN=place ", n)
		m.users[n] = f.member(n, m.dns[n], 0)
	}
	for step := range rounds(150) {
		m.change(f, rnd)
		if step%10 == 9 {
			f.compareGroups(m)
		}
	}
	f.verify()
}

// change makes one change: of a list, of a group's name, of where people stand.
func (m *groupModel) change(f *fixture, rnd *rand.Rand) {
	n := rnd.IntN(6)
	switch what := rnd.IntN(10); {
	case m.groups[n] == nil:
		m.groups[n], m.names[n] = map[string]bool{}, fmt.Sprint("group ", n)
	case what == 0:
		m.groups[n] = nil
		for _, members := range m.groups {
			delete(members, fmt.Sprint("g", n)) // a directory that follows renames drops what is deleted
		}
	case what == 1:
		m.names[n] = fmt.Sprint("group ", n, " ", rnd.IntN(100))
	case what < 5:
		m.rotate(f, rnd)
	default:
		member := []string{fmt.Sprint("p", rnd.IntN(12)), fmt.Sprint("g", rnd.IntN(6)), fmt.Sprint("CN=nobody ", rnd.IntN(5))}[rnd.IntN(3)]
		if m.groups[n][member] {
			delete(m.groups[n], member)
		} else if member[0] != 'g' || m.groups[int(member[1]-'0')] != nil {
			m.groups[n][member] = true
		}
	}
	f.now = f.now.Add(1)
	var records []*connector.GroupRecord
	for _, n := range slices.Sorted(maps.Keys(m.groups)) {
		records = append(records, m.record(n))
	}
	rnd.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	f.putGroups(true, records...)
}

// rotate moves some people to each other's places, in transactions of their own.
func (m *groupModel) rotate(f *fixture, rnd *rand.Rand) {
	ring := rnd.Perm(12)[:1+rnd.IntN(4)]
	free := fmt.Sprint("CN=place ", rnd.IntN(1000)+100)
	if slices.Contains(slices.Collect(maps.Values(m.dns)), free) {
		return
	}
	places := []string{free}
	for _, n := range ring[1:] {
		places = append(places, m.dns[n])
	}
	order := rnd.Perm(len(ring))
	for i, n := range ring {
		m.dns[n] = places[i]
	}
	for _, i := range order {
		f.save(f.move(ring[i], m.users[ring[i]], m.dns[ring[i]]))
	}
}

func (f *fixture) compareGroups(m *groupModel) {
	f.Helper()
	for n, members := range m.groups {
		if members == nil {
			continue
		}
		people := map[int]bool{}
		m.closure(n, map[int]bool{}, people)
		f.equal(f.effective(m.names[n]), m.userNames(people))
		f.equal(f.group(m.names[n]).MemberCount, len(members))
		var want []string
		for i := range people {
			want = append(want, m.dns[i])
		}
		slices.Sort(want)
		f.equal(f.affected("CN="+m.names[n]+",OU=Groups"), want)
	}
	for i, u := range m.users {
		var want []string
		for n, members := range m.groups {
			people := map[int]bool{}
			if m.closure(n, map[int]bool{}, people); people[i] {
				if members["p"+strconv.Itoa(i)] {
					want = append(want, m.names[n])
				} else {
					want = append(want, "("+m.names[n]+")")
				}
			}
		}
		got := f.groupsOf(u)
		slices.Sort(got)
		slices.Sort(want)
		f.equal(got, want)
	}
}
