package store

import (
	"usherd/connector"
)

// seenMember is true of members that the group's client sees.
const seenMember = `(EXISTS (SELECT 1 FROM users d WHERE ` + memberUser + `)
 OR EXISTS (SELECT 1 FROM groups n WHERE n.id = m.key AND n.org = g.org AND n.source = g.source))`

func (a *asker) groupLeaf(c *connector.Condition) leaf {
	set := say(`SELECT g.id AS id FROM groups g WHERE g.org = ? AND g.source = ? AND `, a.org, a.client)
	switch c.Field {
	case connector.OnExternalID:
		test := anchorTest("g.anchor", c.Op, c.Value)
		l := leaf{test: test, set: set.then(anchorTest(noIndex+"g.anchor", c.Op, c.Value)), cost: wholeTerm}
		if c.Op == connector.OpEq {
			l.cost = oneRow
			l.set = test.wrapped(`SELECT g.id AS id FROM groups g WHERE `, ` AND g.source = ? AND g.org = ?`).then(say("", a.client, a.org))
		}
		return l
	case connector.OnMember:
		return a.member(c)
	}
	test := textTest("g.folded", c.Op, c.Value)
	l := leaf{test: test, set: set.then(test), cost: someRows}
	if c.Op == connector.OpCo || c.Op == connector.OpEw {
		l.cost = wholeTerm
	}
	return l
}

func (a *asker) member(c *connector.Condition) leaf {
	if c.Op == connector.OpPr {
		return leaf{test: a.anyMember(clause{})}
	}
	id, ok := exactID(c.Value)
	if !ok {
		return leaf{test: never}
	}
	return leaf{
		test: a.anyMember(say(" AND m.key = ?", id[:])),
		set: say(`SELECT g.id AS id FROM members m JOIN groups g ON g.id = m.group_id WHERE m.key = ? AND g.org = ? AND g.source = ? AND `+seenMember,
			id[:], a.org, a.client),
		cost: someRows,
	}
}

// otherMember is true of groups that have another member, or none.
func (a *asker) otherMember(c *connector.Condition) clause {
	id, ok := exactID(c.Value)
	if !ok {
		return always
	}
	return a.anyMember(clause{}).not().then(say(" OR "), a.anyMember(say(" AND m.key <> ?", id[:])))
}

func (a *asker) anyMember(more clause) clause {
	return say("EXISTS (SELECT 1 FROM members m WHERE m.group_id = g.id AND "+seenMember).then(more, say(")"))
}
