package provision_test

import (
	"sync"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

func seats(n int) func(*connector.Organization) {
	return func(o *connector.Organization) { o.Packages = []connector.Package{{ID: "standard", Seats: n}} }
}

func TestSeatThatFreesGoesToWhoHasWaitedLongest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seats(5))
	p := &people{list: crowd(7)}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Created: 5, Failed: 2})
	items := w.items()
	if len(items) != 2 || items[0].Reason != connector.NoSeat || items[0].Code != connector.CodeCreation || items[0].Package != "standard" {
		t.Fatalf("%+v", items)
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 5, Failed: 2})
	p.list = append([]*connector.Record{person(100)}, p.list[1:]...) // 1 leaves, 100 comes and stands first in the answer
	w.sync(p, connector.ResultOK)
	if w.state("u0006") != connector.Active || w.user("u0100") != nil {
		t.Errorf("u0006 is %q, u0100 is %q", w.state("u0006"), w.state("u0100"))
	}
	if n := w.used("standard"); n != 5 {
		t.Errorf("%d used", n)
	}
	if n := len(w.items()); n != 2 {
		t.Errorf("%d open items: %+v", n, w.items())
	}
}

// What a preview keeps of people names the package of which they would find no seat, by which the console tells of them.
func TestAPreviewKeepsWhoWouldFindNoSeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seats(5))
	plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: &people{list: crowd(7)}, Mode: connector.ModePreview, Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plan.Close() })
	counts(t, plan, connector.Counts{Created: 5, Failed: 2})
	list, err := w.db.Outcomes(t.Context(), plan.Run.ID, connector.ID{}, 10)
	short := 0
	for _, o := range list {
		if len(o.Change.Failures) == 1 && o.Change.Failures[0].Reason == connector.NoSeat && o.Change.Failures[0].Package == "standard" {
			short++
		}
	}
	if err != nil || short != 2 {
		t.Errorf("%d of %d find no seat, %v", short, len(list), err)
	}
}

func TestAdministratorFreesASeatForWhoWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seats(2))
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	if _, err := w.prov.Deactivate(t.Context(), command(w, "u0001")); err != nil {
		t.Fatal(err)
	}
	if w.state("u0003") != connector.Active {
		t.Error("the seat must be offered at once")
	}
	ch, err := w.prov.Reactivate(t.Context(), command(w, "u0001"))
	if err != nil || len(ch.Failures) != 1 || ch.Failures[0].Reason != connector.NoSeat || ch.Failures[0].Code != connector.CodeUpdate {
		t.Fatalf("%+v %v", ch, err)
	}
	w.sync(p, connector.ResultOK)
	if w.state("u0001") != connector.Inactive {
		t.Error("an administrator's deactivation survives every source")
	}
}

func TestNeverOneSeatTooMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		seats(500)(o)
		o.Sources = append(o.Sources, connector.SourceSettings{ID: "push", Kind: connector.SCIM})
	})
	p := &people{list: crowd(600)}
	var wg sync.WaitGroup
	p.during = func(i int) { // the test's clock stands still from here on
		if i > 0 {
			return
		}
		for g := range 64 {
			wg.Go(func() {
				for i := range 12 {
					if _, err := w.prov.Submit(t.Context(), "push", person(10_000+g*100+i), connector.Cause{Kind: connector.CauseRequest, Actor: "test"}); err != nil {
						t.Errorf("submit: %v", err)
						return
					}
				}
			})
		}
	}
	w.sync(p, connector.ResultOK)
	wg.Wait()
	if n := w.used("standard"); n != 500 {
		t.Errorf("%d seats used of 500 although 1,368 people want one", n)
	}
}

// Somebody on the waiting list who has left the source, or is disabled there, does not get the seat
// that the same run frees.
func TestLeaverOnTheWaitingListGetsNoSeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seats(2))
	p := &people{list: crowd(5)}
	w.sync(p, connector.ResultOK)
	p.list = []*connector.Record{p.list[1], p.list[3], p.list[4]} // 1 leaves, 3 waits for the first seat and is gone
	p.list[1].Enabled = connector.EnabledNo                       // 4 is next
	w.sync(p, connector.ResultOK)
	for name, want := range map[string]connector.State{"u0001": connector.Inactive, "u0003": "", "u0004": "", "u0005": connector.Active} {
		if got := w.state(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// A seat that a change of package frees goes to the waiting list as well.
func TestSeatFreedByAChangeOfPackageIsOffered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		second(o)
		o.Packages = []connector.Package{{ID: "standard", Seats: 2}, {ID: "other", Seats: 2}}
	})
	p := &people{list: crowd(2)}
	w.sync(p, connector.ResultOK)
	late := &people{list: []*connector.Record{inSecond(person(9))}}
	w.syncFrom("second", late, connector.ResultOK)
	if w.user("u0009") != nil {
		t.Fatal("there was no seat")
	}
	w.org.Sources[0].Package = "other"
	w.rebuild()
	p.list[0] = person(1, "sn", "Renamed")
	w.sync(p, connector.ResultOK)
	if w.state("u0009") != connector.Active {
		t.Error("the seat of u0001 was not offered")
	}
}

// A place on the waiting list of a source that is not configured any more stops nobody.
func TestWaiterOfARemovedSourceStopsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { seats(2)(o); second(o) })
	p := &people{list: crowd(2)}
	w.sync(p, connector.ResultOK)
	w.syncFrom("second", &people{list: []*connector.Record{inSecond(person(8))}}, connector.ResultOK)
	w.org.Sources = w.org.Sources[:1]
	delete(w.maps, "second")
	w.rebuild()
	p.list = []*connector.Record{p.list[1], person(3)}
	w.sync(p, connector.ResultOK)
	w.sync(p, connector.ResultOK)
	if w.state("u0003") != connector.Active || w.user("u0008") != nil {
		t.Errorf("u0003 is %q", w.state("u0003"))
	}
}
