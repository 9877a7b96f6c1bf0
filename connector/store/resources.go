package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"usherd/connector"
)

// fewIDs is how many a condition may leave of an organization to be looked up one by one. With more of them
// the rows are walked in order, and those who do not meet it are left out.
const fewIDs = 512

// resourcePlace is a row in an order: where a page began or ended.
type resourcePlace struct {
	Sort connector.ResourceSort `json:"s"`
	Text string                 `json:"t,omitempty"`
	Time int64                  `json:"n,omitempty"`
	ID   connector.ID           `json:"i"`
}

func (p *resourcePlace) compare(q *resourcePlace) int {
	return cmp.Or(strings.Compare(p.Text, q.Text), cmp.Compare(p.Time, q.Time), compareIDs(p.ID, q.ID))
}

func (p *resourcePlace) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // a number, a text and an id
	}
	return string(text)
}

// column is the one by which the order goes before the id; "" where there is none.
func (p *resourcePlace) column(kind connector.ResourceKind) string {
	switch {
	case p.Sort == connector.ByCreated && kind == connector.GroupResource:
		return "g.created_at"
	case p.Sort == connector.ByLastModified && kind == connector.GroupResource:
		return "g.updated_at"
	case p.Sort == connector.ByDisplayName && kind == connector.GroupResource:
		return "g.folded"
	case p.Sort == connector.ByCreated:
		return "u.created_at"
	case p.Sort == connector.ByLastModified:
		return "u.updated_at"
	case p.Sort == connector.ByUserName || p.Sort == connector.ByDisplayName:
		return "k.value"
	}
	return ""
}

// value is what that column holds.
func (p *resourcePlace) value() any {
	if p.Sort == connector.ByCreated || p.Sort == connector.ByLastModified {
		return p.Time
	}
	return p.Text
}

// lookup is what lists of users and of groups differ in.
type lookup[T any] struct {
	kind    connector.ResourceKind
	columns string
	scan    func(row, *T) error
	place   func(*T, connector.ResourceSort) resourcePlace
}

// pager collects one page of a query.
type pager[T any] struct {
	lookup[T]
	r        *reader
	q        connector.ResourceQuery
	from     *resourcePlace // it begins behind it, in the direction of the walk
	backward bool           // the page ends before Before: it is walked from there
	down     bool           // the direction of the walk
	rows     []T            // in that direction, one more than the page has where there are more
}

// resources returns a page of a query.
func resources[T any](ctx context.Context, r *reader, l lookup[T], q connector.ResourceQuery) (*connector.Page[T], error) {
	p := pager[T]{lookup: l, r: r, q: q, backward: q.Before != ""}
	p.q.Limit, p.q.Offset = pageSize(q.Limit), max(q.Offset, 0)
	p.down = q.Descending != p.backward
	if err := p.check(); err != nil {
		return nil, err
	}
	var err error
	if p.q.Where, err = r.unnested(ctx, q.Org, q.Where); err == nil {
		err = p.collect(ctx)
	}
	if err != nil {
		return nil, wrap("resources", err)
	}
	return p.page(), nil
}

func (p *pager[T]) check() error {
	if p.backward && (p.q.After != "" || p.q.Offset > 0) {
		return invalid("resources", "a page before a place has no After and no Offset")
	}
	if p.q.Sort < connector.ByID || p.q.Sort > connector.ByLastModified || p.kind == connector.GroupResource && p.q.Sort == connector.ByUserName {
		return invalid("resources", "there is no such order")
	}
	if err := p.q.Where.Check(p.kind); err != nil {
		return invalid("resources", "condition: %w", err)
	}
	text := p.q.After + p.q.Before
	if text == "" {
		return nil
	}
	p.from = &resourcePlace{}
	if err := json.Unmarshal([]byte(text), p.from); err != nil || p.from.Sort != p.q.Sort {
		return invalid("resources", "a place is not what a page of this query gave")
	}
	return nil
}

// page turns the rows round where they were walked backwards, and names the places.
func (p *pager[T]) page() *connector.Page[T] {
	more := len(p.rows) > p.q.Limit
	rows := p.rows[:min(len(p.rows), p.q.Limit)]
	before := p.q.After != "" || p.q.Offset > 0
	if p.backward {
		slices.Reverse(rows)
		more, before = true, more
	}
	page := &connector.Page[T]{Items: rows}
	if n := len(rows); n > 0 {
		at := p.place(&rows[n-1], p.q.Sort)
		page.Last = at.String()
	}
	if more {
		page.Next = page.Last
	}
	if len(rows) > 0 && before {
		at := p.place(&rows[0], p.q.Sort)
		page.Previous = at.String()
	}
	return page
}

// collect looks up the few that a condition leaves, or walks all in order.
func (p *pager[T]) collect(ctx context.Context) error {
	if p.q.Where == nil {
		return p.walk(ctx)
	}
	sets := p.asker(false).choices(p.q.Where)
	d, ids, err := p.r.smallest(ctx, p.q.Where, sets)
	switch {
	case err != nil:
		return err
	case d != nil:
		return p.few(ctx, *d, ids)
	case p.q.Sort == connector.ByID && p.q.Offset <= fewIDs && len(sets) > 0 && sets[0].rest == nil:
		return p.along(ctx, sets[0].set)
	}
	return p.walk(ctx)
}

// smallest returns the first set that holds no more than a few, and the ids in it but where the set is one by
// a unique index; nil when there is none.
func (r *reader) smallest(ctx context.Context, c *connector.Condition, sets []choice) (*choice, []connector.ID, error) {
	for i := range sets[:min(len(sets), maxProbes)] {
		if sets[i].cost == oneRow {
			return &sets[i], nil, nil
		}
		ids, err := r.ids(ctx, keep(c), sets[i].set.wrapped("SELECT id FROM (", ") AS s LIMIT 0 + ?").then(say("", r.few+1)))
		if err != nil {
			return nil, nil, err
		}
		if len(ids) <= r.few {
			slices.SortFunc(ids, compareIDs)
			return &sets[i], append([]connector.ID{}, slices.Compact(ids)...), nil
		}
	}
	return nil, nil, nil
}

// maxProbes bounds how many sets are tried.
const maxProbes = 4

// ids runs a statement that gives ids.
func (r *reader) ids(ctx context.Context, keep bool, q clause) ([]connector.ID, error) {
	rows, err := r.ask(ctx, keep, q)
	return add[connector.ID](nil, rows, err, func(r *sql.Rows, id *connector.ID) error { return r.Scan((*idColumn)(id)) })
}

// asker is for rows in the order of the query, or of ids alone.
func (p *pager[T]) asker(ordered bool) *asker {
	return newAsker(p.kind, &p.q, ordered)
}

func newAsker(kind connector.ResourceKind, q *connector.ResourceQuery, ordered bool) *asker {
	a := &asker{org: q.Org, client: q.Client, kind: kind, id: "u.id"}
	switch {
	case kind == connector.GroupResource:
		a.id = "g.id"
	case ordered && q.Sort == connector.ByUserName:
		a.id, a.order = "k.user_id", keyUserName
	case ordered && q.Sort == connector.ByDisplayName:
		a.id, a.order = "k.user_id", termDisplayName
	}
	return a
}
