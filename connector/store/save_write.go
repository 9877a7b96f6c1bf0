package store

import (
	"slices"
	"time"

	"usherd/connector"
)

const (
	sqlInsertUser = `INSERT INTO users (id, org, state, package, seat, email_domain, package_fixed, pending_approval, version, created_at, updated_at, profile)
 VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`

	// Of who is inactive, or claimed, from the beginning. It is one statement: those that go through a pipeline are about different rows.
	sqlInsertWhole = `INSERT INTO users (id, org, state, package, seat, email_domain, package_fixed, pending_approval, version, created_at, updated_at, profile,
 resume, deactivated_by, deactivated_source, deactivated_reason, deactivated_at, delete_at, was)
 VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

	sqlUpdateUser = `UPDATE users SET state = ?, package = ?, seat = ?, email_domain = ?, package_fixed = ?, pending_approval = ?, version = ?, updated_at = ?,
 profile = ?, resume = ?, deactivated_by = ?, deactivated_source = ?, deactivated_reason = ?, deactivated_at = ?, delete_at = ?, was = ? WHERE id = ?`

	sqlDeleteKey  = `DELETE FROM user_keys WHERE org = ? AND kind = ? AND value = ?`
	sqlDeleteTerm = `DELETE FROM user_terms WHERE org = ? AND kind = ? AND value = ? AND user_id = ?`
	sqlInsertKey  = `INSERT INTO user_keys (org, kind, value, user_id) VALUES (?,?,?,?) ON CONFLICT (org, kind, value) DO NOTHING`
	sqlInsertTerm = `INSERT INTO user_terms (org, kind, value, user_id) VALUES (?,?,?,?)`

	sqlDeleteOwnKey = `DELETE FROM user_keys WHERE org = ? AND kind = ? AND value = ? AND user_id = ?`
	sqlDeleteEvents = `DELETE FROM events WHERE user_id = ?`
	sqlDeleteUser   = `DELETE FROM users WHERE id = ?`

	sqlInsertEvent = `INSERT INTO events (user_id, version, id, action, source, cause, run, actor, at, doc) VALUES (?,?,?,?,?,?,?,?,?,?)`

	sqlCountState = `INSERT INTO user_counts (org, state, n) VALUES (?,?,?) ON CONFLICT (org, state) DO UPDATE SET n = user_counts.n + excluded.n`
)

// write writes the admitted changes. Names are given back before any is taken: two users may swap.
func (s *saver) write(b *batch) error {
	for i, c := range s.changes {
		if p := &s.plans[i]; p.admitted && p.base != nil && writesUser(c.Action) {
			if err := deleteNames(b, c, p); err != nil {
				return err
			}
		}
	}
	for source := range s.linked {
		if err := b.linkSource(s.changes[0].Org, source); err != nil {
			return err
		}
	}
	var buf []byte
	for i, c := range s.changes {
		p := &s.plans[i]
		if !p.admitted {
			continue
		}
		if c.Link == nil && !c.Anchor.IsZero() && !writesUser(c.Action) { // else the next run looks at it again, for ever
			if err := b.exec(sqlRechecked, c.Org, c.Source, anchorBlob(c.Anchor), micros(s.now)); err != nil {
				return err
			}
		}
		if c.Action == connector.Failed {
			continue
		}
		var err error
		if writesUser(c.Action) {
			if buf, err = s.writeUser(b, buf, c, p); err != nil {
				return err
			}
		}
		if !p.taken {
			if err := s.writeLinks(b, c, p); err != nil {
				return err
			}
		}
	}
	if err := b.flush(); err != nil {
		return err
	}
	for i := range s.plans {
		if s.plans[i].taken {
			if err := s.takeBack(b, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeBack undoes what was written of a new user whose name or link turned out to be somebody else's.
func (s *saver) takeBack(b *batch, i int) error {
	c, p := s.changes[i], &s.plans[i]
	if c.Action != connector.Created {
		return conflict("save", "a name or link of %s has moved", c.Subject)
	}
	id := c.After.ID[:]
	for _, n := range p.names {
		if err := b.exec(sqlDeleteOwnKey, c.Org, n.kind, n.value, id); err != nil {
			return err
		}
	}
	for _, n := range p.terms {
		if err := b.exec(sqlDeleteTerm, c.Org, n.kind, n.value, id); err != nil {
			return err
		}
	}
	if err := b.exec(sqlDeleteLinksOfUser, c.Org, c.Org, id); err != nil {
		return err
	}
	for _, q := range [...]string{sqlDeleteEvents, sqlDeleteUser} {
		if err := b.exec(q, id); err != nil {
			return err
		}
	}
	if p.seat != "" {
		s.seats[p.seat].free()
	}
	s.states[c.After.State]--
	p.admitted, s.errs[i] = false, connector.ErrMoved
	return nil
}

func deleteNames(b *batch, c *connector.Change, p *plan) error {
	for _, n := range p.base.names {
		if !hasName(p.names, n) {
			if err := b.exec(sqlDeleteKey, c.Org, n.kind, n.value); err != nil {
				return err
			}
		}
	}
	for _, n := range p.base.terms {
		if !hasName(p.terms, n) {
			if err := b.exec(sqlDeleteTerm, c.Org, n.kind, n.value, c.After.ID[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeUser writes names, user and event; buf is room for documents. What is written of somebody whose names turn
// out not to be free is taken back.
func (s *saver) writeUser(b *batch, buf []byte, c *connector.Change, p *plan) ([]byte, error) {
	if err := insertNames(b, c, p); err != nil || p.taken {
		return buf, err
	}
	u := c.After
	version := c.BaseVersion + 1
	updated := u.UpdatedAt
	if updated.IsZero() {
		updated = s.now
	}
	buf = appendProfile(buf[:0], u.Profile)
	domain := emailDomain(u.Profile)
	created := u.CreatedAt
	if created.IsZero() {
		created = s.now
	}
	var err error
	switch {
	case p.base != nil:
		err = b.exec(sqlUpdateUser, string(u.State), u.Package, p.seat, domain, flag(u.PackageFixed), flag(u.PendingApproval), version,
			micros(updated), buf, string(u.Resume), string(u.DeactivatedBy), u.DeactivatedSource, u.DeactivatedReason,
			micros(u.DeactivatedAt), micros(u.DeleteAt), string(u.Was), u.ID[:])
	case u.State == connector.Inactive, u.Was != "":
		err = b.exec(sqlInsertWhole, u.ID[:], c.Org, string(u.State), u.Package, p.seat, domain, flag(u.PackageFixed),
			flag(u.PendingApproval), version, micros(created), micros(updated), buf, string(u.Resume), string(u.DeactivatedBy),
			u.DeactivatedSource, u.DeactivatedReason, micros(u.DeactivatedAt), micros(u.DeleteAt), string(u.Was))
	default:
		err = b.exec(sqlInsertUser, u.ID[:], c.Org, string(u.State), u.Package, p.seat, domain, flag(u.PackageFixed),
			flag(u.PendingApproval), version, micros(created), micros(updated), buf)
	}
	if err != nil {
		return buf, err
	}
	return s.writeEvent(b, buf, c, version)
}

// insertNames marks the plan where a unique name was not free.
func insertNames(b *batch, c *connector.Change, p *plan) error {
	user := c.After.ID[:]
	for _, n := range p.names {
		if p.base == nil || !hasName(p.base.names, n) {
			if err := b.then(p.unlessTaken, sqlInsertKey, c.Org, n.kind, n.value, user); err != nil || p.taken {
				return err
			}
		}
	}
	for _, n := range p.terms {
		if p.base == nil || !hasName(p.base.terms, n) {
			if err := b.exec(sqlInsertTerm, c.Org, n.kind, n.value, user); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlessTaken is told whether a name or link could be written.
func (p *plan) unlessTaken(free bool) error {
	p.taken = p.taken || !free
	return nil
}

func (s *saver) writeEvent(b *batch, buf []byte, c *connector.Change, version int64) ([]byte, error) {
	doc := eventDoc{fields: storedTimes(c.Fields), transitions: c.Transitions, warnings: c.Warnings}
	if c.Action == connector.Removed {
		doc.anchor, doc.dn, doc.subject = c.Anchor, c.DN, c.Subject
	}
	buf = appendEvent(buf[:0], &doc)
	id := connector.NewID(s.now)
	return buf, b.exec(sqlInsertEvent, c.After.ID[:], version, id[:], string(c.Action), c.Source, string(s.cause.Kind),
		idBlob(s.cause.Run), s.cause.Actor, micros(s.now), buf)
}

// storedTimes cuts the times among the fields to the microseconds that the user's columns keep, so
// that replaying gives the very user.
func storedTimes(fields []connector.FieldChange) []connector.FieldChange {
	var own []connector.FieldChange
	for i, f := range fields {
		if f.Field != connector.FieldDeactivatedAt && f.Field != connector.FieldDeleteAt {
			continue
		}
		if own == nil {
			own = slices.Clone(fields)
		}
		own[i].Before, own[i].After = storedTime(f.Before), storedTime(f.After)
	}
	if own == nil {
		return fields
	}
	return own
}

func storedTime(values []string) []string {
	if len(values) != 1 {
		return values
	}
	t, err := time.Parse(time.RFC3339Nano, values[0])
	if err != nil {
		return values
	}
	return []string{t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)}
}

// writeLinks marks the plan where a link was somebody else's.
func (s *saver) writeLinks(b *batch, c *connector.Change, p *plan) error {
	if c.Action == connector.Removed {
		return b.exec(sqlDeleteLinksOfUser, c.Org, c.Org, c.After.ID[:])
	}
	user := userOf(c)
	if !c.Unlink.IsZero() {
		if err := b.exec(sqlDeleteLink, c.Org, c.Source, anchorBlob(c.Unlink), user[:]); err != nil {
			return err
		}
	}
	for _, l := range [...]*connector.Link{c.Link, c.Sibling} {
		if l == nil {
			continue
		}
		updated := l.UpdatedAt
		if updated.IsZero() {
			updated = s.now
		}
		var profile []byte
		if l.Profile != nil {
			profile = appendProfile(nil, l.Profile)
		}
		if err := b.then(p.unlessTaken, sqlPutLink, c.Org, l.Source, anchorBlob(l.Anchor), user[:], l.DN, l.Hash[:], profile, l.Package,
			string(l.Standing), flag(l.Protected), idBlob(l.Run), micros(updated), micros(l.RecheckAt), keyBlob(l.Key), int64(l.PrimaryGroup)); err != nil || p.taken {
			return err
		}
	}
	return nil
}

func (s *saver) countStates() {
	for state, n := range s.states {
		if n != 0 {
			s.t.s.count(s.changes[0].Org, state, n)
		}
	}
}
