package changescript

import (
	"strconv"

	"github.com/go-ldap/ldap/v3"
)

// dialect is how a kind of directory says things.
type dialect struct {
	base        string
	anchor      string // the attribute
	personClass string
	groupClass  string
	linked      bool // members follow when entries move and go, and a group may be empty (Active Directory)
	expires     bool // accounts can expire
	missing     string
	login       func(uid string) []ldap.Attribute
	userName    func(uid string) string // what the usual mapping makes of it
	state       func(off bool) ldap.Attribute
}

const (
	never   = "0"                  // accountExpires
	in2020  = "132223104000000000" // accountExpires
	never64 = "9223372036854775807"

	normalAccount = 0x200 | 0x20 // PASSWD_NOTREQD: nobody here has one
	accountOff    = 0x2
)

var dialects = map[Kind]dialect{
	Samba: {
		base: "DC=lab,DC=test", anchor: "objectGUID", personClass: "user", groupClass: "group", linked: true, expires: true, missing: "sn",
		login: func(uid string) []ldap.Attribute {
			return []ldap.Attribute{{Type: "sAMAccountName", Vals: []string{uid}}, {Type: "userPrincipalName", Vals: []string{uid + "@lab.test"}}}
		},
		userName: func(uid string) string { return uid + "@lab.test" },
		state: func(off bool) ldap.Attribute {
			uac := normalAccount
			if off {
				uac |= accountOff
			}
			return ldap.Attribute{Type: "userAccountControl", Vals: []string{strconv.Itoa(uac)}}
		},
	},
	Slapd: x500("entryUUID", "employeeType", "FTE", "Inactive"),
	DS389: x500("nsUniqueId", "nsAccountLock", "FALSE", "TRUE"),
}

// x500 is a directory of inetOrgPerson in which an attribute says who is locked.
func x500(anchor, attribute, on, off string) dialect {
	return dialect{
		base: "dc=example,dc=test", anchor: anchor, personClass: "inetOrgPerson", groupClass: "groupOfNames", missing: "givenName",
		login:    func(uid string) []ldap.Attribute { return []ldap.Attribute{{Type: "uid", Vals: []string{uid}}} },
		userName: func(uid string) string { return uid },
		state: func(locked bool) ldap.Attribute {
			if locked {
				return ldap.Attribute{Type: attribute, Vals: []string{off}}
			}
			return ldap.Attribute{Type: attribute, Vals: []string{on}}
		},
	}
}

// addPerson is the person's whole entry.
func (c *Company) addPerson(p *person) *ldap.AddRequest {
	r := ldap.NewAddRequest(c.dn(p), nil)
	set := func(name, value string) {
		if value != "" && (!p.broken || name != c.missing) {
			r.Attribute(name, []string{value})
		}
	}
	set("objectClass", c.personClass)
	set("cn", p.cn)
	for _, a := range append(c.login(p.uid), c.state(p.off)) {
		set(a.Type, a.Vals[0])
	}
	set("givenName", p.given)
	set("sn", p.sn)
	set("displayName", p.given+" "+p.sn)
	set("mail", p.mail)
	set("title", p.title)
	set("telephoneNumber", p.phone)
	if p.chief != nil && p.chief.employed {
		set("manager", c.dn(p.chief))
	}
	if p.expired {
		set("accountExpires", in2020)
	}
	return r
}

func (c *Company) addGroup(g *group) *ldap.AddRequest {
	r := ldap.NewAddRequest(c.groupDN(g), nil)
	r.Attribute("objectClass", []string{c.groupClass})
	r.Attribute("cn", []string{g.name})
	if c.linked {
		r.Attribute("sAMAccountName", []string{g.name})
	}
	if m := c.members(g); len(m) > 0 {
		r.Attribute("member", m)
	}
	return r
}

func addUnit(dn, name string) *ldap.AddRequest {
	r := ldap.NewAddRequest(dn, nil)
	r.Attribute("objectClass", []string{"organizationalUnit"})
	r.Attribute("ou", []string{name})
	return r
}
