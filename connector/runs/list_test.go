package runs_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/runs"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
)

func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), newstore.URL(t), store.Options{Now: storetest.Start})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func one[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// Whatever is asked for, the pages of a list together hold each run once that fits, in order, and say what was left out.
func TestPagesHoldWhatFits(t *testing.T) {
	t.Parallel()
	db, seed := open(t), rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	now := storetest.Start()
	var all []*connector.Run
	put := func(tx connector.Tx) error {
		for n := range 1300 { // more than are looked at for one page
			at := now.Add(time.Duration(n-1300) * time.Hour)
			x := &connector.Run{
				ID: connector.NewID(at), Org: "acme", Source: one(r, "hq", "lab"), Mode: one(r, connector.ModeFull, connector.ModeChanges),
				Actor: one(r, "schedule", "live", "cli:root", "console:ann", "api:1234"), Result: one(r, connector.ResultOK, connector.ResultOK, connector.ResultFailed),
				Counts: connector.Counts{Created: one(r, 0, 0, 0, 0, 7)}, Started: at, Finished: at.Add(time.Minute),
			}
			if n%100 == 0 {
				x.Result, x.Hold = connector.ResultHeld, &connector.Hold{Status: connector.HoldOpen, Expires: now.Add(time.Duration(n-600) * time.Hour)}
			}
			all = append(all, x)
			if err := tx.PutRun(t.Context(), x); err != nil {
				return err
			}
		}
		return nil
	}
	if err := db.Bulk(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	day := now.AddDate(0, 0, -20)
	for name, x := range map[string]struct {
		choice runs.Choice
		fits   func(*connector.Run) bool
	}{
		"all":      {runs.Choice{}, func(*connector.Run) bool { return true }},
		"trigger":  {runs.Choice{Trigger: runs.Manual}, func(r *connector.Run) bool { return r.Actor == "cli:root" || r.Actor == "console:ann" }},
		"mode":     {runs.Choice{Mode: connector.ModeChanges}, func(r *connector.Run) bool { return r.Mode == connector.ModeChanges }},
		"result":   {runs.Choice{Result: connector.ResultFailed}, func(r *connector.Run) bool { return r.Result == connector.ResultFailed }},
		"decision": {runs.Choice{Decision: connector.HoldExpired}, func(r *connector.Run) bool { return r.Hold != nil && !r.Hold.Expires.After(now) }},
		"changes":  {runs.Choice{Changes: 7}, func(r *connector.Run) bool { return r.Counts.Created == 7 }},
		"nothing":  {runs.Choice{Changes: 8}, func(*connector.Run) bool { return false }},
		"loud":     {runs.Choice{Loud: true}, func(r *connector.Run) bool { return r.Counts.Created > 0 || r.Result != connector.ResultOK }},
		"day": {runs.Choice{RunFilter: connector.RunFilter{From: day, Until: day.AddDate(0, 0, 1), Source: "lab"}}, func(r *connector.Run) bool {
			return r.Source == "lab" && !r.Finished.Before(day) && r.Finished.Before(day.AddDate(0, 0, 1))
		}},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(r *connector.Run) bool { return !x.fits(r) })
		slices.Reverse(want)
		var got []*connector.Run
		quiet := 0
		for x.choice.Org, x.choice.Limit = "acme", one(r, 3, 50); ; {
			p, err := runs.List(t.Context(), db, &x.choice, now)
			if err != nil {
				t.Fatal(name, err)
			}
			got, quiet = append(got, p.Runs...), quiet+p.Quiet
			if x.choice.Before = p.Next; p.Next.IsZero() {
				break
			}
		}
		if !slices.EqualFunc(got, want, func(a, b *connector.Run) bool { return a.ID == b.ID }) {
			t.Errorf("%s: %d runs, want %d", name, len(got), len(want))
		}
		if name == "loud" && quiet != len(all)-len(want) {
			t.Errorf("%d are quiet, want %d", quiet, len(all)-len(want))
		}
	}
}

// counting counts what is read.
type counting struct {
	runs.Lister
	read int
}

func (c *counting) Runs(ctx context.Context, f connector.RunFilter) ([]*connector.Run, error) {
	list, err := c.Lister.Runs(ctx, f)
	c.read += len(list)
	return list, err
}

// However little fits, a page looks at so many runs only, and the next one goes on from there.
func TestAPageLooksAtSoManyRunsOnly(t *testing.T) {
	t.Parallel()
	db := open(t)
	err := db.Bulk(t.Context(), func(tx connector.Tx) error {
		for range 1500 {
			r := &connector.Run{ID: connector.NewID(storetest.Start()), Org: "acme", Source: "hq", Result: connector.ResultOK, Finished: storetest.Start()}
			if err := tx.PutRun(t.Context(), r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{Lister: db}
	p, err := runs.List(t.Context(), c, &runs.Choice{RunFilter: connector.RunFilter{Org: "acme", Limit: 50}, Loud: true}, storetest.Start())
	if err != nil || len(p.Runs) != 0 || p.Next.IsZero() || p.Quiet != 500 || c.read != 500 {
		t.Errorf("%v: %d runs, %d quiet, %d were read", err, len(p.Runs), p.Quiet, c.read)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	var list []*connector.Run
	took := func(result connector.Result, mode connector.Mode, seconds ...int) {
		for _, n := range seconds {
			list = append(list, &connector.Run{Mode: mode, Result: result, Started: storetest.Start(), Finished: storetest.Start().Add(time.Duration(n) * time.Second)})
		}
	}
	want := func(seconds float64) {
		t.Helper()
		if got := runs.Median(list, connector.ModeFull).Seconds(); got != seconds {
			t.Errorf("%v s, want %v", got, seconds)
		}
	}
	want(0)
	took(connector.ResultOK, connector.ModeFull, 9)
	want(0)
	took(connector.ResultFailed, connector.ModeFull, 1, 1, 1)
	took(connector.ResultOK, connector.ModeChanges, 1, 1, 1)
	list = append(list, &connector.Run{Mode: connector.ModeFull, Result: connector.ResultRunning})
	want(0)
	took(connector.ResultPartial, connector.ModeFull, 2)
	want(5.5)
	took(connector.ResultHeld, connector.ModeFull, 4)
	want(4)
	for range 40 { // longer ago than counts
		took(connector.ResultOK, connector.ModeFull, 100)
	}
	want(100)
}
