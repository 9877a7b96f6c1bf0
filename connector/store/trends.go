package store

import (
	"context"
	"database/sql"
	"time"

	"usherd/connector"
)

const (
	sqlSeenItems = `SELECT code, reason, count(1), max(last_seen) FROM open_items WHERE org = ? AND last_seen >= ? GROUP BY code, reason ORDER BY 3 DESC, code, reason`

	sqlRunDays = `SELECT finished / 86400000000, result, count(1) FROM runs
 WHERE org = ? AND finished > 0 AND finished >= ? AND (? = '' OR source = ?) GROUP BY finished / 86400000000, result ORDER BY 1, 2`
)

// SeenItems counts the open items of an organization that were seen at that time or later, by code and reason, the most frequent first.
func (r *reader) SeenItems(ctx context.Context, org string, since time.Time) ([]connector.ItemCount, error) {
	rows, err := r.q.query(ctx, sqlSeenItems, org, micros(since))
	list, err := add[connector.ItemCount](nil, rows, err, func(r *sql.Rows, n *connector.ItemCount) error {
		return r.Scan(&n.Code, &n.Reason, &n.Count, (*timeColumn)(&n.Latest))
	})
	return list, wrap("seen items", err)
}

// RunDays counts the runs of a source ("" = of all) that have ended on each day from that one on, by result, in order of the days;
// days without runs are left out.
func (r *reader) RunDays(ctx context.Context, org, source string, since time.Time) ([]connector.RunDay, error) {
	from := time.Unix(dayOf(since)*daySeconds, 0)
	rows, err := r.q.query(ctx, sqlRunDays, org, micros(from), source, source)
	list, err := add[connector.RunDay](nil, rows, err, func(r *sql.Rows, n *connector.RunDay) error {
		var day int64
		err := r.Scan(&day, &n.Result, &n.Runs)
		n.Day = time.Unix(day*daySeconds, 0).UTC()
		return err
	})
	return list, wrap("run days", err)
}
