package store

import (
	"context"
	"time"

	"usherd/connector"
)

// Save writes decisions, see connector.Tx. The version that is stored is BaseVersion + 1, the seat
// that a user holds changes only by TakeSeat and FreeSeat, and a deleted user holds none.
func (t *tx) Save(ctx context.Context, changes []*connector.Change, cause connector.Cause, now time.Time) ([]error, error) {
	errs := make([]error, len(changes))
	for from := 0; from < len(changes); {
		to, err := segment(changes, from)
		if err != nil {
			return nil, err
		}
		s := saver{t: t, ctx: ctx, cause: cause, now: now, changes: changes[from:to], errs: errs[from:to]}
		if err := s.save(); err != nil {
			return nil, wrap("save", err)
		}
		from = to
	}
	return errs, nil
}

// segment returns the end of the changes from the first one on that belong to one organization and
// to different users and anchors, so that none depends on what another one writes but for names and
// seats.
func segment(changes []*connector.Change, from int) (to int, err error) {
	type anchorKey struct {
		source string
		anchor connector.Anchor
	}
	users := make(map[connector.ID]bool, len(changes)-from)
	anchors := make(map[anchorKey]bool, len(changes)-from)
	for to = from; to < len(changes); to++ {
		c := changes[to]
		if err := check(c); err != nil {
			return 0, err
		}
		user, key := userOf(c), anchorKey{c.Source, c.Anchor}
		if c.Org != changes[from].Org || users[user] || anchors[key] {
			break
		}
		if !user.IsZero() {
			users[user] = true
		}
		if !c.Anchor.IsZero() {
			anchors[key] = true
		}
	}
	return to, nil
}

// writesUser reports whether the action writes a user.
func writesUser(a connector.Action) bool {
	switch a {
	case connector.Created, connector.Updated, connector.Reactivated, connector.Deactivated, connector.Removed:
		return true
	case connector.Unchanged, connector.Skipped, connector.Failed:
	}
	return false
}

// check refuses what no caller may ask for.
func check(c *connector.Change) error {
	switch {
	case c.Held:
		return invalid("save", "a held change of %s is not to be written", c.Subject)
	case c.Org == "":
		return invalid("save", "a change of %s names no organization", c.Subject)
	case !writesUser(c.Action):
		if c.Link != nil && c.Link.User.IsZero() && c.Action != connector.Failed {
			return invalid("save", "a link of %s names no user", c.Subject)
		}
	case c.After == nil || c.After.ID.IsZero():
		return invalid("save", "%s is %s without a user", c.Subject, c.Action)
	case (c.Action == connector.Created) != (c.BaseVersion == 0):
		return invalid("save", "%s is %s on version %d", c.Subject, c.Action, c.BaseVersion)
	case c.After.State == "" || c.After.State.Live() != (c.Action != connector.Removed):
		return invalid("save", "%s is %s in state %q", c.Subject, c.Action, c.After.State)
	case c.Link != nil && c.Link.Anchor.IsZero(), c.Sibling != nil && c.Sibling.Anchor.IsZero():
		return invalid("save", "a link of %s has no anchor", c.Subject)
	}
	return nil
}

// userOf is the user that the change is about, zero where there is none.
func userOf(c *connector.Change) connector.ID {
	switch {
	case c.After != nil && writesUser(c.Action):
		return c.After.ID
	case c.Link != nil && c.Action != connector.Failed:
		return c.Link.User
	}
	return connector.ID{}
}

// saver writes one segment: it loads what is there in a few statements, decides in memory which
// changes still fit, and writes those. Names and links of new users are not asked for before: the
// unique indexes tell when they are written, and such a change is taken back alone.
type saver struct {
	t       *tx
	ctx     context.Context //nolint:containedctx // lives as long as one call of Save
	cause   connector.Cause
	now     time.Time
	changes []*connector.Change
	errs    []error // of each change

	base    map[connector.ID]*baseUser
	careful bool                     // seats may run out: who is refused one must be told first that he has moved
	holders map[name]connector.ID    // of unique names
	links   map[linkKey]connector.ID // of links that exist
	linked  map[string]bool          // sources that get links
	seats   map[string]*seatRow
	states  map[connector.State]int // how the counts of states change
	plans   []plan                  // of each change
}

// baseUser is what is stored of a user before the segment.
type baseUser struct {
	version int64
	state   connector.State
	seat    string
	names   []name
	terms   []name
}

type linkKey struct {
	source, anchor string
}

func keyOfLink(l *connector.Link) linkKey { return linkKey{l.Source, string(anchorBlob(l.Anchor))} }

// plan is what a change comes to.
type plan struct {
	base     *baseUser
	names    []name // afterwards
	terms    []name
	seat     string // afterwards
	admitted bool
}

func (s *saver) save() error {
	s.plans = make([]plan, len(s.changes))
	if err := s.load(); err != nil {
		return err
	}
	s.admitAll()
	if err := s.t.s.batch(s.ctx, s.write); err != nil {
		return err
	}
	if err := s.writeSeats(); err != nil {
		return err
	}
	if err := s.writeCounts(); err != nil {
		return err
	}
	return s.follow()
}

// admitAll decides which changes are written: first those that need no seat, so that seats are freed
// before any is taken, then the others in order. A change of package frees a seat only when it has
// got its new one; whoever was refused that seat is asked again.
func (s *saver) admitAll() {
	var takers []int
	for i := range s.changes {
		if s.takes(i) {
			takers = append(takers, i)
		} else {
			s.errs[i] = s.admit(i)
		}
	}
	for len(takers) > 0 {
		var refused []int
		freed := map[string]bool{}
		for _, i := range takers {
			s.errs[i] = s.admit(i)
			switch b := s.plans[i].base; {
			case s.errs[i] == connector.ErrNoSeat: //nolint:errorlint // admit returns it as it is
				refused = append(refused, i)
			case s.errs[i] == nil && b != nil && b.seat != "":
				freed[b.seat] = true
			}
		}
		takers = takers[:0]
		for _, i := range refused {
			if freed[s.plans[i].seat] {
				takers = append(takers, i)
			}
		}
	}
}

// takes reports whether the change needs a seat that its user does not hold already.
func (s *saver) takes(i int) bool {
	c, p := s.changes[i], &s.plans[i]
	return writesUser(c.Action) && p.seat != "" && (p.base == nil || p.base.seat != p.seat)
}

// admit checks one change against what is stored and what the ones before it have taken, and takes
// its names and its seat.
func (s *saver) admit(i int) error {
	c, p := s.changes[i], &s.plans[i]
	if c.Action == connector.Failed {
		p.admitted = true
		return nil
	}
	user := userOf(c)
	if user.IsZero() { // skipped or unchanged without a word to write
		p.admitted = true
		return nil
	}
	if !s.current(c, p.base) || !s.freeLinks(c, user) {
		return connector.ErrMoved
	}
	if !writesUser(c.Action) {
		p.admitted = true
		return nil
	}
	for _, n := range p.names {
		if holder, ok := s.holders[n]; ok && holder != user {
			return connector.ErrMoved
		}
	}
	if s.takes(i) && !s.seats[p.seat].take() {
		return connector.ErrNoSeat
	}
	s.adopt(i, user)
	return nil
}

// current reports whether the user still is what was decided on.
func (s *saver) current(c *connector.Change, base *baseUser) bool {
	if writesUser(c.Action) && c.BaseVersion == 0 {
		return base == nil
	}
	if base == nil || !base.state.Live() {
		return false
	}
	return c.BaseVersion == 0 || base.version == c.BaseVersion
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
func (s *saver) adopt(i int, user connector.ID) {
	c, p := s.changes[i], &s.plans[i]
	p.admitted = true
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
