package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"

	"usherd/connector"
)

const itemColumns = `org, source, person, reason, id, ref, code, fields, package, domain, detail, subject, folded, user_id, dn, at, first_seen, last_seen, count, last_run`

const (
	sqlAnyPeople = `SELECT EXISTS (SELECT 1 FROM open_items WHERE org = ? AND source = ?), EXISTS (SELECT 1 FROM waiting WHERE org = ? AND source = ?)`

	sqlPutItem = `INSERT INTO open_items (` + itemColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,1,?)
 ON CONFLICT (org, source, person, reason) DO UPDATE SET code = excluded.code, fields = excluded.fields, package = excluded.package,
   domain = excluded.domain, detail = excluded.detail, subject = excluded.subject, folded = excluded.folded, user_id = excluded.user_id,
   dn = excluded.dn, at = excluded.at, last_seen = excluded.last_seen, count = open_items.count + 1, last_run = excluded.last_run`

	sqlReasons    = `SELECT reason FROM open_items WHERE org = ? AND source = ? AND person = ?`
	sqlCloseItem  = `DELETE FROM open_items WHERE org = ? AND source = ? AND person = ? AND reason = ?`
	sqlCloseItems = `DELETE FROM open_items WHERE org = ? AND source = ? AND person IN (*)`

	sqlOpenAnchors = `SELECT DISTINCT person FROM open_items WHERE org = ? AND source = ?`

	sqlOpenAnchorsFor = sqlOpenAnchors + ` AND reason IN (*)`

	sqlDismiss = `DELETE FROM open_items WHERE org = ? AND ref = ?`

	sqlOpenItem = `SELECT ` + itemColumns + ` FROM open_items WHERE org = ? AND ref = ?`

	sqlItemsWhere = ` FROM open_items
 WHERE org = ? AND id > ? AND (? = '' OR source = ?) AND (? = 0 OR code = ?) AND (? = '' OR reason = ?) AND (? = '' OR instr(folded, ?) > 0)
   AND (? = 0 OR user_id = ? OR folded = ?)`
	sqlOpenItems  = `SELECT ` + itemColumns + sqlItemsWhere + ` ORDER BY id LIMIT 0 + ?`
	sqlCountItems = `SELECT COUNT(1) FROM (SELECT 1` + sqlItemsWhere + ` LIMIT 0 + ?) AS few`

	sqlItemsByID  = `SELECT ` + itemColumns + ` FROM open_items WHERE org = ? AND id IN (*)`
	sqlItemsByRef = `SELECT ` + itemColumns + ` FROM open_items WHERE org = ? AND ref IN (*)`
)

func scanItem(r *sql.Rows, i *connector.OpenItem) error {
	var person []byte
	var fields, folded string
	err := r.Scan(&i.Org, &i.Source, &person, &i.Reason, (*idColumn)(&i.ID), &i.Ref, &i.Code, &fields, &i.Package, &i.Domain,
		&i.Detail, &i.Subject, &folded, (*idColumn)(&i.UserID), &i.DN, (*timeColumn)(&i.At), (*timeColumn)(&i.FirstSeen),
		(*timeColumn)(&i.LastSeen), &i.Count, (*idColumn)(&i.LastRun))
	i.Anchor = anchorOf(person)
	if fields != "" {
		i.Fields = strings.Split(fields, "\n")
	}
	return err
}

// listMax bounds a page.
const listMax = 1000

func pageSize(limit int) int {
	if limit <= 0 {
		return listMax
	}
	return min(limit, listMax)
}

// askedItems are the arguments of sqlItemsWhere.
func askedItems(q *connector.ItemQuery, after connector.ID) []any {
	subject := connector.Fold(q.Subject)
	about, name, user := 0, "", connector.ID{}
	if q.About != nil {
		about, name, user = 1, connector.Fold(q.About.UserName()), q.About.ID
	}
	return []any{q.Org, after[:], q.Source, q.Source, q.Code, q.Code, q.Reason, q.Reason, subject, subject, about, user[:], name}
}

// OpenItems returns a page of open items, first seen first; next is "" after the last page.
func (r *reader) OpenItems(ctx context.Context, q connector.ItemQuery) (items []connector.OpenItem, next string, err error) {
	var after connector.ID
	if err := after.UnmarshalText([]byte(q.After)); err != nil {
		return nil, "", invalid("open items", "After is not what a page gave: %w", err)
	}
	limit := pageSize(q.Limit)
	rows, err := r.q.query(ctx, sqlOpenItems, append(askedItems(&q, after), limit+1)...)
	items, err = add[connector.OpenItem](nil, rows, err, scanItem)
	if err != nil {
		return nil, "", wrap("open items", err)
	}
	if len(items) > limit {
		items, next = items[:limit], items[limit-1].ID.String()
	}
	return items, next, nil
}

// CountItems counts the open items that a query asks for, wherever its page begins, to most; more reports that there are more.
func (r *reader) CountItems(ctx context.Context, q connector.ItemQuery, most int) (n int, more bool, err error) {
	rows, err := r.q.query(ctx, sqlCountItems, append(askedItems(&q, connector.ID{}), most+1)...)
	n, _, err = first(rows, err, func(r *sql.Rows, v *int) error { return r.Scan(v) })
	return min(n, most), n > most, wrap("count open items", err)
}

// OpenItemsByID returns the open items with these ids, each once, in any order; absent ones are left out.
func (r *reader) OpenItemsByID(ctx context.Context, org string, ids []connector.ID) ([]connector.OpenItem, error) {
	return r.itemsIn(ctx, sqlItemsByID, org, idArgs(ids))
}

// OpenItemsByRef returns the open items with these references as they were given out, each once, in any order.
func (r *reader) OpenItemsByRef(ctx context.Context, org string, refs []string) ([]connector.OpenItem, error) {
	list := make([]any, len(refs))
	for i, ref := range refs {
		list[i] = ref
	}
	return r.itemsIn(ctx, sqlItemsByRef, org, list)
}

func (r *reader) itemsIn(ctx context.Context, text, org string, values []any) (list []connector.OpenItem, err error) {
	err = inLists(text, []any{org}, values, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		list, err = add(list, rows, err, scanItem)
		return err
	})
	slices.SortFunc(list, func(a, b connector.OpenItem) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return slices.CompactFunc(list, func(a, b connector.OpenItem) bool { return a.ID == b.ID }), wrap("open items", err)
}

// OpenItem returns the open item with that reference, or an error of Kind NotFound.
func (r *reader) OpenItem(ctx context.Context, org, ref string) (connector.OpenItem, error) {
	ref = strings.ToUpper(strings.TrimSpace(ref))
	rows, err := r.q.query(ctx, sqlOpenItem, org, ref)
	v, ok, err := first(rows, err, scanItem)
	if err == nil && !ok {
		return v, notFound("open item", "there is no open item %s", ref)
	}
	return v, wrap("open item", err)
}

// OpenAnchors returns the anchors of a source that have open items, of these reasons where any are given.
func (r *reader) OpenAnchors(ctx context.Context, org, source string, reasons ...connector.Reason) (map[connector.Anchor]bool, error) {
	anchors := map[connector.Anchor]bool{}
	collect := func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		for a, err := range each(rows, err, func(r *sql.Rows, a *connector.Anchor) error { return r.Scan((*anchorColumn)(a)) }) {
			if err != nil {
				return err
			}
			if !a.IsZero() {
				anchors[a] = true
			}
		}
		return nil
	}
	lead := []any{org, source}
	if len(reasons) == 0 {
		return anchors, wrap("open anchors", collect(sqlOpenAnchors, lead))
	}
	list := make([]any, len(reasons))
	for i, reason := range reasons {
		list[i] = string(reason)
	}
	return anchors, wrap("open anchors", inLists(sqlOpenAnchorsFor, lead, list, collect))
}

// Dismiss closes the open item with that reference, or fails with Kind NotFound. It comes back when
// the person fails again.
func (db *DB) Dismiss(ctx context.Context, org, ref string) error {
	ref = strings.ToUpper(strings.TrimSpace(ref))
	return db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlDismiss, org, ref)
		if err == nil && n == 0 {
			return notFound("dismiss", "there is no open item %s", ref)
		}
		if err != nil {
			return wrap("dismiss", err)
		}
		return t.acted(ctx, db.now(), org, connector.AuditDismissed, "failure "+ref, nil)
	})
}

// CloseGone closes the open items and waiting places of these anchors.
func (t *tx) CloseGone(ctx context.Context, org, source string, anchors []connector.Anchor) error {
	people := make([]any, len(anchors))
	for i, a := range anchors {
		people[i] = anchorBlob(a)
	}
	return wrap("close", t.closePeople(ctx, org, source, people, people))
}

// closePeople closes open items and waiting places; where the source has none it asks just that.
func (t *tx) closePeople(ctx context.Context, org, source string, items, places []any) error {
	if len(items)+len(places) == 0 {
		return nil
	}
	key := linkSource{org, source}
	some, err := t.s.somePeople(ctx, key)
	if err == nil && some.places {
		err = t.s.waitingMoved(ctx, key)
	}
	if err != nil {
		return err
	}
	for _, part := range [...]struct {
		some   bool
		remove string
		people []any
	}{{some.items, sqlCloseItems, items}, {some.places, sqlLeaveList, places}} {
		if !part.some {
			continue
		}
		err := inLists(part.remove, []any{org, source}, part.people, func(q string, args []any) error {
			_, err := t.s.exec(ctx, q, args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// follow closes the open items and waiting places of those who succeeded and keeps those of the
// others.
func (s *saver) follow() error {
	type people struct{ items, places []any }
	done := map[string]*people{}
	for i, c := range s.changes {
		if !s.plans[i].admitted {
			continue
		}
		d := done[c.Source]
		if d == nil {
			d = &people{}
			done[c.Source] = d
		}
		person := personBlob(c.Anchor, c.DN, c.Subject)
		if c.Action == connector.Failed {
			stays, err := s.fail(c, person)
			if err != nil {
				return err
			}
			if !stays {
				d.places = append(d.places, person)
			}
			continue
		}
		d.items, d.places = append(d.items, person), append(d.places, person)
		switch { // a failure from when there was no anchor to be had
		case c.Anchor.IsZero():
		case c.DN != "":
			d.items = append(d.items, personBlob(connector.Anchor{}, c.DN, ""))
		case c.Subject != "":
			nameless := personBlob(connector.Anchor{}, "", c.Subject)
			d.items, d.places = append(d.items, nameless), append(d.places, nameless)
		}
	}
	for source, d := range done {
		if err := s.t.closePeople(s.ctx, s.changes[0].Org, source, d.items, d.places); err != nil {
			return err
		}
	}
	return nil
}

// fail keeps the failures of one person as open items, closes those of other reasons, and reports
// whether the person stays on the waiting list.
func (s *saver) fail(c *connector.Change, person []byte) (waits bool, err error) {
	reasons := map[connector.Reason]bool{}
	for i := range c.Failures {
		f := &c.Failures[i]
		reasons[f.Reason] = true
		if err := s.putItem(c, f, person); err != nil {
			return false, err
		}
		if f.Reason == connector.NoSeat && !waits {
			waits = true
			if c.Waiting != nil {
				if err := s.wait(c, f.Package, person); err != nil {
					return false, err
				}
			}
		}
	}
	rows, err := s.t.q.query(s.ctx, sqlReasons, c.Org, c.Source, person)
	open, err := add[connector.Reason](nil, rows, err, func(r *sql.Rows, v *connector.Reason) error { return r.Scan(v) })
	if err != nil {
		return false, err
	}
	for _, r := range open {
		if !reasons[r] {
			if _, err := s.t.s.exec(s.ctx, sqlCloseItem, c.Org, c.Source, person, r); err != nil {
				return false, err
			}
		}
	}
	return waits, nil
}

func (s *saver) putItem(c *connector.Change, f *connector.Failure, person []byte) error {
	id, ref, subject, at := connector.NewID(s.now), f.Ref, f.Subject, f.At
	if ref == "" {
		ref = connector.NewRef(id.String())
	}
	if subject == "" {
		subject = c.Subject
	}
	if at.IsZero() {
		at = s.now
	}
	now := micros(s.now)
	delete(s.t.s.known.people, linkSource{c.Org, c.Source})
	_, err := s.t.s.exec(s.ctx, sqlPutItem, c.Org, c.Source, person, f.Reason, id[:], ref, int(f.Code), strings.Join(f.Fields, "\n"),
		f.Package, f.Domain, f.Detail, subject, connector.Fold(subject), idBlob(f.UserID), c.DN, micros(at), now, now, idBlob(s.cause.Run))
	return err
}
