package ldapsync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

func TestReadSlapd(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{PPolicy: true, LDIF: ldifgen.To(ldifgen.Mess(ldifgen.Options{
		Users: 2600, Groups: 3, Members: 20, Big: []int{1600}, Nest: 3, Cycle: true,
	}))})
	c := slapdConfig(srv)
	source := func(c *Config) *Source {
		return open(t, c, func(o *Options) { o.Attributes = []string{"uid", "mail", "sn", "jpegPhoto"} })
	}
	recs, res, err := readPeople(t.Context(), source(c))
	if err != nil || !res.Complete || len(recs) != 2600 || res.Present["entryUUID"] != 2600 || res.Present["uid"] != 2600 {
		t.Fatalf("%d records, %+v, %v", len(recs), res, err)
	}
	for _, r := range recs {
		if r.Fault != "" || r.OutOfScope != "" || r.Enabled == connector.EnabledUnknown || r.Anchor.Kind != connector.EntryUUID {
			t.Fatalf("record %+v", r)
		}
	}
	s := source(c)
	first := recs[0]
	if rec, is, err := s.Lookup(t.Context(), first.Anchor); err != nil || is != connector.PresentInScope || rec.DN != first.DN {
		t.Errorf("lookup: %v, %v, %v", rec, is, err)
	}
	found, err := s.Find(t.Context(), string(first.Values("uid")[0]))
	if err != nil || len(found) != 1 || found[0].Anchor != first.Anchor {
		t.Errorf("find: %v, %v", found, err)
	}
	if _, is, err := s.Lookup(t.Context(), connector.Anchor{Kind: connector.EntryUUID, Raw: guid16}); err != nil || is != connector.PresenceGone {
		t.Errorf("lookup of nobody: %v, %v", is, err)
	}
	if err := srv.Modify(t.Context(), "dn: "+first.DN+"\nchangetype: delete\n"); err != nil {
		t.Fatal(err)
	}
	if _, is, err := s.Lookup(t.Context(), first.Anchor); err != nil || is != connector.PresenceGone {
		t.Errorf("lookup of the deleted: %v, %v", is, err)
	}

	groups := *c
	groups.Groups = []string{"cn=big1,ou=Groups," + srv.Base}
	if in := inScope(t, source(&groups)); in < 1599 || in > 1600 { // the deleted one may have been a member
		t.Errorf("%d members of the big group in scope", in)
	}
	groups.Groups = []string{"cn=nest1,ou=Groups," + srv.Base}
	nested := inScope(t, source(&groups))
	groups.Groups = []string{"cn=nest3,ou=Groups," + srv.Base}
	if inner := inScope(t, source(&groups)); nested == 0 || inner != nested {
		t.Errorf("a circle of groups has %d or %d members, by where it is entered", nested, inner)
	}

	limited := *c
	limited.Bind = Bind{User: srv.LimitedDN, Password: connector.NewSecret(srv.LimitedPassword)}
	recs, res, err = readPeople(t.Context(), source(&limited))
	if err != nil || res.Complete || !strings.Contains(res.Why, "limit") || len(recs) == 0 {
		t.Errorf("with a size limit: %d records, %+v, %v", len(recs), res, err)
	}
	wrong := *c
	wrong.Bases = []string{"ou=Nothing," + srv.Base}
	if _, _, err = readPeople(t.Context(), source(&wrong)); connector.KindOf(err) != connector.Refused || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a base that does not exist: %v", err)
	}
}

func inScope(t *testing.T, s *Source) int {
	t.Helper()
	recs, res, err := readPeople(t.Context(), s)
	if err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	n := 0
	for _, r := range recs {
		if r.OutOfScope == "" {
			n++
		}
	}
	return n
}

func TestSlapdStates(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{PPolicy: true})
	for i, extra := range []string{"employeeType: Inactive\n", "", ""} {
		if err := srv.Add(t.Context(), fmt.Sprintf("dn: uid=u%d,ou=People,%s\nobjectClass: inetOrgPerson\nuid: u%d\ncn: u\nsn: u\n%s", i, srv.Base, i, extra)); err != nil {
			t.Fatal(err)
		}
	}
	if err := srv.Modify(t.Context(), "dn: uid=u1,ou=People,"+srv.Base+"\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"); err != nil {
		t.Fatal(err)
	}
	c := slapdConfig(srv)
	c.Disabled = &Disabled{Attribute: "employeeType", Values: []string{"inactive"}}
	recs, _, err := readPeople(t.Context(), open(t, c))
	if err != nil || len(recs) != 3 {
		t.Fatalf("%d records, %v", len(recs), err)
	}
	for i, want := range []string{"disabled (employeeType)", "locked for good (pwdAccountLockedTime)", ""} {
		r := byDN(recs)[fmt.Sprintf("uid=u%d,ou=People,%s", i, srv.Base)]
		if r.EnabledReason != want || (r.Enabled == connector.EnabledYes) != (want == "") {
			t.Errorf("u%d: %+v", i, r)
		}
	}
}

func TestFrozenSlapdEndsTheRead(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Users: 5000})})
	c := slapdConfig(srv)
	c.PageSize, c.ReadTimeout = 100, connector.Duration(time.Second)
	n := 0
	res, err := open(t, c).Read(t.Context(), func(*connector.Record) error {
		if n++; n == 150 {
			return srv.Freeze()
		}
		return nil
	})
	if res.Complete || connector.KindOf(err) != connector.Incomplete || !strings.Contains(err.Error(), "sent nothing for 1s") || n < 150 || n >= 5000 {
		t.Errorf("%d records, %+v, %v", n, res, err)
	}
	c.ConnectTimeout = connector.Duration(time.Second)
	if _, _, err = readPeople(t.Context(), open(t, c)); connector.KindOf(err) != connector.Unavailable {
		t.Errorf("a new connection to a frozen server: %v", err)
	}
	if err := srv.Thaw(); err != nil {
		t.Error(err)
	}
}

func TestReadSamba(t *testing.T) {
	t.Parallel()
	srv := testserver.Samba(t, testserver.SambaOptions{LDIF: ldifgen.To(ldifgen.Mess(ldifgen.Options{
		AD: true, Users: 300, Groups: 3, Members: 20, Nest: 3, Expired: 10,
	}))})
	c := &Config{
		Type: ActiveDirectory, Servers: []string{srv.LDAPSURL}, TLS: TLS{CAFile: srv.CAFile, ServerName: srv.Host},
		Bind:  Bind{User: srv.SyncDN, Password: connector.NewSecret(srv.SyncPassword)},
		Bases: []string{srv.Base}, PageSize: 50, Canaries: []string{"CN=Administrator,CN=Users," + srv.Base},
	}
	source := func() *Source {
		return open(t, c, func(o *Options) { o.Protected.Groups = []string{"CN=Domain Admins,CN=Users," + srv.Base} })
	}
	recs, res, err := readPeople(t.Context(), source())
	if err != nil || !res.Complete || len(recs) < 303 || res.Present["userAccountControl"] != len(recs) {
		t.Fatalf("%d records, %+v, %v", len(recs), res, err)
	}
	disabled, expired, enabled := 0, 0, 0
	for _, r := range recs {
		switch {
		case strings.HasPrefix(r.EnabledReason, "disabled"):
			disabled++
		case strings.HasPrefix(r.EnabledReason, "expired"):
			expired++
		case r.Enabled == connector.EnabledYes:
			enabled++
		}
		if admin := strings.HasPrefix(r.DN, "CN=Administrator,"); admin != r.Protected || r.Fault != "" {
			t.Errorf("record %+v", r)
		}
	}
	if disabled == 0 || expired == 0 || disabled+expired+enabled != len(recs) {
		t.Errorf("%d disabled, %d expired, %d enabled of %d", disabled, expired, enabled, len(recs))
	}
	c.Groups = []string{"CN=Domain Users,CN=Users," + srv.Base} // no member values: everybody's primary group
	if in := inScope(t, source()); in < 300 {
		t.Errorf("%d in Domain Users", in)
	}
	c.Groups = nil
	var victim *connector.Record
	for _, r := range recs {
		if strings.Contains(r.DN, "u0000007") {
			victim = r
		}
	}
	if victim == nil {
		t.Fatal("no u0000007")
	}
	s := source()
	if rec, is, err := s.Lookup(t.Context(), victim.Anchor); err != nil || is != connector.PresentInScope || rec.DN != victim.DN {
		t.Errorf("lookup: %v, %v, %v", rec, is, err)
	}
	if err := srv.Modify(t.Context(), "dn: "+victim.DN+"\nchangetype: delete\n"); err != nil {
		t.Fatal(err)
	}
	if _, is, err := s.Lookup(t.Context(), victim.Anchor); err != nil || is != connector.PresenceGone {
		t.Errorf("lookup of the deleted: %v, %v", is, err)
	}
	if _, is, err := s.Lookup(t.Context(), connector.Anchor{Kind: connector.ObjectGUID, Raw: guid16}); err != nil || is != connector.PresenceGone {
		t.Errorf("lookup of nobody: %v, %v", is, err)
	}
	if found, err := s.Find(t.Context(), `LAB\Administrator`); err != nil || len(found) != 1 {
		t.Errorf("find: %v, %v", found, err)
	}
}
