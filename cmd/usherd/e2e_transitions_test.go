package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/domains/dnstest"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

// product is a kind of directory with the words in which it says things.
type product struct {
	base, rdn     string
	class         string              // of a person
	scope         string              // keys of the directory block
	off, on       string              // LDIF that disables and enables
	expire, unend string              // LDIF of another way to do so
	login         func(string) string // LDIF that renames the login
	userName      func(uid string) string
	absent        string // a required attribute that an entry may lack
}

var (
	samba = product{
		base: "DC=lab,DC=test", rdn: "CN", class: "user",
		scope: "bases: [\"DC=lab,DC=test\"]\ninclude_ous: [\"OU=People,DC=lab,DC=test\", \"OU=Branch,DC=lab,DC=test\"]\n",
		off:   "replace: userAccountControl\nuserAccountControl: 546\n", on: "replace: userAccountControl\nuserAccountControl: 544\n",
		expire: "replace: accountExpires\naccountExpires: 132223104000000000\n", unend: "replace: accountExpires\naccountExpires: 0\n",
		login: func(n string) string {
			return "replace: sAMAccountName\nsAMAccountName: " + n + "\n-\nreplace: userPrincipalName\nuserPrincipalName: " + n + "@lab.test\n"
		},
		userName: func(uid string) string { return uid + "@lab.test" },
		absent:   "sn",
	}
	openldap = product{
		base: "dc=example,dc=test", rdn: "cn", class: "inetOrgPerson",
		scope: "bases: [\"ou=People,dc=example,dc=test\", \"ou=Branch,dc=example,dc=test\"]\ndisabled: {attribute: employeeType, values: [inactive]}\n",
		off:   "replace: employeeType\nemployeeType: Inactive\n", on: "replace: employeeType\nemployeeType: FTE\n",
		expire:   "replace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n",
		unend:    "delete: pwdAccountLockedTime\n",
		login:    func(n string) string { return "replace: uid\nuid: " + n + "\n" },
		userName: func(uid string) string { return uid },
		absent:   "givenName",
	}
)

func (p product) dn(uid, ou string) string { return p.rdn + "=" + uid + ",OU=" + ou + "," + p.base }

// entry is a whole person as LDIF; without are attributes to leave out.
func (p product) entry(uid, mail string, without ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "dn: %s\nobjectClass: %s\n", p.dn(uid, "People"), p.class)
	attrs := [][2]string{{"cn", uid}, {"givenName", "Given"}, {"sn", "Sur-" + uid}, {"displayName", "Given Sur-" + uid}, {"mail", mail}}
	if p.class == "user" {
		attrs = append(attrs, [][2]string{{"sAMAccountName", uid}, {"userPrincipalName", p.userName(uid)}, {"userAccountControl", "544"}}...)
	} else {
		attrs = append(attrs, [2]string{"uid", uid})
	}
	for _, a := range attrs {
		if !slices.Contains(without, a[0]) {
			fmt.Fprintf(&b, "%s: %s\n", a[0], a[1])
		}
	}
	return b.String() + "\n"
}

func (p product) modify(uid, change string) string {
	return "dn: " + p.dn(uid, "People") + "\nchangetype: modify\n" + change + "\n"
}

func (p product) move(uid, from, rdn, to string) string {
	return fmt.Sprintf("dn: %s\nchangetype: modrdn\nnewrdn: %s=%s\ndeleteoldrdn: 1\nnewsuperior: OU=%s,%s\n\n", p.dn(uid, from), p.rdn, rdn, to, p.base)
}

// actors are the people to whom something happens, beside the thousand others.
var actors = []string{"x-off", "x-expired", "x-moved", "x-left", "x-rdn", "x-login", "x-mail", "x-deleted", "x-again"}

// fill writes a thousand people with everything that is awkward, and the actors.
func (p product) fill(w io.Writer) error {
	err := ldifgen.Write(w, ldifgen.Mess(ldifgen.Options{AD: p.class == "user", Seed: 7, Users: 1000, Expired: 3, Groups: 2, Members: 20}))
	for _, ou := range []string{"Branch", "Leavers"} {
		if err == nil {
			_, err = fmt.Fprintf(w, "dn: OU=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", ou, p.base, ou)
		}
	}
	var text strings.Builder
	text.WriteString(p.entry("x-nomail", "", "mail") + p.entry("x-noname", "x-noname@example.test", p.absent))
	for _, a := range actors {
		text.WriteString(p.entry(a, a+"@example.test"))
	}
	if err == nil {
		_, err = io.WriteString(w, text.String())
	}
	return err
}

// expected is what must become of the people of an LDIF text, worked out without any of usherd.
type expected struct {
	active, notVerified, failed, skipped int
	state                                map[string]string // by mail, lower case
}

func (p product) expect(t *testing.T) expected {
	t.Helper()
	var b bytes.Buffer
	if err := p.fill(&b); err != nil {
		t.Fatal(err)
	}
	x := expected{state: map[string]string{}}
	mails, good := map[string]int{}, []string{}
	for text := range strings.SplitSeq(strings.TrimSpace(b.String()), "\n\n") {
		a := attributes(text)
		if a["objectClass"] != p.class {
			continue
		}
		switch {
		case p.disabled(a):
			x.skipped++
		case a["mail"] == "" || a["sn"] == "" || a["givenName"] == "":
			x.failed++
		default:
			mail := strings.ToLower(a["mail"])
			mails[mail]++
			good = append(good, mail)
		}
	}
	for _, mail := range good {
		switch {
		case mails[mail] > 1:
			x.failed++
		case strings.HasSuffix(mail, "@example.org"):
			x.notVerified++
			x.state[mail] = "not_verified"
		default: // example.test, and corp.example.test below it
			x.active++
			x.state[mail] = "active"
		}
	}
	return x
}

func (p product) disabled(a map[string]string) bool {
	uac, _ := strconv.Atoi(a["userAccountControl"])
	return uac&2 != 0 || a["accountExpires"] == "132223104000000000" || a["employeeType"] == "Inactive" && p.class != "user"
}

// attributes reads one entry of LDIF; of several values it keeps the last.
func attributes(text string) map[string]string {
	a := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if raw, ok := strings.CutPrefix(value, ":"); ok {
			b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(raw))
			value = string(b)
		}
		a[name] = strings.TrimSpace(value)
	}
	return a
}

func TestPeopleOfSamba(t *testing.T) {
	t.Parallel()
	srv := testserver.Samba(t, testserver.SambaOptions{LDIF: samba.fill})
	testPeople(t, samba, srv, fmt.Sprintf(`type: active_directory
servers: [%s]
tls: {ca_file: %s, server_name: %s}
bind: {user: "%s", password: {env: LDAP_PASSWORD}}
`, srv.LDAPSURL, srv.CAFile, srv.Host, srv.SyncDN))
}

func TestPeopleOfSlapd(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: openldap.fill, PPolicy: true})
	block, _, _ := strings.Cut(slapdBlock(srv), "bases:")
	testPeople(t, openldap, srv, block)
}

// stage is a directory with a rig on it.
type stage struct {
	*rig
	product
	srv *testserver.Server
	ids map[string]string // of the actors
}

func testPeople(t *testing.T, p product, srv *testserver.Server, block string) {
	t.Helper()
	dns, err := dnstest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	r := newRig(t, "dns: {resolver: \""+dns.Addr()+"\"}\n"+oneSource(block+p.scope))
	r.env["LDAP_PASSWORD"] = srv.SyncPassword
	late := time.Duration(0)
	r.clock = func() time.Time { return time.Now().Add(late) }
	s := &stage{rig: r, product: p, srv: srv, ids: map[string]string{}}

	s.prove(dns, "example.test")
	s.first(p.expect(t))
	if run := s.sync(exitFailed); run.Counts.Created+run.Counts.Updated+run.Counts.Deactivated+run.Counts.Reactivated+run.Counts.Deleted != 0 {
		t.Errorf("a run in which nothing has changed: %+v", run.Counts)
	}
	s.changes()
	s.back()
	s.proof(dns, p.expect(t))
	late = 8 * 24 * time.Hour
	s.after("", "x-deleted deleted inactive deleted")
	s.after(s.entry("x-deleted", "x-deleted@example.test"), "x-deleted created  active")
	if id := s.show(s.userName("x-deleted")).ID; id == s.ids["x-deleted"] {
		t.Error("a deleted user has come to life")
	}
	s.after("")
	s.verify()
}

// prove adds a domain, puts the record that the command shows into DNS and has it checked.
func (r *rig) prove(dns *dnstest.Server, domain string) string {
	r.t.Helper()
	out := r.must(exitOK, "domain", "add", domain)
	_, record, ok := strings.Cut(out, domain+".  TXT  \"")
	record, _, _ = strings.Cut(record, "\"")
	if !ok || !strings.HasPrefix(record, "usherd-verification=") {
		r.t.Fatalf("domain add says %q", out)
	}
	if _, errs, code := r.run("domain", "check", domain); code != exitError || !strings.Contains(errs, "not verified") || !strings.Contains(errs, "what to do") {
		r.t.Errorf("check before the proof: exit code %d, %s", code, errs)
	}
	dns.SetTXT(domain, "v=spf1 -all", record)
	return r.must(exitOK, "domain", "check", domain)
}

// first is the first run: everybody stands where domain.md says.
func (s *stage) first(x expected) {
	s.t.Helper()
	run := s.sync(exitFailed)
	want := connector.Counts{Created: x.active + x.notVerified, Failed: x.failed, Skipped: run.Counts.Skipped}
	if run.Counts != want || run.Skips["new_but_disabled"] != x.skipped {
		s.t.Errorf("first run: %+v, skipped %v; want %+v, %d new_but_disabled", run.Counts, run.Skips, want, x.skipped)
	}
	if x.skipped < 30 || x.failed < 30 || x.notVerified < 200 {
		s.t.Errorf("the company is not awkward enough: %+v", x)
	}
	got := map[string]string{}
	for _, u := range s.users() {
		got[strings.ToLower(u.Email)] = string(u.State)
		if u.Package != "standard" {
			s.t.Errorf("%s has package %q", u.UserName, u.Package)
		}
	}
	if diff := cmp.Diff(x.state, got); diff != "" {
		s.t.Errorf("states of the people, -want +got:\n%s", diff)
	}
	if n := len(s.failures()); n != x.failed {
		s.t.Errorf("%d open items, want %d", n, x.failed)
	}
	for _, a := range actors {
		s.ids[a] = s.show(s.userName(a)).ID
	}
}

// after changes the directory and runs a sync, which must do exactly this: "uid action before after".
func (s *stage) after(ldif string, want ...string) {
	s.t.Helper()
	if ldif != "" {
		modify := s.srv.Modify
		if strings.HasPrefix(ldif, "dn: ") && !strings.Contains(ldif, "changetype") {
			modify = s.srv.Add
		}
		if err := modify(s.t.Context(), ldif); err != nil {
			s.t.Fatal(err)
		}
	}
	var got []string
	for _, c := range s.sync(exitFailed).Changes {
		if c.Action != "failed" && c.Action != "skipped" {
			uid, _, _ := strings.Cut(c.Subject, "@")
			got = append(got, fmt.Sprintf("%s %s %s %s", uid, c.Action, c.Before, c.After))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("-want +got:\n%s", diff)
	}
}

// changes lets something happen to each of the actors.
func (s *stage) changes() {
	s.t.Helper()
	s.after(s.modify("x-off", s.off)+
		s.modify("x-expired", s.expire)+
		s.move("x-moved", "People", "x-moved", "Branch")+
		s.move("x-left", "People", "x-left", "Leavers")+
		s.move("x-rdn", "People", "x-married", "People")+
		s.modify("x-login", s.login("x-newlogin"))+
		s.modify("x-mail", "replace: mail\nmail: x-newmail@example.test\n")+
		"dn: "+s.dn("x-deleted", "People")+"\nchangetype: delete\n\n"+
		"dn: "+s.dn("x-again", "People")+"\nchangetype: delete\n\n"+
		s.modify("x-nomail", "add: mail\nmail: x-nomail@example.test\n")+
		s.modify("x-noname", "add: "+s.absent+"\n"+s.absent+": Mended\n"),
		"x-off deactivated active inactive",
		"x-expired deactivated active inactive",
		"x-moved unchanged  ", // only its link learns the new DN
		"x-left deactivated active inactive",
		"x-rdn updated active active", // the common name is the formatted name
		"x-newlogin updated active active",
		"x-mail updated active active",
		"x-deleted deactivated active inactive",
		"x-again deactivated active inactive",
		"x-nomail created  active",
		"x-noname created  active",
	)
	for now, was := range map[string]string{"x-rdn": "x-rdn", "x-newlogin": "x-login", "x-mail": "x-mail", "x-moved": "x-moved"} {
		u := s.show(s.userName(now))
		if u.ID != s.ids[was] {
			s.t.Errorf("%s has another id than before", was)
		}
		if now == "x-moved" && (len(u.Links) != 1 || !strings.EqualFold(u.Links[0].DN, s.dn("x-moved", "Branch"))) {
			s.t.Errorf("the link of x-moved says %+v", u.Links)
		}
	}
	if u := s.show("x-newmail@example.test"); u.ID != s.ids["x-mail"] || u.UserName != s.userName("x-mail") {
		s.t.Errorf("x-mail is now %+v", u.User)
	}
	for _, uid := range []string{"x-off", "x-expired", "x-left", "x-deleted", "x-again"} {
		d := s.show(s.userName(uid)).Deactivated
		if d == nil || d.By != connector.BySource || d.Source != "hq" || d.Resume != connector.Active || d.DeletedAt == nil {
			s.t.Errorf("%s is deactivated: %+v", uid, d)
		}
	}
	for _, f := range s.failures() {
		if strings.HasPrefix(f.Subject, "x-") {
			s.t.Errorf("%s was mended and still fails: %+v", f.Subject, f)
		}
	}
}

// back gives them what they had.
func (s *stage) back() {
	s.t.Helper()
	if err := s.srv.Add(s.t.Context(), s.entry("x-again", "x-again@example.test")); err != nil {
		s.t.Fatal(err)
	}
	s.after(s.modify("x-off", s.on)+s.modify("x-expired", s.unend)+s.move("x-left", "Leavers", "x-left", "People"),
		"x-off reactivated inactive active",
		"x-expired reactivated inactive active",
		"x-left reactivated inactive active",
		"x-again reactivated inactive active",
	)
	for _, uid := range []string{"x-off", "x-expired", "x-left", "x-again"} {
		u := s.show(s.userName(uid))
		if u.ID != s.ids[uid] || len(u.Links) != 1 || u.Links[0].Standing != connector.StandingEnabled {
			s.t.Errorf("%s is back as %s (was %s) with %+v", uid, u.ID, s.ids[uid], u.Links)
		}
	}
}

// proof shows that people of an unverified domain wait for it, and move with the first run after it.
func (s *stage) proof(dns *dnstest.Server, x expected) {
	s.t.Helper()
	if n := len(s.users("--state", "not_verified")); n != x.notVerified {
		s.t.Errorf("%d users are not verified, want %d", n, x.notVerified)
	}
	out := s.prove(dns, "example.org")
	if !strings.Contains(out, fmt.Sprintf("%d people", x.notVerified)) {
		s.t.Errorf("domain check says %q, want %d people", out, x.notVerified)
	}
	if n := len(s.users("--state", "not_verified")); n != x.notVerified {
		s.t.Errorf("%d users are not verified before the sync, want %d", n, x.notVerified)
	}
	run := s.sync(exitFailed)
	if run.Counts.Updated != x.notVerified || run.Counts.Created+run.Counts.Deactivated+run.Counts.Reactivated != 0 {
		s.t.Errorf("the run after the proof: %+v, want %d updated", run.Counts, x.notVerified)
	}
	if n := len(s.users("--state", "not_verified")); n != 0 {
		s.t.Errorf("%d users are not verified after the sync", n)
	}
}
