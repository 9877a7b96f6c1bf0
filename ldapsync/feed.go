package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"usherd/connector"
)

// ChangesBy names the mechanism by which a directory tells what has changed.
type ChangesBy string

// The mechanisms. Auto takes the best that the server announces: ByDirSync of Active Directory, else
// ByUSN there; BySyncrepl of OpenLDAP and 389-ds; ByTimestamp is the last resort, never taken by itself.
const (
	Auto        ChangesBy = "auto"
	ByDirSync   ChangesBy = "dirsync"   // [MS-ADTS] section 3.1.1.3.4.1.3
	ByUSN       ChangesBy = "usn"       // uSNChanged and tombstones, of one domain controller
	BySyncrepl  ChangesBy = "syncrepl"  // RFC 4533
	ByTimestamp ChangesBy = "timestamp" // modifyTimestamp; tells of no deletions
	NoChanges   ChangesBy = "off"
)

// mechanism is one way in which a directory tells what has changed. One value serves one connection
// after the other, by one goroutine at a time.
type mechanism interface {
	by() ChangesBy
	// identity is what the cursor depends on beside the configuration: the server or its domain, the
	// account where the server binds cursors to it.
	identity(x *session) []byte
	// mark returns the place where the feed stands now, cheaply and without any content.
	mark(ctx context.Context, x *session) ([]byte, error)
	// changes collects in t what has changed since a place and returns the place after it, which is since
	// itself when nothing has changed. A full that is not "" says why only a full read helps.
	changes(ctx context.Context, x *session, since []byte, t *touched) (next []byte, full string, err error)
	// older says why a server whose feed stands at now was put back since it stood at last; "" = it was not.
	older(now, last []byte) string
}

// preparer is a mechanism whose identity depends on what the server has to be asked for beforehand. An
// error of kind Refused means that the mechanism cannot be used.
type preparer interface {
	prepare(ctx context.Context, x *session) error
}

// idler is a mechanism whose place moves on with changes that are nobody's. A cursor that is only so far
// behind may stay, so that an idle feed changes nothing in the store.
type idler interface {
	idle(since, next []byte) bool
}

// describer says for people how well a mechanism whose place was marked sees changes, and what it lacks;
// blind when it does not see deletions, of which every full read warns.
type describer interface {
	describe() (text string, blind bool)
}

// follower is a mechanism that is told of changes as they happen; others are asked again and again.
type follower interface {
	mechanism
	// follow calls tell with what has changed since a place, first when it has caught up, also when that is
	// nothing, and then with each change, or all that came within a moment. It always returns an error.
	follow(ctx context.Context, x *session, since []byte, tell func(t *touched, next []byte, full string) error) error
}

// touched is what a feed names. Whoever is in anchors is read again; records are as the server sent them and
// need no second look.
type touched struct {
	records []*connector.Record
	anchors map[connector.Anchor]struct{}
	// form says which attribute anchors are of; its zero value is the source's own.
	form anchorForm
	// groups are synced groups that changed, or entries that may be some: they are read again, too.
	groups  map[connector.Anchor]struct{}
	entries int // that the server sent
	// structure says that an entry changed below which others stand, or a group that says something of its
	// members: the place or standing of people whose own entries did not change may be another.
	structure string
	warnings  []string
}

// maxTouched bounds what is read again one by one: above it, a full read is faster.
const maxTouched = 20_000

// Bounds of what a batch holds of groups: each is in it with all its members.
const (
	maxTouchedGroups  = 2_000
	maxTouchedMembers = 500_000
)

const tooMany = "more than 20,000 entries have changed: a full read is faster"

var (
	errTooMany        = errors.New(tooMany)
	errTooManyGroups  = errors.New("more than 2,000 groups have changed: a full read is faster")
	errTooManyMembers = errors.New("the groups that changed have more than 500,000 members: they are better read one by one, in full")
)

func isTooMany(err error) bool {
	return errors.Is(err, errTooMany) || errors.Is(err, errTooManyGroups) || errors.Is(err, errTooManyMembers)
}

func newTouched() *touched {
	return &touched{anchors: map[connector.Anchor]struct{}{}, groups: map[connector.Anchor]struct{}{}}
}

// touch names an entry that is read again. Its error ends the search for more.
func (t *touched) touch(a connector.Anchor) error {
	t.anchors[a] = struct{}{}
	if len(t.anchors)+len(t.records) > maxTouched {
		return errTooMany
	}
	return nil
}

// touchGroup names a group that is read again.
func (t *touched) touchGroup(a connector.Anchor) error {
	if t.groups[a] = struct{}{}; len(t.groups) > maxTouchedGroups {
		return errTooManyGroups
	}
	return nil
}

// watched are the naming contexts of everything that a feed looks at.
func (x *session) watched() []string {
	c := &x.s.config
	return x.root.above(slices.Concat(c.Bases, c.GroupBases, x.s.ruleGroups()))
}

// change takes note of a change by which the place of others becomes another one; the first is told.
func (t *touched) change(format string, args ...any) {
	if t.structure == "" {
		t.structure = fmt.Sprintf(format, args...)
	}
}

// choice is one line of the table of mechanisms.
type choice struct {
	by ChangesBy
	// offered reports whether Auto takes it with that server; nil = never.
	offered func(x *session) bool
	make    func() mechanism
}

// choices are all mechanisms, the best first.
var choices = []choice{
	{ByDirSync, offersDirSync, func() mechanism { return new(dirSync) }},
	{ByUSN, offersUSN, func() mechanism { return new(usnFeed) }},
	{BySyncrepl, offersSyncrepl, func() mechanism { return syncrepl{} }},
	{ByTimestamp, nil, func() mechanism { return new(timestampFeed) }},
}

// mechanisms are those that the configuration allows with this server, the best first.
func (x *session) mechanisms() []mechanism {
	by := x.s.config.Changes
	if by == "" {
		by = Auto
	}
	var list []mechanism
	for _, c := range choices {
		if by == c.by || by == Auto && c.offered != nil && c.offered(x) {
			list = append(list, c.make())
		}
	}
	return list
}

func prepare(ctx context.Context, x *session, m mechanism) error {
	if p, ok := m.(preparer); ok {
		return p.prepare(ctx, x)
	}
	return nil
}

// mark takes the place of the best mechanism that works. Where none does, m is nil and refused is what
// stands against the last, which is no accident; err is: the connection is gone.
func (x *session) mark(ctx context.Context) (m mechanism, at connector.Cursor, refused, err error) {
	for _, m := range x.mechanisms() {
		err := prepare(ctx, x, m)
		var place []byte
		if err == nil {
			place, err = m.mark(ctx, x)
		}
		switch {
		case err == nil:
			return m, x.cursor(m, place), nil, nil
		case ctx.Err() != nil, x.c.broken.Load():
			return nil, connector.Cursor{}, nil, err
		}
		refused = &connector.Error{Kind: connector.Refused, Op: "ldapsync: " + string(m.by()), Err: err, Hint: connector.HintOf(err)}
	}
	return nil, connector.Cursor{}, refused, nil
}
