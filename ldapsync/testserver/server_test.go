package testserver_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

func TestSlapdServes(t *testing.T) {
	t.Parallel()
	s := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Users: 30}), LDAPI: true, MemberOf: true, PPolicy: true})
	serves(t, s, "(objectClass=inetOrgPerson)", 30)
	if _, err := os.Stat(s.LDAPIPath); err != nil {
		t.Errorf("the Unix socket: %v", err)
	}
	writes(t, s, "dn: uid=u0000001,ou=People,"+s.Base+"\nchangetype: modify\nreplace: title\ntitle: Poet\n", "(title=Poet)")
	lives(t, s)
}

func TestSambaServes(t *testing.T) {
	t.Parallel()
	s := testserver.Samba(t, testserver.SambaOptions{LDIF: ldifgen.To(ldifgen.Options{AD: true, Users: 10, Groups: 2, Members: 3})})
	serves(t, s, "(sAMAccountName=u00000*)", 10)
	writes(t, s, "dn: CN=u0000001,ou=People,"+s.Base+"\nchangetype: modify\nreplace: title\ntitle: Poet\n", "(title=Poet)")
	lives(t, s)
	t.Run("a second one at the same time, as the first but on another address", func(t *testing.T) {
		other := testserver.Samba(t, testserver.SambaOptions{})
		if other.URL == s.URL {
			t.Errorf("both listen on %s", s.URL)
		}
		serves(t, other, "(sAMAccountName=reader)", 1)
	})
}

func TestDS389Serves(t *testing.T) {
	t.Parallel()
	s := testserver.DS389(t, testserver.DS389Options{LDIF: ldifgen.To(ldifgen.Options{Users: 30})})
	serves(t, s, "(objectClass=inetOrgPerson)", 30)
	writes(t, s, "dn: uid=u0000001,ou=People,"+s.Base+"\nchangetype: modify\nreplace: title\ntitle: Poet\n", "(title=Poet)")
	lives(t, s)
}

// serves checks each account and each way to the server.
func serves(t *testing.T, s *testserver.Server, filter string, want int) {
	t.Helper()
	conf, err := s.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range []struct{ dn, password string }{
		{s.AdminDN, s.AdminPassword}, {s.SyncDN, s.SyncPassword}, {s.LimitedDN, s.LimitedPassword},
	} {
		c, err := ldap.DialURL(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.StartTLS(conf); err != nil {
			t.Fatalf("StartTLS: %v", err)
		}
		if err := c.Bind(account.dn, account.password); err != nil {
			t.Fatalf("bind as %s: %v", account.dn, err)
		}
		if got := count(t, c, s.Base, filter); got != want {
			t.Errorf("%s sees %d entries of %s, want %d", account.dn, got, filter, want)
		}
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		t.Errorf("%s is not a loopback address", u.Hostname())
	}
}

func count(t *testing.T, c *ldap.Conn, base, filter string) int {
	t.Helper()
	r, err := c.Search(&ldap.SearchRequest{BaseDN: base, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: []string{"1.1"}})
	if err != nil {
		t.Fatalf("search %s: %v", filter, err)
	}
	return len(r.Entries)
}

// writes checks Modify and Add, and that what the server refuses is told.
func writes(t *testing.T, s *testserver.Server, change, filter string) {
	t.Helper()
	if err := s.Modify(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(t.Context(), "dn: ou=More,"+s.Base+"\nobjectClass: organizationalUnit\nou: More\n"); err != nil {
		t.Fatal(err)
	}
	err := s.Modify(t.Context(), "dn: cn=nobody,"+s.Base+"\nchangetype: delete\n")
	if err == nil || !strings.Contains(err.Error(), "No such object") {
		t.Errorf("deleting what is not there: %v, want the server's words", err)
	}
	c, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := count(t, c, s.Base, filter); got != 1 {
		t.Errorf("%d entries match %s, want 1", got, filter)
	}
}

// lives takes a server through freeze, thaw, a crash and a restart, and expects its data to be there.
func lives(t *testing.T, s *testserver.Server) {
	t.Helper()
	c, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	c.SetTimeout(50 * time.Millisecond)
	search := &ldap.SearchRequest{BaseDN: s.Base, Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: []string{"1.1"}}
	if _, err := c.Search(search); !ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
		t.Errorf("a frozen server: %v, want a timeout", err)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	c.SetTimeout(10 * time.Second)
	if _, err := c.Search(search); err != nil {
		t.Errorf("after the thaw: %v", err)
	}
	first := s.PID
	s.Kill()
	if _, err := s.Conn(); err == nil {
		t.Error("a killed server answers")
	}
	if s.Freeze() == nil {
		t.Error("a killed server can be frozen")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID == first || s.PID == 0 {
		t.Errorf("process %d after the restart, %d before", s.PID, first)
	}
	c, err = s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := count(t, c, s.Base, "(title=Poet)"); got != 1 {
		t.Errorf("%d poets after crash and restart, want 1", got)
	}
	ended(t, s)
}

// ended stops a frozen server and checks that no process of it is left.
func ended(t *testing.T, s *testserver.Server) {
	t.Helper()
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		b, _ := os.ReadFile(p) // one that has just ended holds nothing
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if pid != os.Getpid() && strings.Contains(string(b), s.Dir+"/") {
			t.Errorf("still there: process %d: %s", pid, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := testserver.StartSlapd(t.Context(), dir, testserver.SlapdOptions{LDIF: testserver.Text("dn: dc=elsewhere\nobjectClass: domain\n")})
	if missing, ok := errors.AsType[*testserver.MissingError](err); ok {
		t.Skip("USHERD SKIPPED: ", missing)
	}
	if err == nil || !strings.Contains(err.Error(), "slapd") {
		t.Errorf("entries of another suffix: %v, want slapadd's words", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := testserver.StartSlapd(ctx, filepath.Join(dir, "other"), testserver.SlapdOptions{}); err == nil {
		s.Close()
		t.Error("started although the context was over")
	}
}
