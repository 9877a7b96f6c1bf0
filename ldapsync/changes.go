package ldapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"usherd/connector"
)

var _ connector.Feed = (*Source)(nil)

// Changes tells what has changed since a cursor of Read, Changes or Follow; see connector.Feed. It opens
// a connection for itself. Whom the feed names is read again, so that the records are as they are now.
func (s *Source) Changes(ctx context.Context, req connector.ChangesRequest) (*connector.Batch, error) {
	start := s.options.Now()
	x, err := s.openAny(ctx, (*session).glance)
	if err != nil {
		return nil, err
	}
	defer x.c.Close() //nolint:errcheck // the answer is in; saying goodbye may fail
	f, b, err := x.takeUp(ctx, req.Since)
	if err == nil && b == nil {
		x.known, x.knownGroups, x.naming = req.Known, req.KnownGroups, req.Naming
		b, err = f.next(ctx)
	}
	if err != nil {
		return nil, err
	}
	b.Took = s.options.Now().Sub(start)
	return b, nil
}

// Reread reads people again by anchor; see connector.Feed. It shares the connection of Lookup and Find.
func (s *Source) Reread(ctx context.Context, anchors []connector.Anchor) ([]*connector.Record, error) {
	t := newTouched()
	for _, a := range anchors {
		t.anchors[a] = struct{}{}
	}
	var found *resolution
	err := s.ask(ctx, func(x *session) error {
		x.forget()
		var err error
		found, err = x.resolve(ctx, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found.records, nil
}

// feeding is a feed that is read on one connection.
type feeding struct {
	x *session
	m mechanism
	// asks gives the connection for questions about those whom the feed named; nil = that of the feed.
	asks func(ctx context.Context) (*session, error)

	told  connector.Cursor // the last one that was given away
	from  []byte           // its place
	place []byte           // up to which everything was seen
	moved bool             // told is another one than the batch before gave
}

// takeUp goes on from a cursor. The batch is not nil when it cannot: it says why only a full read helps.
func (x *session) takeUp(ctx context.Context, since connector.Cursor) (*feeding, *connector.Batch, error) {
	f := &feeding{x: x, told: since}
	parts, ok := parseCursor(since)
	switch {
	case since.IsZero():
		return f, f.full("there is no cursor yet"), nil
	case !ok:
		return f, f.full("the cursor cannot be read: it is from another version"), nil
	}
	for _, m := range x.mechanisms() {
		if m.by() == parts.by {
			f.m = m
		}
	}
	if f.m == nil {
		return f, f.full(fmt.Sprintf("the cursor is of %s, by which this server is not followed now", parts.by)), nil
	}
	err := prepare(ctx, x, f.m)
	switch _, answered := resultCode(err); {
	case err == nil:
	case ctx.Err() == nil && !x.c.broken.Load() && (answered || connector.KindOf(err) == connector.Refused):
		return f, f.full(fmt.Sprintf("the server does not let %s go on: %v", parts.by, err)), nil
	default:
		return nil, nil, err
	}
	f.from, f.place = parts.place, parts.place
	if why := x.misfitCursor(f.m, since, &parts); why != "" {
		return f, f.full(why), nil
	}
	return f, nil, nil
}

// full is a batch that only says why nothing but a full read helps.
func (f *feeding) full(why string) *connector.Batch {
	b := &connector.Batch{Cursor: f.told, Full: why, Server: f.x.c.server}
	if f.m != nil {
		b.Mechanism = string(f.m.by())
	}
	return b
}

// next asks the mechanism once.
func (f *feeding) next(ctx context.Context) (*connector.Batch, error) {
	t := newTouched()
	next, full, err := f.m.changes(ctx, f.x, f.place, t)
	switch {
	case isTooMany(err):
		full = err.Error()
	case err != nil:
		return nil, err
	}
	return f.batch(ctx, t, next, full)
}

// batch reads whom the feed named and moves on.
func (f *feeding) batch(ctx context.Context, t *touched, next []byte, full string) (*connector.Batch, error) {
	b := &connector.Batch{
		Records: t.records, Cursor: f.told, Mechanism: string(f.m.by()), Server: f.x.c.server, Entries: t.entries, Warnings: t.warnings,
	}
	switch {
	case full != "":
		b.Full = full
	case t.structure != "":
		b.Full = t.structure
	case len(t.anchors)+len(t.records) > maxTouched:
		b.Full = tooMany
	}
	if b.Full != "" {
		b.Records = nil
		return b, nil
	}
	named := len(t.anchors)+len(t.records)+len(t.groups) > 0
	if len(t.anchors)+len(t.groups) > 0 {
		switch err := f.resolve(ctx, t, b); {
		case errors.Is(err, errTooMany), errors.Is(err, errNoNamer):
			return f.full(err.Error()), nil
		case err != nil:
			return nil, err
		}
	}
	if b.Full != "" {
		b.Records, b.Groups = nil, nil
		return b, nil
	}
	f.place = next
	if named && !bytes.Equal(next, f.from) || !named && !f.idle(next) {
		f.told, f.from = f.x.cursor(f.m, next), next
		b.Cursor, f.moved = f.told, true
	}
	return b, nil
}

// idle reports whether the cursor that was given away last may stay although the feed stands at next.
func (f *feeding) idle(next []byte) bool {
	if bytes.Equal(next, f.from) {
		return true
	}
	m, ok := f.m.(idler)
	return ok && m.idle(f.from, next)
}

func (f *feeding) resolve(ctx context.Context, t *touched, b *connector.Batch) error {
	x := f.x
	if f.asks != nil {
		var err error
		if x, err = f.asks(ctx); err != nil {
			return err
		}
	}
	x.forget()
	if len(t.groups) > 0 {
		var err error
		if b.Groups, b.Full, err = x.resolveGroups(ctx, slices.Collect(maps.Keys(t.groups))); err != nil || b.Full != "" {
			return err
		}
	}
	if len(t.anchors) == 0 {
		return nil
	}
	found, err := x.resolve(ctx, t)
	if err == nil {
		err = x.resolvePointing(ctx, found, f.x.naming)
	}
	if err != nil {
		return err
	}
	b.Records = append(b.Records, found.records...)
	b.Warnings = append(b.Warnings, found.warnings(x.s.layout.anchor.attribute)...)
	return nil
}
