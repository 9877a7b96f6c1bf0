package ldapsync

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
)

func fakeAD(o ldaptest.Options) func(t *testing.T) *feedServer {
	return func(t *testing.T) *feedServer {
		t.Helper()
		d := directory(t, o)
		return &feedServer{
			config: configOf(t, d), base: d.Base(), dir: fakeDirectory{d},
			person: map[string][]string{"objectClass": {"user"}},
			group:  map[string][]string{"objectClass": {"group"}},
			off:    map[string][]string{"userAccountControl": {"514"}},
			other:  map[string][]string{"objectClass": {"computer"}},
		}
	}
}

func fakeLDAP(o ldaptest.Options) func(t *testing.T) *feedServer {
	return func(t *testing.T) *feedServer {
		t.Helper()
		o.Bases = []string{"dc=example,dc=test"}
		d := directory(t, o)
		c := configOf(t, d)
		c.Type, c.Disabled = OpenLDAP, &Disabled{Attribute: "employeeType", Values: []string{"off"}}
		return &feedServer{
			config: c, base: d.Base(), dir: fakeDirectory{d},
			person: map[string][]string{"objectClass": {"inetOrgPerson"}},
			group:  map[string][]string{"objectClass": {"groupOfNames"}},
			off:    map[string][]string{"employeeType": {"off"}},
		}
	}
}

type fakeDirectory struct{ s *ldaptest.Server }

func (d fakeDirectory) add(dn string, attrs map[string][]string) error { return d.s.Add(dn, attrs) }
func (d fakeDirectory) modify(dn string, attrs map[string][]string) error {
	return d.s.Modify(dn, attrs)
}
func (d fakeDirectory) move(dn, newDN string) error { return d.s.Move(dn, newDN) }
func (d fakeDirectory) remove(dn string) error      { return d.s.Delete(dn) }

func realSamba(t *testing.T) *feedServer {
	t.Helper()
	srv := testserver.Samba(t, testserver.SambaOptions{})
	return &feedServer{
		config: &Config{
			Type: ActiveDirectory, Servers: []string{srv.LDAPSURL}, TLS: TLS{CAFile: srv.CAFile, ServerName: srv.Host},
			Bind: Bind{User: srv.SyncDN, Password: connector.NewSecret(srv.SyncPassword)},
		},
		base: srv.Base, dir: realDirectory{t.Context(), srv},
		// 544: an ordinary account that needs no password; Samba disables new ones otherwise.
		person: map[string][]string{"objectClass": {"user"}, "userAccountControl": {"544"}},
		group:  map[string][]string{"objectClass": {"group"}},
		off:    map[string][]string{"userAccountControl": {"546"}},
		other:  map[string][]string{"objectClass": {"computer"}, "sAMAccountName": {"machine$"}},
	}
}

func realSlapd(t *testing.T) *feedServer {
	t.Helper()
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	c := slapdConfig(srv)
	c.Disabled = &Disabled{Attribute: "employeeType", Values: []string{"off"}}
	return &feedServer{
		config: c, base: srv.Base, dir: realDirectory{t.Context(), srv},
		person: map[string][]string{"objectClass": {"inetOrgPerson"}},
		group:  map[string][]string{"objectClass": {"groupOfNames"}},
		off:    map[string][]string{"employeeType": {"off"}},
	}
}

// realDirectory changes a server by LDIF.
type realDirectory struct {
	ctx context.Context //nolint:containedctx // of the test
	s   *testserver.Server
}

func (d realDirectory) add(dn string, attrs map[string][]string) error {
	return d.s.Modify(d.ctx, "dn: "+dn+"\nchangetype: add\n"+ldif(attrs, func(string) (string, string) { return "", "" }))
}

func (d realDirectory) modify(dn string, attrs map[string][]string) error {
	return d.s.Modify(d.ctx, "dn: "+dn+"\nchangetype: modify\n"+ldif(attrs, func(name string) (string, string) {
		return "replace: " + name + "\n", "-\n"
	}))
}

// ldif writes attributes with something around each.
func ldif(attrs map[string][]string, around func(name string) (before, after string)) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		before, after := around(name)
		b.WriteString(before)
		for _, v := range attrs[name] {
			b.WriteString(name + ": " + v + "\n")
		}
		b.WriteString(after)
	}
	return b.String()
}

func (d realDirectory) move(dn, newDN string) error {
	rdn, above, _ := strings.Cut(newDN, ",")
	return d.s.Modify(d.ctx, "dn: "+dn+"\nchangetype: modrdn\nnewrdn: "+rdn+"\ndeleteoldrdn: 1\nnewsuperior: "+above+"\n")
}

func (d realDirectory) remove(dn string) error {
	return d.s.Modify(d.ctx, "dn: "+dn+"\nchangetype: delete\n")
}
