package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync"

	"usherd/connector"
)

// A decision about one person rests on one statement: whoever it can be about, with all their links. None of them
// makes a table of its own in SQLite, which would cost more than what is looked up. Where a source has no link to a
// user there is a row without one.
const (
	personColumns = userColumns + `, u.seat, l.source, l.anchor, l.dn, l.hash, l.profile, l.package, l.standing, l.protected, l.run,
 l.updated_at, l.recheck_at, l.dn_key, l.primary_rid`

	personLinks = ` LEFT JOIN link_sources s ON s.org = u.org LEFT JOIN links l ON l.org = s.org AND l.source = s.source AND l.user_id = u.id`

	sqlPersonByAnchor = `SELECT ` + personColumns + ` FROM links k JOIN users u ON u.id = k.user_id` + personLinks + `
 WHERE k.anchor = ? AND k.source = ? AND k.org = ?`
	sqlPersonByID  = `SELECT ` + personColumns + ` FROM users u` + personLinks + ` WHERE u.id = ? AND u.org = ?`
	sqlPersonByKey = `SELECT ` + personColumns + ` FROM user_keys k JOIN users u ON u.id = k.user_id` + personLinks + `
 WHERE k.org = ? AND k.kind = ? AND k.value = ?`
	sqlPersonByTerm = `SELECT ` + personColumns + ` FROM user_terms k JOIN users u ON u.id = k.user_id` + personLinks + `
 WHERE k.org = ? AND k.kind = ? AND k.value = ?`

	sqlClientUserLinks = `SELECT ` + personColumns + `, EXISTS (SELECT 1 FROM members m WHERE m.key = u.id),
 EXISTS (SELECT 1 FROM open_items i WHERE i.org = l.org AND i.source = l.source AND i.person = l.anchor)
 FROM users u` + personLinks + ` WHERE u.id = ? AND u.org = ? AND ` + liveUser
)

// maxOne is how many keys a question about one person has at most: each makes the statement longer.
const maxOne = 8

// person is a user with all its links.
type person struct {
	user  *connector.User
	seat  string
	links []connector.Link
}

// personRow is a user with one of its links; the link names no source where there is none.
type personRow struct {
	person
	link connector.Link

	protected sql.NullBool
	updated   sql.NullInt64
	recheck   sql.NullInt64
	primary   sql.NullInt64
}

func (v *personRow) dest() []any {
	v.user = &connector.User{}
	l := &v.link
	return append(
		userDest(v.user), &v.seat, (*optionalText)(&l.Source), (*optionalAnchor)(&l.Anchor), (*optionalText)(&l.DN), (*hashColumn)(&l.Hash),
		(*profileColumn)(&l.Profile), (*optionalText)(&l.Package), (*optionalText)(&l.Standing), &v.protected, (*idColumn)(&l.Run),
		&v.updated, &v.recheck, (*hashColumn)(&l.Key), &v.primary,
	)
}

func scanPerson(r *sql.Rows, v *personRow) error { return r.Scan(v.dest()...) }

// add puts the row to those before it. The same user may come by several ways, each time with all links.
func (v *personRow) add(list []*person) []*person {
	i := slices.IndexFunc(list, func(p *person) bool { return p.user.ID == v.user.ID })
	if i < 0 {
		list, i = append(list, &person{user: v.user, seat: v.seat}), len(list)
	}
	p, l := list[i], &v.link
	if l.Source == "" || slices.ContainsFunc(p.links, func(o connector.Link) bool { return o.Source == l.Source && o.Anchor == l.Anchor }) {
		return list
	}
	l.Org, l.User, l.Protected, l.PrimaryGroup = v.user.Org, v.user.ID, v.protected.Bool, uint32(v.primary.Int64) //nolint:gosec // as it was written
	l.UpdatedAt, l.RecheckAt = timeOf(v.updated.Int64), timeOf(v.recheck.Int64)
	p.links = append(p.links, *l)
	return list
}

// People returns whom records can be about, see connector.Reader.
func (r *reader) People(ctx context.Context, q connector.PeopleQuery) ([]*connector.User, []connector.Link, error) {
	if len(q.Anchors) > 1 || len(q.IDs) > 1 || len(q.Keys) > maxOne {
		return r.manyPeople(ctx, q)
	}
	list, err := r.onePerson(ctx, q)
	users, links := parted(list)
	return users, links, err
}

func parted(list []*person) (users []*connector.User, links []connector.Link) {
	for _, p := range list {
		users, links = append(users, p.user), append(links, p.links...)
	}
	return users, links
}

// oneShape is how many there are of each part of a question about one person.
type oneShape struct{ anchors, ids, keys, terms int }

var oneTexts sync.Map // oneShape -> SQL

// text is the statement. The same user may come by several of its parts.
func (n oneShape) text() string {
	if q, ok := oneTexts.Load(n); ok {
		return q.(string)
	}
	var parts []string
	for _, p := range [...]struct {
		q string
		n int
	}{{sqlPersonByAnchor, n.anchors}, {sqlPersonByID, n.ids}, {sqlPersonByKey, n.keys}, {sqlPersonByTerm, n.terms}} {
		for range p.n {
			parts = append(parts, p.q)
		}
	}
	q := strings.Join(parts, " UNION ALL ")
	oneTexts.Store(n, q)
	return q
}

// onePerson asks by one statement.
func (r *reader) onePerson(ctx context.Context, q connector.PeopleQuery) ([]*person, error) {
	n := oneShape{anchors: len(q.Anchors), ids: len(q.IDs)}
	args := make([]any, 0, 16)
	var terms []any
	for _, a := range q.Anchors {
		args = append(args, anchorBlob(a), q.Source, q.Org)
	}
	for i := range q.IDs {
		args = append(args, q.IDs[i][:], q.Org)
	}
	for _, k := range q.Keys {
		kind, err := keyKind(k)
		switch {
		case err != nil:
			return nil, err
		case !holdable(k):
		case kind < termKind:
			n.keys++
			args = append(args, q.Org, kind, k.Value)
		default:
			n.terms++
			terms = append(terms, q.Org, kind, k.Value)
		}
	}
	if n == (oneShape{}) {
		return nil, nil
	}
	rows, err := r.q.query(ctx, n.text(), append(args, terms...)...)
	var list []*person
	for v, err := range each(rows, err, scanPerson) {
		if err != nil {
			return nil, wrap("people", err)
		}
		list = v.add(list)
	}
	return list, nil
}

// manyPeople asks by lists, which takes fewer statements than people.
func (r *reader) manyPeople(ctx context.Context, q connector.PeopleQuery) ([]*connector.User, []connector.Link, error) {
	ids := slices.Clone(q.IDs)
	links, err := r.Links(ctx, q.Org, q.Source, q.Anchors)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range links {
		ids = append(ids, l.User)
	}
	byID, err := r.Users(ctx, q.Org, ids)
	if err != nil {
		return nil, nil, err
	}
	known := map[connector.ID]bool{}
	held := map[connector.UserKey]bool{}
	for _, u := range byID {
		known[u.ID] = true
		if u.State.Live() {
			for _, k := range u.Keys() {
				held[k] = true
			}
		}
	}
	keys := slices.DeleteFunc(slices.Clone(q.Keys), func(k connector.UserKey) bool { return held[k] }) // nobody else has those
	byKey, err := r.UsersByKey(ctx, q.Org, keys)
	if err != nil {
		return nil, nil, err
	}
	users := slices.Concat(byID, slices.DeleteFunc(byKey, func(u *connector.User) bool { return known[u.ID] }))
	all := make([]connector.ID, len(users))
	for i, u := range users {
		all[i] = u.ID
	}
	links, err = r.LinksOfUsers(ctx, q.Org, all)
	return users, links, err
}

// clientUserRow is personRow of a user as a client sees it.
type clientUserRow struct {
	personRow
	grouped, refused bool
}

// ClientUserLinks returns the user with that id and its links, see connector.Reader.
func (r *reader) ClientUserLinks(ctx context.Context, org, client string, id connector.ID) (*connector.ClientUser, []connector.Link, error) {
	c, p, err := r.clientPerson(ctx, org, client, id)
	if err != nil {
		return nil, nil, err
	}
	return c, p.links, nil
}

func (r *reader) clientPerson(ctx context.Context, org, client string, id connector.ID) (*connector.ClientUser, *person, error) {
	rows, err := r.q.query(ctx, sqlClientUserLinks, id[:], org)
	var list []*person
	var c connector.ClientUser
	for v, err := range each(rows, err, func(r *sql.Rows, v *clientUserRow) error {
		return r.Scan(append(v.dest(), &v.grouped, &v.refused)...)
	}) {
		if err != nil {
			return nil, nil, wrap("resource", err)
		}
		list = v.add(list)
		c.User, c.Grouped = list[0].user, v.grouped
		if v.link.Source == client {
			c.Anchor, c.Standing, c.Refused = v.link.Anchor, v.link.Standing, v.refused
		}
	}
	if c.User == nil || c.Standing == connector.StandingGone {
		return nil, nil, notFound("resource", "there is no user %s", id)
	}
	return &c, list[0], nil
}

// personKey is a user of an organization, or an id that is nobody's there.
type personKey struct {
	org string
	id  connector.ID
}

// remember keeps what was read of a person until the job writes people: it is asked for again when the record about
// the person is decided, and when the decision is saved.
func (t *tx) remember(org string, list ...*person) {
	if t.read == nil {
		t.read = map[personKey]*person{}
	}
	for _, p := range list {
		t.read[personKey{org, p.user.ID}] = p
	}
}

// ClientUserLinks is reader.ClientUserLinks and remembers the user.
func (t *tx) ClientUserLinks(ctx context.Context, org, client string, id connector.ID) (*connector.ClientUser, []connector.Link, error) {
	c, p, err := t.clientPerson(ctx, org, client, id)
	if err != nil {
		return nil, nil, err
	}
	t.remember(org, p)
	return c, slices.Clone(p.links), nil
}

// People is reader.People, and does not ask where the job has read all of it.
func (t *tx) People(ctx context.Context, q connector.PeopleQuery) ([]*connector.User, []connector.Link, error) {
	if len(q.Anchors) > 1 || len(q.IDs) > 1 || len(q.Keys) > maxOne {
		return t.manyPeople(ctx, q)
	}
	list, ok := t.recall(q)
	if !ok {
		var err error
		if list, err = t.onePerson(ctx, q); err != nil {
			return nil, nil, err
		}
		t.remember(q.Org, list...)
		for _, id := range q.IDs {
			if key := (personKey{q.Org, id}); t.read[key] == nil {
				t.read[key] = nil // it is nobody's
			}
		}
	}
	users, links := parted(list)
	return users, links, nil
}

// recall answers from what the job has read; false where something else could be meant.
func (t *tx) recall(q connector.PeopleQuery) (list []*person, ok bool) {
	meet := func(is func(p *person) bool) bool {
		for key, p := range t.read {
			if p != nil && key.org == q.Org && is(p) {
				if !slices.Contains(list, p) {
					list = append(list, p)
				}
				return true
			}
		}
		return false
	}
	for _, id := range q.IDs {
		if p, read := t.read[personKey{q.Org, id}]; !read {
			return nil, false
		} else if p != nil && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	for _, a := range q.Anchors {
		if !meet(func(p *person) bool { return p.linked(q.Source, a) }) {
			return nil, false
		}
	}
	for _, k := range q.Keys {
		if !meet(func(p *person) bool { return p.user.State.Live() && slices.Contains(p.user.Keys(), k) }) {
			return nil, false
		}
	}
	return list, true
}

// linked reports whether the source knows the person by that anchor.
func (p *person) linked(source string, a connector.Anchor) bool {
	return slices.ContainsFunc(p.links, func(l connector.Link) bool { return l.Source == source && l.Anchor == a })
}
