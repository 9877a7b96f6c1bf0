package schema

import (
	"strings"
	"sync"

	es "github.com/elimity-com/scim/schema"
)

// The URNs of the schemas.
const (
	UserURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	UsherdURN     = "urn:usherd:params:scim:schemas:extension:2.0:User"
	UsherdGroup   = "urn:usherd:params:scim:schemas:extension:2.0:Group"
)

// Kind is the data type of an attribute in the words of RFC 7643 section 2.3.
type Kind string

// The kinds.
const (
	String    Kind = "string"
	Boolean   Kind = "boolean"
	Decimal   Kind = "decimal"
	Integer   Kind = "integer"
	DateTime  Kind = "dateTime"
	Binary    Kind = "binary"
	Reference Kind = "reference"
	Complex   Kind = "complex"
)

// The words of RFC 7643 section 7 for who may change an attribute, when it is returned, and among whom
// its values are unique.
const (
	ReadOnly  = "readOnly"
	ReadWrite = "readWrite"
	Immutable = "immutable"
	WriteOnly = "writeOnly"

	ReturnedAlways    = "always"
	ReturnedDefault   = "default"
	ReturnedOnRequest = "request"
	ReturnedNever     = "never"

	UniqueNone   = "none"
	UniqueServer = "server"
)

// Attribute is one attribute with its characteristics.
type Attribute struct {
	Name        string // in canonical spelling, without URN and parent
	Schema      string // URN of the schema that it belongs to; "" for schemas, id, externalId and meta
	Description string
	Kind        Kind
	Multi       bool
	Required    bool // always has a value: it can be neither left out nor removed
	CaseExact   bool
	Mutability  string
	Returned    string
	Uniqueness  string
	Canonical   []string // values that clients may expect; others are allowed
	References  []string // of a Reference: User, Group, external or uri
	Sub         []*Attribute
	Parent      *Attribute // nil at the top

	// single is the attribute alone in a schema, as elimity-com/scim checks it: that package does not tell
	// which attribute of a resource is at fault. The common attributes have none.
	single es.Schema
}

// Child returns the sub-attribute of that name in any case, or nil.
func (a *Attribute) Child(name string) *Attribute {
	for _, s := range a.Sub {
		if equalFold(s.Name, name) {
			return s
		}
	}
	return nil
}

// Path returns the canonical name with which the attribute is found in its type: "name.givenName",
// and with the URN before it where it belongs to an extension.
func (a *Attribute) Path() string {
	p := a.Name
	if a.Parent != nil {
		p = a.Parent.Name + "." + p
	}
	if a.Extension() {
		p = a.Schema + ":" + p
	}
	return p
}

// Extension reports whether the attribute stands in the object of an extension, and not at the top of
// the resource.
func (a *Attribute) Extension() bool {
	return a.Schema != "" && a.Schema != UserURN && a.Schema != GroupURN
}

// Schema is one schema with its attributes in the order in which they are shown.
type Schema struct {
	ID          string
	Name        string
	Description string
	Attributes  []*Attribute

	index map[string]*Attribute // "a" and "a.b", in canonical spelling and in lower case
}

// Type is a kind of resource (RFC 7643 section 6). No extension is required of any resource.
type Type struct {
	Name        string // "User"
	Endpoint    string // "/Users"
	Description string
	Common      []*Attribute // schemas, id, externalId, meta
	Core        *Schema
	Extensions  []*Schema

	common map[string]*Attribute
}

var types = sync.OnceValue(func() []*Type { return []*Type{newUser(), newGroup()} })

// Types returns all types of resources, users first.
func Types() []*Type { return types() }

// User returns the type of users.
func User() *Type { return types()[0] }

// Group returns the type of groups.
func Group() *Type { return types()[1] }

// Schemas returns the core schema and the extensions.
func (t *Type) Schemas() []*Schema {
	return append([]*Schema{t.Core}, t.Extensions...)
}

// Find resolves an attribute by the URN of its schema and its name, "name" or "name.givenName", in any
// case. No URN means the core schema; the common attributes are found without and with the core schema's. Extensions
// are searched by their URN only.
func (t *Type) Find(urn, name string) (*Attribute, bool) {
	s := t.Core
	if urn != "" {
		if s = t.schema(urn); s == nil {
			return nil, false
		}
	}
	if a, ok := look(s.index, name); ok {
		return a, true
	}
	if s != t.Core {
		return nil, false
	}
	return look(t.common, name)
}

// URN returns the canonical spelling of the URN of a schema of this type that is given in any case.
func (t *Type) URN(s string) (string, bool) {
	if sc := t.schema(s); sc != nil {
		return sc.ID, true
	}
	return "", false
}

// SplitPath cuts "urn:…:User:attr.sub" into the canonical URN and "attr.sub"; rest is "" for a bare URN and keeps
// whatever else follows, such as "emails[type eq \"work\"].value". What does not begin with "urn:" has no URN and is all
// rest. It is not ok if the URN is none of this type.
func (t *Type) SplitPath(s string) (urn, rest string, ok bool) {
	if len(s) < 4 || !equalFold(s[:4], "urn:") {
		return "", s, true
	}
	if id, rest, ok := t.Core.split(s); ok {
		return id, rest, true
	}
	for _, e := range t.Extensions {
		if id, rest, ok := e.split(s); ok {
			return id, rest, true
		}
	}
	return "", "", false
}

func (s *Schema) split(path string) (urn, rest string, ok bool) {
	n := len(s.ID)
	switch {
	case len(path) < n || !equalFold(path[:n], s.ID):
		return "", "", false
	case len(path) == n:
		return s.ID, "", true
	case path[n] == ':':
		return s.ID, path[n+1:], true
	}
	return "", "", false
}

func (t *Type) schema(urn string) *Schema {
	if equalFold(t.Core.ID, urn) {
		return t.Core
	}
	for _, e := range t.Extensions {
		if equalFold(e.ID, urn) {
			return e
		}
	}
	return nil
}

func look(index map[string]*Attribute, name string) (*Attribute, bool) {
	a, ok := index[name]
	if !ok {
		a, ok = index[lower(name)]
	}
	return a, ok
}

// lower and equalFold know ASCII only, as the names of attributes and schemas do: strings.EqualFold takes
// the Kelvin sign for a k.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 {
			return s
		}
	}
	return strings.ToLower(s)
}

func equalFold(s, t string) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range len(s) {
		if lowerByte(s[i]) != lowerByte(t[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
