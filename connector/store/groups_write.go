package store

import (
	"context"
	"database/sql"
	"time"

	"usherd/connector"
)

const (
	sqlInsertGroup = `INSERT INTO groups (id, org, source, anchor, dn_key, dn, name, folded, description, rid, members, created_at, updated_at)
 VALUES (?,?,?,?,?,?,?,?,?,?,0,?,?)`

	sqlUpdateGroup = `UPDATE groups SET anchor = ?, dn_key = ?, dn = ?, name = ?, folded = ?, description = ?, rid = ?, updated_at = ?, version = version + 1 WHERE id = ?`
	sqlCountGroup  = `UPDATE groups SET members = members + ?, updated_at = ?, version = version + 1 WHERE id = ?`
	sqlDeleteGroup = `DELETE FROM groups WHERE id = ?`

	sqlAddMember    = `INSERT INTO members (group_id, key, dn) VALUES (?,?,?) ON CONFLICT (group_id, key) DO NOTHING`
	sqlRemoveMember = `DELETE FROM members WHERE group_id = ? AND key = ?`
	sqlEmptyGroup   = `DELETE FROM members WHERE group_id = ?`

	sqlGroupEvent = `INSERT INTO group_events (id, kind, member, org, source, group_id, cause, run, actor, at, before, after) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`

	sqlMembersGone = `INSERT INTO group_events (id, kind, member, org, source, group_id, cause, run, actor, at, before, after)
 SELECT ?, 'member_removed', key, ?, ?, group_id, ?, ?, ?, ?, dn, '' FROM members WHERE group_id = ?`
)

// PutGroups writes changes as CompareGroups gives them, see connector.Tx. A change of one member is a
// handful of rows, however many the group has.
func (t *tx) PutGroups(ctx context.Context, changes []*connector.GroupChange, follow bool, cause connector.Cause, now time.Time) error {
	clear(t.read)
	for _, c := range changes {
		if g := c.Group(); g == nil || g.Org == "" || g.Source == "" || g.Anchor.IsZero() {
			return invalid("put groups", "a change names no group")
		}
		if c.Action == connector.Created && !c.Rest && c.After.ID.IsZero() {
			c.After.ID = connector.NewID(now)
		}
		if b, a := c.Before, c.After; follow && b != nil && a != nil && !c.Rest && b.Key != a.Key {
			if err := t.moveMember(ctx, mover{b.Org, b.Source, anchorBlob(b.Anchor), sqlGroupKey}, a.Key, a.DN); err != nil {
				return wrap("put groups", err)
			}
		}
		w := groupWriter{change: c, cause: cause, now: now, id: connector.NewID(now)}
		if err := t.s.batch(ctx, w.write); err != nil {
			return wrap("put groups", err)
		}
	}
	return nil
}

// groupWriter writes one change.
type groupWriter struct {
	change *connector.GroupChange
	cause  connector.Cause
	now    time.Time
	id     connector.ID // of its events
}

func (w *groupWriter) write(b *batch) error {
	c, g := w.change, w.change.Group()
	if c.Action == connector.Removed {
		return w.remove(b)
	}
	if !c.Rest {
		if err := w.head(b); err != nil {
			return err
		}
	}
	n, moved := int64(0), false
	for _, m := range c.Removed {
		err := b.then(func(gone bool) error {
			if !gone {
				return nil
			}
			n, moved = n-1, true
			return w.event(b, connector.MemberRemoved, m.Key[:], m.DN, "")
		}, sqlRemoveMember, g.ID[:], m.Key[:])
		if err != nil {
			return err
		}
	}
	for _, m := range c.Added {
		err := b.then(func(added bool) error {
			if !added {
				return nil
			}
			n, moved = n+1, true
			if c.Action == connector.Created {
				return nil // that the group was created says it
			}
			return w.event(b, connector.MemberAdded, m.Key[:], "", m.DN)
		}, sqlAddMember, g.ID[:], m.Key[:], m.DN)
		if err != nil {
			return err
		}
	}
	if err := b.flush(); err != nil || !moved {
		return err
	}
	return b.exec(sqlCountGroup, n, micros(w.now), g.ID[:])
}

// head writes the group itself where it is new or another one.
func (w *groupWriter) head(b *batch) error {
	c, g := w.change, w.change.After
	folded := indexed(connector.Fold(g.Name))
	if c.Before == nil {
		if err := b.exec(sqlInsertGroup, g.ID[:], g.Org, g.Source, anchorBlob(g.Anchor), g.Key[:], g.DN, g.Name, folded, g.Description,
			int64(g.RID), micros(w.now), micros(w.now)); err != nil {
			return err
		}
		return w.event(b, connector.GroupCreated, nil, "", groupText(g))
	}
	was := c.Before
	renamed := was.Key != g.Key || was.DN != g.DN
	edited := was.Anchor != g.Anchor || was.Name != g.Name || was.Description != g.Description || was.RID != g.RID
	if !renamed && !edited {
		return nil
	}
	if err := b.exec(sqlUpdateGroup, anchorBlob(g.Anchor), g.Key[:], g.DN, g.Name, folded, g.Description, int64(g.RID), micros(w.now), g.ID[:]); err != nil {
		return err
	}
	if renamed {
		if err := w.event(b, connector.GroupRenamed, nil, groupText(was), groupText(g)); err != nil {
			return err
		}
	}
	if edited {
		return w.event(b, connector.GroupEdited, nil, groupText(was), groupText(g))
	}
	return nil
}

func (w *groupWriter) remove(b *batch) error {
	g := w.change.Before
	if err := b.exec(sqlMembersGone, w.id[:], g.Org, g.Source, string(w.cause.Kind), idBlob(w.cause.Run), w.cause.Actor, micros(w.now), g.ID[:]); err != nil {
		return err
	}
	for _, q := range [...]string{sqlEmptyGroup, sqlDeleteGroup} {
		if err := b.exec(q, g.ID[:]); err != nil {
			return err
		}
	}
	return w.event(b, connector.GroupDeleted, nil, groupText(g), "")
}

func (w *groupWriter) event(b *batch, kind connector.GroupEventKind, member []byte, before, after string) error {
	g := w.change.Group()
	if member == nil {
		member = []byte{}
	}
	return b.exec(sqlGroupEvent, w.id[:], string(kind), member, g.Org, g.Source, g.ID[:], string(w.cause.Kind), idBlob(w.cause.Run),
		w.cause.Actor, micros(w.now), before, after)
}

const (
	sqlLinkKey  = `SELECT dn_key FROM links WHERE anchor = ? AND source = ? AND org = ?`
	sqlGroupKey = `SELECT dn_key FROM groups WHERE anchor = ? AND source = ? AND org = ?`

	sqlLinksWithKey  = `SELECT anchor FROM links WHERE dn_key = ? AND dn_key IS NOT NULL AND source = ? AND org = ? AND anchor <> ? AND standing <> 'gone'`
	sqlGroupsWithKey = `SELECT anchor FROM groups WHERE dn_key = ? AND source = ? AND org = ? AND anchor <> ?`
	sqlSetLinkKey    = `UPDATE links SET dn_key = ? WHERE anchor = ? AND source = ? AND org = ?`
	sqlSetGroupKey   = `UPDATE groups SET dn_key = ? WHERE anchor = ? AND source = ? AND org = ?`

	ofSource = `EXISTS (SELECT 1 FROM groups g WHERE g.id = members.group_id AND g.org = ? AND g.source = ?)`

	// Groups that name the member under both keys already.
	sqlCountTwice = `UPDATE groups SET members = members - 1 WHERE org = ? AND source = ? AND id IN (
 SELECT a.group_id FROM members a JOIN members b ON b.group_id = a.group_id AND b.key = ? WHERE a.key = ?)`
	sqlDropTwice = `DELETE FROM members WHERE key = ? AND group_id IN (SELECT b.group_id FROM members b WHERE b.key = ?) AND ` + ofSource

	sqlMoveMember = `UPDATE members SET key = ?, dn = COALESCE(?, dn) WHERE key = ? AND ` + ofSource
)

// mover is an entry of a source that was renamed.
type mover struct {
	org, source string
	anchor      []byte
	keyOf       string // the statement that finds its stored key
}

// moveMember gives all memberships of an entry another key: what the server did by itself when the
// entry was renamed. Whoever was known by that key before must have moved as well and is not written yet:
// until then its memberships stay under a key that is nobody's.
func (t *tx) moveMember(ctx context.Context, m mover, to connector.Hash, dn string) error {
	rows, err := t.q.query(ctx, m.keyOf, m.anchor, m.source, m.org)
	from, ok, err := first(rows, err, scanKey)
	if err != nil || !ok || from == to || from == (connector.Hash{}) {
		return err
	}
	for _, kind := range [...]struct{ find, set string }{{sqlLinksWithKey, sqlSetLinkKey}, {sqlGroupsWithKey, sqlSetGroupKey}} {
		rows, err := t.q.query(ctx, kind.find, to[:], m.source, m.org, m.anchor)
		others, err := add[[]byte](nil, rows, err, func(r *sql.Rows, v *[]byte) error { return r.Scan(v) })
		if err != nil {
			return err
		}
		for _, other := range others {
			aside := connector.KeyOf(append([]byte("moved\x00"), other...))
			if err := t.rekey(ctx, m, to, aside, nil); err != nil {
				return err
			}
			if _, err := t.s.exec(ctx, kind.set, aside[:], other, m.source, m.org); err != nil {
				return err
			}
		}
	}
	return t.rekey(ctx, m, from, to, dn)
}

// rekey moves the rows of one key to another one; a dn of nil leaves the text as it is.
func (t *tx) rekey(ctx context.Context, m mover, from, to connector.Hash, dn any) error {
	if _, err := t.s.exec(ctx, sqlCountTwice, m.org, m.source, to[:], from[:]); err != nil {
		return err
	}
	if _, err := t.s.exec(ctx, sqlDropTwice, from[:], to[:], m.org, m.source); err != nil {
		return err
	}
	_, err := t.s.exec(ctx, sqlMoveMember, to[:], dn, from[:], m.org, m.source)
	return err
}

// scanKey reads the key of a link, zero where it has none.
func scanKey(r *sql.Rows, k *connector.Hash) error { return r.Scan((*hashColumn)(k)) }

// moveMembers moves the memberships of the links of the segment whose entries were renamed.
func (s *saver) moveMembers() error {
	for i, c := range s.changes {
		l := c.Link
		if l == nil || !l.MembershipsFollow || l.Key == (connector.Hash{}) || !s.plans[i].admitted {
			continue
		}
		if err := s.t.moveMember(s.ctx, mover{c.Org, l.Source, anchorBlob(l.Anchor), sqlLinkKey}, l.Key, l.DN); err != nil {
			return err
		}
	}
	return nil
}
