package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"

	"usherd/connector"
)

const (
	sqlMemberKeys  = `SELECT key FROM members WHERE group_id = ? ORDER BY key`
	sqlMemberNames = `SELECT key, dn FROM members WHERE group_id = ? AND key IN (*)`
)

// CompareGroups says what records mean for the stored groups, see connector.Reader. It keeps the keys of
// one group at a time, and sorts the members of the records in place.
func (r *reader) CompareGroups(ctx context.Context, org, source string, records []*connector.GroupRecord, renamed map[connector.Hash]connector.Hash) ([]*connector.GroupChange, error) {
	stored, err := r.groupsByAnchor(ctx, org, source, records)
	if err != nil {
		return nil, wrap("compare groups", err)
	}
	var changes []*connector.GroupChange
	for _, rec := range records {
		before := stored[rec.Anchor]
		c := &connector.GroupChange{Action: connector.Updated, Before: before}
		switch {
		case before == nil && rec.Gone:
			continue
		case rec.Gone:
			c.Action = connector.Removed
			changes = append(changes, c)
			continue
		case before == nil:
			c.Action = connector.Created
			c.After = groupOf(&connector.Group{Org: org, Source: source}, rec)
			c.Added = slices.Clone(rec.Members)
			changes = append(changes, c)
			continue
		}
		c.After = groupOf(before, rec)
		if c.Added, c.Removed, err = r.compareMembers(ctx, before.ID, rec.Members, renamed); err != nil {
			return nil, wrap("compare groups", err)
		}
		if *c.After != *before || len(c.Added)+len(c.Removed) > 0 {
			c.After.MemberCount += len(c.Added) - len(c.Removed)
			changes = append(changes, c)
		}
	}
	return changes, nil
}

func (r *reader) groupsByAnchor(ctx context.Context, org, source string, records []*connector.GroupRecord) (map[connector.Anchor]*connector.Group, error) {
	args := make([]any, len(records))
	for i, rec := range records {
		args[i] = anchorBlob(rec.Anchor)
	}
	stored := make(map[connector.Anchor]*connector.Group, len(records))
	return stored, inLists(sqlGroupsByAnchor, []any{org, source}, args, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		for g, err := range each(rows, err, scanGroup) {
			if err != nil {
				return err
			}
			stored[g.Anchor] = &g
		}
		return nil
	})
}

// groupOf is the group as the record has it. The number of members is that of before.
func groupOf(before *connector.Group, rec *connector.GroupRecord) *connector.Group {
	g := *before
	g.Anchor, g.Key, g.DN, g.Name, g.Description, g.RID = rec.Anchor, rec.Key, rec.DN, rec.Name, rec.Description, rec.RID
	if before.ID.IsZero() {
		g.MemberCount = len(rec.Members)
	}
	return &g
}

// compareMembers walks both lists in order of their keys.
func (r *reader) compareMembers(ctx context.Context, group connector.ID, members []connector.Member, renamed map[connector.Hash]connector.Hash) (added, removed []connector.Member, err error) {
	keys, err := r.memberKeys(ctx, group, renamed)
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(members, func(a, b connector.Member) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	for _, m := range members {
		for len(keys) > 0 && bytes.Compare(keys[0][:], m.Key[:]) < 0 {
			removed, keys = append(removed, connector.Member{Key: keys[0]}), keys[1:]
		}
		if len(keys) > 0 && keys[0] == m.Key {
			keys = keys[1:]
			continue
		}
		added = append(added, m)
	}
	for _, k := range keys {
		removed = append(removed, connector.Member{Key: k})
	}
	return added, removed, r.nameMembers(ctx, group, removed)
}

// memberKeys returns the keys of a group's members in order, those of renamed ones as they will be.
func (r *reader) memberKeys(ctx context.Context, group connector.ID, renamed map[connector.Hash]connector.Hash) ([]connector.Hash, error) {
	rows, err := r.q.query(ctx, sqlMemberKeys, group[:])
	keys, err := add[connector.Hash](nil, rows, err, func(r *sql.Rows, k *connector.Hash) error { return r.Scan((*hashColumn)(k)) })
	if err != nil || len(renamed) == 0 {
		return keys, err
	}
	moved := false
	for i, k := range keys {
		if to, ok := renamed[k]; ok {
			keys[i], moved = to, true
		}
	}
	if moved {
		slices.SortFunc(keys, func(a, b connector.Hash) int { return bytes.Compare(a[:], b[:]) })
		keys = slices.Compact(keys)
	}
	return keys, nil
}

// nameMembers fills in the DNs under which members are stored.
func (r *reader) nameMembers(ctx context.Context, group connector.ID, members []connector.Member) error {
	at := make(map[connector.Hash]int, len(members))
	args := make([]any, len(members))
	for i := range members {
		at[members[i].Key], args[i] = i, members[i].Key[:]
	}
	return inLists(sqlMemberNames, []any{group[:]}, args, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		for m, err := range each(rows, err, func(r *sql.Rows, m *connector.Member) error { return r.Scan((*hashColumn)(&m.Key), &m.DN) }) {
			if err != nil {
				return err
			}
			members[at[m.Key]].DN = m.DN
		}
		return nil
	})
}
