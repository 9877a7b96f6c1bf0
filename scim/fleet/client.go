package fleet

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Options are what a Client works with.
type Options struct {
	Product Product
	Company *Company
	// Base gives the address of the service provider as it is now, as far as /scim/ORGANIZATION/v2.
	Base  func() string
	Token string
	Seed  uint64 // of what happens to requests, and in which order they are made
	// Workers are how many people, or teams, are worked on at a time.
	Workers int
	// Faults is the share of requests to which something happens.
	Faults float64
	// Forgets is the share of people and teams of which the client forgets in a cycle that it knows them, as after
	// provisioning was started anew.
	Forgets float64
	State   string // of people who are enabled: "verified" where the domain is proven
}

// Client is an identity provider that keeps a service provider in step with a company.
type Client struct {
	Stats Stats

	o       Options
	product product
	http    *http.Client
	cycle   uint64

	mu     sync.Mutex
	people map[string]*pushedPerson // by Key
	teams  map[string]*pushedTeam
	ever   map[string]bool // keys of people who were pushed once
}

// pushedPerson is what the client believes that the service provider has.
type pushedPerson struct {
	Person
	id     string
	forgot bool // that it has been there
}

type pushedTeam struct {
	name    string
	members map[string]bool
	id      string
	forgot  bool
}

// product is what makes identity providers different. Methods are called for different people, or teams, at the
// same time. What is known before is nil where the client knows of nobody.
type product interface {
	agent() string
	// begin is done before each cycle.
	begin(ctx context.Context, t *talk) error
	// person makes the service provider have p and returns the id there.
	person(ctx context.Context, t *talk, known *pushedPerson, p Person) (id string, err error)
	// manager does so for the manager, whom person leaves as it was; reports whether the product has that.
	manager(ctx context.Context, t *talk, id, before, after string) error
	// leaves is person for somebody who was deleted.
	leaves(ctx context.Context, t *talk, id string) error
	// team makes the service provider have the team; ids are those of all people.
	team(ctx context.Context, t *talk, known *pushedTeam, team *Team, ids map[string]string) (id string, err error)
	// dissolved is team for one that was deleted.
	dissolved(ctx context.Context, t *talk, id string) error
	// resource is a person as the service provider must show it, but for what is the provider's own.
	resource(p Person, manager string) map[string]any
	// teamID is what the team is called beside its name.
	teamID(t *Team) string
	// deletes is whether people who are deleted are deleted there too; else they are deactivated.
	deletes() bool
	// managers is whether the product tells managers.
	managers() bool
}

// Product is one that is played.
type Product string

// The products.
const (
	Entra       Product = "entra"            // Microsoft Entra ID
	EntraStrict Product = "entra-aadoptscim" // the same with aadOptscim062020 in its address
	Okta        Product = "okta"
	Authentik   Product = "authentik"
)

// NewClient returns a client that has pushed nobody yet.
func NewClient(o Options) *Client {
	c := &Client{o: o, people: map[string]*pushedPerson{}, teams: map[string]*pushedTeam{}, ever: map[string]bool{}}
	c.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.Workers + 2, DisableCompression: true}}
	switch o.Product {
	case Entra:
		c.product = entra{}
	case EntraStrict:
		c.product = entra{strict: true}
	case Okta:
		c.product = &okta{}
	case Authentik:
		c.product = &authentik{}
	}
	return c
}

// talk begins a task. What happens in it depends on the seed, the cycle and the key only.
func (c *Client) talk(key string) *talk {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, c.o.Product, c.cycle, key) // a hash takes everything
	return &talk{c: c, rand: rand.New(rand.NewPCG(c.o.Seed, h.Sum64()))}
}

// Cycle makes the service provider have what the company has, and reports how many people and teams were another thing.
// The company must not change meanwhile.
func (c *Client) Cycle(ctx context.Context) (changed int, err error) {
	c.cycle++
	t := c.talk("cycle")
	c.forget(t.rand)
	if err := c.product.begin(ctx, t); err != nil {
		return 0, err
	}
	phases := []func(context.Context, *rand.Rand) (int, error){c.leavers, c.persons, c.managers, c.allTeams}
	if t.rand.IntN(2) == 0 { // who has left goes last
		phases = append(phases[1:], phases[0])
	}
	for _, phase := range phases {
		n, err := phase(ctx, t.rand)
		if changed += n; err != nil {
			return changed, fmt.Errorf("%s, cycle %d: %w", c.o.Product, c.cycle, err)
		}
	}
	return changed, nil
}

// forget lets the client not know any more whom it has pushed. What it needs to find the person again is as it was.
func (c *Client) forget(r *rand.Rand) {
	for _, key := range slices.Sorted(maps.Keys(c.people)) {
		p := c.o.Company.byKey[key]
		if known := c.people[key]; r.Float64() < c.o.Forgets && !p.Gone && !known.Gone && p.UserName == known.UserName {
			known.forgot = true
		}
	}
	for _, t := range c.o.Company.teams {
		if known := c.teams[t.Key]; known != nil && r.Float64() < c.o.Forgets && !t.Gone && t.Name == known.name {
			known.forgot = true
		}
	}
}

// each does tasks for keys in any order, several at a time.
func (c *Client) each(ctx context.Context, r *rand.Rand, keys []string, do func(ctx context.Context, t *talk, key string) error) (int, error) {
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.o.Workers)
	for _, key := range keys {
		g.Go(func() error {
			if err := do(ctx, c.talk(key), key); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			return nil
		})
	}
	return len(keys), g.Wait()
}

func (c *Client) knownPerson(key string) *pushedPerson {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.people[key]
}

// persons pushes everybody who is there and another one than before.
func (c *Client) persons(ctx context.Context, r *rand.Rand) (int, error) {
	var keys []string
	for _, p := range c.o.Company.people {
		want := *p
		known := c.people[p.Key]
		if known != nil {
			want.Manager = known.Manager
		}
		if !p.Gone && (known == nil || known.forgot || known.Person != want) {
			keys = append(keys, p.Key)
		}
	}
	return c.each(ctx, r, keys, func(ctx context.Context, t *talk, key string) error {
		known, p := c.knownPerson(key), *c.o.Company.byKey[key]
		p.Manager = ""
		tell := known
		if known != nil {
			if p.Manager = known.Manager; known.forgot || known.Gone && c.product.deletes() {
				tell = nil
			}
		}
		if tell == nil && known != nil && known.Gone {
			p.Manager = "" // a new resource has none
		}
		id, err := c.product.person(ctx, t, tell, p)
		switch {
		case err != nil:
			return err
		case id == "":
			return fmt.Errorf("no id for %s", p.UserName)
		case known != nil && id != known.id:
			return fmt.Errorf("%s was %s and is %s now", p.UserName, known.id, id)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.people[key], c.ever[key] = &pushedPerson{Person: p, id: id}, true
		return nil
	})
}

// managers pushes who is whose manager, when everybody is there.
func (c *Client) managers(ctx context.Context, r *rand.Rand) (int, error) {
	if !c.product.managers() {
		return 0, nil
	}
	var keys []string
	for _, p := range c.o.Company.people {
		if known := c.people[p.Key]; known != nil && !p.Gone && known.Manager != p.Manager {
			keys = append(keys, p.Key)
		}
	}
	ids := c.ids()
	return c.each(ctx, r, keys, func(ctx context.Context, t *talk, key string) error {
		known, want := c.knownPerson(key), c.o.Company.byKey[key].Manager
		if err := c.product.manager(ctx, t, known.id, ids[known.Manager], ids[want]); err != nil {
			return err
		}
		known.Manager = want // nobody else has this one now
		return nil
	})
}

// leavers pushes who has been deleted.
func (c *Client) leavers(ctx context.Context, r *rand.Rand) (int, error) {
	var keys []string
	for _, p := range c.o.Company.people {
		if known := c.people[p.Key]; known != nil && p.Gone && !known.Gone {
			keys = append(keys, p.Key)
		}
	}
	return c.each(ctx, r, keys, func(ctx context.Context, t *talk, key string) error {
		known := c.knownPerson(key)
		if err := c.product.leaves(ctx, t, known.id); err != nil {
			return err
		}
		known.Gone, known.Enabled = true, false
		return nil
	})
}

// ids are those of everybody who was pushed.
func (c *Client) ids() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make(map[string]string, len(c.people))
	for key, p := range c.people {
		ids[key] = p.id
	}
	return ids
}

// allTeams pushes the teams that are other ones than before. Who is deleted is in none, and the client does not say so of
// each.
func (c *Client) allTeams(ctx context.Context, r *rand.Rand) (int, error) {
	var keys []string
	byKey := map[string]*Team{}
	for _, t := range c.o.Company.teams {
		known := c.teams[t.Key]
		if known != nil && c.product.deletes() {
			maps.DeleteFunc(known.members, func(key string, _ bool) bool { return c.people[key].Gone })
		}
		if same := known != nil && !known.forgot && known.name == t.Name && maps.Equal(known.members, t.Members); t.Gone && known != nil || !t.Gone && !same {
			keys = append(keys, t.Key)
			byKey[t.Key] = t
		}
	}
	ids := c.ids()
	return c.each(ctx, r, keys, func(ctx context.Context, t *talk, key string) error {
		c.mu.Lock()
		known := c.teams[key]
		c.mu.Unlock()
		id, err := c.pushTeam(ctx, t, known, byKey[key], ids)
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if delete(c.teams, key); id != "" {
			c.teams[key] = &pushedTeam{name: byKey[key].Name, members: maps.Clone(byKey[key].Members), id: id}
		}
		return nil
	})
}

func (c *Client) pushTeam(ctx context.Context, t *talk, known *pushedTeam, team *Team, ids map[string]string) (id string, err error) {
	if team.Gone {
		return "", c.product.dissolved(ctx, t, known.id)
	}
	tell := known
	if known != nil && known.forgot {
		tell = nil
	}
	id, err = c.product.team(ctx, t, tell, team, ids)
	switch {
	case err != nil:
		return "", err
	case id == "":
		return "", fmt.Errorf("no id for %s", team.Name)
	case known != nil && id != known.id:
		return "", fmt.Errorf("%s was %s and is %s now", team.Name, known.id, id)
	}
	return id, nil
}

// Product is what the client plays.
func (c *Client) Product() Product { return c.o.Product }

// Company is the one whose people it pushes.
func (c *Client) Company() *Company { return c.o.Company }

// Remember lets it forget nobody any more.
func (c *Client) Remember() { c.o.Forgets = 0 }
