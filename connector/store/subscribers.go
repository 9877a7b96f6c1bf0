package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"usherd/connector"
)

const subscriberColumns = `s.org, s.template, s.id, s.name, s.announced, s.profile, s.given, s.package, s.status, s.email, s.language, s.proven_at, s.links_since,
 s.user_id, s.failure, s.tries, s.created_at, s.updated_at, s.version`

const (
	sqlSubscriber        = `SELECT ` + subscriberColumns + ` FROM subscribers s WHERE s.org = ? AND s.id = ?`
	sqlSubscribersNamed  = `SELECT ` + subscriberColumns + ` FROM subscribers s WHERE s.org = ? AND s.template = ? AND s.name_key IN (*)`
	sqlSubscribersByID   = `SELECT ` + subscriberColumns + ` FROM subscribers s WHERE s.org = ? AND s.id IN (*)`
	sqlSubscribersOf     = `SELECT ` + subscriberColumns + ` FROM subscribers s WHERE s.org = ? AND s.user_id IN (*)`
	sqlSubscribersSaid   = `SELECT ` + subscriberColumns + ` FROM subscribers s WHERE s.org = ? AND s.said_key = ? AND s.said_key <> '' ORDER BY s.id LIMIT 0 + ?`
	sqlSubscribersEmail  = `SELECT ` + subscriberColumns + ` FROM subscribers s WHERE s.org = ? AND s.email_key = ? AND s.email_key <> '' ORDER BY s.id LIMIT 0 + ?`
	sqlCountSubscribers  = `SELECT status, count(*) FROM subscribers WHERE org = ? GROUP BY status`
	sqlCountOfTemplate   = `SELECT status, count(1) FROM subscribers WHERE org = ? AND template = ? GROUP BY status`
	sqlSubscriberEvents  = `SELECT id, at, what, actor, status, email, code, reason, detail, ref FROM subscriber_events WHERE org = ? AND subscriber = ? ORDER BY id DESC LIMIT 0 + ?`
	sqlSubscribersSearch = ` AND s.id IN (SELECT id FROM subscribers WHERE org = ? AND name_key >= ? AND name_key < ?
 UNION SELECT id FROM subscribers WHERE org = ? AND said_key >= ? AND said_key < ? AND said_key <> ''
 UNION SELECT id FROM subscribers WHERE org = ? AND email_key >= ? AND email_key < ? AND email_key <> '')`

	sqlInsertSubscriber = `INSERT INTO subscribers (org, template, name_key, id, name, announced, profile, given, package, status, said_key, email, email_key, language,
 proven_at, links_since, user_id, reason, failure, tries, created_at, updated_at, version) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,1) ON CONFLICT DO NOTHING`

	sqlUpdateSubscriber = `UPDATE subscribers SET name = ?, announced = ?, profile = ?, given = ?, package = ?, status = ?, said_key = ?, email = ?, email_key = ?, language = ?,
 proven_at = ?, links_since = ?, user_id = ?, reason = ?, failure = ?, tries = ?, updated_at = ?, version = version + 1
 WHERE org = ? AND template = ? AND name_key = ? AND id = ? AND version = ?`

	sqlInsertSubscriberEvent  = `INSERT INTO subscriber_events (org, subscriber, id, at, what, actor, status, email, code, reason, detail, ref) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`
	sqlDeleteSubscriber       = `DELETE FROM subscribers WHERE org = ? AND template = ? AND name_key = ? AND id = ?`
	sqlDeleteSubscriberEvents = `DELETE FROM subscriber_events WHERE org = ? AND subscriber = ?`
)

// sharing bounds how many subscribers with one address are read: more than one are as many as all.
const sharing = 8

func scanSubscriber(r *sql.Rows, v **connector.Subscriber) error {
	s := &connector.Subscriber{}
	*v = s
	var failure string
	err := r.Scan(&s.Org, &s.Template, (*idColumn)(&s.ID), &s.Name, &s.Announced, (*profileColumn)(&s.Profile), (*profileColumn)(&s.Given), &s.Package, &s.Status,
		&s.Email, &s.Language, (*timeColumn)(&s.ProvenAt), (*timeColumn)(&s.LinksSince), (*idColumn)(&s.User), &failure, &s.Tries, (*timeColumn)(&s.CreatedAt),
		(*timeColumn)(&s.UpdatedAt), &s.Version)
	if err != nil || failure == "" {
		return err
	}
	s.Failure = &connector.Failure{}
	return json.Unmarshal([]byte(failure), s.Failure)
}

// Subscriber returns one subscriber.
func (r *reader) Subscriber(ctx context.Context, org string, id connector.ID) (*connector.Subscriber, error) {
	rows, err := r.q.query(ctx, sqlSubscriber, org, id[:])
	s, ok, err := first(rows, err, scanSubscriber)
	if err == nil && !ok {
		err = notFound("subscriber", "there is no subscriber %s", id)
	}
	return s, wrap("subscriber", err)
}

// SubscribersNamed returns those of a template with these subscriber ids.
func (r *reader) SubscribersNamed(ctx context.Context, org, template string, names []string) (list []*connector.Subscriber, err error) {
	keys := make([]any, len(names))
	for i, n := range names {
		keys[i] = connector.Fold(n)
	}
	return r.subscribersIn(ctx, sqlSubscribersNamed, []any{org, template}, keys)
}

// SubscribersByID returns those with these ids, in their order; absent ones are left out.
func (r *reader) SubscribersByID(ctx context.Context, org string, ids []connector.ID) ([]*connector.Subscriber, error) {
	return r.subscribersIn(ctx, sqlSubscribersByID, []any{org}, idArgs(ids))
}

// SubscribersOfUsers returns those whose accounts these are.
func (r *reader) SubscribersOfUsers(ctx context.Context, org string, users []connector.ID) ([]*connector.Subscriber, error) {
	return r.subscribersIn(ctx, sqlSubscribersOf, []any{org}, idArgs(users))
}

// subscribersIn returns each that a list of values chooses, once.
func (r *reader) subscribersIn(ctx context.Context, text string, lead, values []any) (list []*connector.Subscriber, err error) {
	err = inLists(text, lead, values, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		list, err = add(list, rows, err, scanSubscriber)
		return err
	})
	return once(list), wrap("subscribers", err)
}

func once(list []*connector.Subscriber) []*connector.Subscriber {
	slices.SortFunc(list, func(a, b *connector.Subscriber) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return slices.CompactFunc(list, func(a, b *connector.Subscriber) bool { return a.ID == b.ID })
}

// SubscribersByEmail returns at most a few of a template, or of any, whose announced or entered address it is.
func (r *reader) SubscribersByEmail(ctx context.Context, org, template, email string) (list []*connector.Subscriber, err error) {
	for _, text := range [...]string{sqlSubscribersSaid, sqlSubscribersEmail} {
		rows, err := r.q.query(ctx, text, org, connector.Fold(email), sharing)
		if list, err = add(list, rows, err, scanSubscriber); err != nil {
			return nil, wrap("subscribers", err)
		}
	}
	list = once(list)
	return slices.DeleteFunc(list, func(s *connector.Subscriber) bool { return template != "" && s.Template != template }), nil
}

// Subscribers returns a page of subscribers in the order in which they came; next is "" after the last one.
func (r *reader) Subscribers(ctx context.Context, q connector.SubscriberQuery) (list []*connector.Subscriber, next string, err error) {
	var after connector.ID
	if err := after.UnmarshalText([]byte(q.After)); err != nil {
		return nil, "", invalid("subscribers", "After is not what a page gave: %w", err)
	}
	var text strings.Builder
	text.WriteString(`SELECT ` + subscriberColumns + ` FROM subscribers s WHERE s.org = ? AND s.id > ?`)
	args := []any{q.Org, after[:]}
	also := func(condition string, values ...any) {
		text.WriteString(condition)
		args = append(args, values...)
	}
	if q.Template != "" {
		also(` AND s.template = ?`, q.Template)
	}
	if q.Status != "" {
		also(` AND s.status = ?`, string(q.Status))
	}
	if q.HideProvisioned || q.Status != "" && q.Status != connector.Provisioned || q.Reason != "" {
		also(` AND s.status <> 'provisioned'`) // which the index of all others asks for
	}
	if q.Reason != "" {
		also(` AND s.reason = ?`, string(q.Reason))
	}
	if begin := connector.Fold(q.Search); begin != "" {
		end := afterPrefix(begin)
		also(sqlSubscribersSearch, q.Org, begin, end, q.Org, begin, end, q.Org, begin, end)
	}
	limit := pageSize(q.Limit)
	also(` ORDER BY s.id LIMIT 0 + ?`, limit+1)
	rows, err := r.q.once(ctx, text.String(), args...)
	if list, err = add(list, rows, err, scanSubscriber); err != nil {
		return nil, "", wrap("subscribers", err)
	}
	if len(list) > limit {
		list, next = list[:limit], list[limit-1].ID.String()
	}
	return list, next, nil
}

// CountSubscribers counts subscribers by status; statuses without any are left out.
func (r *reader) CountSubscribers(ctx context.Context, org, template string) (map[connector.SubscriberStatus]int, error) {
	type row struct {
		status connector.SubscriberStatus
		n      int
	}
	counts := map[connector.SubscriberStatus]int{}
	text, args := sqlCountSubscribers, []any{org}
	if template != "" {
		text, args = sqlCountOfTemplate, append(args, template)
	}
	rows, err := r.q.query(ctx, text, args...)
	for c, err := range each(rows, err, func(r *sql.Rows, v *row) error { return r.Scan(&v.status, &v.n) }) {
		if err != nil {
			return nil, wrap("count subscribers", err)
		}
		counts[c.status] = c.n
	}
	return counts, nil
}

// SubscriberEvents returns what happened to a subscriber, latest first.
func (r *reader) SubscriberEvents(ctx context.Context, org string, id connector.ID, limit int) ([]connector.SubscriberEvent, error) {
	rows, err := r.q.query(ctx, sqlSubscriberEvents, org, id[:], pageSize(limit))
	list, err := add[connector.SubscriberEvent](nil, rows, err, func(r *sql.Rows, e *connector.SubscriberEvent) error {
		return r.Scan((*idColumn)(&e.ID), (*timeColumn)(&e.At), &e.What, &e.Actor, &e.Status, &e.Email, &e.Code, &e.Reason, &e.Detail, &e.Ref)
	})
	return list, wrap("subscriber events", err)
}

// PutSubscriber stores a subscriber, see connector.SubscriberWriter.
func (t *tx) PutSubscriber(ctx context.Context, s *connector.Subscriber, events ...connector.SubscriberEvent) error {
	if s.Org == "" || s.Template == "" || s.ID.IsZero() || connector.Fold(s.Name) == "" || s.Status == "" {
		return invalid("put subscriber", "a subscriber needs an organization, a template, an id, a name and a status")
	}
	failure, reason := "", ""
	if s.Failure != nil {
		doc, err := json.Marshal(s.Failure)
		if err != nil {
			return wrap("put subscriber", err)
		}
		failure, reason = string(doc), string(s.Failure.Reason)
	}
	profile, given := appendProfile(nil, s.Profile), appendProfile(nil, s.Given)
	said, email, key := connector.Fold(s.Profile.Get(connector.Email)), connector.Fold(s.Email), connector.Fold(s.Name)
	var n int64
	var err error
	if s.Version == 0 {
		n, err = t.s.exec(ctx, sqlInsertSubscriber, s.Org, s.Template, key, s.ID[:], s.Name, flag(s.Announced), profile, given, s.Package, string(s.Status), said, s.Email, email, s.Language,
			micros(s.ProvenAt), micros(s.LinksSince), idBlob(s.User), reason, failure, int64(s.Tries), micros(s.CreatedAt), micros(s.UpdatedAt))
	} else {
		n, err = t.s.exec(ctx, sqlUpdateSubscriber, s.Name, flag(s.Announced), profile, given, s.Package, string(s.Status), said, s.Email, email, s.Language,
			micros(s.ProvenAt), micros(s.LinksSince), idBlob(s.User), reason, failure, int64(s.Tries), micros(s.UpdatedAt),
			s.Org, s.Template, key, s.ID[:], s.Version)
	}
	if err != nil || n != 1 {
		if err == nil {
			err = connector.ErrMoved
		}
		return wrap("put subscriber", err)
	}
	s.Version++
	for _, e := range events {
		if err := t.putSubscriberEvent(ctx, s, e); err != nil {
			return wrap("put subscriber", err)
		}
	}
	return nil
}

func (t *tx) putSubscriberEvent(ctx context.Context, s *connector.Subscriber, e connector.SubscriberEvent) error {
	_, err := t.s.exec(ctx, sqlInsertSubscriberEvent, s.Org, s.ID[:], e.ID[:], micros(e.At), string(e.What), e.Actor, string(e.Status), e.Email, int64(e.Code), string(e.Reason),
		e.Detail, e.Ref)
	return err
}

// DeleteSubscriber forgets a subscriber with all that happened to it.
func (t *tx) DeleteSubscriber(ctx context.Context, s *connector.Subscriber) error {
	n, err := t.s.exec(ctx, sqlDeleteSubscriber, s.Org, s.Template, connector.Fold(s.Name), s.ID[:])
	if err == nil && n == 0 {
		err = notFound("delete subscriber", "there is no subscriber %s", s.Name)
	}
	if err == nil {
		_, err = t.s.exec(ctx, sqlDeleteSubscriberEvents, s.Org, s.ID[:])
	}
	return wrap("delete subscriber", err)
}
