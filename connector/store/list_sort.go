package store

import (
	"bytes"
	"context"
	"database/sql"
	"math"
	"strconv"

	"usherd/connector"
)

// The orders of a list of users, each that of an index that is there for SCIM clients too: nothing is written for them.
const (
	sqlSortNames = `SELECT k.kind, k.value, ` + userColumns + ` FROM user_keys k JOIN users u ON u.id = k.user_id WHERE k.org = ? AND k.kind = ?`
	sqlSortTerms = `SELECT k.kind, k.value, ` + userColumns + ` FROM user_terms k JOIN users u ON u.id = k.user_id WHERE k.org = ? AND k.kind = ?`
	sqlSortTimes = `SELECT 0, '', ` + userColumns + ` FROM users u WHERE u.org = ?` + countedUsers

	sortNamesUp   = ` AND (k.value, k.user_id) > (?, ?) ORDER BY k.value, k.user_id LIMIT 0 + ?`
	sortNamesDown = ` AND (k.value, k.user_id) < (?, ?) ORDER BY k.value DESC, k.user_id DESC LIMIT 0 + ?`
	sortTimesUp   = ` AND (u.updated_at, u.id) > (?, ?) ORDER BY u.updated_at, u.id LIMIT 0 + ?`
	sortTimesDown = ` AND (u.updated_at, u.id) < (?, ?) ORDER BY u.updated_at DESC, u.id DESC LIMIT 0 + ?`
)

// sorted reports whether the list goes by Sort: a search has an order of its own, and of tombstones no index tells.
func (l *lister) sorted() bool {
	return l.q.Sort != connector.ByID && l.q.Search == "" && (l.q.State == "" || l.q.State.Live())
}

// walkSorted walks the index of the order, and leaves out whom the filters do.
func (l *lister) walkSorted(ctx context.Context) error {
	kind, text := keyUserName, sqlSortNames
	switch l.q.Sort { //nolint:exhaustive // walk has let in no other
	case connector.ByDisplayName:
		kind, text = termDisplayName, sqlSortTerms
	case connector.ByLastModified:
		return l.walkTimes(ctx)
	}
	end, from := sortNamesUp, place{Kind: kind}
	if l.q.Descending {
		end, from = sortNamesDown, place{kind, unnamed, lastID()}
	}
	if l.at.Kind != kind {
		l.at = from
	}
	return l.pages(ctx, func() (*sql.Rows, error) {
		return l.r.q.query(ctx, text+end, l.q.Org, kind, l.at.Value, l.at.User[:], l.q.Limit+1)
	})
}

// walkTimes walks by the time of the last change, which a place has as microseconds.
func (l *lister) walkTimes(ctx context.Context) error {
	end, from := sortTimesUp, place{}
	if l.q.Descending {
		end, from = sortTimesDown, place{Value: strconv.FormatInt(math.MaxInt64, 10), User: lastID()}
	}
	if l.at.Value == "" {
		l.at = from
	}
	return l.pages(ctx, func() (*sql.Rows, error) {
		at, _ := strconv.ParseInt(l.at.Value, 10, 64) // 0 at the beginning
		return l.r.q.query(ctx, sqlSortTimes+end, l.q.Org, at, l.at.User[:], l.q.Limit+1)
	})
}

// lastID stands behind all ids.
func lastID() connector.ID { return connector.ID(bytes.Repeat([]byte{0xff}, len(connector.ID{}))) }
