package ldapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// syncing is the searches of a feed on one connection, side by side.
type syncing struct {
	x        *session
	ctx      context.Context //nolint:containedctx // a syncing lives within one call of the mechanism
	mode     int
	marking  bool          // only the place is asked for, by searches of the bases' own entries
	searches []*syncSearch // of the message ids from first on
	first    int
	rec      *recordReader
	slapd    bool // its cookies are CSNs
	ids      bool // the server's UUIDs are the anchors
	doubt    bool // what the server sends need not be people whom the filter finds
	groups   bool // groups are synced
	groupIDs bool // the server's UUIDs are their anchors
	t        *touched
	named    map[syncID]struct{} // who was sent or named as still there, groups too
	full     string
}

// newSyncing makes a feed of searches from their marks on.
func newSyncing(ctx context.Context, x *session, searches []*syncSearch, t *touched) (*syncing, error) {
	f := &syncing{x: x, ctx: ctx, mode: refreshOnly, searches: searches, t: t, named: map[syncID]struct{}{}}
	var err error
	if f.rec, err = x.reader(ctx); err != nil { // now: once it has begun, the connection is taken up
		return nil, err
	}
	f.rec.slots = make([][][]byte, len(x.personAttributes()))
	if t.anchors == nil {
		t.anchors, t.groups = map[connector.Anchor]struct{}{}, map[connector.Anchor]struct{}{}
	}
	// The UUIDs of 389-ds are its nsUniqueIds even where it keeps entryUUIDs too.
	f.slapd = parseCookie(searches[0].mark.cookie).csns != nil
	form := x.s.layout.anchor
	f.ids = f.names(form)
	f.groups, f.groupIDs = x.s.syncsGroups(), f.names(x.s.config.groupAnchorForm())
	f.doubt = x.is389() || !form.everybody() // nothing keeps others from having such an anchor too
	return f, nil
}

// names reports whether the server's UUIDs are anchors of that form.
func (f *syncing) names(form anchorForm) bool {
	return form.kind == connector.EntryUUID && f.slapd || form.kind == connector.NSUniqueID && !f.slapd
}

// run does f on the connection, which the end of the context closes.
func (f *syncing) run(do func() error) error {
	c := f.x.c
	if err := f.ctx.Err(); err != nil {
		return err
	}
	if c.broken.Load() {
		return f.searches[0].cut(net.ErrClosed)
	}
	stop := context.AfterFunc(f.ctx, c.shut)
	err := do()
	if !stop() {
		return f.ctx.Err()
	}
	return err
}

// send sends all searches.
func (f *syncing) send() error {
	c := f.x.c
	f.first = c.lastID + 1
	for _, s := range f.searches {
		c.lastID++
		filter, err := ldap.CompileFilter(s.r.Filter)
		if err != nil {
			return &connector.Error{Kind: connector.Invalid, Op: s.op(), Err: err, Hint: "correct the filter (RFC 4515)"}
		}
		s.dec = newDecoder(s.r.Attributes)
		r := s.r
		if f.marking {
			r.Scope, r.Attributes = ldap.ScopeBaseObject, []string{noAttributes}
		}
		request := encodeSearch(r, filter.Bytes())
		if err := c.silence.write(c.net, encodeMessage(c.lastID, request, encodeSyncRequest(f.mode, s.mark.cookie))); err != nil {
			return s.cut(err)
		}
	}
	return nil
}

// refresh takes in messages until the refresh stage of all searches is over, or only a full read helps.
func (f *syncing) refresh() error {
	if err := f.send(); err != nil {
		return err
	}
	for !f.refreshed() {
		if err := f.next(); err != nil {
			return err
		}
		if f.full != "" {
			f.x.c.shut() // the rest is still on its way
			return nil
		}
	}
	if f.marking {
		return nil
	}
	if err := f.absent(); err != nil || f.full != "" {
		return err
	}
	return f.absentGroups()
}

func (f *syncing) refreshed() bool {
	return !slices.ContainsFunc(f.searches, func(s *syncSearch) bool { return !s.done })
}

// next takes in one message.
func (f *syncing) next() error {
	m, err := f.searches[0].receive()
	if err != nil {
		return err
	}
	i := m.id - f.first
	if i < 0 || i >= len(f.searches) {
		return f.searches[0].cut(errUnexpectedMessage)
	}
	s := f.searches[i]
	switch m.tag {
	case tagEntry:
		err = f.entry(s, m)
	case tagReference:
		s.end.Referrals++
	case tagIntermediate:
		err = f.info(s, m.op)
	case tagDone:
		err = f.ended(s, m)
	default:
		err = unexpectedOperation(m.tag)
	}
	if _, ours := errors.AsType[*connector.Error](err); err != nil && !ours {
		return s.cut(err)
	}
	if err == nil && len(f.t.records)+len(f.t.anchors) > maxTouched {
		f.full = fmt.Sprintf("more than %d people have changed, or the server sends everything", maxTouched)
	}
	if err == nil && len(f.t.groups) > maxTouchedGroups {
		f.full = errTooManyGroups.Error()
	}
	return err
}

// entry takes in an entry and its state.
func (f *syncing) entry(s *syncSearch, m message) error {
	value, err := findControl(m.controls, ldap.ControlTypeSyncState)
	if err != nil {
		return err
	}
	st, err := decodeSyncState(value)
	if err != nil {
		return err
	}
	e, err := s.dec.decode(m.op)
	if err != nil {
		return err
	}
	s.end.Entries++
	f.t.entries++
	if f.marking {
		s.mark.top = st.id
		return nil
	}
	switch {
	case s.done:
		s.move(st.cookie)
	case st.state == statePresent:
		s.present++
	default:
		s.changes++
	}
	if s.people {
		f.person(e, &st)
	} else {
		f.structure(s, e, &st)
	}
	return nil
}

// person takes in somebody.
func (f *syncing) person(e *entry, st *syncState) {
	switch st.state {
	case stateDelete:
		f.gone(st.id)
		return
	case statePresent:
		f.named[st.id] = struct{}{}
		return
	}
	f.named[st.id] = struct{}{}
	rec, cut := f.rec.read(e)
	changed, whole := f.changedAt()
	form := f.x.s.layout.anchor
	switch {
	case f.ids && (f.doubt || cut || !whole || rec.Anchor.IsZero()):
		f.touch(connector.Anchor{Kind: form.kind, Raw: string(st.id[:])})
	case rec.Anchor.IsZero():
		f.full = fmt.Sprintf("%s has changed and has no %s: it cannot be told who that is", rec.DN, form.attribute)
	case f.doubt || cut || !whole:
		f.touch(rec.Anchor)
	default:
		rec.ChangedAt = changed
		f.t.records = append(f.t.records, rec.Clone())
	}
}

// changedAt is when the entry at hand was changed. whole is false when the server has left it out, as 389-ds
// does with it and all other operational attributes.
func (f *syncing) changedAt() (at time.Time, whole bool) {
	last := len(f.rec.slots)
	for _, values := range f.rec.slots[last-2:] {
		for _, v := range values {
			text, _, _ := bytes.Cut(v, []byte("#"))
			if at, err := time.Parse("20060102150405Z", string(text)); err == nil {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

func (f *syncing) touch(a connector.Anchor) { f.t.anchors[a] = struct{}{} }

// gone takes in that an entry is not among those of the search any more. Servers also name entries that never
// were, which nobody knows.
func (f *syncing) gone(id syncID) {
	form := f.x.s.layout.anchor
	if !f.ids {
		f.full = "an entry was deleted, and the server does not name it by its " + form.attribute
		return
	}
	f.touch(connector.Anchor{Kind: form.kind, Raw: string(id[:])})
}

// info takes in a message between entries.
func (f *syncing) info(s *syncSearch, op []byte) error {
	i, ok, err := decodeIntermediate(op)
	if err != nil || !ok {
		return err
	}
	if s.done { // a cookie from the middle of a refresh stands for less than it says
		s.move(i.cookie)
	}
	switch i.kind {
	case infoRefreshDelete, infoRefreshPresent:
		s.missing = s.missing || i.kind == infoRefreshPresent && s.comparable(i.cookie)
		if i.done {
			f.caughtUp(s, i.cookie)
		}
	case infoIDSet:
		return f.idSet(s, &i)
	}
	return nil
}

// mostDeletions is how many deletions 389-ds puts into one message. It drops the one that would have been the
// next, then goes on with another message (sync_send_deleted_entries; seen with 2.3.1: of 3,000 came 2,942).
const mostDeletions = 50

// idSet takes in a list of entries that are gone, or are still there.
func (f *syncing) idSet(s *syncSearch, i *syncInfo) error {
	n := 0
	defer func() {
		if i.deletes && !f.slapd && n >= mostDeletions {
			f.full = fmt.Sprintf("%d entries or more were deleted: this kind of server does not name all of them", mostDeletions)
		}
	}()
	return i.each(func(id syncID) {
		if n++; i.deletes {
			s.changes++
		} else {
			s.present++
		}
		switch {
		case i.deletes && s.people:
			f.gone(id)
		case i.deletes:
			f.groupID(id)
		default:
			f.named[id] = struct{}{}
		}
	})
}

// comparable reports whether the end of a refresh that says that it named all who are still there can be
// believed. 389-ds says so whatever it did, a slapd to which nothing has happened gives no cookie.
func (s *syncSearch) comparable(cookie []byte) bool {
	return s.present > 0 || parseCookie(cookie).csns != nil
}

// ended takes in the end of a search.
func (f *syncing) ended(s *syncSearch, m message) error {
	res, err := decodeResult(m.op, m.controls)
	if err != nil {
		return err
	}
	if why, limit := s.limited(res.code); limit {
		f.full = why
		return nil
	}
	switch {
	case res.code == ldap.LDAPResultSyncRefreshRequired:
		f.full = "the server says that the place of the last full read is too old"
		return nil
	case res.code == ldap.LDAPResultUnavailableCriticalExtension:
		return noSyncrepl(serverError(s.op(), res.code, res.text))
	case res.code != ldap.LDAPResultSuccess:
		return serverError(s.op(), res.code, res.text)
	case f.mode == refreshAndPersist:
		return errors.New("the server ended a search that goes on for ever")
	}
	value, err := findControl(m.controls, ldap.ControlTypeSyncDone)
	if err != nil {
		return err
	}
	if value == nil {
		return errors.New("the server answered without the Sync Done control")
	}
	d, err := decodeSyncDone(value)
	if err != nil {
		return err
	}
	s.missing = s.missing || !d.deletes && s.comparable(d.cookie)
	f.caughtUp(s, d.cookie)
	return nil
}

// caughtUp ends the refresh stage of a search. No cookie means that nothing has changed; with changes it
// means that the server did not know our place and sent everything.
func (f *syncing) caughtUp(s *syncSearch, cookie []byte) {
	s.done = true
	if len(cookie) == 0 && s.changes > 0 {
		f.full = "the server does not know the place of the last full read"
	}
	s.move(cookie)
}

func (s *syncSearch) move(cookie []byte) {
	if len(cookie) > 0 {
		s.mark.cookie = bytes.Clone(cookie)
	}
}

// absent finds who was neither sent nor named by a server that names all who are still there. They are
// looked for by anchor; a container that is missing needs no look, since nobody is missing below it unseen.
func (f *syncing) absent() error {
	people, comparing, named := 0, 0, 0
	for _, s := range f.searches {
		if s.people {
			people++
			named += s.present
			if s.missing {
				comparing++
			}
		}
	}
	switch {
	case comparing == 0:
		return nil
	case comparing < people:
		f.full = "the server names who is still there for some of the bases only"
	case named == 0:
		f.full = "the server names nobody who is still there"
	case !f.ids:
		f.full = "the server names who is still there, but not by " + f.x.s.layout.anchor.attribute
	case f.x.known == nil:
		f.full = "it is not known who was there"
	default:
		return f.compare()
	}
	return nil
}

// compare touches who is known and was not named.
func (f *syncing) compare() error {
	missing := 0
	for a, err := range f.x.known(f.ctx) {
		if err != nil {
			return err
		}
		if len(a.Raw) == len(syncID{}) {
			if _, there := f.named[syncID([]byte(a.Raw))]; there {
				continue
			}
		}
		if missing++; missing > maxTouched {
			f.full = fmt.Sprintf("more than %d people are not there any more", maxTouched)
			return nil
		}
		f.touch(a)
	}
	return nil
}
