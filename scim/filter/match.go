package filter

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	filter "github.com/scim2/filter-parser/v2"

	"usherd/connector"
	"usherd/scim/schema"
)

// Match reports whether a resource, in canonical spelling, matches (RFC 7644 section 3.4.2.2):
//
//   - Of several values, one that matches is enough, for ne too. In brackets, all comparisons are about the same one.
//   - null, "", text of blanks alone, [] and {} are no value. Without a value eq null, ne null's contrary, and ne
//     anything else are true, all other comparisons false; not is plain negation.
//   - Text is compared folded as everywhere in usherd, without blanks around it, unless the attribute is case exact. Times
//     are compared as instants.
//
// Nothing is changed.
func (f *Filter) Match(resource map[string]any) bool { return f.root.match(resource) }

// node is a part of a compiled filter. What it looks into is a resource, or an element of a list within brackets.
type node interface {
	match(in map[string]any) bool
	reach(t *schema.Type) reach
}

type (
	allOf    struct{ left, right node }
	anyOf    struct{ left, right node }
	negation struct{ below node }
	constant bool // about an attribute that the type does not have
)

func (n allOf) match(in map[string]any) bool    { return n.left.match(in) && n.right.match(in) }
func (n anyOf) match(in map[string]any) bool    { return n.left.match(in) || n.right.match(in) }
func (n negation) match(in map[string]any) bool { return !n.below.match(in) }
func (n constant) match(map[string]any) bool    { return bool(n) }

// element matches if one value of an attribute does by itself.
type element struct {
	at    place
	of    *schema.Attribute
	below node
}

func (n element) match(in map[string]any) bool {
	return n.at.each(in, func(v any) bool {
		object, ok := v.(map[string]any)
		return ok && n.below.match(object)
	})
}

// test is one comparison.
type test struct {
	at   place
	of   *schema.Attribute
	op   filter.CompareOperator
	null bool

	// What is compared with; which one, the kind of the attribute says.
	text    string // folded unless the attribute is case exact
	instant time.Time
	flag    bool
	number  json.Number
}

// unassigned is the answer where there is no value.
func (n *test) unassigned() bool {
	if n.null {
		return n.op == filter.EQ
	}
	return n.op == filter.NE
}

func (n *test) match(in map[string]any) bool {
	found := false
	hit := n.at.each(in, func(v any) bool {
		if !assigned(v) {
			return false
		}
		found = true
		return n.holds(v)
	})
	return hit || !found && n.unassigned()
}

// holds compares with one value that is assigned.
func (n *test) holds(v any) bool {
	switch {
	case n.op == filter.PR:
		return true
	case n.null:
		return n.op == filter.NE
	case n.op == filter.CO || n.op == filter.SW || n.op == filter.EW:
		s, ok := v.(string)
		if !ok {
			return false
		}
		return n.part(n.fold(s))
	}
	c, ok := n.compare(v)
	switch n.op { //nolint:exhaustive // the others are above
	case filter.EQ:
		return ok && c == 0
	case filter.NE:
		return !ok || c != 0
	case filter.GT:
		return ok && c > 0
	case filter.GE:
		return ok && c >= 0
	case filter.LT:
		return ok && c < 0
	}
	return ok && c <= 0
}

func (n *test) part(s string) bool {
	switch n.op { //nolint:exhaustive // those of parts only
	case filter.CO:
		return strings.Contains(s, n.text)
	case filter.SW:
		return strings.HasPrefix(s, n.text)
	}
	return strings.HasSuffix(s, n.text)
}

func (n *test) fold(s string) string {
	if n.of.CaseExact {
		return s
	}
	return connector.Fold(s)
}

// compare says how a value stands to the operand; not ok where it is of another kind.
func (n *test) compare(v any) (order int, ok bool) {
	switch n.of.Kind {
	case schema.Boolean:
		b, ok := v.(bool)
		if b != n.flag {
			order = 1 // it is asked for equality only
		}
		return order, ok
	case schema.Integer, schema.Decimal:
		x, ok := number(v)
		return compareNumbers(x, n.number), ok
	case schema.DateTime:
		s, _ := v.(string)
		at, ok := instant(s)
		return at.Compare(n.instant), ok
	case schema.String, schema.Reference, schema.Binary, schema.Complex:
	}
	s, ok := v.(string)
	return strings.Compare(n.fold(s), n.text), ok
}

// place is where the values of an attribute stand, from the resource or, for a sub-attribute within brackets, from the
// element on.
type place struct{ section, name, sub string }

func placeOf(a *schema.Attribute) place {
	p := place{name: a.Name}
	if a.Parent != nil {
		p.name, p.sub = a.Parent.Name, a.Name
	}
	if a.Extension() {
		p.section = a.Schema
	}
	return p
}

// each calls f with every value until f returns true, and returns whether it did.
func (p place) each(in map[string]any, f func(any) bool) bool {
	if p.section != "" {
		in, _ = in[p.section].(map[string]any)
	}
	if p.sub == "" {
		return eachValue(in[p.name], f)
	}
	return eachValue(in[p.name], func(v any) bool {
		object, _ := v.(map[string]any)
		return eachValue(object[p.sub], f)
	})
}

func eachValue(v any, f func(any) bool) bool {
	switch list := v.(type) {
	case []any:
		return slices.ContainsFunc(list, f)
	case []string:
		for _, e := range list {
			if f(e) {
				return true
			}
		}
		return false
	}
	return f(v)
}

// assigned reports whether something is a value: nothing else is present.
func assigned(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return strings.TrimSpace(v) != ""
	case []any:
		return slices.ContainsFunc(v, assigned)
	case []string:
		return len(v) > 0
	case map[string]any:
		for _, e := range v {
			if assigned(e) {
				return true
			}
		}
		return false
	}
	return true
}

// instant reads an xsd:dateTime; without a zone it is in UTC.
func instant(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", s)
	}
	return t, err == nil
}

// number reads a number as resources hold them.
func number(v any) (json.Number, bool) {
	switch v := v.(type) {
	case json.Number:
		return v, true
	case int:
		return json.Number(strconv.Itoa(v)), true
	}
	return "", false
}

// compareNumbers compares whole numbers of 64 bits exactly, others as floating point.
func compareNumbers(a, b json.Number) int {
	x, err := a.Int64()
	y, err2 := b.Int64()
	if err == nil && err2 == nil {
		return cmp.Compare(x, y)
	}
	f, _ := a.Float64() // out of range is infinite, which is what is wanted
	g, _ := b.Float64()
	return cmp.Compare(f, g)
}
