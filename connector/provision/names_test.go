package provision_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func unguarded(o *connector.Organization) {
	o.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
}

// named is person i with the user name and address of others.
func named(i, name, mail int) *connector.Record {
	return person(i, "uid", fmt.Sprintf("u%04d", name), "mail", fmt.Sprintf("u%04d@example.com", mail))
}

// holders says who has which names: the surname tells the person.
func (w *world) holders(n int) []string {
	w.t.Helper()
	var out []string
	for i := 1; i <= n; i++ {
		if u := w.user(fmt.Sprintf("u%04d", i)); u != nil {
			out = append(out, fmt.Sprintf("%s %s %s", u.UserName(), u.Profile.Get(connector.Email), u.Profile.Get(connector.FamilyName)))
		}
	}
	return out
}

func (w *world) reasons() map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for _, x := range w.items() {
		out[fmt.Sprint(x.Subject, " ", x.Reason)]++
	}
	return out
}

func TestNamesAreHandedOnInOneRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		list   []*connector.Record
		want   connector.Counts
		people []string
	}{
		"swap of addresses": {
			[]*connector.Record{named(1, 1, 2), named(2, 2, 1), person(3)},
			connector.Counts{Updated: 2, Unchanged: 1},
			[]string{"u0001 u0002@example.com Lee1", "u0002 u0001@example.com Lee2", "u0003 u0003@example.com Lee3"},
		},
		"ring of user names": {
			[]*connector.Record{named(1, 2, 1), named(2, 3, 2), named(3, 1, 3)},
			connector.Counts{Updated: 3},
			[]string{"u0001 u0003@example.com Lee3", "u0002 u0001@example.com Lee1", "u0003 u0002@example.com Lee2"},
		},
		"ring of both, crossing": {
			[]*connector.Record{named(1, 2, 3), named(2, 3, 1), named(3, 1, 2)},
			connector.Counts{Updated: 3},
			[]string{"u0001 u0002@example.com Lee3", "u0002 u0003@example.com Lee1", "u0003 u0001@example.com Lee2"},
		},
		"chain, its end last": {
			[]*connector.Record{named(1, 2, 2), named(2, 3, 3), named(3, 4, 4)},
			connector.Counts{Updated: 3},
			[]string{"u0002 u0002@example.com Lee1", "u0003 u0003@example.com Lee2", "u0004 u0004@example.com Lee3"},
		},
		"chain, its end first": {
			[]*connector.Record{named(3, 4, 4), named(2, 3, 3), named(1, 2, 2)},
			connector.Counts{Updated: 3},
			[]string{"u0002 u0002@example.com Lee1", "u0003 u0003@example.com Lee2", "u0004 u0004@example.com Lee3"},
		},
		"somebody new takes names, first": {
			[]*connector.Record{named(4, 1, 1), named(1, 5, 5), person(2), person(3)},
			connector.Counts{Created: 1, Updated: 1, Unchanged: 2},
			[]string{"u0001 u0001@example.com Lee4", "u0002 u0002@example.com Lee2", "u0003 u0003@example.com Lee3", "u0005 u0005@example.com Lee1"},
		},
		"somebody new takes names, last": {
			[]*connector.Record{named(1, 5, 5), person(2), person(3), named(4, 1, 1)},
			connector.Counts{Created: 1, Updated: 1, Unchanged: 2},
			[]string{"u0001 u0001@example.com Lee4", "u0002 u0002@example.com Lee2", "u0003 u0003@example.com Lee3", "u0005 u0005@example.com Lee1"},
		},
		"somebody new at the end of a chain": {
			[]*connector.Record{named(4, 1, 1), named(1, 2, 2), named(2, 6, 6), person(3)},
			connector.Counts{Created: 1, Updated: 2, Unchanged: 1},
			[]string{"u0001 u0001@example.com Lee4", "u0002 u0002@example.com Lee1", "u0003 u0003@example.com Lee3", "u0006 u0006@example.com Lee2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, unguarded)
			w.sync(&people{list: crowd(3)}, connector.ResultOK)
			p := &people{list: test.list}
			counts(t, w.sync(p, connector.ResultOK), test.want)
			if d := cmp.Diff(test.people, w.holders(9)); d != "" {
				t.Error(d)
			}
			if len(w.items()) > 0 {
				t.Errorf("%+v", w.reasons())
			}
			counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: len(test.list)})
		})
	}
}

// Who cannot have a name finds it held, as does everybody who waits for that person's names.
func TestNamesThatAreNotGivenUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		list []*connector.Record
		want map[string]int
	}{
		"the end of the chain stays": {
			[]*connector.Record{named(1, 1, 2), named(2, 2, 3), person(3)},
			map[string]int{"u0001 email_taken": 1, "u0002 email_taken": 1},
		},
		"one of the ring is refused for something else": {
			[]*connector.Record{named(1, 1, 2), named(2, 2, 3), person(3, "mail", "u0001@example.com", "sn", "")},
			map[string]int{"u0001 email_taken": 1, "u0002 email_taken": 1, "u0003 email_taken": 1, "u0003 required_missing": 1},
		},
		"two want what one gives up": {
			[]*connector.Record{named(1, 1, 3), named(2, 2, 3), named(3, 3, 7)},
			map[string]int{"u0001 email_taken": 1, "u0002 email_taken": 1},
		},
		"two want what one gives up who was first": {
			[]*connector.Record{named(3, 3, 7), named(1, 1, 3), named(2, 2, 3)},
			map[string]int{"u0001 email_taken": 1, "u0002 email_taken": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, unguarded)
			w.sync(&people{list: crowd(3)}, connector.ResultOK)
			for range 2 {
				if c := w.sync(&people{list: test.list}, connector.ResultOK).Run.Counts; c.Skipped > 0 {
					t.Errorf("%+v", c)
				}
				if d := cmp.Diff(test.want, w.reasons()); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// People who swap stand in one transaction, however far apart the directory names them.
func TestSwapAcrossChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, unguarded)
	p := &people{list: crowd(2500)}
	w.sync(p, connector.ResultOK)
	for i := range p.list {
		p.list[i] = person(i+1, "title", "Other")
	}
	for i := 1; i <= 30; i++ {
		p.list[i-1], p.list[2500-i] = named(i, 2501-i, 2501-i), named(2501-i, i, i)
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Updated: 2500})
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 2500})
}

// Whoever swaps with whom, all get their names in one run; where some want the same, they do as soon as that is
// repaired.
func TestRandomSwapsConverge(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	const n = 40
	w := newWorld(t, unguarded)
	w.sync(&people{list: crowd(n)}, connector.ResultOK)
	for round := range 12 {
		names, mails := r.Perm(n+5), r.Perm(n+5) // five of each are nobody's
		var list []*connector.Record
		var want []string
		for i := range n {
			list = append(list, named(i+1, names[i], mails[i]))
		}
		r.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
		if round%2 == 1 {
			bad := append([]*connector.Record(nil), list...)
			for range 4 {
				i := r.IntN(n)
				bad[i] = person(1, "uid", string(list[i].Values("uid")[0]), "mail", string(list[r.IntN(n)].Values("mail")[0]), "sn", string(list[i].Values("sn")[0]))
				bad[i].Anchor, bad[i].DN = list[i].Anchor, list[i].DN
			}
			if c := w.sync(&people{list: bad}, connector.ResultOK).Run.Counts; c.Created+c.Deactivated > 0 {
				t.Fatalf("seed %d, round %d: %+v", seed, round, c)
			}
		}
		c := w.sync(&people{list: list}, connector.ResultOK).Run.Counts
		if c.Updated+c.Unchanged != n {
			t.Fatalf("seed %d, round %d: %+v %v", seed, round, c, w.reasons())
		}
		for name := range n + 5 {
			for i := range n {
				if names[i] == name {
					want = append(want, fmt.Sprintf("u%04d u%04d@example.com Lee%d", name, mails[i], i+1))
				}
			}
		}
		got := w.holders(n + 4)
		if u := w.user("u0000"); u != nil {
			got = append([]string{fmt.Sprintf("u0000 %s %s", u.Profile.Get(connector.Email), u.Profile.Get(connector.FamilyName))}, got...)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("seed %d, round %d: %s", seed, round, d)
		}
	}
}
