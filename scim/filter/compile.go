package filter

import (
	"fmt"
	"strconv"

	filter "github.com/scim2/filter-parser/v2"

	"usherd/connector"
	"usherd/scim/schema"
)

// Filter is a filter whose attributes and values have been checked against a type. It may be used by many at once.
type Filter struct {
	kind *schema.Type
	root node
	asks map[*schema.Attribute]bool
}

// Asks reports whether the filter looks at a top attribute, or at something below it.
func (f *Filter) Asks(a *schema.Attribute) bool { return f.asks[a] }

// Compile resolves the attributes of a filter in a type and checks that each can be compared so. The error is an *Error
// and names the attribute.
func Compile(t *schema.Type, x filter.Expression) (*Filter, error) {
	return CompileAmong(t, nil, x)
}

// CompileAmong is Compile for one type of several that are searched together (RFC 7644 section 3.4.2.1): what one of
// them has and the filter's own lacks counts as unassigned.
func CompileAmong(t *schema.Type, among []*schema.Type, x filter.Expression) (*Filter, error) {
	c := compiler{t: t, among: among, asks: map[*schema.Attribute]bool{}}
	root, err := c.expression(x)
	if err != nil {
		return nil, err
	}
	return &Filter{kind: t, root: root, asks: c.asks}, nil
}

// compiler turns the AST of one filter into nodes.
type compiler struct {
	t     *schema.Type
	among []*schema.Type
	scope *schema.Attribute // whose values are looked at, within brackets
	asks  map[*schema.Attribute]bool
}

func (c *compiler) expression(x filter.Expression) (node, error) {
	switch x := x.(type) {
	case *filter.LogicalExpression:
		left, err := c.expression(x.Left)
		if err != nil {
			return nil, err
		}
		right, err := c.expression(x.Right)
		if err != nil {
			return nil, err
		}
		if x.Operator == filter.AND {
			return allOf{left, right}, nil
		}
		return anyOf{left, right}, nil
	case *filter.NotExpression:
		below, err := c.expression(x.Expression)
		return negation{below}, err
	case *filter.ValuePath:
		return c.valuePath(x)
	case *filter.AttributeExpression:
		a, known, err := c.resolve(x.AttributePath)
		if err != nil {
			return nil, err
		}
		n, err := c.test(a, x)
		if err == nil && !known {
			return constant(n.unassigned()), nil
		}
		return n, err
	}
	return nil, &Error{Message: "the filter is empty", Offset: -1}
}

func (c *compiler) valuePath(x *filter.ValuePath) (node, error) {
	a, known, err := c.resolve(x.AttributePath)
	if err != nil {
		return nil, err
	}
	if a.Kind != schema.Complex {
		return nil, fault(a.Path(), "%s has no sub-attributes to choose values by: compare it without brackets", a.Path())
	}
	within := *c
	within.scope = a
	below, err := within.expression(x.ValueFilter)
	if err != nil {
		return nil, err
	}
	if !known {
		return constant(false), nil
	}
	return element{at: placeOf(a), of: a, below: below}, nil
}

// resolve finds an attribute; known tells whether the type itself has it.
func (c *compiler) resolve(p filter.AttributePath) (a *schema.Attribute, known bool, err error) {
	name := p.AttributeName
	if p.SubAttribute != nil {
		name += "." + *p.SubAttribute
	}
	if c.scope != nil {
		if p.URIPrefix == nil && p.SubAttribute == nil {
			a, known = c.scope.Child(name), true
		}
	} else if a, known = c.t.Find(p.URI(), name); !known {
		for _, t := range c.among {
			if other, ok := t.Find(p.URI(), name); ok {
				a = other
				break
			}
		}
	}
	if a == nil {
		return nil, false, c.unknown(p, name)
	}
	if a.Returned == schema.ReturnedNever {
		return nil, false, &Error{Message: "nobody may ask for " + a.Path() + ", which is never returned", Attribute: name, Offset: -1, Sensitive: true}
	}
	top := a
	for top.Parent != nil {
		top = top.Parent
	}
	c.asks[top] = true
	return a, known, nil
}

// unknown is the error for an attribute that is not there, with the name of the one that may be meant.
func (c *compiler) unknown(p filter.AttributePath, name string) error {
	written := name
	switch {
	case c.scope != nil:
		written = c.scope.Path() + "." + name
	case p.URIPrefix != nil:
		written = p.URI() + ":" + name
	}
	hint := ""
	if c.scope == nil {
		for _, s := range c.t.Schemas() {
			if a, ok := c.t.Find(s.ID, name); ok {
				hint = ": write " + a.Path()
			}
		}
	}
	return fault(written, "there is no attribute %s of a %s%s", strconv.Quote(written), c.t.Name, hint)
}

func fault(attribute, format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Attribute: attribute, Offset: -1}
}

// test checks one comparison.
func (c *compiler) test(a *schema.Attribute, x *filter.AttributeExpression) (*test, error) {
	t := &test{at: placeOf(a), of: a, op: x.Operator, null: x.CompareValue == nil}
	if c.scope != nil {
		t.at = place{name: a.Name}
	}
	if t.op == filter.PR {
		return t, nil
	}
	if t.null {
		if t.op != filter.EQ && t.op != filter.NE {
			return nil, fault(a.Path(), "%s %s null: only eq and ne compare with null", a.Path(), t.op)
		}
		return t, nil
	}
	if a.Kind == schema.Complex { // of a value with sub-attributes, "value" is meant (RFC 7644 section 3.4.2.2)
		value := a.Child("value")
		if value == nil {
			return nil, fault(a.Path(), "%s is not one value: name one of its sub-attributes, such as %s", a.Path(), a.Sub[0].Path())
		}
		t.at, t.of = placeOf(value), value
	}
	return t, c.operand(t, x.CompareValue)
}

// operand checks operator and value against the kind of the attribute.
func (c *compiler) operand(t *test, v any) error {
	name := t.of.Path()
	ordered := t.op == filter.GT || t.op == filter.GE || t.op == filter.LT || t.op == filter.LE
	partial := t.op == filter.CO || t.op == filter.SW || t.op == filter.EW
	var ok bool
	switch t.of.Kind {
	case schema.Boolean:
		if ordered || partial {
			return fault(name, "%s is true or false and can be compared with eq and ne only, not with %s", name, t.op)
		}
		if t.flag, ok = v.(bool); !ok {
			return fault(name, "%s is compared with true or false, without quotes", name)
		}
	case schema.Integer, schema.Decimal:
		if partial {
			return fault(name, "%s is a number, which cannot be compared with %s", name, t.op)
		}
		if t.number, ok = number(v); !ok {
			return fault(name, "%s is compared with a number, without quotes", name)
		}
	case schema.DateTime:
		if t.text, ok = v.(string); ok && !partial {
			t.instant, ok = instant(t.text)
		}
		if !ok {
			return fault(name, `%s is compared with a time such as "2026-01-31T23:59:59Z", in double quotes`, name)
		}
	case schema.Binary, schema.String, schema.Reference, schema.Complex: // of the last, none gets here
		if t.of.Kind == schema.Binary && ordered {
			return fault(name, "%s is binary, which has no order: it cannot be compared with %s", name, t.op)
		}
		if t.text, ok = v.(string); !ok {
			return fault(name, "%s is compared with text, in double quotes", name)
		}
	}
	if !t.of.CaseExact {
		if t.text = connector.FoldPart(t.text); !partial {
			t.text = connector.Fold(t.text)
		}
	}
	return nil
}
