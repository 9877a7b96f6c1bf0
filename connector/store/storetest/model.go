package storetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"usherd/connector"
)

// model is what the store should hold.
type model struct {
	users map[connector.ID]*connector.User // tombstones too
	order []connector.ID                   // of their creation: a map's own order would make a seed worthless
	names map[connector.UserKey]connector.ID
	links map[connector.Anchor]connector.ID
	seats map[string]int
	used  map[string]int
}

// againstModel saves random changes, right and wrong ones, and compares with the model.
func againstModel(f *fixture) {
	seed := rand.Uint64() //nolint:gosec // a test
	f.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
	m := &model{
		users: map[connector.ID]*connector.User{}, names: map[connector.UserKey]connector.ID{},
		links: map[connector.Anchor]connector.ID{}, seats: map[string]int{"gold": 12, "tin": 6}, used: map[string]int{},
	}
	f.packages(connector.Package{ID: "gold", Seats: 12}, connector.Package{ID: "tin", Seats: 6})
	for step := range rounds(400) {
		f.now = f.now.Add(time.Second)
		c := m.random(rnd, f.now)
		want := m.apply(c)
		if got := f.try(c)[0]; got != want { //nolint:errorlint // the very values
			f.Fatalf("step %d: %s %s: got %v, want %v", step, c.Action, c.Subject, got, want)
		}
		if step%50 == 49 {
			f.compare(m)
			f.verify()
		}
	}
}

// random makes a change that may be impossible.
func (m *model) random(rnd *rand.Rand, now time.Time) *connector.Change {
	pkg := []string{"", "gold", "tin"}[rnd.IntN(3)]
	u := m.any(rnd)
	if u == nil || rnd.IntN(4) == 0 {
		c := Create(rnd.IntN(40), pkg, now)
		c.After.Profile.Set(connector.UserName, fmt.Sprint("u", rnd.IntN(40)))
		c.Fields = connector.Diff(nil, c.After)
		return c
	}
	var c *connector.Change
	switch n := rnd.IntN(6); {
	case n == 0 && u.State == connector.Active:
		c = Deactivate(u, now)
	case n == 1 && u.State == connector.Inactive:
		c = Reactivate(u, now)
	case n == 2 && u.State == connector.Inactive:
		c = Next(connector.Removed, u, now, setState(connector.Deleted))
	case n == 3 && u.State == connector.Active && pkg != u.Package:
		c = Next(connector.Updated, u, now, func(u *connector.User) { u.Package = pkg })
		c.TakeSeat, c.FreeSeat = pkg, u.Package
	default:
		c = Next(connector.Updated, u, now, func(v *connector.User) {
			v.Profile.Set(connector.UserName, fmt.Sprint("U", rnd.IntN(40)))
			v.Profile.Set("title", fmt.Sprint(now))
		})
	}
	if rnd.IntN(10) == 0 {
		c.BaseVersion += 3
	}
	return c
}

// any returns one of the users that are not deleted.
func (m *model) any(rnd *rand.Rand) *connector.User {
	var live []*connector.User
	for _, id := range m.order {
		if u := m.users[id]; u.State != connector.Deleted {
			live = append(live, u)
		}
	}
	if len(live) == 0 {
		return nil
	}
	return live[rnd.IntN(len(live))]
}

// apply does to the model what the store should do, and says what it should answer.
func (m *model) apply(c *connector.Change) error {
	id, before := c.After.ID, m.users[c.After.ID]
	if (before == nil) != (c.BaseVersion == 0) || before != nil && before.Version != c.BaseVersion {
		return connector.ErrMoved
	}
	live := c.After.State.Live()
	if live {
		for _, k := range c.After.Keys() {
			if holder, ok := m.names[k]; ok && holder != id {
				return connector.ErrMoved
			}
		}
	}
	if c.Link != nil {
		if holder, ok := m.links[c.Anchor]; ok && holder != id {
			return connector.ErrMoved
		}
	}
	if c.TakeSeat != "" {
		if m.used[c.TakeSeat] == m.seats[c.TakeSeat] {
			return connector.ErrNoSeat
		}
		m.used[c.TakeSeat]++
	}
	if c.FreeSeat != "" {
		m.used[c.FreeSeat]--
	}
	if before != nil {
		for _, k := range before.Keys() {
			delete(m.names, k)
		}
	}
	if live {
		for _, k := range c.After.Keys() {
			m.names[k] = id
		}
	} else {
		for a, u := range m.links {
			if u == id {
				delete(m.links, a)
			}
		}
	}
	if c.Link != nil {
		m.links[c.Anchor] = id
	}
	if before == nil {
		m.order = append(m.order, id)
	}
	m.users[id] = c.After
	return nil
}

func (f *fixture) compare(m *model) {
	f.Helper()
	var ids []connector.ID
	counts := map[connector.State]int{}
	for id, u := range m.users {
		ids = append(ids, id)
		counts[u.State]++
	}
	users, err := f.s.Users(f.ctx, Org, ids)
	f.ok(err)
	f.equal(len(users), len(ids))
	for _, u := range users {
		f.equal(u, m.users[u.ID])
		replayed := &connector.User{}
		for _, e := range collect(f, f.s.UserEvents(f.ctx, Org, u.ID)) {
			connector.Replay(replayed, e.Fields)
		}
		f.equal(len(connector.Diff(replayed, u)), 0)
	}
	links := map[connector.Anchor]connector.ID{}
	for _, s := range collect(f, f.s.LinkStates(f.ctx, Org, Source)) {
		links[s.Anchor] = s.User
	}
	f.equal(links, m.links)
	f.equal([]int{f.seats("gold").Used, f.seats("tin").Used}, []int{m.used["gold"], m.used["tin"]})
	got, err := f.s.CountUsers(f.ctx, Org)
	f.ok(err)
	f.equal(got, counts)
}
