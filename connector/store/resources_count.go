package store

import (
	"context"
	"database/sql"
	"strings"

	"usherd/connector"
)

const (
	sqlCountGone        = `SELECT count(*) FROM links w WHERE w.org = ? AND w.source = ? AND w.standing = 'gone'`
	sqlCountGoneInState = `SELECT count(*) FROM links w JOIN users u ON u.id = w.user_id WHERE w.org = ? AND w.source = ? AND w.standing = 'gone' AND `
	sqlCountGroupsOf    = `SELECT count(*) FROM groups WHERE org = ? AND source = ?`
)

// counter counts the resources of one query.
type counter struct {
	r    *reader
	kind connector.ResourceKind
	q    *connector.ResourceQuery
}

// CountResources returns how many there are, see connector.Resources. Without a condition, and for a state, it
// reads counters; for one test it counts the entries of its index.
func (r *reader) CountResources(ctx context.Context, kind connector.ResourceKind, q connector.ResourceQuery) (int, error) {
	if err := q.Where.Check(kind); err != nil {
		return 0, invalid("count resources", "condition: %w", err)
	}
	where, err := r.unnested(ctx, q.Org, q.Where)
	n := 0
	if err == nil {
		n, err = counter{r, kind, &q}.count(ctx, where)
	}
	return n, wrap("count resources", err)
}

func (k counter) count(ctx context.Context, c *connector.Condition) (int, error) {
	switch {
	case c == nil:
		return k.all(ctx)
	case c.Op == connector.OpNot:
		n, err := k.count(ctx, c.Of[0])
		return k.others(ctx, n, err)
	case c.Field == connector.OnState || c.Field == connector.OnActive:
		return k.states(ctx, c)
	}
	a := newAsker(k.kind, k.q, false)
	sets := a.choices(c)
	switch {
	case len(sets) > 0 && sets[0].rest == nil:
		return k.set(ctx, c, sets[0].set, sets[0].many)
	case c.Op == connector.OpNe || c.Op == connector.OpPr:
		l := a.leaf(c)
		if l.test.text == always.text {
			return k.all(ctx)
		}
		if l.rest.text != "" {
			n, err := k.set(ctx, c, l.rest, l.many)
			return k.others(ctx, n, err)
		}
	}
	return k.rows(ctx, c, sets)
}

// all counts without a condition.
func (k counter) all(ctx context.Context) (int, error) {
	if k.kind == connector.GroupResource {
		return k.number(ctx, true, say(sqlCountGroupsOf, k.q.Org, k.q.Client))
	}
	return k.users(ctx, connector.State.Live, say(sqlCountGone, k.q.Org, k.q.Client))
}

// users adds up the counters of some states and takes off those whom the client has deleted.
func (k counter) users(ctx context.Context, in func(connector.State) bool, gone clause) (int, error) {
	counts, err := k.r.CountUsers(ctx, k.q.Org)
	if err != nil {
		return 0, err
	}
	n := 0
	for state, number := range counts {
		if in(state) {
			n += number
		}
	}
	less, err := k.number(ctx, true, gone)
	return n - less, err
}

// others is how many there are beside n.
func (k counter) others(ctx context.Context, n int, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	all, err := k.all(ctx)
	return all - n, err
}

func (k counter) states(ctx context.Context, c *connector.Condition) (int, error) {
	test := newAsker(k.kind, k.q, false).test(c)
	return k.users(ctx, func(s connector.State) bool {
		have := string(s)
		if c.Field == connector.OnActive {
			have = map[bool]string{true: "true", false: "false"}[s != connector.Inactive]
		}
		return s.Live() && meets(c.Op, have, c.Value)
	}, say(sqlCountGoneInState, k.q.Org, k.q.Client).then(test.wrapped("(", ")")))
}

// meets is textTest of a word that is not empty, and OpNe.
func meets(op connector.ConditionOp, have, want string) bool {
	switch op { //nolint:exhaustive // And, Or and Not are no tests
	case connector.OpEq:
		return have == want
	case connector.OpNe:
		return have != want
	case connector.OpCo:
		return strings.Contains(have, want)
	case connector.OpSw:
		return strings.HasPrefix(have, want)
	case connector.OpEw:
		return strings.HasSuffix(have, want)
	case connector.OpGt:
		return have > want
	case connector.OpGe:
		return have >= want
	case connector.OpLt:
		return have < want
	case connector.OpLe:
		return have <= want
	}
	return true
}

// set counts whom the client sees of a set.
func (k counter) set(ctx context.Context, c *connector.Condition, set clause, many bool) (int, error) {
	what := "SELECT count(*) FROM ("
	if many {
		what = "SELECT count(DISTINCT id) FROM ("
	}
	q := set.wrapped(what, ") AS s")
	if k.kind == connector.UserResource {
		q = q.then(say(" WHERE id NOT IN ("+goneLinks+")", k.q.Org, k.q.Client))
	}
	return k.number(ctx, keep(c), q)
}

// rows counts rows that a test holds for: of a small set where there is one, else of all.
func (k counter) rows(ctx context.Context, c *connector.Condition, sets []choice) (int, error) {
	d, _, err := k.r.smallest(ctx, c, sets)
	if err != nil {
		return 0, err
	}
	a := newAsker(k.kind, k.q, false)
	if d == nil {
		return k.number(ctx, keep(c), a.rowsOf(a.test(c), false).wrapped("SELECT count(*)", ""))
	}
	return k.number(ctx, keep(c), a.rowsOf(a.test(d.rest), false).wrapped("SELECT count(*)", "").then(d.set.wrapped(" AND "+a.id+" IN (", ")")))
}

func (k counter) number(ctx context.Context, keep bool, q clause) (int, error) {
	rows, err := k.r.ask(ctx, keep, q)
	n, _, err := first(rows, err, func(r *sql.Rows, n *int) error { return r.Scan(n) })
	return n, err
}
