package store

import (
	"cmp"
	"slices"
	"time"

	"usherd/connector"
)

// asker turns conditions on resources of one kind into SQL about the rows of a walk: `u` users, `k` the names
// in whose order they come, `l` the client's own links, `g` groups. No expression of it is ever NULL.
type asker struct {
	org, client string
	kind        connector.ResourceKind
	id          string // of the row that is walked: u.id, k.user_id or g.id
	order       int64  // the kind of names that k walks; 0 = there is no k

	usesUser, usesLink bool // columns of u or l stand in an expression
	usesSets           bool // so does a set, which is made anew for each statement
}

// leaf is what a test comes to.
type leaf struct {
	test clause // about the row
	// set selects the ids of exactly those who meet it, and rest of those who do not; the one that an index does
	// not give is empty. Nobody of another organization or state is in a set.
	set, rest clause
	cost      setCost
	many      bool // an id may stand in the set more than once
}

// setCost orders sets by how many rows they may have to look at.
type setCost int

const (
	oneRow    setCost = iota // by a unique index
	someRows                 // a range of an index
	wholeTerm                // all values of that kind in the organization, or all links of the client
)

// test is a condition as an expression.
func (a *asker) test(c *connector.Condition) clause {
	switch c.Op { //nolint:exhaustive // all others are tests
	case connector.OpNot:
		return a.test(c.Of[0]).not()
	case connector.OpAnd, connector.OpOr:
		parts := make([]clause, len(c.Of))
		for i, below := range c.Of {
			parts[i] = a.test(below).wrapped("(", ")")
		}
		return joined(map[connector.ConditionOp]string{connector.OpAnd: " AND ", connector.OpOr: " OR "}[c.Op], parts)
	}
	l := a.leaf(c)
	if l.test.text != "" {
		return l.test
	}
	a.usesSets = true
	if l.set.text != "" {
		return l.set.wrapped(noIndex+a.id+" IN (", ")")
	}
	return l.rest.wrapped(noIndex+a.id+" NOT IN (", ")")
}

// noIndex before a column keeps SQLite from using an index of it: rows come in order and what a set holds is only
// looked up, or an index would go over all organizations.
const noIndex = "+"

// leaf is what a test comes to. A test of which nothing is set is asked of its set.
func (a *asker) leaf(c *connector.Condition) leaf {
	if c.Op == connector.OpNe {
		return a.unequal(c)
	}
	switch c.Field {
	case connector.OnID:
		return a.byID(c)
	case connector.OnCreated, connector.OnLastModified:
		return a.byTime(c)
	}
	if a.kind == connector.GroupResource {
		return a.groupLeaf(c)
	}
	return a.userLeaf(c)
}

// unequal is true where there is no value, and of several values where any is another one.
func (a *asker) unequal(c *connector.Condition) leaf {
	same := *c
	same.Op = connector.OpEq
	switch c.Field {
	case connector.OnGroup, connector.OnGroupNested:
		return leaf{test: a.otherGroup(c)}
	case connector.OnMember:
		return leaf{test: a.otherMember(c)}
	case connector.OnEmail, connector.OnPhone: // not so are those who have it and nothing else
		has := a.leaf(&same).set
		table, kind := termTable(c.Field)
		others := say(`SELECT user_id FROM `+table+` WHERE org = ? AND kind = ? AND value <> ?`, a.org, kind, c.Value)
		others = others.then(has.wrapped(` AND `+noIndex+`user_id IN (`, `)`))
		return leaf{rest: has.then(others.wrapped(` AND `+noIndex+`user_id NOT IN (`, `)`))}
	}
	l := a.leaf(&same)
	if l.test.text != "" {
		l.test = l.test.not()
	}
	return leaf{test: l.test, rest: l.set, many: l.many}
}

func (a *asker) byID(c *connector.Condition) leaf {
	if c.Op == connector.OpPr {
		return leaf{test: always}
	}
	id, ok := exactID(c.Value)
	set := say(`SELECT u.id AS id FROM users u WHERE u.id = ? AND u.org = ? AND `+liveUser, id[:], a.org)
	if a.kind == connector.GroupResource {
		set = say(`SELECT g.id AS id FROM groups g WHERE g.id = ? AND g.org = ? AND g.source = ?`, id[:], a.org, a.client)
	}
	test := say(a.id+" = ?", id[:])
	if !ok {
		set, test = set.then(say(" AND "), never), never
	}
	return leaf{test: test, set: set}
}

// exactID reads an id in the very form in which it is shown.
func exactID(text string) (connector.ID, bool) {
	id, err := connector.ParseID(text)
	return id, err == nil && id.String() == text
}

func (a *asker) byTime(c *connector.Condition) leaf {
	if c.Op == connector.OpPr {
		return leaf{test: always}
	}
	t, _ := time.Parse(time.RFC3339Nano, c.Value) // Check has tried it
	column := "created_at"
	if c.Field == connector.OnLastModified {
		column = "updated_at"
	}
	if a.kind == connector.GroupResource {
		test := timeTest("g."+column, c.Op, t)
		return leaf{test: test, cost: someRows, set: say(`SELECT g.id AS id FROM groups g WHERE g.org = ? AND g.source = ? AND `, a.org, a.client).then(test)}
	}
	a.usesUser = true
	test := timeTest("u."+column, c.Op, t)
	return leaf{test: test, cost: someRows, set: say(`SELECT u.id AS id FROM users u WHERE u.org = ? AND `+liveUser+` AND `, a.org).then(test)}
}

// choice is a set in which all are that meet a condition.
type choice struct {
	set  clause
	cost setCost
	many bool
	rest *connector.Condition // what they have to meet beside; nil = nothing
}

// choices are the sets that an index gives for a condition, the smaller ones first; none where it gives none.
func (a *asker) choices(c *connector.Condition) (list []choice) {
	switch c.Op { //nolint:exhaustive // all others are tests
	case connector.OpNot:
	case connector.OpAnd:
		for i, below := range c.Of {
			for _, d := range a.choices(below) {
				d.rest = without(c.Of, i, d.rest)
				list = append(list, d)
			}
		}
		slices.SortStableFunc(list, func(x, y choice) int { return cmp.Compare(x.cost, y.cost) })
	case connector.OpOr:
		all := choice{many: true}
		sets := make([]clause, 0, len(c.Of))
		for _, below := range c.Of {
			own := a.choices(below)
			if len(own) == 0 {
				return nil
			}
			sets = append(sets, own[0].set)
			if all.cost = max(all.cost, own[0].cost); own[0].rest != nil {
				all.rest = c
			}
		}
		all.set = joined(" UNION ALL ", sets)
		list = append(list, all)
	default:
		if l := a.leaf(c); l.set.text != "" {
			list = append(list, choice{set: l.set, cost: l.cost, many: l.many})
		}
	}
	return list
}

// without is what is left of an `and` when the condition at one place has only rest left.
func without(list []*connector.Condition, at int, rest *connector.Condition) *connector.Condition {
	var left []*connector.Condition
	for i, c := range list {
		switch {
		case i != at:
			left = append(left, c)
		case rest != nil:
			left = append(left, rest)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return &connector.Condition{Op: connector.OpAnd, Of: left}
}
