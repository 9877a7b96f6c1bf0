package provision_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
)

// scratch is an empty store on the replay's own clock, with the domains of the world.
func (w *world) scratch(clock *provision.Clock) *store.DB {
	w.t.Helper()
	db, err := store.Open(w.t.Context(), newstore.URL(w.t), store.Options{Now: clock.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = db.Close() })
	domains, err := w.db.Domains(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range domains {
		if err := db.AddDomain(w.t.Context(), d); err != nil {
			w.t.Fatal(err)
		}
	}
	return db
}

// replay replays since a time under other rules; nil are those of the world.
func (w *world) replay(since time.Time, org *connector.Organization, each func(*provision.ReplayStep) error) (*store.DB, []provision.ReplayedSource) {
	w.t.Helper()
	clock := &provision.Clock{}
	db := w.scratch(clock)
	if org == nil {
		org = w.org
	}
	if err := db.SetPackages(w.t.Context(), org.ID, org.Packages); err != nil {
		w.t.Fatal(err)
	}
	if each == nil {
		each = func(*provision.ReplayStep) error { return nil }
	}
	sources, err := provision.Replay(w.t.Context(), provision.ReplayOptions{
		Store: db, Clock: clock, Org: org, Mappings: w.maps, Since: since, SpoolDir: w.t.TempDir(),
		Records: func(ctx context.Context, source string) iter.Seq2[connector.StoredRecord, error] {
			return w.db.Records(ctx, w.org.ID, source, since)
		},
	}, each)
	if err != nil {
		w.t.Fatal(err)
	}
	return db, sources
}

// differences tells whose access or profile is another one in two stores.
func (w *world) differences(a, b connector.Reader) (out []string) {
	w.t.Helper()
	err := provision.Compare(w.t.Context(), w.org, a, b, func(x, y *connector.User) error {
		if access(x) != access(y) || access(x) && (!x.Profile.Equal(y.Profile) || x.State != y.State || x.Package != y.Package) {
			out = append(out, fmt.Sprintf("%+v\n%+v", x, y))
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func access(u *connector.User) bool {
	return u != nil && u.State.Live() && u.State != connector.Inactive
}

// TestReplayUnderTheSameRulesGivesTheSameUsers replays random histories of two sources, from their beginning
// and from somewhere in the middle, before and after what is old was compacted.
func TestReplayUnderTheSameRulesGivesTheSameUsers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(rounds(2)) {
		w := newWorld(t, func(o *connector.Organization) { twoSources(o); keeping(o) })
		r := rand.New(rand.NewPCG(seed, 11))
		sources := map[string]*people{"dir": {list: crowd(60)}, "second": {list: crowd(80)}}
		begin := w.now
		var middle time.Time
		for round := range 10 {
			for _, name := range []string{"dir", "second"} {
				w.now = w.now.Add(time.Hour)
				if round == 5 {
					middle = w.now
				}
				mutate(r, sources[name], 12)
				if n := len(sources[name].list); r.IntN(3) == 0 {
					sources[name].list = append(sources[name].list[:n/2], sources[name].list[n/2+1:]...)
				}
				w.syncFrom(name, sources[name], connector.ResultOK)
			}
		}
		for _, since := range []time.Time{begin, middle} {
			db, _ := w.replay(since, nil, nil)
			if diff := w.differences(w.db, db); len(diff) > 0 {
				t.Fatalf("seed %d since %s: %d differ, the first:\n%s", seed, since, len(diff), diff[0])
			}
		}
		for _, name := range []string{"dir", "second"} {
			if _, err := w.db.CompactRecords(t.Context(), w.org.ID, name, middle); err != nil {
				t.Fatal(err)
			}
		}
		db, _ := w.replay(middle, nil, nil)
		if diff := w.differences(w.db, db); len(diff) > 0 {
			t.Fatalf("seed %d compacted: %d differ, the first:\n%s", seed, len(diff), diff[0])
		}
	}
}

func TestReplayHoldsWhatTheGuardForbids(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		keeping(o)
		o.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	})
	p := &people{list: crowd(100)}
	w.sync(p, connector.ResultOK)
	since := w.now.Add(time.Second)
	p.list = p.list[:60]
	run := w.sync(p, connector.ResultOK) // nothing holds it
	strict := *w.org
	strict.Sources = []connector.SourceSettings{w.org.Sources[0]}
	strict.Sources[0].Guard = connector.Guard{Min: 10, Percent: 5}
	var holds []string
	db, sources := w.replay(since, &strict, func(s *provision.ReplayStep) error {
		if len(s.Runs) != 1 || s.Runs[0] != run.Run.ID || s.Records != 40 || s.Plan.Run.Hold == nil {
			t.Errorf("%+v", s)
			return nil
		}
		holds = append(holds, s.Plan.Run.Hold.Reason)
		counts(t, s.Plan, connector.Counts{Unchanged: 60, Held: 40})
		return nil
	})
	if len(holds) != 1 || sources[0].Base != 100 || !sources[0].Names["mail"] || sources[0].Names["title"] {
		t.Errorf("%q %+v", holds, sources)
	}
	if diff := w.differences(w.db, db); len(diff) != 40 {
		t.Errorf("%d differ", len(diff))
	}
}

func TestReplayRefusesAnAnswerWithoutAnybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keeping)
	w.org.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	w.rebuild()
	p := &people{list: crowd(1)}
	w.sync(p, connector.ResultOK)
	since := w.now.Add(time.Second)
	w.now = w.now.Add(time.Hour)
	gone := &connector.Record{Anchor: p.list[0].Anchor, Gone: true}
	if _, err := w.prov.Submit(t.Context(), "dir", gone, connector.Cause{Kind: connector.CauseRequest}); err != nil {
		t.Fatal(err)
	}
	steps := 0
	w.replay(since, nil, func(s *provision.ReplayStep) error {
		if steps++; s.Plan.Run.Result != connector.ResultFailed || s.Plan.Run.Error == "" || len(s.Runs) > 0 {
			t.Errorf("%+v", s.Plan.Run)
		}
		return nil
	})
	if steps != 1 {
		t.Errorf("%d steps", steps)
	}
}

// TestReplaySeesOneOrganizationOnly: what the same source of another organization has said is in no replay.
func TestReplaySeesOneOrganizationOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keeping)
	w.sync(&people{list: crowd(5)}, connector.ResultOK)
	mine := w.org
	other := *w.org
	other.ID = "other"
	w.org = &other
	w.rebuild()
	w.sync(&people{list: crowd(50)[20:]}, connector.ResultOK)
	w.org = mine
	db, _ := w.replay(w.now.Add(-time.Hour), nil, nil)
	users, _, err := db.ListUsers(t.Context(), connector.UserQuery{Org: "other"})
	if err != nil || len(users) > 0 {
		t.Error(len(users), err)
	}
	users, _, err = db.ListUsers(t.Context(), connector.UserQuery{Org: mine.ID})
	if err != nil || len(users) != 5 {
		t.Error(len(users), err)
	}
}

func TestOrphansAreThoseWhomNoOtherSourceHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoSources)
	w.syncFrom("second", &people{list: crowd(30)}, connector.ResultOK)
	w.sync(&people{list: crowd(10)}, connector.ResultOK)
	w.syncFrom("second", &people{list: crowd(29)}, connector.ResultOK) // one has left already
	without := *w.org
	without.Sources = w.org.Sources[:1]
	if n, err := provision.Orphans(t.Context(), w.db, &without, "second"); err != nil || n != 19 {
		t.Error(n, err)
	}
	if n, err := provision.Orphans(t.Context(), w.db, w.org, "none"); err != nil || n != 0 {
		t.Error(n, err)
	}
}
