package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

// process is usherd as a process of its own on the rig.
func (r *rig) process(args ...string) (cmd *exec.Cmd, out *bytes.Buffer) {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.processOf(self, args...)
}

// quick is process for what is started many times.
func (r *rig) quick(args ...string) (cmd *exec.Cmd, out *bytes.Buffer) {
	r.t.Helper()
	path, err := quickUsherd()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.processOf(path, args...)
}

func (r *rig) processOf(self string, args ...string) (cmd *exec.Cmd, out *bytes.Buffer) {
	out = &bytes.Buffer{}
	cmd = exec.CommandContext(r.t.Context(), self, args...)
	cmd.Env = append(os.Environ(), beUsherd+"=1", "USHERD_CONFIG="+r.config(), "NO_COLOR=1")
	for name, value := range r.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

const kills = 50

// company is how many people are employed at first.
func company() int {
	if raceEnabled {
		return 400
	}
	return 2000
}

// staff changes the people of a slapd at random.
type staff struct {
	rand *rand.Rand
	base string
	next int
	here []int // numbers of those who are employed
	off  map[int]bool
}

func newStaff(seed uint64, base string) *staff {
	s := &staff{rand: rand.New(rand.NewPCG(seed, 1)), base: base, next: company() + 1, off: map[int]bool{}}
	for i := range company() {
		s.here = append(s.here, i+1)
	}
	return s
}

func (s *staff) dn(i int) string { return fmt.Sprintf("uid=u%07d,ou=People,%s", i, s.base) }

// change gives the LDIF of one day: some leave, come, are locked or unlocked, and many get a title.
func (s *staff) change() string {
	var b strings.Builder
	for range 3 {
		i := s.rand.IntN(len(s.here))
		fmt.Fprintf(&b, "dn: %s\nchangetype: delete\n\n", s.dn(s.here[i]))
		delete(s.off, s.here[i])
		s.here = append(s.here[:i], s.here[i+1:]...)
	}
	for range 5 {
		fmt.Fprintf(&b, "dn: %s\nchangetype: add\nobjectClass: inetOrgPerson\nuid: u%07d\ncn: New %d\nsn: New\ngivenName: N%d\nmail: n%d@example.test\n\n",
			s.dn(s.next), s.next, s.next, s.next, s.next)
		s.here = append(s.here, s.next)
		s.next++
	}
	for range 4 {
		i := s.here[s.rand.IntN(len(s.here))]
		s.off[i] = !s.off[i]
		word := map[bool]string{true: "Inactive", false: "FTE"}[s.off[i]]
		fmt.Fprintf(&b, "dn: %s\nchangetype: modify\nreplace: employeeType\nemployeeType: %s\n\n", s.dn(i), word)
	}
	for range 60 {
		i := s.here[s.rand.IntN(len(s.here))]
		fmt.Fprintf(&b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: T%d\n-\nreplace: mail\nmail: m%d.%d@example.test\n\n",
			s.dn(i), s.rand.IntN(1000), i, s.rand.IntN(1000))
	}
	return b.String()
}

// moment is when to kill a run that takes so long: half of them near the end, where it writes.
func (s *staff) moment(span time.Duration) time.Duration {
	if s.rand.IntN(2) == 0 {
		return time.Duration(s.rand.Int64N(int64(span)))
	}
	return span - time.Duration(s.rand.Int64N(int64(span)*2/5))
}

// A run may be killed at any moment: the store stays whole, and the next run that lives does the rest.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Seed: 3, Users: company()})})
	// Neither the first run nor many removals wait for anybody: it is kills that are tested here.
	config := strings.Replace(oneSource(slapdBlock(srv)+"disabled: {attribute: employeeType, values: [inactive]}\n"),
		"first_run: apply", "first_run: apply\n    guard: {min: 100000, percent: 100, attribute_percent: 100}", 1)
	config = strings.Replace(config, "seats: unlimited", "seats: 100000", 1)
	r := newRig(t, config)
	people := newStaff(seed, srv.Base)
	var killed, ended, begun, writing int
	whole := newRig(t, config).wholeRun()
	span := whole
	for round := 0; killed < kills; round++ {
		switch {
		case round%8 == 7 && round < 40: // begin again, so that creations are hit too
			r, span = newRig(t, config), whole
		case round%2 == 0: // the other runs meet what the one before left
			if err := srv.Modify(t.Context(), people.change()); err != nil {
				t.Fatal(err)
			}
		}
		took, dead := r.killed(people.moment(span))
		if !dead {
			span = took // a run with little to do is over sooner
			if ended++; ended > 4*kills {
				t.Fatalf("%d runs have ended before they could be killed", ended)
			}
		} else {
			killed++
		}
		open, written := r.consistent()
		if dead && open {
			begun++
		}
		if dead && written {
			writing++
		}
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	t.Logf("%d processes killed, %d of them in a run, %d with people written; %d ended before; a first run takes %s", killed, begun, writing, ended, whole)
	if begun == 0 {
		t.Error("no process was killed in the middle of a run")
	}
	r.sync(exitOK)
	if c := r.sync(exitOK).Counts; c.Created+c.Updated+c.Reactivated+c.Deactivated+c.Deleted != 0 {
		t.Errorf("after the run that lived there was still work: %+v", c)
	}
	r.verify()
	r.likeFresh(t, config, people)
}

// wholeRun is the time that a process takes for a run.
func (r *rig) wholeRun() time.Duration {
	r.t.Helper()
	cmd, out := r.quick("sync", "-q")
	start := time.Now()
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return time.Since(start)
}

// killed starts a run and kills it after a time. It reports how long the process lived, and false when
// it ended by itself before.
func (r *rig) killed(after time.Duration) (took time.Duration, dead bool) {
	r.t.Helper()
	cmd, out := r.quick("sync", "-q")
	start := time.Now()
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // one that has ended is no fault
	err := cmd.Wait()
	took = time.Since(start)
	timer.Stop()
	if err == nil {
		return took, false
	}
	if cmd.ProcessState.Exited() {
		r.t.Fatalf("it ended by itself with %v: %s", err, out)
	}
	return took, true
}

// consistent checks the store, and reports whether the last run was cut off, and whether it had written
// something of people by then.
func (r *rig) consistent() (open, written bool) {
	r.t.Helper()
	r.withStore(func(db *store.DB) {
		runs, err := db.Runs(r.t.Context(), connector.RunFilter{Limit: 1})
		if err != nil {
			r.t.Fatal(err)
		}
		if len(runs) == 1 && runs[0].Result == connector.ResultRunning {
			open = true
			for _, err := range db.RunChanges(r.t.Context(), runs[0].ID) {
				if err != nil {
					r.t.Fatal(err)
				}
				written = true
				break
			}
		}
	})
	r.verify()
	return open, written
}

// standing is what must be the same, however a store came to it.
type standing struct {
	State   connector.State
	Package string
	Profile connector.Profile
}

// likeFresh compares with a store that has seen the directory once, as it is now. Those who left are
// in the old one only, and have no access.
func (r *rig) likeFresh(t *testing.T, config string, people *staff) {
	t.Helper()
	fresh := newRig(t, config)
	fresh.sync(exitOK)
	live := func(r *rig) map[string]standing {
		m := map[string]standing{}
		for name, u := range r.users() {
			if u.State != connector.Inactive {
				m[name] = standing{u.State, u.Package, u.Profile}
			}
		}
		return m
	}
	want := live(fresh)
	if len(want) != len(people.here)-len(offOnly(people.off)) {
		t.Errorf("a fresh store has %d people, the company has %d and %d locked ones", len(want), len(people.here), len(offOnly(people.off)))
	}
	if diff := cmp.Diff(want, live(r)); diff != "" {
		t.Errorf("-fresh +killed:\n%s", diff)
	}
}

func offOnly(m map[int]bool) (list []int) {
	for i, off := range m {
		if off {
			list = append(list, i)
		}
	}
	return list
}
