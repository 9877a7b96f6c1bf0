package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/domains/dnstest"
	"usherd/connector/store"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/changescript"
)

// How long the script is, and another one's seed, to see a failure again.
const (
	scriptOps  = "USHERD_SCRIPT_OPS"
	scriptSeed = "USHERD_SCRIPT_SEED"
)

// scripted is a directory that a script changes, with a store that follows it.
type scripted struct {
	*rig
	kind    changescript.Kind
	company *changescript.Company
	srv     *testserver.Server
	dns     *dnstest.Server
	seed    uint64
	by      string     // how the directory tells of changes
	rand    *rand.Rand // of what happens beside the script
	done    []string
	logs    []*logLines // of each daemon
}

// newScripted starts the directory and brings everybody into the store. more are lines of the source.
func newScripted(t *testing.T, o changescript.Options, by, more string) *scripted {
	t.Helper()
	o.Seed = uint64(time.Now().UnixNano())
	if text := os.Getenv(scriptSeed); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", scriptSeed, err)
		}
		o.Seed = n
	}
	s := &scripted{kind: o.Kind, company: changescript.New(o), seed: o.Seed, by: by, rand: rand.New(rand.NewPCG(o.Seed, 1))}
	t.Logf("%s=%d", scriptSeed, o.Seed)
	s.start(t)
	var err error
	if s.dns, err = dnstest.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.dns.Close() })
	s.rig = s.store(s.config(more))
	s.must(exitOK, "sync", "-q")
	return s
}

func (s *scripted) start(t *testing.T) {
	t.Helper()
	switch s.kind {
	case changescript.Slapd:
		s.srv = testserver.Slapd(t, testserver.SlapdOptions{LDIF: s.company.LDIF})
	case changescript.Samba:
		s.srv = testserver.Samba(t, testserver.SambaOptions{LDIF: s.company.LDIF})
	case changescript.DS389:
		s.srv = testserver.DS389(t, testserver.DS389Options{LDIF: s.company.LDIF})
	}
	s.rig = &rig{t: t}
}

// config is everything that decides who is in scope: units, nested groups, protection. Neither the first
// run nor many removals wait for anybody.
func (s *scripted) config(more string) string {
	c := s.company
	block, _, _ := strings.Cut(slapdBlock(s.srv), "bases:")
	switch s.kind {
	case changescript.Slapd:
		block += "disabled: {attribute: employeeType, values: [inactive]}\n"
	case changescript.Samba:
		block = strings.Replace(block, "type: openldap", "type: active_directory", 1)
	case changescript.DS389:
		block = strings.Replace(block, "type: openldap", "type: 389ds", 1)
	}
	block += fmt.Sprintf("bases: [%q]\ninclude_ous: [%q, %q]\nexclude_ous: [%q]\ngroups: %q\nchanges: %s\n",
		c.Base(), c.Included()[0], c.Included()[1], c.Excluded()[0], c.ScopeGroups(), s.by)
	lines := fmt.Sprintf("first_run: apply\nguard: {min: 100000, percent: 100, attribute_percent: 100}\nprotected: {groups: %q}\n%s",
		c.ProtectedGroups(), more)
	return "dns: {resolver: \"" + s.dns.Addr() + "\"}\n" +
		strings.Replace(oneSource(block), "    first_run: apply\n", indent(lines, "    "), 1)
}

// store is an empty one, in which one of the two domains is proven.
func (s *scripted) store(config string) *rig {
	s.t.Helper()
	r := newRig(s.t, config)
	r.env["LDAP_PASSWORD"] = s.srv.SyncPassword
	r.prove(s.dns, changescript.Domains[0])
	return r
}

// play applies operations and calls between after each.
func (s *scripted) play(n int, between func()) {
	s.t.Helper()
	for range n {
		s.apply(s.company.Next())
		between()
	}
}

func (s *scripted) apply(op changescript.Operation) {
	s.t.Helper()
	s.done = append(s.done, fmt.Sprintf("%4d %s %s", len(s.done)+1, time.Now().Format(time.StampMilli), op))
	c, err := s.srv.Conn()
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := op.Apply(c); err != nil {
		s.t.Fatal(err)
	}
}

// mend repairs all broken entries: what is known of their people depends on when they broke.
func (s *scripted) mend() {
	s.t.Helper()
	for _, op := range s.company.MendAll() {
		s.apply(op)
	}
}

// ops is how long the script is.
func ops(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv(scriptOps)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number of operations", scriptOps, text)
	}
	return n
}

// fresh is what a full run on an empty store gives, after a check that it is what the model says.
func (s *scripted) fresh() map[string]standing {
	s.t.Helper()
	r := s.store(s.config(""))
	r.must(exitOK, "sync", "-q")
	got := map[string]standing{}
	for name, u := range r.users() {
		if u.State == connector.Inactive {
			s.t.Errorf("%s was created inactive", name)
		}
		got[name] = standing{u.State, u.Package, u.Profile}
	}
	var want []string
	for _, e := range s.entries() {
		if e.Standing == changescript.Enabled {
			want = append(want, e.UserName)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" || len(want) < 20 {
		s.t.Errorf("a fresh store and the company differ, -company +store:\n%s", diff)
	}
	return got
}

// entries are those of the directory by anchor, as the model knows them.
func (s *scripted) entries() map[string]changescript.Entry {
	s.t.Helper()
	c, err := s.srv.Conn()
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	all, err := s.company.Entries(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// differences says where the store that has followed the directory differs from a fresh one. Everybody who may
// use services is the same in both, but for those whom protection keeps, who were deactivated or never
// created there. Everybody else is inactive, for the reason that the directory gives now.
func (s *scripted) differences(fresh map[string]standing) string {
	s.t.Helper()
	users, links, entries := s.users(), s.links(), s.entries()
	var wrong []string
	live := map[string]standing{}
	for name, u := range users {
		l := links[u.ID]
		e, there := entries[l.Anchor.Raw]
		_, both := fresh[name]
		switch {
		case u.State == connector.Inactive:
			if !gives(u.Deactivated, e, there) {
				wrong = append(wrong, fmt.Sprintf("%s is inactive: %+v; the entry (there: %v) is %+v", name, *u.Deactivated, there, e))
			}
		case both || !l.Protected && !e.Protected:
			live[name] = standing{u.State, u.Package, u.Profile}
		}
	}
	if diff := cmp.Diff(fresh, live); diff != "" {
		wrong = append(wrong, "-fresh +followed:\n"+diff)
	}
	slices.Sort(wrong)
	return strings.Join(wrong, "\n")
}

// gives reports whether an entry that is as it is now gives that reason. Somebody who is out of scope
// is not asked for when the entry goes too.
func gives(d *api.Deactivation, e changescript.Entry, there bool) bool {
	reasons := []string{string(e.Standing)}
	if !there {
		reasons = []string{string(connector.StandingGone), string(connector.StandingOutOfScope)}
	}
	return d.By == connector.BySource && slices.Contains(reasons, d.Reason)
}

// links are by user; nobody has two.
func (s *scripted) links() map[string]connector.Link {
	s.t.Helper()
	all := map[string]connector.Link{}
	s.withStore(func(db *store.DB) {
		var ids []connector.ID
		users, _, err := db.ListUsers(s.t.Context(), connector.UserQuery{Org: "acme"})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, u := range users {
			ids = append(ids, u.ID)
		}
		links, err := db.LinksOfUsers(s.t.Context(), "acme", ids)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, l := range links {
			if other, twice := all[l.User.String()]; twice {
				s.t.Errorf("a user is linked to %s and to %s", other.DN, l.DN)
			}
			all[l.User.String()] = l
		}
	})
	return all
}

// tell says, when the test has failed, what happened: the script, each run and what the daemons logged.
func (s *scripted) tell() {
	if !s.t.Failed() {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, to see it again: %s=%d and as many operations\n%s\n", s.kind, scriptSeed, s.seed, strings.Join(s.done, "\n"))
	s.withStore(func(db *store.DB) {
		runs, err := db.Runs(s.t.Context(), connector.RunFilter{Org: "acme", Source: "hq"})
		if err != nil {
			fmt.Fprintln(&b, err)
		}
		for _, r := range slices.Backward(runs) {
			fmt.Fprintf(&b, "run %s %s %s %s %s: %+v %q %q\n", r.ID, r.Started.Format(time.StampMilli), r.Actor, r.Mode, r.Result, r.Counts, r.Error, r.Warnings)
		}
	})
	for i, l := range s.logs {
		fmt.Fprintf(&b, "daemon %d\n", i+1)
		for _, line := range l.lines("") {
			fmt.Fprintf(&b, "  %v\n", line)
		}
	}
	s.t.Log(b.String())
}

// follow plays the script in parts, with a run after each.
func follow(t *testing.T, o changescript.Options, mode connector.Mode, by string, usual int) {
	t.Helper()
	t.Parallel()
	s := newScripted(t, o, by, "")
	defer s.tell()
	modes := map[connector.Mode]int{}
	sync := func(codes ...int) {
		t.Helper()
		out, errs, code := s.run("sync", "-q", "-o", "json", "--mode", string(mode))
		if !slices.Contains(codes, code) {
			t.Fatalf("sync: exit code %d\n%s%s", code, out, errs)
		}
		var run runDocument
		if err := json.Unmarshal([]byte(out), &run); err != nil {
			t.Fatal(err)
		}
		if modes[run.Mode]++; o.ByUnits && run.Mode == connector.ModeFull {
			t.Errorf("after operation %d, nothing has happened that only a full run can tell: %q", len(s.done), run.Warned)
		}
	}
	total := ops(t, usual)
	for left := total; left > 0; {
		part := min(1+s.rand.IntN(max(total/4, 1)), left)
		left -= part
		s.play(part, func() {})
		sync(exitOK, exitFailed)
		s.verify()
	}
	s.mend()
	sync(exitOK)
	t.Logf("runs by mode: %v", modes)
	if diff := s.differences(s.fresh()); diff != "" {
		t.Error(diff)
	}
	if open := s.failures(); len(open) > 0 {
		t.Errorf("all entries are whole, and there are open items: %+v", open)
	}
	s.finds()
	s.verify()
}

// finds fails the test when a full run finds anything that was not known.
func (s *scripted) finds() {
	s.t.Helper()
	run := s.sync(exitOK)
	if c := run.Counts; c.Created+c.Updated+c.Reactivated+c.Deactivated+c.Deleted+c.Failed > 0 {
		s.t.Errorf("a full run changes somebody: %+v %+v", c, run.Changes)
	}
	if run.Missed == nil || *run.Missed > 0 {
		s.t.Errorf("the feed has missed people, or it cannot be told whether: %q", run.Warned)
	}
}

func TestScriptOnSlapd(t *testing.T) {
	follow(t, changescript.Options{Kind: changescript.Slapd}, connector.ModeFull, "auto", 40)
}

// followChanges plays it to runs of changes, once where groups and units decide and some runs have to be full,
// and once where none has.
func followChanges(t *testing.T, kind changescript.Kind, by string, usual int) {
	t.Helper()
	t.Parallel()
	t.Run("groups and units", func(t *testing.T) {
		follow(t, changescript.Options{Kind: kind}, connector.ModeChanges, by, usual)
	})
	t.Run("people", func(t *testing.T) {
		follow(t, changescript.Options{Kind: kind, ByUnits: true}, connector.ModeChanges, by, usual)
	})
}

func TestScriptOfChangesOnSlapd(t *testing.T) { followChanges(t, changescript.Slapd, "auto", 60) }

func TestScriptOfChangesOnSamba(t *testing.T) { followChanges(t, changescript.Samba, "auto", 40) }

// By update numbers it cannot be told what happens in a group, so that nearly each run would be full.
func TestScriptOfChangesByUSNOnSamba(t *testing.T) {
	follow(t, changescript.Options{Kind: changescript.Samba, ByUnits: true}, connector.ModeChanges, "usn", 40)
}

func TestScriptOfChangesOn389ds(t *testing.T) { followChanges(t, changescript.DS389, "auto", 30) }

// live is a source that is followed, without full runs by the schedule that would find what was missed.
const live = "schedule: {cron: \"0 3 1 1 *\"}\nlive: true\n"

// survive plays the script while a daemon that follows is killed and the directory restarted.
func survive(t *testing.T, o changescript.Options, by string) {
	t.Helper()
	t.Parallel()
	o.FixedUnits = o.Kind == changescript.DS389
	s := newScripted(t, o, by, live)
	defer s.tell()
	d := s.follower()
	var kills, restarts int
	s.play(ops(t, 30), func() {
		switch n := s.rand.IntN(100); {
		case n < 10:
			kills++
			d = s.killAgain(d)
		case n < 17:
			restarts++
			if err := s.srv.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
	s.mend()
	s.settle()
	full := s.fullRuns()
	t.Logf("the daemon was killed %d times, the directory restarted %d times, %d runs were full", kills, restarts, full)
	if o.ByUnits && full > 1 {
		t.Errorf("%d runs were full; after the first, nothing has happened that only a full one can tell", full)
	}
	d.end()
	s.must(exitOK, "sync", "-q", "--mode", "changes") // what the daemon had no time for; settle does not look at those without access
	s.finds()
	s.verify()
}

// fullRuns is how many runs were full.
func (s *scripted) fullRuns() (n int) {
	s.t.Helper()
	s.withStore(func(db *store.DB) {
		runs, err := db.Runs(s.t.Context(), connector.RunFilter{Org: "acme", Source: "hq"})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range runs {
			if r.Mode == connector.ModeFull {
				n++
			}
		}
	})
	return n
}

// killAgain kills the daemon and starts it anew.
func (s *scripted) killAgain(d *serving) *serving {
	s.t.Helper()
	d.signal(os.Kill)
	_ = d.cmd.Wait() // it says that the daemon was killed
	return s.follower()
}

// follower is a daemon that follows the directory.
func (s *scripted) follower() *serving {
	s.t.Helper()
	d := s.daemon(s.t)
	s.logs = append(s.logs, d.log)
	return d
}

// settleTime is how long a store may take until it knows everything.
const settleTime = 90 * time.Second

// settle waits until the users are those of a fresh store.
func (s *scripted) settle() {
	s.t.Helper()
	fresh := s.fresh()
	tick, late := time.NewTicker(100*time.Millisecond), time.After(settleTime)
	defer tick.Stop()
	for {
		diff := s.differences(fresh)
		if diff == "" || s.t.Failed() {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("after %s the users are not those of a fresh store:\n%s", settleTime, diff)
		}
	}
}

// surviveBoth is survive where groups and units decide, and where they do not.
func surviveBoth(t *testing.T, kind changescript.Kind, by string) {
	t.Helper()
	t.Parallel()
	t.Run("groups and units", func(t *testing.T) { survive(t, changescript.Options{Kind: kind}, by) })
	t.Run("people", func(t *testing.T) { survive(t, changescript.Options{Kind: kind, ByUnits: true}, by) })
}

func TestScriptOnSlapdWithKills(t *testing.T) { surviveBoth(t, changescript.Slapd, "auto") }

func TestScriptOnSambaWithKills(t *testing.T) { surviveBoth(t, changescript.Samba, "auto") }

func TestScriptByUSNOnSambaWithKills(t *testing.T) {
	survive(t, changescript.Options{Kind: changescript.Samba, ByUnits: true}, "usn")
}

func TestScriptOn389dsWithKills(t *testing.T) { surviveBoth(t, changescript.DS389, "auto") }
