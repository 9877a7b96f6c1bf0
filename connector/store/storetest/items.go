package storetest

import (
	"strings"
	"time"

	"usherd/connector"
)

func openItems(f *fixture) {
	both := Fail(1, connector.EmailTaken, connector.RequiredMissing)
	both.Failures[1].Fields = []string{connector.GivenName, connector.Email}
	both.Failures[0].Ref = "ABCD-2345"
	f.save(both)
	items := f.items()
	f.equal(len(items), 2)
	f.equal(items[1].Fields, both.Failures[1].Fields)
	f.equal(items[0].Ref, "ABCD-2345")
	first, id := f.now, items[0].ID
	f.now = f.now.Add(time.Hour)
	again := Fail(1, connector.EmailTaken)
	again.Failures[0].Ref, again.Failures[0].Detail = "WXYZ-6789", "also carried by CN=Ann"
	f.save(again)
	items = f.items()
	f.equal(len(items), 1) // the other reason is gone
	items[0].At = time.Time{}
	want := again.Failures[0]
	want.Ref = "ABCD-2345"
	f.equal(items[0], connector.OpenItem{
		Failure: want, ID: id, Anchor: AnchorOf(1), DN: again.DN, FirstSeen: first, LastSeen: f.now, Count: 2, LastRun: f.run,
	})
	open, err := f.s.OpenAnchors(f.ctx, Org, Source)
	f.ok(err)
	f.equal(open, map[connector.Anchor]bool{AnchorOf(1): true})
	open, err = f.s.OpenAnchors(f.ctx, Org, Source, connector.UserNameTaken, connector.EmailTaken)
	f.ok(err)
	f.equal(open, map[connector.Anchor]bool{AnchorOf(1): true})
	open, err = f.s.OpenAnchors(f.ctx, Org, Source, connector.UserNameTaken)
	f.ok(err)
	f.equal(open, map[connector.Anchor]bool{})

	f.create(1, "") // success closes
	f.equal(len(f.items()), 0)
	for i, action := range []connector.Action{connector.Skipped, connector.Unchanged} {
		f.save(Fail(10+i, connector.EmailInvalid))
		f.save(&connector.Change{Action: action, Org: Org, Source: Source, Anchor: AnchorOf(10 + i)})
		f.equal(len(f.items()), 0)
	}
	f.pageItems()
}

func (f *fixture) pageItems() {
	for n := range 5 {
		f.save(Fail(20+n, connector.EmailInvalid))
	}
	about := Create(23, "", f.now).After
	other := Create(24, "", f.now).After
	other.Profile.Set(connector.UserName, "renamed")
	byID := Fail(20, connector.EmailInvalid)
	byID.Failures[0].UserID = about.ID
	f.save(byID)
	var seen []string
	for after, pages := "", 0; pages == 0 || after != ""; pages++ {
		items, next, err := f.s.OpenItems(f.ctx, connector.ItemQuery{Org: Org, Limit: 2, After: after})
		f.ok(err)
		for _, i := range items {
			seen = append(seen, i.Subject)
		}
		after = next
	}
	f.equal(strings.Join(seen, " "), "User000020 User000021 User000022 User000023 User000024")
	for _, test := range []struct {
		q    connector.ItemQuery
		want int
	}{
		{connector.ItemQuery{Org: Org, Subject: "uSER000023"}, 1},
		{connector.ItemQuery{Org: Org, Reason: connector.EmailInvalid}, 5},
		{connector.ItemQuery{Org: Org, Reason: connector.NoSeat}, 0},
		{connector.ItemQuery{Org: Org, Code: connector.CodeCreation, Reason: connector.EmailInvalid}, 5},
		{connector.ItemQuery{Org: Org, Code: connector.CodeUpdate}, 0},
		{connector.ItemQuery{Org: Org, Source: "ldap"}, 0},
		{connector.ItemQuery{Org: "other"}, 0},
		{connector.ItemQuery{Org: Org, About: about}, 2},
		{connector.ItemQuery{Org: Org, About: about, Source: "ldap"}, 0},
		{connector.ItemQuery{Org: Org, About: other}, 0},
	} {
		items, _, err := f.s.OpenItems(f.ctx, test.q)
		f.ok(err)
		if len(items) != test.want {
			f.Errorf("%+v: %d items, want %d", test.q, len(items), test.want)
		}
		n, more, err := f.s.CountItems(f.ctx, test.q, 2)
		f.ok(err)
		f.equal(n, min(test.want, 2))
		f.equal(more, test.want > 2)
	}
	all := f.items()
	ids, refs := []connector.ID{all[3].ID, {1}, all[1].ID, all[3].ID}, []string{all[3].Ref, "0000-0000", all[1].Ref, all[3].Ref}
	some, err := f.s.OpenItemsByID(f.ctx, Org, ids)
	f.ok(err)
	f.equal(some, []connector.OpenItem{all[1], all[3]})
	some, err = f.s.OpenItemsByRef(f.ctx, Org, refs)
	f.ok(err)
	f.equal(some, []connector.OpenItem{all[1], all[3]})
	some, err = f.s.OpenItemsByID(f.ctx, "other", ids)
	f.ok(err)
	f.equal(len(some), 0)
	ref := all[0].Ref
	f.kind(f.s.Dismiss(f.ctx, "other", ref), connector.NotFound)
	f.ok(f.s.Dismiss(f.ctx, Org, strings.ToLower(ref)))
	f.kind(f.s.Dismiss(f.ctx, Org, ref), connector.NotFound)
	f.equal(len(f.items()), 4)
}

func anchorless(f *fixture) {
	byDN, bySubject := Fail(1, connector.AttributeInvalid), Fail(2, connector.AttributeInvalid)
	byDN.Anchor, bySubject.Anchor, bySubject.DN = connector.Anchor{}, connector.Anchor{}, ""
	f.save(byDN, bySubject)
	f.save(byDN, bySubject)
	items := f.items()
	f.equal(len(items), 2)
	f.equal([]int{items[0].Count, items[1].Count}, []int{2, 2})
	f.equal(items[0].Anchor, connector.Anchor{})
	open, err := f.s.OpenAnchors(f.ctx, Org, Source)
	f.ok(err)
	f.equal(len(open), 0)
	c := Create(1, "", f.now) // with an anchor at last
	c.DN = byDN.DN
	f.save(c)
	f.equal(len(f.items()), 1)
}

func waitingOrder(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 0}, connector.Package{ID: "tin", Seats: 0})
	for n := range 4 {
		f.now = f.now.Add(time.Minute)
		f.save(Fail(n, connector.NoSeat))
	}
	f.equal(f.seats("gold").Waiting, 4)
	f.now = f.now.Add(time.Minute)
	again := Fail(0, connector.NoSeat)
	again.Waiting.DN = "CN=Newer"
	f.save(again) // keeps the place
	list, err := f.s.Waiting(f.ctx, Org, "gold", 10)
	f.ok(err)
	f.equal(len(list), 4)
	f.equal(list[0], connector.Waiter{
		ID: list[0].ID, Org: Org, Package: "gold", Source: Source, Record: again.Waiting, Since: Start().Add(time.Minute), Asked: f.now,
	})
	f.equal(list[0].ID.IsZero(), false)
	items := f.items()
	rest, err := f.s.Queue(f.ctx, Org, "gold", list[1].ID, 1)
	f.ok(err)
	f.equal(rest, []connector.Queued{{Waiter: list[2], Ref: items[2].Ref, Subject: items[2].Subject, User: items[2].UserID}})
	f.ok(f.s.Dismiss(f.ctx, Org, items[2].Ref))
	rest, err = f.s.Queue(f.ctx, Org, "gold", list[1].ID, 1)
	f.ok(err)
	f.equal(rest, []connector.Queued{{Waiter: list[2]}})

	f.save(Fail(1, connector.EmailTaken)) // another reason: leaves
	f.save(&connector.Change{Action: connector.Skipped, Org: Org, Source: Source, Anchor: AnchorOf(2)})
	other := Fail(0, connector.NoSeat) // another package: its end
	other.Failures[0].Package = "tin"
	f.save(other)
	list, err = f.s.Waiting(f.ctx, Org, "gold", 10)
	f.ok(err)
	f.equal(len(list), 1)
	f.equal(list[0].Record.Anchor, AnchorOf(3))
	f.equal(f.seats("tin").Waiting, 1)
	open := len(f.items())
	for range 2 {
		for _, w := range []connector.Waiter{{ID: list[0].ID, Org: "other", Package: "gold"}, {ID: list[0].ID, Org: Org, Package: "tin"}} {
			f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.LeaveList(f.ctx, w) }))
		}
		f.equal(f.seats("gold").Waiting, 1)
	}
	for range 2 {
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.LeaveList(f.ctx, list[0]) }))
		f.equal(f.seats("gold").Waiting, 0)
	}
	f.equal(len(f.items()), open)
	f.save(Fail(3, connector.NoSeat))
	f.equal(f.seats("gold").Waiting, 1)
	f.packages(connector.Package{ID: "gold", Seats: 1})
	f.create(3, "gold")
	f.equal(f.seats("gold").Waiting, 0)
	none, err := f.s.Waiting(f.ctx, "other", "tin", 10)
	f.ok(err)
	f.equal(len(none), 0)
}

func closeGone(f *fixture) {
	f.save(Fail(1, connector.NoSeat), Fail(2, connector.NoSeat))
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error {
		return tx.CloseGone(f.ctx, Org, Source, []connector.Anchor{AnchorOf(1), AnchorOf(9)})
	}))
	items := f.items()
	f.equal(len(items), 1)
	f.equal(items[0].Anchor, AnchorOf(2))
	list, err := f.s.Waiting(f.ctx, Org, "gold", 10)
	f.ok(err)
	f.equal(len(list), 1)
}
