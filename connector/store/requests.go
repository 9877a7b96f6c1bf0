package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"usherd/connector"
)

const (
	sqlNextOrg    = `SELECT org FROM request_blocks WHERE org > ? ORDER BY org LIMIT 1`
	sqlNextClient = `SELECT source FROM request_blocks WHERE org = ? AND source > ? ORDER BY source LIMIT 1`

	// sqlBlockOf gives the block in which the request with that id stands, or would.
	sqlBlockOf    = `SELECT last, data FROM request_blocks WHERE org = ? AND source = ? AND last >= ? ORDER BY last LIMIT 1`
	sqlHeads      = `SELECT last, about FROM request_blocks WHERE org = ? AND source = ? AND last > ? AND last < ? ORDER BY last DESC LIMIT 0 + ?`
	sqlLaterHeads = `SELECT last, about FROM request_blocks WHERE org = ? AND source = ? AND last >= ? ORDER BY last`

	sqlRequestBodies = `SELECT asked, answered FROM request_bodies WHERE org = ? AND source = ? AND id = ?`
)

// topID is above every id.
var topID = connector.ID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Requests returns logged requests, latest first. Blocks are read backwards until the page is full; of those that have nobody
// and no status of what is asked for, only what is told of them.
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
		if list, err = r.requestsOf(ctx, list, newWindow(source, &q)); err != nil {
			return nil, wrap("requests", err)
		}
	}
	slices.SortFunc(list, func(a, b connector.Request) int { return compareIDs(b.ID, a.ID) })
	list = list[:min(len(list), q.Limit)]
	if !q.Bodies {
		return list, nil
	}
	return list, wrap("requests", r.bodies(ctx, list))
}

// Request returns one request of the log, with its bodies where they are stored; ok is false where there is none.
func (r *reader) Request(ctx context.Context, org string, id connector.ID) (q connector.Request, ok bool, err error) {
	sources, err := r.RequestClients(ctx, org)
	for _, source := range sources {
		b, err := readBlock(ctx, r.q, sqlBlockOf, org, source, id[:])
		if err != nil {
			return q, false, wrap("request", err)
		}
		if b == nil {
			continue
		}
		if i := slices.IndexFunc(b.rows, func(q connector.Request) bool { return q.ID == id }); i >= 0 {
			return b.rows[i], true, wrap("request", r.bodies(ctx, b.rows[i:i+1]))
		}
	}
	return q, false, wrap("request", err)
}

// window is what a walk through the log of one client looks for.
type window struct {
	org, source string
	after, end  connector.ID // both are left out
	since       time.Time
	status      [2]int // both ends included; {0, 0} = any
	folded      string // of the person, "" = anybody
	user        connector.ID
	hashes      []uint32 // of both
	limit       int
}

func newWindow(source string, q *connector.RequestQuery) *window {
	w := &window{
		org: q.Org, source: source, after: q.After, end: q.Before, since: q.Since, status: q.Status, folded: connector.Fold(q.Person), user: q.User,
		limit: q.Limit,
	}
	if from := connector.FirstID(q.Since); !q.Since.IsZero() && compareIDs(from, w.after) > 0 {
		w.after = from
	}
	if w.end.IsZero() {
		w.end = topID
	}
	if w.folded != "" {
		w.hashes = append(w.hashes, personHash(w.folded))
	}
	if !w.user.IsZero() {
		w.hashes = append(w.hashes, userHash(w.user))
	}
	return w
}

func (w *window) anybody() bool   { return w.folded == "" && w.user.IsZero() }
func (w *window) anyStatus() bool { return w.status == [2]int{} }

func (w *window) takesStatus(status int) bool {
	return w.anyStatus() || status >= w.status[0] && status <= w.status[1]
}

func (w *window) takes(r *connector.Request) bool {
	if compareIDs(r.ID, w.after) <= 0 || compareIDs(r.ID, w.end) >= 0 || r.At.Before(w.since) || !w.takesStatus(r.Status) {
		return false
	}
	return w.anybody() || w.folded != "" && connector.Fold(r.Person) == w.folded || !w.user.IsZero() && r.User == w.user
}

// mayTake is false where takes is false for all requests of a block.
func (w *window) mayTake(a about) bool {
	some := w.anyStatus()
	if !some {
		a.statuses(func(status, _ int) { some = some || w.takesStatus(status) })
	}
	return some && (w.anybody() || a.has(w.hashes))
}

// requestsOf adds the requests of one client. Blocks may be put together or split between two statements: what is left to
// look at is told by the id below which it is.
func (r *reader) requestsOf(ctx context.Context, list []connector.Request, w *window) ([]connector.Request, error) {
	full := len(list) + w.limit
	var b *block
	var err error
	if w.end != topID {
		b, err = readBlock(ctx, r.q, sqlBlockOf, w.org, w.source, w.end[:])
	}
	for {
		if err != nil {
			return nil, err
		}
		if b != nil {
			for _, q := range slices.Backward(b.rows) {
				if len(list) < full && w.takes(&q) {
					list = append(list, q)
				}
			}
			if first := b.rows[0].ID; compareIDs(first, w.end) < 0 {
				w.end = first
			}
		}
		if len(list) == full {
			return list, nil
		}
		var more bool
		if b, more, err = r.nextBlock(ctx, w); err == nil && !more {
			return list, nil
		}
	}
}

// headsStep is how many heads are asked for at once where most of their blocks need not be read.
const headsStep = 100

// nextBlock returns the next block backwards that may have what is looked for; it is nil where that has just been deleted.
// More is false at the end.
func (r *reader) nextBlock(ctx context.Context, w *window) (b *block, more bool, err error) {
	step := headsStep
	if w.anybody() && w.anyStatus() {
		step = 1
	}
	for {
		rows, err := r.q.query(ctx, sqlHeads, w.org, w.source, w.after[:], w.end[:], step)
		heads, err := add[blockHead](nil, rows, err, scanHead)
		if err != nil {
			return nil, false, err
		}
		for i := range heads {
			h := &heads[i]
			if w.mayTake(h.about) {
				b, err := readBlock(ctx, r.q, sqlBlockOf, w.org, w.source, h.last[:])
				return b, true, err
			}
			w.end = h.last
		}
		if len(heads) < step {
			return nil, false, nil
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

// CountRequests counts the requests of a client since a time, by what is told of blocks.
func (r *reader) CountRequests(ctx context.Context, org, source string, since time.Time) (c connector.RequestCounts, err error) {
	from := connector.FirstID(since)
	rows, err := r.q.query(ctx, sqlLaterHeads, org, source, from[:])
	heads, err := add[blockHead](nil, rows, err, scanHead)
	if err != nil || len(heads) == 0 {
		return c, wrap("count requests", err)
	}
	b, err := readBlock(ctx, r.q, sqlBlockOf, org, source, from[:]) // it has earlier ones too, perhaps
	if err != nil || b == nil {
		return c, wrap("count requests", err)
	}
	b.rows = slices.DeleteFunc(b.rows, func(q connector.Request) bool { return compareIDs(q.ID, from) < 0 })
	c = aboutBlock(b.rows).requests()
	for i := range heads {
		if compareIDs(heads[i].last, b.stored) > 0 {
			part := heads[i].about.requests()
			c.Requests += part.Requests
			c.Errors += part.Errors
			c.Throttled += part.Throttled
		}
	}
	return c, nil
}
