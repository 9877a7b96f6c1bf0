package patch

import (
	"errors"
	"strings"

	fp "github.com/scim2/filter-parser/v2"

	"usherd/scim/filter"
	"usherd/scim/schema"
)

// Target is what a path means.
type Target struct {
	URN   string            // the path is the bare URN of this schema: Attr is nil
	Attr  *schema.Attribute // at the top of the resource or of the object of its extension
	Where fp.Expression     // which values of Attr; nil = no filter
	Sub   *schema.Attribute // of Attr, or of the chosen values; nil = whole
}

// ErrUnknown says that a path is well-formed and names no attribute of the type.
var ErrUnknown = errors.New("the schema has no such attribute")

// Resolve finds what a path or a key of a value means, names being in any case. The error is a *filter.Error where
// it cannot be read, else ErrUnknown.
func Resolve(t *schema.Type, path string) (Target, error) {
	p, err := filter.ParsePath(path)
	if err != nil {
		return Target{}, err
	}
	return ResolvePath(t, p)
}

// ResolvePath is Resolve for a path that has been read.
func ResolvePath(t *schema.Type, p fp.Path) (Target, error) {
	urn, name := p.AttributePath.URI(), p.AttributePath.AttributeName
	if name == "" {
		id, ok := t.URN(urn)
		if !ok {
			return Target{}, ErrUnknown
		}
		return Target{URN: id}, nil
	}
	a, ok := t.Find(urn, name)
	if !ok {
		return Target{}, ErrUnknown
	}
	tg := Target{Attr: a, Where: p.ValueExpression}
	sub := p.AttributePath.SubAttribute
	if sub != nil && p.ValueExpression != nil {
		return Target{}, ErrUnknown // name.x[…]: there is no attribute below a sub-attribute
	}
	if sub == nil {
		sub = p.SubAttribute
	}
	if sub != nil {
		if tg.Sub = a.Child(*sub); tg.Sub == nil {
			return Target{}, ErrUnknown
		}
	}
	return tg, nil
}

// String gives the path in canonical spelling.
func (tg Target) String() string {
	if tg.Attr == nil {
		return tg.URN
	}
	s := tg.Attr.Path()
	if tg.Where != nil {
		s += "[" + filter.Print(tg.Where) + "]"
	}
	if tg.Sub != nil {
		s += "." + tg.Sub.Name
	}
	return s
}

// Name is String without the filter: what was sent is not counted or logged.
func (tg Target) Name() string {
	tg.Where = nil
	return tg.String()
}

// compile makes the filter of a target testable on its values.
func (tg Target) compile(t *schema.Type) (*filter.Filter, *Error) {
	f, err := filter.Compile(t, &fp.ValuePath{AttributePath: attributePath(tg.Attr), ValueFilter: tg.Where})
	if err != nil {
		return nil, refuse(InvalidFilter, "in the filter of the path: "+err.Error())
	}
	return f, nil
}

func attributePath(a *schema.Attribute) fp.AttributePath {
	p := fp.AttributePath{AttributeName: a.Name}
	if a.Extension() {
		p.URIPrefix = &a.Schema
	}
	return p
}

// terms returns the values that a filter demands of sub-attributes, if it is nothing but comparisons with eq that
// are and-ed and do not contradict each other.
func (tg Target) terms() (map[string]any, bool) {
	all := map[string]any{}
	ok := gather(tg.Attr, tg.Where, all)
	return all, ok
}

func gather(a *schema.Attribute, x fp.Expression, into map[string]any) bool {
	switch x := x.(type) {
	case *fp.LogicalExpression:
		return x.Operator == fp.AND && gather(a, x.Left, into) && gather(a, x.Right, into)
	case *fp.AttributeExpression:
		s := a.Child(x.AttributePath.AttributeName)
		if s == nil || x.Operator != fp.EQ || x.CompareValue == nil {
			return false
		}
		if old, twice := into[s.Name]; twice && !same(s, old, x.CompareValue) {
			return false
		}
		into[s.Name] = x.CompareValue
		return true
	}
	return false
}

// same compares two values of an attribute; the case of text counts where the schema says so.
func same(a *schema.Attribute, x, y any) bool {
	s, ok := x.(string)
	t, also := y.(string)
	if ok && also && !a.CaseExact {
		return strings.EqualFold(s, t)
	}
	return x == y
}
