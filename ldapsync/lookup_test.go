package ldapsync

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

func TestLookupTellsWhereSomebodyIs(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 6)
	anchors := make([]connector.Anchor, 6)
	for i := range anchors {
		anchors[i] = anchorOf(t, d, personDN(i))
	}
	add(t, d, "OU=Old,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"organizationalUnit"}})
	if err := d.Delete(personDN(1)); err != nil {
		t.Fatal(err)
	}
	if err := d.Move(personDN(2), "CN=moved,OU=Old,DC=example,DC=test"); err != nil {
		t.Fatal(err)
	}
	if err := d.Modify(personDN(3), ldaptest.Attrs{"department": {"Legal"}}); err != nil {
		t.Fatal(err)
	}
	c := configOf(t, d)
	c.Bases = []string{peopleOU}
	c.Filter = "(&(sAMAccountType=805306368)(!(department=Legal)))"
	s := open(t, c)
	nobody := connector.Anchor{Kind: connector.ObjectGUID, Raw: guid16}
	for name, tc := range map[string]struct {
		anchor  connector.Anchor
		want    connector.Presence
		outside string
	}{
		"there":            {anchors[0], connector.PresentInScope, ""},
		"deleted":          {anchors[1], connector.PresenceGone, ""},
		"moved":            {anchors[2], connector.PresentOutOfScope, "it stands below none of the bases"},
		"left the filter":  {anchors[3], connector.PresentOutOfScope, "it does not match the filter " + c.Filter},
		"was never there":  {nobody, connector.PresenceGone, ""},
		"there, once more": {anchors[4], connector.PresentInScope, ""},
	} {
		rec, got, err := s.Lookup(t.Context(), tc.anchor)
		present := tc.want == connector.PresentInScope || tc.want == connector.PresentOutOfScope
		if err != nil || got != tc.want || (rec != nil) != present {
			t.Errorf("%s: %v, %v, %v", name, rec, got, err)
		} else if rec != nil && (rec.OutOfScope != tc.outside || rec.Anchor != tc.anchor) {
			t.Errorf("%s: %+v", name, rec)
		}
	}
	if n := d.Counts().Connections; n != 1 {
		t.Errorf("%d connections for six questions", n)
	}
	d.DropConnections()
	if _, got, err := s.Lookup(t.Context(), anchors[0]); err != nil || got != connector.PresentInScope {
		t.Errorf("after the connection was lost: %v, %v", got, err)
	}
	if n := d.Counts().Connections; n != 2 {
		t.Errorf("%d connections", n)
	}
}

// Each of these loses the right to see people. None may make them look gone.
func TestNobodyIsGoneBecauseTheAccountSeesLess(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lose func(*ldaptest.Server)
		edit func(*Config)
		want string
	}{
		"everybody hidden": {func(d *ldaptest.Server) {
			d.HideEntries(func(dn string) bool { return strings.HasPrefix(dn, "CN=p0") })
		}, nil, "nobody else can be found"},
		"base hidden": {func(d *ldaptest.Server) {
			d.HideEntries(func(dn string) bool { return strings.EqualFold(dn, peopleOU) })
		}, nil, "may not see it"},
		"canary hidden": {func(d *ldaptest.Server) {
			d.HideEntries(func(dn string) bool { return dn == personDN(0) || dn == personDN(1) })
		}, func(c *Config) { c.Canaries = []string{personDN(1)} }, "the canary"},
		"anchor hidden": {func(d *ldaptest.Server) {
			d.Hide("employeeID")
		}, func(c *Config) { c.Anchor = "employeeID" }, "nobody else can be found"},
		"error": {func(d *ldaptest.Server) {
			d.SetFaults(ldaptest.Fault{Kind: ldaptest.Result, Base: true, Code: 50, Skip: 2, Message: "no"})
		}, nil, "insufficient access"},
		"size limit": {func(d *ldaptest.Server) {
			d.SetFaults(ldaptest.Fault{Kind: ldaptest.Result, Code: 4})
		}, func(c *Config) { c.Anchor = "employeeID" }, "size limit"},
		"refused": {func(d *ldaptest.Server) {
			d.SetFaults(ldaptest.Fault{Kind: ldaptest.RefuseConnections, At: ldaptest.AtConnect})
		}, nil, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := directory(t, ldaptest.Options{})
			populate(t, d, 3)
			c := configOf(t, d)
			c.Bases = []string{peopleOU}
			if tc.edit != nil {
				tc.edit(c)
			}
			anchor := anchorOf(t, d, personDN(0))
			if c.Anchor != "" {
				anchor = connector.Anchor{Kind: connector.TextAnchor, Raw: "4711"}
				if err := d.Modify(personDN(0), ldaptest.Attrs{c.Anchor: {"4711"}}); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, c)
			if _, got, err := s.Lookup(t.Context(), anchor); err != nil || got != connector.PresentInScope {
				t.Fatalf("with all rights: %v, %v", got, err)
			}
			s.Close()
			tc.lose(d)
			rec, got, err := s.Lookup(t.Context(), anchor)
			if rec != nil || got != connector.PresenceUnknown || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, %v, %v; want an error with %q", rec, got, err, tc.want)
			}
		})
	}
}

func TestLookupOfWhatMayNotBeRead(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 2)
	s := open(t, configOf(t, d))
	d.Hide("objectGUID")
	if _, got, err := s.Lookup(t.Context(), anchorOf(t, d, personDN(0))); err != nil || got != connector.PresenceUnreadable {
		t.Errorf("%v, %v", got, err)
	}
}

// A recycle bin keeps all attributes: a person made anew with the old anchor lives.
func TestLivingEntryCountsMoreThanADeletedOne(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{RecycleBin: true})
	populate(t, d, 3)
	c := configOf(t, d)
	c.Anchor = consistencyGUID
	give := func(dn, value string) {
		t.Helper()
		if err := d.Modify(dn, ldaptest.Attrs{consistencyGUID: {value}}); err != nil {
			t.Fatal(err)
		}
	}
	give(personDN(0), guid16)
	give(personDN(2), "fedcba9876543210")
	if err := d.Delete(personDN(0)); err != nil {
		t.Fatal(err)
	}
	s := open(t, c)
	anchor := connector.Anchor{Kind: connector.ObjectGUID, Raw: guid16}
	if _, is, err := s.Lookup(t.Context(), anchor); err != nil || is != connector.PresenceGone {
		t.Errorf("the deleted one: %v, %v", is, err)
	}
	give(personDN(1), guid16)
	rec, is, err := s.Lookup(t.Context(), anchor)
	if err != nil || is != connector.PresentInScope || rec.DN != personDN(1) || rec.Fault != "" {
		t.Errorf("the living one: %+v, %v, %v", rec, is, err)
	}
	recs, res, err := readPeople(t.Context(), s)
	if err != nil || !res.Complete || len(recs) != 2 || recs[0].Fault+recs[1].Fault != "" {
		t.Errorf("%d records, %+v, %v", len(recs), res, err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 15)
	const other = "OU=Other,DC=example,DC=test"
	add(t, d, `CN=Lee\, Ann (x*),`+other, ldaptest.Attrs{"objectClass": {"user"}, "sAMAccountName": {"ann"}, "userPrincipalName": {"ann@corp.test"}})
	for i := range 15 {
		if err := d.Modify(personDN(i), ldaptest.Attrs{"mail": {"all@example.test"}}); err != nil {
			t.Fatal(err)
		}
	}
	c := configOf(t, d)
	c.ExcludeOUs = []string{other}
	s := open(t, c)
	for key, want := range map[string]int{
		"p00003": 1, " P00003 ": 1, personDN(4): 1, strings.ToUpper(personDN(4)): 1, anchorOf(t, d, personDN(5)).String(): 1,
		"all@example.test": 10, "ann": 1, `CORP\ann`: 1, "ann@corp.test": 1, "Lee, Ann (x*)": 1, `cn=lee\2C ann (x*),` + other: 1,
		"*": 0, "p*": 0, "nobody": 0, "CN=nobody," + other: 0, "": 0, ")(cn=*": 0, "00000000-0000-0000-0000-000000000000": 0,
	} {
		recs, err := s.Find(t.Context(), key)
		if err != nil || len(recs) != want {
			t.Errorf("%q: %d records, %v; want %d", key, len(recs), err, want)
		}
		for _, r := range recs {
			if outside := strings.Contains(r.DN, "Other"); (r.OutOfScope != "") != outside {
				t.Errorf("%q: %s: %q", key, r.DN, r.OutOfScope)
			}
		}
	}
}

// The kept connection ends by itself; the bubble's clock makes that quick.
func TestKeptConnectionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &countedConn{}
		s := &Source{options: Options{Now: time.Now}, mu: newTurns()}
		s.mu.Lock()
		s.keep(&session{s: s, c: c.conn(), opened: time.Now()})
		s.mu.Unlock()
		time.Sleep(keepIdle - time.Second)
		synctest.Wait()
		if c.closed.Load() != 0 {
			t.Error("closed too early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if c.closed.Load() == 0 || s.kept != nil {
			t.Error("still open")
		}
	})
}

// countedConn is a connection of which only the end matters.
type countedConn struct {
	net.Conn
	closed atomic.Int32
}

func (c *countedConn) Write(p []byte) (int, error) { return len(p), nil }

func (c *countedConn) Close() error {
	c.closed.Add(1)
	return nil
}

func (c *countedConn) conn() *conn { return newConn("ldaps://dc1", c, c, time.Minute) }
