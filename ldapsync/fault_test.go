package ldapsync

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

// A directory that misbehaves gives an error that names the step, or a read that is incomplete and says
// why; never a complete one.
func TestNoFaultIsEverComplete(t *testing.T) {
	t.Parallel()
	search := func(f ldaptest.Fault) func(*ldaptest.Server, *Config) {
		return func(d *ldaptest.Server, _ *Config) { d.SetFaults(f) }
	}
	gate := make(chan struct{})
	for name, tc := range map[string]struct {
		fault   func(*ldaptest.Server, *Config)
		err     string // "" = the read ends without an error
		why     string
		records int
		kind    connector.Kind
	}{
		"nothing answers":            {search(ldaptest.Fault{Kind: ldaptest.RefuseConnections, At: ldaptest.AtConnect}), "ldapsync: ", "", 0, connector.Unavailable},
		"frozen before TLS":          {search(ldaptest.Fault{Kind: ldaptest.Freeze, At: ldaptest.AtConnect}), "ldapsync: tls ", "", 0, connector.Unavailable},
		"frozen at the bind":         {search(ldaptest.Fault{Kind: ldaptest.Freeze, At: ldaptest.AtBind}), "ldapsync: bind ", "", 0, connector.Unavailable},
		"frozen at the first search": {search(ldaptest.Fault{Kind: ldaptest.Freeze, Base: true}), `ldapsync: search "" `, "", 0, connector.Incomplete},
		"frozen in an answer":        {search(ldaptest.Fault{Kind: ldaptest.Freeze, After: 3}), "the server sent nothing for", "", 3, connector.Incomplete},
		"slow":                       {search(ldaptest.Fault{Kind: ldaptest.Slow, Gate: gate}), "the server sent nothing for", "", 0, connector.Incomplete},
		"half an answer":             {search(ldaptest.Fault{Kind: ldaptest.Close, After: 7}), "closed the connection", "", 7, connector.Incomplete},
		"half a message":             {search(ldaptest.Fault{Kind: ldaptest.CutAtByte, After: 700}), "closed the connection", "", -1, connector.Incomplete},
		"garbage":                    {search(ldaptest.Fault{Kind: ldaptest.Garbage, After: 5}), "ldapsync: search ", "", 5, connector.Incomplete},
		"second page missing":        {search(ldaptest.Fault{Kind: ldaptest.Close, Skip: 1}), "closed the connection", "", 10, connector.Incomplete},
		"notice of disconnection":    {search(ldaptest.Fault{Kind: ldaptest.Disconnect, After: 5, Code: 52, Message: "shutting down"}), "shutting down", "", 5, connector.Incomplete},
		"size limit":                 {search(ldaptest.Fault{Kind: ldaptest.Result, After: 5, Code: 4}), "", "size limit", 5, 0},
		"size limit at once":         {search(ldaptest.Fault{Kind: ldaptest.Result, Code: 4}), "no entry at all: base DC=example,DC=test: the server's size limit", "", 0, connector.Incomplete},
		"time limit":                 {search(ldaptest.Fault{Kind: ldaptest.Result, After: 5, Code: 3}), "", "time limit", 5, 0},
		"administrative limit":       {search(ldaptest.Fault{Kind: ldaptest.Result, Skip: 1, After: 5, Code: 11}), "", "administrative limit", 15, 0},
		"busy":                       {search(ldaptest.Fault{Kind: ldaptest.Result, After: 5, Code: 51, Message: "busy"}), "busy (code 51)", "", 5, connector.Unavailable},
		"no rights":                  {search(ldaptest.Fault{Kind: ldaptest.Result, After: 5, Code: 50}), "code 50", "", 5, connector.Refused},
		"no paging control":          {search(ldaptest.Fault{Kind: ldaptest.NoPagingControl}), "", "without the paged results control", 10, 0},
		"referral only":              {search(ldaptest.Fault{Kind: ldaptest.Referral, Message: "ldap://elsewhere"}), "code 10", "", 0, connector.Invalid},
		"empty": {func(_ *ldaptest.Server, c *Config) {
			c.Bases = []string{"OU=Empty,DC=example,DC=test"}
		}, "no entry at all", "", 0, connector.Incomplete},
		"lost the right to people": {func(d *ldaptest.Server, _ *Config) {
			d.HideEntries(func(dn string) bool { return strings.HasPrefix(dn, "CN=p") })
		}, "no entry at all", "", 0, connector.Incomplete},
		"lost the right to the base": {func(d *ldaptest.Server, _ *Config) {
			d.HideEntries(func(dn string) bool { return strings.HasSuffix(strings.ToLower(dn), "dc=example,dc=test") })
		}, `base "DC=example,DC=test": it does not exist, or the service account may not see it`, "", 0, connector.Refused},
		"lost the right to anchors": {func(d *ldaptest.Server, _ *Config) { d.Hide("objectGUID") }, "none of 25 entries has objectGUID", "", 25, connector.Incomplete},
		"base does not exist": {func(_ *ldaptest.Server, c *Config) {
			c.Bases = []string{"OU=Nothing,DC=example,DC=test"}
		}, `base "OU=Nothing,DC=example,DC=test": it does not exist`, "", 0, connector.Refused},
		"another domain's base":  {func(_ *ldaptest.Server, c *Config) { c.Bases = []string{"DC=else,DC=test"} }, `base "DC=else,DC=test"`, "", 0, -1},
		"certificate of another": {func(d *ldaptest.Server, _ *Config) { d.SetCertificate(ldaptest.WrongNameCertificate) }, "ldapsync: tls ", "", 0, connector.Refused},
		"certificate expired":    {func(d *ldaptest.Server, _ *Config) { d.SetCertificate(ldaptest.ExpiredCertificate) }, "expired", "", 0, connector.Refused},
		"wrong password": {func(_ *ldaptest.Server, c *Config) {
			c.Bind.Password = connector.NewSecret("wrong one")
		}, "ldapsync: bind ", "", 0, connector.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := directory(t, ldaptest.Options{MaxPageSize: 10})
			populate(t, d, 25)
			add(t, d, "OU=Empty,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"organizationalUnit"}})
			c := configOf(t, d)
			c.Changes = NoChanges // the faults are for the read itself
			if strings.HasPrefix(name, "frozen") || name == "slow" {
				c.ConnectTimeout, c.ReadTimeout = connector.Duration(2*time.Second), connector.Duration(time.Second)
			}
			tc.fault(d, c)
			recs, res, err := readPeople(t.Context(), open(t, c))
			if res.Complete {
				t.Fatalf("complete: %+v", res)
			}
			if tc.records >= 0 && len(recs) != tc.records {
				t.Errorf("%d records, want %d", len(recs), tc.records)
			}
			if tc.err == "" {
				if err != nil || !strings.Contains(res.Why, tc.why) {
					t.Errorf("%+v, %v; want %q", res, err, tc.why)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) || !strings.HasPrefix(err.Error(), "ldapsync: ") {
				t.Fatalf("error %v, want %q", err, tc.err)
			}
			if tc.kind >= 0 && connector.KindOf(err) != tc.kind {
				t.Errorf("kind %v, want %v: %v", connector.KindOf(err), tc.kind, err)
			}
		})
	}
}

func TestSomeWithoutAnchorIsIncomplete(t *testing.T) {
	t.Parallel()
	// One of the entries hides its anchor: another account's view of it.
	r := &reading{s: &Source{layout: newLayout(&Options{Config: *adConfig()})}, x: &session{}, unnamed: 1}
	r.rec = &recordReader{layout: r.s.layout}
	r.result.Entries = 3
	if err := r.finish(); err != nil || r.result.Complete || r.result.Why != "1 of 3 entries have no objectGUID: it cannot be told who they are" {
		t.Errorf("%+v, %v", r.result, err)
	}
}

func TestAnotherServerIsTriedOnlyBeforeTheFirstRecord(t *testing.T) {
	t.Parallel()
	start := func(f ...ldaptest.Fault) (*ldaptest.Server, *Config) {
		d := directory(t, ldaptest.Options{})
		populate(t, d, 5)
		d.SetFaults(f...)
		c := configOf(t, d)
		c.Changes = NoChanges // the faults are for the read itself
		return d, c
	}
	for name, tc := range map[string]struct {
		fault ldaptest.Fault
		ok    bool
	}{
		"refuses":               {ldaptest.Fault{Kind: ldaptest.RefuseConnections, At: ldaptest.AtConnect}, true},
		"ends at the root DSE":  {ldaptest.Fault{Kind: ldaptest.Close, Base: true}, true},
		"ends before an entry":  {ldaptest.Fault{Kind: ldaptest.Close}, true},
		"busy":                  {ldaptest.Fault{Kind: ldaptest.Result, Code: 51}, true},
		"ends behind the first": {ldaptest.Fault{Kind: ldaptest.Close, After: 1}, false},
		"no rights":             {ldaptest.Fault{Kind: ldaptest.Result, Code: 50}, false},
	} {
		bad, c := start(tc.fault)
		good, second := start()
		pem := c.TLS.CAFile + ".both"
		joinFiles(t, pem, c.TLS.CAFile, second.TLS.CAFile)
		c.TLS.CAFile = pem
		c.Servers = append(c.Servers, second.Servers...)
		recs, res, err := readPeople(t.Context(), open(t, c))
		if ok := err == nil && res.Complete && len(recs) == 5 && res.Server == good.LDAPSURL(); ok != tc.ok {
			t.Errorf("%s: %d records, %+v, %v", name, len(recs), res, err)
		}
		if !tc.ok && (res.Server != bad.LDAPSURL() || good.Counts().Connections != 0) {
			t.Errorf("%s: %+v; the other server saw %+v", name, res, good.Counts())
		}
	}
}

func TestWrongPasswordIsTriedOnce(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	c := configOf(t, d)
	c.Servers = []string{d.LDAPSURL(), d.URL()}
	c.TLS.InsecureCleartextForTests = true
	c.Bind.Password = connector.NewSecret("wrong one")
	if _, _, err := readPeople(t.Context(), open(t, c)); connector.KindOf(err) != connector.Denied || d.Counts().Binds != 1 {
		t.Errorf("%d binds, %v", d.Counts().Binds, err)
	}
}

func TestDialIsOurs(t *testing.T) {
	t.Parallel()
	no := errors.New("no network")
	s := open(t, adConfig(), func(o *Options) {
		o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, no }
	})
	if _, _, err := readPeople(t.Context(), s); !errors.Is(err, no) || connector.KindOf(err) != connector.Unavailable {
		t.Errorf("error %v", err)
	}
}

func TestCheckSaysThatTheTypeDoesNotFit(t *testing.T) {
	t.Parallel()
	for kind, want := range map[ldaptest.Kind]string{
		ldaptest.OpenLDAP: "type: active_directory does not fit: the server says that it is an OpenLDAP, for which one writes type: openldap",
		ldaptest.DS389:    "type: active_directory does not fit: the server says that it is a 389 Directory Server",
	} {
		c := configOf(t, directory(t, ldaptest.Options{Kind: kind}))
		told := false
		err := open(t, c).Check(t.Context(), func(s Step) {
			told = told || s.Name == "root DSE" && strings.HasPrefix(s.Detail, want)
		})
		if !told || !strings.Contains(connector.HintOf(err), want) {
			t.Errorf("kind %v: %v, %v, hint %q", kind, told, err, connector.HintOf(err))
		}
		if _, _, err := readPeople(t.Context(), open(t, c)); !strings.Contains(connector.HintOf(err), want) {
			t.Errorf("kind %v, a read: %v, hint %q", kind, err, connector.HintOf(err))
		}
	}
	for kind, configured := range map[ldaptest.Kind]Type{ldaptest.OpenLDAP: LDAP, ldaptest.ActiveDirectory: ActiveDirectory} {
		c := configOf(t, directory(t, ldaptest.Options{Kind: kind}))
		c.Type, c.Anchor = configured, "cn"
		err := open(t, c).Check(t.Context(), func(s Step) {
			if strings.Contains(s.Detail, "does not fit") {
				t.Errorf("kind %v: %s", kind, s.Detail)
			}
		})
		if strings.Contains(connector.HintOf(err), "does not fit") {
			t.Errorf("kind %v: %s", kind, connector.HintOf(err))
		}
	}
}

func TestCheckTellsEachStep(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 5)
	if err := d.Modify(personDN(1), ldaptest.Attrs{"mail": nil}); err != nil {
		t.Fatal(err)
	}
	group := "CN=g,OU=Groups,DC=example,DC=test"
	add(t, d, group, ldaptest.Attrs{"objectClass": {"group"}, "member": {personDN(1), personDN(2)}})
	c := configOf(t, d)
	c.Groups, c.Canaries = []string{group}, []string{personDN(1), "CN=nobody," + peopleOU}
	c.Bases = []string{peopleOU, "OU=Nothing,DC=example,DC=test"}
	var steps []string
	bad := map[string]bool{}
	err := open(t, c).Check(t.Context(), func(s Step) {
		steps = append(steps, s.Name)
		if s.Server == "" {
			t.Errorf("step %+v", s)
		}
		if s.Err != nil {
			bad[s.Name+" "+s.Detail] = true
			if connector.HintOf(s.Err) == "" {
				t.Errorf("no hint: %v", s.Err)
			}
		}
		if s.Name == "sample" && s.Err == nil && !strings.Contains(s.Detail, "5 people sampled below "+peopleOU+", 3 out of scope, 0 unreadable; all have: sAMAccountName, sn, ") {
			t.Errorf("sample: %s", s.Detail)
		}
		if s.Name == "sample" && s.Err == nil && !strings.Contains(s.Detail, "; some have: mail 4 of 5") {
			t.Errorf("sample: %s", s.Detail)
		}
	})
	if got, want := strings.Join(steps, " "), "resolve connect tls bind root DSE base base groups canary canary sample sample changes"; got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
	if len(bad) != 3 || !bad["base OU=Nothing,DC=example,DC=test"] || !bad["canary CN=nobody,"+peopleOU] || !bad["sample "] || err == nil {
		t.Errorf("bad steps %v, %v", bad, err)
	}
	c.Canaries, c.Bases = c.Canaries[:1], c.Bases[:1]
	if err := open(t, c).Check(t.Context(), nil); err != nil {
		t.Errorf("a good configuration: %v", err)
	}
}

func joinFiles(t *testing.T, to string, from ...string) {
	t.Helper()
	var all []byte
	for _, name := range from {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	if err := os.WriteFile(to, all, 0o600); err != nil {
		t.Fatal(err)
	}
}
