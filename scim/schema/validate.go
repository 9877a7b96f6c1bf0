package schema

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Fault is what is wrong with one attribute of a resource.
type Fault struct {
	Attribute string // in canonical spelling, as Attribute.Path gives it
	Message   string // "has to be true or false"; never the value
}

// Invalid is the error of Validate: every attribute at fault, sorted, each once.
type Invalid struct{ Faults []Fault } //nolint:errname // it says what a resource is, and callers read its faults

// Error names the attributes and says what each has to be.
func (e *Invalid) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.Attribute + " " + f.Message
	}
	return strings.Join(parts, "; ")
}

// Fields returns the names of the attributes at fault.
func (e *Invalid) Fields() []string {
	names := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		names[i] = f.Attribute
	}
	return names
}

// Validate checks what a client sent to create or replace a resource, or what a PATCH made of one, after it has been
// normalised. It returns the attributes that a client may set, in canonical spelling and with the schemas that they belong
// to; what is read-only (id, meta, groups …), unknown or null is left out. An empty list and an empty object stay what
// they are. The error is an *Invalid.
//
// Refused are values of another type, a list in place of one value and the other way round, null in a list, more than one
// primary value, one name in two spellings, and a group without a name. A user without what usherd requires is not
// refused: the rules for people do that, in a form that names all of it.
//
// The resource is not changed, and no map or list of it is part of what is returned.
func (t *Type) Validate(resource map[string]any) (map[string]any, error) {
	v := validation{out: map[string]any{}}
	v.object(t.Core, resource, v.out)
	schemas := []any{t.Core.ID}
	for _, e := range t.Extensions {
		if object := v.extension(e, resource); len(object) > 0 {
			v.out[e.ID] = object
			schemas = append(schemas, e.ID)
		}
	}
	v.externalID(resource)
	v.schemas(resource)
	if t.Name == "Group" {
		v.groupName()
	}
	if len(v.faults) > 0 {
		return nil, &Invalid{sorted(v.faults)}
	}
	v.out["schemas"] = schemas
	return v.out, nil
}

// groupName asks for a name: there are no rules for groups that would.
func (v *validation) groupName() {
	name, _ := v.out["displayName"].(string)
	if strings.TrimSpace(name) == "" && !slices.ContainsFunc(v.faults, func(f Fault) bool { return f.Attribute == "displayName" }) {
		v.fault("displayName", "is required")
	}
}

// sorted puts faults in an order that does not depend on that of a map, each once.
func sorted(faults []Fault) []Fault {
	slices.SortFunc(faults, func(a, b Fault) int {
		if c := strings.Compare(a.Attribute, b.Attribute); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
	return slices.Compact(faults)
}

// validation is one call of Validate.
type validation struct {
	out    map[string]any
	faults []Fault
}

func (v *validation) fault(attribute, message string) {
	v.faults = append(v.faults, Fault{attribute, message})
}

// object checks the attributes of one schema in an object and puts them into another one.
func (v *validation) object(s *Schema, from, to map[string]any) {
	for key, value := range from {
		a, ok := look(s.index, key)
		if !ok || a.Parent != nil || value == nil || a.Mutability == ReadOnly {
			continue
		}
		if _, twice := to[a.Name]; twice {
			v.fault(a.Path(), "is given twice, in two spellings")
			continue
		}
		to[a.Name] = v.attribute(a, value)
	}
}

// attribute returns the checked copy of a value. Elimity's verdict counts; explain says in words what
// made it refuse, and what it lets pass.
func (v *validation) attribute(a *Attribute, value any) any {
	before := len(v.faults)
	v.explain(a, value)
	if len(v.faults) > before {
		return value
	}
	value = settable(a, value)
	checked, err := a.single.Validate(map[string]any{a.Name: value})
	if err != nil {
		v.blame(a, value)
		return value
	}
	out := checked[a.Name]
	if list, ok := out.([]any); ok && list == nil { // elimity returns null for an empty list
		out = []any{}
	}
	return out
}

// settable is a value without the read-only sub-attributes of its objects, of which elimity does not know all.
func settable(a *Attribute, value any) any {
	if !slices.ContainsFunc(a.Sub, func(s *Attribute) bool { return s.Mutability == ReadOnly }) {
		return value
	}
	kept := func(v any) any {
		object, ok := v.(map[string]any)
		if !ok {
			return v
		}
		out := make(map[string]any, len(object))
		for key, v := range object {
			if s := a.Child(key); s != nil && s.Mutability != ReadOnly {
				out[key] = v
			}
		}
		return out
	}
	list, ok := value.([]any)
	if !ok {
		return kept(value)
	}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = kept(e)
	}
	return out
}

// blame names what elimity refused though its type is right: text that is no time or not in base64.
func (v *validation) blame(a *Attribute, value any) {
	before := len(v.faults)
	forEachObject(value, func(object map[string]any) {
		for key, value := range object {
			if s := a.Child(key); s != nil && value != nil {
				if _, err := s.single.Validate(map[string]any{s.Name: value}); err != nil {
					v.fault(s.Path(), mustBe[s.Kind])
				}
			}
		}
	})
	if len(v.faults) == before {
		v.fault(a.Path(), mustBe[a.Kind])
	}
}

// forEachObject calls f for an object, or the objects of a list.
func forEachObject(value any, f func(map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		f(value)
	case []any:
		for _, e := range value {
			if object, ok := e.(map[string]any); ok {
				f(object)
			}
		}
	}
}

// extension checks the object of an extension, whose URN may stand there in any case.
func (v *validation) extension(s *Schema, resource map[string]any) map[string]any {
	object := map[string]any{}
	found := false
	for key, value := range resource {
		if value == nil || !equalFold(key, s.ID) {
			continue
		}
		if found {
			v.fault(s.ID, "is given twice, in two spellings")
		}
		found = true
		from, ok := value.(map[string]any)
		if !ok {
			v.fault(s.ID, "has to be an object")
			continue
		}
		v.object(s, from, object)
	}
	return object
}

// externalID takes over the one common attribute that clients set.
func (v *validation) externalID(resource map[string]any) {
	for key, value := range resource {
		if value == nil || !equalFold(key, "externalId") {
			continue
		}
		if _, twice := v.out["externalId"]; twice {
			v.fault("externalId", "is given twice, in two spellings")
		}
		if _, ok := value.(string); !ok {
			v.fault("externalId", mustBe[String])
		}
		v.out["externalId"] = value
	}
}

// schemas checks that schemas is a list of text; which they are follows from the attributes.
func (v *validation) schemas(resource map[string]any) {
	for key, value := range resource {
		if value == nil || !equalFold(key, "schemas") {
			continue
		}
		list, ok := value.([]any)
		if !ok || slices.ContainsFunc(list, func(e any) bool { _, text := e.(string); return !text }) {
			v.fault("schemas", "has to be a list of URNs")
		}
	}
}

// mustBe says what a value of each kind has to be.
var mustBe = map[Kind]string{
	String:    "has to be text",
	Reference: "has to be text, a URI",
	Binary:    "has to be text in base64",
	Boolean:   "has to be true or false",
	Integer:   "has to be a whole number",
	Decimal:   "has to be a number",
	DateTime:  "has to be a time such as 2026-01-31T23:59:59Z",
	Complex:   "has to be an object",
}

// explain finds what is wrong with a value.
func (v *validation) explain(a *Attribute, value any) {
	if !a.Multi {
		v.explainOne(a, value)
		return
	}
	list, ok := value.([]any)
	if !ok {
		v.fault(a.Path(), "has to be a list")
		return
	}
	primaries := 0
	for _, e := range list {
		v.explainOne(a, e)
		if object, ok := e.(map[string]any); ok && isPrimary(object) {
			primaries++
		}
	}
	if primaries > 1 {
		v.fault(a.Path(), "has more than one value with primary true ("+strconv.Itoa(primaries)+")")
	}
}

func isPrimary(object map[string]any) bool {
	for key, value := range object {
		if value == true && equalFold(key, "primary") {
			return true
		}
	}
	return false
}

// explainOne finds what is wrong with one value of an attribute.
func (v *validation) explainOne(a *Attribute, value any) {
	object, isObject := value.(map[string]any)
	if a.Kind != Complex || !isObject {
		if !fits(a.Kind, value) {
			v.fault(a.Path(), mustBe[a.Kind])
		}
		return
	}
	var seen []*Attribute
	for key, value := range object {
		s := a.Child(key)
		if s == nil || value == nil {
			continue
		}
		if slices.Contains(seen, s) {
			v.fault(s.Path(), "is given twice, in two spellings")
		}
		seen = append(seen, s)
		if s.Mutability != ReadOnly {
			v.explain(s, value)
		}
	}
}

// fits reports whether a value has the JSON type of a kind. What its text has to look like is elimity's to
// say.
func fits(k Kind, value any) bool {
	switch k {
	case Boolean:
		_, ok := value.(bool)
		return ok
	case Integer, Decimal:
		_, ok := value.(json.Number)
		return ok
	case Complex:
		return false // an object has been looked into
	case String, Reference, Binary, DateTime:
	}
	_, ok := value.(string)
	return ok
}
