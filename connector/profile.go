package connector

import (
	"maps"
	"slices"
)

// Profile is a record after mapping: attribute -> values in canonical text (see AttributeType).
// An attribute without a value is not in the map. A Profile that is part of a User is not
// changed any more: Clone it first.
type Profile map[string][]string

// Get returns the only or first value, or "".
func (p Profile) Get(name string) string {
	if v := p[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Set replaces the values of an attribute; none removes it.
func (p Profile) Set(name string, values ...string) {
	if len(values) == 0 {
		delete(p, name)
		return
	}
	p[name] = values
}

// Names returns the attributes that have a value, sorted.
func (p Profile) Names() []string { return slices.Sorted(maps.Keys(p)) }

// Equal reports whether both have the same attributes with the same values in the same order.
func (p Profile) Equal(q Profile) bool { return maps.EqualFunc(p, q, slices.Equal) }

// Clone returns a copy; the value slices are shared, which is safe because they are never changed
// in place.
func (p Profile) Clone() Profile { return maps.Clone(p) }

// Emails returns all addresses, the first one primary.
func (p Profile) Emails() []string {
	primary := p.Get(Email)
	if primary == "" {
		return p[OtherEmails]
	}
	return append([]string{primary}, p[OtherEmails]...)
}

// Subject is how reports name the person: user name, else e-mail, else "".
func (p Profile) Subject() string {
	if s := p.Get(UserName); s != "" {
		return s
	}
	return p.Get(Email)
}

// Mapped is what a mapping makes of one record. Faults say which attributes could not be had; the
// others are valid.
type Mapped struct {
	Profile Profile
	Package string // given by the mapping, else by a rule of groups; "" = the source's or the organization's
	Faults  []AttributeFault
}

// AttributeFault is one value that does not fit its attribute.
type AttributeFault struct {
	Attribute string
	Reason    Reason // AttributeInvalid or AttributeTooLong
	Detail    string // what is wrong, without the value
}
