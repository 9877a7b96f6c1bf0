package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/scim/fleet"
)

// How many people the companies of the fleet have together, and another one's seed, to see a failure again.
const (
	fleetPeople = "USHERD_FLEET_PEOPLE"
	fleetSeed   = "USHERD_FLEET_SEED"
)

const fleetConfig = `listen: 127.0.0.1:0
store: sqlite:$DIR/usherd.db
scim: {listen: "127.0.0.1:0", url: "https://scim.test"}
organizations:
`

// fleetOrg is an organization with clients.
type fleetOrg struct {
	id       string
	products []fleet.Product
	proven   bool // its domain is
}

var fleetOrgs = []fleetOrg{
	{"alpha", []fleet.Product{fleet.Entra}, true},
	{"beta", []fleet.Product{fleet.Okta, fleet.EntraStrict}, false},
	{"gamma", []fleet.Product{fleet.Authentik}, true},
}

// config has limits that a client meets now and then.
func (o fleetOrg) config(concurrency int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- id: %s\n  partner_id: P-1\n  packages: [{id: standard, seats: 100000}]\n  package: standard\n  sources:\n", o.id)
	for _, p := range o.products {
		fmt.Fprintf(&b, "  - {id: %s, scim: {rate: 1000, concurrency: %d}}\n", p, concurrency)
	}
	return b.String()
}

// sailing is the fleet beside daemons that are killed again and again.
type sailing struct {
	*rig
	seed    uint64
	rand    *rand.Rand // of when a daemon is killed
	doors   doors
	clients map[string][]*fleet.Client // by organization
	kills   int
}

// doors are the addresses of the daemons that can be asked.
type doors struct {
	mu   sync.Mutex
	open []string
}

// set says which there are.
func (d *doors) set(open ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = open
}

// any is one of them at random; where there is none, one where nobody listens.
func (d *doors) any() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.open) == 0 {
		return "127.0.0.1:1"
	}
	return d.open[rand.IntN(len(d.open))]
}

// crew is how a fleet is made.
type crew struct {
	people, groups int    // of all companies together
	workers        int    // of each client
	concurrency    int    // that a client is allowed
	store          string // URL; "" = SQLite in the rig's folder
	more           string // organizations beside those of the clients
}

// fleetSize is how many people and groups there are, how many days go by, and how long a daemon may live.
func fleetSize(t *testing.T) (people, groups, days int, life time.Duration) {
	t.Helper()
	text := os.Getenv(fleetPeople)
	if text == "" {
		return 120, 12, 3, 400 * time.Millisecond
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 4 {
		t.Fatalf("%s=%q: want a number of people", fleetPeople, text)
	}
	return n, max(n/20, 12), 5, 8 * time.Second
}

// Identity providers push three organizations at once, answers get lost, requests come twice and the daemon is killed
// at any moment: in the end there is exactly what each of them has, and no more. It is about a file, always: on PostgreSQL,
// TestReplicasAreKilled does the same to several daemons.
func TestFleet(t *testing.T) {
	t.Parallel()
	people, groups, days, life := fleetSize(t)
	s := newSailing(t, crew{people: people, groups: groups, workers: 6, concurrency: 2})
	start := time.Now()
	for day := range days {
		if day > 0 {
			s.each(func(c *fleet.Client) error {
				c.Company().Day(max(people/10, 20))
				return nil
			})
		}
		s.day(life)
	}
	s.settle()
	took := time.Since(start)
	for org, clients := range s.clients {
		for _, c := range clients {
			t.Logf("%s, %s: %d people; %s", org, c.Product(), len(c.People()), &c.Stats)
			if n := c.Stats.Accidents.Load(); n > 0 {
				t.Errorf("%s: %d requests met a fault of the server, the last one: %s", c.Product(), n, c.Stats.LastAccident())
			}
		}
	}
	t.Logf("%d people and %d groups at first, %d days, the daemon was killed %d times: %s", people, groups, days, s.kills, took.Round(time.Millisecond))
	if s.kills < days {
		t.Errorf("the daemon was killed %d times only", s.kills)
	}
	s.equal()
	s.stored()
}

func newSailing(t *testing.T, made crew) *sailing {
	t.Helper()
	s := &sailing{seed: uint64(time.Now().UnixNano()), clients: map[string][]*fleet.Client{}}
	if text := os.Getenv(fleetSeed); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", fleetSeed, err)
		}
		s.seed = n
	}
	t.Logf("%s=%d", fleetSeed, s.seed)
	s.rand = rand.New(rand.NewPCG(s.seed, 2))
	blocks, n := []string{fleetConfig}, 0
	for _, o := range fleetOrgs {
		blocks = append(blocks, o.config(made.concurrency))
		n += len(o.products)
	}
	s.rig = newRigOn(t, made.store, strings.Join(blocks, "")+made.more)
	for _, o := range fleetOrgs {
		state := connector.NotVerified
		if o.proven {
			state = connector.Verified
			s.withStore(func(db *store.DB) {
				d := connector.Domain{Org: o.id, Name: o.id + ".test", Token: "t", AddedAt: time.Now(), VerifiedAt: time.Now()}
				if err := db.AddDomain(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			})
		}
		for i, p := range o.products {
			token := decode[newTokenJSON](s.rig, exitOK, "token", "create", "--org", o.id, "--source", string(p), "-o", "json")
			s.clients[o.id] = append(s.clients[o.id], fleet.NewClient(fleet.Options{
				Product: p, Company: fleet.NewCompany(s.seed+uint64(len(s.clients)*10+i), fmt.Sprintf("c%d.%s.test", i, o.id), made.people/n, made.groups/n),
				Base:  func() string { return fmt.Sprintf("http://%s/scim/%s/v2", s.doors.any(), o.id) },
				Token: token.Token, Seed: s.seed, Workers: made.workers, Faults: 0.12, Forgets: 0.03, State: string(state),
			}))
		}
	}
	return s
}

// each does something for every client at once.
func (s *sailing) each(do func(c *fleet.Client) error) {
	s.t.Helper()
	var g errgroup.Group
	for _, clients := range s.clients {
		for _, c := range clients {
			g.Go(func() error { return do(c) })
		}
	}
	if err := g.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

// launch starts the daemon and waits until its door is open.
func (s *sailing) launch() (kill func()) {
	s.t.Helper()
	cmd, _ := s.quick("serve")
	log := newLogLines()
	cmd.Stdout, cmd.Stderr = nil, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill() }) // one that has ended is no fault
	s.doors.set(log.await(s.t, "scim listens")["listen"].(string))
	return func() {
		if err := cmd.Process.Kill(); err != nil {
			s.t.Fatal(err)
		}
		_ = cmd.Wait() // it says that the daemon was killed
	}
}

// day is a cycle of every client, while the daemon is killed and started again.
func (s *sailing) day(life time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeoutCause(s.t.Context(), 15*time.Minute, errors.New("a day of the fleet has taken 15 minutes"))
	defer cancel()
	done := make(chan struct{})
	var failed error
	go func() {
		defer close(done)
		failed = s.cycles(ctx)
	}()
	for ended := false; !ended && !s.t.Failed(); {
		kill := s.launch()
		timer := time.NewTimer(life/4 + time.Duration(s.rand.Int64N(int64(life))))
		select {
		case <-done:
			ended = true
		case <-timer.C:
		}
		timer.Stop()
		s.kills++
		kill()
		life += life / 4 // where everything is slow, the day ends all the same
	}
	if failed != nil {
		s.t.Fatal(failed)
	}
	s.verify()
}

// cycles is one of every client.
func (s *sailing) cycles(ctx context.Context) error {
	var g errgroup.Group
	for _, clients := range s.clients {
		for _, c := range clients {
			g.Go(func() error {
				_, err := c.Cycle(ctx)
				return err
			})
		}
	}
	return g.Wait()
}

// settle is what is left to do, without kills: nothing, for all was answered.
func (s *sailing) settle() {
	s.t.Helper()
	s.launch()
	s.each(func(c *fleet.Client) error {
		c.Remember()
		n, err := c.Cycle(s.t.Context())
		if err == nil && n > 0 {
			return fmt.Errorf("%s has %d things to do after its last day", c.Product(), n)
		}
		return err
	})
}

// equal compares what each client is shown with its company.
func (s *sailing) equal() {
	s.t.Helper()
	for org, clients := range s.clients {
		for i, c := range clients {
			found, err := c.Differences(s.t.Context(), slices.Delete(slices.Clone(clients), i, i+1)...)
			if err != nil {
				s.t.Fatal(err)
			}
			if len(found) > 0 {
				s.t.Errorf("%s, %s: %d differences:\n%s", org, c.Product(), len(found), strings.Join(found[:min(len(found), 10)], "\n"))
			}
		}
	}
}

// stored looks behind the door: nobody is there twice, and each seat is somebody's.
func (s *sailing) stored() {
	s.t.Helper()
	s.verify()
	s.withStore(func(db *store.DB) {
		for org, clients := range s.clients {
			var ids []string
			seats := 0
			for _, c := range clients {
				ids = append(ids, c.People()...)
				seats += c.Seats()
			}
			slices.Sort(ids)
			if n := len(slices.Compact(slices.Clone(ids))); n != len(ids) {
				s.t.Errorf("%s: %d people are %d users", org, len(ids), n)
			}
			counts, err := db.CountUsers(s.t.Context(), org)
			if err != nil {
				s.t.Fatal(err)
			}
			total := 0
			for _, n := range counts {
				total += n
			}
			if total != len(ids) {
				s.t.Errorf("%s: %d users are stored, and %d people were pushed: %v", org, total, len(ids), counts)
			}
			list, err := db.Seats(s.t.Context(), org)
			if err != nil || len(list) != 1 || list[0].Used != seats || list[0].Waiting != 0 {
				s.t.Errorf("%s: %d people use a seat: %+v %v", org, seats, list, err)
			}
		}
	})
}
