package changescript

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"usherd/ldapsync/testserver"
)

func script(o Options, n int) (lines []string, names map[string]bool) {
	c, names := New(o), map[string]bool{}
	for range n {
		op := c.Next()
		lines = append(lines, op.String())
		names[op.Name] = true
	}
	return lines, names
}

func TestSeedDrawsTheSameOperations(t *testing.T) {
	t.Parallel()
	for kind := range dialects {
		a, names := script(Options{Kind: kind, Seed: 7}, 1500)
		b, _ := script(Options{Kind: kind, Seed: 7}, 1500)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
		if other, _ := script(Options{Kind: kind, Seed: 8}, 1500); slices.Equal(a, other) {
			t.Errorf("%s: another seed draws the same", kind)
		}
		for _, x := range actions {
			if timed := x.name == "expire" || x.name == "extend"; names[x.name] != (kind == Samba || !timed) {
				t.Errorf("%s: %q drawn: %v", kind, x.name, names[x.name])
			}
		}
	}
}

// No two people may ever be meant by one name.
func TestNamesAreNeverShared(t *testing.T) {
	t.Parallel()
	c := New(Options{Kind: Slapd, Seed: 3})
	holder := map[string]*person{}
	for range 3000 {
		c.Next()
		for _, p := range c.people {
			for _, name := range []string{p.uid, p.mail, p.cn} {
				if h := holder[name]; h != nil && h != p {
					t.Fatalf("%q belonged to number %d and belongs to %d", name, h.number, p.number)
				}
				holder[name] = p
			}
		}
	}
	if n := len(c.people); n < 400 {
		t.Errorf("only %d people in the history of the company", n)
	}
}

func TestSlapdIsAsTheModelSays(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := New(Options{Kind: Slapd, Seed: seed})
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: c.LDIF})
	conn, err := srv.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 600 {
		if err := c.Next().Apply(conn); err != nil {
			t.Fatalf("operation %d: %v", i, err)
		}
	}
	for _, op := range c.MendAll() {
		if err := op.Apply(conn); err != nil {
			t.Fatal(err)
		}
	}
	var want, got []string
	for _, p := range c.people {
		if p.employed {
			want = append(want, plain(c.dn(p))+" "+p.uid+" "+p.mail+" "+p.sn+" "+p.given+" "+c.state(p.off).Vals[0])
		}
	}
	for _, g := range c.groups {
		want = append(want, plain(c.groupDN(g))+" "+sorted(c.members(g)))
	}
	found, err := conn.Search(&ldap.SearchRequest{BaseDN: c.base, Scope: ldap.ScopeWholeSubtree, Filter: "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found.Entries {
		a, dn := e.GetAttributeValue, plain(e.DN)
		if a("uid") != "" {
			got = append(got, dn+" "+a("uid")+" "+a("mail")+" "+a("sn")+" "+a("givenName")+" "+a("employeeType"))
		} else {
			got = append(got, dn+" "+sorted(e.GetAttributeValues("member")))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-model +slapd:\n%s", diff)
	}
}

func sorted(dns []string) string {
	list := make([]string, len(dns))
	for i, dn := range dns {
		list[i] = plain(dn)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
