package store

import (
	"context"
	"database/sql"
	"iter"
	"maps"
	"slices"

	"usherd/connector"
)

// A member is looked up by key among the links and groups of its group's own source: keys are of DNs,
// which other sources may have too. A link whose entry is gone is nobody: its DN may be somebody else's.
const (
	memberLink  = `l.dn_key = m.key AND l.dn_key IS NOT NULL AND l.source = g.source AND l.org = g.org AND l.standing <> 'gone'`
	memberGroup = `n.dn_key = m.key AND n.source = g.source AND n.org = g.org`
	primaryLink = `l.org = g.org AND l.source = g.source AND l.primary_rid = g.rid AND l.primary_rid > 0 AND l.standing <> 'gone'`

	// The group itself and all that are nested in it: UNION ends circles.
	nestedGroups = `WITH RECURSIVE nested (id) AS (
 SELECT id FROM groups WHERE org = ? AND id = ?
 UNION SELECT n.id FROM nested x JOIN groups g ON g.id = x.id JOIN members m ON m.group_id = x.id JOIN groups n ON ` + memberGroup + `)`

	// A group that goes by its id is one of a client: its members go by theirs, whether the client has a link to
	// them or not. Whom it has deleted is nobody there.
	namesByID  = `g.dn_key = g.id`
	liveMember = `d.id = m.key AND d.org = g.org AND d.state ` + liveStates
	memberUser = liveMember + `
 AND NOT EXISTS (SELECT 1 FROM links w WHERE w.org = g.org AND w.source = g.source AND w.user_id = d.id AND w.standing = 'gone')`

	effectiveUsers = ` SELECT l.user_id FROM groups g JOIN members m ON m.group_id = g.id JOIN links l ON ` + memberLink + ` WHERE g.id IN (SELECT id FROM nested) AND NOT (` + namesByID + `)
 UNION SELECT l.user_id FROM groups g JOIN links l ON ` + primaryLink + ` WHERE g.id IN (SELECT id FROM nested)
 UNION SELECT d.id FROM groups g JOIN members m ON m.group_id = g.id JOIN users d ON ` + memberUser + ` WHERE g.id IN (SELECT id FROM nested) AND ` + namesByID

	sqlEffectiveMembers = nestedGroups + `, people (id) AS (` + effectiveUsers + `)
 SELECT ` + userColumns + ` FROM users u WHERE u.id IN (SELECT id FROM people) ORDER BY u.id`

	sqlCountNested  = nestedGroups + ` SELECT count(*) - 1 FROM nested`
	sqlCountUsers   = nestedGroups + `, people (id) AS (` + effectiveUsers + `) SELECT count(*) FROM people`
	sqlCountOutside = nestedGroups + ` SELECT count(DISTINCT m.key) FROM groups g JOIN members m ON m.group_id = g.id
 LEFT JOIN links l ON ` + memberLink + ` LEFT JOIN groups n ON ` + memberGroup + ` LEFT JOIN users d ON ` + namesByID + ` AND ` + memberUser + `
 WHERE g.id IN (SELECT id FROM nested) AND l.user_id IS NULL AND n.id IS NULL AND d.id IS NULL`

	sqlDirectMembers = `SELECT m.key, m.dn, coalesce(l.user_id, d.id), n.id FROM groups g JOIN members m ON m.group_id = g.id
 LEFT JOIN links l ON ` + memberLink + ` LEFT JOIN groups n ON ` + memberGroup + ` LEFT JOIN users d ON ` + namesByID + ` AND ` + memberUser + `
 WHERE g.org = ? AND g.id = ? ORDER BY m.key`

	sqlPrimaryMembers = `SELECT l.dn_key, l.dn, l.user_id, NULL FROM groups g JOIN links l ON ` + primaryLink + ` WHERE g.org = ? AND g.id = ? ORDER BY l.user_id`

	sqlGroupsByID = `SELECT ` + groupColumns + ` FROM groups g WHERE g.org = ? AND g.id IN (*)`

	// Links of a user, the groups that name it by them or by its id, and those above them.
	sqlGroupsOfUser = `WITH RECURSIVE own (org, source, key, rid) AS (
 SELECT org, source, dn_key, primary_rid FROM links
 WHERE org = ? AND source IN (SELECT source FROM link_sources WHERE org = ?) AND user_id = ? AND dn_key IS NOT NULL AND standing <> 'gone'),
direct (id) AS (
 SELECT g.id FROM own o JOIN members m ON m.key = o.key JOIN groups g ON g.id = m.group_id AND g.source = o.source AND g.org = o.org
 UNION SELECT g.id FROM own o JOIN groups g ON g.org = o.org AND g.source = o.source AND g.rid = o.rid WHERE o.rid > 0
 UNION SELECT g.id FROM users d JOIN members m ON m.key = d.id JOIN groups g ON g.id = m.group_id AND ` + namesByID + ` AND ` + memberUser + ` WHERE d.org = ? AND d.id = ?),
above (id) AS (
 SELECT id FROM direct
 UNION SELECT p.id FROM above x JOIN groups g ON g.id = x.id JOIN members m ON m.key = g.dn_key
   JOIN groups p ON p.id = m.group_id AND p.source = g.source AND p.org = g.org)
SELECT ` + groupColumns + `, g.id IN (SELECT id FROM direct) FROM above x JOIN groups g ON g.id = x.id ORDER BY g.folded, g.id LIMIT 0 + ?`
)

// EffectiveMembers streams the users who are in a group or in one nested in it, in order of their
// creation, each once. Circles of groups do no harm.
func (r *reader) EffectiveMembers(ctx context.Context, org string, group connector.ID) iter.Seq2[*connector.User, error] {
	return func(yield func(*connector.User, error) bool) {
		rows, err := r.q.stream(ctx, sqlEffectiveMembers, org, group[:])
		each(rows, wrap("effective members", err), scanUser)(yield)
	}
}

// CountMembers counts whom EffectiveMembers streams, and the members who are no users.
func (r *reader) CountMembers(ctx context.Context, org string, group connector.ID) (c connector.MemberCounts, err error) {
	for q, n := range map[string]*int{sqlCountNested: &c.Groups, sqlCountUsers: &c.Users, sqlCountOutside: &c.Outside} {
		rows, err := r.q.query(ctx, q, org, group[:])
		if *n, _, err = first(rows, err, func(r *sql.Rows, n *int) error { return r.Scan(n) }); err != nil {
			return c, wrap("count members", err)
		}
	}
	c.Groups = max(c.Groups, 0)
	return c, nil
}

// memberRow is a member with the user or group behind it, as ids.
type memberRow struct {
	connector.Member
	user, group connector.ID
	primary     bool
}

// DirectMembers streams the members that a group's own list names, in no order that means anything, and
// then those whose primary group it is.
func (r *reader) DirectMembers(ctx context.Context, org string, group connector.ID) iter.Seq2[connector.GroupMember, error] {
	return func(yield func(connector.GroupMember, error) bool) {
		var page []memberRow
		flush := func() bool {
			list, err := r.membersOf(ctx, org, page)
			if err != nil {
				yield(connector.GroupMember{}, wrap("direct members", err))
				return false
			}
			for _, m := range list {
				if !yield(m, nil) {
					return false
				}
			}
			page = page[:0]
			return true
		}
		for _, q := range [...]string{sqlDirectMembers, sqlPrimaryMembers} {
			rows, err := r.q.stream(ctx, q, org, group[:])
			for m, err := range each(rows, err, scanMember) {
				if err != nil {
					yield(connector.GroupMember{}, wrap("direct members", err))
					return
				}
				m.primary = q == sqlPrimaryMembers
				if page = append(page, m); len(page) == memberPage && !flush() {
					return
				}
			}
		}
		flush()
	}
}

const memberPage = 256

func scanMember(r *sql.Rows, m *memberRow) error {
	return r.Scan((*hashColumn)(&m.Key), &m.DN, (*idColumn)(&m.user), (*idColumn)(&m.group))
}

// membersOf reads the users and groups behind some members.
func (r *reader) membersOf(ctx context.Context, org string, rows []memberRow) ([]connector.GroupMember, error) {
	var userIDs, groupIDs []connector.ID
	for _, m := range rows {
		if !m.user.IsZero() {
			userIDs = append(userIDs, m.user)
		}
		if !m.group.IsZero() {
			groupIDs = append(groupIDs, m.group)
		}
	}
	list, err := r.Users(ctx, org, userIDs)
	if err != nil {
		return nil, err
	}
	users, groups := map[connector.ID]*connector.User{}, map[connector.ID]*connector.Group{}
	for _, u := range list {
		users[u.ID] = u
	}
	err = inLists(sqlGroupsByID, []any{org}, idArgs(groupIDs), func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		for g, err := range each(rows, err, scanGroup) {
			if err != nil {
				return err
			}
			groups[g.ID] = &g
		}
		return nil
	})
	members := make([]connector.GroupMember, len(rows))
	for i, m := range rows {
		members[i] = connector.GroupMember{Member: m.Member, User: users[m.user], Group: groups[m.group], Primary: m.primary}
	}
	return members, err
}

// GroupsOfUser returns the groups of a user, those that it is in only through others included, in order of
// their names, at most limit.
func (r *reader) GroupsOfUser(ctx context.Context, org string, user connector.ID, limit int) ([]connector.UserGroup, error) {
	rows, err := r.q.query(ctx, sqlGroupsOfUser, org, org, user[:], org, user[:], pageSize(limit))
	groups, err := add[connector.UserGroup](nil, rows, err, func(r *sql.Rows, g *connector.UserGroup) error {
		return r.Scan(append(groupDest(&g.Group), &g.Direct)...)
	})
	return groups, wrap("groups of user", err)
}

const (
	sqlLinksByKey = `SELECT anchor, dn FROM links WHERE org = ? AND source = ? AND dn_key IN (*) AND dn_key IS NOT NULL AND standing <> 'gone'`

	sqlGroupsByKey = `SELECT id, rid FROM groups WHERE org = ? AND source = ? AND dn_key IN (*)`

	sqlLinksByPrimary = `SELECT anchor, dn FROM links WHERE org = ? AND source = ? AND primary_rid = ? AND primary_rid > 0 AND standing <> 'gone'`
)

// AffectedMembers streams the people behind members of a source that were added to a group or removed from
// one: those people themselves, and where a member is a group, everybody in it and in the groups nested
// in it. Somebody in several of these groups may come more than once. Only groups and one page of
// members are kept in memory.
func (r *reader) AffectedMembers(ctx context.Context, org, source string, keys []connector.Hash) iter.Seq2[connector.Affected, error] {
	return func(yield func(connector.Affected, error) bool) {
		w := affectedWalk{r: r, org: org, source: source, entered: map[connector.ID]bool{}, yield: yield}
		if err := w.walk(ctx, keys); err != nil {
			yield(connector.Affected{}, wrap("affected members", err))
		}
	}
}

// affectedWalk goes from members to the people behind them.
type affectedWalk struct {
	r           *reader
	org, source string
	entered     map[connector.ID]bool
	todo        []connector.ID
	yield       func(connector.Affected, error) bool
	stopped     bool
}

func (w *affectedWalk) walk(ctx context.Context, keys []connector.Hash) error {
	if err := w.keys(ctx, keys); err != nil {
		return err
	}
	for len(w.todo) > 0 && !w.stopped {
		group := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		rows, err := w.r.q.stream(ctx, sqlMemberKeys, group[:])
		var page []connector.Hash
		for k, err := range each(rows, err, scanKey) {
			if err != nil {
				return err
			}
			if page = append(page, k); len(page) < memberPage {
				continue
			}
			if err := w.keys(ctx, page); err != nil || w.stopped {
				return err
			}
			page = page[:0]
		}
		if err := w.keys(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// keys yields the people with these keys and notes the groups.
func (w *affectedWalk) keys(ctx context.Context, keys []connector.Hash) error {
	args := make([]any, len(keys))
	for i := range keys {
		args[i] = keys[i][:]
	}
	err := inLists(sqlLinksByKey, []any{w.org, w.source}, args, func(q string, args []any) error {
		rows, err := w.r.q.query(ctx, q, args...)
		people, err := add[connector.Affected](nil, rows, err, scanAffected)
		return w.tell(people, err)
	})
	if err != nil || w.stopped {
		return err
	}
	found := map[connector.ID]int64{}
	err = inLists(sqlGroupsByKey, []any{w.org, w.source}, args, func(q string, args []any) error {
		rows, err := w.r.q.query(ctx, q, args...)
		for g, err := range each(rows, err, func(r *sql.Rows, g *connector.Group) error { return r.Scan((*idColumn)(&g.ID), &g.RID) }) {
			if err != nil {
				return err
			}
			if !w.entered[g.ID] {
				w.entered[g.ID] = true
				found[g.ID] = int64(g.RID)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.todo = slices.AppendSeq(w.todo, maps.Keys(found))
	for rid := range maps.Values(found) {
		if err := w.primary(ctx, rid); err != nil {
			return err
		}
	}
	return nil
}

// primary yields the people whose primary group it is.
func (w *affectedWalk) primary(ctx context.Context, rid int64) error {
	if rid == 0 {
		return nil
	}
	rows, err := w.r.q.stream(ctx, sqlLinksByPrimary, w.org, w.source, rid)
	for a, err := range each(rows, err, scanAffected) {
		if err := w.tell([]connector.Affected{a}, err); err != nil || w.stopped {
			return err
		}
	}
	return nil
}

func (w *affectedWalk) tell(people []connector.Affected, err error) error {
	if err != nil {
		return err
	}
	for _, a := range people {
		if !w.stopped {
			w.stopped = !w.yield(a, nil)
		}
	}
	return nil
}

func scanAffected(r *sql.Rows, a *connector.Affected) error {
	return r.Scan((*anchorColumn)(&a.Anchor), &a.DN)
}
