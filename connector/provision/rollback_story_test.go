package provision_test

import (
	"errors"
	"testing"

	"usherd/connector"
)

// A seat that somebody else has got since is not taken away; the seat that the run itself gave is.
func TestRollbackAndSeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { generous(o); second(o); seats(4)(o) })
	p := &people{list: crowd(6)} // 5 and 6 wait
	w.sync(p, connector.ResultOK)
	all := p.list
	p.list = all[2:] // 1 and 2 leave, 5 and 6 get their seats
	run := w.sync(p, connector.ResultOK).Run
	if w.state("u0005") != connector.Active || w.state("u0006") != connector.Active {
		t.Fatal("they got no seat")
	}
	back := w.rollback(run.ID)
	counts(t, back, connector.Counts{Reactivated: 2, Deleted: 2})
	if w.state("u0001") != connector.Active || w.user("u0005") != nil || w.used("standard") != 4 {
		t.Fatalf("%v", w.picture())
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 2, Failed: 2}) // and wait again
	p.list = all[3:]
	run = w.sync(p, connector.ResultOK).Run // 3 leaves, 5 or 6 gets the seat
	if n := w.used("standard"); n != 4 {
		t.Fatalf("%d used", n)
	}
	for _, name := range []string{"u0005", "u0006"} { // an administrator keeps him
		if w.user(name) != nil {
			if _, err := w.prov.SetPackage(t.Context(), command(w, name), "standard", false); err != nil {
				t.Fatal(err)
			}
		}
	}
	items := len(w.items())
	full := w.rollback(run.ID)
	counts(t, full, connector.Counts{Failed: 1, Skipped: 1})
	ch := outcome(t, full, "u0003")
	if len(ch.Failures) != 1 || ch.Failures[0].Reason != connector.NoSeat || ch.Failures[0].Package != "standard" {
		t.Errorf("%+v", ch)
	}
	if len(w.items()) != items {
		t.Errorf("a refusal of a rollback is no open item: %+v", w.items())
	}
}

func TestCreatedUsersEndAndComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { generous(o); second(o); seats(10)(o) })
	p := &people{list: crowd(2)}
	w.sync(p, connector.ResultOK)
	before := w.picture()
	p.list = crowd(6)
	run := w.sync(p, connector.ResultOK).Run
	with := w.picture()
	w.syncFrom("second", &people{list: []*connector.Record{inSecond(person(3))}}, connector.ResultOK) // another source has 3 too
	if _, err := w.prov.SetPackage(t.Context(), command(w, "u0004"), "standard", false); err != nil {
		t.Fatal(err)
	}
	five := w.user("u0005").ID
	back := w.rollback(run.ID)
	counts(t, back, connector.Counts{Deleted: 2, Skipped: 2})
	if w.user("u0005") != nil || w.user("u0003") == nil || w.user("u0004") == nil || w.used("standard") != 4 {
		t.Fatalf("%v", w.picture())
	}
	w.rollback(back.Run.ID)
	if u := w.user("u0005"); u == nil || u.ID != five || u.State != connector.Active {
		t.Fatalf("%+v", u)
	}
	if w.picture()["u0005"] != with["u0005"] || w.used("standard") != 6 {
		t.Errorf("%v", w.picture()["u0005"])
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 6})
	if w.picture()["u0005"] != with["u0005"] || w.user("u0005").ID != five {
		t.Error("the run after it made another one")
	}
	if len(before) != 2 {
		t.Error("the story began elsewhere")
	}
}

func TestDeletedUsersComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(5)}
	w.sync(p, connector.ResultOK)
	all := p.list
	p.list = []*connector.Record{all[0], person(4), all[4]}
	p.list[1].Enabled = connector.EnabledNo
	w.sync(p, connector.ResultOK)
	two, four := w.user("u0002").ID, w.user("u0004").ID
	before := w.picture()
	w.now = w.now.Add(40 * day)
	run := w.sync(p, connector.ResultOK).Run
	if run.Counts.Deleted != 3 {
		t.Fatalf("%+v", run.Counts)
	}
	// Somebody else has the name of 3 now.
	other := person(9, "uid", "u0003", "mail", "u0003@example.com")
	p.list = append(p.list, other)
	w.sync(p, connector.ResultOK)
	back := w.rollback(run.ID)
	counts(t, back, connector.Counts{Updated: 2, Failed: 1})
	if ch := outcome(t, back, "u0003"); ch.Failures[0].Reason != connector.UserNameTaken {
		t.Errorf("%+v", ch)
	}
	for name, id := range map[string]connector.ID{"u0002": two, "u0004": four} {
		u := w.user(name)
		if u == nil || u.ID != id || w.picture()[name] != before[name] || !u.DeleteAt.After(w.now) {
			t.Fatalf("%s: %+v", name, u)
		}
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 4}) // deletes nobody again
	p.list[1] = person(4)
	p.list = append(p.list, all[1])
	w.sync(p, connector.ResultOK)
	if w.user("u0002").ID != two || w.state("u0002") != connector.Active || w.state("u0004") != connector.Active {
		t.Errorf("they return as who they were: %v", w.picture())
	}
	w.sound()
}

// A state that a run moved on goes back as well, although the domain stays proven.
func TestRolledBackProofOfADomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { generous(o); o.Approval = true })
	p := &people{list: []*connector.Record{person(1, "mail", "a@other.test"), person(2, "mail", "b@other.test")}}
	w.sync(p, connector.ResultOK)
	before := w.picture()
	w.verify("other.test")
	if n, err := w.db.ForgetHashes(t.Context(), w.org.ID, "other.test"); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	run := w.sync(p, connector.ResultOK).Run
	if w.state("u0001") != connector.Active {
		t.Fatalf("u0001 is %s", w.state("u0001"))
	}
	if _, err := w.prov.Approve(t.Context(), command(w, "u0001")); err != nil { // is no word about the state
		t.Fatal(err)
	}
	counts(t, w.rollback(run.ID), connector.Counts{Updated: 2})
	w.same(before)
	if w.user("u0001").PendingApproval || !w.user("u0002").PendingApproval {
		t.Error("the approval is not the run's")
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 2})
	w.same(before)
}

// The source that did it need not be configured any more, and the run may have been cut off.
func TestRollbackOfASourceThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { second(o); generous(o) })
	w.sync(&people{list: crowd(3)}, connector.ResultOK)
	before := w.picture()
	run := w.syncFrom("second", &people{list: []*connector.Record{inSecond(person(2, "title", "From second")), inSecond(person(7))}}, connector.ResultOK).Run
	if w.user("u0002").Profile.Get("title") == "" {
		t.Fatal("the second source said nothing")
	}
	cut := *run
	cut.Result, cut.Counts = connector.ResultRunning, connector.Counts{}
	if err := w.db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRun(t.Context(), &cut) }); err != nil {
		t.Fatal(err)
	}
	w.org.Sources = w.org.Sources[:1]
	delete(w.maps, "second")
	w.rebuild()
	counts(t, w.rollback(run.ID), connector.Counts{Updated: 1, Deleted: 1})
	w.same(before)
	stored, err := w.db.Run(t.Context(), run.ID)
	if err != nil || stored.Result != connector.ResultFailed {
		t.Errorf("%+v %v", stored, err)
	}
}

// Somebody who comes back gets the seat that somebody else gives back in the same rollback by a change of
// package.
func TestSeatsGoBackTheWayTheyCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		generous(o)
		o.Packages = []connector.Package{{ID: "standard", Seats: 5}, {ID: "other", Seats: 1}}
	})
	p := &people{list: crowd(2)}
	w.sync(p, connector.ResultOK)
	if _, err := w.prov.SetPackage(t.Context(), command(w, "u0001"), "other", false); err != nil {
		t.Fatal(err)
	}
	before := w.picture()
	w.org.Sources[0].Package = "other"
	w.rebuild()
	p.list[0], p.list[1] = person(1), person(2, "title", "New")
	p.list[0].Enabled = connector.EnabledNo
	run := w.sync(p, connector.ResultOK)
	counts(t, run, connector.Counts{Updated: 1, Deactivated: 1})
	counts(t, w.rollback(run.Run.ID), connector.Counts{Updated: 1, Reactivated: 1})
	w.same(before)
}

// Who loses access and gets an old address back waits for who has it now.
func TestDeactivatedPersonGetsItsOldAddressBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	p := &people{list: crowd(3)}
	p.list = p.list[1:]
	w.sync(p, connector.ResultOK)
	p.list = append(p.list, person(1))
	w.sync(p, connector.ResultOK)
	p.list[2] = person(1)
	p.list[2].Enabled = connector.EnabledNo
	w.sync(p, connector.ResultOK)
	before := w.picture()
	p.list[0], p.list[2] = person(2, "mail", "u0001@example.com"), person(1, "mail", "new@example.com")
	run := w.sync(p, connector.ResultOK)
	counts(t, run, connector.Counts{Updated: 1, Reactivated: 1, Unchanged: 1})
	counts(t, w.rollback(run.Run.ID), connector.Counts{Updated: 1, Deactivated: 1})
	w.same(before)
}

// A run that changed somebody twice, far apart, is undone to what was before the first time.
func TestRollbackOfWhoWasChangedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, generous)
	w.sync(&people{list: crowd(1010)}, connector.ResultOK)
	before := w.picture()
	var all []*connector.User
	for _, u := range w.everybody() {
		all = append(all, u)
	}
	run := &connector.Run{ID: connector.NewID(w.now), Org: w.org.ID, Source: "dir", Mode: connector.ModeFull, Result: connector.ResultOK, Started: w.now}
	title := func(u *connector.User, value string) *connector.Change {
		after := *u
		after.Profile = u.Profile.Clone()
		after.Profile.Set("title", value)
		after.Version++
		return &connector.Change{
			Action: connector.Updated, Org: u.Org, Source: "dir", Subject: u.UserName(), BaseVersion: u.Version, After: &after, Fields: connector.Diff(u, &after),
		}
	}
	var changes []*connector.Change
	for _, u := range all {
		changes = append(changes, title(u, "First"))
	}
	changes = append(changes, title(changes[0].After, "Second"))
	err := w.db.Bulk(t.Context(), func(tx connector.Tx) error {
		errs, err := tx.Save(t.Context(), changes, connector.Cause{Kind: connector.CauseRun, Run: run.ID, Actor: "test"}, w.now)
		for _, e := range errs {
			if e != nil {
				t.Error(e)
			}
		}
		return errors.Join(err, tx.PutRun(t.Context(), run))
	})
	if err != nil {
		t.Fatal(err)
	}
	counts(t, w.rollback(run.ID), connector.Counts{Updated: 1010})
	w.same(before)
}
