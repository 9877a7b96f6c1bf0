package runs_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/runs"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
)

// world is a store with people, some of whom have accounts.
type world struct {
	t     *testing.T
	db    *store.DB
	r     *rand.Rand
	users map[int]*connector.User
}

// compared are how many people there are.
const compared = 400

// does has a run do something to everybody, and returns in words what it did last to whom.
func (w *world) does(source string) (*connector.Run, map[int]string) {
	w.t.Helper()
	run := &connector.Run{ID: connector.NewID(storetest.Start()), Org: storetest.Org, Source: source, Mode: connector.ModeFull, Result: connector.ResultOK, Finished: storetest.Start()}
	said := map[int]string{}
	err := w.db.Bulk(w.t.Context(), func(tx connector.Tx) error {
		if err := tx.PutRun(w.t.Context(), run); err != nil {
			return err
		}
		for n := range compared {
			for range one(w.r, 0, 1, 1, 1, 2) { // a run that grows may come to somebody twice
				words, err := w.do(tx, run, n)
				if err != nil {
					return err
				}
				said[n] = words
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return run, said
}

func (w *world) do(tx connector.Tx, run *connector.Run, n int) (words string, err error) {
	keep := func(c *connector.Change) error {
		if c.Source = run.Source; n%5 == 4 { // the source gives some no key
			c.Anchor = connector.Anchor{}
		}
		return tx.PutOutcomes(w.t.Context(), run.ID, []*connector.Change{c})
	}
	u := w.users[n]
	switch w.r.IntN(6) {
	case 0:
		return "failed email_taken no_seat", keep(storetest.Fail(n, connector.NoSeat, connector.EmailTaken))
	case 1:
		return "failed email_taken", keep(storetest.Fail(n, connector.EmailTaken))
	case 2:
		c := storetest.Fail(n)
		c.Action, c.Skip = connector.Skipped, connector.SkipProtected
		return "skipped protected", keep(c)
	case 3:
		c := storetest.Fail(n)
		if c.Action, c.Held = connector.Deactivated, true; u != nil {
			c.After, c.BaseVersion = u, u.Version
		}
		return "deactivated held", keep(c)
	}
	if n%5 == 4 {
		return "failed no_seat", keep(storetest.Fail(n, connector.NoSeat))
	}
	c := storetest.Create(n, "", storetest.Start())
	switch {
	case u == nil:
		c.Source, c.Link.Source = run.Source, run.Source
	case u.State == connector.Active && w.r.IntN(2) == 0:
		c = storetest.Deactivate(u, storetest.Start())
	case u.State == connector.Inactive:
		c = storetest.Reactivate(u, storetest.Start())
	default:
		c = storetest.Next(connector.Updated, u, storetest.Start(), func(u *connector.User) { u.Profile.Set("title", fmt.Sprint("T", u.Version)) })
	}
	c.Source = run.Source
	errs, err := tx.Save(w.t.Context(), []*connector.Change{c}, storetest.RunCause(run.ID), storetest.Start())
	if err == nil {
		err = errs[0]
	}
	w.users[n] = c.After
	return string(c.Action), err
}

func inWords(o *runs.Outcome) string {
	if o == nil {
		return ""
	}
	words := []string{string(o.Action)}
	for _, r := range o.Reasons {
		words = append(words, string(r))
	}
	if o.Skip != "" {
		words = append(words, string(o.Skip))
	}
	if o.Held {
		words = append(words, "held")
	}
	return strings.Join(words, " ")
}

// Whatever two runs did, the pages of their comparison together have each person once whose outcome differs, and nobody else.
func TestComparisonsHoldWhoseOutcomeDiffers(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &world{t: t, db: open(t), r: rand.New(rand.NewPCG(seed, 0)), users: map[int]*connector.User{}}
	a, saidA := w.does(storetest.Source)
	b, saidB := w.does(storetest.Source)
	names := map[string]int{}
	for n := range compared {
		names[storetest.Profile(n).Subject()] = n
	}
	want := map[int]string{}
	for n := range compared {
		if saidA[n] != saidB[n] {
			want[n] = saidA[n] + " | " + saidB[n]
		}
	}
	got := map[int]string{}
	limit := one(w.r, 7, 50, 500)
	for after := ""; ; {
		d, err := runs.Compare(t.Context(), w.db, a, b, after, limit)
		if err != nil || d.Old || len(d.People) > limit {
			t.Fatalf("%v, %d people", err, len(d.People))
		}
		for _, p := range d.People {
			name := p.Subject
			if p.User != nil {
				name = p.User.Profile.Subject()
			}
			n, known := names[name]
			if _, twice := got[n]; !known || twice {
				t.Errorf("%q is not known, or there twice", name)
			}
			got[n] = inWords(p.A) + " | " + inWords(p.B)
		}
		if after = d.Next; after == "" {
			break
		}
	}
	if !maps.Equal(got, want) {
		for n := range compared {
			if got[n] != want[n] {
				t.Errorf("%d: %q, want %q", n, got[n], want[n])
			}
		}
	}
	if same, err := runs.Compare(t.Context(), w.db, a, a, "", limit); err != nil || len(same.People) > 0 {
		t.Errorf("%v: %d people differ from themselves", err, len(same.People))
	}
}

// Of runs of two sources people are the same by their accounts.
func TestComparisonsOfTwoSources(t *testing.T) {
	t.Parallel()
	db := open(t)
	put := func(source string, f func(tx connector.Tx, run connector.ID) error) *connector.Run {
		run := &connector.Run{ID: connector.NewID(storetest.Start()), Org: storetest.Org, Source: source, Finished: storetest.Start().Add(time.Minute)}
		if err := db.Write(t.Context(), func(tx connector.Tx) error { return f(tx, run.ID) }); err != nil {
			t.Fatal(err)
		}
		return run
	}
	c := storetest.Create(1, "", storetest.Start())
	save := func(tx connector.Tx, run connector.ID, c *connector.Change) error {
		errs, err := tx.Save(t.Context(), []*connector.Change{c}, storetest.RunCause(run), storetest.Start())
		return max2(err, errs)
	}
	a := put(storetest.Source, func(tx connector.Tx, run connector.ID) error { return save(tx, run, c) })
	other := storetest.Next(connector.Updated, c.After, storetest.Start(), func(u *connector.User) { u.Profile.Set("title", "x") })
	link := *c.Link
	link.Source, link.Anchor = "lab", storetest.AnchorOf(99)
	other.Source, other.Anchor, other.Link = "lab", link.Anchor, &link
	put("lab", func(tx connector.Tx, run connector.ID) error { return save(tx, run, other) })
	b := put("lab", func(tx connector.Tx, run connector.ID) error {
		mine, stranger := storetest.Fail(99, connector.EmailTaken), storetest.Fail(1, connector.NoSeat) // the key of another source is no key here
		mine.Source, stranger.Source = "lab", "lab"
		stranger.Subject = "stranger"
		return tx.PutOutcomes(t.Context(), run, []*connector.Change{mine, stranger})
	})
	d, err := runs.Compare(t.Context(), db, a, b, "", 50)
	if err != nil || d.Next != "" || len(d.People) != 2 {
		t.Fatalf("%v %+v", err, d)
	}
	first, second := d.People[0], d.People[1]
	if first.User == nil || first.User.ID != c.After.ID || inWords(first.A) != "created" || inWords(first.B) != "failed email_taken" {
		t.Errorf("%+v: %s, %s", first, inWords(first.A), inWords(first.B))
	}
	if second.User != nil || second.Subject != "stranger" || second.A != nil || inWords(second.B) != "failed no_seat" {
		t.Errorf("%+v", second)
	}
	for _, text := range []string{"x", "4:" + connector.ID{}.String(), "-1:" + connector.ID{}.String(), "1:x"} {
		if _, err := runs.Compare(t.Context(), db, a, b, text, 50); connector.KindOf(err) != connector.Invalid || !strings.Contains(err.Error(), "no place") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func max2(err error, errs []error) error {
	if i := slices.IndexFunc(errs, func(e error) bool { return e != nil }); err == nil && i >= 0 {
		return errs[i]
	}
	return err
}
