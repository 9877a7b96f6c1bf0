package provision_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func twoSources(o *connector.Organization) {
	o.Sources = append(o.Sources, connector.SourceSettings{
		ID: "second", Kind: connector.Directory, FirstRun: connector.FirstRunApply, Fingerprint: connector.Hash{2},
		Guard: connector.Guard{Min: 1 << 20},
	})
	o.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	o.Sources[1].Guard.AttributePercent = 100
}

// picture is what matters of all users, by name.
func (w *world) picture() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	after := ""
	for {
		users, next, err := w.db.ListUsers(w.t.Context(), connector.UserQuery{Org: w.org.ID, After: after})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, u := range users {
			out[u.UserName()] = fmt.Sprint(u.State, u.Resume, u.DeactivatedBy, u.DeactivatedSource, u.Package, u.Profile)
		}
		if after = next; after == "" {
			return out
		}
	}
}

// mutate changes a source at random.
func mutate(r *rand.Rand, p *people, n int) {
	for range n {
		i := r.IntN(len(p.list))
		rec := p.list[i].Clone()
		switch r.IntN(6) {
		case 0:
			rec.Enabled = connector.EnabledNo
		case 1:
			rec.Enabled = connector.EnabledYes
		case 2:
			rec.Attributes[2].Values = [][]byte{fmt.Appendf(nil, "Name%d", r.IntN(1000))}
		case 3:
			rec.DN = fmt.Sprintf("uid=x%d,ou=moved", i)
		case 4:
			rec.OutOfScope = "OU excluded"
		case 5:
			rec.OutOfScope = ""
		}
		p.list[i] = rec
	}
}

// The same records give the same users, in any order of arrival of sources of different priority
// (domain.md, invariant 7).
func TestOrderOfSourcesDoesNotMatter(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	one, two := newWorld(t, twoSources), newWorld(t, twoSources)
	a, b := &people{}, &people{}
	for i := 1; i <= 60; i++ {
		if r.IntN(4) > 0 {
			a.list = append(a.list, person(i, "title", fmt.Sprintf("T%d", i)))
		}
		if r.IntN(4) > 0 {
			other := person(i, "sn", fmt.Sprintf("Other%d", i))
			other.Anchor.Raw = fmt.Sprintf("second-%09d", i)
			b.list = append(b.list, other)
		}
	}
	for round := range 6 {
		for range 2 { // a person skipped as new and disabled is decided again once somebody else has brought it
			one.syncFrom("dir", a, connector.ResultOK)
			one.syncFrom("second", b, connector.ResultOK)
			two.syncFrom("second", b, connector.ResultOK)
			two.syncFrom("dir", a, connector.ResultOK)
		}
		if diff := cmp.Diff(one.picture(), two.picture()); diff != "" {
			t.Fatalf("seed %d, round %d: %s", seed, round, diff)
		}
		mutate(r, a, 12)
		mutate(r, b, 12)
	}
}

// Applying a plan leaves nothing to do.
func TestSecondRunFindsNothingToDo(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	w := newWorld(t, func(o *connector.Organization) {
		o.Sources[0].Guard = connector.Guard{Min: 1 << 20, AttributePercent: 100}
	})
	p := &people{list: crowd(80)}
	for round := range 8 {
		w.sync(p, connector.ResultOK)
		c := w.sync(p, connector.ResultOK).Run.Counts
		if n := c.Created + c.Updated + c.Reactivated + c.Deactivated + c.Deleted; n > 0 {
			t.Fatalf("seed %d, round %d: %+v", seed, round, c)
		}
		mutate(r, p, 20)
		if at := r.IntN(len(p.list)); r.IntN(2) == 0 {
			p.list = append(p.list[:at:at], p.list[at+1:]...)
		}
	}
}
