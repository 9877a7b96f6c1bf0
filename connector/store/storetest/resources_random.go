package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"usherd/connector"
)

// worldMaker fills a store at random and remembers what it put there.
type worldMaker struct {
	*fixture
	*world
	rnd *rand.Rand
}

func pick[T any](rnd *rand.Rand, list ...T) T { return list[rnd.IntN(len(list))] }

// dnOf is where person n stands in the directory.
func dnOf(n int) string { return fmt.Sprint("CN=person ", n) }

// profile has few values, in few spellings, so that conditions meet some.
func (m *worldMaker) profile(n int) connector.Profile {
	p := connector.Profile{
		connector.UserName: {fmt.Sprint(pick(m.rnd, "Ann", "änn", "ÄNN", "\u212aim", "bob.Stone", "user%_"), n)},
		connector.Email:    {fmt.Sprintf("%s%d@example.%s", pick(m.rnd, "Ann", "bob", "Ströß"), n, pick(m.rnd, "com", "ORG"))},
	}
	maybe := func(name string, values ...string) {
		if m.rnd.IntN(3) > 0 {
			p.Set(name, values...)
		}
	}
	maybe(connector.OtherEmails, fmt.Sprintf("other%d@example.com", n), fmt.Sprintf("ann@%d.example.org", n))
	maybe(connector.DisplayName, pick(m.rnd, "Ann Lee", "ANN LEE", "Ärna", "ärna b", "Zoë", "𝔄nn", "a"))
	maybe("employeeNumber", pick(m.rnd, "17", "E17", "e17", "170"))
	maybe("manager", pick(m.rnd, "CN=Boss", "cn=boss", "26118915-6090-4610-87e4-49d8ca9f808d"))
	maybe("phone", pick(m.rnd, "+46 8 123", "+46 8 124", "555"))
	maybe("mobilePhone", pick(m.rnd, "+46 8 123", "0170"))
	maybe("otherPhones", pick(m.rnd, "555", "556"), "0170 x")
	return p
}

// people creates users of every sort: linked to the directory, to clients, to nobody but them; deleted by a
// client; inactive; deleted.
func (m *worldMaker) people(count int) {
	m.packages(connector.Package{ID: "gold", Seats: 1000}, connector.Package{ID: "tin", Seats: 1000})
	for n := range count {
		if m.rnd.IntN(3) > 0 {
			m.now = m.now.Add(pick(m.rnd, time.Microsecond, time.Second))
		}
		c := Create(n, pick(m.rnd, "", "gold", "tin"), m.now)
		c.After.Profile = m.profile(n)
		c.After.State = pick(m.rnd, connector.Active, connector.Verified, connector.NotVerified)
		c.Transitions[0].To = c.After.State
		c.Fields = connector.Diff(nil, c.After)
		c.Link = m.newLink(n, pick(m.rnd, Source, client, client2), c.After)
		c.Source, c.Anchor, c.DN = c.Link.Source, c.Link.Anchor, c.Link.DN
		m.save(c)
		u := c.After
		m.links = append(m.links, c.Link)
		for _, source := range []string{Source, client, client2} {
			if source != c.Link.Source && m.rnd.IntN(2) == 0 {
				l := m.newLink(n, source, u)
				m.save(&connector.Change{Action: connector.Unchanged, Org: Org, Source: source, Anchor: l.Anchor, BaseVersion: u.Version, Link: l})
				m.links = append(m.links, l)
			}
		}
		m.users = append(m.users, m.age(u))
	}
}

func (m *worldMaker) newLink(n int, source string, u *connector.User) *connector.Link {
	l := &connector.Link{
		Org: Org, Source: source, Anchor: AnchorOf(n), User: u.ID, Standing: connector.StandingEnabled, UpdatedAt: m.now,
		DN: dnOf(n), Key: keyOf(dnOf(n)), PrimaryGroup: pick(m.rnd, uint32(0), 513, 1101),
	}
	if source != Source {
		l.DN, l.Key, l.PrimaryGroup = u.ID.String(), connector.Hash(u.ID), 0
		l.Anchor = connector.Anchor{Kind: connector.TextAnchor, Raw: fmt.Sprint(pick(m.rnd, "Ext", "ext", "00u\u00e9", "\x04\xff"), n)}
		if m.rnd.IntN(3) == 0 {
			l.Anchor = connector.AnchorOf(u.ID)
		}
	}
	if m.rnd.IntN(5) == 0 {
		l.Standing = pick(m.rnd, connector.StandingGone, connector.StandingGone, connector.StandingDisabled)
	}
	return l
}

// age lets some of a user's life pass.
func (m *worldMaker) age(u *connector.User) *connector.User {
	save := func(c *connector.Change) {
		m.now = m.now.Add(time.Second)
		c.After.UpdatedAt = m.now
		m.save(c)
		u = c.After
	}
	if m.rnd.IntN(4) == 0 {
		save(Next(connector.Updated, u, m.now, func(u *connector.User) { u.Profile.Set("title", fmt.Sprint(m.now)) }))
	}
	if m.rnd.IntN(4) == 0 {
		save(Deactivate(u, m.now))
		if m.rnd.IntN(4) == 0 {
			save(Next(connector.Removed, u, m.now, setState(connector.Deleted)))
			m.links = slices.DeleteFunc(m.links, func(l *connector.Link) bool { return l.User == u.ID })
		}
	}
	return u
}

// societies creates groups of the clients and of the directory, some in others, with members of every sort.
func (m *worldMaker) societies(count int) {
	m.lists = map[connector.ID][]connector.Member{}
	for n := range count {
		m.now = m.now.Add(pick(m.rnd, 0, time.Microsecond))
		g := &connector.Group{ID: connector.NewID(m.now), Org: Org, Source: pick(m.rnd, Source, client, client, client2)}
		g.Name = fmt.Sprint(pick(m.rnd, "Sales", "SALES", "Süd", "ops"), pick(m.rnd, 1, 2, n))
		g.DN, g.Key, g.Anchor = "CN="+g.Name, keyOf(fmt.Sprint("group ", n)), AnchorOf(1_000_000+n)
		if g.Source == Source {
			g.RID = pick(m.rnd, uint32(0), 513, 1101)
		} else {
			g.DN, g.Key, g.Anchor = g.ID.String(), connector.Hash(g.ID), connector.AnchorOf(g.ID)
			if m.rnd.IntN(2) == 0 {
				g.Anchor = connector.Anchor{Kind: connector.TextAnchor, Raw: fmt.Sprint(pick(m.rnd, "g", "G"), n)}
			}
		}
		m.groups = append(m.groups, g)
	}
	for i, g := range m.groups {
		list := map[connector.Hash]connector.Member{}
		add := func(key connector.Hash, dn string) { list[key] = connector.Member{Key: key, DN: dn} }
		for range m.rnd.IntN(8) {
			n := m.rnd.IntN(len(m.users))
			if g.Source == Source {
				add(keyOf(dnOf(n)), dnOf(n))
			} else {
				add(connector.Hash(m.users[n].ID), m.users[n].ID.String())
			}
		}
		if inner := m.groups[m.rnd.IntN(len(m.groups))]; m.rnd.IntN(2) == 0 && inner != g {
			add(inner.Key, inner.DN)
		}
		if m.rnd.IntN(4) == 0 {
			add(keyOf("nobody"), "nobody")
		}
		change := &connector.GroupChange{Action: connector.Created, After: g}
		for _, member := range list {
			m.lists[g.ID] = append(m.lists[g.ID], member)
			change.Added = append(change.Added, member)
		}
		if i%3 == 0 {
			m.now = m.now.Add(time.Second)
		}
		m.ok(m.s.Bulk(m.ctx, func(tx connector.Tx) error {
			return tx.PutGroups(m.ctx, []*connector.GroupChange{change}, false, RunCause(m.run), m.now)
		}))
		g.CreatedAt, g.UpdatedAt = m.now, m.now
	}
}

// condition makes one that means something for that kind.
func (m *worldMaker) condition(kind connector.ResourceKind, depth int) *connector.Condition {
	if depth > 0 && m.rnd.IntN(2) == 0 {
		c := &connector.Condition{Op: pick(m.rnd, connector.OpAnd, connector.OpOr, connector.OpNot)}
		for range 1 + m.rnd.IntN(3) {
			if c.Op != connector.OpNot || len(c.Of) == 0 {
				c.Of = append(c.Of, m.condition(kind, depth-1))
			}
		}
		return c
	}
	for {
		c := &connector.Condition{Op: pick(m.rnd, allOps...), Field: pick(m.rnd, allFields...)}
		if !connector.CanTest(kind, c.Field, c.Op) {
			continue
		}
		if c.Op != connector.OpPr {
			c.Value = m.value(kind, c)
		}
		return c
	}
}

var allOps = []connector.ConditionOp{
	connector.OpEq, connector.OpEq, connector.OpNe, connector.OpCo, connector.OpSw, connector.OpEw,
	connector.OpGt, connector.OpGe, connector.OpLt, connector.OpLe, connector.OpPr,
}

var allFields = []string{
	connector.OnID, connector.OnUserName, connector.OnEmail, connector.OnDisplayName, connector.OnExternalID, connector.OnEmployeeNumber,
	connector.OnManager, connector.OnPhone, connector.OnActive, connector.OnCreated, connector.OnLastModified, connector.OnGroup,
	connector.OnGroupNested, connector.OnMember, connector.OnState, connector.OnPackage,
}

// value is one that somebody has, a part of it, or one near it.
func (m *worldMaker) value(kind connector.ResourceKind, c *connector.Condition) string {
	u, g := m.users[m.rnd.IntN(len(m.users))], m.groups[m.rnd.IntN(len(m.groups))]
	switch c.Field {
	case connector.OnActive:
		return pick(m.rnd, "true", "false")
	case connector.OnCreated, connector.OnLastModified:
		t := pick(m.rnd, u.CreatedAt, u.UpdatedAt, g.CreatedAt).Add(pick(m.rnd, 0, 0, time.Microsecond, -time.Microsecond, 1, -1))
		return t.Format(time.RFC3339Nano)
	}
	values := m.ofUser(u, c.Field)
	if kind == connector.GroupResource {
		values = m.ofGroup(g, c.Field)
	}
	values = append(values, "", "nobody", u.ID.String(), g.ID.String(), "\U0010FFFF")
	v := []rune(values[m.rnd.IntN(min(len(values), 1+m.rnd.IntN(len(values))))])
	if c.Op != connector.OpEq && c.Op != connector.OpNe && m.rnd.IntN(3) > 0 {
		from := m.rnd.IntN(len(v) + 1)
		v = v[from : from+m.rnd.IntN(len(v)-from+1)]
	}
	return string(v)
}
