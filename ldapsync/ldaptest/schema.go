package ldaptest

import (
	"errors"
	"slices"
	"strings"
)

// Attrs are the values of an entry by attribute name. Values of binary attributes are raw bytes.
type Attrs map[string][]string

// syntax says how the values of an attribute are compared.
type syntax uint8

const (
	caseIgnore syntax = iota
	caseExact
	rawOctets
	integer
	dnSyntax
	telephone
)

// class says when an attribute is returned.
type attrClass uint8

const (
	userAttr    attrClass = iota // by name and by *
	operational                  // by name and by +
	constructed                  // by name only, and no filter ever matches it (AD)
)

// attr is one attribute description known to a server.
type attr struct {
	name    string
	head    []byte // the name as an OCTET STRING
	syntax  syntax
	class   attrClass
	virtual func(t *tree, e *entry, set []byte) []byte // appends values that are not in the entry's blob
}

// writable says that an entry may have values of its own, even if the server would work some out.
func (a *attr) writable() bool {
	switch a.name {
	case "objectSid", "objectCategory", "sAMAccountType", "instanceType", "objectClass":
		return true
	}
	return a.virtual == nil
}

// schema numbers attribute names, so that entries need not hold them.
type schema struct {
	attrs []attr
	ids   map[string]uint16
}

func (s *schema) id(name string) (uint16, bool) {
	id, ok := s.ids[strings.ToLower(name)]
	return id, ok
}

var errManyAttributes = errors.New("more attribute names than the schema can hold")

func (s *schema) intern(name string) (uint16, error) {
	if id, ok := s.id(name); ok {
		return id, nil
	}
	if len(s.attrs) == 1<<16 {
		return 0, errManyAttributes
	}
	if s.ids == nil {
		s.ids = make(map[string]uint16)
	}
	id := uint16(len(s.attrs)) //nolint:gosec // bounded above
	key := strings.ToLower(name)
	s.ids[key] = id
	s.attrs = append(s.attrs, attr{name: name, head: appendOctets(nil, name), syntax: syntaxOf(key)})
	return id, nil
}

// define adds an attribute whose values the server works out.
func (s *schema) define(name string, class attrClass, virtual func(*tree, *entry, []byte) []byte) uint16 {
	id, err := s.intern(name)
	if err != nil {
		panic(err) // a new schema has room
	}
	s.attrs[id].class, s.attrs[id].virtual = class, virtual
	return id
}

func syntaxOf(key string) syntax {
	switch key {
	case "member", "memberof", "uniquemember", "manager", "directreports", "distinguishedname", "objectcategory",
		"lastknownparent", "owner", "secretary", "seealso", "creatorsname", "modifiersname", "entrydn", "managedby",
		"dsservicename", "defaultnamingcontext", "nsroledn", "fsmoroleowner":
		return dnSyntax
	case "useraccountcontrol", "accountexpires", "usnchanged", "usncreated", "pwdlastset", "lockouttime", "instancetype",
		"samaccounttype", "primarygroupid", "grouptype", "lastlogontimestamp", "badpwdcount", "shadowexpire",
		"uidnumber", "gidnumber", "logoncount", "lastlogon", "badpasswordtime", "systemflags", "shadowlastchange":
		return integer
	case "objectguid", "objectsid", "userpassword", "unicodepwd", "jpegphoto", "thumbnailphoto", "ms-ds-consistencyguid",
		"sidhistory", "tokengroups", "invocationid", "parentguid", "usercertificate":
		return rawOctets
	case "homedirectory", "loginshell", "gecos", "memberuid":
		return caseExact
	case "telephonenumber", "mobile", "facsimiletelephonenumber", "homephone", "pager", "ipphone":
		return telephone
	}
	return caseIgnore
}

// objectClass is one set of objectClass values and what follows from it. Entries of a kind share it.
type objectClass struct {
	set      []byte // values, encoded
	names    []string
	category string // first RDN value of objectCategory (AD)
	samType  string // sAMAccountType (AD)
	security bool   // gets an objectSid (AD)
	person   bool   // gets userAccountControl and the like (AD)
}

// chains are the superclasses that Active Directory adds by itself.
func chain(kind Kind, names []string) []string {
	if len(names) == 0 {
		return names
	}
	last := strings.ToLower(names[len(names)-1])
	full := map[string][]string{
		"user":               {"top", "person", "organizationalPerson", "user"},
		"inetorgperson":      {"top", "person", "organizationalPerson", "inetOrgPerson"},
		"contact":            {"top", "person", "organizationalPerson", "contact"},
		"computer":           {"top", "person", "organizationalPerson", "user", "computer"},
		"group":              {"top", "group"},
		"organizationalunit": {"top", "organizationalUnit"},
		"container":          {"top", "container"},
		"domaindns":          {"top", "domain", "domainDNS"},
	}[last]
	switch {
	case full == nil || kind != ActiveDirectory && last != "inetorgperson" && last != "organizationalunit":
		return names
	case kind == ActiveDirectory && last == "inetorgperson":
		return []string{"top", "person", "organizationalPerson", "user", "inetOrgPerson"}
	}
	return full
}

func newObjectClass(names []string) *objectClass {
	c := &objectClass{names: names, category: "Top"}
	for _, n := range names {
		c.set = appendOctets(c.set, n)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	switch {
	case has("computer"):
		c.category, c.samType, c.security, c.person = "Computer", "805306369", true, true
	case has("user"):
		c.category, c.samType, c.security, c.person = "Person", "805306368", true, true
	case has("contact"), has("person"):
		c.category = "Person"
	case has("group"):
		c.category, c.samType, c.security = "Group", "268435456", true
	case has("organizationalUnit"):
		c.category = "Organizational-Unit"
	case has("domainDNS"):
		c.category = "Domain-DNS"
	case has("container"):
		c.category = "Container"
	}
	return c
}

// defaultClass is the class of an entry that came without one.
func defaultClass(kind Kind, rdn string) []string {
	name, _, _ := strings.Cut(strings.ToLower(rdn), "=")
	switch {
	case name == "ou":
		return []string{"top", "organizationalUnit"}
	case name == "dc" && kind == ActiveDirectory:
		return []string{"top", "domain", "domainDNS"}
	case name == "dc":
		return []string{"top", "dcObject", "organization"}
	case kind == ActiveDirectory:
		return []string{"top", "person", "organizationalPerson", "user"}
	}
	return []string{"top", "person", "organizationalPerson", "inetOrgPerson"}
}
