package provision_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

// everybody are all users, tombstones too, by id.
func (w *world) everybody() map[connector.ID]*connector.User {
	w.t.Helper()
	out := map[connector.ID]*connector.User{}
	for _, state := range []connector.State{"", connector.Inactive, connector.Deleted} {
		for after := ""; ; {
			users, next, err := w.db.ListUsers(w.t.Context(), connector.UserQuery{Org: w.org.ID, State: state, After: after})
			if err != nil {
				w.t.Fatal(err)
			}
			for _, u := range users {
				out[u.ID] = u
			}
			if after = next; after == "" {
				break
			}
		}
	}
	return out
}

// since are the events of a user after a version.
func (w *world) since(id connector.ID, version int64) (list []connector.Event) {
	w.t.Helper()
	for e, err := range w.db.UserEvents(w.t.Context(), w.org.ID, id) {
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Version > version {
			list = append(list, e)
		}
	}
	return list
}

// mix does something at random to what a directory says, names included.
func mix(r *rand.Rand, p *people) {
	mutate(r, p, 12)
	for range 4 { // a rename, or two who swap
		i, j := r.IntN(len(p.list)), r.IntN(len(p.list))
		a, b := p.list[i].Clone(), p.list[j].Clone()
		for k, attr := range a.Attributes {
			if attr.Name == "mail" {
				a.Attributes[k].Values, b.Attributes[k].Values = b.Attributes[k].Values, attr.Values
			}
		}
		p.list[i], p.list[j] = a, b
	}
	if at := r.IntN(len(p.list)); r.IntN(2) == 0 {
		p.list = slices.Delete(slices.Clone(p.list), at, at+1)
	}
	if r.IntN(2) == 0 {
		p.list = append(p.list, person(1000+r.IntN(1_000_000)))
	}
}

// meddle is what administrators do at random.
func (w *world) meddle(r *rand.Rand) {
	w.t.Helper()
	for _, u := range w.everybody() {
		if !u.State.Live() || u.State == "" || r.IntN(8) > 0 {
			continue
		}
		c := command(w, u.UserName())
		var err error
		switch r.IntN(4) {
		case 0:
			_, err = w.prov.Deactivate(w.t.Context(), c)
		case 1:
			_, err = w.prov.Reactivate(w.t.Context(), c)
		case 2:
			_, err = w.prov.SetPackage(w.t.Context(), c, "other", false)
		case 3:
			_, err = w.prov.SetPackage(w.t.Context(), c, "", true)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// After a random run, and whatever came after it, a rollback leaves each user as it was before the run, but
// for what was changed since; whom it does not put back is as before the rollback. A run after it changes
// nobody of those who were put back.
func TestRollbackLeavesWhatWasBefore(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	w := newWorld(t, func(o *connector.Organization) {
		generous(o)
		o.Packages = []connector.Package{{ID: "standard", Seats: 70}, {ID: "other", Seats: 20}}
	})
	p := &people{list: crowd(60)}
	w.sync(p, connector.ResultOK)
	for round := range rounds(12) {
		before := w.everybody()
		mix(r, p)
		if r.IntN(4) == 0 {
			w.now = w.now.Add(40 * day) // deletes who has been inactive for long
		}
		run := w.sync(p, connector.ResultOK).Run
		if run.Counts.Changed() == 0 {
			continue
		}
		later := round%2 == 1
		if later {
			w.meddle(r)
			mix(r, p)
			w.sync(p, connector.ResultOK)
		}
		left := w.everybody()
		plan := w.rollback(run.ID)
		stays, only := map[string]bool{}, map[connector.ID]bool{}
		for ch, err := range plan.Changes() {
			if err != nil {
				t.Fatal(err)
			}
			state := slices.ContainsFunc(ch.Warnings, func(s string) bool { return strings.HasPrefix(s, "only the state") })
			if ch.After == nil {
				stays[ch.Subject] = true
			} else if state {
				only[ch.After.ID] = true
			}
			if !later && (ch.After == nil || state) {
				t.Errorf("seed %d, round %d: nothing stood in the way of %s: %+v", seed, round, ch.Subject, ch)
			}
		}
		for id, now := range w.everybody() {
			if only[id] && now.State == connector.Inactive {
				continue
			}
			if why := w.fits(run.ID, before[id], left[id], now, stays); why != "" {
				t.Fatalf("seed %d, round %d: %s: %s", seed, round, left[id].Profile.Subject(), why)
			}
		}
	}
}

// fits says what is wrong with a user after a rollback; was is nil for one whom the run created.
func (w *world) fits(run connector.ID, was, left, now *connector.User, stays map[string]bool) string {
	if stays[left.Profile.Subject()] {
		if d := connector.Diff(left, now); len(d) > 0 {
			return fmt.Sprintf("it was to stay as it is, and differs: %+v", d)
		}
		return ""
	}
	var own, later []connector.Event
	version := int64(0)
	if was != nil {
		version = was.Version
	}
	for _, e := range w.since(left.ID, version) {
		switch {
		case e.Cause.Run == run:
			own = append(own, e)
		case e.Version <= left.Version:
			later = append(later, e)
		}
	}
	switch {
	case len(own) == 0:
		if d := connector.Diff(left, now); len(d) > 0 {
			return fmt.Sprintf("the run had not touched it, and the rollback did: %+v", d)
		}
	case was == nil:
		if now.State != connector.Deleted {
			return "the run created it, and it is " + string(now.State)
		}
	case len(later) == 0:
		for _, d := range connector.Diff(was, now) {
			if d.Field != connector.FieldDeleteAt { // a grace that was over begins anew
				return fmt.Sprintf("nobody touched it since, and it is not as before: %+v", d)
			}
		}
	default:
		for _, d := range connector.Diff(was, now) {
			if !slices.ContainsFunc(later, func(e connector.Event) bool {
				return slices.ContainsFunc(e.Fields, func(f connector.FieldChange) bool { return f.Field == d.Field })
			}) && d.Field != connector.FieldDeleteAt {
				return fmt.Sprintf("nobody touched this since, and it is not as before: %+v", d)
			}
		}
	}
	return ""
}
