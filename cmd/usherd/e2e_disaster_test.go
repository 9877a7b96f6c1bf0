package main

import (
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/ldapsync/ldaptest"
)

// The ways in which a source is kept in step.
const (
	inFull    = "full"
	byChanges = "changes"
	inLive    = "live"
)

const (
	everybody = 200
	sellers   = 60 // of them, below an OU of their own
)

// disaster is a directory with people, and their users, to whom something happens.
type disaster struct {
	*rig
	dir    *livePeople
	block  string
	kind   ldaptest.Kind
	mode   string
	daemon *started // in live mode
	before map[string]userJSON
	ahead  atomic.Int64 // nanoseconds that the clock of usherd is ahead
}

// seller puts the first people into an OU of their own.
func seller(person func(int) (string, ldaptest.Attrs)) func(int) (string, ldaptest.Attrs) {
	return func(i int) (string, ldaptest.Attrs) {
		dn, a := person(i)
		if i <= sellers {
			dn = strings.Replace(dn, ",OU=People,", ",OU=Sales,OU=People,", 1)
		}
		return dn, a
	}
}

func newDisaster(t *testing.T, o ldaptest.Options, mode string) *disaster {
	t.Helper()
	d := &disaster{kind: o.Kind, mode: mode}
	d.dir, d.block = newPeople(t, o, 0)
	d.dir.person = seller(d.dir.person)
	for i := range everybody {
		d.dir.hire(i + 1)
	}
	d.rig = newRig(t, d.config("", ""))
	d.clock = func() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) }
	if c := d.sync(exitOK).Counts; c.Created != everybody {
		t.Fatalf("first run: %+v", c)
	}
	if mode == inLive {
		d.daemon = d.serve()
		d.daemon.log.await(t, "following")
	}
	d.before = d.users()
	return d
}

// config is the configuration with more lines for the source and for its directory.
func (d *disaster) config(source, directory string) string {
	if d.mode == inLive {
		source += "live: true\n"
	}
	return followed(d.block+"page_size: 50\n"+directory, source)
}

// reconfigure puts another configuration in force.
func (d *disaster) reconfigure(source, directory string) {
	d.t.Helper()
	d.configure(d.config(source, directory))
	if d.mode == inLive {
		d.daemon.hup <- syscall.SIGHUP
		if line := d.daemon.log.await(d.t, "reloaded", "the new configuration is refused, the old one stays in force"); line["msg"] != "reloaded" {
			d.t.Fatalf("%v", line)
		}
	}
}

// next lets the mode meet what has happened and returns the last run; live says at last what is wanted.
func (d *disaster) next(says string) (run runDocument) {
	d.t.Helper()
	switch d.mode {
	case inLive:
		d.dir.DropConnections()
		d.until("it is told "+says, func() bool { run = d.last(); return strings.Contains(run.why(), says) })
		return run
	case byChanges:
		return d.look("--mode", "changes")
	}
	return d.look()
}

func (d *disaster) last() runDocument {
	d.t.Helper()
	return decode[runDocument](d.rig, exitOK, "report", "last", "-o", "json")
}

// look is a run whatever comes of it.
func (d *disaster) look(flags ...string) runDocument {
	d.t.Helper()
	args := append([]string{"sync", "-q", "-o", "json"}, flags...)
	out, errs, code := d.run(args...)
	if !slices.Contains([]int{exitOK, exitError, exitHeld, exitFailed}, code) || !strings.HasPrefix(out, "{") {
		d.t.Fatalf("%v: exit code %d: %s%s", args, code, out, errs)
	}
	return d.last()
}

// why is what a run says of what stands against it.
func (r runDocument) why() string {
	text := r.Error
	if r.Hold != nil {
		text += r.Hold.Reason
	}
	return text + strings.Join(r.Warned, " ")
}

// cursor is where the feed of changes is taken up next.
func (d *disaster) cursor() (c connector.Cursor) {
	d.t.Helper()
	d.withStore(func(db *store.DB) {
		state, err := db.SourceState(d.t.Context(), "acme", "hq")
		if err != nil {
			d.t.Fatal(err)
		}
		c = state.Cursor
	})
	return c
}

// story is what happens to a directory, to the account that reads it or to the configuration.
type story struct {
	kinds  []ldaptest.Kind // nil = AD and OpenLDAP
	strike func(d *disaster)
	mend   func(d *disaster) // as the message says
	code   int               // of a full run
	says   string            // the cause, in its report, in the log and in `usherd sources`
	hint   string
	told   bool // runs of changes and live find out by themselves
}

// hide takes rights away from the account.
func hide(attributes ...string) func(*disaster) {
	return func(d *disaster) { d.dir.Hide(attributes...) }
}

func hideEntries(part string) func(*disaster) {
	return func(d *disaster) {
		d.dir.HideEntries(func(dn string) bool { return strings.Contains(strings.ToLower(dn), part) })
	}
}

func showAll(d *disaster) {
	d.dir.Hide()
	d.dir.HideEntries(nil)
}

func breaks(f ...ldaptest.Fault) func(*disaster) {
	return func(d *disaster) { d.dir.SetFaults(f...) }
}

func heals(d *disaster) { d.dir.ClearFaults() }

func asBefore(d *disaster) { d.reconfigure("", "") }

func remap(rule string) func(*disaster) {
	return func(d *disaster) { d.reconfigure("mapping: {attributes: {"+rule+"}}\n", "") }
}

func filter(f string) func(*disaster) {
	return func(d *disaster) { d.reconfigure("", "filter: "+f+"\n") }
}

func moveSellers(from, to string) func(*disaster) {
	return func(d *disaster) {
		if err := d.dir.Move(from, to); err != nil {
			d.t.Fatal(err)
		}
	}
}

var onlyAD = []ldaptest.Kind{ldaptest.ActiveDirectory}

var stories = map[string]story{
	"an OU is moved out of the base": {
		strike: moveSellers("OU=Sales,OU=People,DC=example,DC=test", "OU=Sales,DC=example,DC=test"),
		mend:   moveSellers("OU=Sales,DC=example,DC=test", "OU=Sales,OU=People,DC=example,DC=test"),
		code:   exitHeld, told: true,
		says: "60 removals are more than 10 and more than 5 % of 200 users: 60 out of scope, most or all of them below OU=Sales,OU=People,DC=example,DC=test",
	},
	"a filter that fits nobody": {
		strike: filter("(mail=nobody@example.test)"), mend: asBefore,
		code: exitError, says: "no entry at all", hint: "filter", told: true,
	},
	"a filter that fits half": {
		strike: filter("(sn=Surp0001*)"), mend: asBefore,
		code: exitHeld, says: "100 removals are more than 10 and more than 5 % of 200 users: scope, filter or mapping of the source have changed since the last run", told: true,
	},
	"a filter that leaves out a few": {
		strike: filter("(!(sn=Surp00019*))"), mend: asBefore,
		code: exitHeld, says: "10 people would lose access: scope, filter or mapping of the source have changed since the last run", told: true,
	},
	"a mapping that blanks every surname": {
		strike: remap("familyName: snn"), mend: asBefore, code: exitFailed, told: true,
		says: "Last Name would be empty for 200 of 200 users, more than 50 %",
	},
	"a mapping that changes every display name": {
		strike: remap(`displayName: 'sn + "!"'`), mend: asBefore,
		code: exitHeld, says: "Display Name would change for 200 of 200 users, more than 50 %: scope, filter or mapping of the source have changed", told: true,
	},
	"the account may read nobody": {
		strike: hideEntries("=p0"), mend: showAll, code: exitError, says: "no entry at all", hint: "right to read",
	},
	"the account may not read whether people are enabled": {
		kinds: onlyAD, strike: hide("userAccountControl"), mend: showAll,
		code: exitError, says: "userAccountControl", hint: "usherd check --connect",
	},
	"the account may not read surnames": {
		strike: hide("sn"), mend: showAll, code: exitError, says: "sn: 0 of 200 entries have it", hint: "usherd check --connect",
	},
	"the account may not read an OU": {
		strike: hideEntries("ou=sales"), mend: showAll, code: exitHeld,
		says: "60 removals are more than 10 and more than 5 % of 200 users: 60 not in the directory any more, most or all of them below OU=Sales",
	},
	"an empty answer": {
		strike: breaks(ldaptest.Fault{Kind: ldaptest.Result}), mend: heals, code: exitError, says: "ldapsync: ",
	},
	"half of the pages, then the end of the line": {
		strike: breaks(ldaptest.Fault{Kind: ldaptest.Close, After: 40}), mend: heals, code: exitError, says: "ldapsync: ",
	},
	"a referral instead of people": {
		strike: breaks(ldaptest.Fault{Kind: ldaptest.Referral, Message: "ldap://other.example.test"}), mend: heals,
		code: exitError, says: "referral",
	},
}

// eachWay runs a test in each mode with each kind of directory.
func eachWay(t *testing.T, kinds []ldaptest.Kind, test func(t *testing.T, kind ldaptest.Kind, mode string)) {
	t.Helper()
	if kinds == nil {
		kinds = []ldaptest.Kind{ldaptest.ActiveDirectory, ldaptest.OpenLDAP}
	}
	for _, kind := range kinds {
		for _, mode := range []string{inFull, byChanges, inLive} {
			if (raceEnabled || newstore.OnPostgres()) && (mode != inLive || kind != ldaptest.ActiveDirectory) {
				continue // the race detector and PostgreSQL have enough in one; `make test` runs all of them without both
			}
			name := map[ldaptest.Kind]string{ldaptest.ActiveDirectory: "AD", ldaptest.OpenLDAP: "OpenLDAP"}[kind] + " " + mode
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, kind, mode)
			})
		}
	}
}

// Whatever happens, in whichever mode: nobody is changed, somebody is told why, and there is a way back.
func TestDisasterTakesNobodyAway(t *testing.T) {
	t.Parallel()
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, s.kinds, s.happens)
		})
	}
}

func (s story) happens(t *testing.T, kind ldaptest.Kind, mode string) {
	t.Helper()
	d := newDisaster(t, ldaptest.Options{Kind: kind}, mode)
	cursor := d.cursor()
	s.strike(d)
	if says := map[bool]string{true: s.says}[s.told]; !strings.Contains(d.next(says).why(), says) {
		t.Errorf("it says %q, want %q", d.last().why(), says)
	}
	d.same(d.before)
	run := d.sync(s.code)
	d.same(d.before)
	if !strings.Contains(run.why(), s.says) || !strings.Contains(run.Hint, s.hint) {
		t.Errorf("a full run says %q and %q, want %q and %q", run.why(), run.Hint, s.says, s.hint)
	}
	if report := d.must(exitOK, "report", run.ID); !strings.Contains(unwrapped(report), s.says) {
		t.Errorf("the report does not say %q:\n%.900s", s.says, report)
	}
	if sources := d.must(exitOK, "sources"); s.code != exitFailed && !strings.Contains(unwrapped(sources), s.says) {
		t.Errorf("sources do not say %q:\n%s", s.says, sources)
	}
	if s.code == exitError && string(d.cursor().Data) != string(cursor.Data) {
		t.Error("the cursor has moved")
	}
	s.mend(d)
	d.recovers()
}

// unwrapped is a text without its line breaks.
func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }

// recovers demands that all is as before, and goes on.
func (d *disaster) recovers() {
	d.t.Helper()
	if run := d.sync(exitOK); run.Counts.Unchanged != everybody {
		d.t.Errorf("after the mending: %+v", run.Counts)
	}
	d.same(d.before)
	d.goesOn()
	d.verify()
}

// goesOn demands that somebody who is hired gets an account.
func (d *disaster) goesOn() {
	d.t.Helper()
	hired := d.dir.hire(everybody + 100)
	if d.mode == inLive {
		d.daemon.hup <- syscall.SIGHUP // it is tried again at once
		d.until("somebody is hired", func() bool { return d.state(hired) != "" })
		d.daemon.stop()
		return
	}
	d.next("")
	if d.state(hired) == "" {
		d.t.Error("nobody is hired any more")
	}
}
