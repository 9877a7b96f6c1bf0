package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

const unseen = 10 // removals that the guard lets pass within an hour (guard.min)

// Somebody empties an OU. However it is done, not more than the guard's minimum go before somebody is asked,
// whatever time passes; then it is done, or not.
func TestEmptiedOU(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]func(*disaster){"one by one": (*disaster).fireOneByOne, "at once": (*disaster).fireAtOnce} {
		for _, answer := range []string{"approve", "reject"} {
			t.Run(name+" "+answer, func(t *testing.T) {
				t.Parallel()
				eachWay(t, nil, func(t *testing.T, kind ldaptest.Kind, mode string) {
					t.Helper()
					d := newDisaster(t, ldaptest.Options{Kind: kind}, mode)
					empty(d)
					d.decided(answer)
				})
			})
		}
	}
}

func (d *disaster) fire(i int) {
	d.t.Helper()
	d.dir.change(i, d.dir.Delete)
}

// fireOneByOne lets the mode look at each, live as it comes to it and full runs at some at a time.
func (d *disaster) fireOneByOne() {
	d.t.Helper()
	for i := range sellers {
		d.fire(i + 1)
		if d.mode == byChanges || d.mode == inFull && i%4 == 3 {
			d.next("")
		}
	}
}

// fireAtOnce fires all while nobody looks.
func (d *disaster) fireAtOnce() {
	d.t.Helper()
	if d.mode == inLive {
		d.daemon.stop()
		defer func() { d.daemon = d.serve() }()
	}
	for i := range sellers {
		d.fire(i + 1)
	}
}

// inactive counts the users who have lost access.
func (d *disaster) inactive() (n int) {
	d.t.Helper()
	for _, u := range d.users() {
		if u.State == connector.Inactive {
			n++
		}
	}
	return n
}

func (d *disaster) decided(answer string) {
	d.t.Helper()
	const place = "below OU=Sales,OU=People,DC=example,DC=test"
	if d.mode == inLive {
		d.until("all of them are gone or held", func() bool { return d.last().Counts.Held+d.inactive() == sellers })
	}
	d.next("")
	gone := d.inactive()
	if gone > unseen {
		d.t.Errorf("%d have lost access", gone)
	}
	for range 3 { // nothing bleeds through
		run := d.sync(exitHeld)
		if run.Counts.Held != sellers-gone || run.Counts.Deactivated != 0 || !strings.Contains(run.why(), place) || d.inactive() != gone {
			d.t.Errorf("%+v; %q; %d inactive, %d were", run.Counts, run.why(), d.inactive(), gone)
		}
	}
	if sources := unwrapped(d.must(exitOK, "sources")); !strings.Contains(sources, place) {
		d.t.Errorf("sources:\n%s", sources)
	}
	d.must(exitOK, answer, "last")
	if answer == "approve" {
		gone = sellers
	} else {
		d.sync(exitHeld)
		d.next("")
	}
	if n := d.inactive(); n != gone {
		d.t.Errorf("%s: %d inactive, want %d", answer, n, gone)
	}
	d.goesOn()
	d.verify()
}

// The clock of the machine jumps past the day on which accounts expire, and is set right again.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	eachWay(t, onlyAD, func(t *testing.T, kind ldaptest.Kind, mode string) {
		t.Helper()
		const sinceFiletime = 11_644_473_600 // seconds from 1601 to 1970
		d := newDisaster(t, ldaptest.Options{Kind: kind}, mode)
		expires := strconv.FormatInt((time.Now().Add(24*time.Hour).Unix()+sinceFiletime)*10_000_000, 10)
		for i := range sellers {
			d.dir.change(i+1, func(dn string) error { return d.dir.Modify(dn, ldaptest.Attrs{"accountExpires": {expires}}) })
		}
		if run := d.sync(exitOK); run.Counts.Deactivated > 0 {
			t.Fatalf("%+v", run.Counts)
		}
		d.before = d.users()
		const says = "60 removals are more than 10 and more than 5 % of 200 users: 60 disabled or expired, most or all of them below OU=Sales"
		d.ahead.Store(int64(48 * time.Hour))
		d.next(says)
		if run := d.sync(exitHeld); !strings.Contains(run.why(), says) {
			t.Errorf("it says %q", run.why())
		}
		d.same(d.before)
		d.must(exitOK, "reject", "last")
		d.ahead.Store(0)
		d.recovers()
	})
}
