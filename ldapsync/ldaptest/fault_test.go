package ldaptest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

func TestFaultsEndASearch(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	fill(t, s, 10)
	for _, tc := range []struct {
		name    string
		fault   Fault
		entries int
		code    int
	}{
		{"close", Fault{Kind: Close, After: 4}, 4, -1},
		{"close at the end", Fault{Kind: Close, After: 10}, 10, -1},
		{"cut", Fault{Kind: CutAtByte, After: 5}, 0, -1},
		{"garbage", Fault{Kind: Garbage, After: 1}, 1, -1},
		{"disconnect", Fault{Kind: Disconnect, After: 3, Code: 52, Message: "going down"}, 3, -1},
		{"busy", Fault{Kind: Result, Code: 51}, 0, 51},
		{"admin limit", Fault{Kind: Result, After: 7, Code: 11}, 7, 11},
		{"referral", Fault{Kind: Referral, Message: "ldap://other.example.test"}, 0, 10},
		{"later page", Fault{Kind: Result, Code: 51, Skip: 1}, 10, 0},
	} {
		c := bound(t, s)
		s.SetFaults(tc.fault)
		r, err := c.Search(request(s.Base(), "(sn=*)", "mail"))
		if code(err) != tc.code || len(r.Entries) != tc.entries {
			t.Errorf("%s: %d entries, %v", tc.name, len(r.Entries), err)
		}
		s.ClearFaults()
	}
}

func TestEveryCutIsNoticed(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	fill(t, s, 2)
	for n := 0; ; n += 7 {
		c := bound(t, s)
		s.SetFaults(Fault{Kind: CutAtByte, After: n})
		_, err := c.Search(request(s.Base(), "(sn=*)", "mail"))
		if err == nil {
			if n < 100 {
				t.Errorf("cut at %d went unnoticed", n)
			}
			return
		}
	}
}

func TestFrozenSearchKeepsTheConnection(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	fill(t, s, 3)
	c := bound(t, s)
	s.SetFaults(Fault{Kind: Freeze, After: 1, Times: 1})
	c.SetTimeout(20 * time.Millisecond)
	if _, err := c.Search(request(s.Base(), "(sn=*)", "mail")); code(err) != ldap.ErrorNetwork {
		t.Errorf("frozen: %v", err)
	}
	c.SetTimeout(0)
	if r, err := c.Search(request(s.Base(), "(sn=*)", "mail")); err != nil || len(r.Entries) != 3 {
		t.Errorf("afterwards: %v, %v", r, err)
	}
}

func TestGateHoldsEachMessage(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	fill(t, s, 3)
	gate := make(chan struct{})
	s.SetFaults(Fault{Kind: Slow, Gate: gate})
	c := bound(t, s)
	done := make(chan int)
	go func() {
		r, err := c.Search(request(s.Base(), "(sn=*)", "mail"))
		if err != nil {
			t.Error(err)
		}
		done <- len(r.Entries)
	}()
	for range 4 { // three entries and the end
		select {
		case <-done:
			t.Fatal("the search ended before its last message was let through")
		case gate <- struct{}{}:
		}
	}
	if n := <-done; n != 3 {
		t.Errorf("%d entries", n)
	}
}

func TestConnectionFaults(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	s.SetFaults(Fault{Kind: Result, At: AtBind, Code: 52, Times: 1}, Fault{Kind: Close, At: AtStartTLS})
	c := dial(t, s)
	if err := c.Bind(admin, secret); code(err) != 52 {
		t.Errorf("bind: %v", err)
	}
	if err := c.Bind(admin, secret); err != nil {
		t.Errorf("second bind: %v", err)
	}
	if err := c.StartTLS(s.clientTLS(t)); err == nil {
		t.Error("StartTLS worked")
	}
	s.SetFaults(Fault{Kind: RefuseConnections, At: AtConnect})
	if c, err := ldap.DialURL(s.URL()); err == nil {
		if err := c.Bind(admin, secret); err == nil {
			t.Errorf("refused connection: %v", err)
		}
		c.Close()
	}
	s.ClearFaults()
	bound(t, s)
}

func TestPagingControlCanBeMissing(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	fill(t, s, 3)
	s.SetFaults(Fault{Kind: NoPagingControl})
	req := request(s.Base(), "(sn=*)")
	req.Controls = []ldap.Control{ldap.NewControlPaging(2)}
	r, err := bound(t, s).Search(req)
	if err != nil || len(r.Entries) != 2 || len(r.Controls) != 0 {
		t.Errorf("%v, %v", r, err)
	}
}

func TestPagingCookieHoldsForOneRequestOnOneConnection(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	fill(t, s, 5)
	paging := ldap.NewControlPaging(2)
	req := request(s.Base(), "(sn=*)", "mail")
	req.Controls = []ldap.Control{paging}
	c := bound(t, s)
	r, err := c.Search(req)
	if err != nil {
		t.Fatal(err)
	}
	paging.SetCookie(ldap.FindControl(r.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging).Cookie)
	if _, err := bound(t, s).Search(req); code(err) != ldap.LDAPResultUnavailableCriticalExtension {
		t.Errorf("on another connection: %v", err)
	}
	req.Filter = "(mail=*)"
	if _, err := c.Search(req); code(err) != ldap.LDAPResultUnavailableCriticalExtension {
		t.Errorf("for another request: %v", err)
	}
	req.Filter = "(sn=*)"
	if r, err := c.Search(req); err != nil || len(r.Entries) != 2 {
		t.Errorf("second page: %v", err)
	}
}

func TestLimitsOfOpenLDAPAnd389(t *testing.T) {
	t.Parallel()
	paged := func(c *ldap.Conn, s *Server, size uint32) (int, int) {
		r, err := c.SearchWithPaging(request(s.Base(), "(sn=*)", "mail"), size)
		return len(r.Entries), code(err)
	}
	s := start(t, Options{Kind: OpenLDAP, SizeLimit: 5, MaxPageSize: 4})
	fill(t, s, 8)
	c := bound(t, s)
	if r, err := c.Search(request(s.Base(), "(sn=*)", "mail")); code(err) != 4 || len(r.Entries) != 5 {
		t.Errorf("unpaged: %d, %v", len(r.Entries), err)
	}
	if n, code := paged(c, s, 3); n != 5 || code != 4 {
		t.Errorf("size limit over pages: %d entries, code %d", n, code)
	}
	if n, code := paged(c, s, 5); n != 0 || code != 11 {
		t.Errorf("large page: %d entries, code %d", n, code)
	}
	d := start(t, Options{Kind: DS389, MaxPageSize: 4})
	fill(t, d, 8)
	if n, code := paged(bound(t, d), d, 5); n != 4 || code != 4 {
		t.Errorf("389: %d entries, code %d", n, code)
	}
}

func TestRangesOfMembers(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxValRange: 4, MaxPageSize: -1})
	fill(t, s, 10)
	c := bound(t, s)
	r, err := c.Search(request(s.Base(), "(sn=*)", "1.1"))
	if err != nil {
		t.Fatal(err)
	}
	var dns []string
	for _, e := range r.Entries {
		dns = append(dns, e.DN)
	}
	group := "CN=All,OU=G," + s.Base()
	add(t, s, group, Attrs{"objectClass": {"group"}, "member": dns})
	var got []string
	for _, step := range []struct{ ask, name string }{
		{"member", "member;range=0-3"}, {"member;range=4-*", "member;range=4-7"}, {"member;range=8-*", "member;range=8-*"},
	} {
		r, err := c.Search(request(group, "(objectClass=*)", step.ask))
		if err != nil || len(r.Entries) != 1 {
			t.Fatal(r, err)
		}
		if step.ask == "member" && (r.Entries[0].Attributes[0].Name != "member" || len(r.Entries[0].Attributes[0].Values) != 0) {
			t.Error("no empty member attribute")
		}
		got = append(got, r.Entries[0].GetAttributeValues(step.name)...)
	}
	slices.Sort(got)
	slices.Sort(dns)
	if !slices.Equal(got, dns) {
		t.Errorf("%d members of %d", len(got), len(dns))
	}
	if err := s.Rename(dns[0], "CN=Renamed"); err != nil {
		t.Fatal(err)
	}
	if e, _ := s.Entry(group); !slices.Contains(e["member"], "CN=Renamed,OU=People,"+s.Base()) {
		t.Error("the link does not follow the rename")
	}
}

func TestTombstonesAndReturns(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	dn := "CN=Anna,OU=P," + s.Base()
	add(t, s, dn, Attrs{"mail": {"a@example.test"}, "sAMAccountName": {"anna"}})
	guid, _ := s.Anchor(dn)
	if err := s.Delete(dn); err != nil {
		t.Fatal(err)
	}
	c := bound(t, s)
	req := ldap.NewSearchRequest("<GUID="+guidText(guid)+">", 0, 0, 0, 0, false, "(objectClass=*)", nil, nil)
	if _, err := c.Search(req); code(err) != ldap.LDAPResultNoSuchObject {
		t.Errorf("without the control: %v", err)
	}
	req.Controls = []ldap.Control{ldap.NewControlMicrosoftShowDeleted()}
	r, err := c.Search(req)
	if err != nil || len(r.Entries) != 1 {
		t.Fatal(r, err)
	}
	e := r.Entries[0]
	if want := `CN=Anna\0ADEL:` + guidText(guid) + ",CN=Deleted Objects," + s.Base(); e.DN != want {
		t.Errorf("DN %q", e.DN)
	}
	if e.GetAttributeValue("isDeleted") != "TRUE" || e.GetAttributeValue("lastKnownParent") != "OU=P,"+s.Base() ||
		e.GetAttributeValue("sAMAccountName") != "anna" || e.GetAttributeValue("mail") != "" || e.GetAttributeValue("objectCategory") != "" {
		t.Errorf("tombstone: %v", e.Attributes)
	}
	if err := s.Restore(dn, Attrs{"mail": {"anna@example.test"}}); err != nil {
		t.Fatal(err)
	}
	if again, _ := s.Anchor(dn); again != guid {
		t.Error("the anchor changed")
	}
	if got, _ := s.Entry(dn); got["mail"][0] != "anna@example.test" || got["sAMAccountName"][0] != "anna" {
		t.Errorf("restored: %v", got)
	}
}

func TestUSNsAndReferences(t *testing.T) {
	t.Parallel()
	s := start(t, Options{References: []string{"ldap://dc1.example.test/CN=Configuration,DC=example,DC=test"}})
	fill(t, s, 3)
	c := bound(t, s)
	usn := func() string {
		r, err := c.Search(ldap.NewSearchRequest("", 0, 0, 0, 0, false, "(objectClass=*)", []string{"highestCommittedUSN"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		return r.Entries[0].GetAttributeValue("highestCommittedUSN")
	}
	before := usn()
	if err := s.Modify("CN=p00001,OU=People,"+s.Base(), Attrs{"title": {"Boss"}}); err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(before)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Search(request(s.Base(), "(&(objectClass=user)(uSNChanged>="+strconv.Itoa(n+1)+"))", "uSNChanged"))
	if err != nil || len(r.Entries) != 1 || r.Entries[0].GetAttributeValue("uSNChanged") != usn() {
		t.Errorf("changed: %v, %v", names(r), err)
	}
	if len(r.Referrals) != 1 {
		t.Errorf("references %v", r.Referrals)
	}
	req := request(s.Base(), "(cn=x)")
	req.Controls = []ldap.Control{ldap.NewControlString(ldap.ControlTypeMicrosoftDomainScope, true, "")}
	if r, err := c.Search(req); err != nil || len(r.Referrals) != 0 {
		t.Errorf("domain scope: %v, %v", r, err)
	}
	req.Controls = []ldap.Control{ldap.NewControlString("1.2.3.4", true, "")}
	if _, err := c.Search(req); code(err) != 12 {
		t.Errorf("unknown critical control: %v", err)
	}
	if _, err := c.Search(request("DC=other,DC=test", "(cn=x)")); code(err) != 10 {
		t.Errorf("foreign base: %v", err)
	}
	if _, err := c.Search(request("OU=None,"+s.Base(), "(cn=x)")); code(err) != 32 {
		t.Errorf("missing base: %v", err)
	}
}

func TestLdapsearchUnderstandsTheServer(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("ldapsearch")
	if err != nil {
		t.Skip("ldapsearch is not installed")
	}
	for _, kind := range []Kind{ActiveDirectory, OpenLDAP} {
		s := start(t, Options{Kind: kind})
		fill(t, s, 120)
		ca := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, how := range [][]string{{"-H", s.URL()}, {"-ZZ", "-H", s.URL()}, {"-H", s.LDAPSURL()}} {
			args := append(slices.Clone(how), "-x", "-LLL", "-D", admin, "-w", secret, "-b", s.Base(), "-E", "pr=50/noprompt",
				"(&(sn=num*)(!(cn=p00007)))", "mail")
			cmd := exec.CommandContext(t.Context(), tool, args...)
			cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+ca, "LDAPTLS_REQCERT=demand")
			out, err := cmd.CombinedOutput()
			if n := strings.Count(string(out), "\nmail: "); err != nil || n != 119 {
				t.Errorf("kind %d, %v: %d entries, %v\n%.300s", kind, how, n, err, out)
			}
		}
	}
}
