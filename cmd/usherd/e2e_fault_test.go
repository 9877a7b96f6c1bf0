package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"usherd/config"
	"usherd/connector"
	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

// started is a daemon in this process that no schedule moves: the test triggers its runs.
type started struct {
	*daemon
	log  *logLines
	addr string
	hup  chan os.Signal // where the process gets SIGHUP
	stop func()
}

// serve starts the daemon of the rig; it ends with the test, or with stop.
func (r *rig) serve() *started {
	r.t.Helper()
	var out, errs bytes.Buffer
	a, lines := r.app(&out, &errs), newLogLines()
	a.configPath = r.config()
	log := newLog(lines, config.Log{Format: "json"})
	file, err := a.load()
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	s, err := a.openFile(ctx, file, log)
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	hup := make(chan os.Signal, 1)
	d := newDaemon(a, s, log, hup)
	done := make(chan error, 1)
	go func() { done <- d.run(ctx, ln) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, s.close()); err != nil {
			r.t.Errorf("the daemon ended with %v", err)
		}
	}
	r.t.Cleanup(stop)
	lines.await(r.t, "ready")
	return &started{d, lines, ln.Addr().String(), hup, stop}
}

// trigger starts a run and waits for its line in the log.
func (d *started) trigger(t *testing.T, msg string) map[string]any {
	t.Helper()
	tick := time.NewTicker(time.Millisecond) // the run before is told of a moment before it is over
	defer tick.Stop()
	for {
		err := d.runNow("acme/hq")
		if err == nil {
			return d.log.await(t, msg)
		}
		if connector.KindOf(err) != connector.Conflict {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// broken is a way in which a directory fails the reader.
type broken struct {
	kind  ldaptest.Kind
	set   func(t *testing.T, d *ldaptest.Server)
	unset func(d *ldaptest.Server)
	step  string // that the error names
	says  string // of the cause
	hint  string // a part of the remedy
	run   string // message of the daemon's log; "run failed" by default
}

func faults(f ...ldaptest.Fault) func(*testing.T, *ldaptest.Server) {
	return func(_ *testing.T, d *ldaptest.Server) { d.SetFaults(f...) }
}

var brokenDirectories = map[string]broken{
	"refuses connections":    {set: faults(ldaptest.Fault{Kind: ldaptest.RefuseConnections, At: ldaptest.AtConnect}), step: "ldapsync: "},
	"silent from the start":  {set: faults(ldaptest.Fault{Kind: ldaptest.Freeze, At: ldaptest.AtConnect}), step: "ldapsync: "},
	"silent at the bind":     {set: faults(ldaptest.Fault{Kind: ldaptest.Freeze, At: ldaptest.AtBind}), step: "ldapsync: bind", says: "answer"},
	"silent at the search":   {set: faults(ldaptest.Fault{Kind: ldaptest.Freeze}), step: "ldapsync: ", says: "sent nothing for 1s"},
	"silent after half":      {set: faults(ldaptest.Fault{Kind: ldaptest.Freeze, Skip: 1, After: 8}), step: "ldapsync: ", says: "sent nothing for 1s"},
	"slower than is allowed": {set: faults(ldaptest.Fault{Kind: ldaptest.Slow, Gate: make(chan struct{})}), step: "ldapsync: ", says: "sent nothing for 1s"},
	"closes in the middle":   {set: faults(ldaptest.Fault{Kind: ldaptest.Close, Skip: 1, After: 8}), step: "ldapsync: "},
	"closes in a message":    {set: faults(ldaptest.Fault{Kind: ldaptest.CutAtByte, Skip: 1, After: 3000}), step: "ldapsync: "},
	"says garbage":           {set: faults(ldaptest.Fault{Kind: ldaptest.Garbage, Skip: 1, After: 8}), step: "ldapsync: "},
	"garbage at the bind":    {set: faults(ldaptest.Fault{Kind: ldaptest.Garbage, At: ldaptest.AtBind}), step: "ldapsync: "},
	"shuts down": {
		set:  faults(ldaptest.Fault{Kind: ldaptest.Disconnect, Skip: 1, After: 8, Code: 52, Message: "shutting down"}),
		step: "ldapsync: ", says: "shutting down",
	},
	"busy":             {set: faults(ldaptest.Fault{Kind: ldaptest.Result, Code: 51, Message: "busy"}), step: "ldapsync: ", says: "busy"},
	"only a referral":  {set: faults(ldaptest.Fault{Kind: ldaptest.Referral, Message: "ldap://other.example.test"}), step: "ldapsync: ", says: "referral"},
	"wrong password":   {set: account(ldaptest.Account{Password: "changed"}), unset: restoreAccount, step: "ldapsync: bind", hint: "password"},
	"account disabled": {set: account(ldaptest.Account{Password: "secret", Refuse: "533"}), unset: restoreAccount, step: "ldapsync: bind", says: "disabled"},
	"certificate of another": {
		set:   func(_ *testing.T, d *ldaptest.Server) { d.SetCertificate(ldaptest.WrongNameCertificate) },
		unset: func(d *ldaptest.Server) { d.SetCertificate(ldaptest.GoodCertificate) }, step: "ldapsync: tls", hint: "server_name",
	},
	"certificate expired": {
		set:   func(_ *testing.T, d *ldaptest.Server) { d.SetCertificate(ldaptest.ExpiredCertificate) },
		unset: func(d *ldaptest.Server) { d.SetCertificate(ldaptest.GoodCertificate) }, step: "ldapsync: tls", says: "expired",
	},
	"lost all rights": {
		set: func(_ *testing.T, d *ldaptest.Server) {
			d.HideEntries(func(dn string) bool { return strings.HasPrefix(dn, "CN=p") })
		},
		unset: func(d *ldaptest.Server) { d.HideEntries(nil) }, step: "ldapsync: search", says: "no entry at all", hint: "right to read",
	},
	"answers an empty list": {set: faults(ldaptest.Fault{Kind: ldaptest.Result}), step: "ldapsync: search", says: "no entry at all", hint: "bases and filter"},
	"lost one attribute": {
		set:   func(_ *testing.T, d *ldaptest.Server) { d.Hide("displayName") },
		unset: func(d *ldaptest.Server) { d.Hide() }, step: "provision: hq", says: "displayName", hint: "usherd check --connect",
	},
	"lost the mail": {
		set:   func(_ *testing.T, d *ldaptest.Server) { d.Hide("mail") },
		unset: func(d *ldaptest.Server) { d.Hide() }, step: "provision: hq", says: "mail", hint: "usherd check --connect",
	},
	"lost the anchor": {
		set:   func(_ *testing.T, d *ldaptest.Server) { d.Hide("objectGUID") },
		unset: func(d *ldaptest.Server) { d.Hide() }, step: "ldapsync: ", says: "objectGUID",
	},
	"size limit after half": {
		set:  faults(ldaptest.Fault{Kind: ldaptest.Result, Skip: 1, After: 8, Code: 4, Message: "limit"}),
		step: "not complete", says: "limit", run: "run ended",
	},
	"no paging": {
		set:  faults(ldaptest.Fault{Kind: ldaptest.NoPagingControl}),
		step: "not complete", run: "run ended",
	},
}

func account(a ldaptest.Account) func(*testing.T, *ldaptest.Server) {
	return func(_ *testing.T, d *ldaptest.Server) {
		a.Names = []string{"CN=usherd,DC=example,DC=test"}
		d.SetAccount(a)
	}
}

func restoreAccount(d *ldaptest.Server) {
	d.SetAccount(ldaptest.Account{Names: []string{"CN=usherd,DC=example,DC=test"}, Password: "secret"})
}

func TestBrokenDirectoryTakesNobodyAway(t *testing.T) {
	t.Parallel()
	for name, b := range brokenDirectories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, block := fake(t, ldaptest.Options{Kind: b.kind, MaxPageSize: 15})
			people(t, d, 40)
			r := newRig(t, oneSource(block))
			if c := r.sync(exitOK).Counts; c.Created != 40 {
				t.Fatalf("first run: %+v", c)
			}
			before := r.users()
			b.set(t, d)
			run := r.sync(exitError)
			if !strings.Contains(run.Error, b.step) || !strings.Contains(run.Error, b.says) {
				t.Errorf("error %q, want %q and %q", run.Error, b.step, b.says)
			}
			if run.Hint == "" || !strings.Contains(run.Hint, b.hint) {
				t.Errorf("remedy %q, want %q", run.Hint, b.hint)
			}
			r.same(before)
			b.recovers(t, r, d)
			r.same(before)
			r.verify()
		})
	}
}

// recovers lets a daemon meet the fault, and its end.
func (b broken) recovers(t *testing.T, r *rig, d *ldaptest.Server) {
	t.Helper()
	daemon, msg := r.serve(), b.run
	if msg == "" {
		msg = "run failed"
	}
	line := daemon.trigger(t, msg)
	if line["error"] == nil || line["what_to_do"] == nil || line["what_to_do"] == "" || line["deactivated"] != 0.0 {
		t.Errorf("the log says %v", line)
	}
	d.ClearFaults()
	if b.unset != nil {
		b.unset(d)
	}
	if run := daemon.lastOf("acme/hq"); run.Refused { // it is in quarantine: a reload is the way out
		daemon.trigger(t, "run left out: the source is in quarantine")
		if err := daemon.reloadNow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	line = daemon.trigger(t, "run ended")
	if line["result"] != "ok" || line["unchanged"] != 40.0 {
		t.Errorf("after the fault: %v", line)
	}
	daemon.stop()
}

// A server that ends well and shows only some of the people is no proof that the others are gone.
func TestLostRightsToHalfArePutBeforeAPerson(t *testing.T) {
	t.Parallel()
	d, block := fake(t, ldaptest.Options{})
	people(t, d, 400)
	r := newRig(t, oneSource(block))
	r.sync(exitOK)
	before := r.users()
	d.HideEntries(func(dn string) bool { return strings.HasPrefix(dn, "CN=p0002") })
	run := r.sync(exitHeld)
	if run.Hold == nil || run.Counts.Held != 100 || run.Counts.Deactivated != 0 {
		t.Errorf("%+v, hold %+v", run.Counts, run.Hold)
	}
	r.same(before)
	d.HideEntries(nil)
	if run = r.sync(exitOK); run.Counts.Unchanged != 400 {
		t.Errorf("%+v", run.Counts)
	}
	out, errs, code := r.run("approve", "last")
	if code != exitError || !strings.Contains(errs, "has taken its place") {
		t.Errorf("approve: exit code %d: %s%s", code, out, errs)
	}
	r.verify()
}

// same fails the test when any user has changed.
func (r *rig) same(before map[string]userJSON) {
	r.t.Helper()
	after := r.users()
	if len(after) != len(before) {
		r.t.Errorf("%d users, there were %d", len(after), len(before))
	}
	for name, was := range before {
		if is := after[name]; is.Version != was.Version || is.State != was.State {
			r.t.Errorf("%s was %s, version %d; is %s, version %d", name, was.State, was.Version, is.State, is.Version)
		}
	}
}

// An answer that is slow but comes is waited for.
func TestSlowDirectoryIsWaitedFor(t *testing.T) {
	t.Parallel()
	d, block := fake(t, ldaptest.Options{MaxPageSize: 15})
	people(t, d, 40)
	gate := make(chan struct{})
	d.SetFaults(ldaptest.Fault{Kind: ldaptest.Slow, Gate: gate})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			select {
			case gate <- struct{}{}:
			case <-ctx.Done():
			}
		}
	}()
	r := newRig(t, oneSource(block))
	if c := r.sync(exitOK).Counts; c.Created != 40 {
		t.Errorf("%+v", c)
	}
}

func TestFrozenServerIsSurvived(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Users: 100})})
	r := newRig(t, oneSource(slapdBlock(srv)+"connect_timeout: 1s\nread_timeout: 1s\n"))
	if c := r.sync(exitOK).Counts; c.Created != 100 {
		t.Fatalf("%+v", c)
	}
	before, daemon := r.users(), r.serve()
	if err := srv.Freeze(); err != nil {
		t.Fatal(err)
	}
	if run := r.sync(exitError); !strings.HasPrefix(run.Error, "ldapsync: tls ") || !strings.Contains(run.Hint, "check that the server is well") {
		t.Errorf("error %q, remedy %q", run.Error, run.Hint)
	}
	if line := daemon.trigger(t, "run failed"); !strings.Contains(fmt.Sprint(line["error"]), "ldapsync: ") {
		t.Errorf("the log says %v", line)
	}
	if err := srv.Thaw(); err != nil {
		t.Fatal(err)
	}
	if line := daemon.trigger(t, "run ended"); line["result"] != string(connector.ResultOK) || line["unchanged"] != 100.0 {
		t.Errorf("after the thaw: %v", line)
	}
	r.same(before)
	daemon.stop()
	r.verify()
}
