package store

import (
	"context"
	"database/sql"

	"usherd/connector"
)

const (
	sqlKnownUsers = `SELECT u.id FROM users u WHERE u.org = ? AND ` + liveUser + `
 AND NOT EXISTS (SELECT 1 FROM links w WHERE w.org = u.org AND w.source = ? AND w.user_id = u.id AND w.standing = 'gone') AND u.id IN (*)`
	sqlKnownGroups = `SELECT id FROM groups WHERE org = ? AND source = ? AND id IN (*)`

	sqlItemsOf = `SELECT ` + itemColumns + ` FROM open_items WHERE org = ? AND source = ? AND person = ?`
)

// KnownResources says which of these ids are users that the client sees, or its groups.
func (r *reader) KnownResources(ctx context.Context, org, client string, ids []connector.ID) (map[connector.ID]bool, error) {
	known := make(map[connector.ID]bool, len(ids))
	for _, q := range [...]string{sqlKnownUsers, sqlKnownGroups} {
		err := inLists(q, []any{org, client}, idArgs(ids), func(q string, args []any) error {
			rows, err := r.q.query(ctx, q, args...)
			for id, err := range each(rows, err, func(r *sql.Rows, v *connector.ID) error { return r.Scan((*idColumn)(v)) }) {
				if err != nil {
					return err
				}
				known[id] = true
			}
			return nil
		})
		if err != nil {
			return nil, wrap("known resources", err)
		}
	}
	return known, nil
}

// LastFailure is the open item of an anchor that was seen last, nil where there is none.
func (r *reader) LastFailure(ctx context.Context, org, source string, anchor connector.Anchor) (*connector.OpenItem, error) {
	rows, err := r.q.query(ctx, sqlItemsOf, org, source, anchorBlob(anchor))
	var last *connector.OpenItem
	for v, err := range each(rows, err, scanItem) {
		if err != nil {
			return nil, wrap("last failure", err)
		}
		if last == nil || v.LastSeen.After(last.LastSeen) {
			last = &v
		}
	}
	return last, nil
}
