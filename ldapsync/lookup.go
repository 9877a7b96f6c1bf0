package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

const (
	keepIdle = 30 * time.Second // the connection of Lookup and Find, after the last question
	keepMost = 5 * time.Minute  // and in all: what was read of groups and canaries gets old
)

// Lookup asks the directory for one person by anchor. It answers PresenceGone only when the directory
// shows the person as deleted, or when nobody has the anchor while, on the same connection, all bases can
// be read, all canaries are found and another person is found by anchor. Anything less is an error, with
// PresenceUnknown.
//
// Lookup and Find keep one connection, with what the preflight found on it, for half a minute after the
// last question and five minutes at most; Close ends it.
func (s *Source) Lookup(ctx context.Context, anchor connector.Anchor) (*connector.Record, connector.Presence, error) {
	var (
		rec *connector.Record
		is  connector.Presence
	)
	err := s.ask(ctx, func(x *session) error {
		var err error
		rec, is, err = x.lookup(ctx, anchor)
		return err
	})
	if err != nil {
		return nil, connector.PresenceUnknown, err
	}
	return rec, is, nil
}

// ask runs a question on the kept connection. One that has died since the last question is replaced.
func (s *Source) ask(ctx context.Context, question func(*session) error) error {
	if err := s.mu.take(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.kept != nil && s.options.Now().Sub(s.kept.opened) > keepMost {
		s.drop()
	}
	if s.kept != nil {
		s.idle.Stop()
		err := question(s.kept)
		if !s.kept.c.broken.Load() {
			s.idle.Reset(keepIdle)
			return err
		}
		s.drop()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	x, err := s.openAny(ctx, (*session).preflight)
	if err != nil {
		return err
	}
	s.keep(x)
	return question(x)
}

// openAny opens a session on the first server that passes what is looked at.
func (s *Source) openAny(ctx context.Context, look opening) (*session, error) {
	var tried []string
	for {
		x, err := s.open(ctx, tried, look)
		if err == nil || x == nil || !worthAnother(ctx, err) {
			return x, err
		}
		if tried = append(tried, x.c.server); !s.others(ctx, tried) {
			return nil, err
		}
	}
}

func (s *Source) keep(x *session) {
	s.kept = x
	s.idle = time.AfterFunc(keepIdle, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.kept == x {
			s.drop()
		}
	})
}

// drop closes the kept connection. The caller holds mu.
func (s *Source) drop() {
	if s.kept != nil {
		s.idle.Stop()
		_ = s.kept.c.Close()
		s.kept = nil
	}
}

func (x *session) lookup(ctx context.Context, anchor connector.Anchor) (*connector.Record, connector.Presence, error) {
	entries, err := x.anywhere(ctx, anchor)
	if err != nil {
		return nil, connector.PresenceUnknown, err
	}
	switch {
	case len(entries) == 0:
		return x.absent(ctx, anchor)
	case len(entries) == 1 && len(entries[0].Attributes) == 0:
		return nil, connector.PresenceUnreadable, nil
	}
	rec, err := x.record(ctx, entries[0])
	switch {
	case err != nil:
		return nil, connector.PresenceUnknown, err
	case rec.Gone:
		return nil, connector.PresenceGone, nil
	case len(entries) > 1:
		rec.Fault = "several entries have the same " + x.s.layout.anchor.attribute
	case rec.Anchor != anchor:
		return nil, connector.PresenceUnreadable, nil
	}
	if rec.OutOfScope != "" {
		return rec, connector.PresentOutOfScope, nil
	}
	return rec, connector.PresentInScope, nil
}

// absent answers for an anchor that nobody has, when this connection is good enough to say so.
func (x *session) absent(ctx context.Context, anchor connector.Anchor) (*connector.Record, connector.Presence, error) {
	op := fmt.Sprintf("ldapsync: look up %s", anchor)
	if err := x.checkCanaries(ctx); err != nil {
		return nil, connector.PresenceUnknown, err
	}
	if len(x.missing) > 0 {
		return nil, connector.PresenceUnknown, &connector.Error{
			Kind: connector.Incomplete, Op: op, Err: errors.New("not found, but " + x.missing[0]),
			Hint: "correct canaries, or give the service account back its right to read",
		}
	}
	if !x.probed {
		if err := x.probe(ctx); err != nil {
			return nil, connector.PresenceUnknown, &connector.Error{
				Kind: connector.Incomplete, Op: op, Err: fmt.Errorf("not found, but nobody else can be found either: %w", err),
				Hint: "give the service account the right to read and to search by " + x.s.layout.anchor.attribute,
			}
		}
		x.probed = true
	}
	return nil, connector.PresenceGone, nil
}

// probe makes sure that this account finds people by anchor: it takes one whom the filter finds and asks
// for that one again. Without the right to search an attribute a filter over it matches nothing, with
// code 0.
func (x *session) probe(ctx context.Context) error {
	form := x.s.layout.anchor
	for _, base := range x.s.config.Bases {
		entries, _, err := fetch(ctx, x.c, searchRequest{
			Base: base, Scope: ldap.ScopeWholeSubtree, Filter: x.s.config.filter(), Attributes: []string{form.attribute},
		}, 1)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			continue
		}
		anchor, err := form.decode(valuesOf(entries[0], 0))
		if err != nil {
			return fmt.Errorf("%s: %w", entries[0].DN, err)
		}
		found, err := x.anywhere(ctx, anchor)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%s is not found by its %s", entries[0].DN, form.attribute)
		}
		return err
	}
	return errEmpty
}

func valuesOf(e *entry, index int) [][]byte {
	for i := range e.Attributes {
		if e.Attributes[i].Index == index {
			return e.Attributes[i].Values
		}
	}
	return nil
}

// anywhere finds the entries with an anchor wherever the account may see them; a deleted one only when
// there is no living one, since a recycle bin keeps anchors.
func (x *session) anywhere(ctx context.Context, anchor connector.Anchor) ([]*entry, error) {
	form := x.s.layout.anchor
	if x.s.config.Type == ActiveDirectory && form.everybody() && form.binary {
		return x.byGUID(ctx, anchor)
	}
	found, err := x.byAnchor(ctx, anchor, x.s.config.Bases, anyObject, nil)
	if err != nil || len(found) > 0 {
		return found, err
	}
	roots := x.root.above(x.s.config.Bases)
	for _, controls := range [][]ldap.Control{nil, x.showDeleted()} {
		found, err = x.byAnchor(ctx, anchor, roots, anyObject, controls)
		switch _, answered := resultCode(err); {
		case answered: // it may not look above the bases, and so finds nobody there
		case err != nil || len(found) > 0:
			return found, err
		}
		if x.s.config.Type != ActiveDirectory {
			break
		}
	}
	return nil, nil
}

// byGUID reads the object that AD keeps under a GUID, wherever it stands, a tombstone included
// ([MS-ADTS] section 3.1.1.3.1.2.4). That there is none is no error.
func (x *session) byGUID(ctx context.Context, anchor connector.Anchor) ([]*entry, error) {
	found, end, err := fetch(ctx, x.c, searchRequest{
		Base: "<GUID=" + anchor.String() + ">", Scope: ldap.ScopeBaseObject, Filter: anyObject,
		Attributes: x.s.layout.names, Controls: x.showDeleted(),
	}, 2)
	if missing(err) {
		return nil, nil
	}
	if err == nil && !end.Complete {
		err = &connector.Error{Kind: connector.Incomplete, Op: fmt.Sprintf("ldapsync: look up %s", anchor), Err: errors.New(end.Why)}
	}
	return found, err
}

const mostOfOne = 10 // entries with one anchor, or that one key means

// byAnchor searches below bases for entries with that anchor that match the filter.
func (x *session) byAnchor(ctx context.Context, anchor connector.Anchor, bases []string, filter string, controls []ldap.Control) ([]*entry, error) {
	return x.search(ctx, bases, "(&"+x.s.layout.anchor.filterFor(anchor)+filter+")", controls)
}

// search reads at most mostOfOne entries below bases.
func (x *session) search(ctx context.Context, bases []string, filter string, controls []ldap.Control) ([]*entry, error) {
	var all []*entry
	for _, base := range bases {
		found, end, err := fetch(ctx, x.c, searchRequest{
			Base: base, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: x.s.layout.names, Controls: controls,
		}, mostOfOne)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if len(all) >= mostOfOne {
			return all[:mostOfOne], nil
		}
		if !end.Complete {
			return nil, &connector.Error{Kind: connector.Incomplete, Op: "ldapsync: search " + filter, Err: errors.New(end.Why)}
		}
	}
	return all, nil
}

// showDeleted is the control that makes a domain controller show tombstones.
func (x *session) showDeleted() []ldap.Control {
	if x.s.config.Type != ActiveDirectory {
		return nil
	}
	return []ldap.Control{ldap.NewControlString(ldap.ControlTypeMicrosoftShowDeleted, true, "")}
}

// record makes a record that the caller keeps. Other than in a full read, the entry need not match the
// filter: whether it does is asked.
func (x *session) record(ctx context.Context, e *entry) (*connector.Record, error) {
	r, err := x.reader(ctx)
	if err != nil {
		return nil, err
	}
	lent, _ := r.read(e)
	rec := lent.Clone()
	if rec.Gone || rec.OutOfScope != "" {
		return rec, nil
	}
	filter := x.s.config.filter()
	matches, err := one(ctx, x.c, searchRequest{Base: string(e.DN), Filter: filter, Attributes: []string{noAttributes}}, discard)
	switch {
	case missing(err): // it went away between the two questions
		rec.Gone = true
	case err != nil:
		return nil, err
	case !matches:
		rec.OutOfScope = "it does not match the filter " + filter
	}
	return rec, nil
}
