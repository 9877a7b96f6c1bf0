package changescript

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// rewrite makes the members of a group those of the model, where the server does not do it by itself.
func (c *Company) rewrite(g *group) []any {
	if c.linked {
		return nil
	}
	return []any{&roster{c.groupDN(g), c.members(g)}}
}

// follow rewrites the groups in which anybody is who is called differently now.
func (c *Company) follow(renamed func(*person) bool) (r []any) {
	for _, g := range c.groups {
		if slices.ContainsFunc(g.people, renamed) {
			r = append(r, c.rewrite(g)...)
		}
	}
	return r
}

func (c *Company) join(g *group, p *person) *ldap.ModifyRequest {
	g.people = append(g.people, p)
	m := ldap.NewModifyRequest(c.groupDN(g), nil)
	m.Add("member", []string{c.dn(p)})
	return m
}

func (c *Company) leave(g *group, p *person) []any {
	g.people = slices.DeleteFunc(g.people, func(x *person) bool { return x == p })
	m := ldap.NewModifyRequest(c.groupDN(g), nil)
	m.Delete("member", []string{c.dn(p)})
	return []any{m}
}

// joinAny puts somebody who is not in it into one of the groups.
func (c *Company) joinAny(groups []*group) []any {
	if len(groups) == 0 {
		return nil
	}
	g := groups[c.rand.IntN(len(groups))]
	p := c.anybody(func(p *person) bool { return p.employed && !slices.Contains(g.people, p) })
	if p == nil {
		return nil
	}
	return []any{c.join(g, p)}
}

// leaveAny takes somebody out of one of the groups.
func (c *Company) leaveAny(groups []*group) []any {
	if len(groups) == 0 {
		return nil
	}
	g := groups[c.rand.IntN(len(groups))]
	if len(g.people) == 0 {
		return nil
	}
	return c.leave(g, g.people[c.rand.IntN(len(g.people))])
}

func (c *Company) joinScope() []any {
	in := c.inGroups()
	p := c.anybody(func(p *person) bool { return p.employed && !in[p] })
	g := c.chain[c.rand.IntN(len(c.chain))]
	if p == nil || slices.Contains(g.people, p) { // of a group that is itself not nested now
		return nil
	}
	return []any{c.join(g, p)}
}

func (c *Company) leaveScope() []any { return c.leaveAny(c.chain) }

func (c *Company) protect() []any { return c.joinAny([]*group{c.vips}) }

func (c *Company) unprotect() []any { return c.leaveAny([]*group{c.vips}) }

// clubs are the groups that mean nothing, unless they are nested in one that does.
func (c *Company) clubs() []*group {
	return slices.DeleteFunc(slices.Clone(c.groups), func(g *group) bool { return g == c.vips || slices.Contains(c.chain, g) })
}

func (c *Company) joinClub() []any { return c.joinAny(c.clubs()) }

func (c *Company) leaveClub() []any { return c.leaveAny(c.clubs()) }

func (c *Company) newClub() []any {
	g := &group{name: fmt.Sprintf("club%d", c.nextSerial())}
	for range c.rand.IntN(6) {
		if p := c.anybody(func(p *person) bool { return p.employed && !slices.Contains(g.people, p) }); p != nil {
			g.people = append(g.people, p)
		}
	}
	c.groups = append(c.groups, g)
	return []any{c.addGroup(g)}
}

func (c *Company) endClub() []any {
	clubs := c.clubs()
	if len(clubs) == 0 {
		return nil
	}
	g := clubs[c.rand.IntN(len(clubs))]
	r := []any{ldap.NewDelRequest(c.groupDN(g), nil)}
	c.groups = slices.DeleteFunc(c.groups, func(x *group) bool { return x == g })
	for _, above := range c.chain {
		if i := slices.Index(above.groups, g); i >= 0 {
			above.groups = slices.Delete(above.groups, i, i+1)
			r = append(r, c.rewrite(above)...)
		}
	}
	return r
}

// nesting is one group as a member of another.
type nesting struct{ above, below *group }

func (c *Company) nest() []any {
	var free []nesting
	for i, above := range c.chain {
		for _, below := range append(c.clubs(), c.chain[i+1:]...) {
			if !slices.ContainsFunc(c.chain, func(g *group) bool { return slices.Contains(g.groups, below) }) {
				free = append(free, nesting{above, below})
			}
		}
	}
	if len(free) == 0 {
		return nil
	}
	n := free[c.rand.IntN(len(free))]
	n.above.groups = append(n.above.groups, n.below)
	m := ldap.NewModifyRequest(c.groupDN(n.above), nil)
	m.Add("member", []string{c.groupDN(n.below)})
	return []any{m}
}

func (c *Company) unnest() []any {
	var nested []nesting
	for _, above := range c.chain {
		for _, below := range above.groups {
			nested = append(nested, nesting{above, below})
		}
	}
	if len(nested) == 0 {
		return nil
	}
	n := nested[c.rand.IntN(len(nested))]
	n.above.groups = slices.DeleteFunc(n.above.groups, func(g *group) bool { return g == n.below })
	m := ldap.NewModifyRequest(c.groupDN(n.above), nil)
	m.Delete("member", []string{c.groupDN(n.below)})
	return []any{m}
}

// loose returns a unit that the configuration does not name, nil where none may move.
func (c *Company) loose() *unit {
	if c.fixed {
		return nil
	}
	list := slices.DeleteFunc(slices.Clone(c.units), func(u *unit) bool { return u.fixed })
	return list[c.rand.IntN(len(list))]
}

func (c *Company) relocate(u *unit, name string, above *unit) []any {
	r := ldap.NewModifyDNRequest(c.unitDN(u), "ou="+name, true, "")
	if above != u.above {
		r.NewSuperior = c.unitDN(above)
	}
	u.name, u.above = name, above
	return append([]any{r}, c.follow(func(p *person) bool { return p.unit == u })...)
}

func (c *Company) renameUnit() []any {
	u := c.loose()
	if u == nil {
		return nil
	}
	kind, _, _ := strings.Cut(u.name, "-")
	return c.relocate(u, fmt.Sprintf("%s-%d", kind, c.nextSerial()), u.above)
}

// moveUnit moves a unit with everybody in it; one in four times out of the scope, if it is not there yet.
func (c *Company) moveUnit() []any {
	u := c.loose()
	if u == nil {
		return nil
	}
	to := []*unit{c.headquarters, c.branch}[c.rand.IntN(2)]
	if !u.outside() && c.oneIn(4) {
		to = c.leavers
	}
	if to == u.above {
		return nil
	}
	return c.relocate(u, u.name, to)
}
