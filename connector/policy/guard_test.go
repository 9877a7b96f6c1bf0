package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func TestRemovals(t *testing.T) {
	t.Parallel()
	guard := func(least int, percent float64) connector.Guard { return connector.Guard{Min: least, Percent: percent} }
	tests := []struct {
		guard           connector.Guard
		users, removals int
		want            string // "" = goes through
	}{
		{DefaultGuard(), 1000, 0, ""},
		{DefaultGuard(), 1000, 50, ""},
		{DefaultGuard(), 1000, 51, "51 removals are more than 10 and more than 5 % of 1,000 users"},
		{DefaultGuard(), 20, 10, ""},
		{DefaultGuard(), 20, 11, "11 removals are more than 10 and more than 5 % of 20 users"},
		{DefaultGuard(), 0, 11, "11 removals are more than 10 and more than 5 % of 0 users"},
		{DefaultGuard(), 1_000_000, 50_001, "50,001 removals are more than 10 and more than 5 % of 1,000,000 users"},
		{guard(0, 0), 1, 0, ""},
		{guard(0, 0), 1, 1, "1 removal is more than 0 and more than 0 % of 1 user"},
		{guard(-3, -5), 10, 1, "1 removal is more than 0 and more than 0 % of 10 users"},
		{guard(0, 0.1), 1000, 1, ""},
		{guard(0, 0.7), 3000, 21, ""}, // 3000*0.7/100 is 20.999999999999996
		{guard(0, 0.7), 3000, 22, "22 removals are more than 0 and more than 0.7 % of 3,000 users"},
		{guard(0, 100.0/3), 3, 1, ""},
		{guard(0, 100.0/3), 3, 2, "2 removals are more than 0 and more than 33.33 % of 3 users"},
		{guard(0, 100), 3, 3, ""},
		{guard(0, 0.001), 1000, 1, "1 removal is more than 0 and more than 0.001 % of 1,000 users"},
	}
	for _, tt := range tests {
		got, held := Removals(tt.guard, tt.users, tt.removals, 0)
		if got != tt.want || held != (tt.want != "") {
			t.Errorf("%+v, %d of %d: %q, %v; want %q", tt.guard, tt.removals, tt.users, got, held, tt.want)
		}
	}
}

func TestRemovalsOneByOneCountTogether(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	removed := []connector.RemovalCount{{At: now.Add(-RemovalWindow), N: 40}, {At: now.Add(-time.Minute), N: 6}, {At: now, N: 4}}
	recent, kept := Recent(removed, now)
	if recent != 10 || len(kept) != 2 {
		t.Errorf("recent: %d, %v", recent, kept)
	}
	if _, held := Removals(DefaultGuard(), 100, 0, 50); held {
		t.Error("no removal is held for what was removed before")
	}
	if why, held := Removals(DefaultGuard(), 100, 0+1, recent); !held || why != "1 removal, with 10 in the last hour, is more than 10 and more than 5 % of 100 users" {
		t.Errorf("%q, %v", why, held)
	}
	if _, held := Removals(DefaultGuard(), 100, 1, 9); held {
		t.Error("ten are allowed")
	}
}

func TestEmptyAnswer(t *testing.T) {
	t.Parallel()
	if got, empty := Empty(1204, 0); !empty || got != "the answer has no entries at all where 1,204 were known: check that the account may still read the base and that base and filter are right" {
		t.Errorf("%q, %v", got, empty)
	}
	for _, c := range [][2]int{{0, 0}, {5, 1}, {0, 5}} {
		if got, empty := Empty(c[0], c[1]); empty {
			t.Errorf("%v: %q", c, got)
		}
	}
}

func TestCliff(t *testing.T) {
	t.Parallel()
	before := Answer{1000, map[string]int{"mail": 998, "givenName": 1000, "photo": 40, "fax": 12, "pager": 9}}
	with := func(entries int, present map[string]int) Answer { return Answer{entries, present} }
	tests := map[string]struct {
		guard connector.Guard
		now   Answer
		want  []string
	}{
		"nothing changed":                 {DefaultGuard(), before, nil},
		"half the directory went":         {DefaultGuard(), with(500, map[string]int{"mail": 499, "givenName": 500, "photo": 20, "fax": 6}), nil},
		"exactly half lost it":            {DefaultGuard(), with(1000, map[string]int{"mail": 499, "givenName": 1000, "photo": 40, "fax": 12}), nil},
		"few lost it":                     {DefaultGuard(), with(1000, map[string]int{"mail": 998, "givenName": 1000, "photo": 40, "fax": 3}), nil},
		"no answer is for Empty to judge": {DefaultGuard(), with(0, nil), nil},
		"rights were lost": {DefaultGuard(), with(1010, map[string]int{"givenName": 1010, "photo": 3, "fax": 12, "pager": 9}), []string{
			"mail: 0 of 1,010 entries have it, 998 of 1,000 had it at the last complete read",
			"photo: 3 of 1,010 entries have it, 40 of 1,000 had it at the last complete read",
		}},
		"zero means fifty":       {connector.Guard{}, with(1000, map[string]int{"mail": 600, "givenName": 1000, "photo": 40, "fax": 12}), nil},
		"a hundred switches off": {connector.Guard{AttributePercent: 100}, with(1000, nil), nil},
		"a sharper guard": {connector.Guard{AttributePercent: 10}, with(1000, map[string]int{"mail": 880, "givenName": 1000, "photo": 40, "fax": 12}), []string{
			"mail: 880 of 1,000 entries have it, 998 of 1,000 had it at the last complete read",
		}},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, Cliff(tt.guard, before, tt.now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := Cliff(DefaultGuard(), Answer{}, before); got != nil {
		t.Errorf("first read: %q", got)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	got := Changes(DefaultGuard(), 1000, map[string]int{"givenName": 501, "email": 500, "userName": 1000})
	want := []string{
		"First Name would change for 501 of 1,000 users, more than 50 %",
		"User Name would change for 1,000 of 1,000 users, more than 50 %",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Changes(DefaultGuard(), 9, map[string]int{"email": 9}); got != nil {
		t.Errorf("a small directory: %q", got)
	}
}

func TestGuardOfGroups(t *testing.T) {
	t.Parallel()
	g := connector.Guard{Min: 10, Percent: 5}
	for _, c := range []struct {
		r    GroupRemovals
		want string
	}{
		{GroupRemovals{}, ""},
		{GroupRemovals{Groups: 12, Deleted: 10, Members: 100, Removed: 10}, ""},
		{GroupRemovals{Groups: 12, Deleted: 11, Members: 10_000, Removed: 11}, "11 groups would be deleted, more than 10 and more than 5 % of 12 groups"},
		{GroupRemovals{Groups: 1000, Deleted: 11, Members: 10_000, Removed: 500}, ""},
		{GroupRemovals{Groups: 1000, Deleted: 1, Members: 10_000, Removed: 501}, "501 memberships would be removed, more than 10 and more than 5 % of 10,000 memberships"},
	} {
		if got, held := Groups(g, c.r); got != c.want || held != (c.want != "") {
			t.Errorf("%+v: %q %v, want %q", c.r, got, held, c.want)
		}
	}
	if got, held := Groups(connector.Guard{}, GroupRemovals{Groups: 1, Deleted: 1}); !held || got == "" {
		t.Error("the zero guard lets a group go")
	}
}
