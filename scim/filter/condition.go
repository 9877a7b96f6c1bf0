package filter

import (
	"time"

	filter "github.com/scim2/filter-parser/v2"

	"usherd/connector"
	"usherd/scim/schema"
)

// Condition gives what of the filter the store finds by its indexes. If exact, the condition is met by those who match
// and nobody else; if not, also by others, and Match decides. nil is met by everybody.
func (f *Filter) Condition() (c *connector.Condition, exact bool) {
	r := f.root.reach(f.kind)
	if r.who == nobody {
		// An id is never missing.
		return &connector.Condition{Op: connector.OpNot, Of: []*connector.Condition{{Op: connector.OpPr, Field: connector.OnID}}}, true
	}
	return r.condition, r.exact
}

// reach is what a condition can say of a part of a filter: who meets it at most.
type reach struct {
	who       extent
	condition *connector.Condition // for some
	exact     bool                 // they all match; always so of nobody
}

type extent int

const (
	everybody extent = iota
	nobody
	some
)

func whether(all bool) reach {
	if all {
		return reach{who: everybody, exact: true}
	}
	return reach{who: nobody, exact: true}
}

func (n constant) reach(*schema.Type) reach { return whether(bool(n)) }

func (n allOf) reach(t *schema.Type) reach { return both(n.left.reach(t), n.right.reach(t)) }
func (n anyOf) reach(t *schema.Type) reach { return either(n.left.reach(t), n.right.reach(t)) }

// both keeps whatever an index knows of either part.
func both(l, r reach) reach {
	exact := l.exact && r.exact
	switch {
	case l.who == nobody || r.who == nobody:
		return whether(false)
	case l.who == everybody:
		return reach{r.who, r.condition, exact}
	case r.who == everybody:
		return reach{l.who, l.condition, exact}
	}
	return reach{some, join(connector.OpAnd, l.condition, r.condition), exact}
}

// either needs an index for each part.
func either(l, r reach) reach {
	switch {
	case l.who == nobody:
		return r
	case r.who == nobody:
		return l
	case l.who == everybody || r.who == everybody:
		return reach{who: everybody, exact: l.who == everybody && l.exact || r.who == everybody && r.exact}
	}
	return reach{some, join(connector.OpOr, l.condition, r.condition), l.exact && r.exact}
}

func (n negation) reach(t *schema.Type) reach {
	r := n.below.reach(t)
	switch {
	case !r.exact:
		return reach{who: everybody}
	case r.who != some:
		return whether(r.who == nobody)
	}
	return reach{some, &connector.Condition{Op: connector.OpNot, Of: []*connector.Condition{r.condition}}, true}
}

// join puts conditions under one operator, flat.
func join(op connector.ConditionOp, l, r *connector.Condition) *connector.Condition {
	c := &connector.Condition{Op: op}
	for _, p := range []*connector.Condition{l, r} {
		if p.Op == op {
			c.Of = append(c.Of, p.Of...)
		} else {
			c.Of = append(c.Of, p)
		}
	}
	return c
}

// reach of brackets: who has a value that matches, has for each part of the filter some value that does. So what an
// index knows of the values narrows it down, and for single comparisons and "or" it is exact. It is not for "and", which
// asks for one value that does both, and says nothing of what is true of an element without a value.
func (n element) reach(t *schema.Type) reach { return reachWithin(n.below, t) }

func reachWithin(below node, t *schema.Type) reach {
	switch below := below.(type) {
	case allOf:
		r := both(reachWithin(below.left, t), reachWithin(below.right, t))
		r.exact = r.who == nobody
		return r
	case anyOf:
		return either(reachWithin(below.left, t), reachWithin(below.right, t))
	case *test:
		if !below.unassigned() {
			r := below.reach(t)
			r.exact = r.exact && r.who != everybody
			return r
		}
	}
	return reach{who: everybody}
}

// fields are the attributes of which the store has an index, by Attribute.Path. Of groups and members it also knows
// whether there are any, since each has a value; an e-mail may be nothing but a type.
var fields = map[string]string{
	"id": connector.OnID, "externalId": connector.OnExternalID, "userName": connector.OnUserName,
	"displayName": connector.OnDisplayName, "active": connector.OnActive,
	"emails.value": connector.OnEmail, "phoneNumbers.value": connector.OnPhone,
	"meta.created": connector.OnCreated, "meta.lastModified": connector.OnLastModified,
	"groups": connector.OnGroupNested, "groups.value": connector.OnGroupNested,
	"members": connector.OnMember, "members.value": connector.OnMember,
	schema.EnterpriseURN + ":employeeNumber": connector.OnEmployeeNumber,
	schema.EnterpriseURN + ":manager.value":  connector.OnManager,
	schema.UsherdURN + ":state":              connector.OnState,
	schema.UsherdURN + ":package":            connector.OnPackage,
}

func (n *test) reach(t *schema.Type) reach {
	path := n.of.Path()
	switch {
	case path == "meta.resourceType": // all have the same
		return whether(n.holds(t.Name))
	case path == "schemas" && n.op == filter.EQ && n.holds(t.Core.ID): // all have that one
		return whether(true)
	}
	kind := connector.UserResource
	if t == schema.Group() {
		kind = connector.GroupResource
	}
	c := &connector.Condition{Op: connector.ConditionOp(n.op), Field: fields[path], Value: n.value()}
	if n.null { // eq null is not pr, and ne null is pr
		c.Op, c.Value = connector.OpPr, ""
	}
	if c.Check(kind) != nil {
		return reach{who: everybody}
	}
	if n.null && n.op == filter.EQ {
		c = &connector.Condition{Op: connector.OpNot, Of: []*connector.Condition{c}}
	}
	return reach{some, c, true}
}

// value is the operand as the store compares it.
func (n *test) value() string {
	switch {
	case n.op == filter.PR || n.null:
		return ""
	case n.of.Kind == schema.Boolean && n.flag:
		return "true"
	case n.of.Kind == schema.Boolean:
		return "false"
	case n.of.Kind == schema.DateTime:
		return n.instant.UTC().Format(time.RFC3339Nano)
	}
	return n.text
}
