package ldaptest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

const (
	admin  = `EXAMPLE\sync`
	secret = "correct horse"
)

func start(tb testing.TB, o Options) *Server {
	tb.Helper()
	o.Accounts = append(o.Accounts, Account{Names: []string{admin, "sync@example.test", "CN=sync,CN=Users,DC=example,DC=test"}, Password: secret})
	s, err := Start(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

func (s *Server) clientTLS(tb testing.TB) *tls.Config {
	tb.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CA()) {
		tb.Fatal("CA is no PEM")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func dial(tb testing.TB, s *Server) *ldap.Conn {
	tb.Helper()
	c, err := ldap.DialURL(s.URL())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

func bound(tb testing.TB, s *Server) *ldap.Conn {
	tb.Helper()
	c := dial(tb, s)
	if err := c.Bind(admin, secret); err != nil {
		tb.Fatal(err)
	}
	return c
}

func add(tb testing.TB, s *Server, dn string, attrs Attrs) {
	tb.Helper()
	if err := s.Add(dn, attrs); err != nil {
		tb.Fatal(err)
	}
}

// fill adds n people below OU=People of the first base.
func fill(tb testing.TB, s *Server, n int) {
	tb.Helper()
	for i := range n {
		name := fmt.Sprintf("p%05d", i)
		add(tb, s, "CN="+name+",OU=People,"+s.Base(), Attrs{"mail": {name + "@example.test"}, "sn": {"Number " + name}})
	}
}

func request(base, filter string, attrs ...string) *ldap.SearchRequest {
	return ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, attrs, nil)
}

func names(r *ldap.SearchResult) []string {
	var list []string
	for _, e := range r.Entries {
		rdn, _ := parentDN(e.DN)
		list = append(list, rdn)
	}
	slices.Sort(list)
	return list
}

func code(err error) int {
	if e, ok := errors.AsType[*ldap.Error](err); ok {
		return int(e.ResultCode)
	}
	if err != nil {
		return -1
	}
	return 0
}

func TestPagesCoverEveryEntryOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{ActiveDirectory, OpenLDAP, DS389} {
		s := start(t, Options{Kind: kind})
		fill(t, s, 2345)
		c := bound(t, s)
		r, err := c.SearchWithPaging(request(s.Base(), "(sn=number*)", "mail"), 500)
		if err != nil {
			t.Fatal(err)
		}
		got := names(r)
		if len(got) != 2345 || len(slices.Compact(got)) != 2345 {
			t.Errorf("kind %d: %d entries, want 2345 different ones", kind, len(got))
		}
		if n := s.Counts().Searches; n != 5 {
			t.Errorf("kind %d: %d pages, want 5", kind, n)
		}
	}
}

func TestUnpagedSearchGetsFirstThousandAndCode4(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	fill(t, s, 1001)
	r, err := bound(t, s).Search(request(s.Base(), "(objectCategory=person)", "mail"))
	if code(err) != ldap.LDAPResultSizeLimitExceeded || len(r.Entries) != 1000 {
		t.Errorf("%d entries, %v", len(r.Entries), err)
	}
}

func TestTLSAndBinds(t *testing.T) {
	t.Parallel()
	s := start(t, Options{RequireTLS: true, Accounts: []Account{{Names: []string{"off"}, Password: "x", Refuse: "533"}}})
	plain := dial(t, s)
	if err := plain.Bind(admin, secret); code(err) != ldap.LDAPResultStrongAuthRequired {
		t.Errorf("bind in the clear: %v", err)
	}
	if err := plain.StartTLS(s.clientTLS(t)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{admin, "SYNC@example.test", "cn=Sync, cn=users,dc=example,dc=test"} {
		if err := plain.Bind(name, secret); err != nil {
			t.Errorf("bind as %q: %v", name, err)
		}
	}
	for name, data := range map[string]string{"nobody": "52e", "off": "533"} {
		err := plain.Bind(name, "x")
		if code(err) != ldap.LDAPResultInvalidCredentials || !strings.Contains(err.Error(), "data "+data) {
			t.Errorf("bind as %q: %v", name, err)
		}
	}
	if _, err := plain.Search(request(s.Base(), "(cn=*)")); code(err) != 1 || !strings.Contains(err.Error(), "000004DC") {
		t.Errorf("search after a refused bind: %v", err)
	}
	config := s.clientTLS(t)
	cert, err := s.ClientCertificate(admin)
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{cert}
	c, err := ldap.DialURL(s.LDAPSURL(), ldap.DialWithTLSConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ExternalBind(); err != nil {
		t.Error(err)
	}
	if who, err := c.WhoAmI(nil); err != nil || who.AuthzID != "u:"+admin {
		t.Errorf("who am I: %v, %v", who, err)
	}
}

func TestBadCertificatesAreRefusedByClients(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for _, bad := range []Certificate{WrongNameCertificate, ExpiredCertificate} {
		s.SetCertificate(bad)
		if c, err := ldap.DialURL(s.LDAPSURL(), ldap.DialWithTLSConfig(s.clientTLS(t))); err == nil {
			c.Close()
			t.Errorf("certificate %d was taken", bad)
		}
	}
}

func TestRenamedUnitMovesEverybodyBelow(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	add(t, s, "CN=Anna,OU=Sales,"+s.Base(), nil)
	before, _ := s.Anchor("CN=Anna,OU=Sales," + s.Base())
	if err := s.Rename("OU=Sales,"+s.Base(), "OU=Vendas"); err != nil {
		t.Fatal(err)
	}
	got, ok := s.Entry("cn=anna,ou=vendas," + s.Base())
	if !ok || got["distinguishedName"][0] != "CN=Anna,OU=Vendas,"+s.Base() {
		t.Fatalf("entry after the rename: %v", got)
	}
	if after, _ := s.Anchor("CN=Anna,OU=Vendas," + s.Base()); after != before {
		t.Error("the anchor changed")
	}
	r, err := bound(t, s).Search(ldap.NewSearchRequest("<GUID="+guidText(before)+">", 0, 0, 0, 0, false, "(objectClass=*)", []string{"cn"}, nil))
	if err != nil || len(r.Entries) != 1 || r.Entries[0].DN != "CN=Anna,OU=Vendas,"+s.Base() {
		t.Errorf("by GUID: %v, %v", r, err)
	}
	if diff := cmp.Diff([]string{"Anna"}, r.Entries[0].GetAttributeValues("cn")); diff != "" {
		t.Error(diff)
	}
}
