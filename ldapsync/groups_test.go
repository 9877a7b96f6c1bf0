package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"usherd/connector"
)

func keysOf(t *testing.T, h dnHasher, dns ...string) []dnKey {
	t.Helper()
	keys := make([]dnKey, len(dns))
	for i, dn := range dns {
		folded, err := foldDN(dn)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = h.key([]byte(folded))
	}
	return keys
}

func TestClosureFollowsNestedGroupsAndEndsInCircles(t *testing.T) {
	t.Parallel()
	h := newDNHasher()
	groups := map[string]*group{
		"cn=a": {members: keysOf(t, h, "cn=ann", "cn=b"), nested: []string{"CN=B", "cn=c"}, rid: 1001},
		"cn=b": {members: keysOf(t, h, "cn=bob", "cn=c"), nested: []string{"cn=C"}, rid: 1002},
		"cn=c": {members: keysOf(t, h, "cn=cyd", "cn=a"), nested: []string{"cn=a", "cn=c"}},
		"cn=d": {members: keysOf(t, h, "cn=dan")},
	}
	reads := 0
	set, err := closeOver([]string{"cn=a"}, func(dn string) (*group, error) {
		reads++
		return groups[strings.ToLower(dn)], nil
	})
	if err != nil || reads != 3 {
		t.Fatalf("%d groups read, %v; want 3", reads, err)
	}
	for i, k := range keysOf(t, h, "cn=ann", "cn=bob", "cn=cyd", "cn=dan", "cn=nobody") {
		if got := set.has(k, 0); got != (i < 3) {
			t.Errorf("person %d is a member: %v", i, got)
		}
	}
	stranger := keysOf(t, h, "cn=nobody")[0]
	for rid, want := range map[uint32]bool{1001: true, 1002: true, 513: false, 0: false} {
		if got := set.has(stranger, rid); got != want {
			t.Errorf("with the primary group %d: %v", rid, got)
		}
	}
}

func TestClosureFailsWithAnyGroup(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	_, err := closeOver([]string{"cn=a"}, func(dn string) (*group, error) {
		if dn == "cn=b" {
			return nil, broken
		}
		return &group{nested: []string{"cn=b"}}, nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// ranged is a directory of one group, as Active Directory hands it out.
type ranged struct {
	members []string
	size    int
	usn     func() string
	edit    func(*entry) // of every answer
	asked   []string
}

func (r *ranged) search(_ context.Context, req searchRequest, yield func(*entry) error) (searchEnd, error) {
	e := &entry{DN: []byte(req.Base)}
	for i, name := range req.Attributes {
		r.asked = append(r.asked, name)
		name, option, _ := strings.Cut(name, ";")
		switch {
		case name == "uSNChanged":
			e.Attributes = append(e.Attributes, attribute{Index: i, Values: list(r.usn())})
		case name == "member" && option == "":
			e.Attributes = append(e.Attributes, attribute{Index: i}, r.part(i, 0))
		case name == "member":
			from := 0
			if _, err := fmt.Sscanf(option, "range=%d-*", &from); err != nil {
				return searchEnd{}, err
			}
			e.Attributes = append(e.Attributes, r.part(i, from))
		}
	}
	if r.edit != nil {
		r.edit(e)
	}
	return searchEnd{Complete: true, Entries: 1}, yield(e)
}

func (r *ranged) part(index, from int) attribute {
	if from+r.size >= len(r.members) {
		return attribute{Index: index, Option: fmt.Sprintf("range=%d-*", from), Values: list(r.members[min(from, len(r.members)):]...)}
	}
	to := from + r.size
	return attribute{Index: index, Option: fmt.Sprintf("range=%d-%d", from, to-1), Values: list(r.members[from:to]...)}
}

func manyMembers(n int) []string {
	dns := make([]string, n)
	for i := range dns {
		dns[i] = fmt.Sprintf("CN=u%d,DC=lab", i)
	}
	return dns
}

func still() string { return "100" }

func readRanged(t *testing.T, r *ranged) (*group, error) {
	t.Helper()
	g := &groupReader{c: r, hash: newDNHasher(), groups: map[dnKey]struct{}{}, read: map[string]*group{}}
	return g.group(t.Context(), "CN=All,DC=lab")
}

func TestGroupIsReadToTheStar(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 9, 10, 11, 20, 35} {
		r := &ranged{members: manyMembers(n), size: 10, usn: still}
		g, err := readRanged(t, r)
		if err != nil || len(g.members) != n {
			t.Errorf("%d members: %v, %v", n, g, err)
		}
	}
	r := &ranged{members: manyMembers(25), size: 10, usn: still}
	if _, err := readRanged(t, r); err != nil {
		t.Fatal(err)
	}
	want := []string{"member", "uniqueMember", "objectSid", "uSNChanged", "member;range=10-*", "member;range=20-*", "uSNChanged"}
	if !slices.Equal(r.asked, want) {
		t.Errorf("asked for %q, want %q", r.asked, want)
	}
}

func TestGroupThatChangesIsReadAgain(t *testing.T) {
	t.Parallel()
	usn := []string{"1", "2", "2", "2"}
	r := &ranged{members: manyMembers(25), size: 10}
	r.usn = func() string {
		next := usn[0]
		usn = usn[1:]
		return next
	}
	g, err := readRanged(t, r)
	if err != nil || len(g.members) != 25 || len(usn) != 0 {
		t.Errorf("%v, %v, %d answers left", g, err, len(usn))
	}
	n := 0
	r = &ranged{members: manyMembers(25), size: 10, usn: func() string { n++; return strconv.Itoa(n) }}
	_, err = readRanged(t, r)
	if connector.KindOf(err) != connector.Incomplete || !strings.Contains(err.Error(), "changed while they were read") {
		t.Errorf("a group that never rests: %v", err)
	}
}

func TestGroupWithoutAllItsRangesIsAnError(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*entry){
		"the rest is missing": func(e *entry) {
			if len(e.Attributes) == 1 {
				e.Attributes = nil
			}
		},
		"a gap": func(e *entry) {
			if a := &e.Attributes[len(e.Attributes)-1]; a.Option == "range=10-19" {
				a.Option = "range=11-20"
			}
		},
		"begins in the middle": func(e *entry) {
			for i := range e.Attributes {
				if a := &e.Attributes[i]; a.Option == "range=0-9" {
					a.Option = "range=1-10"
				}
			}
		},
		"the same part for ever": func(e *entry) {
			for i := range e.Attributes {
				if a := &e.Attributes[i]; a.Option == "range=20-*" {
					a.Option = "range=10-19"
				}
			}
		},
		"not a range": func(e *entry) {
			for i := range e.Attributes {
				if a := &e.Attributes[i]; a.Option == "range=0-9" {
					a.Option = "range=all"
				}
			}
		},
		"a member that is no DN": func(e *entry) {
			for i := range e.Attributes {
				if a := &e.Attributes[i]; len(a.Values) == 10 {
					a.Values[3] = []byte("nonsense")
				}
			}
		},
	} {
		r := &ranged{members: manyMembers(25), size: 10, usn: still, edit: edit}
		if g, err := readRanged(t, r); err == nil {
			t.Errorf("%s: %d members and no error", name, len(g.members))
		}
	}
}

func TestParseRange(t *testing.T) {
	t.Parallel()
	for option, want := range map[string]valueRange{
		"range=0-1499":                 {0, 1499, false},
		"range=1500-*":                 {1500, -1, true},
		"range=0-*":                    {0, -1, true},
		"range=0-0":                    {0, 0, false},
		"range=1500-1499":              {},
		"range=-1-5":                   {},
		"range=1500":                   {},
		"range=a-b":                    {},
		"range=":                       {},
		"binary":                       {},
		"range=0-99999999999999999999": {},
	} {
		got, ok := parseRange(option)
		if got != want || ok != (want != valueRange{} || option == "range=0-0") {
			t.Errorf("parseRange(%q) = %+v, %v", option, got, ok)
		}
	}
}
