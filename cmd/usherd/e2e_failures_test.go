package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/ldapsync/ldaptest"
)

// faulty are the ways in which an entry can be wrong, with the failure that each must give.
var faulty = []struct {
	name, reason string
	fields       string
	spoil        func(i int, a ldaptest.Attrs)
}{
	{"no mail", "required_missing", "email", func(_ int, a ldaptest.Attrs) { delete(a, "mail") }},
	{"no surname", "required_missing", "familyName", func(_ int, a ldaptest.Attrs) { delete(a, "sn") }},
	{"only blanks", "required_missing", "givenName", func(_ int, a ldaptest.Attrs) { a["givenName"] = []string{"  "} }},
	{"no address", "email_invalid", "email", func(i int, a ldaptest.Attrs) { a["mail"] = []string{fmt.Sprintf("p%d at example", i)} }},
	{"too long", "attribute_too_long", "displayName", func(_ int, a ldaptest.Attrs) { a["displayName"] = []string{strings.Repeat("x", 100_000)} }},
	{"not UTF-8", "attribute_invalid", "title", func(_ int, a ldaptest.Attrs) { a["title"] = []string{"\xff\xfe"} }},
}

// oneIn is the share of faulty entries: 5 %.
const oneIn = 20

func TestFaultyEntriesStopNobodyElse(t *testing.T) {
	t.Parallel()
	n := 100_000
	switch {
	case raceEnabled:
		n = 2000
	case testing.Short():
		n = 10_000
	}
	d, block := fake(t, ldaptest.Options{})
	wrong := map[string]int{} // subject -> kind of fault
	for i := range n {
		dn, a := person(i + 1)
		if i%oneIn == 0 {
			kind := i / oneIn % len(faulty)
			wrong[a["userPrincipalName"][0]] = kind
			faulty[kind].spoil(i, a)
		}
		if err := d.Add(dn, a); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, oneSource(block))
	start := time.Now()
	run := r.sync(exitFailed)
	t.Logf("%d people, %d of them faulty: %s", n, len(wrong), time.Since(start).Round(time.Millisecond))
	if run.Counts.Created != n-len(wrong) || run.Counts.Failed != len(wrong) {
		t.Errorf("%+v, want %d failed and all others created", run.Counts, len(wrong))
	}
	first := r.items(wrong, 1)
	if run = r.sync(exitFailed); run.Counts.Failed != len(wrong) || run.Counts.Unchanged != n-len(wrong) {
		t.Errorf("the second run: %+v", run.Counts)
	}
	for subject, f := range r.items(wrong, 2) {
		if was := first[subject]; f.Ref != was.Ref || !f.FirstSeen.Equal(was.FirstSeen) || !f.LastSeen.After(was.LastSeen) {
			t.Errorf("%s: %+v, it was %+v", subject, f, was)
		}
	}
	for i := 0; i < n; i += oneIn {
		dn, a := person(i + 1)
		delete(a, "objectClass")
		a["title"] = []string{"Mended"}
		if err := d.Modify(dn, a); err != nil {
			t.Fatal(err)
		}
	}
	if run = r.sync(exitOK); run.Counts.Created != len(wrong) || run.Counts.Unchanged != n-len(wrong) {
		t.Errorf("after the mending: %+v", run.Counts)
	}
	if left := r.failures(); len(left) != 0 {
		t.Errorf("%d open items are left, such as %+v", len(left), left[0])
	}
	r.verify()
}

// items checks the open items: each faulty person once, with the right code, seen so often.
func (r *rig) items(wrong map[string]int, seen int) map[string]failureDocument {
	r.t.Helper()
	bySubject := map[string]failureDocument{}
	for _, f := range r.failures() {
		kind, ok := wrong[f.Subject]
		if _, twice := bySubject[f.Subject]; !ok || twice {
			r.t.Fatalf("an open item too many: %+v", f)
		}
		bySubject[f.Subject] = f
		want := faulty[kind]
		if f.Code != 31 || f.Reason != want.reason || strings.Join(f.Fields, " ") != want.fields || f.Count != seen || f.Ref == "" {
			r.t.Fatalf("%s: %+v, want 31 %s %s, seen %d times", want.name, f, want.reason, want.fields, seen)
		}
	}
	if len(bySubject) != len(wrong) {
		r.t.Fatalf("%d open items, want %d", len(bySubject), len(wrong))
	}
	return bySubject
}
