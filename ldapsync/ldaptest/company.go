package ldaptest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Company is the example company on a running server. Its people come, go, move and marry on command, as the
// demo's prompt and long tests want it. Its methods may be called concurrently.
type Company struct {
	s *Server
	g *generator

	mu    sync.Mutex
	staff []employee // in the order of hiring
	next  int        // index of the next person to be hired
	turn  int        // who is next to leave or change
}

// employee is what is needed to find somebody again; there may be a million.
type employee struct {
	entry      *entry
	index      int32
	department int16
	disabled   bool
}

var errNobody = errors.New("ldaptest: nobody is left in the company")

// Populate adds the people of an example company, their organizational units and their groups to the server:
// one group for each department, All Staff with these groups as members, and Managers.
func (s *Server) Populate(o PeopleOptions) (*Company, error) {
	c := &Company{s: s, g: newGenerator(o)}
	for range o.People {
		if _, err := c.hire(); err != nil {
			return nil, err
		}
	}
	return c, c.addGroups()
}

// dn is where an employee stands now.
func (c *Company) dn(e employee) string {
	c.s.tree.mu.RLock()
	defer c.s.tree.mu.RUnlock()
	return e.entry.dn()
}

func (c *Company) leads(e employee) bool { return int(e.index) < len(c.g.departments) }

func (c *Company) base() string { return c.s.Base() }

// group is the DN of a group.
func (c *Company) group(name string) string {
	return "CN=" + escapeRDN(name, false) + ",OU=Groups," + c.g.o.Root + "," + c.base()
}

func (c *Company) addGroups() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	class, member := "group", "member"
	if c.s.o.Kind != ActiveDirectory {
		class = "groupOfNames"
	}
	units, managers := make([][]string, len(c.g.departments)), []string{}
	for _, e := range c.staff {
		units[e.department] = append(units[e.department], c.dn(e))
		if c.leads(e) {
			managers = append(managers, c.dn(e))
		}
	}
	var groups []string
	add := func(name string, members []string) error {
		groups = append(groups, c.group(name))
		return c.s.Add(c.group(name), Attrs{
			"objectClass": {"top", class}, "sAMAccountName": {name}, "description": {name + " at work"}, member: members,
		})
	}
	for i, d := range c.g.departments {
		if err := add(d.name, units[i]); err != nil {
			return err
		}
	}
	if err := add("All Staff", slices.Clone(groups)); err != nil {
		return err
	}
	return add("Managers", managers)
}

// Hire adds the next n people and gives their DNs.
func (c *Company) Hire(n int) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dns := make([]string, 0, n)
	for range n {
		e, err := c.hire()
		if err != nil {
			return dns, err
		}
		dn := c.dn(e)
		group := c.group(c.g.departments[e.department].name)
		if err := c.s.AddValues(group, "member", dn); err != nil {
			return dns, err
		}
		dns = append(dns, dn)
	}
	return dns, nil
}

// hire adds the next person, but to no group.
func (c *Company) hire() (employee, error) {
	p := c.g.person(c.next)
	a := c.g.attrs(p, c.s)
	if p.Manager >= 0 && p.Manager < len(c.staff) {
		a["manager"] = []string{c.dn(c.staff[p.Manager])} // heads of departments are never fired
	}
	e := employee{index: int32(p.Index), department: int16(c.departmentOf(p.Department)), disabled: p.Disabled} //nolint:gosec // small
	err := c.s.change("add", p.CN, func(t *tree) (err error) {
		e.entry, err = t.add(c.g.dn(p, c.base()), a)
		return err
	})
	if err != nil {
		return e, err
	}
	c.staff = append(c.staff, e)
	c.next++
	return e, nil
}

func (c *Company) departmentOf(name string) int {
	return slices.IndexFunc(c.g.departments, func(d department) bool { return d.name == name })
}

// Fire deletes n people and gives the DNs that they had.
func (c *Company) Fire(n int) ([]string, error) {
	return c.each(n, func(i int) (string, error) {
		e := c.staff[i]
		dn := c.dn(e)
		if err := c.leave(e, dn); err != nil {
			return "", err
		}
		c.staff = slices.Delete(c.staff, i, i+1)
		return dn, c.s.Delete(dn)
	})
}

// Disable locks n accounts that are in use and gives their DNs.
func (c *Company) Disable(n int) ([]string, error) {
	return c.each(n, func(i int) (string, error) {
		c.staff[i].disabled = true
		dn := c.dn(c.staff[i])
		switch c.s.o.Kind {
		case DS389:
			return dn, c.s.Modify(dn, Attrs{"nsAccountLock": {"TRUE"}})
		case OpenLDAP:
			return dn, c.s.Modify(dn, Attrs{"pwdAccountLockedTime": {"000001010000Z"}})
		case ActiveDirectory:
		}
		return dn, c.s.Modify(dn, Attrs{"userAccountControl": {"514"}})
	})
}

// join and leave change the group of the employee's department, in which he stands as dn.
func (c *Company) join(e employee, dn string) error {
	return c.s.AddValues(c.group(c.g.departments[e.department].name), "member", dn)
}

func (c *Company) leave(e employee, dn string) error {
	return c.s.DeleteValues(c.group(c.g.departments[e.department].name), "member", dn)
}

// Move puts n people into another department and gives their new DNs.
func (c *Company) Move(n int) ([]string, error) {
	return c.each(n, func(i int) (string, error) {
		e := &c.staff[i]
		old := c.dn(*e)
		if err := c.leave(*e, old); err != nil {
			return "", err
		}
		e.department = (e.department + 1) % int16(len(c.g.departments)) //nolint:gosec // a handful
		d := c.g.departments[e.department]
		rdn, _ := parentDN(old)
		dn := rdn + "," + c.g.unit(d.name, c.base())
		if err := c.s.Move(old, dn); err != nil {
			return "", err
		}
		if err := c.s.Modify(dn, Attrs{"department": {d.name}, "title": {d.list()[1]}}); err != nil {
			return "", err
		}
		return dn, c.join(*e, dn)
	})
}

// Rename gives n people another surname, as after a marriage, and gives their new DNs. Their mail addresses
// follow.
func (c *Company) Rename(n int) ([]string, error) {
	return c.each(n, func(i int) (string, error) {
		e := c.staff[i]
		of, given, _, _ := c.g.fullName(int(e.index))
		family := of.surname[c.g.pick(int(e.index)+c.turn, 6, len(of.surname))]
		old := c.dn(e)
		_, above := parentDN(old)
		// The index keeps names and addresses unique.
		dn := fmt.Sprintf("CN=%s,%s", escapeRDN(fmt.Sprintf("%s %s %d", given.shown, family.shown, e.index), false), above)
		if err := c.rename(e, old, dn); err != nil {
			return "", err
		}
		return dn, c.s.Modify(dn, Attrs{
			"sn": {family.shown}, "displayName": {given.shown + " " + family.shown},
			"mail": {fmt.Sprintf("%s.%s%d@%s", given.address, family.address, e.index, c.g.o.Domain)},
		})
	})
}

// rename follows the new name in the group too, where members are plain values.
func (c *Company) rename(e employee, old, dn string) error {
	if c.s.o.Kind == ActiveDirectory || strings.EqualFold(old, dn) {
		return c.s.Move(old, dn)
	}
	return errors.Join(c.leave(e, old), c.s.Move(old, dn), c.join(e, dn))
}

// each lets f act on n people who have an enabled account and lead no department. It strides through the
// company, so that the same few are not hit again and again.
func (c *Company) each(n int, f func(i int) (string, error)) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dns := make([]string, 0, n)
	for range n {
		i, ok := c.choose()
		if !ok {
			return dns, errNobody
		}
		dn, err := f(i)
		if err != nil {
			return dns, err
		}
		dns = append(dns, dn)
	}
	return dns, nil
}

func (c *Company) choose() (int, bool) {
	for range c.staff {
		c.turn += 37
		i := c.turn % len(c.staff)
		if e := c.staff[i]; !e.disabled && !c.leads(e) {
			return i, true
		}
	}
	for i, e := range c.staff { // the stride may miss some
		if !e.disabled && !c.leads(e) {
			return i, true
		}
	}
	return 0, false
}

// Size is the number of people in the company, disabled ones included.
func (c *Company) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.staff)
}

// Find gives the DNs of people whose common name contains the text, compared without case, at most limit.
func (c *Company) Find(text string, limit int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	c.s.tree.mu.RLock()
	defer c.s.tree.mu.RUnlock()
	for _, e := range c.staff {
		if len(found) < limit && strings.Contains(strings.ToLower(e.entry.rdn), strings.ToLower(text)) {
			found = append(found, e.entry.dn())
		}
	}
	return found
}
