package fleet

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Person is somebody who works for a company, or has.
type Person struct {
	Key                       string // what the identity provider calls the person, for ever
	UserName, Email           string
	Given, Family             string
	Title, Department, Number string // "" = none
	Manager                   string // its Key; "" = nobody
	Enabled                   bool
	Gone                      bool // deleted at the identity provider; may be back one day
}

// DisplayName is what everybody calls the person.
func (p *Person) DisplayName() string { return p.Given + " " + p.Family }

// Team is a group.
type Team struct {
	Key, Name string
	Members   map[string]bool // keys of people
	Gone      bool
}

// Company is the truth: who is there and in which teams. By the same seed the same things happen in the same
// order. It is not safe for concurrent use.
type Company struct {
	rand   *rand.Rand
	domain string
	people []*Person
	teams  []*Team
	byKey  map[string]*Person
	serial int // in names that never come twice
}

// NewCompany returns a company whose people have addresses of the domain.
func NewCompany(seed uint64, domain string, people, teams int) *Company {
	c := &Company{rand: rand.New(rand.NewPCG(seed, 1)), domain: domain, byKey: map[string]*Person{}}
	for range teams {
		c.found()
	}
	for range people {
		c.hire()
	}
	return c
}

// Day lets that many things happen.
func (c *Company) Day(things int) {
	total := 0
	for _, h := range happenings {
		total += h.weight
	}
	for range things {
		n := c.rand.IntN(total)
		for _, h := range happenings {
			if n -= h.weight; n < 0 {
				h.happen(c)
				break
			}
		}
	}
}

var happenings = []struct {
	weight int
	happen func(c *Company)
}{
	{4, (*Company).hire},
	{3, (*Company).leave},
	{3, (*Company).comeBack},
	{6, func(c *Company) { c.one(func(p *Person) { p.Enabled = !p.Enabled }) }},
	{8, func(c *Company) { c.one(func(p *Person) { p.Title = c.maybe("Title %d") }) }},
	{6, func(c *Company) { c.one(func(p *Person) { p.Department = c.maybe("Dept %d") }) }},
	{3, func(c *Company) { c.one(func(p *Person) { p.Number = c.maybe("%05d") }) }},
	{4, (*Company).marry},
	{5, (*Company).promote},
	{20, (*Company).move},
	{2, (*Company).found},
	{2, (*Company).renameTeam},
	{1, (*Company).dissolve},
	{1, func(c *Company) { c.team(func(t *Team) { clear(t.Members) }) }},
	{2, (*Company).reorganise},
}

func (c *Company) next() int {
	c.serial++
	return c.serial
}

func (c *Company) maybe(format string) string {
	if c.rand.IntN(3) == 0 {
		return ""
	}
	return fmt.Sprintf(format, c.rand.IntN(1000))
}

// one chooses somebody who is there.
func (c *Company) one(do func(p *Person)) { c.chosen(false, do) }

func (c *Company) chosen(gone bool, do func(p *Person)) {
	for range 20 { // most are there
		if len(c.people) == 0 {
			return
		}
		if p := c.people[c.rand.IntN(len(c.people))]; p.Gone == gone {
			do(p)
			return
		}
	}
}

func (c *Company) team(do func(t *Team)) {
	for range 20 {
		if len(c.teams) == 0 {
			return
		}
		if t := c.teams[c.rand.IntN(len(c.teams))]; !t.Gone {
			do(t)
			return
		}
	}
}

func (c *Company) hire() {
	n := c.next()
	p := &Person{Key: fmt.Sprintf("%08d", n), Given: fmt.Sprintf("Given%d", n%97), Family: fmt.Sprintf("Family%d", n%89), Enabled: c.rand.IntN(20) > 0}
	c.name(p)
	p.Title, p.Department, p.Number = c.maybe("Title %d"), c.maybe("Dept %d"), c.maybe("%05d")
	c.people = append(c.people, p)
	c.byKey[p.Key] = p
	for range c.rand.IntN(4) {
		c.team(func(t *Team) { t.Members[p.Key] = true })
	}
}

// name gives somebody a name and an address that nobody has had.
func (c *Company) name(p *Person) {
	n := c.next()
	p.UserName, p.Email = fmt.Sprintf("User.%d@%s", n, c.domain), fmt.Sprintf("mail.%d@%s", n, c.domain)
}

// leave deletes somebody, who is nobody's manager and in no team after that.
func (c *Company) leave() {
	c.one(func(p *Person) {
		p.Gone, p.Manager = true, ""
		for _, t := range c.teams {
			delete(t.Members, p.Key)
		}
		for _, other := range c.people {
			if other.Manager == p.Key {
				other.Manager = ""
			}
		}
	})
}

// comeBack is in no team until it is put into one.
func (c *Company) comeBack() {
	c.chosen(true, func(p *Person) { p.Gone, p.Enabled = false, true })
}

// marry changes how somebody is called; now and then only the address.
func (c *Company) marry() {
	c.one(func(p *Person) {
		was := p.UserName
		if c.name(p); c.rand.IntN(3) == 0 {
			p.UserName = was
		}
		p.Family = fmt.Sprintf("Family%d", c.rand.IntN(1000))
	})
}

func (c *Company) promote() {
	c.one(func(p *Person) {
		if p.Manager = ""; c.rand.IntN(3) > 0 {
			c.one(func(m *Person) {
				if m != p {
					p.Manager = m.Key
				}
			})
		}
	})
}

// move puts somebody into a team or takes it out.
func (c *Company) move() {
	c.team(func(t *Team) {
		c.one(func(p *Person) {
			if t.Members[p.Key] {
				delete(t.Members, p.Key)
				return
			}
			t.Members[p.Key] = true
		})
	})
}

func (c *Company) found() {
	n := c.next()
	c.teams = append(c.teams, &Team{Key: fmt.Sprintf("g%07d", n), Name: fmt.Sprintf("Team %d %s", n, c.domain), Members: map[string]bool{}})
}

func (c *Company) renameTeam() {
	c.team(func(t *Team) { t.Name = fmt.Sprintf("Team %d %s", c.next(), c.domain) })
}

func (c *Company) dissolve() {
	if len(c.teams) > 3 {
		c.team(func(t *Team) {
			t.Gone = true
			clear(t.Members)
		})
	}
}

// reorganise gives a team other members, all at once.
func (c *Company) reorganise() {
	c.team(func(t *Team) {
		clear(t.Members)
		for range c.rand.IntN(12) {
			c.one(func(p *Person) { t.Members[p.Key] = true })
		}
	})
}

// members are the keys of a team's members, in order.
func (t *Team) members() []string {
	keys := make([]string, 0, len(t.Members))
	for key := range t.Members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
