package changescript

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Kind is a product of directory.
type Kind string

// The kinds, as testserver.Server names them.
const (
	Slapd Kind = "slapd"
	Samba Kind = "samba"
	DS389 Kind = "389-ds"
)

// Options describe a company and how it changes.
type Options struct {
	Kind   Kind
	Seed   uint64 // of the operations; the company before the first one is always the same
	People int    // at first; 0 is 300
	// FixedUnits keeps organizational units in their places. 389-ds that is read while one is renamed may go
	// on showing the old DN of somebody below it until it is started again (seen with 2.3).
	FixedUnits bool
	// ByUnits is a scope that knows no groups, and a company whose units stay: groups go on changing, and
	// mean nothing.
	ByUnits bool
}

// Company is the model: what the directory holds when all operations drawn so far have been applied in
// their order. Not safe for concurrent use.
type Company struct {
	dialect
	rand    *rand.Rand
	fixed   bool      // units stay where they are
	byUnits bool      // groups mean nothing
	people  []*person // in the order of their first hiring; also those who have left
	units   []*unit   // that may be renamed and moved, with People and Branch, which may not
	groups  []*group
	serial  int // in names that must never come twice

	headquarters, branch, leavers *unit
	everybody, vips               *group
	chain                         []*group // groups that hold people for everybody, the last ones nested below the first
}

// person is one employee, or one who was.
type person struct {
	number       int
	given, sn    string
	cn, uid      string
	mail, domain string
	title, phone string
	chief        *person
	unit         *unit
	employed     bool // has an entry
	off, expired bool
	broken       bool // lacks a name that everybody must have
}

// unit is an organizational unit.
type unit struct {
	name  string
	above *unit // nil: the suffix
	shut  bool  // who stands below it is out of scope
	fixed bool  // the configuration names it
}

// group has people and groups as members.
type group struct {
	name   string
	people []*person
	groups []*group
}

// Domains are those of the people's addresses. Nobody ever changes from one to the other.
var Domains = []string{"example.test", "example.org"}

// New returns the company before the first operation.
func New(o Options) *Company {
	if o.People == 0 {
		o.People = 300
	}
	c := &Company{dialect: dialects[o.Kind], rand: rand.New(rand.NewPCG(o.Seed, 0)), fixed: o.FixedUnits || o.ByUnits, byUnits: o.ByUnits}
	c.headquarters = &unit{name: "People", fixed: true}
	c.branch = &unit{name: "Branch", fixed: true}
	c.leavers = &unit{name: "Leavers", above: c.headquarters, fixed: true, shut: true}
	c.units = []*unit{
		c.headquarters, c.branch, c.leavers,
		{name: "Sales", above: c.headquarters},
		{name: "Labs", above: c.headquarters},
		{name: "Desk", above: c.headquarters},
		{name: "North", above: c.branch},
	}
	c.everybody, c.vips = &group{name: "everybody"}, &group{name: "vips"}
	inner, innermost := &group{name: "inner"}, &group{name: "innermost"}
	c.everybody.groups, inner.groups = []*group{inner}, []*group{innermost}
	c.chain = []*group{c.everybody, inner, innermost}
	c.groups = []*group{innermost, inner, c.everybody, c.vips, {name: "choir"}, {name: "chess"}} // what a group contains before it
	for range o.People {
		c.first()
	}
	return c
}

// first adds one of those who are there before the first operation.
func (c *Company) first() {
	p := c.newPerson()
	i := p.number
	p.unit = c.units[[]int{0, 3, 4, 5, 6, 1, 3, 4, 5, 2}[i%10]]
	p.off = i%17 == 0
	if i > 1 {
		p.chief = c.people[i/10]
	}
	switch {
	case i%13 == 0: // in no group of the scope
	case i%5 == 0:
		c.chain[2].people = append(c.chain[2].people, p)
	case i%4 == 0:
		c.chain[1].people = append(c.chain[1].people, p)
	default:
		c.everybody.people = append(c.everybody.people, p)
	}
	if i%40 == 7 {
		c.vips.people = append(c.vips.people, p)
	}
	if i%6 == 1 {
		g := c.groups[4+i%2]
		g.people = append(g.people, p)
	}
}

// newPerson makes somebody whose names nobody has had.
func (c *Company) newPerson() *person {
	i := len(c.people) + 1
	p := &person{number: i, uid: fmt.Sprintf("p%05d", i), title: "Engineer", phone: fmt.Sprintf("+49 30 %06d", i), employed: true}
	p.domain = Domains[i%3%2]
	p.mail = p.uid + "@" + p.domain
	p.given = fmt.Sprintf("Given%d", i%7)
	p.call("Sur" + strconv.Itoa(i))
	c.people = append(c.people, p)
	return p
}

// call gives the surname, with which the common name changes. It has a comma, as in many a company.
func (p *person) call(surname string) {
	p.sn = surname
	p.cn = fmt.Sprintf("%s, %s (%d)", surname, p.given, p.number)
}

// nextSerial returns a number that was never returned before.
func (c *Company) nextSerial() int {
	c.serial++
	return c.serial
}

func (c *Company) unitDN(u *unit) string {
	if u.above == nil {
		return "ou=" + u.name + "," + c.base
	}
	return "ou=" + u.name + "," + c.unitDN(u.above)
}

func (c *Company) dn(p *person) string { return c.rdn(p) + "," + c.unitDN(p.unit) }

func (c *Company) rdn(p *person) string { return "cn=" + ldap.EscapeDN(p.cn) }

func (c *Company) groupDN(g *group) string { return "cn=" + g.name + ",ou=Groups," + c.base }

// nobody is a thing that is a member of all groups where a group must have one: no unit, since some servers
// write into each member of what groups it is.
func (c *Company) nobody() string { return "cn=nobody,ou=Groups," + c.base }

// members are the DNs of the members.
func (c *Company) members(g *group) []string {
	var list []string
	if !c.linked {
		list = append(list, c.nobody())
	}
	for _, m := range g.groups {
		list = append(list, c.groupDN(m))
	}
	for _, p := range g.people {
		list = append(list, c.dn(p))
	}
	return list
}

// Base is the suffix, below which all people stand.
func (c *Company) Base() string { return c.base }

// Included are the units whose people are in scope.
func (c *Company) Included() []string { return []string{c.unitDN(c.headquarters), c.unitDN(c.branch)} }

// Excluded are the units below them whose people are not.
func (c *Company) Excluded() []string { return []string{c.unitDN(c.leavers)} }

// ScopeGroups are the groups whose members, nested ones included, are in scope; none = everybody is.
func (c *Company) ScopeGroups() []string { return c.unlessByUnits(c.everybody) }

// ProtectedGroups are the groups whose members no source may deactivate.
func (c *Company) ProtectedGroups() []string { return c.unlessByUnits(c.vips) }

func (c *Company) unlessByUnits(g *group) []string {
	if c.byUnits {
		return nil
	}
	return []string{c.groupDN(g)}
}

// LDIF writes the directory before the first operation, for a server to start with: the same whatever the
// seed is.
func (c *Company) LDIF(w io.Writer) error {
	var all []*ldap.AddRequest
	if !c.linked {
		root := ldap.NewAddRequest(c.base, nil)
		root.Attribute("objectClass", []string{"dcObject", "organization"})
		root.Attribute("o", []string{"Example"})
		root.Attribute("dc", []string{"example"})
		all = append(all, root)
	}
	for _, u := range slices.Concat(c.units, []*unit{{name: "Groups"}}) {
		all = append(all, addUnit(c.unitDN(u), u.name))
	}
	if !c.linked {
		nobody := ldap.NewAddRequest(c.nobody(), nil)
		nobody.Attribute("objectClass", []string{"device"})
		nobody.Attribute("cn", []string{"nobody"})
		all = append(all, nobody)
	}
	for _, p := range c.people {
		all = append(all, c.addPerson(p))
	}
	for _, g := range c.groups {
		all = append(all, c.addGroup(g))
	}
	for _, r := range all {
		if _, err := io.WriteString(w, text(r)); err != nil {
			return err
		}
	}
	return nil
}

// text is an entry as LDIF (RFC 2849); the company's values need no base64.
func text(r *ldap.AddRequest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "dn: %s\n", r.DN)
	for _, a := range r.Attributes {
		for _, v := range a.Vals {
			fmt.Fprintf(&b, "%s: %s\n", a.Type, v)
		}
	}
	return b.String() + "\n"
}
