package sources

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/policy"
)

// Attribute is the rule of one attribute, and of an entry what it makes.
type Attribute struct {
	Target   string // attribute of a profile, or "package"
	Required bool
	Rules    []string // alternatives as written; the first that gives a value wins
	Used     int      // which one gave it; -1 = none
	Read     []Read   // what the rules read of the entry
	Values   []string
	Fault    string // why the value does not fit
}

// Read is a value of an entry.
type Read struct {
	Name  string
	Value []byte
}

// Text is a value as people read it: bytes that are no text as how many they are.
func Text(value []byte) string {
	if !utf8.Valid(value) {
		return strconv.Itoa(len(value)) + " bytes"
	}
	return string(value)
}

// Attributes are the rules of a source of the organization, in the order in which attributes are shown.
func Attributes(org *connector.Organization, m *mapping.Mapping) (list []Attribute) {
	required := policy.Required(org)
	for _, o := range m.Rules() {
		if len(list) == 0 || list[len(list)-1].Target != o.Target {
			list = append(list, Attribute{Target: o.Target, Required: slices.Contains(required, o.Target), Used: -1})
		}
		at := &list[len(list)-1]
		at.Rules = append(at.Rules, o.Expression)
	}
	return list
}

// AttributesOf are Attributes with what they make of an entry.
func AttributesOf(org *connector.Organization, m *mapping.Mapping, r *connector.Record, mapped *connector.Mapped) []Attribute {
	list := Attributes(org, m)
	for _, o := range m.Rules() {
		at := &list[slices.IndexFunc(list, func(x Attribute) bool { return x.Target == o.Target })]
		for _, name := range o.Attributes {
			at.read(r, name)
		}
	}
	for i := range list {
		at := &list[i]
		if used, ok := m.Used(r, at.Target); ok {
			at.Used = used.Index
		}
		for _, f := range mapped.Faults {
			if f.Attribute == at.Target {
				at.Fault = f.Detail
			}
		}
		at.Values = mapped.Profile[at.Target]
		if at.Target == "package" && mapped.Package != "" {
			at.Values = []string{mapped.Package}
		}
	}
	return list
}

// read adds the values that an entry has of an attribute, each once: several alternatives may read the same.
func (a *Attribute) read(r *connector.Record, name string) {
	if slices.ContainsFunc(a.Read, func(x Read) bool { return x.Name == name }) {
		return
	}
	for _, value := range r.Values(name) {
		a.Read = append(a.Read, Read{name, value})
	}
}
