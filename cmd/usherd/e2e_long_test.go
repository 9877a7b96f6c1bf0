package main

import (
	"math/rand/v2"
	"strings"
	"testing"

	"usherd/ldapsync/ldaptest"
)

// longText has so many bytes, which cannot be made shorter: a database that compresses what stands in an index gains nothing.
func longText(seed uint64, bytes int) string {
	rnd, b := rand.New(rand.NewPCG(seed, 0)), strings.Builder{}
	for b.Len() < bytes {
		b.WriteRune(0x4E00 + rnd.Int32N(20000))
	}
	return b.String()
}

// What a directory says may be longer than an index takes. Whoever it is said of works or fails alone, and everybody else
// of the same chunk is there.
func TestLongValuesHurtNobodyElse(t *testing.T) {
	t.Parallel()
	const most = 5000
	d, block := fake(t, ldaptest.Options{})
	people(t, d, 20)
	long := func(i int, change func(dn *string, a ldaptest.Attrs)) {
		dn, a := person(i)
		change(&dn, a)
		if err := d.Add(dn, a); err != nil {
			t.Fatal(err)
		}
	}
	unit := "OU=" + longText(1, most) + ",OU=People,DC=example,DC=test"
	if err := d.Add(unit, ldaptest.Attrs{"objectClass": {"organizationalUnit"}}); err != nil {
		t.Fatal(err)
	}
	deep := "CN=p000021," + unit
	long(21, func(dn *string, _ ldaptest.Attrs) { *dn = deep })
	long(22, func(_ *string, a ldaptest.Attrs) { a["manager"] = []string{deep} })
	long(23, func(dn *string, a ldaptest.Attrs) { // whose open item is known by the DN
		*dn = "CN=" + longText(2, most) + ",OU=People,DC=example,DC=test"
		delete(a, "mail")
		delete(a, "userPrincipalName")
		delete(a, "sAMAccountName")
	})
	for i, name := range []string{"userPrincipalName", "mail", "displayName"} {
		long(24+i, func(_ *string, a ldaptest.Attrs) { a[name] = []string{longText(uint64(3+i), most)} })
	}
	r := newRig(t, oneSource(block))
	for range 2 {
		run := r.sync(exitFailed)
		if there := run.Counts.Created + run.Counts.Unchanged; there != 21 || run.Counts.Failed != 5 {
			t.Errorf("%+v", run.Counts)
		}
	}
	if got := r.users(); len(got) != 21 || got["p000021@example.test"].UserName == "" {
		t.Errorf("%d users are there", len(got))
	}
	for _, f := range r.failures() {
		if f.Code != 31 || f.Count != 2 {
			t.Errorf("%d %s, %d times", f.Code, f.Reason, f.Count)
		}
	}
	r.verify()
}
