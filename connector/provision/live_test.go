package provision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/lease"
	"usherd/connector/provision"
)

// following is Live at work.
type following struct {
	w       *world
	caught  chan struct{}
	applied chan provision.LiveReport
	ended   chan error
	stop    context.CancelFunc
}

func (w *world) follow(f *feed) *following {
	w.t.Helper()
	return w.followWith(f, func(*provision.LiveRequest) {})
}

func (w *world) followWith(f *feed, edit func(*provision.LiveRequest)) *following {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	x := &following{w, make(chan struct{}), make(chan provision.LiveReport, 100), make(chan error, 1), stop}
	req := provision.LiveRequest{
		Source: "dir", From: f, Revision: "r1",
		CaughtUp: func() { close(x.caught) }, Applied: func(r provision.LiveReport) { x.applied <- r },
	}
	edit(&req)
	go func() { x.ended <- w.prov.Live(ctx, req) }()
	return x
}

const patience = 20 * time.Second

func (x *following) catchUp() {
	x.w.t.Helper()
	select {
	case <-x.caught:
	case err := <-x.ended:
		x.w.t.Fatal(err)
	case <-time.After(patience):
		x.w.t.Fatal("it does not catch up")
	}
}

func (x *following) next() provision.LiveReport {
	x.w.t.Helper()
	select {
	case r := <-x.applied:
		return r
	case err := <-x.ended:
		x.w.t.Fatal(err)
	case <-time.After(patience):
		x.w.t.Fatal("nothing is applied")
	}
	return provision.LiveReport{}
}

// end stops it and returns what it ended with.
func (x *following) end() error {
	x.w.t.Helper()
	x.stop()
	select {
	case err := <-x.ended:
		return err
	case <-time.After(patience):
		x.w.t.Fatal("it does not end")
	}
	return nil
}

func TestLiveBeginsWithAFullRunAndFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	x := w.follow(f)
	first := x.next()
	if first.Run.Mode != connector.ModeFull || first.Counts.Created != 20 || first.Run.Actor != "live" {
		t.Errorf("%+v", first.Run)
	}
	x.catchUp()
	changed := w.now.Add(-time.Second)
	rec := person(1, "sn", "Berg")
	rec.ChangedAt = changed
	f.put(rec)
	one := x.next()
	if one.Counts != (connector.Counts{Updated: 1}) || len(one.Changes) != 1 || !one.Changes[0].Equal(changed) {
		t.Errorf("%+v", one)
	}
	f.put(person(21))
	two := x.next()
	if two.Run.ID != one.Run.ID || two.Counts != (connector.Counts{Created: 1}) || two.Run.Counts != (connector.Counts{Created: 1, Updated: 1}) {
		t.Errorf("one run an hour: %+v, %+v", two.Counts, two.Run)
	}
	stored, err := w.db.Run(t.Context(), one.Run.ID)
	if err != nil || stored.Result != connector.ResultOK || stored.Counts != two.Run.Counts || stored.Revision != "r1" {
		t.Errorf("%+v, %v", stored, err)
	}
	if err := x.end(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if w.storedCursor() != "2" || w.state("u0021") != connector.Active {
		t.Errorf("cursor %s", w.storedCursor())
	}
	f.put(person(22)) // while nobody looks
	x = w.follow(f)
	x.catchUp()
	if err := x.end(); !errors.Is(err, context.Canceled) || w.state("u0022") != connector.Active {
		t.Error(err)
	}
}

func TestLiveLeavesTooManyRemovalsToAFullRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(100))
	w.readInFull(f, connector.ResultOK)
	x := w.follow(f)
	x.catchUp()
	for i := 1; i <= 11; i++ {
		f.fire(person(i).Anchor)
		r := x.next()
		for i <= 10 && r.Counts.Deactivated == 0 {
			t.Fatalf("%d: %+v", i, r)
		}
		if i == 11 && (r.Run.Mode != connector.ModeFull || r.Run.Result != connector.ResultHeld || r.Run.Counts.Held != 1) {
			t.Errorf("%+v", r.Run)
		}
	}
	f.put(person(50, "sn", "Berg"))
	if r := x.next(); r.Counts.Updated != 1 {
		t.Errorf("it does not go on: %+v", r)
	}
	x.end() //nolint:errcheck // it was cancelled
	if w.state("u0011") != connector.Active {
		t.Error("the eleventh has lost access")
	}
}

// Another run of the source goes on meanwhile: what came then is read again before it is applied.
func TestLiveWaitsForOtherRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	w.readInFull(f, connector.ResultOK)
	x := w.follow(f)
	x.catchUp()
	held, err := lease.Take(t.Context(), lease.Options{Store: w.db, Name: "source:acme/dir", Holder: "other"})
	if err != nil {
		t.Fatal(err)
	}
	f.put(person(1, "sn", "Stale"))
	f.mu.Lock()
	f.putSilently(person(1, "sn", "Fresh"))
	f.mu.Unlock()
	ctx, free := context.WithCancel(t.Context())
	free() // gives it back at once
	if err := held.Keep(ctx); err != nil {
		t.Fatal(err)
	}
	x.next()
	if name := w.user("u0001").Profile.Get("familyName"); name != "Fresh" {
		t.Errorf("the family name is %s", name)
	}
	x.end() //nolint:errcheck // it was cancelled
}

func TestLiveGivesUpOnAFeedThatOnlyEverAsksForFullRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(20))
	f.full = "the server remembers nothing"
	x := w.follow(f)
	select {
	case err := <-x.ended:
		if connector.KindOf(err) != connector.Incomplete || !strings.Contains(err.Error(), f.full) || f.asked > 10 {
			t.Errorf("%v after %d", err, f.asked)
		}
	case <-time.After(patience):
		t.Fatal("it reads in full for ever")
	}
}

func TestLiveThatWaitsForApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].FirstRun = connector.FirstRunPreview })
	f := newFeed(crowd(20))
	x := w.follow(f)
	select {
	case err := <-x.ended:
		if connector.KindOf(err) != connector.Refused || !strings.Contains(err.Error(), "waits for approval") {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if n := len(w.picture()); n != 0 {
		t.Errorf("%d users", n)
	}
}

// The same random history, once live and once in full, ends in the same users.
func TestLiveEqualsFullRuns(t *testing.T) {
	t.Parallel()
	open := func(o *connector.Organization) {
		o.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	}
	w, other := newWorld(t, open), newWorld(t, open)
	f := newFeed(crowd(40))
	other.sync(&people{list: crowd(40)}, connector.ResultOK)
	w.readInFull(f, connector.ResultOK)
	x := w.follow(f)
	x.catchUp()
	for i := range 200 {
		r := person(1+i%40, "sn", fmt.Sprint("Name", i))
		f.put(r)
	}
	for w.storedCursor() != "200" {
		x.next()
	}
	other.sync(&people{list: f.list}, connector.ResultOK)
	x.end() //nolint:errcheck // it was cancelled
	a, b := other.picture(), w.picture()
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s: %s, live %s", name, a[name], b[name])
		}
	}
}
