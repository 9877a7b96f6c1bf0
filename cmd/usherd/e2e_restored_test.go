package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

const newcomers = 5 // who came after the snapshot: fewer than the guard would ask about

// restore puts the directory back to when the first people, and no others, had been hired.
func (d *disaster) restore(people int) {
	d.t.Helper()
	o := ldaptest.Options{Kind: d.kind, InPlaceOf: d.dir.Server, Accounts: readers}
	s, err := ldaptest.Start(o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(s.Close)
	d.dir.Server = s
	for i := range people {
		d.dir.hire(i + 1)
	}
}

// newRestored is a directory with users, of whom the last came after the snapshot to which it is put back.
func newRestored(t *testing.T, kind ldaptest.Kind, mode string) *disaster {
	t.Helper()
	d := newDisaster(t, ldaptest.Options{Kind: kind}, mode)
	for i := range newcomers {
		d.dir.hire(everybody + i + 1)
	}
	if mode == inLive {
		d.until("they are hired", func() bool { return len(d.users()) == everybody+newcomers })
	} else {
		d.next("")
	}
	if d.before = d.users(); len(d.before) != everybody+newcomers {
		t.Fatalf("%d users", len(d.before))
	}
	return d
}

// Who came after the snapshot is not taken away, however few they are, until somebody says so.
func TestDirectoryRestoredFromASnapshot(t *testing.T) {
	t.Parallel()
	says := map[ldaptest.Kind]string{
		ldaptest.ActiveDirectory: "the domain controller DC1 went back in time: its highest update number is ",
		ldaptest.OpenLDAP:        "the directory went back: ",
	}
	eachWay(t, nil, func(t *testing.T, kind ldaptest.Kind, mode string) {
		t.Helper()
		d := newRestored(t, kind, mode)
		cursor := d.cursor()
		d.restore(everybody)
		d.holdsAll(says[kind])
		d.must(exitOK, "reject", "last")
		d.holdsAll(says[kind]) // the directory is no better
		if at := d.cursor(); string(at.Data) != string(cursor.Data) {
			t.Error("the cursor has moved")
		}
		d.restore(everybody + newcomers) // the right one comes back
		if run := d.sync(exitOK); run.Counts.Unchanged != everybody+newcomers {
			t.Errorf("%+v", run.Counts)
		}
		d.same(d.before)
		d.goesOn()
		d.verify()
	})
}

// A restore in good order leaves no lower number behind, but another database.
func TestDomainControllerRestoredInGoodOrder(t *testing.T) {
	t.Parallel()
	eachWay(t, onlyAD, func(t *testing.T, kind ldaptest.Kind, mode string) {
		t.Helper()
		d := newRestored(t, kind, mode)
		d.restore(everybody)
		if err := d.dir.NewInvocation(); err != nil {
			t.Fatal(err)
		}
		for i := range 3 * newcomers {
			d.dir.change(i+1, func(dn string) error { return d.dir.Modify(dn, ldaptest.Attrs{"description": {"busy"}}) })
		}
		d.holdsAll("the domain controller DC1 has another database than it had, as after a restore from a backup")
		d.must(exitOK, "approve", "last", "-q")
		for i := range newcomers {
			if is := d.state(d.dir.name(everybody + i + 1)); is != connector.Inactive {
				t.Errorf("%s after the approval", is)
			}
		}
		d.goesOn()
		d.verify()
	})
}

// holdsAll demands that the mode and a full run hold everything for that reason, and say so.
func (d *disaster) holdsAll(says string) {
	d.t.Helper()
	if run := d.next(says); !strings.HasPrefix(run.why(), says) {
		d.t.Errorf("it says %q, want %q", run.why(), says)
	}
	run := d.sync(exitHeld)
	if run.Hold == nil || !strings.HasPrefix(run.Hold.Reason, says) || run.Counts.Held == 0 {
		d.t.Errorf("a full run: %+v, %+v", run.Counts, run.Hold)
	}
	if sources := unwrapped(d.must(exitOK, "sources")); !strings.Contains(sources, "waits for approval: "+says) {
		d.t.Errorf("sources:\n%s", sources)
	}
	d.same(d.before)
}

// real is a directory server whose folder is copied and copied back.
type realServer struct {
	*testserver.Server
	t *testing.T
}

func (s realServer) copyTree(from, to string) {
	s.t.Helper()
	if err := os.RemoveAll(to); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.CommandContext(s.t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		s.t.Fatalf("cp: %v: %s", err, out)
	}
}

func (s realServer) restart() {
	s.t.Helper()
	if err := s.Restart(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// Real servers are stopped, and started with an older copy of their files.
func TestRealDirectoryRestoredFromASnapshot(t *testing.T) {
	t.Parallel()
	t.Run("slapd", func(t *testing.T) {
		t.Parallel()
		srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Users: 50})})
		restoredForReal(t, realServer{srv, t}, filepath.Join(srv.Dir, "db"), slapdBlock(srv), "the directory went back: ",
			`dn: uid=new%[1]d,ou=People,dc=example,dc=test
objectClass: inetOrgPerson
uid: new%[1]d
cn: new%[1]d
givenName: New
sn: Comer
mail: new%[1]d@example.test

`)
	})
	t.Run("Samba", func(t *testing.T) {
		t.Parallel()
		srv := testserver.Samba(t, testserver.SambaOptions{LDIF: ldifgen.To(ldifgen.Options{AD: true, Users: 50})})
		restoredForReal(t, realServer{srv, t}, srv.Dir, fmt.Sprintf(`type: active_directory
servers: [%s]
tls: {ca_file: %s, server_name: %s}
bind: {user: "%s", password: {env: LDAP_PASSWORD}}
bases: ["OU=People,%s"]
`, srv.LDAPSURL, srv.CAFile, srv.Host, srv.SyncDN, srv.Base), "the domain controller DC1 went back in time: ",
			`dn: CN=new%[1]d,OU=People,DC=lab,DC=test
objectClass: user
sAMAccountName: new%[1]d
userPrincipalName: new%[1]d@lab.test
userAccountControl: 544
givenName: New
sn: Comer
mail: new%[1]d@lab.test

`)
	})
}

func restoredForReal(t *testing.T, srv realServer, files, block, says, entry string) {
	t.Helper()
	r := newRig(t, followed(block, "live: true\n"))
	r.env["LDAP_PASSWORD"] = srv.SyncPassword
	if c := r.sync(exitOK).Counts; c.Created != 50 {
		t.Fatalf("%+v", c)
	}
	snapshot, now := filepath.Join(t.TempDir(), "snapshot"), filepath.Join(t.TempDir(), "now")
	srv.Stop()
	srv.copyTree(files, snapshot)
	srv.restart()
	d := r.serve()
	d.log.await(t, "following")
	for i := range newcomers {
		if err := srv.Add(t.Context(), fmt.Sprintf(entry, i)); err != nil {
			t.Fatal(err)
		}
	}
	r.until("they are hired", func() bool { return len(r.users()) == 50+newcomers })
	before := r.users()
	srv.Stop()
	srv.copyTree(files, now)
	srv.copyTree(snapshot, files)
	srv.restart()
	if line := d.log.await(t, "run held"); !strings.HasPrefix(line["why"].(string), says) {
		t.Errorf("the log says %v", line)
	}
	for range 2 {
		if run := r.sync(exitHeld); !strings.HasPrefix(run.why(), says) {
			t.Errorf("%+v says %q", run.Counts, run.why())
		}
	}
	r.same(before)
	srv.Stop()
	srv.copyTree(now, files)
	srv.restart()
	if run := r.sync(exitOK); run.Counts.Unchanged != 50+newcomers {
		t.Errorf("the right one again: %+v", run.Counts)
	}
	d.log.await(t, "following")
	r.same(before)
	d.stop()
	r.verify()
}
