package storetest

import (
	"usherd/connector"
)

// eventsOfARun are read backwards in pages, and the histories of their users whole.
func eventsOfARun(f *fixture) {
	var changes []*connector.Change
	for n := range 7 {
		changes = append(changes, Create(n, "", f.now))
	}
	f.save(changes...)
	other := connector.NewID(f.now)
	next := Next(connector.Updated, changes[2].After, f.now, func(u *connector.User) { u.Profile.Set("title", "x") })
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error {
		_, err := tx.Save(f.ctx, []*connector.Change{next}, RunCause(other), f.now)
		return err
	}))
	var before connector.ID
	for _, want := range [][]int{{6, 5, 4}, {3, 2, 1}, {0}, {}} {
		events, err := f.s.RunEvents(f.ctx, Org, f.run, before, 3)
		f.ok(err)
		f.equal(len(events), len(want))
		for i, n := range want {
			f.equal(events[i].User, changes[n].After.ID)
			f.equal(events[i].Fields, changes[n].Fields)
			before = events[i].ID
		}
	}
	events, err := f.s.RunEvents(f.ctx, "elsewhere", f.run, connector.ID{}, 3)
	f.ok(err)
	f.equal(len(events), 0)

	var versions []int64
	ids := []connector.ID{changes[2].After.ID, changes[5].After.ID, other}
	for _, e := range collect(f, f.s.EventsOfUsers(f.ctx, Org, ids)) {
		f.equal(e.User == ids[0] || e.User == ids[1], true)
		versions = append(versions, e.Version)
	}
	f.equal(versions, []int64{1, 2, 1})
	for _, err := range f.s.EventsOfUsers(f.ctx, Org, ids) { // left early
		f.ok(err)
		break
	}
	f.equal(len(collect(f, f.s.EventsOfUsers(f.ctx, "elsewhere", ids))), 0)
}

// A deleted user comes back with its names, its link and a seat, if they are free.
func deletedComesBack(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 1})
	u := f.create(1, "gold")
	down := Deactivate(u, f.now)
	gone := Next(connector.Removed, down.After, f.now, func(u *connector.User) {
		u.State, u.Package, u.Profile = connector.Deleted, "", connector.Profile{connector.UserName: {u.UserName()}}
	})
	gone.Anchor, gone.DN = AnchorOf(1), "CN=Gone"
	f.save(down, gone)
	history := collect(f, f.s.UserEvents(f.ctx, Org, u.ID))
	f.equal(history[2].Anchor, AnchorOf(1))
	f.equal(history[2].DN, "CN=Gone")

	back := Next(connector.Updated, gone.After, f.now, func(v *connector.User) {
		v.State, v.Package, v.Profile = connector.Active, "gold", u.Profile
	})
	back.TakeSeat = "gold"
	back.Link = &connector.Link{Org: Org, Source: Source, Anchor: AnchorOf(1), User: u.ID, DN: "CN=Back", Standing: connector.StandingEnabled, UpdatedAt: f.now}
	stale := *back
	stale.BaseVersion--
	silent := *back
	silent.Transitions = nil
	f.are(f.try(&stale), connector.ErrMoved)
	f.are(f.try(&silent), connector.ErrMoved) // it does not say that the user was deleted

	thief := Create(2, "gold", f.now)
	thief.After.Profile.Set(connector.Email, u.Profile.Get(connector.Email))
	thief.Fields = connector.Diff(nil, thief.After)
	f.save(thief)
	f.are(f.try(back), connector.ErrMoved) // the name is somebody else's
	thiefDown := Deactivate(thief.After, f.now)
	thiefGone := Next(connector.Removed, thiefDown.After, f.now, setState(connector.Deleted))
	other := Create(3, "gold", f.now)
	f.save(thiefDown, thiefGone, other)
	f.are(f.try(back), connector.ErrNoSeat)
	f.save(Deactivate(other.After, f.now))
	f.save(back)

	users, err := f.s.UsersByKey(f.ctx, Org, u.Keys())
	f.ok(err)
	f.equal(len(users), 1)
	f.equal(users[0], back.After)
	links, err := f.s.UserLinks(f.ctx, Org, u.ID)
	f.ok(err)
	f.equal(links, []connector.Link{*back.Link})
	f.equal(f.seats("gold").Used, 1)
	counts, err := f.s.CountUsers(f.ctx, Org)
	f.ok(err)
	f.equal(counts, map[connector.State]int{connector.Active: 1, connector.Inactive: 1, connector.Deleted: 1})
	f.verify()
}

// rollbacksOfARun are found by the run, unless nothing came of them.
func rollbacksOfARun(f *fixture) {
	put := func(undoes connector.ID, updated int) *connector.Run {
		run := &connector.Run{
			ID: connector.NewID(f.now), Org: Org, Source: Source, Mode: connector.ModeRollback, Result: connector.ResultOK,
			Undoes: undoes, Counts: connector.Counts{Updated: updated, Held: 3}, People: []connector.ID{f.run}, Started: f.now,
		}
		f.putRun(run)
		return run
	}
	first := put(connector.ID{}, 4)
	put(first.ID, 0)
	want := []*connector.Run{put(first.ID, 1), put(first.ID, 2)}
	put(want[1].ID, 1)
	got, err := f.s.Rollbacks(f.ctx, first)
	f.ok(err)
	f.equal(got, want)
}
