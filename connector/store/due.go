package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"

	"usherd/connector"
)

// dueWhere is the one rule of who is deleted by the end of a period: nobody whom one of the given sources, a
// JSON list, has as enabled.
const dueWhere = ` FROM users u
 WHERE u.org = ? AND u.delete_at > 0 AND u.delete_at <= ? AND u.state NOT IN ('deleted', 'converted_away')
   AND NOT EXISTS (SELECT 1 FROM json_each(?) s CROSS JOIN links k
     WHERE k.org = u.org AND k.source = s.value AND k.user_id = u.id AND k.standing = 'enabled')`

const (
	dueOfSource = ` AND EXISTS (SELECT 1 FROM links l WHERE l.org = u.org AND l.source = ? AND l.user_id = u.id)`
	duePage     = ` AND (u.delete_at, u.id) > (?, ?) ORDER BY u.delete_at, u.id LIMIT 0 + ?`

	sqlUsersDue         = `SELECT ` + userColumns + dueWhere + duePage
	sqlUsersDueOfSource = `SELECT ` + userColumns + dueWhere + dueOfSource + duePage
	sqlCountDue         = `SELECT count(*)` + dueWhere
	sqlCountDueOfSource = `SELECT count(*)` + dueWhere + dueOfSource
)

// UsersDue returns a page of live users whose DeleteAt comes by a time, soonest first.
func (r *reader) UsersDue(ctx context.Context, q connector.DueQuery) (users []*connector.User, next string, err error) {
	var at place
	if q.After != "" {
		if err := json.Unmarshal([]byte(q.After), &at); err != nil {
			return nil, "", invalid("users due", "After is not what a page gave: %w", err)
		}
	}
	from, err := strconv.ParseInt("0"+at.Value, 10, 64)
	if err != nil {
		return nil, "", invalid("users due", "After is not what a page gave: %w", err)
	}
	limit := pageSize(q.Limit)
	text, args, err := dueArgs(q, sqlUsersDue, sqlUsersDueOfSource)
	if err != nil {
		return nil, "", err
	}
	rows, err := r.q.query(ctx, text, append(args, from, at.User[:], limit+1)...)
	users, err = add[*connector.User](nil, rows, err, scanUser)
	if err != nil || len(users) <= limit {
		return users, "", wrap("users due", err)
	}
	users = users[:limit]
	last := users[limit-1]
	doc, err := json.Marshal(place{Value: strconv.FormatInt(micros(last.DeleteAt), 10), User: last.ID})
	return users, string(doc), err
}

// CountDue returns how many users UsersDue would give on all its pages.
func (r *reader) CountDue(ctx context.Context, q connector.DueQuery) (int, error) {
	text, args, err := dueArgs(q, sqlCountDue, sqlCountDueOfSource)
	if err != nil {
		return 0, err
	}
	rows, err := r.q.query(ctx, text, args...)
	n, _, err := first(rows, err, func(r *sql.Rows, v *int) error { return r.Scan(v) })
	return n, wrap("count due", err)
}

func dueArgs(q connector.DueQuery, all, ofSource string) (text string, args []any, err error) {
	keep, err := json.Marshal(append([]string{}, q.Keep...))
	if err != nil {
		return "", nil, wrap("users due", err)
	}
	args = []any{q.Org, micros(q.Until), string(keep)}
	if q.Source == "" {
		return all, args, nil
	}
	return ofSource, append(args, q.Source), nil
}
