package store

import (
	"cmp"
	"context"
	"database/sql"
	"iter"
	"math"
	"slices"
	"strings"

	"usherd/connector"
)

const (
	// In order of the members' keys, which are ids. Profiles pass by, and only a name is taken out of them.
	sqlClientMembers = `SELECT m.key, n.id IS NOT NULL, coalesce(n.name, ''), u.profile FROM groups g JOIN members m ON m.group_id = g.id
 LEFT JOIN users u ON u.id = m.key AND u.org = g.org AND ` + liveUser + `
 LEFT JOIN links l ON l.org = g.org AND l.source = g.source AND l.user_id = u.id
 LEFT JOIN groups n ON n.id = m.key AND n.org = g.org AND n.source = g.source
 WHERE g.id = ? AND g.org = ? AND g.source = ? AND m.key > ? AND (n.id IS NOT NULL OR u.id IS NOT NULL AND coalesce(l.standing, '') <> 'gone')
 ORDER BY m.key LIMIT 0 + ?`

	// The client's groups that have some users directly, and whether they are nested in others.
	sqlGroupsOfUsers = `SELECT m.key, g.id, g.name, ` + isNested + ` FROM members m JOIN groups g ON g.id = m.group_id WHERE g.org = ? AND g.source = ? AND m.key IN (*)`

	isNested = `EXISTS (SELECT 1 FROM members x WHERE x.key = g.dn_key)`

	// The groups in which some groups are nested.
	sqlGroupsAbove = `SELECT g.id, p.id, p.name, EXISTS (SELECT 1 FROM members x WHERE x.key = p.dn_key) FROM groups g JOIN members m ON m.key = g.dn_key
 JOIN groups p ON p.id = m.group_id AND p.source = g.source AND p.org = g.org WHERE g.org = ? AND g.id IN (*)`
)

// ClientMembers streams members of a client's group, see connector.Resources.
func (r *reader) ClientMembers(ctx context.Context, org, client string, group, after connector.ID, limit int) iter.Seq2[connector.ClientMember, error] {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	return func(yield func(connector.ClientMember, error) bool) {
		rows, err := r.q.stream(ctx, sqlClientMembers, group[:], org, client, after[:], limit)
		each(rows, wrap("client members", err), scanClientMember)(yield)
	}
}

func scanClientMember(r *sql.Rows, m *connector.ClientMember) error {
	var profile sql.RawBytes
	var isGroup bool
	if err := r.Scan((*idColumn)(&m.ID), &isGroup, &m.Display, &profile); err != nil {
		return err
	}
	if isGroup {
		m.Kind = connector.GroupResource
		return nil
	}
	names, err := firstOf(profile, connector.DisplayName, connector.UserName)
	if err != nil {
		return err
	}
	m.Display = cmp.Or(names...)
	return nil
}

// edge says that somebody, or a group, is in a group.
type edge struct {
	of, group connector.ID
	name      string
	nested    bool // a group may have the group
}

func scanEdge(r row, e *edge) error {
	return r.Scan((*idColumn)(&e.of), (*idColumn)(&e.group), &e.name, &e.nested)
}

// GroupNames returns the client's groups of users, see connector.Resources. What is above groups is asked once for all
// users, a level of nesting after the other.
func (r *reader) GroupNames(ctx context.Context, org, client string, users []connector.ID) (map[connector.ID][]connector.GroupName, error) {
	g := groupGraph{r: r, org: org, names: map[connector.ID]string{}, above: map[connector.ID][]connector.ID{}}
	if err := g.load(ctx, sqlGroupsOfUsers, []any{org, client}, users); err != nil {
		return nil, wrap("groups of users", err)
	}
	for len(g.fresh) > 0 {
		level := g.fresh
		g.fresh = nil
		if err := g.load(ctx, sqlGroupsAbove, []any{org}, level); err != nil {
			return nil, wrap("groups of users", err)
		}
	}
	found := make(map[connector.ID][]connector.GroupName, len(users))
	for _, u := range users {
		found[u] = g.of(u)
	}
	return found, nil
}

// groupGraph is what some users and groups are in.
type groupGraph struct {
	r     *reader
	org   string
	names map[connector.ID]string         // of groups
	above map[connector.ID][]connector.ID // of users and groups: the groups that they are in directly
	fresh []connector.ID                  // nested groups of which is not known yet what they are in
}

func (g *groupGraph) load(ctx context.Context, q string, lead []any, of []connector.ID) error {
	return inLists(q, lead, idArgs(of), func(q string, args []any) error {
		return g.r.short(ctx, q, args, func(r row) error {
			var e edge
			if err := scanEdge(r, &e); err != nil {
				return err
			}
			if _, known := g.names[e.group]; !known {
				g.names[e.group] = e.name
				if e.nested {
					g.fresh = append(g.fresh, e.group)
				}
			}
			if !slices.Contains(g.above[e.of], e.group) {
				g.above[e.of] = append(g.above[e.of], e.group)
			}
			return nil
		})
	})
}

// of returns the groups of a user in order of their names.
func (g *groupGraph) of(user connector.ID) []connector.GroupName {
	direct := len(g.above[user])
	todo := slices.Clone(g.above[user])
	seen := make(map[connector.ID]bool, direct)
	for _, id := range todo {
		seen[id] = true
	}
	for i := 0; i < len(todo); i++ {
		for _, id := range g.above[todo[i]] {
			if !seen[id] {
				seen[id] = true
				todo = append(todo, id)
			}
		}
	}
	list := make([]connector.GroupName, len(todo))
	for i, id := range todo {
		list[i] = connector.GroupName{ID: id, Name: g.names[id], Direct: i < direct}
	}
	slices.SortFunc(list, func(a, b connector.GroupName) int {
		return cmp.Or(strings.Compare(connector.Fold(a.Name), connector.Fold(b.Name)), compareIDs(a.ID, b.ID))
	})
	return list
}
