package store

import (
	"context"
	"database/sql"
	"slices"

	"usherd/connector"
)

const (
	sqlBaseUsers   = `SELECT id, version, state, seat, profile FROM users WHERE org = ? AND id IN (*)`
	sqlKeyHolders  = `SELECT kind, value, user_id FROM user_keys WHERE org = ? AND kind = ? AND value IN (*)`
	sqlLinkHolders = `SELECT source, anchor, user_id FROM links WHERE org = ? AND source = ? AND anchor IN (*)`
)

// load reads everything that the segment is checked against.
func (s *saver) load() error {
	org := s.changes[0].Org
	s.states = map[connector.State]int{}
	if err := s.loadBase(org); err != nil {
		return err
	}
	for i, c := range s.changes {
		p := &s.plans[i]
		p.base = s.base[userOf(c)]
		if !writesUser(c.Action) {
			continue
		}
		if c.After.State.Live() {
			p.names = uniqueNames(make([]name, 0, 3), c.After)
			p.terms = terms(make([]name, 0, 2), c.After.Profile)
		}
		p.seat = seatAfter(c, p.base)
	}
	if err := s.loadSeats(org); err != nil {
		return err
	}
	if err := s.loadHolders(org); err != nil {
		return err
	}
	return s.loadLinks(org)
}

func seatAfter(c *connector.Change, base *baseUser) string {
	switch {
	case c.Action == connector.Removed:
		return ""
	case c.TakeSeat != "":
		return c.TakeSeat
	case base == nil || c.FreeSeat != "":
		return ""
	}
	return base.seat
}

func (s *saver) loadBase(org string) error {
	type row struct {
		u    connector.User
		seat string
	}
	s.base = map[connector.ID]*baseUser{}
	args := make([]any, 0, len(s.changes))
	for _, c := range s.changes {
		id := userOf(c)
		if id.IsZero() {
			continue
		}
		p, read := s.t.read[personKey{org, id}]
		switch {
		case !read:
			args = append(args, id[:])
		case p != nil:
			s.base[id] = newBase(p.user, p.seat)
		}
	}
	return inLists(sqlBaseUsers, []any{org}, args, func(q string, args []any) error {
		rows, err := s.t.q.query(s.ctx, q, args...)
		for v, err := range each(rows, err, func(r *sql.Rows, v *row) error {
			return r.Scan((*idColumn)(&v.u.ID), &v.u.Version, &v.u.State, &v.seat, (*profileColumn)(&v.u.Profile))
		}) {
			if err != nil {
				return err
			}
			s.base[v.u.ID] = newBase(&v.u, v.seat)
		}
		return nil
	})
}

func newBase(u *connector.User, seat string) *baseUser {
	b := &baseUser{version: u.Version, state: u.State, seat: seat}
	if u.State.Live() {
		b.names, b.terms = uniqueNames(nil, u), terms(nil, u.Profile)
	}
	return b
}

// loadHolders reads who holds the unique names that users who exist want, and notes those that they
// have.
func (s *saver) loadHolders(org string) error {
	s.holders = make(map[name]connector.ID)
	wanted := map[int64][]any{}
	for i := range s.plans {
		p := &s.plans[i]
		for _, n := range p.names {
			if p.base == nil && s.careful || p.base != nil && !hasName(p.base.names, n) {
				wanted[n.kind] = append(wanted[n.kind], n.value)
			}
		}
		if p.base != nil {
			for _, n := range p.base.names {
				s.holders[n] = userOf(s.changes[i])
			}
		}
	}
	type row struct {
		n  name
		id connector.ID
	}
	for kind, values := range wanted {
		err := inLists(sqlKeyHolders, []any{org, kind}, values, func(q string, args []any) error {
			rows, err := s.t.q.query(s.ctx, q, args...)
			for v, err := range each(rows, err, func(r *sql.Rows, v *row) error {
				return r.Scan(&v.n.kind, &v.n.value, (*idColumn)(&v.id))
			}) {
				if err != nil {
					return err
				}
				s.holders[v.n] = v.id
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *saver) loadLinks(org string) error {
	s.links = make(map[linkKey]connector.ID)
	s.linked = map[string]bool{}
	wanted := map[string][]any{} // by source
	for i, c := range s.changes {
		if c.Action == connector.Failed {
			continue
		}
		for _, l := range [...]*connector.Link{c.Link, c.Sibling} {
			if l == nil {
				continue
			}
			s.linked[l.Source] = true
			if p := s.t.read[personKey{org, userOf(c)}]; p != nil && p.linked(l.Source, l.Anchor) {
				s.links[keyOfLink(l)] = userOf(c)
				continue
			}
			if s.careful || s.plans[i].base != nil {
				wanted[l.Source] = append(wanted[l.Source], anchorBlob(l.Anchor))
			}
		}
	}
	type row struct {
		source string
		anchor []byte
		id     connector.ID
	}
	for source, anchors := range wanted {
		err := inLists(sqlLinkHolders, []any{org, source}, anchors, func(q string, args []any) error {
			rows, err := s.t.q.query(s.ctx, q, args...)
			for v, err := range each(rows, err, func(r *sql.Rows, v *row) error {
				return r.Scan(&v.source, &v.anchor, (*idColumn)(&v.id))
			}) {
				if err != nil {
					return err
				}
				s.links[linkKey{v.source, string(v.anchor)}] = v.id
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// loadSeats reads the packages, where the segment moves a seat at all.
func (s *saver) loadSeats(org string) error {
	s.seats = map[string]*seatRow{}
	for i := range s.plans {
		p := &s.plans[i]
		if p.seat != "" {
			s.seats[p.seat] = &seatRow{}
		}
		if p.base != nil && p.base.seat != "" {
			s.seats[p.base.seat] = &seatRow{}
		}
	}
	if len(s.seats) == 0 {
		return nil
	}
	packages, err := s.t.s.packages(s.ctx, org)
	if err != nil {
		return err
	}
	for _, p := range packages {
		if r, ok := s.seats[p.id]; ok {
			*r = seatRow{exists: true, seats: p.seats, used: p.used}
		}
	}
	takers := map[string]int{}
	for i := range s.plans {
		if s.takes(i) {
			takers[s.plans[i].seat]++
		}
	}
	for pkg, n := range takers {
		r := s.seats[pkg]
		s.careful = s.careful || !r.exists || r.seats != connector.Unlimited && r.used+n > r.seats
	}
	return nil
}

func hasName(list []name, n name) bool { return slices.Contains(list, n) }

// anyRow reports whether the statement has a row at all.
func anyRow(ctx context.Context, q querier, text string, args ...any) (bool, error) {
	rows, err := q.query(ctx, text, args...)
	_, ok, err := first(rows, err, func(r *sql.Rows, n *int) error { return r.Scan(n) })
	return ok, err
}
