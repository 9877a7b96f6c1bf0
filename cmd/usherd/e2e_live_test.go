package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/lease"
	"usherd/connector/store"
	"usherd/ldapsync/ldaptest"
)

// until waits until something holds that a running daemon brings about.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(60*time.Second)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			r.t.Fatalf("it does not come to this: %s", what)
		}
	}
}

// followed is a configuration whose source is followed as the lines say.
func followed(block, lines string) string {
	return strings.Replace(oneSource(block), "    first_run: apply\n", "    first_run: apply\n"+indent(lines, "    "), 1)
}

func (r *rig) state(name string) connector.State {
	r.t.Helper()
	return r.users()[name].State
}

// unixPerson is person for a directory that is no Active Directory.
func unixPerson(i int) (dn string, a ldaptest.Attrs) {
	uid := fmt.Sprintf("p%06d", i)
	return "uid=" + uid + ",OU=People,DC=example,DC=test", ldaptest.Attrs{
		"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "givenName": {"Given"}, "sn": {"Sur" + uid}, "mail": {uid + "@example.test"},
	}
}

// livePeople is a directory in this process with people in it.
type livePeople struct {
	t *testing.T
	*ldaptest.Server
	person func(i int) (string, ldaptest.Attrs)
	suffix string // of their user names
}

func newLivePeople(t *testing.T, kind ldaptest.Kind, n int) (s *livePeople, block string) {
	t.Helper()
	return newPeople(t, ldaptest.Options{Kind: kind}, n)
}

func newPeople(t *testing.T, o ldaptest.Options, n int) (s *livePeople, block string) {
	t.Helper()
	directory, block := fake(t, o)
	s = &livePeople{t, directory, unixPerson, ""}
	if o.Kind == ldaptest.ActiveDirectory {
		s.person, s.suffix = person, "@example.test"
	}
	for i := range n {
		s.hire(i + 1)
	}
	return s, block
}

// hire adds a person and returns the user name.
func (s *livePeople) hire(i int) string {
	s.t.Helper()
	if err := s.Add(s.person(i)); err != nil {
		s.t.Fatal(err)
	}
	return s.name(i)
}

func (s *livePeople) name(i int) string { return fmt.Sprintf("p%06d%s", i, s.suffix) }

func (s *livePeople) change(i int, do func(dn string) error) {
	s.t.Helper()
	dn, _ := s.person(i)
	if err := do(dn); err != nil {
		s.t.Fatal(err)
	}
}

// Whatever the kind of directory, what is done in it is done here, also what was done while nobody looked.
func TestDaemonFollowsLive(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]ldaptest.Kind{"AD": ldaptest.ActiveDirectory, "OpenLDAP": ldaptest.OpenLDAP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, block := newLivePeople(t, kind, 30)
			r := newRig(t, followed(block, "live: true\n"))
			d := r.daemon(t)
			d.log.await(t, "following")
			if n := len(r.users()); n != 30 {
				t.Fatalf("%d users", n)
			}
			hired := s.hire(31)
			r.until("somebody is hired", func() bool { return r.state(hired) == connector.NotVerified })
			s.change(1, func(dn string) error { return s.Modify(dn, ldaptest.Attrs{"sn": {"Changed"}}) })
			r.until("somebody is renamed", func() bool { return r.users()[s.name(1)].Profile.Get("familyName") == "Changed" })
			s.change(2, s.Delete)
			r.until("somebody is fired", func() bool { return r.state(s.name(2)) == connector.Inactive })
			d.has(`usherd_source_following{org="acme",source="hq"} 1`)
			if is := d.ready().Sources[0]; is.Follows != "live" || is.Quarantined {
				t.Errorf("%+v", is)
			}
			d.end()

			hired = s.hire(32)
			d = r.daemon(t)
			d.log.await(t, "following")
			if r.state(hired) != connector.NotVerified {
				t.Error("who was hired meanwhile is not there when it has caught up")
			}
			s.DropConnections()
			hired = s.hire(33)
			r.until("somebody is hired while the line is cut", func() bool { return r.state(hired) == connector.NotVerified })
			d.end()
			run := r.sync(exitOK)
			if run.Missed == nil || *run.Missed != 0 || run.Counts.Unchanged != 32 {
				t.Errorf("a full run finds %+v, missed %v", run.Counts, run.Missed)
			}
			r.verify()
		})
	}
}

func TestDaemonAsksForChanges(t *testing.T) {
	t.Parallel()
	s, block := newLivePeople(t, ldaptest.ActiveDirectory, 5)
	r := newRig(t, followed(block, "changes_every: 1s\n"))
	d := r.daemon(t)
	r.until("a first full run", func() bool { return len(r.users()) == 5 })
	hired := s.hire(6)
	r.until("somebody is hired", func() bool { return r.state(hired) != "" })
	d.end()
	if out := r.must(exitOK, "sources"); !strings.Contains(out, "every 1s") || !strings.Contains(out, "acme/hq  ok") {
		t.Errorf("sources:\n%s", out)
	}
	r.verify()
}

// A directory that refuses the service account is left alone, visibly, and tried at once when the
// configuration has changed.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 5)
	r := newRig(t, followed(block, "live: true\n"))
	r.env["LDAP_PASSWORD"] = "wrong"
	d := r.daemon(t)
	line := d.log.await(t, "following has failed")
	if line["what_to_do"] == "" || line["again_in"].(float64) < 3600 {
		t.Errorf("the log says %v", line)
	}
	r.until("the quarantine shows", func() bool { return d.ready().Sources[0].Quarantined })
	d.has(`usherd_source_failures{org="acme",source="hq"} 1`)
	out := r.must(exitOK, "sources")
	if !strings.Contains(out, "in quarantine") || !strings.Contains(out, "what to do: ") || !strings.Contains(out, "failed once") {
		t.Errorf("sources:\n%s", out)
	}
	binds := directory.Counts().Binds
	d.end()
	d = r.daemon(t) // a restart is no reason to ask again
	is := d.ready().Sources[0]
	if !is.Quarantined || is.NextTry == nil || directory.Counts().Binds != binds {
		t.Errorf("%+v, %d binds", is, directory.Counts().Binds-binds)
	}
	d.end()

	r.env["LDAP_PASSWORD"] = "secret"
	r.configure(followed(block, "live: true\nguard: {min: 11}\n"))
	d = r.daemon(t)
	d.log.await(t, "following")
	if d.ready().Sources[0].Quarantined || len(r.users()) != 5 {
		t.Error("it is still in quarantine")
	}
	d.end()
}

// Nothing is read again and again for an approval that nobody has given yet.
func TestLiveWaitsForTheFirstApproval(t *testing.T) {
	t.Parallel()
	_, block := newLivePeople(t, ldaptest.ActiveDirectory, 5)
	r := newRig(t, strings.Replace(followed(block, "live: true\n"), "first_run: apply", "first_run: preview", 1))
	d := r.daemon(t)
	d.log.await(t, "following waits for an approval")
	if out := r.must(exitOK, "sources"); !strings.Contains(out, "waits for approval") || !strings.Contains(out, "usherd approve ") {
		t.Errorf("sources:\n%s", out)
	}
	r.must(exitOK, "approve", "last", "-q")
	d.log.await(t, "following")
	if len(r.users()) != 5 {
		t.Error("nobody was created")
	}
	if n := len(decode[struct{ Runs []runDocument }](r, exitOK, "runs", "-o", "json").Runs); n != 2 {
		t.Errorf("%d runs", n)
	}
	d.end()
}

// Another filter takes somebody's access away, which waits for an approval. Until then nothing is read again.
func TestFollowingWaitsForTheApprovalOfAnotherFilter(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]string{"live": "live: true\n", "every second": "changes_every: 1s\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, block := newLivePeople(t, ldaptest.ActiveDirectory, 5)
			r := newRig(t, followed(block, how))
			d := r.daemon(t)
			r.until("a first full run", func() bool { return len(r.users()) == 5 })
			d.end()
			r.configure(followed(block+"filter: \"(&(objectClass=user)(!(sn=Surp000001)))\"\n", how))
			d = r.daemon(t)
			d.log.await(t, "following waits for an approval")
			if out := r.must(exitOK, "sources"); !strings.Contains(out, "what changed settings do waits for approval") {
				t.Errorf("sources:\n%s", out)
			}
			r.must(exitOK, "approve", "last", "-q")
			hired := s.hire(6)
			r.until("somebody is hired", func() bool { return r.state(hired) != "" })
			d.end()
			if r.state(s.name(1)) != connector.Inactive {
				t.Error(r.state(s.name(1)))
			}
			full := 0
			for _, run := range decode[struct{ Runs []runDocument }](r, exitOK, "runs", "-o", "json").Runs {
				if run.Mode == connector.ModeFull {
					full++
				}
			}
			if full != 3 {
				t.Errorf("%d full runs", full)
			}
			r.verify()
		})
	}
}

// Another run of the source that takes long is no failure of those that have to wait for it.
func TestFollowingWaitsForAnotherProcess(t *testing.T) {
	t.Parallel()
	s, block := newLivePeople(t, ldaptest.ActiveDirectory, 5)
	r := newRig(t, followed(block, "changes_every: 1s\n"))
	d := r.daemon(t)
	r.until("a first full run", func() bool { return len(r.users()) == 5 })
	r.withStore(func(db *store.DB) {
		var other *lease.Lease
		r.until("the source is taken", func() (taken bool) {
			var err error
			other, err = lease.Take(t.Context(), lease.Options{Store: db, Name: "source:acme/hq", Holder: "elsewhere:1 a"})
			return err == nil
		})
		if line := d.log.await(t, "run left out: another one of the source goes on"); line["source"] != "acme/hq" {
			t.Errorf("%v", line)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := other.Keep(ended); err != nil { // gives it back
			t.Error(err)
		}
	})
	hired := s.hire(6)
	r.until("somebody is hired", func() bool { return r.state(hired) != "" })
	d.end()
	r.verify()
}
