package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
)

const (
	sqlListBySource = `SELECT 0, '', ` + userColumns + ` FROM links l JOIN users u ON u.id = l.user_id
 WHERE l.org = ? AND l.source = ? AND l.user_id > ? ORDER BY l.user_id LIMIT 0 + ?`

	sqlListByDomain = `SELECT 0, u.email_domain, ` + userColumns + ` FROM users u
 WHERE u.org = ? AND u.email_domain >= ? AND u.email_domain < ? AND (u.email_domain, u.id) > (?, ?)
 ORDER BY u.email_domain, u.id LIMIT 0 + ?`

	sqlListFailing = `SELECT 0, '', ` + userColumns + ` FROM open_items i JOIN users u ON u.id = i.user_id
 WHERE i.org = ? AND i.user_id > ? AND (? = '' OR i.reason = ?) ORDER BY i.user_id LIMIT 0 + ?`

	sqlListLeaving = `SELECT 0, '', ` + userColumns + ` FROM users u
 WHERE u.org = ? AND u.delete_at > 0 AND (u.delete_at, u.id) > (?, ?) ORDER BY u.delete_at, u.id LIMIT 0 + ?`

	// Whom the walked index does not tell about.
	sqlLinkedOf  = `SELECT user_id FROM links WHERE org = ? AND source = ? AND user_id IN (*)`
	sqlFailingOf = `SELECT user_id FROM open_items WHERE org = ? AND (? = '' OR reason = ?) AND user_id IN (*)`
)

// Counts of what one filter chooses, up to so many rows; a user with two records of a source is one.
const (
	countedUsers = ` AND u.state NOT IN ('deleted', 'converted_away')`

	sqlCountOfSource = `SELECT COUNT(DISTINCT id), COUNT(id) FROM (SELECT l.user_id AS id FROM links l JOIN users u ON u.id = l.user_id
 WHERE l.org = ? AND l.source = ?` + countedUsers + ` ORDER BY l.user_id LIMIT 0 + ?) AS x`

	sqlCountOfPackage = `SELECT COUNT(DISTINCT id), COUNT(id) FROM (SELECT u.id AS id FROM users u
 WHERE u.org = ? AND u.package = ? AND u.package <> ''` + countedUsers + ` ORDER BY u.id LIMIT 0 + ?) AS x`

	sqlCountFailing = `SELECT COUNT(DISTINCT id), COUNT(id) FROM (SELECT i.user_id AS id FROM open_items i JOIN users u ON u.id = i.user_id
 WHERE i.org = ? AND i.user_id > ?` + countedUsers + ` ORDER BY i.user_id LIMIT 0 + ?) AS x`

	sqlCountLeaving = `SELECT COUNT(DISTINCT id), COUNT(id) FROM (SELECT u.id AS id FROM users u
 WHERE u.org = ? AND u.delete_at > 0` + countedUsers + ` ORDER BY u.delete_at, u.id LIMIT 0 + ?) AS x`
)

// CountUsersOf counts whom one filter chooses: Source, Package, Failing or Leaving, the first of them that q has. It stops at so many, and says whether
// there are more. Counts by state are CountUsers.
func (r *reader) CountUsersOf(ctx context.Context, q connector.UserQuery, most int) (n int, more bool, err error) {
	var text string
	args := []any{q.Org}
	switch {
	case q.Source != "":
		text, args = sqlCountOfSource, append(args, q.Source)
	case q.Package != "":
		text, args = sqlCountOfPackage, append(args, q.Package)
	case q.Failing:
		text, args = sqlCountFailing, append(args, make([]byte, len(connector.ID{})))
	case q.Leaving:
		text = sqlCountLeaving
	default:
		return 0, false, invalid("count users", "users are counted by source, package, failures or grace period")
	}
	rows, err := r.q.query(ctx, text, append(args, most+1)...)
	c, _, err := first(rows, err, func(r *sql.Rows, v *[2]int) error { return r.Scan(&v[0], &v[1]) })
	return min(c[0], most), c[1] > most, wrap("count users", err)
}

// walk reads the list by names where they are searched or nothing else is asked for, else by the index of a filter.
func (l *lister) walk(ctx context.Context) error {
	if l.sorted() {
		return l.walkSorted(ctx)
	}
	if text, _ := l.byIndex(); text == "" {
		return l.walkNames(ctx)
	}
	return l.pages(ctx, func() (*sql.Rows, error) {
		text, args := l.byIndex()
		return l.r.q.query(ctx, text, append(args, l.q.Limit+1)...)
	})
}

// byIndex is the question by the index that leaves out most, from where the list stands; "" where it goes by names.
func (l *lister) byIndex() (text string, args []any) {
	q, id := l.q, l.at.User[:]
	switch {
	case q.Search != "" || l.sorted():
		return "", nil
	case l.failing():
		return sqlListFailing, []any{q.Org, id, q.Reason, q.Reason}
	case q.Leaving:
		at, _ := strconv.ParseInt(l.at.Value, 10, 64) // 0 at the beginning
		return sqlListLeaving, []any{q.Org, at, id}
	case q.Pending:
		return sqlListPending, []any{q.Org, id}
	case q.State != "" && q.State != connector.Active:
		return sqlListByState, []any{q.Org, string(q.State), id}
	case q.Package != "":
		return sqlListByPackage, []any{q.Org, q.Package, id}
	case q.Domain != "":
		return sqlListByDomain, []any{q.Org, max(q.Domain, l.at.Value), afterPrefix(q.Domain), l.at.Value, id}
	case q.Source != "":
		return sqlListBySource, []any{q.Org, q.Source, id}
	}
	return "", nil
}

func (l *lister) failing() bool { return l.q.Failing || l.q.Reason != "" }

// pages asks until the page is full, many rows were left out, or a question brought less than it asked for.
func (l *lister) pages(ctx context.Context, ask func() (*sql.Rows, error)) error {
	for !l.full() && !l.tired() {
		rows, err := ask()
		list, err := add[listRow](nil, rows, err, scanListRow)
		if err != nil {
			return err
		}
		chosen, err := l.chosen(ctx, list)
		if err != nil {
			return err
		}
		for _, v := range list {
			again := v.kind == 0 && v.user.ID == l.at.User // by another record or failure
			l.at = place{v.kind, v.value, v.user.ID}
			switch {
			case v.kind != 0:
			case l.sorted():
				l.at.Value = strconv.FormatInt(micros(v.user.UpdatedAt), 10)
			case l.q.Leaving:
				l.at.Value = strconv.FormatInt(micros(v.user.DeleteAt), 10)
			}
			switch {
			case l.full() || again:
			case chosen(v.user.ID) && l.wants(v):
				l.users, l.places = append(l.users, v.user), append(l.places, l.at)
			default:
				l.seen++
			}
		}
		if len(list) <= l.q.Limit {
			l.seen = 0 // that was all
			return nil
		}
	}
	return nil
}

// chosen tells of the rows of a question whom the filters choose that users themselves do not tell about.
func (l *lister) chosen(ctx context.Context, list []listRow) (func(connector.ID) bool, error) {
	ids := make([]any, len(list))
	for i, v := range list {
		ids[i] = v.user.ID[:]
	}
	var sets []map[connector.ID]bool
	look := func(text string, lead ...any) error {
		set := map[connector.ID]bool{}
		sets = append(sets, set)
		return inLists(text, lead, ids, func(q string, args []any) error {
			rows, err := l.r.q.query(ctx, q, args...)
			for id, err := range each(rows, err, func(r *sql.Rows, id *connector.ID) error { return r.Scan((*idColumn)(id)) }) {
				if err != nil {
					return err
				}
				set[id] = true
			}
			return nil
		})
	}
	walked, _ := l.byIndex()
	if l.q.Source != "" && walked != sqlListBySource {
		if err := look(sqlLinkedOf, l.q.Org, l.q.Source); err != nil {
			return nil, err
		}
	}
	if l.failing() && walked != sqlListFailing {
		if err := look(sqlFailingOf, l.q.Org, l.q.Reason, l.q.Reason); err != nil {
			return nil, err
		}
	}
	return func(id connector.ID) bool {
		return !slices.ContainsFunc(sets, func(set map[connector.ID]bool) bool { return !set[id] })
	}, nil
}

// wants applies what the walked index does not, and leaves out whom a search has found already.
func (l *lister) wants(v listRow) bool {
	u, q := v.user, l.q
	if q.State != "" && u.State != q.State || q.Package != "" && u.Package != q.Package || q.Pending && !u.PendingApproval ||
		q.Leaving && u.DeleteAt.IsZero() || !strings.HasPrefix(emailDomain(u.Profile), q.Domain) {
		return false
	}
	if v.kind == 0 || l.sorted() {
		return u.State.Live() || q.State != ""
	}
	for _, n := range terms(uniqueNames(nil, u), u.Profile) {
		if rank(n.kind) == 0 || rank(n.kind) > rank(v.kind) || !strings.HasPrefix(n.value, q.Search) {
			continue
		}
		if rank(n.kind) < rank(v.kind) || n.value < v.value {
			return false
		}
	}
	return true
}
