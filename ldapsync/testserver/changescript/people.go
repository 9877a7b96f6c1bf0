package changescript

import (
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"
)

// anybody returns somebody of whom is holds, or nil.
func (c *Company) anybody(is func(*person) bool) *person {
	var list []*person
	for _, p := range c.people {
		if is(p) {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[c.rand.IntN(len(list))]
}

func employed(p *person) bool { return p.employed }

// place returns a unit of those in scope, or of the others.
func (c *Company) place(outside bool) *unit {
	var list []*unit
	for _, u := range c.units {
		if u.outside() == outside {
			list = append(list, u)
		}
	}
	return list[c.rand.IntN(len(list))]
}

// one in n is true so often.
func (c *Company) oneIn(n int) bool { return c.rand.IntN(n) == 0 }

func (c *Company) hire() []any {
	p := c.newPerson()
	p.unit, p.broken, p.off = c.place(false), c.oneIn(8), c.oneIn(8)
	p.chief = c.anybody(func(x *person) bool { return x.employed && x != p })
	return []any{c.addPerson(p), c.join(c.chain[c.rand.IntN(len(c.chain))], p)}
}

func (c *Company) fire() []any {
	p := c.anybody(employed)
	if p == nil {
		return nil
	}
	r := []any{ldap.NewDelRequest(c.dn(p), nil)}
	for _, g := range c.groups {
		if i := slices.Index(g.people, p); i >= 0 {
			g.people = slices.Delete(g.people, i, i+1)
			r = append(r, c.rewrite(g)...)
		}
	}
	p.employed, p.broken, p.expired = false, false, false
	return r
}

// rehire gives somebody who had left an entry anew, with the old names.
func (c *Company) rehire() []any {
	p := c.anybody(func(p *person) bool { return !p.employed })
	if p == nil {
		return nil
	}
	p.employed, p.unit, p.off = true, c.place(false), c.oneIn(8)
	return []any{c.addPerson(p), c.join(c.chain[c.rand.IntN(len(c.chain))], p)}
}

// marry changes the surname, and with it the common name, by which the entry is called.
func (c *Company) marry() []any {
	p := c.anybody(employed)
	if p == nil {
		return nil
	}
	old := c.dn(p)
	p.call(fmt.Sprintf("Sur%dn%d", p.number, c.nextSerial()))
	superior := ""
	if c.oneIn(3) { // and moves
		p.unit = c.place(false)
		superior = c.unitDN(p.unit)
	}
	r := []any{ldap.NewModifyDNRequest(old, c.rdn(p), true, superior)}
	m := ldap.NewModifyRequest(c.dn(p), nil)
	if !p.broken || c.missing != "sn" {
		m.Replace("sn", []string{p.sn})
	}
	m.Replace("displayName", []string{p.given + " " + p.sn})
	return append(append(r, m), c.follow(func(x *person) bool { return x == p })...)
}

func (c *Company) moveTo(p *person, to *unit) []any {
	if p == nil || to == p.unit {
		return nil
	}
	old := c.dn(p)
	p.unit = to
	r := []any{ldap.NewModifyDNRequest(old, c.rdn(p), true, c.unitDN(to))}
	return append(r, c.follow(func(x *person) bool { return x == p })...)
}

func (c *Company) move() []any {
	return c.moveTo(c.anybody(func(p *person) bool { return p.employed && !p.unit.outside() }), c.place(false))
}

func (c *Company) moveOut() []any {
	return c.moveTo(c.anybody(func(p *person) bool { return p.employed && !p.unit.outside() }), c.place(true))
}

func (c *Company) moveIn() []any {
	return c.moveTo(c.anybody(func(p *person) bool { return p.employed && p.unit.outside() }), c.place(false))
}

// modify replaces values of one attribute; without any it is taken away.
func (c *Company) modify(p *person, attributes ...ldap.Attribute) []any {
	m := ldap.NewModifyRequest(c.dn(p), nil)
	for _, a := range attributes {
		m.Replace(a.Type, a.Vals)
	}
	return []any{m}
}

func (c *Company) newLogin() []any {
	p := c.anybody(employed)
	if p == nil {
		return nil
	}
	p.uid = fmt.Sprintf("p%05dx%d", p.number, c.nextSerial())
	return c.modify(p, c.login(p.uid)...)
}

func (c *Company) newMail() []any {
	p := c.anybody(employed)
	if p == nil {
		return nil
	}
	p.mail = fmt.Sprintf("m%d.%d@%s", p.number, c.nextSerial(), p.domain)
	return c.modify(p, ldap.Attribute{Type: "mail", Vals: []string{p.mail}})
}

func (c *Company) newChief() []any {
	p := c.anybody(employed)
	chief := c.anybody(func(x *person) bool { return x.employed && x != p })
	if p == nil || chief == nil {
		return nil
	}
	p.chief = chief
	return c.modify(p, ldap.Attribute{Type: "manager", Vals: []string{c.dn(chief)}})
}

func (c *Company) newPhone() []any {
	p := c.anybody(employed)
	switch {
	case p == nil:
		return nil
	case p.phone != "" && c.oneIn(3):
		p.phone = ""
		return c.modify(p, ldap.Attribute{Type: "telephoneNumber"})
	}
	p.phone = fmt.Sprintf("+46 8 %d", c.nextSerial())
	return c.modify(p, ldap.Attribute{Type: "telephoneNumber", Vals: []string{p.phone}})
}

func (c *Company) newTitle() []any {
	p := c.anybody(employed)
	if p == nil {
		return nil
	}
	p.title = fmt.Sprintf("Engineer %d", c.nextSerial())
	return c.modify(p, ldap.Attribute{Type: "title", Vals: []string{p.title}})
}

func (c *Company) lock(off bool) []any {
	p := c.anybody(func(p *person) bool { return p.employed && p.off != off })
	if p == nil {
		return nil
	}
	p.off = off
	return c.modify(p, c.state(off))
}

func (c *Company) disable() []any { return c.lock(true) }

func (c *Company) enable() []any { return c.lock(false) }

func (c *Company) setExpiry(expired bool, at string) []any {
	p := c.anybody(func(p *person) bool { return p.employed && p.expired != expired })
	if p == nil || !c.expires {
		return nil
	}
	p.expired = expired
	return c.modify(p, ldap.Attribute{Type: "accountExpires", Vals: []string{at}})
}

func (c *Company) expire() []any { return c.setExpiry(true, in2020) }

func (c *Company) extend() []any {
	if c.oneIn(2) {
		return c.setExpiry(false, never64)
	}
	return c.setExpiry(false, never)
}

// breakEntry takes a name away that everybody must have.
func (c *Company) breakEntry() []any {
	p := c.anybody(func(p *person) bool { return p.employed && !p.broken })
	if p == nil {
		return nil
	}
	p.broken = true
	return c.modify(p, ldap.Attribute{Type: c.missing})
}

func (c *Company) mend() []any {
	p := c.anybody(func(p *person) bool { return p.broken })
	if p == nil {
		return nil
	}
	p.broken = false
	value := map[string]string{"sn": p.sn, "givenName": p.given}[c.missing]
	return c.modify(p, ldap.Attribute{Type: c.missing, Vals: []string{value}})
}
