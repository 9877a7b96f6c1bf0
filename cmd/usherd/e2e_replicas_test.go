package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/ldapsync/ldaptest"
	"usherd/scim/fleet"
)

// For how many seconds replicas are killed, and how many requests all clients together send at a time then.
const (
	replicaSeconds = "USHERD_REPLICAS_SECONDS"
	replicaClients = "USHERD_REPLICAS_CLIENTS"
)

const (
	staffed     = 60 // people of the directory that the leader reads
	staffSeats  = 40 // that they compete for
	frozenFor   = leaderTTL + 3*time.Second
	mostDormant = 2*leaderTTL + 5*time.Second // between two runs of a source that always has something to tell
)

// member is a replica as a process of its own.
type member struct {
	cmd        *exec.Cmd
	log        *logLines
	scim, http string // addresses; "" = nobody may ask it now
}

// cluster is a fleet beside several replicas on one PostgreSQL, of which one reads a directory.
type cluster struct {
	*sailing
	members []*member
	logs    []*logLines // of all that there ever were
	dir     *ldaptest.Server
	titles  map[int]string // that people of the directory have
	off     map[int]bool
	frozen  int
	dormant *dormant // that is frozen now, nil = none
}

func number(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number", name, text)
	}
	return n
}

// Identity providers push to three replicas at once and a directory is read, while replicas are killed, frozen and stopped
// at random: nobody is there twice, no seat is given too often, each source has one run at a time, and runs go on within
// two lives of a lease.
func TestReplicasAreKilled(t *testing.T) {
	t.Parallel()
	seconds, clients := number(t, replicaSeconds, 20), number(t, replicaClients, 16)
	people := 120
	if seconds > 60 {
		people = 600
	}
	c := newCluster(t, crew{people: people, groups: people / 12, workers: max(clients/4, 1), concurrency: 24})
	for i := range c.members {
		c.launchMember(i)
	}
	stop, work := make(chan struct{}), sync.WaitGroup{}
	work.Go(func() { c.changeDirectory(stop) })
	most := 0
	work.Go(func() { most = c.watchSeats(stop) })
	days := c.storm(time.Now().Add(time.Duration(seconds)*time.Second), max(people/10, 20))
	if c.dormant != nil {
		c.thaw()
	}
	close(stop)
	work.Wait()
	c.calm()
	c.equal()
	c.stored()
	c.staff(most)
	c.oneRunAtATime()
	c.oneLeaderAtATime()
	for org, list := range c.clients {
		for _, f := range list {
			t.Logf("%s, %s: %s", org, f.Product(), &f.Stats)
			if n := f.Stats.Accidents.Load(); n > 0 {
				t.Errorf("%s: %d requests met a fault of the server, the last one: %s", f.Product(), n, f.Stats.LastAccident())
				c.faults()
			}
		}
	}
	t.Logf("%d days: %d kills, %d frozen", days, c.kills, c.frozen)
	if c.kills == 0 || c.frozen == 0 {
		t.Errorf("%d kills, %d frozen: nothing was tried", c.kills, c.frozen)
	}
}

func newCluster(t *testing.T, made crew) *cluster {
	t.Helper()
	dir, block := fake(t, ldaptest.Options{})
	people(t, dir, staffed)
	made.store = newstore.Postgres(t)
	made.more = fmt.Sprintf(`- id: staff
  partner_id: P-2
  packages: [{id: standard, seats: %d}]
  package: standard
  sources:
  - id: hq
    first_run: apply
    guard: {min: 100000, percent: 100, attribute_percent: 100}
    schedule: {cron: "* * * * *"}
    changes_every: 1s
    directory:
`, staffSeats) + indent(block, "      ")
	c := &cluster{members: []*member{{}, {}, {}}, dir: dir, titles: map[int]string{}, off: map[int]bool{}}
	c.sailing = newSailing(t, made)
	return c
}

// open tells the clients whom they may ask.
func (c *cluster) open() {
	var open []string
	for _, m := range c.members {
		if m.scim != "" {
			open = append(open, m.scim)
		}
	}
	c.doors.set(open...)
}

func (c *cluster) launchMember(i int) {
	c.t.Helper()
	m := &member{log: newLogLines()}
	m.cmd, _ = c.quick("serve")
	m.cmd.Stdout, m.cmd.Stderr = nil, m.log
	if err := m.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = m.cmd.Process.Kill() }) // one that has ended is no fault
	c.until("a replica is ready", func() bool { return len(m.log.lines("ready")) > 0 && len(m.log.lines("scim listens")) > 0 })
	m.http = m.log.lines("ready")[0]["listen"].(string)
	m.scim = m.log.lines("scim listens")[0]["listen"].(string)
	c.members[i] = m
	c.logs = append(c.logs, m.log)
	c.open()
}

// end kills a replica, or stops it in good order.
func (c *cluster) end(i int, how os.Signal) {
	c.t.Helper()
	m := c.members[i]
	c.members[i] = &member{}
	c.open()
	if err := m.cmd.Process.Signal(how); err != nil {
		c.t.Fatal(err)
	}
	if err := m.cmd.Wait(); how != syscall.SIGKILL && err != nil {
		c.t.Errorf("a replica that was stopped ended with %v", err)
	}
}

// leading is the number of the replica that says that it leads, -1 when none does.
func (c *cluster) leading() int {
	for i, m := range c.members {
		if m.http == "" {
			continue
		}
		answer, err := http.Get("http://" + m.http + "/readyz")
		if err != nil {
			continue
		}
		var r readiness
		err = json.NewDecoder(answer.Body).Decode(&r)
		_ = answer.Body.Close()
		if err == nil && r.Replica.Leads {
			return i
		}
	}
	return -1
}

// freeze halts the leader for longer than its lease lives. Clients whose request it has wait for it, and new ones ask
// others.
func (c *cluster) freeze() {
	c.t.Helper()
	i := c.leading()
	if i < 0 {
		return
	}
	m := c.members[i]
	c.dormant = &dormant{m, m.scim, m.http, time.Now().Add(frozenFor)}
	m.scim, m.http = "", "" // it would not answer
	c.open()
	if err := freeze(m.cmd.Process); err != nil {
		c.t.Fatal(err)
	}
	c.frozen++
}

// dormant is a replica that is frozen for a while.
type dormant struct {
	*member
	wasSCIM, wasHTTP string
	until            time.Time
}

// thaw lets the frozen one go on, once another one leads.
func (c *cluster) thaw() {
	c.t.Helper()
	d := c.dormant
	c.until("another replica leads", func() bool { return c.leading() >= 0 })
	if err := thaw(d.cmd.Process); err != nil {
		c.t.Fatal(err)
	}
	c.until("it knows that it does not lead any more", func() bool {
		return len(d.log.lines("the lead is lost: runs of this replica have ended")) > 0
	})
	d.scim, d.http = d.wasSCIM, d.wasHTTP
	c.dormant = nil
	c.open()
}

// storm lets clients push what changes on one day after the other, while things happen to replicas, until the end.
func (c *cluster) storm(end time.Time, changes int) (days int) {
	c.t.Helper()
	done := make(chan struct{})
	var failed error
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeoutCause(c.t.Context(), time.Until(end)+10*time.Minute, errors.New("the days of the fleet do not end"))
		defer cancel()
		for ; failed == nil && (days == 0 || time.Now().Before(end)); days++ {
			if days > 0 {
				for _, list := range c.clients {
					for _, f := range list {
						f.Company().Day(changes)
					}
				}
			}
			failed = c.cycles(ctx)
		}
	}()
	for ended := false; !ended && !c.t.Failed(); {
		timer := time.NewTimer(time.Duration(300+c.rand.IntN(1500)) * time.Millisecond)
		select {
		case <-done:
			ended = true
		case <-timer.C:
		}
		timer.Stop()
		switch {
		case c.dormant != nil && time.Now().After(c.dormant.until): // somebody may wait for it
			c.thaw()
		case !ended && time.Now().Before(end):
			c.strike()
		}
	}
	<-done
	if failed != nil {
		c.t.Fatal(failed)
	}
	return days
}

// strike does something to a replica.
func (c *cluster) strike() {
	c.t.Helper()
	what := c.rand.IntN(10)
	if c.dormant == nil && (what == 0 || c.frozen == 0) {
		c.freeze()
		return
	}
	i := c.rand.IntN(len(c.members))
	if leader := c.leading(); what < 5 && leader >= 0 {
		i = leader
	}
	if c.dormant != nil && c.members[i] == c.dormant.member {
		return
	}
	if what < 4 && c.kills > 0 { // one is killed, however few are struck
		c.end(i, syscall.SIGTERM)
	} else {
		c.end(i, syscall.SIGKILL)
		c.kills++
	}
	time.Sleep(time.Duration(c.rand.IntN(1000)) * time.Millisecond) // for how long it is away
	c.launchMember(i)
}

// changeDirectory gives people titles, and locks and unlocks them, until stop.
func (c *cluster) changeDirectory(stop <-chan struct{}) {
	r := rand.New(rand.NewPCG(c.seed, 3))
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		i := 1 + r.IntN(staffed)
		dn, _ := person(i)
		change := ldaptest.Attrs{"title": {fmt.Sprintf("T%d", n)}}
		c.titles[i] = change["title"][0]
		if r.IntN(4) == 0 {
			c.off[i] = !c.off[i]
			change["userAccountControl"] = []string{map[bool]string{true: "514", false: "512"}[c.off[i]]}
		}
		if err := c.dir.Modify(dn, change); err != nil {
			c.t.Error(err)
			return
		}
	}
}

// watchSeats looks all the time how many seats are taken, and returns the most.
func (c *cluster) watchSeats(stop <-chan struct{}) (most int) {
	db, err := store.Open(c.t.Context(), c.store, store.Options{Now: time.Now})
	if err != nil {
		c.t.Error(err)
		return 0
	}
	defer db.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return most
		case <-tick.C:
		}
		seats, err := db.Seats(c.t.Context(), "staff")
		if err != nil {
			c.t.Error(err)
			return most
		}
		for _, s := range seats {
			most = max(most, s.Used)
		}
	}
}

// calm is what is left to do when nothing happens any more: nothing, for all was answered.
func (c *cluster) calm() {
	c.t.Helper()
	c.each(func(f *fleet.Client) error {
		f.Remember()
		n, err := f.Cycle(c.t.Context())
		if err == nil && n > 0 {
			return fmt.Errorf("%s has %d things to do after its last day", f.Product(), n)
		}
		return err
	})
}

// staff compares the people of the directory with those that are stored, and looks how many had a seat at most.
func (c *cluster) staff(most int) {
	c.t.Helper()
	if most > staffSeats || most < staffSeats/2 {
		c.t.Errorf("%d seats of %d were taken", most, staffSeats)
	}
	c.run("sync", "-q", "--org", "staff") // somebody waits for a seat: its code says so
	active := 0
	users := c.users("--org", "staff")
	for i := 1; i <= staffed; i++ {
		name := fmt.Sprintf("p%06d@example.test", i)
		u, ok := users[name]
		if !ok || u.State == connector.Inactive && !c.off[i] {
			continue // waits for a seat
		}
		if want := c.titles[i]; want != "" && u.Profile.Get("title") != want {
			c.t.Errorf("%s has the title %q, in the directory %q", name, u.Profile.Get("title"), want)
		}
		if off := u.State == connector.Inactive; off != c.off[i] {
			c.t.Errorf("%s is %s, locked in the directory: %v", name, u.State, c.off[i])
		}
		if u.State != connector.Inactive {
			active++
		}
	}
	if enabled := staffed - lockedOf(c.off); active > staffSeats || active < min(enabled, staffSeats) {
		c.t.Errorf("%d people are active, %d are enabled, and there are %d seats", active, enabled, staffSeats)
	}
}

func lockedOf(off map[int]bool) (n int) {
	for _, is := range off {
		if is {
			n++
		}
	}
	return n
}

// oneRunAtATime looks that no run of the directory began before the one before had ended, and that they went on soon
// enough.
func (c *cluster) oneRunAtATime() {
	c.t.Helper()
	c.withStore(func(db *store.DB) {
		var runs []*connector.Run
		for before := (connector.ID{}); ; before = runs[len(runs)-1].ID {
			page, err := db.Runs(c.t.Context(), connector.RunFilter{Org: "staff", Source: "hq", Before: before, Limit: 500})
			if err != nil {
				c.t.Fatal(err)
			}
			if runs = append(runs, page...); len(page) < 500 {
				break
			}
		}
		slices.SortFunc(runs, func(a, b *connector.Run) int { return a.Started.Compare(b.Started) })
		cut, idle := 0, time.Duration(0)
		for i, run := range runs {
			if run.Error == connector.CutOff {
				cut++
			} else if run.Result != connector.ResultOK && run.Result != connector.ResultPartial && run.Result != connector.ResultCancelled {
				c.t.Errorf("a run ended as %s: %s", run.Result, run.Error)
			}
			if i == 0 {
				continue
			}
			last := runs[i-1]
			if last.Finished.After(run.Started) {
				c.t.Errorf("the run of %s began before that of %s had ended at %s", run.Started, last.Started, last.Finished)
			}
			idle = max(idle, run.Started.Sub(last.Finished))
		}
		c.t.Logf("%d runs of the directory, %d of them cut off; none for %s at most", len(runs), cut, idle.Round(time.Millisecond))
		if idle > mostDormant {
			c.t.Errorf("for %s there was no run", idle)
		}
	})
}

// faults shows what the replicas have logged of requests that they could not answer.
func (c *cluster) faults() {
	c.t.Helper()
	for _, log := range c.logs {
		for _, msg := range []string{"scim request failed", "scim request panicked"} {
			for _, line := range log.lines(msg) {
				c.t.Logf("%v", line)
			}
		}
	}
}

// oneLeaderAtATime looks that no two terms had the same token.
func (c *cluster) oneLeaderAtATime() {
	c.t.Helper()
	seen := map[float64]bool{}
	for _, log := range c.logs {
		last := 0.0
		for _, line := range log.lines("leading") {
			token, _ := line["token"].(float64)
			if seen[token] || token <= last {
				c.t.Errorf("the token %v was given twice", token)
			}
			seen[token], last = true, token
		}
		for _, line := range log.lines("job failed") {
			if text, _ := line["error"].(string); !strings.Contains(text, connector.ErrLeaseLost.Error()) {
				c.t.Errorf("%v", line)
			}
		}
	}
	c.t.Logf("%d terms", len(seen))
}
