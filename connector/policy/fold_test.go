package policy

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func folding() *connector.Organization {
	return &connector.Organization{
		Sources:        []connector.SourceSettings{{ID: "hr"}, {ID: "ad", Package: "basic"}, {ID: "scim"}},
		Owners:         map[string][]string{"phone": {"scim", "ad"}, "photo": {"gone"}},
		DefaultPackage: "free",
	}
}

func TestFirstSourceWithAValueOwnsTheAttribute(t *testing.T) {
	t.Parallel()
	profile, owners, pkg := Fold(folding(), []Contribution{
		{Source: "scim", Profile: connector.Profile{"phone": {"3"}, "title": {"c"}}, Package: "pro"},
		{Source: "gone", Profile: connector.Profile{"fax": {"9"}, "photo": {"z"}, "title": {"z"}}},
		{Source: "hr", Profile: connector.Profile{"title": {"a", "b"}, "phone": {"1"}, "photo": {"x"}, "locale": {}}},
		{Source: "ad", Profile: connector.Profile{"title": {"b"}, "locale": {"sv"}}},
	})
	wantProfile := connector.Profile{"phone": {"3"}, "title": {"a", "b"}, "photo": {"z"}, "fax": {"9"}, "locale": {"sv"}}
	wantOwners := map[string]string{"phone": "scim", "title": "hr", "photo": "gone", "fax": "gone", "locale": "ad"}
	if diff := cmp.Diff(wantProfile, profile); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantOwners, owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if pkg != "basic" {
		t.Errorf("package %q, want that of the settings of ad, which stands before scim", pkg)
	}
}

func TestPackageOfOneSource(t *testing.T) {
	t.Parallel()
	tests := []struct {
		c    Contribution
		want string
	}{
		{Contribution{Source: "ad", Package: "pro"}, "pro"},
		{Contribution{Source: "ad"}, "basic"},
		{Contribution{Source: "hr"}, "free"},
		{Contribution{Source: "gone"}, "free"},
	}
	for _, tt := range tests {
		if _, _, got := Fold(folding(), []Contribution{tt.c}); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.c, got, tt.want)
		}
	}
	if p, owners, pkg := Fold(folding(), nil); len(p)+len(owners) != 0 || pkg != "free" {
		t.Errorf("nobody: %v %v %q", p, owners, pkg)
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	sources := []string{"", "zz", "hr", "ad", "aa", "scim"}
	for attribute, want := range map[string][]string{
		"title": {"hr", "ad", "scim", "aa", "zz", ""},
		"phone": {"scim", "ad", "hr", "aa", "zz", ""},
	} {
		if diff := cmp.Diff(want, Owners(folding(), attribute, sources)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", attribute, diff)
		}
	}
	if sources[1] != "zz" {
		t.Error("the argument was sorted")
	}
}

// TestOrderOfArrivalDoesNotMatter is invariant 7 of the domain.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"title", "phone", "photo", "fax", "email"}
	for range 2000 {
		cs := make([]Contribution, 2+rnd.IntN(5))
		for i := range cs { // "ad" may come twice: even then
			cs[i] = Contribution{Source: []string{"hr", "ad", "scim", "gone", "new", ""}[rnd.IntN(6)], Profile: connector.Profile{}}
			cs[i].Package = []string{"", "a", "b"}[rnd.IntN(3)]
			for _, n := range names {
				if rnd.IntN(2) == 0 {
					cs[i].Profile[n] = []string{strconv.Itoa(rnd.IntN(3))}
				}
			}
		}
		profile, owners, pkg := Fold(folding(), cs)
		mixed := slices.Clone(cs)
		rnd.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		p, o, k := Fold(folding(), mixed)
		if !p.Equal(profile) || cmp.Diff(o, owners) != "" || k != pkg {
			t.Fatalf("%+v\n%v %v %q\n%+v\n%v %v %q", cs, profile, owners, pkg, mixed, p, o, k)
		}
	}
}
