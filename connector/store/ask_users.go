package store

import (
	"usherd/connector"
)

const (
	liveStates = `NOT IN ('deleted', 'converted_away')`
	liveUser   = `u.state ` + liveStates

	// Whom a client has deleted, by a small index.
	goneLinks = `SELECT w.user_id FROM links w WHERE w.org = ? AND w.source = ? AND w.standing = 'gone'`

	// A client's groups name their members by id. Whom it has deleted is left out with all whom it does not see.
	setOfGroup  = `SELECT d.id AS id FROM groups g JOIN members m ON m.group_id = g.id JOIN users d ON ` + liveMember + ` WHERE g.org = ? AND g.source = ? AND g.id = ?`
	setOfNested = `SELECT d.id AS id FROM groups g JOIN members m ON m.group_id = g.id JOIN users d ON ` + liveMember + `
 WHERE g.org = ? AND g.source = ? AND g.id IN (` + nestedGroups + ` SELECT id FROM nested)`
	inClientGroup = `SELECT 1 FROM members m JOIN groups g ON g.id = m.group_id WHERE g.org = ? AND g.source = ? AND m.key = `

	// All groups above one.
	setAbove = `WITH RECURSIVE above (id) AS (
 SELECT id FROM groups WHERE org = ? AND id = ?
 UNION SELECT p.id FROM above x JOIN groups g ON g.id = x.id JOIN members m ON m.key = g.dn_key
   JOIN groups p ON p.id = m.group_id AND p.source = g.source AND p.org = g.org) SELECT 1 FROM above WHERE id <> ?`
)

func (a *asker) userLeaf(c *connector.Condition) leaf {
	switch c.Field {
	case connector.OnActive:
		return a.active(c)
	case connector.OnState:
		a.usesUser = true
		l := leaf{test: textTest("u.state", c.Op, c.Value)}
		if c.Op == connector.OpEq && c.Value != string(connector.Active) {
			l.set, l.cost = a.inState(c.Value), someRows
		}
		return l
	case connector.OnPackage:
		a.usesUser = true
		l := leaf{test: textTest("u.package", c.Op, c.Value)}
		if c.Op == connector.OpEq {
			l.cost = someRows
			l.set = say(`SELECT u.id AS id FROM users u WHERE u.org = ? AND u.package = ? AND u.package <> '' AND `+liveUser, a.org, c.Value)
		}
		return l
	case connector.OnExternalID:
		return a.linked(c)
	case connector.OnGroup, connector.OnGroupNested:
		return a.inGroup(c)
	}
	return a.named(c)
}

// inState selects the users in a state other than active.
func (a *asker) inState(state string) clause {
	return say(`SELECT u.id AS id FROM users u WHERE u.org = ? AND u.state = ? AND u.state <> 'active' AND `+liveUser, a.org, state)
}

func (a *asker) active(c *connector.Condition) leaf {
	a.usesUser = true
	switch {
	case c.Op == connector.OpPr:
		return leaf{test: always}
	case c.Value == "true":
		return leaf{test: say(`u.state <> 'inactive'`)}
	case c.Value == "false":
		return leaf{test: say(`u.state = 'inactive'`), set: a.inState(string(connector.Inactive)), cost: someRows}
	}
	return leaf{test: never}
}

// linked tests the anchor of the client's own link.
func (a *asker) linked(c *connector.Condition) leaf {
	a.usesLink = true
	l := leaf{test: anchorTest("coalesce(l.anchor, CAST('' AS BLOB))", c.Op, c.Value), cost: wholeTerm}
	// The index of anchors goes over all organizations: but for one anchor, the client's own links are looked at.
	l.set = say(`SELECT w.user_id AS id FROM links w WHERE w.org = ? AND w.source = ? AND `, a.org, a.client).then(anchorTest(noIndex+"w.anchor", c.Op, c.Value))
	if c.Op == connector.OpEq {
		l.cost = oneRow
		l.set = anchorTest("w.anchor", c.Op, c.Value).wrapped(`SELECT w.user_id AS id FROM links w WHERE `, ` AND w.source = ? AND w.org = ?`).then(say("", a.client, a.org))
	}
	return l
}

// named tests what user_keys or user_terms hold.
func (a *asker) named(c *connector.Condition) leaf {
	table, kind := termTable(c.Field)
	l := leaf{cost: someRows, many: c.Field == connector.OnEmail || c.Field == connector.OnPhone}
	if kind == a.order && !l.many {
		l.test = textTest("k.value", c.Op, c.Value)
	}
	l.set = say(`SELECT user_id AS id FROM `+table+` WHERE org = ? AND kind = ? AND `, a.org, kind).then(textTest("value", c.Op, c.Value))
	switch {
	case c.Op == connector.OpPr && kind == termDisplayName && l.test.text == "": // those without one are fewer
		a.usesSets = true
		l.test = say(noIndex+a.id+` NOT IN (SELECT user_id FROM user_terms WHERE org = ? AND kind = ? AND value = ?)`, a.org, kind, unnamed)
	case c.Op == connector.OpCo || c.Op == connector.OpEw:
		l.cost = wholeTerm
	case c.Op == connector.OpEq && kind < termKind:
		l.cost, l.many = oneRow, false
	}
	return l
}

// termTable says where the values of a field are.
func termTable(field string) (table string, kind int64) {
	switch field {
	case connector.OnUserName:
		return "user_keys", keyUserName
	case connector.OnEmail:
		return "user_keys", keyEmail
	case connector.OnEmployeeNumber:
		return "user_terms", termEmployeeNumber
	case connector.OnManager:
		return "user_terms", termManager
	case connector.OnPhone:
		return "user_terms", termPhone
	}
	return "user_terms", termDisplayName
}

// inGroup tests in which groups of the client a user is. That it is in any at all is asked for each user.
func (a *asker) inGroup(c *connector.Condition) leaf {
	if c.Op == connector.OpPr {
		return leaf{test: a.directGroup(clause{})}
	}
	id, ok := exactID(c.Value)
	switch {
	case !ok:
		return leaf{test: never}
	case c.Field == connector.OnGroupNested:
		return leaf{set: say(setOfNested, a.org, a.client, a.org, id[:]), cost: someRows, many: true}
	}
	return leaf{set: say(setOfGroup, a.org, a.client, id[:]), cost: someRows}
}

// otherGroup is true of users who are in another group, or in none.
func (a *asker) otherGroup(c *connector.Condition) clause {
	none := a.directGroup(clause{}).not()
	id, ok := exactID(c.Value)
	if !ok {
		return always
	}
	other := none.then(say(" OR "), a.directGroup(say(" AND g.id <> ?", id[:])))
	if c.Field == connector.OnGroup {
		return other
	}
	// Who is in that group alone is in those above it as well; who is in it through another one, is in that one.
	return other.then(say(" OR EXISTS ("+setAbove+")", a.org, id[:], id[:]))
}

// directGroup is true of users whom a group of the client has directly of which more holds.
func (a *asker) directGroup(more clause) clause {
	return say("EXISTS ("+inClientGroup+a.id, a.org, a.client).then(more, say(")"))
}
