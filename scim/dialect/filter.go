package dialect

import (
	"encoding/json"
	"strings"

	fp "github.com/scim2/filter-parser/v2"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

// Filter brings a filter into the form that filter.Compile takes, as Normalise does with a body: values of the right
// type, attributes of extensions with their schema, and "email" where the profile reads it as emails.value. The
// expression is not changed. A strict profile leaves it as it is.
func Filter(p Profile, t *schema.Type, x fp.Expression) (fp.Expression, []Quirk) {
	if p.Strict {
		return x, nil
	}
	n := normaliser{p: p, t: t}
	l := literals{n: &n, t: t}
	return l.filter(x), n.quirks
}

// literals walks through filters.
type literals struct {
	n *normaliser
	t *schema.Type
}

// filter walks through a filter of resources.
func (l literals) filter(x fp.Expression) fp.Expression {
	switch x := x.(type) {
	case *fp.LogicalExpression:
		return &fp.LogicalExpression{Left: l.filter(x.Left), Right: l.filter(x.Right), Operator: x.Operator}
	case *fp.NotExpression:
		return &fp.NotExpression{Expression: l.filter(x.Expression)}
	case *fp.ValuePath:
		p, f := l.attribute(x.AttributePath)
		if f.Attr == nil {
			return x
		}
		return &fp.ValuePath{AttributePath: p, ValueFilter: l.within(f.Attr, x.ValueFilter)}
	case *fp.AttributeExpression:
		p, f := l.compared(x.AttributePath)
		a := f.Attr
		if f.Sub != nil {
			a = f.Sub
		}
		return &fp.AttributeExpression{AttributePath: p, Operator: x.Operator, CompareValue: l.value(a, x.CompareValue)}
	}
	return x
}

// attribute finds an attribute, and how it is to be named.
func (l literals) attribute(p fp.AttributePath) (fp.AttributePath, patch.Target) {
	if tg, err := patch.ResolvePath(l.t, fp.Path{AttributePath: p}); err == nil {
		return p, tg
	}
	f, ok := l.n.find(p.String())
	if !ok || f.Attr == nil {
		return p, patch.Target{}
	}
	l.n.count(f)
	p.URIPrefix = nil
	if f.Attr.Extension() {
		p.URIPrefix = &f.Attr.Schema
	}
	return p, f.Target
}

// compared is attribute for what is compared with a value, which email may be.
func (l literals) compared(p fp.AttributePath) (fp.AttributePath, patch.Target) {
	if l.n.p.EmailFilter && p.URIPrefix == nil && p.SubAttribute == nil && strings.EqualFold(p.AttributeName, "email") {
		email := fp.AttributePath{AttributeName: "emails", SubAttribute: new("value")}
		if tg, err := patch.ResolvePath(l.t, fp.Path{AttributePath: email}); err == nil {
			l.n.quirk(filterEmail, "emails.value")
			return email, tg
		}
	}
	return l.attribute(p)
}

// within walks through the filter in the brackets after an attribute.
func (l literals) within(a *schema.Attribute, x fp.Expression) fp.Expression {
	switch x := x.(type) {
	case *fp.LogicalExpression:
		return &fp.LogicalExpression{Left: l.within(a, x.Left), Right: l.within(a, x.Right), Operator: x.Operator}
	case *fp.NotExpression:
		return &fp.NotExpression{Expression: l.within(a, x.Expression)}
	case *fp.AttributeExpression:
		s := a.Child(x.AttributePath.AttributeName)
		return &fp.AttributeExpression{AttributePath: x.AttributePath, Operator: x.Operator, CompareValue: l.value(s, x.CompareValue)}
	}
	return x
}

// value gives a value the type of what it is compared with.
func (l literals) value(a *schema.Attribute, v any) any {
	if a == nil {
		return v
	}
	if a.Multi && a.Kind == schema.Complex {
		if a = a.Child("value"); a == nil {
			return v
		}
	}
	switch a.Kind {
	case schema.Boolean:
		return l.n.boolean(a, v)
	case schema.String:
		if number, ok := v.(json.Number); ok {
			l.n.quirk(numberText, a.Path())
			return number.String()
		}
	case schema.Complex, schema.Decimal, schema.Integer, schema.DateTime, schema.Binary, schema.Reference:
	}
	return v
}
