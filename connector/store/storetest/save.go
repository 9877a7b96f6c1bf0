package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"usherd/connector"
)

func creationIsReadBack(f *fixture) {
	c := Create(1, "", f.now)
	c.After.PendingApproval, c.After.PackageFixed = true, true
	c.After.Profile["custom.odd"] = []string{"a \"quote\"", "a \\ slash", "tab\tand\x01control", "snö ☃", ""}
	c.Link.Profile, c.Link.Package, c.Link.Protected, c.Link.Run = connector.Profile{"title": {"x"}}, "gold", true, f.run
	c.Fields = connector.Diff(nil, c.After)
	f.save(c)
	f.equal(f.user(c.After.ID), c.After)
	links, err := f.s.Links(f.ctx, Org, Source, []connector.Anchor{AnchorOf(1), AnchorOf(2)})
	f.ok(err)
	f.equal(links, []connector.Link{*c.Link})
	links, err = f.s.UserLinks(f.ctx, Org, c.After.ID)
	f.ok(err)
	f.equal(links, []connector.Link{*c.Link})
	f.equal(collect(f, f.s.LinkStates(f.ctx, Org, Source)), []connector.LinkState{
		{Anchor: c.Anchor, User: c.After.ID, Hash: c.Link.Hash},
	})
	events := collect(f, f.s.UserEvents(f.ctx, Org, c.After.ID))
	if len(events) != 1 || events[0].ID.IsZero() {
		f.Fatalf("%d events", len(events))
	}
	events[0].ID = connector.ID{}
	f.equal(events[0], connector.Event{
		Org: Org, User: c.After.ID, Action: connector.Created, Source: Source, Cause: RunCause(f.run), At: f.now, Version: 1,
		Fields: c.Fields, Transitions: c.Transitions,
	})
	counts, err := f.s.CountUsers(f.ctx, Org)
	f.ok(err)
	f.equal(counts, map[connector.State]int{connector.Active: 1})
}

func movedVersion(f *fixture) {
	a, b := f.create(1, ""), f.create(2, "")
	title := func(v string) func(*connector.User) {
		return func(u *connector.User) { u.Profile.Set("title", v) }
	}
	good, stale := Next(connector.Updated, b, f.now, title("new")), Next(connector.Updated, a, f.now, title("stale"))
	f.save(Next(connector.Updated, a, f.now, title("first")))
	f.are(f.try(stale, good), connector.ErrMoved, nil)
	f.equal(f.user(a.ID).Profile.Get("title"), "first")
	f.equal(f.user(b.ID).Profile.Get("title"), "new")

	again := Create(3, "", f.now) // the id is taken
	again.After.ID, again.Link.User = a.ID, a.ID
	unknown := Next(connector.Updated, Create(4, "", f.now).After, f.now, title("x"))
	f.are(f.try(again, unknown), connector.ErrMoved, connector.ErrMoved)
	f.equal(len(collect(f, f.s.UserEvents(f.ctx, Org, a.ID))), 2)
}

func nameIsUnique(f *fixture) {
	f.create(1, "")
	sameName, sameMail, other := Create(2, "", f.now), Create(3, "", f.now), Create(4, "", f.now)
	sameName.After.Profile.Set(connector.UserName, "uSER000001")
	sameMail.After.Profile.Set(connector.OtherEmails, "GIVEN1.family1@EXAMPLE.com")
	f.are(f.try(sameName, other, sameMail), connector.ErrMoved, nil, connector.ErrMoved)

	one, two := Create(5, "", f.now), Create(6, "", f.now) // both in one call: the first one has it
	two.After.Profile.Set(connector.Email, one.After.Profile.Get(connector.Email))
	f.are(f.try(one, two), nil, connector.ErrMoved)
	f.equal(len(collect(f, f.s.LinkStates(f.ctx, Org, Source))), 3)
	users, err := f.s.UsersByKey(f.ctx, Org, two.After.Keys())
	f.ok(err)
	f.equal(len(users), 1)
}

func namesHandedOn(f *fixture) {
	a, b := f.create(1, ""), f.create(2, "")
	rename := func(u *connector.User, name string) *connector.Change {
		return Next(connector.Updated, u, f.now, func(u *connector.User) { u.Profile.Set(connector.UserName, name) })
	}
	first, second := rename(a, "third"), rename(b, a.UserName())
	f.save(first, second) // given back before it is taken
	first = rename(first.After, second.After.UserName())
	f.are(f.try(first), connector.ErrMoved)
	users, err := f.s.UsersByKey(f.ctx, Org, []connector.UserKey{
		{Kind: connector.UserName, Value: "third"},
		{Kind: connector.UserName, Value: connector.Fold(a.UserName())},
		{Kind: connector.UserName, Value: connector.Fold(b.UserName())},
	})
	f.ok(err)
	f.equal(len(users), 2)
}

func linkIsUnique(f *fixture) {
	a := f.create(1, "")
	thief := Create(2, "", f.now)
	thief.Anchor, thief.Link.Anchor = AnchorOf(1), AnchorOf(1)
	f.are(f.try(thief), connector.ErrMoved)
	users, err := f.s.Users(f.ctx, Org, []connector.ID{thief.After.ID})
	f.ok(err)
	f.equal(len(users), 0)
	elsewhere := Create(3, "", f.now) // the same anchor of another source is another person
	elsewhere.Source, elsewhere.Link.Source = "ldap", "ldap"
	elsewhere.Anchor, elsewhere.Link.Anchor = AnchorOf(1), AnchorOf(1)
	f.save(elsewhere)
	links, err := f.s.LinksOfUsers(f.ctx, Org, []connector.ID{a.ID, elsewhere.After.ID})
	f.ok(err)
	f.equal(len(links), 2)
}

func unchangedWritesLink(f *fixture) {
	c := Create(1, "", f.now)
	f.save(c)
	link := *c.Link
	link.DN, link.Hash, link.Run, link.Standing = "CN=Moved", connector.Hash{9}, f.run, connector.StandingGone
	unchanged := &connector.Change{Action: connector.Unchanged, Org: Org, Source: Source, Anchor: c.Anchor, BaseVersion: 1, Link: &link}
	f.save(unchanged)
	links, err := f.s.UserLinks(f.ctx, Org, c.After.ID)
	f.ok(err)
	f.equal(links, []connector.Link{link})
	f.equal(collect(f, f.s.LinkStates(f.ctx, Org, Source))[0].Absent, true)
	f.equal(f.user(c.After.ID).Version, int64(1))
	f.equal(len(collect(f, f.s.UserEvents(f.ctx, Org, c.After.ID))), 1)

	unchanged.BaseVersion = 7
	f.are(f.try(unchanged), connector.ErrMoved)
}

func linksNaming(f *fixture) {
	boss := func(n int, dn string) *connector.Change {
		c := Create(n, "", f.now)
		c.After.Profile.Set("manager", dn)
		c.Fields = connector.Diff(nil, c.After)
		return c
	}
	one, two := boss(1, `CN=Öst\, "Bo",OU=A`), boss(2, "CN=Lind,OU=A")
	other := boss(3, "CN=Lind,OU=A")
	other.Org, other.After.Org, other.Link.Org = "other", "other", "other"
	f.save(one, two, Create(4, "", f.now))
	f.save(other)
	second, first := *two.Link, *two.Link // what the user says is what the other source says
	second.Source, second.Anchor, second.Profile = "ldap", AnchorOf(100), connector.Profile{"title": {"x"}, "manager": {"CN=Lind,OU=B"}}
	first.Profile = connector.Profile{"title": {"CN=Lind,OU=C"}}
	update := Next(connector.Updated, two.After, f.now, func(u *connector.User) { u.Profile.Set("manager", "CN=Lind,OU=B") })
	update.Source, update.Anchor, update.Link, update.Sibling = "ldap", second.Anchor, &second, &first
	f.save(update)
	for _, test := range []struct {
		source string
		values []string
		want   []connector.Anchor
	}{
		{Source, nil, nil},
		{Source, []string{`cn=öst\, "bo",ou=a`}, []connector.Anchor{AnchorOf(1)}},
		{Source, []string{"CN=Lind,OU=A", "CN=Lind,OU=B", "OU=A"}, nil},
		{Source, []string{"CN=Lind,OU=C"}, []connector.Anchor{AnchorOf(2)}},
		{"ldap", []string{"CN=Lind,OU=C", "CN=Lind,OU=B"}, []connector.Anchor{AnchorOf(100)}},
	} {
		f.equal(collect(f, f.s.LinksNaming(f.ctx, Org, test.source, test.values)), test.want)
	}
}

func siblingAndUnlink(f *fixture) {
	c := Create(1, "", f.now)
	f.save(c)
	second := *c.Link
	second.Source, second.Anchor, second.Profile = "ldap", AnchorOf(100), connector.Profile{"title": {"from ldap"}}
	first := *c.Link
	first.Profile = connector.Profile{"title": {"from ad"}}
	update := Next(connector.Updated, c.After, f.now, func(u *connector.User) { u.Profile.Set("title", "merged") })
	update.Source, update.Anchor, update.Link, update.Sibling = "ldap", second.Anchor, &second, &first
	f.save(update)
	links, err := f.s.UserLinks(f.ctx, Org, c.After.ID)
	f.ok(err)
	f.equal(len(links), 2)
	for _, l := range links {
		f.equal(l.Profile.Get("title"), "from "+l.Source)
	}

	anew := second // the person was created anew in the directory
	anew.Anchor = AnchorOf(101)
	replace := &connector.Change{
		Action: connector.Unchanged, Org: Org, Source: "ldap", Anchor: anew.Anchor, BaseVersion: 2, Link: &anew, Unlink: second.Anchor,
	}
	f.save(replace)
	states := collect(f, f.s.LinkStates(f.ctx, Org, "ldap"))
	f.equal(len(states), 1)
	f.equal(states[0].Anchor, anew.Anchor)

	other := Create(2, "", f.now)
	f.save(other)
	steal := first
	bad := Next(connector.Updated, other.After, f.now, func(u *connector.User) { u.Profile.Set("title", "thief") })
	bad.Sibling = &steal
	f.are(f.try(bad), connector.ErrMoved)
}

func removal(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 1})
	u := f.create(1, "gold")
	down := Deactivate(u, f.now)
	f.save(down)
	gone := Next(connector.Removed, down.After, f.now, setState(connector.Deleted))
	gone.Anchor, gone.DN = AnchorOf(1), "CN=Gone"
	f.save(gone)
	f.equal(f.user(u.ID).State, connector.Deleted)
	users, err := f.s.UsersByKey(f.ctx, Org, u.Keys())
	f.ok(err)
	f.equal(len(users), 0)
	f.equal(len(collect(f, f.s.LinkStates(f.ctx, Org, Source))), 0)
	f.equal(f.seats("gold").Used, 0)
	unaware := Next(connector.Updated, gone.After, f.now, setState(connector.Active))
	unaware.Transitions = nil
	f.are(f.try(unaware), connector.ErrMoved)
	f.create(1, "gold") // name, e-mail and anchor are free at once
	changes := collect(f, f.s.RunChanges(f.ctx, f.run))
	f.equal(changes[2].Action, connector.Removed)
	f.equal(changes[2].Anchor, gone.Anchor)
	f.equal(changes[2].DN, "CN=Gone")
}

func sameUserTwice(f *fixture) {
	c := Create(1, "", f.now)
	next := Next(connector.Updated, c.After, f.now, func(u *connector.User) { u.Profile.Set("title", "twice") })
	f.save(c, next)
	f.equal(f.user(c.After.ID).Profile.Get("title"), "twice")
	f.equal(f.user(c.After.ID).Version, int64(2))
}

func nonsense(f *fixture) {
	good := Create(1, "", f.now)
	held, anonymous, stateless := Create(2, "", f.now), Create(3, "", f.now), Create(4, "", f.now)
	held.Held = true
	anonymous.Org = ""
	stateless.After.State = ""
	none := &connector.Change{Action: connector.Updated, Org: Org, BaseVersion: 1}
	for _, bad := range []*connector.Change{held, anonymous, stateless, none} {
		err := f.s.Write(f.ctx, func(tx connector.Tx) error {
			_, err := tx.Save(f.ctx, []*connector.Change{good, bad}, RunCause(f.run), f.now)
			return err
		})
		f.kind(err, connector.Invalid)
	}
	f.equal(len(collect(f, f.s.LinkStates(f.ctx, Org, Source))), 0)
}

func seatsInOrder(f *fixture) {
	f.packages(connector.Package{ID: "gold", Name: "Gold", Seats: 2}, connector.Package{ID: "open", Seats: connector.Unlimited})
	a := f.create(1, "gold")
	f.are(f.try(Create(2, "gold", f.now), Create(3, "gold", f.now), Create(4, "open", f.now), Create(5, "unknown", f.now)),
		nil, connector.ErrNoSeat, nil, connector.ErrNoSeat)
	f.equal(f.seats("gold"), connector.SeatCount{Package: "gold", Name: "Gold", Seats: 2, Used: 2})
	f.equal(f.seats("open").Used, 1)
	// The seat is freed although who frees it stands last; the first in order gets it.
	down := Deactivate(a, f.now)
	f.are(f.try(Create(6, "gold", f.now), Create(7, "gold", f.now), down), nil, connector.ErrNoSeat, nil)
	f.are(f.try(Reactivate(down.After, f.now)), connector.ErrNoSeat)
	f.equal(f.user(a.ID).State, connector.Inactive)
	f.equal(len(collect(f, f.s.LinkStates(f.ctx, Org, Source))), 4)
	users, err := f.s.UsersByKey(f.ctx, Org, []connector.UserKey{{Kind: connector.UserName, Value: "user000007"}})
	f.ok(err)
	f.equal(len(users), 0)
}

func changeOfPackage(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 1}, connector.Package{ID: "silver", Seats: 1})
	a, b := f.create(1, "gold"), f.create(2, "silver")
	move := func(u *connector.User, to string) *connector.Change {
		c := Next(connector.Updated, u, f.now, func(u *connector.User) { u.Package = to })
		c.TakeSeat, c.FreeSeat = to, u.Package
		return c
	}
	f.are(f.try(move(a, "silver")), connector.ErrNoSeat)
	f.equal(f.seats("gold").Used, 1)
	f.save(move(a, "silver"), Deactivate(b, f.now))
	f.equal(f.seats("gold").Used, 0)
	f.equal(f.seats("silver").Used, 1)
	// A seat that a change of package frees goes to who was refused before it.
	f.packages(connector.Package{ID: "gold", Seats: 1}, connector.Package{ID: "silver", Seats: 1}, connector.Package{ID: "tin", Seats: 1})
	f.are(f.try(Create(3, "silver", f.now), move(f.user(a.ID), "tin")), nil, nil)
	f.equal(f.seats("silver").Used, 1)
	f.equal(f.seats("tin").Used, 1)
}

func seatsLowered(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 3}, connector.Package{ID: "tin", Seats: 1})
	a := f.create(1, "gold")
	f.create(2, "gold")
	f.packages(connector.Package{ID: "gold", Seats: 1})
	list, err := f.s.Seats(f.ctx, Org)
	f.ok(err)
	f.equal(list, []connector.SeatCount{{Package: "gold", Seats: 1, Used: 2}})
	f.verify()
	f.are(f.try(Deactivate(a, f.now), Create(3, "gold", f.now)), nil, connector.ErrNoSeat)
	f.packages() // not in the configuration any more, but somebody holds it
	f.equal(f.seats("gold").Used, 1)
	f.equal(f.seats("gold").Seats, 0)
	f.verify()
	f.packages(connector.Package{ID: "gold", Seats: 2})
	f.create(4, "gold")
	f.kind(f.s.SetPackages(f.ctx, Org, []connector.Package{{ID: "x"}, {ID: "x"}}), connector.Invalid)
}

func lastSeats(f *fixture) {
	const clients, each, seats = 64, 4, 100
	f.packages(connector.Package{ID: "gold", Seats: seats})
	var wg sync.WaitGroup
	var mu sync.Mutex
	given, refused := 0, 0
	for client := range clients {
		wg.Go(func() {
			for i := range each {
				c := Create(client*each+i, "gold", f.now)
				var errs []error
				write := f.s.Write
				if client%8 == 0 {
					write = f.s.Bulk
				}
				err := write(f.ctx, func(tx connector.Tx) (err error) {
					errs, err = tx.Save(f.ctx, []*connector.Change{c}, RunCause(f.run), f.now)
					return err
				})
				mu.Lock()
				switch {
				case err != nil:
					f.Error(err)
				case errs[0] == nil:
					given++
				case errors.Is(errs[0], connector.ErrNoSeat):
					refused++
				default:
					f.Error(errs[0])
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.equal([]int{given, refused}, []int{seats, clients*each - seats})
	f.equal(f.seats("gold").Used, seats)
}

func largeSets(f *fixture) {
	const n = 700
	changes, ids, anchors := make([]*connector.Change, n), make([]connector.ID, n), make([]connector.Anchor, n)
	var keys []connector.UserKey
	for i := range n {
		changes[i] = Create(i, "", f.now.Add(time.Duration(i)*time.Millisecond))
		ids[i], anchors[i] = changes[i].After.ID, changes[i].Anchor
		keys = append(keys, changes[i].After.Keys()...)
	}
	f.save(changes...)
	users, err := f.s.Users(f.ctx, Org, ids)
	f.ok(err)
	links, err := f.s.Links(f.ctx, Org, Source, anchors)
	f.ok(err)
	ofUsers, err := f.s.LinksOfUsers(f.ctx, Org, ids)
	f.ok(err)
	byKey, err := f.s.UsersByKey(f.ctx, Org, keys)
	f.ok(err)
	f.equal(fmt.Sprint(len(users), len(links), len(ofUsers), len(byKey)), "700 700 700 700")
}
