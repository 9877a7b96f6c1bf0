package provision_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
	"usherd/connector/provision"
)

// Whatever has happened, explaining it never fails, each value is what the fold gives and names its
// source, and so is the past.
func TestEveryHistoryCanBeExplained(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	w := newWorld(t, func(o *connector.Organization) {
		twoSources(o)
		o.Owners = map[string][]string{connector.FamilyName: {"second"}, "title": {"second", "dir"}}
		o.Packages[0].Seats = 25
	})
	a, b := &people{}, &people{}
	for i := 1; i <= 30; i++ {
		a.list = append(a.list, person(i, "title", fmt.Sprintf("T%d", i)))
		if r.IntN(3) > 0 {
			b.list = append(b.list, inSecond(person(i, "sn", fmt.Sprintf("Other%d", i))))
		}
	}
	ids := map[connector.ID]bool{}
	for range rounds(12) {
		source, p := "dir", a
		if r.IntN(2) == 0 {
			source, p = "second", b
		}
		mutate(r, p, 8)
		if at := r.IntN(len(p.list)); r.IntN(2) == 0 { // gone, or created anew
			anew := p.list[at].Clone()
			anew.Anchor.Raw = fmt.Sprintf("%s%07d", anew.Anchor.Raw[:9], r.IntN(1e7))
			p.list = append(p.list[:at:at], p.list[at+1:]...)
			if r.IntN(2) == 0 {
				p.list = append(p.list, anew)
			}
		}
		w.now = w.now.Add(time.Duration(r.IntN(8)) * day)
		w.syncFrom(source, p, connector.ResultOK)
		w.administer(r)
		for name := range w.picture() {
			ids[w.user(name).ID] = true
		}
		for id := range ids {
			w.explainable(id, w.now.Add(-time.Duration(r.IntN(20))*day), seed)
		}
	}
}

// administer does something at random to a few users.
func (w *world) administer(r *rand.Rand) {
	w.t.Helper()
	for range 3 {
		name := fmt.Sprintf("u%04d", 1+r.IntN(30))
		if w.user(name) == nil {
			continue
		}
		c := command(w, name)
		var err error
		switch r.IntN(5) {
		case 0:
			_, err = w.prov.Deactivate(w.t.Context(), c)
		case 1:
			_, err = w.prov.Reactivate(w.t.Context(), c)
		case 2:
			_, err = w.prov.SetPackage(w.t.Context(), c, "", false)
		case 3:
			_, err = w.prov.SetPackage(w.t.Context(), c, "", true)
		case 4:
			_, err = w.prov.Delete(w.t.Context(), c)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) explainable(id connector.ID, past time.Time, seed uint64) {
	w.t.Helper()
	e, err := w.prov.Explain(w.t.Context(), provision.ExplainRequest{Say: english, User: id})
	if err != nil {
		w.t.Fatalf("seed %d: %v", seed, err)
	}
	users, err := w.db.Users(w.t.Context(), "acme", []connector.ID{id})
	if err != nil {
		w.t.Fatal(err)
	}
	links, err := w.db.UserLinks(w.t.Context(), "acme", id)
	if err != nil {
		w.t.Fatal(err)
	}
	folded, _, _ := policy.Fold(w.org, records(users[0], links))
	for _, x := range e.Attributes {
		if x.Source == "" || !slices.Equal(x.Values, users[0].Profile[x.Name]) || x.Since.IsZero() {
			w.t.Fatalf("seed %d: %+v", seed, x)
		}
		if users[0].State.Live() && !x.Kept && !slices.Equal(x.Values, folded[x.Name]) {
			w.t.Fatalf("seed %d: %+v, but the fold gives %q", seed, x, folded[x.Name])
		}
		if users[0].State.Live() && x.Kept {
			w.t.Fatalf("seed %d: nobody broke a rule, but %+v", seed, x)
		}
	}
	if len(e.Attributes) != len(users[0].Profile) || len(e.Why) == 0 || users[0].State != e.State {
		w.t.Fatalf("seed %d: %+v", seed, e)
	}
	_, err = w.prov.Explain(w.t.Context(), provision.ExplainRequest{Say: english, User: id, At: past})
	if early := past.Before(users[0].CreatedAt); (connector.KindOf(err) == connector.NotFound) != early || !early && err != nil {
		w.t.Fatalf("seed %d: at %v: %v", seed, past, err)
	}
}

// records are what counts of the links of a user, said once more than in provision.
func records(u *connector.User, links []connector.Link) []policy.Contribution {
	var all, here []policy.Contribution
	for _, l := range links {
		c := policy.Contribution{Source: l.Source, Profile: l.Profile}
		if c.Profile == nil {
			c.Profile = u.Profile
		}
		all = append(all, c)
		if l.Standing != connector.StandingGone && l.Standing != connector.StandingOutOfScope {
			here = append(here, c)
		}
	}
	if here == nil {
		return all
	}
	return here
}
