package storetest

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

// The clients of the tests; each is a source of Org.
const (
	client  = "idp"
	client2 = "hr-push"
)

// world is what the store was given, as one client sees it: the slow and obvious way to answer what
// connector.Resources answers.
type world struct {
	client string
	users  []*connector.User
	links  []*connector.Link
	groups []*connector.Group
	lists  map[connector.ID][]connector.Member // of groups
}

// link is the client's own link to a user, nil where there is none.
func (w *world) link(source string, user connector.ID) *connector.Link {
	for _, l := range w.links {
		if l.Source == source && l.User == user {
			return l
		}
	}
	return nil
}

func (w *world) gone(source string, user connector.ID) bool {
	l := w.link(source, user)
	return l != nil && l.Standing == connector.StandingGone
}

func (w *world) seen(u *connector.User) bool { return u.State.Live() && !w.gone(w.client, u.ID) }

func (w *world) person(id connector.ID) *connector.User {
	for _, u := range w.users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

// has reports whether a group's own list, or primary group, has somebody.
func (w *world) has(g *connector.Group, u *connector.User) bool {
	l := w.link(g.Source, u.ID)
	if w.gone(g.Source, u.ID) {
		return false
	}
	if g.RID != 0 && l != nil && l.PrimaryGroup == g.RID {
		return true
	}
	return slices.ContainsFunc(w.lists[g.ID], func(m connector.Member) bool {
		if l != nil && l.Key != (connector.Hash{}) && l.Key == m.Key {
			return true
		}
		return g.Key == connector.Hash(g.ID) && connector.ID(m.Key) == u.ID && u.State.Live()
	})
}

func (w *world) nests(g, inner *connector.Group) bool {
	return g.Source == inner.Source && slices.ContainsFunc(w.lists[g.ID], func(m connector.Member) bool { return m.Key == inner.Key })
}

// groupsWith are the groups of a user: direct ones, and all.
func (w *world) groupsWith(u *connector.User) (direct, all []*connector.Group) {
	for _, g := range w.groups {
		if w.has(g, u) {
			direct = append(direct, g)
		}
	}
	all = slices.Clone(direct)
	for i := 0; i < len(all); i++ {
		for _, g := range w.groups {
			if w.nests(g, all[i]) && !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	return direct, all
}

// clientGroupsWith are those of them that are the client's own.
func (w *world) clientGroupsWith(u *connector.User) (direct, all []*connector.Group) {
	direct, all = w.groupsWith(u)
	foreign := func(g *connector.Group) bool { return g.Source != w.client }
	return slices.DeleteFunc(direct, foreign), slices.DeleteFunc(all, foreign)
}

// members are the ids that the client sees of its own group, in order.
func (w *world) members(g *connector.Group) (ids []connector.ID) {
	for _, m := range w.lists[g.ID] {
		id := connector.ID(m.Key)
		if u := w.person(id); u != nil && w.seen(u) {
			ids = append(ids, id)
		}
		for _, n := range w.groups {
			if n.ID == id && n.Source == g.Source {
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, func(a, b connector.ID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

func foldAll(lists ...[]string) (folded []string) {
	for _, list := range lists {
		for _, v := range list {
			if v = connector.Fold(v); v != "" {
				folded = append(folded, v)
			}
		}
	}
	return folded
}

func groupIDs(groups []*connector.Group) (ids []string) {
	for _, g := range groups {
		ids = append(ids, g.ID.String())
	}
	return ids
}

// ofUser are the values of a field of a user; times apart.
func (w *world) ofUser(u *connector.User, field string) []string {
	p := u.Profile
	direct, all := w.clientGroupsWith(u)
	switch field {
	case connector.OnID:
		return []string{u.ID.String()}
	case connector.OnExternalID:
		if l := w.link(w.client, u.ID); l != nil && l.Anchor.Kind == connector.TextAnchor {
			return []string{l.Anchor.Raw}
		}
		return nil
	case connector.OnEmail:
		return foldAll(p.Emails())
	case connector.OnPhone:
		return foldAll(p["phone"], p["mobilePhone"], p["fax"], p["otherPhones"])
	case connector.OnActive:
		if u.State == connector.Inactive {
			return []string{"false"}
		}
		return []string{"true"}
	case connector.OnGroup:
		return groupIDs(direct)
	case connector.OnGroupNested:
		return groupIDs(all)
	case connector.OnState:
		return []string{string(u.State)}
	case connector.OnPackage:
		if u.Package == "" {
			return nil
		}
		return []string{u.Package}
	}
	return foldAll(p[field]) // the others have the attribute's name
}

func (w *world) ofGroup(g *connector.Group, field string) (values []string) {
	switch field {
	case connector.OnID:
		return []string{g.ID.String()}
	case connector.OnExternalID:
		if g.Anchor.Kind == connector.TextAnchor {
			return []string{g.Anchor.Raw}
		}
		return nil
	case connector.OnMember:
		for _, id := range w.members(g) {
			values = append(values, id.String())
		}
		return values
	}
	return foldAll([]string{g.Name})
}

// meets is RFC 7644, section 3.4.2.2, over values and times of one resource.
func meets(c *connector.Condition, values func(field string) []string, created, modified time.Time) bool {
	below := func(b *connector.Condition) bool { return meets(b, values, created, modified) }
	switch c.Op { //nolint:exhaustive // all others are tests
	case connector.OpAnd:
		return !slices.ContainsFunc(c.Of, func(b *connector.Condition) bool { return !below(b) })
	case connector.OpOr:
		return slices.ContainsFunc(c.Of, below)
	case connector.OpNot:
		return !below(c.Of[0])
	}
	if c.Field == connector.OnCreated || c.Field == connector.OnLastModified {
		have := created
		if c.Field == connector.OnLastModified {
			have = modified
		}
		if c.Op == connector.OpPr {
			return true
		}
		want, err := time.Parse(time.RFC3339Nano, c.Value)
		return err == nil && compares(c.Op, have.Compare(want))
	}
	have := values(c.Field)
	if c.Op == connector.OpNe && len(have) == 0 {
		return true
	}
	return slices.ContainsFunc(have, func(v string) bool {
		switch c.Op { //nolint:exhaustive // all others compare
		case connector.OpPr:
			return true
		case connector.OpCo:
			return strings.Contains(v, c.Value)
		case connector.OpSw:
			return strings.HasPrefix(v, c.Value)
		case connector.OpEw:
			return strings.HasSuffix(v, c.Value)
		}
		return compares(c.Op, strings.Compare(v, c.Value))
	})
}

func compares(op connector.ConditionOp, c int) bool {
	switch op { //nolint:exhaustive // the others are no comparisons
	case connector.OpEq:
		return c == 0
	case connector.OpNe:
		return c != 0
	case connector.OpGt:
		return c > 0
	case connector.OpGe:
		return c >= 0
	case connector.OpLt:
		return c < 0
	}
	return c <= 0
}

// usersOf answers a query: the ids in order.
func (w *world) usersOf(q connector.ResourceQuery) (ids []connector.ID) {
	var list []*connector.User
	for _, u := range w.users {
		values := func(field string) []string { return w.ofUser(u, field) }
		if w.seen(u) && (q.Where == nil || meets(q.Where, values, u.CreatedAt, u.UpdatedAt)) {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b *connector.User) int {
		c := 0
		switch q.Sort {
		case connector.ByUserName:
			c = strings.Compare(connector.Fold(a.UserName()), connector.Fold(b.UserName()))
		case connector.ByDisplayName:
			c = unassignedLast(a.Profile.Get(connector.DisplayName), b.Profile.Get(connector.DisplayName))
		case connector.ByCreated:
			c = a.CreatedAt.Compare(b.CreatedAt)
		case connector.ByLastModified:
			c = a.UpdatedAt.Compare(b.UpdatedAt)
		case connector.ByID:
		}
		return turned(q, cmp.Or(c, bytes.Compare(a.ID[:], b.ID[:])))
	})
	for _, u := range list {
		ids = append(ids, u.ID)
	}
	return ids
}

func unassignedLast(a, b string) int {
	a, b = connector.Fold(a), connector.Fold(b)
	if (a == "") != (b == "") {
		return -strings.Compare(a, b)
	}
	return strings.Compare(a, b)
}

func turned(q connector.ResourceQuery, c int) int {
	if q.Descending {
		return -c
	}
	return c
}

// groupsFor answers a query for groups: the ids in order.
func (w *world) groupsFor(q connector.ResourceQuery) (ids []connector.ID) {
	var list []*connector.Group
	for _, g := range w.groups {
		values := func(field string) []string { return w.ofGroup(g, field) }
		if g.Source == w.client && (q.Where == nil || meets(q.Where, values, g.CreatedAt, g.UpdatedAt)) {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b *connector.Group) int {
		c := 0
		switch q.Sort {
		case connector.ByDisplayName:
			c = strings.Compare(connector.Fold(a.Name), connector.Fold(b.Name))
		case connector.ByCreated:
			c = a.CreatedAt.Compare(b.CreatedAt)
		case connector.ByLastModified:
			c = a.UpdatedAt.Compare(b.UpdatedAt)
		case connector.ByID, connector.ByUserName:
		}
		return turned(q, cmp.Or(c, bytes.Compare(a.ID[:], b.ID[:])))
	})
	for _, g := range list {
		ids = append(ids, g.ID)
	}
	return ids
}
