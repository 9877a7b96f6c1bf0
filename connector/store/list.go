package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"usherd/connector"
)

const (
	sqlListByName = `SELECT k.kind, k.value, ` + userColumns + ` FROM user_keys k JOIN users u ON u.id = k.user_id
 WHERE k.org = ? AND k.kind = ? AND k.value >= ? AND k.value < ? AND (k.value, k.user_id) > (?, ?)
 ORDER BY k.value, k.user_id LIMIT 0 + ?`

	sqlListByTerm = `SELECT k.kind, k.value, ` + userColumns + ` FROM user_terms k JOIN users u ON u.id = k.user_id
 WHERE k.org = ? AND k.kind = ? AND k.value >= ? AND k.value < ? AND (k.value, k.user_id) > (?, ?)
 ORDER BY k.value, k.user_id LIMIT 0 + ?`

	sqlListByState = `SELECT 0, '', ` + userColumns + ` FROM users u
 WHERE u.org = ? AND u.state = ? AND u.state <> 'active' AND u.id > ? ORDER BY u.id LIMIT 0 + ?`

	sqlListByPackage = `SELECT 0, '', ` + userColumns + ` FROM users u
 WHERE u.org = ? AND u.package = ? AND u.package <> '' AND u.id > ? ORDER BY u.id LIMIT 0 + ?`

	sqlListPending = `SELECT 0, '', ` + userColumns + ` FROM users u
 WHERE u.org = ? AND u.pending_approval = 1 AND u.id > ? ORDER BY u.id LIMIT 0 + ?`
)

// place is where a page ended.
type place struct {
	Kind  int64        `json:"k"` // 0: the list is in order of id
	Value string       `json:"v,omitempty"`
	User  connector.ID `json:"u"`
}

type listRow struct {
	kind  int64
	value string
	user  *connector.User
}

func scanListRow(r *sql.Rows, v *listRow) error {
	v.user = &connector.User{}
	return r.Scan(append([]any{&v.kind, &v.value}, userDest(v.user)...)...)
}

// ListUsers returns a page of users; next is "" after the last page. All users and those of State
// active come in order of their user names; a search gives first who is found by user name, then by
// e-mail, display name and employee number, each user once; those who are leaving by the end of their grace
// period, those on a Domain by their domains, and those whom another filter asks for in order of their creation, tombstones
// only where State asks for them; Sort has them in another order. Where only a few of many fit, a page may hold less than Limit and not be the last.
func (r *reader) ListUsers(ctx context.Context, q connector.UserQuery) (users []*connector.User, next string, err error) {
	var at place
	if q.After != "" {
		if err := json.Unmarshal([]byte(q.After), &at); err != nil {
			return nil, "", invalid("list users", "After is not what a page gave: %w", err)
		}
	}
	if q.Sort == connector.ByCreated {
		return nil, "", invalid("list users", "users are not listed by their creation")
	}
	q.Search, q.Domain, q.Limit = connector.Fold(q.Search), reverseLabels(asciiDomain(q.Domain)), pageSize(q.Limit)
	l := lister{r: r, q: q, at: at}
	if err = l.walk(ctx); err != nil {
		return nil, "", wrap("list users", err)
	}
	end := l.at
	if l.full() {
		l.users, end = l.users[:q.Limit], l.places[q.Limit-1]
	} else if !l.tired() {
		return l.users, "", nil
	}
	text, err := json.Marshal(end)
	return l.users, string(text), err
}

// lister collects one page and one user more.
type lister struct {
	r      *reader
	q      connector.UserQuery
	at     place
	users  []*connector.User
	places []place
	seen   int // rows that were looked at and left out
}

// mostLeftOut is how many rows a page leaves out before it ends without being full: who asks goes on behind them.
const mostLeftOut = 5000

func (l *lister) full() bool  { return len(l.users) > l.q.Limit }
func (l *lister) tired() bool { return l.seen >= mostLeftOut }

// walkNames walks one kind of names after the other.
func (l *lister) walkNames(ctx context.Context) error {
	last := keyUserName
	if l.q.Search != "" {
		last = termEmployeeNumber
	}
	for _, kind := range [...]int64{keyUserName, keyEmail, termDisplayName, termEmployeeNumber} {
		if rank(kind) < rank(l.at.Kind) || rank(kind) > rank(last) {
			continue
		}
		q := sqlListByName
		if kind >= termKind {
			q = sqlListByTerm
		}
		if l.at.Kind != kind {
			l.at = place{Kind: kind}
		}
		if err := l.pages(ctx, func() (*sql.Rows, error) {
			from := max(l.q.Search, l.at.Value) // where the walk starts: the pair alone would be compared row by row
			return l.r.q.query(ctx, q, l.q.Org, kind, from, afterPrefix(l.q.Search), l.at.Value, l.at.User[:], l.q.Limit+1)
		}); err != nil || l.full() || l.tired() {
			return err
		}
	}
	return nil
}

// rank is the order in which a search walks the kinds.
func rank(kind int64) int {
	switch kind {
	case keyUserName:
		return 1
	case keyEmail:
		return 2
	case termDisplayName:
		return 3
	case termEmployeeNumber:
		return 4
	}
	return 0
}

const sqlUsersByAnchor = `SELECT ` + userColumns + ` FROM links l JOIN users u ON u.id = l.user_id
 WHERE l.org = ? AND l.source IN (SELECT source FROM link_sources WHERE org = ?) AND l.anchor IN (*)`

// FindUser returns the user that a person means: by id (tombstones too), user name, e-mail or the text
// of an anchor. It fails with Kind NotFound, or Conflict when the key means more than one.
func (r *reader) FindUser(ctx context.Context, org, key string) (*connector.User, error) {
	key = strings.TrimSpace(key)
	if id, err := connector.ParseID(key); err == nil {
		if users, err := r.Users(ctx, org, []connector.ID{id}); err != nil || len(users) > 0 {
			return one(users, key, err)
		}
	}
	for _, kind := range [...]string{connector.UserName, connector.Email} {
		users, err := r.UsersByKey(ctx, org, []connector.UserKey{{Kind: kind, Value: connector.Fold(key)}})
		if err != nil || len(users) > 0 {
			return one(users, key, err)
		}
	}
	var anchors []any
	for _, kind := range [...]connector.AnchorKind{connector.ObjectGUID, connector.EntryUUID, connector.NSUniqueID, connector.TextAnchor} {
		if a, err := connector.ParseAnchor(kind, key); err == nil {
			anchors = append(anchors, anchorBlob(a))
		}
	}
	var users []*connector.User
	err := inLists(sqlUsersByAnchor, []any{org, org}, anchors, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		users, err = add(users, rows, err, scanUser)
		return err
	})
	return one(users, key, err)
}

func one(users []*connector.User, key string, err error) (*connector.User, error) {
	switch {
	case err != nil:
		return nil, wrap("find user", err)
	case len(users) == 0:
		return nil, notFound("find user", "there is no user %q", key)
	}
	for _, u := range users[1:] {
		if u.ID != users[0].ID {
			return nil, conflict("find user", "%q means more than one user: give the id", key)
		}
	}
	return users[0], nil
}
