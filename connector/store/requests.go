package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

const requestColumns = `r.org, r.source, r.id, r.at, r.method, r.path, r.query, r.status, r.scim_type, r.person, r.user_id, r.took, r.profile, r.quirks,
   r.ref, r.bytes_in, r.bytes_out, r.remote`

const (
	sqlNextOrg    = `SELECT org FROM requests WHERE org > ? ORDER BY org LIMIT 1`
	sqlNextClient = `SELECT source FROM requests WHERE org = ? AND source > ? ORDER BY source LIMIT 1`
	sqlNextStatus = `SELECT min(status) FROM requests WHERE org = ? AND source = ? AND status > ?`

	// What all walks have in common: a window of ids, and what the index of the walk does not hold.
	sqlWindow = ` AND r.id > ? AND r.id < ? AND r.at >= ? AND r.status BETWEEN ? AND ? ORDER BY r.id DESC LIMIT 0 + ?`

	sqlRequestsOfClient = `SELECT ` + requestColumns + ` FROM requests r WHERE r.org = ? AND r.source = ?` + sqlWindow
	sqlRequestsByStatus = `SELECT ` + requestColumns + ` FROM requests r WHERE r.org = ? AND r.source = ? AND r.status = ?` + sqlWindow
	sqlRequestsByPerson = `SELECT ` + requestColumns + ` FROM requests r WHERE r.org = ? AND r.source = ? AND r.folded = ? AND r.folded <> ''` + sqlWindow
	sqlRequestsByUser   = `SELECT ` + requestColumns + ` FROM requests r WHERE r.org = ? AND r.source = ? AND r.user_id = ?` + sqlWindow

	sqlRequestBodies = `SELECT asked, answered FROM request_bodies WHERE org = ? AND source = ? AND id = ?`

	sqlCountRequests = `SELECT count(*) FROM requests WHERE org = ? AND source = ? AND status = ? AND id > ?`
)

// topID is above every id.
var topID = connector.ID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func scanRequest(r *sql.Rows, v *connector.Request) error {
	var took int64
	var quirks string
	err := r.Scan(&v.Org, &v.Source, (*idColumn)(&v.ID), (*timeColumn)(&v.At), &v.Method, &v.Path, &v.Query, &v.Status, &v.ScimType, &v.Person,
		(*idColumn)(&v.User), &took, &v.Profile, &quirks, &v.Ref, &v.BytesIn, &v.BytesOut, &v.Remote)
	v.Duration, v.Quirks = time.Duration(took)*time.Microsecond, strings.Fields(quirks)
	return err
}

// Requests returns logged requests, latest first. Each walk of an index brings as many rows as the page has at
// most; there is one for each client, for each status that it has got where Status chooses some, and for
// Person and User.
func (r *reader) Requests(ctx context.Context, q connector.RequestQuery) ([]connector.Request, error) {
	q.Limit = pageSize(q.Limit)
	sources := []string{q.Source}
	if q.Source == "" {
		var err error
		if sources, err = r.RequestClients(ctx, q.Org); err != nil {
			return nil, err
		}
	}
	var list []connector.Request
	for _, source := range sources {
		var err error
		if list, err = r.requestsOf(ctx, list, source, &q); err != nil {
			return nil, wrap("requests", err)
		}
	}
	slices.SortFunc(list, func(a, b connector.Request) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	list = slices.CompactFunc(list, func(a, b connector.Request) bool { return a.ID == b.ID })
	list = list[:min(len(list), q.Limit)]
	if !q.Bodies {
		return list, nil
	}
	return list, wrap("requests", r.bodies(ctx, list))
}

// requestsOf adds the requests of one client, those about a person by both ways in.
func (r *reader) requestsOf(ctx context.Context, list []connector.Request, source string, q *connector.RequestQuery) ([]connector.Request, error) {
	w := newWindow(source, q)
	var err error
	switch {
	case q.Person != "" || !q.User.IsZero():
		if q.Person != "" {
			list, err = r.walk(ctx, list, sqlRequestsByPerson, w.args(indexed(connector.Fold(q.Person))))
		}
		if err == nil && !q.User.IsZero() {
			list, err = r.walk(ctx, list, sqlRequestsByUser, w.args(q.User[:]))
		}
	case w.status == [2]int{0, anyStatus}:
		list, err = r.walk(ctx, list, sqlRequestsOfClient, w.args())
	default:
		err = r.statuses(ctx, q.Org, source, w.status, func(status int) (err error) {
			list, err = r.walk(ctx, list, sqlRequestsByStatus, w.args(status))
			return err
		})
	}
	return list, err
}

func (r *reader) walk(ctx context.Context, list []connector.Request, text string, args []any) ([]connector.Request, error) {
	rows, err := r.q.query(ctx, text, args...)
	return add(list, rows, err, scanRequest)
}

// anyStatus is above every status.
const anyStatus = 1 << 20

// window is what bounds a walk.
type window struct {
	org, source string
	after, end  connector.ID
	since       time.Time
	status      [2]int
	limit       int
}

func newWindow(source string, q *connector.RequestQuery) window {
	w := window{q.Org, source, q.After, q.Before, q.Since, q.Status, q.Limit}
	if from := connector.FirstID(q.Since); !q.Since.IsZero() && bytes.Compare(from[:], w.after[:]) > 0 {
		w.after = from
	}
	if w.end.IsZero() {
		w.end = topID
	}
	if w.status == [2]int{} {
		w.status[1] = anyStatus
	}
	return w
}

// args are the arguments of a walk with the value that its index is asked for.
func (w window) args(key ...any) []any {
	args := append([]any{w.org, w.source}, key...)
	return append(args, w.after[:], w.end[:], micros(w.since), w.status[0], w.status[1], w.limit)
}

// statuses calls f with each status within bounds that the client has ever got, at most a few dozen.
func (r *reader) statuses(ctx context.Context, org, source string, bounds [2]int, f func(status int) error) error {
	for last := bounds[0] - 1; ; {
		rows, err := r.q.query(ctx, sqlNextStatus, org, source, last)
		next, _, err := first(rows, err, func(r *sql.Rows, v *sql.NullInt64) error { return r.Scan(v) })
		if err != nil || !next.Valid || int(next.Int64) > bounds[1] {
			return err
		}
		last = int(next.Int64)
		if err := f(last); err != nil {
			return err
		}
	}
}

// bodies fills in what was kept of the bodies.
func (r *reader) bodies(ctx context.Context, list []connector.Request) error {
	for i := range list {
		q := &list[i]
		rows, err := r.q.query(ctx, sqlRequestBodies, q.Org, q.Source, q.ID[:])
		if _, _, err := first(rows, err, func(r *sql.Rows, _ *struct{}) error { return r.Scan(&q.Asked, &q.Answered) }); err != nil {
			return err
		}
	}
	return nil
}

// RequestOrgs returns the organizations of whose clients requests are logged, sorted.
func (r *reader) RequestOrgs(ctx context.Context) ([]string, error) {
	return r.leap(ctx, sqlNextOrg)
}

// RequestClients returns the clients of an organization of which requests are logged, sorted.
func (r *reader) RequestClients(ctx context.Context, org string) ([]string, error) {
	return r.leap(ctx, sqlNextClient, org)
}

// leap asks for one value after the other, each by a search of the index.
func (r *reader) leap(ctx context.Context, text string, lead ...any) (list []string, err error) {
	for last := ""; ; {
		rows, err := r.q.query(ctx, text, append(slices.Clone(lead), last)...)
		next, ok, err := first(rows, err, func(r *sql.Rows, v *string) error { return r.Scan(v) })
		if err != nil || !ok {
			return list, wrap("clients of requests", err)
		}
		last = next
		list = append(list, next)
	}
}

// CountRequests counts the requests of a client since a time by the index of their status.
func (r *reader) CountRequests(ctx context.Context, org, source string, since time.Time) (c connector.RequestCounts, err error) {
	from := connector.FirstID(since)
	err = r.statuses(ctx, org, source, [2]int{0, anyStatus}, func(status int) error {
		rows, err := r.q.query(ctx, sqlCountRequests, org, source, status, from[:])
		n, _, err := first(rows, err, func(r *sql.Rows, v *int) error { return r.Scan(v) })
		if c.Requests += n; status >= 400 {
			c.Errors += n
		}
		return err
	})
	return c, wrap("count requests", err)
}
