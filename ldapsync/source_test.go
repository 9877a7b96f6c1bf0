package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

const (
	account  = "sync@example.test"
	password = "correct horse"
	peopleOU = "OU=People,DC=example,DC=test"
)

func clock() time.Time { return noon }

// directory is an in-process directory with an account that reads everything.
func directory(t *testing.T, o ldaptest.Options) *ldaptest.Server {
	t.Helper()
	o.Accounts = append(o.Accounts, ldaptest.Account{Names: []string{account, "CN=sync,OU=Service,DC=example,DC=test"}, Password: password})
	s, err := ldaptest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func add(t *testing.T, s *ldaptest.Server, dn string, attrs ldaptest.Attrs) {
	t.Helper()
	if err := s.Add(dn, attrs); err != nil {
		t.Fatal(err)
	}
}

func personDN(i int) string { return fmt.Sprintf("CN=p%05d,%s", i, peopleOU) }

// populate adds n people to an Active Directory.
func populate(t *testing.T, s *ldaptest.Server, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("p%05d", i)
		add(t, s, personDN(i), ldaptest.Attrs{
			"objectClass": {"user"}, "sAMAccountName": {name}, "mail": {name + "@example.test"}, "sn": {"Number " + name},
		})
	}
}

// configOf is how the account reads s over LDAPS.
func configOf(t *testing.T, s *ldaptest.Server) *Config {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Config{
		Type: ActiveDirectory, Servers: []string{s.LDAPSURL()}, TLS: TLS{CAFile: ca},
		Bind: Bind{User: account, Password: connector.NewSecret(password)}, Bases: []string{"DC=example,DC=test"},
		ConnectTimeout: connector.Duration(10 * time.Second), ReadTimeout: connector.Duration(20 * time.Second),
	}
}

// open makes a source that is closed with the test.
func open(t *testing.T, c *Config, edit ...func(*Options)) *Source {
	t.Helper()
	o := Options{Config: *c, Attributes: []string{"sAMAccountName", "sn", "mail"}, Now: clock}
	for _, f := range edit {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// readPeople keeps all records.
func readPeople(ctx context.Context, s *Source) (recs []*connector.Record, res connector.ReadResult, err error) {
	res, err = s.Read(ctx, func(r *connector.Record) error {
		recs = append(recs, r.Clone())
		return nil
	})
	return recs, res, err
}

func byDN(recs []*connector.Record) map[string]*connector.Record {
	m := map[string]*connector.Record{}
	for _, r := range recs {
		m[r.DN] = r
	}
	return m
}

func anchorOf(t *testing.T, s *ldaptest.Server, dn string) connector.Anchor {
	t.Helper()
	raw, ok := s.Anchor(dn)
	if !ok {
		t.Fatalf("no %s", dn)
	}
	return connector.Anchor{Kind: connector.ObjectGUID, Raw: string(raw[:])}
}

func TestReadIsCompleteOverAllPagesAndBases(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{MaxPageSize: 7, References: []string{"ldaps://other.test/DC=other,DC=test"}})
	populate(t, d, 25)
	add(t, d, "CN=Zoe,OU=Guests,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"user"}, "sAMAccountName": {"zoe"}, "userAccountControl": {"514"}})
	add(t, d, "CN=Other,OU=Elsewhere,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"user"}, "sAMAccountName": {"other"}})
	c := configOf(t, d)
	c.Bases = []string{peopleOU, "OU=Guests,DC=example,DC=test"}
	recs, res, err := readPeople(t.Context(), open(t, c))
	if err != nil || !res.Complete || res.Why != "" {
		t.Fatalf("%+v, %v", res, err)
	}
	if len(recs) != 26 || res.Entries != 26 || res.Server != c.Servers[0] {
		t.Errorf("%d records, %+v", len(recs), res)
	}
	want := map[string]int{"sAMAccountName": 26, "sn": 25, "mail": 25, "userAccountControl": 26, "objectGUID": 26}
	if diff := cmp.Diff(want, res.Present); diff != "" {
		t.Errorf("present: %s", diff)
	}
	got := byDN(recs)
	if r := got[personDN(3)]; r.Enabled != connector.EnabledYes || r.OutOfScope != "" || r.Anchor != anchorOf(t, d, personDN(3)) ||
		string(r.Values("mail")[0]) != "p00003@example.test" || len(r.Attributes) != 3 {
		t.Errorf("record %+v", r)
	}
	if r := got["CN=Zoe,OU=Guests,DC=example,DC=test"]; r.Enabled != connector.EnabledNo || len(r.Attributes) != 1 {
		t.Errorf("record %+v", r)
	}
	c.Bases = []string{"DC=example,DC=test"}
	if _, res, err = readPeople(t.Context(), open(t, c)); err != nil || !res.Complete ||
		!slices.Contains(res.Warnings, "1 search references ignored: one source reads one domain") {
		t.Errorf("warnings %q, %v", res.Warnings, err)
	}
}

func TestErrorOfTheCallerEndsTheRead(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 5)
	enough := errors.New("enough")
	n := 0
	res, err := open(t, configOf(t, d)).Read(t.Context(), func(*connector.Record) error { n++; return enough })
	if err != enough || n != 1 || res.Complete { //nolint:errorlint // as it is
		t.Errorf("%v after %d, %+v", err, n, res)
	}
	ctx, cancel := context.WithCancel(t.Context())
	res, err = open(t, configOf(t, d)).Read(ctx, func(*connector.Record) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || res.Complete {
		t.Errorf("cancelled: %v, %+v", err, res)
	}
}

func TestGroupScopeOverRangesNestedAndPrimary(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{MaxValRange: 10})
	populate(t, d, 60)
	members := func(from, to int) []string {
		var dns []string
		for i := from; i < to; i++ {
			dns = append(dns, personDN(i))
		}
		return dns
	}
	const groups = "OU=Groups,DC=example,DC=test"
	group := func(name string, attrs ldaptest.Attrs) string {
		attrs["objectClass"], attrs["sAMAccountName"] = []string{"group"}, []string{name}
		dn := "CN=" + name + "," + groups
		add(t, d, dn, attrs)
		return dn
	}
	inner := group("inner", ldaptest.Attrs{"member": members(0, 35)})
	outer := group("outer", ldaptest.Attrs{"member": append(members(35, 37), inner)})
	if err := d.AddValues(inner, "member", outer); err != nil { // a circle
		t.Fatal(err)
	}
	primary := group("primary", ldaptest.Attrs{"objectSid": {string(binarySID(5, 21, 1, 2, 3, 1234))}})
	if err := d.Modify(personDN(50), ldaptest.Attrs{"primaryGroupID": {"1234"}}); err != nil {
		t.Fatal(err)
	}
	guard := group("guard", ldaptest.Attrs{"member": members(3, 5)})
	c := configOf(t, d)
	c.Groups = []string{strings.ToLower(outer), primary}
	s := open(t, c, func(o *Options) {
		o.Protected = connector.Protected{Groups: []string{guard}, Users: []string{"p00010"}}
	})
	recs, res, err := readPeople(t.Context(), s)
	if err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	var in, protected int
	for _, r := range recs {
		if r.OutOfScope == "" {
			in++
		} else if r.OutOfScope != "it is a member of none of the groups of the scope" {
			t.Errorf("%s: %s", r.DN, r.OutOfScope)
		}
		if r.Protected {
			protected++
		}
	}
	if in != 38 || protected != 3 {
		t.Errorf("%d in scope, want 35 + 2 + 1; %d protected, want 3", in, protected)
	}
	c.Groups = []string{"CN=nobody," + groups}
	_, _, err = readPeople(t.Context(), open(t, c))
	if err == nil || !strings.Contains(err.Error(), `group "CN=nobody,`) || connector.HintOf(err) == "" {
		t.Errorf("a missing group: %v", err)
	}
	d.Hide("member")
	c.Groups = []string{primary}
	if recs, _, err := readPeople(t.Context(), open(t, c)); err != nil || byDN(recs)[personDN(50)].OutOfScope != "" {
		t.Errorf("a primary group without members of its own: %v", err)
	}
	c.Groups = []string{outer}
	_, _, err = readPeople(t.Context(), open(t, c))
	if connector.KindOf(err) != connector.Incomplete || !strings.Contains(err.Error(), "none of 1 has a member") {
		t.Errorf("hidden members: %v", err)
	}
}

func TestListOfAPersonIsReadOverItsRanges(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{MaxValRange: 10})
	populate(t, d, 3)
	var many []string
	for i := range 25 {
		many = append(many, fmt.Sprintf("+49 30 %d", i))
	}
	if err := d.Modify(personDN(1), ldaptest.Attrs{"otherTelephone": many}); err != nil {
		t.Fatal(err)
	}
	s := open(t, configOf(t, d), func(o *Options) { o.Attributes = []string{"cn", "otherTelephone"} })
	recs, res, err := readPeople(t.Context(), s)
	if err != nil || !res.Complete || len(recs) != 3 || res.Present["otherTelephone"] != 1 {
		t.Fatalf("%d records, %+v, %v", len(recs), res, err)
	}
	if r := byDN(recs)[personDN(1)]; len(r.Values("otherTelephone")) != 25 || r.Fault != "" {
		t.Errorf("record %+v", r)
	}
}

func TestSameAnchorTwiceIsAFaultOfBoth(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 4)
	for _, i := range []int{1, 3} {
		if err := d.Modify(personDN(i), ldaptest.Attrs{"employeeID": {"7"}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, 2} {
		if err := d.Modify(personDN(i), ldaptest.Attrs{"employeeID": {fmt.Sprint("0", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	c := configOf(t, d)
	c.Anchor = "employeeID"
	recs, res, err := readPeople(t.Context(), open(t, c))
	if err != nil || !res.Complete || len(recs) != 4 { // each once: what was yielded cannot be taken back
		t.Fatalf("%d records, %+v, %v", len(recs), res, err)
	}
	last := byDN(recs)
	for i := range 4 {
		r := last[personDN(i)]
		if (r.Fault != "") != (i%2 == 1) {
			t.Errorf("%s: %q", r.DN, r.Fault)
		}
	}
	if f := last[personDN(1)].Fault; !strings.Contains(f, "2 entries have the same employeeID") || !strings.Contains(f, personDN(3)) {
		t.Errorf("fault %q", f)
	}
}

// An entry that moves behind the place of the read comes twice; the last record says where it is now.
func TestEntryThatMovesWhileItIsReadIsNoConflict(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 6)
	add(t, d, "OU=Second,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"organizationalUnit"}})
	c := configOf(t, d)
	c.Bases = []string{peopleOU, "OU=Second,DC=example,DC=test"}
	moved := anchorOf(t, d, personDN(0))
	var last *connector.Record
	n := 0
	res, err := open(t, c).Read(t.Context(), func(r *connector.Record) error {
		if r.Anchor == moved {
			if n++; n == 1 {
				if err := d.Move(personDN(0), "CN=p00000,OU=Second,DC=example,DC=test"); err != nil {
					return err
				}
			}
			last = r.Clone()
		}
		return nil
	})
	if err != nil || !res.Complete || n != 2 || last.Fault != "" || last.DN != "CN=p00000,OU=Second,DC=example,DC=test" ||
		len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "moved while it was read") {
		t.Errorf("seen %d times, last %+v, %+v, %v", n, last, res, err)
	}
}

func TestAnchorsNobodyMayRead(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 3)
	if err := d.Modify(personDN(1), ldaptest.Attrs{"employeeID": {"7"}}); err != nil {
		t.Fatal(err)
	}
	c := configOf(t, d)
	c.Anchor = "employeeID"
	recs, res, err := readPeople(t.Context(), open(t, c))
	if err != nil || !res.Complete || byDN(recs)[personDN(0)].Fault != "it has no employeeID" {
		t.Errorf("people without an anchor of our choice: %+v, %v", res, err)
	}
	d.Hide("employeeID")
	_, res, err = readPeople(t.Context(), open(t, c))
	if connector.KindOf(err) != connector.Incomplete || res.Complete || !strings.Contains(err.Error(), "none of 3 entries has employeeID") {
		t.Errorf("hidden: %+v, %v", res, err)
	}
}

func TestCanariesMustBeSeen(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 3)
	add(t, d, "CN=printer,"+peopleOU, ldaptest.Attrs{"objectClass": {"contact"}})
	c := configOf(t, d)
	for canary, why := range map[string]string{
		strings.ToLower(personDN(2)): "",
		"CN=nobody," + peopleOU:      "the canary CN=nobody,OU=People,DC=example,DC=test does not exist, or the service account may not see it",
		"CN=printer," + peopleOU:     "the canary CN=printer,OU=People,DC=example,DC=test is not found by the filter (sAMAccountType=805306368)",
	} {
		c.Canaries = []string{personDN(0), canary}
		recs, res, err := readPeople(t.Context(), open(t, c))
		if err != nil || len(recs) != 3 || res.Complete != (why == "") || res.Why != why {
			t.Errorf("%s: %+v, %v", canary, res, err)
		}
	}
	c.Canaries = []string{personDN(2)}
	c.Groups = []string{"CN=g,OU=Groups,DC=example,DC=test"}
	add(t, d, c.Groups[0], ldaptest.Attrs{"objectClass": {"group"}, "member": {personDN(1)}})
	_, res, err := readPeople(t.Context(), open(t, c))
	if want := "the canary " + personDN(2) + " was not among the people in scope"; err != nil || res.Complete || res.Why != want {
		t.Errorf("out of the group scope: %+v, %v", res, err)
	}
}

func TestPackageOnlyReads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{
			"NewAddRequest", "NewModifyRequest", "NewDelRequest", "NewModifyDNRequest", "NewPasswordModifyRequest",
			"AddRequest{", "ModifyRequest{", "DelRequest{", "ModifyDNRequest{", ".Modify(", ".Del(", ".ModifyDN(", ".PasswordModify(", ".ModifyWithResult(",
		} {
			if strings.Contains(string(b), word) {
				t.Errorf("%s writes: %s", name, word)
			}
		}
	}
}
