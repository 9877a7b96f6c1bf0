package ldapsync

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

// reader is a recordReader for that configuration.
func reader(t *testing.T, c *Config, attributes []string, p connector.Protected) *recordReader {
	t.Helper()
	s, err := New(Options{Config: *c, Attributes: attributes, Protected: p, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	x := &session{s: s, hash: newDNHasher()}
	r := x.reader()
	r.present = make([]int, len(s.layout.names))
	return r
}

// entryOf makes an entry as the decoder would: name, or name;option, and values.
func entryOf(r *recordReader, dn string, attrs ...[]string) *entry {
	e := &entry{DN: []byte(dn)}
	for _, a := range attrs {
		name, option, _ := strings.Cut(a[0], ";")
		i := slices.IndexFunc(r.layout.names, func(n string) bool { return strings.EqualFold(n, name) })
		vs := make([][]byte, 0, len(a))
		for _, v := range a[1:] {
			vs = append(vs, []byte(v))
		}
		e.Attributes = append(e.Attributes, attribute{Index: i, Option: option, Values: vs})
	}
	return e
}

func adConfig() *Config {
	return &Config{
		Type: ActiveDirectory, Servers: []string{"ldaps://dc1.lab.test"}, Bases: []string{"DC=lab,DC=test"},
		Bind: Bind{User: "usherd@lab.test", Password: connector.NewSecret("secret")},
	}
}

func TestRecordHasWhatTheMappingReadsInItsOrder(t *testing.T) {
	t.Parallel()
	r := reader(t, adConfig(), []string{"mail", "sn", "CN", "jpegPhoto", "mail", "userAccountControl"}, connector.Protected{})
	if diff := cmp.Diff([]string{"mail", "sn", "CN", "jpegPhoto", "userAccountControl", "objectGUID", "accountExpires", "isDeleted"}, r.layout.names); diff != "" {
		t.Fatalf("asked for: %s", diff)
	}
	rec, cut := r.read(entryOf(r, "CN=Ann,DC=lab,DC=test",
		[]string{"cn", "Ann"}, []string{"cn;lang-de", "Anna"}, []string{"objectGUID", guid16}, []string{"accountExpires", "0"},
		[]string{"mail", "ann@lab.test", "a@lab.test"}, []string{"sn"}, []string{"userAccountControl", "514"}, []string{"telephoneNumber", "1"},
		[]string{"jpegPhoto;binary", "\xff\xd8"}))
	r.count()
	want := connector.Record{
		Anchor: connector.Anchor{Kind: connector.ObjectGUID, Raw: guid16}, DN: "CN=Ann,DC=lab,DC=test",
		Attributes: []connector.Attribute{
			{Name: "mail", Values: list("ann@lab.test", "a@lab.test")},
			{Name: "CN", Values: list("Ann")},
			{Name: "jpegPhoto", Values: list("\xff\xd8")},
			{Name: "userAccountControl", Values: list("514")},
		},
		Enabled: connector.EnabledNo, EnabledReason: "disabled (userAccountControl 0x2)",
	}
	if diff := cmp.Diff(&want, rec); diff != "" || cut {
		t.Errorf("record (cut %v): %s", cut, diff)
	}
	counts := map[string]int{"mail": 1, "sn": 0, "CN": 1, "jpegPhoto": 1, "userAccountControl": 1, "objectGUID": 1}
	if diff := cmp.Diff(counts, r.counts()); diff != "" {
		t.Errorf("counts: %s", diff)
	}
	// The next entry has nothing of the last one.
	rec, _ = r.read(entryOf(r, "CN=Bob,DC=lab,DC=test"))
	if len(rec.Attributes) != 0 || rec.Enabled != connector.EnabledUnknown || rec.Fault != "it has no objectGUID" || !rec.Anchor.IsZero() {
		t.Errorf("an entry without attributes: %+v", rec)
	}
}

func TestUserAccountControlIsCountedWithoutBeingMapped(t *testing.T) {
	t.Parallel()
	r := reader(t, adConfig(), []string{"mail"}, connector.Protected{})
	rec, _ := r.read(entryOf(r, "CN=Ann,DC=lab,DC=test", []string{"objectGUID", guid16}, []string{"userAccountControl", "512"}, []string{"isDeleted", "TRUE"}))
	r.count()
	if len(rec.Attributes) != 0 || rec.Enabled != connector.EnabledYes || !rec.Gone {
		t.Errorf("record %+v", rec)
	}
	if diff := cmp.Diff(map[string]int{"mail": 0, "userAccountControl": 1, "objectGUID": 1}, r.counts()); diff != "" {
		t.Errorf("counts: %s", diff)
	}
}

func TestFaultsKeepTheRecord(t *testing.T) {
	t.Parallel()
	r := reader(t, adConfig(), []string{"mail", "directReports"}, connector.Protected{})
	for name, c := range map[string]struct {
		e     *entry
		fault string
		cut   bool
	}{
		"bad DN":         {entryOf(r, "CN=\xff,DC=lab,DC=test", []string{"objectGUID", guid16}), "its DN cannot be read: the DN is not UTF-8", false},
		"no DN":          {entryOf(r, "nonsense", []string{"objectGUID", guid16}), "its DN cannot be read: DN ended with incomplete type, value pair", false},
		"two anchors":    {entryOf(r, "CN=a,DC=lab,DC=test", []string{"objectGUID", guid16, guid16}), "it has 2 values of objectGUID", false},
		"in part":        {entryOf(r, "CN=a,DC=lab,DC=test", []string{"objectGUID", guid16}, []string{"directReports;range=0-1499", "CN=b"}), "the server sends one of its attributes only in parts", true},
		"all in a range": {entryOf(r, "CN=a,DC=lab,DC=test", []string{"objectGUID", guid16}, []string{"directReports;range=0-*", "CN=b"}), "", false},
	} {
		rec, cut := r.read(c.e)
		if rec.Fault != c.fault || cut != c.cut || rec.DN == "" {
			t.Errorf("%s: cut %v, %+v", name, cut, rec)
		}
	}
}

func TestGroupScopeKnowsThePrimaryGroup(t *testing.T) {
	t.Parallel()
	c := adConfig()
	c.Groups = []string{"CN=Sales,DC=lab,DC=test"}
	r := reader(t, c, []string{"mail"}, connector.Protected{Groups: []string{"CN=Admins,DC=lab,DC=test"}})
	r.groups = &memberSet{dns: map[dnKey]struct{}{}, rids: map[uint32]struct{}{513: {}}}
	r.guarded = &memberSet{dns: map[dnKey]struct{}{}, rids: map[uint32]struct{}{512: {}}}
	for _, k := range keysOf(t, r.hash, `CN=Bauer\2C Anna,DC=lab,DC=test`) {
		r.groups.dns[k], r.guarded.dns[k] = struct{}{}, struct{}{}
	}
	const none = "it is a member of none of the groups of the scope"
	for _, c := range []struct {
		dn, primary, outside string
		protected            bool
	}{
		{`CN=Bauer\, Anna,DC=lab,DC=test`, "1", "", true},
		{`CN=Bob,DC=lab,DC=test`, "513", "", false},
		{`CN=Bob,DC=lab,DC=test`, "512", none, true},
		{`CN=Bob,DC=lab,DC=test`, "0", none, false},
		{`CN=Bob,DC=lab,DC=test`, "x", none, false},
	} {
		rec, _ := r.read(entryOf(r, c.dn, []string{"objectGUID", guid16}, []string{"primaryGroupID", c.primary}))
		if rec.OutOfScope != c.outside || rec.Protected != c.protected {
			t.Errorf("%s with the primary group %s: %q, protected %v", c.dn, c.primary, rec.OutOfScope, rec.Protected)
		}
	}
}

func TestProtectedPeople(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]bool{
		"ANN": true, " ann@lab.test ": true, "Ann.Lee@Example.test": true, "cn=ann, dc=LAB,dc=test": true,
		"03020100-0504-0706-0809-0a0b0c0d0e0f": true, "{03020100-0504-0706-0809-0A0B0C0D0E0F}": true,
		"bob": false, "cn=ann": false, "03020100-0504-0706-0809-0a0b0c0d0e00": false, "": false,
	} {
		r := reader(t, adConfig(), nil, connector.Protected{Users: []string{"someone", user}})
		rec, _ := r.read(entryOf(r, "CN=Ann,DC=lab,DC=test", []string{"objectGUID", guid16}, []string{"sAMAccountName", "ann"},
			[]string{"userPrincipalName", "ann@lab.test"}, []string{"mail", "ann.lee@example.test"}))
		if rec.Protected != want {
			t.Errorf("protected by %q: %v", user, rec.Protected)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	c := adConfig()
	s, err := New(Options{Config: *c, Attributes: []string{"sAMAccountName", "givenName", "sn", "mail", "department"}, Now: clock})
	if err != nil {
		b.Fatal(err)
	}
	r := (&session{s: s}).reader()
	r.present = make([]int, len(s.layout.names))
	e := entryOf(r, "CN=Anna Bauer (u0000001),OU=Sales,OU=People,DC=lab,DC=test",
		[]string{"sAMAccountName", "u0000001"}, []string{"givenName", "Anna"}, []string{"sn", "Bauer"}, []string{"mail", "u@example.test"},
		[]string{"department", "Sales"}, []string{"objectGUID", guid16}, []string{"userAccountControl", "512"}, []string{"accountExpires", "0"})
	b.ReportAllocs()
	for b.Loop() {
		if rec, _ := r.read(e); rec.Fault != "" {
			b.Fatal(rec.Fault)
		}
		r.count()
	}
}
