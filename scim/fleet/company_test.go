package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// after is a company after some days.
func after(seed uint64) *Company {
	c := NewCompany(seed, "example.test", 60, 8)
	for range 10 {
		c.Day(50)
	}
	return c
}

func TestSeedMakesTheSameCompany(t *testing.T) {
	t.Parallel()
	a, b := after(7), after(7)
	if diff := cmp.Diff(a.people, b.people) + cmp.Diff(a.teams, b.teams); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(a.people, after(8).people) {
		t.Error("another seed makes the same company")
	}
}

// A name is never given twice, whoever is deleted is nowhere, and everything happens.
func TestCompaniesAreWhole(t *testing.T) {
	t.Parallel()
	c := after(3)
	names := map[string]bool{}
	var gone, off, managed, empty, dissolved, members int
	for _, p := range c.people {
		if names[p.UserName] || names[p.Email] {
			t.Errorf("%s or %s is there twice", p.UserName, p.Email)
		}
		names[p.UserName], names[p.Email] = true, true
		if m := c.byKey[p.Manager]; p.Manager != "" && (p.Gone || m.Gone || m == p) {
			t.Errorf("%+v has the manager %+v", p, m)
		}
		for n, is := range map[*int]bool{&gone: p.Gone, &off: !p.Enabled, &managed: p.Manager != ""} {
			if is {
				*n++
			}
		}
	}
	for _, team := range c.teams {
		for _, key := range team.members() {
			if members++; c.byKey[key].Gone || team.Gone {
				t.Errorf("%s is in %+v", key, team)
			}
		}
		for n, is := range map[*int]bool{&dissolved: team.Gone, &empty: len(team.Members) == 0} {
			if is {
				*n++
			}
		}
	}
	if min(gone, off, managed, empty, dissolved, members) == 0 {
		t.Errorf("of %d people %d are gone, %d disabled, %d have a manager; %d teams are empty, %d dissolved, %d memberships", len(c.people), gone, off, managed, empty, dissolved, members)
	}
}
