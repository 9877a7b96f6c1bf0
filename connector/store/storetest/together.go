package storetest

import (
	"math/rand/v2"
	"time"

	"usherd/connector"
)

// createdInactive: who is there but inactive from the beginning is so whoever is changed before in the same call.
func createdInactive(f *fixture) {
	known := Create(1, "", f.now)
	f.save(known)
	update := Next(connector.Updated, known.After, f.now, func(u *connector.User) { u.Profile["title"] = []string{"Other"} })
	fresh := Create(2, "", f.now)
	u := fresh.After
	u.State, u.Resume, u.DeactivatedBy, u.DeactivatedSource = connector.Inactive, connector.Active, connector.BySource, Source
	u.DeactivatedReason, u.DeactivatedAt, u.DeleteAt = "it says so", f.now, f.now.Add(time.Hour)
	fresh.Fields = connector.Diff(nil, u)
	f.save(update, fresh)
	got, err := f.s.Users(f.ctx, Org, []connector.ID{u.ID})
	f.ok(err)
	f.equal(got, []*connector.User{u})
}

// randomChunks saves random changes of several users in one call: whatever was admitted is whole, with its event.
func randomChunks(f *fixture) {
	seed := rand.Uint64() //nolint:gosec // a test
	f.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a test
	m := &model{users: map[connector.ID]*connector.User{}}
	f.packages(connector.Package{ID: "gold", Seats: 12}, connector.Package{ID: "tin", Seats: 6})
	for step := range 80 {
		f.now = f.now.Add(time.Second)
		var changes []*connector.Change
		asked := map[connector.ID]bool{}
		for range 1 + rnd.IntN(12) {
			c := m.random(rnd, f.now)
			if c.Action == connector.Created && c.TakeSeat == "" && rnd.IntN(2) == 0 {
				inactive := Deactivate(c.After, f.now).After
				inactive.Version, c.After = 1, inactive
				c.Fields = connector.Diff(nil, inactive)
			}
			if !asked[c.After.ID] {
				asked[c.After.ID] = true
				changes = append(changes, c)
			}
		}
		for i, err := range f.try(changes...) {
			u := changes[i].After
			if err != nil {
				continue
			}
			if m.users[u.ID] == nil {
				m.order = append(m.order, u.ID)
			}
			m.users[u.ID] = u
		}
		if step%10 == 9 {
			users, err := f.s.Users(f.ctx, Org, m.order)
			f.ok(err)
			f.equal(len(users), len(m.order))
			for _, u := range users {
				f.equal(u, m.users[u.ID])
			}
			f.verify()
		}
	}
}
