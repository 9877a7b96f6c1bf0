package schema

import (
	es "github.com/elimity-com/scim/schema"
)

// deviations is where usherd differs from the definitions of RFC 7643 section 8.7: what it requires of
// everybody, and what it makes itself. They are what discovery tells and PATCH goes by. Validate does not refuse
// a user who lacks something required: the rules for people do, for all attributes at once.
var deviations = map[string]func(*Attribute){
	UserURN + ":name":               required,
	UserURN + ":name.familyName":    required,
	UserURN + ":name.givenName":     required,
	UserURN + ":emails":             required,
	UserURN + ":emails.value":       required,
	UserURN + ":active":             required, // it is true unless somebody said otherwise
	UserURN + ":groups.$ref":        func(a *Attribute) { a.References = []string{"Group"} },
	GroupURN + ":displayName":       func(a *Attribute) { a.Uniqueness = UniqueServer },
	GroupURN + ":members.display":   readOnly, // the name of the member, whatever a client calls it
	EnterpriseURN + ":manager.$ref": readOnly, // of the manager only the value is kept
}

func required(a *Attribute) { a.Required = true }

func readOnly(a *Attribute) { a.Mutability = ReadOnly }

func newUser() *Type {
	return newType(Type{Name: "User", Endpoint: "/Users", Description: "User Account"},
		es.CoreUserSchema(), es.ExtensionEnterpriseUser(), usherdSchema())
}

func newGroup() *Type {
	return newType(Type{Name: "Group", Endpoint: "/Groups", Description: "Group"}, es.CoreGroupSchema(), usherdGroupSchema())
}

func newType(t Type, core es.Schema, extensions ...es.Schema) *Type {
	t.Common = commonAttributes()
	t.common = index(t.Common)
	t.Core = compile(core)
	for _, e := range extensions {
		t.Extensions = append(t.Extensions, compile(e))
	}
	return &t
}

func compile(s es.Schema) *Schema {
	c := &Schema{ID: s.ID, Name: s.Name.Value(), Description: s.Description.Value()}
	c.Attributes = attributes(s.ID, s.Attributes, nil)
	c.index = index(c.Attributes)
	return c
}

func attributes(urn string, from es.Attributes, parent *Attribute) []*Attribute {
	var out []*Attribute
	for _, f := range from {
		a := &Attribute{
			Name: f.Name(), Schema: urn, Description: f.Description(), Kind: Kind(f.AttributeType()),
			Multi: f.MultiValued(), Required: f.Required(), CaseExact: f.CaseExact(),
			Mutability: f.Mutability(), Returned: f.Returned(), Uniqueness: f.Uniqueness(),
			Canonical: f.CanonicalValues(), Parent: parent,
			single: es.Schema{ID: urn, Attributes: es.Attributes{f}},
		}
		for _, r := range f.ReferenceTypes() {
			a.References = append(a.References, string(r))
		}
		name := a.Name
		if parent != nil {
			name = parent.Name + "." + name
		}
		if deviate := deviations[urn+":"+name]; deviate != nil {
			deviate(a)
		}
		a.Sub = attributes(urn, f.SubAttributes(), a)
		out = append(out, a)
	}
	return out
}

func index(as []*Attribute) map[string]*Attribute {
	m := map[string]*Attribute{}
	enter := func(name string, a *Attribute) { m[name], m[lower(name)] = a, a }
	for _, a := range as {
		enter(a.Name, a)
		for _, s := range a.Sub {
			enter(a.Name+"."+s.Name, s)
		}
	}
	return m
}
