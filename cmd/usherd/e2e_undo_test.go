package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/lease"
	"usherd/connector/store"
	"usherd/ldapsync/ldaptest"
)

// A run that took 500 people away and changed 2,000 is put back whole, in a package without a seat to spare.
func TestRollbackOfABigRun(t *testing.T) {
	t.Parallel()
	const all, fired, renamed = 2600, 500, 2000
	s, block := newLivePeople(t, ldaptest.ActiveDirectory, all)
	r := newRig(t, strings.Replace(followed(block, "guard: {percent: 1, attribute_percent: 50}\n"), "seats: unlimited", fmt.Sprintf("seats: %d", all), 1))
	if c := r.sync(exitOK).Counts; c.Created != all {
		t.Fatalf("%+v", c)
	}
	before := r.users()
	for i := range fired {
		s.change(i+1, s.Delete)
	}
	for i := range renamed {
		s.change(fired+i+1, func(dn string) error { return s.Modify(dn, ldaptest.Attrs{"sn": {"Wrong"}}) })
	}
	held := r.sync(exitHeld)
	if held.Counts.Held != fired+renamed {
		t.Fatalf("%+v", held.Counts)
	}
	done := decode[runDocument](r, exitOK, "approve", "last", "-q", "-o", "json")
	if done.Counts.Deactivated != fired || done.Counts.Updated != renamed {
		t.Fatalf("%+v", done.Counts)
	}
	if used := r.seatsUsed(); used != all-fired {
		t.Errorf("%d seats are used", used)
	}

	plan := decode[runDocument](r, exitHeld, "rollback", done.ID, "-q", "-o", "json")
	if plan.Counts.Held != fired+renamed || plan.Mode != connector.ModeRollback || r.seatsUsed() != all-fired {
		t.Fatalf("%+v", plan)
	}
	back := decode[runDocument](r, exitOK, "approve", plan.ID, "-q", "-o", "json")
	if back.Counts.Reactivated != fired || back.Counts.Updated != renamed || back.Counts.Failed+back.Counts.Skipped > 0 {
		t.Errorf("%+v", back.Counts)
	}
	after := r.users()
	for name, was := range before {
		is := after[name]
		if is.State != was.State || is.Package != was.Package || is.Profile.Get("familyName") != was.Profile.Get("familyName") {
			t.Fatalf("%s was %+v, is %+v", name, was, is)
		}
	}
	if used := r.seatsUsed(); used != all {
		t.Errorf("%d seats are used", used)
	}
	out := r.must(exitOK, "runs")
	lines := strings.Split(out, "\n")
	undone := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, done.ID[len(done.ID)-8:]) })
	if undone < 0 || !strings.Contains(out, "rollback") || !strings.Contains(lines[undone], "put back") {
		t.Errorf("runs:\n%s", out)
	}
	if text := r.must(exitOK, "report", done.ID); !strings.Contains(text, "Put back by run "+back.ID[len(back.ID)-8:]) {
		t.Errorf("the report of what was put back:\n%.600s", text)
	}
	if next := r.sync(exitOK); next.Counts.Changed() > 0 || next.Counts.Held > 0 {
		t.Errorf("the next run: %+v", next.Counts)
	}
	r.verify()
}

func (r *rig) seatsUsed() int {
	r.t.Helper()
	list := decode[struct {
		Seats []connector.SeatCount
	}](r, exitOK, "seats", "-o", "json")
	return list.Seats[0].Used
}

// One person is done while the source is followed, and while a run of it goes on, by a few questions.
func TestOnePersonWaitsForNobody(t *testing.T) {
	t.Parallel()
	eachWay(t, nil, func(t *testing.T, kind ldaptest.Kind, mode string) {
		t.Helper()
		d := newDisaster(t, ldaptest.Options{Kind: kind}, mode)
		d.withStore(func(db *store.DB) {
			const name = "source:acme/hq"
			d.until("the source is taken", func() bool {
				_, err := lease.Take(t.Context(), lease.Options{Store: db, Name: name, Holder: processName() + " somebody"})
				return err == nil
			})
			d.dir.change(7, func(dn string) error { return d.dir.Modify(dn, ldaptest.Attrs{"sn": {"Quick"}}) })
			args := []string{"sync", "--person", d.dir.name(7)}
			if mode == byChanges {
				args = append(args, "--mode", "changes")
			}
			asked := d.dir.Counts().Searches
			out := d.must(exitOK, args...)
			if n := d.dir.Counts().Searches - asked; n > 20 && mode != inLive {
				t.Errorf("%d searches for one person", n)
			}
			for _, step := range []string{"found", "in scope", "matched", "mapped", "rules", "seat", "state", "stored"} {
				if !strings.Contains(out, "ok  "+step) {
					t.Errorf("no step %q:\n%s", step, out)
				}
			}
			if is := d.users()[d.dir.name(7)].Profile.Get("familyName"); is != "Quick" {
				t.Errorf("the surname is %q", is)
			}
			holder, err := db.LeaseHolder(t.Context(), name)
			if err == nil {
				err = db.Release(t.Context(), name, holder)
			}
			if err != nil || holder == "" {
				t.Fatal(holder, err)
			}
		})
		d.goesOn()
		d.verify()
	})
}

// Whatever the source says, and however often: the administrator's word stands until an administrator takes it
// back.
func TestAdministratorsDeactivationSurvivesEveryMode(t *testing.T) {
	t.Parallel()
	eachWay(t, nil, func(t *testing.T, kind ldaptest.Kind, mode string) {
		t.Helper()
		d := newDisaster(t, ldaptest.Options{Kind: kind}, mode)
		name := d.dir.name(7)
		was := d.state(name)
		d.must(exitOK, "user", "deactivate", name)
		for i := range 3 {
			title := fmt.Sprintf("Word %d", i)
			d.dir.change(7, func(dn string) error { return d.dir.Modify(dn, ldaptest.Attrs{"title": {title}}) })
			if kind == ldaptest.ActiveDirectory { // off, and on again
				for _, control := range []string{"514", "512"} {
					d.dir.change(7, func(dn string) error { return d.dir.Modify(dn, ldaptest.Attrs{"userAccountControl": {control}}) })
					d.next("")
				}
			}
			d.next("")
			d.until("the source's word arrives", func() bool { return d.users()[name].Profile.Get("title") == title })
			if u := d.users()[name]; u.State != connector.Inactive || u.Deactivated == nil || u.Deactivated.By != connector.ByAdministrator {
				t.Fatalf("after %q: %s, %+v", title, u.State, u.Deactivated)
			}
		}
		d.sync(exitOK)
		if u := d.users()[name]; u.State != connector.Inactive || u.Deactivated.By != connector.ByAdministrator {
			t.Fatalf("after a full run: %s, %+v", u.State, u.Deactivated)
		}
		d.must(exitOK, "user", "reactivate", name)
		if is := d.state(name); is != was {
			t.Errorf("reactivated to %s, was %s", is, was)
		}
		d.goesOn()
		d.verify()
	})
}
