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
		err = s.save()
		clear(t.read)
		if err != nil {
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

	byUser map[connector.ID]int // changes of users that exist; made when it is asked first
	group  []int                // room for gather
	asked  int                  // calls of gather
	freed  map[string]bool      // packages that have gained a free seat
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
	taken    bool   // a name or link turned out to be somebody else's
	lacks    string // the package without whose seat it could not be admitted
	asked    int    // the call of gather that came here last
}

func (s *saver) save() error {
	s.plans = make([]plan, len(s.changes))
	if err := s.load(); err != nil {
		return err
	}
	s.admitAll()
	if err := s.moveMembers(); err != nil {
		return err
	}
	if err := s.t.s.batch(s.ctx, s.write); err != nil {
		return err
	}
	s.moveSeats()
	s.countStates()
	if err := s.audit(); err != nil {
		return err
	}
	return s.follow()
}
