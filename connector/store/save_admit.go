package store

import (
	"usherd/connector"
)

// admitAll decides which changes are written: first those that need no seat, so that seats are freed
// before any is taken, then the others in order. A change of package frees a seat only when it has
// got its new one; whoever was refused that seat is asked again.
func (s *saver) admitAll() {
	s.freed = map[string]bool{}
	var later []int
	for i := range s.changes {
		if s.takes(i) || !s.admit(i, false) {
			later = append(later, i)
		}
	}
	for len(later) > 0 {
		clear(s.freed)
		for _, i := range later {
			s.admit(i, true)
		}
		refused := later[:0]
		for _, i := range later {
			if p := &s.plans[i]; !p.admitted && s.freed[p.lacks] {
				refused = append(refused, i)
			}
		}
		later = refused
	}
}

// takes reports whether the change needs a seat that its user does not hold already.
func (s *saver) takes(i int) bool {
	c, p := s.changes[i], &s.plans[i]
	return writesUser(c.Action) && p.seat != "" && (p.base == nil || p.base.seat != p.seat)
}

// admit checks one change against what is stored and what others have taken, and takes its names and its
// seat. It is admitted together with those who give up the names that it takes, or not at all. Without
// seats it decides nothing, and reports so, where one of them takes a seat.
func (s *saver) admit(i int, seats bool) (decided bool) {
	if s.plans[i].admitted {
		return true
	}
	group, ok := s.gather(i)
	if !ok {
		s.errs[i], s.plans[i].lacks = connector.ErrMoved, ""
		return true
	}
	for n, j := range group {
		switch {
		case !s.takes(j):
			continue
		case !seats:
			s.giveBack(group[:n])
			return false
		case s.seats[s.plans[j].seat].take():
			continue
		}
		s.giveBack(group[:n])
		s.plans[i].lacks = s.plans[j].seat
		if s.errs[i] = connector.ErrMoved; j == i {
			s.errs[i] = connector.ErrNoSeat
		}
		return true
	}
	for _, j := range group {
		s.adopt(j)
	}
	return true
}

// giveBack undoes the taking of seats.
func (s *saver) giveBack(group []int) {
	for _, i := range group {
		if s.takes(i) {
			s.seats[s.plans[i].seat].free()
		}
	}
}

// gather returns the change, first, and all that must be written with it because they hold names that
// it, or another of them, takes: two people who swap, or a ring of them. It reports whether they can be
// written as far as versions, names and links go. The list is good until the next call.
func (s *saver) gather(i int) (group []int, ok bool) {
	s.asked++
	s.plans[i].asked = s.asked
	group = s.group[:0]
	defer func() { s.group = group }()
	group = append(group, i)
	for at := 0; at < len(group); at++ {
		c, p := s.changes[group[at]], &s.plans[group[at]]
		user := userOf(c)
		if user.IsZero() { // failed, or skipped or unchanged without a word to write
			continue
		}
		if !s.current(c, p.base) || !s.freeLinks(c, user) {
			return group, false
		}
		if !writesUser(c.Action) {
			continue
		}
		for _, n := range p.names {
			holder, held := s.holders[n]
			if !held || holder == user {
				continue
			}
			giver, ok := s.giver(holder, n)
			if !ok {
				return group, false
			}
			if s.plans[giver].asked != s.asked {
				s.plans[giver].asked = s.asked
				group = append(group, giver)
			}
		}
	}
	return group, !s.collide(group)
}

// giver returns the change, not admitted yet, by which the holder of a name gives it up.
func (s *saver) giver(holder connector.ID, n name) (int, bool) {
	if s.byUser == nil {
		s.byUser = make(map[connector.ID]int, len(s.changes))
		for i, c := range s.changes {
			if writesUser(c.Action) && s.plans[i].base != nil {
				s.byUser[userOf(c)] = i
			}
		}
	}
	i, ok := s.byUser[holder]
	return i, ok && !s.plans[i].admitted && !hasName(s.plans[i].names, n)
}

// collide reports whether two of the changes want the same name or link.
func (s *saver) collide(group []int) bool {
	if len(group) == 1 {
		return false
	}
	names, links := map[name]bool{}, map[linkKey]bool{}
	for _, i := range group {
		for _, n := range s.plans[i].names {
			if names[n] {
				return true
			}
			names[n] = true
		}
		for _, l := range [...]*connector.Link{s.changes[i].Link, s.changes[i].Sibling} {
			if l == nil {
				continue
			}
			k := keyOfLink(l)
			if links[k] {
				return true
			}
			links[k] = true
		}
	}
	return false
}

// current reports whether the user still is what was decided on.
func (s *saver) current(c *connector.Change, base *baseUser) bool {
	if writesUser(c.Action) && c.BaseVersion == 0 {
		return base == nil
	}
	if base == nil || !base.state.Live() && !restores(c) {
		return false
	}
	return c.BaseVersion == 0 || base.version == c.BaseVersion
}

// restores reports whether the change brings a deleted user back.
func restores(c *connector.Change) bool {
	return writesUser(c.Action) && len(c.Transitions) > 0 && c.Transitions[0].From == connector.Deleted
}

// freeLinks reports whether the links to be written are nobody else's.
func (s *saver) freeLinks(c *connector.Change, user connector.ID) bool {
	for _, l := range [...]*connector.Link{c.Link, c.Sibling} {
		if l == nil {
			continue
		}
		if holder, ok := s.links[keyOfLink(l)]; ok && holder != user {
			return false
		}
	}
	return true
}

// adopt enters what the change takes and gives back.
func (s *saver) adopt(i int) {
	c, p, user := s.changes[i], &s.plans[i], userOf(s.changes[i])
	p.admitted, s.errs[i] = true, nil
	if !writesUser(c.Action) {
		return
	}
	s.states[c.After.State]++
	if p.base != nil {
		s.states[p.base.state]--
		for _, n := range p.base.names {
			if s.holders[n] == user {
				delete(s.holders, n)
			}
		}
		if p.base.seat != "" && p.base.seat != p.seat {
			s.seats[p.base.seat].free()
			s.freed[p.base.seat] = true
		}
	}
	for _, n := range p.names {
		s.holders[n] = user
	}
	for _, l := range [...]*connector.Link{c.Link, c.Sibling} {
		if l != nil {
			s.links[keyOfLink(l)] = user
		}
	}
}
