package store

import (
	"context"
	"database/sql"
	"errors"
	"iter"

	"usherd/connector"
)

const eventColumns = `e.user_id, e.version, e.id, e.action, e.source, e.cause, e.run, e.actor, e.at, e.doc`

const (
	sqlUserEvents = `SELECT u.org, ` + eventColumns + ` FROM users u JOIN events e ON e.user_id = u.id
 WHERE u.org = ? AND u.id = ? ORDER BY e.version`

	sqlEventsUpTo = `SELECT u.org, ` + eventColumns + ` FROM users u JOIN events e ON e.user_id = u.id
 WHERE u.id = ? AND e.version <= ? ORDER BY e.version`

	sqlEventsOfUsers = `SELECT u.org, ` + eventColumns + ` FROM users u JOIN events e ON e.user_id = u.id
 WHERE u.org = ? AND u.id IN (*) ORDER BY e.user_id, e.version`

	sqlEventsBefore = `SELECT u.org, ` + eventColumns + ` FROM events e JOIN users u ON u.id = e.user_id
 WHERE e.run = ? AND e.id < ? AND u.org = ? ORDER BY e.id DESC LIMIT 0 + ?`

	sqlRunEvents = `SELECT u.org, ` + eventColumns + `, ` + userColumns + `, l.anchor, l.dn
 FROM events e JOIN users u ON u.id = e.user_id
 LEFT JOIN links l ON l.org = u.org AND l.source = e.source AND l.user_id = e.user_id
 WHERE e.run = ? ORDER BY e.id`

	sqlOutcomesPage = `SELECT id, doc FROM outcomes WHERE run = ? AND id > ? ORDER BY id LIMIT 0 + ?`

	sqlOutcomes = `SELECT doc FROM outcomes WHERE run = ? ORDER BY id`
)

// eventRow is an event with the part of its document that connector.Event has no place for.
type eventRow struct {
	connector.Event
	doc eventDoc
}

func (e *eventRow) columns(doc *[]byte) []any {
	return []any{
		&e.Org, (*idColumn)(&e.User), &e.Version, (*idColumn)(&e.ID), &e.Action, &e.Source, &e.Cause.Kind,
		(*idColumn)(&e.Cause.Run), &e.Cause.Actor, (*timeColumn)(&e.At), doc,
	}
}

func (e *eventRow) parse(doc []byte) (err error) {
	e.doc, err = parseEvent(doc)
	e.Fields, e.Transitions, e.Anchor, e.DN = e.doc.fields, e.doc.transitions, e.doc.anchor, e.doc.dn
	return err
}

func scanEvent(r *sql.Rows, e *eventRow) error {
	var doc []byte
	if err := r.Scan(e.columns(&doc)...); err != nil {
		return err
	}
	return e.parse(doc)
}

// UserEvents streams the events of a user in the order in which they happened.
func (r *reader) UserEvents(ctx context.Context, org string, user connector.ID) iter.Seq2[connector.Event, error] {
	return func(yield func(connector.Event, error) bool) {
		rows, err := r.q.stream(ctx, sqlUserEvents, org, user[:])
		for e, err := range each(rows, wrap("user events", err), scanEvent) {
			if !yield(e.Event, err) {
				return
			}
		}
	}
}

// EventsOfUsers streams all events of these users, those of one user together and in order.
func (r *reader) EventsOfUsers(ctx context.Context, org string, users []connector.ID) iter.Seq2[connector.Event, error] {
	return func(yield func(connector.Event, error) bool) {
		err := inLists(sqlEventsOfUsers, []any{org}, idArgs(users), func(q string, args []any) error {
			rows, err := r.q.stream(ctx, q, args...)
			for e, err := range each(rows, err, scanEvent) {
				if err != nil {
					return err
				}
				if !yield(e.Event, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(connector.Event{}, wrap("events of users", err))
		}
	}
}

// RunEvents returns at most limit events that a run caused, latest first, from before that one on.
func (r *reader) RunEvents(ctx context.Context, org string, run, before connector.ID, limit int) ([]connector.Event, error) {
	if before.IsZero() {
		before = lastOfAll
	}
	rows, err := r.q.query(ctx, sqlEventsBefore, run[:], before[:], org, limit)
	list, err := add[eventRow](nil, rows, err, scanEvent)
	events := make([]connector.Event, len(list))
	for i := range list {
		events[i] = list[i].Event
	}
	return events, wrap("run events", err)
}

// Outcomes returns at most limit of the people of a run of whom no event tells (held, failed, skipped), in the order in which
// they were kept, from after that place on; the place of each is its ID.
func (r *reader) Outcomes(ctx context.Context, run, after connector.ID, limit int) ([]connector.Outcome, error) {
	rows, err := r.q.query(ctx, sqlOutcomesPage, run[:], after[:], pageSize(limit))
	list, err := add[connector.Outcome](nil, rows, err, scanOutcome)
	return list, wrap("outcomes", err)
}

func scanOutcome(r *sql.Rows, o *connector.Outcome) (err error) {
	var doc sql.RawBytes
	if err := r.Scan((*idColumn)(&o.ID), &doc); err != nil {
		return err
	}
	o.Change, err = unmarshalChange(doc)
	return err
}

// runEvent is a row of sqlRunEvents.
type runEvent struct {
	event  eventRow
	user   *connector.User
	anchor connector.Anchor
	dn     string
}

func scanRunEvent(r *sql.Rows, v *runEvent) error {
	var doc, anchor []byte
	var dn sql.NullString
	u := &connector.User{}
	cols := append(v.event.columns(&doc), userDest(u)...)
	if err := r.Scan(append(cols, &anchor, &dn)...); err != nil {
		return err
	}
	v.user, v.anchor, v.dn = u, anchorOf(anchor), dn.String
	return v.event.parse(doc)
}

// RunChanges streams what a run did to people: first what it wrote, in order, each with the user as
// it was right afterwards, then what PutOutcomes kept. A user whom the source does not know any more
// has neither anchor nor DN, unless this run deleted it.
func (r *reader) RunChanges(ctx context.Context, run connector.ID) iter.Seq2[*connector.Change, error] {
	return func(yield func(*connector.Change, error) bool) {
		rows, err := r.q.stream(ctx, sqlRunEvents, run[:])
		for v, err := range each(rows, wrap("run changes", err), scanRunEvent) {
			var c *connector.Change
			if err == nil {
				c, err = r.changeOf(ctx, &v)
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
		rows, err = r.q.stream(ctx, sqlOutcomes, run[:])
		each(rows, wrap("outcomes", err), func(r *sql.Rows, c **connector.Change) (err error) {
			var doc sql.RawBytes
			if err := r.Scan(&doc); err != nil {
				return err
			}
			*c, err = unmarshalChange(doc)
			return err
		})(yield)
	}
}

// changeOf turns an event back into the change that it came from.
func (r *reader) changeOf(ctx context.Context, v *runEvent) (*connector.Change, error) {
	e, after := &v.event, v.user
	if after.Version != e.Version { // others came after it
		was, err := r.userAt(ctx, after, e.Version)
		if err != nil {
			return nil, err
		}
		after = was
	}
	c := &connector.Change{
		Action: e.Action, Org: e.Org, Source: e.Source, Anchor: v.anchor, DN: v.dn, BaseVersion: e.Version - 1,
		After: after, Fields: e.Fields, Transitions: e.Transitions, Warnings: e.doc.warnings,
		Removal: e.Action == connector.Deactivated || e.Action == connector.Removed,
	}
	if c.Anchor.IsZero() {
		c.Anchor = e.doc.anchor
	}
	if c.DN == "" {
		c.DN = e.doc.dn
	}
	for _, s := range [...]string{after.Profile.Subject(), e.doc.subject, c.DN, after.ID.String()} {
		if c.Subject == "" {
			c.Subject = s
		}
	}
	return c, nil
}

// userAt replays the events of a user up to a version.
func (r *reader) userAt(ctx context.Context, u *connector.User, version int64) (*connector.User, error) {
	was := &connector.User{ID: u.ID, Org: u.Org, CreatedAt: u.CreatedAt, Version: version}
	rows, err := r.q.stream(ctx, sqlEventsUpTo, u.ID[:], version)
	for e, err := range each(rows, err, scanEvent) {
		if err != nil {
			return nil, err
		}
		connector.Replay(was, e.Fields)
		was.UpdatedAt = e.At
	}
	return was, nil
}
