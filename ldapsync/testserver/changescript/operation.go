package changescript

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Operation is one thing that happens in the company, in one or a few requests.
type Operation struct {
	Name     string
	requests []any // *ldap.AddRequest, *ldap.ModifyRequest, *ldap.ModifyDNRequest, *ldap.DelRequest or *roster
}

// roster makes the members of a group those of the model. Some servers do a part of that by themselves when
// an entry moves or goes.
type roster struct {
	dn   string
	want []string
}

// apply changes single members: some servers take half a second for a change of all.
func (r *roster) apply(c *ldap.Conn) error {
	found, err := c.Search(&ldap.SearchRequest{BaseDN: r.dn, Filter: "(objectClass=*)", Attributes: []string{"member"}})
	if err != nil {
		return err
	}
	has := found.Entries[0].GetAttributeValues("member")
	m := ldap.NewModifyRequest(r.dn, nil)
	if gone := except(has, r.want); len(gone) > 0 {
		m.Delete("member", gone)
	}
	if added := except(r.want, has); len(added) > 0 {
		m.Add("member", added)
	}
	if len(m.Changes) == 0 {
		return nil
	}
	return c.Modify(m)
}

// Apply sends the requests, in their order, over a connection that may write.
func (o Operation) Apply(c *ldap.Conn) error {
	for _, r := range o.requests {
		var err error
		switch r := r.(type) {
		case *ldap.AddRequest:
			err = c.Add(r)
		case *ldap.ModifyRequest:
			err = c.Modify(r)
		case *ldap.ModifyDNRequest:
			err = c.ModifyDN(r)
		case *ldap.DelRequest:
			err = c.Del(r)
		case *roster:
			err = r.apply(c)
		}
		if err != nil {
			return fmt.Errorf("changescript: %s: %w", describe(r), err)
		}
	}
	return nil
}

// except returns the DNs that are not among the others.
func except(dns, others []string) []string {
	known := map[string]bool{}
	for _, dn := range others {
		known[plain(dn)] = true
	}
	return slices.DeleteFunc(slices.Clone(dns), func(dn string) bool { return known[plain(dn)] })
}

// String tells the operation in one line.
func (o Operation) String() string {
	parts := make([]string, len(o.requests))
	for i, r := range o.requests {
		parts[i] = describe(r)
	}
	return o.Name + ": " + strings.Join(parts, "; ")
}

func describe(r any) string {
	switch r := r.(type) {
	case *ldap.AddRequest:
		return "add " + r.DN
	case *ldap.DelRequest:
		return "delete " + r.DN
	case *ldap.ModifyDNRequest:
		return strings.TrimSuffix("rename "+r.DN+" to "+r.NewRDN+","+r.NewSuperior, ",")
	case *roster:
		return "members of " + r.dn
	case *ldap.ModifyRequest:
		words := []string{"modify " + r.DN}
		for _, ch := range r.Changes {
			verb := map[uint]string{ldap.AddAttribute: "add", ldap.DeleteAttribute: "delete", ldap.ReplaceAttribute: "replace"}[ch.Operation]
			words = append(words, fmt.Sprintf("%s %s=%q", verb, ch.Modification.Type, ch.Modification.Vals))
		}
		return strings.Join(words, " ")
	}
	return fmt.Sprintf("%T", r)
}

// action is a kind of operation.
type action struct {
	name   string
	weight int
	// draw changes the model and returns the requests that do the same to the directory; none where nobody is
	// there to whom it could happen.
	draw func(*Company) []any
}

// actions are all kinds of operations, with how often each comes.
var actions = []action{
	{"hire", 9, (*Company).hire},
	{"fire", 9, (*Company).fire},
	{"hire again", 5, (*Company).rehire},
	{"marry", 7, (*Company).marry},
	{"new login", 4, (*Company).newLogin},
	{"move", 9, (*Company).move},
	{"leave the scope", 5, (*Company).moveOut},
	{"come back into the scope", 5, (*Company).moveIn},
	{"rename a unit", 1, (*Company).renameUnit},
	{"move a unit", 1, (*Company).moveUnit},
	{"disable", 8, (*Company).disable},
	{"enable", 8, (*Company).enable},
	{"expire", 4, (*Company).expire},
	{"extend", 4, (*Company).extend},
	{"new mail", 9, (*Company).newMail},
	{"new chief", 7, (*Company).newChief},
	{"new phone", 6, (*Company).newPhone},
	{"new title", 9, (*Company).newTitle},
	{"join the scope", 6, (*Company).joinScope},
	{"leave a group of the scope", 6, (*Company).leaveScope},
	{"protect", 3, (*Company).protect},
	{"protect no more", 3, (*Company).unprotect},
	{"join a club", 3, (*Company).joinClub},
	{"leave a club", 3, (*Company).leaveClub},
	{"new club", 2, (*Company).newClub},
	{"end a club", 2, (*Company).endClub},
	{"nest a group", 2, (*Company).nest},
	{"unnest a group", 2, (*Company).unnest},
	{"break", 4, (*Company).breakEntry},
	{"mend", 4, (*Company).mend},
}

// Next draws the next operation. The model is then as if it had been applied, which the caller does.
func (c *Company) Next() Operation {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for {
		n := c.rand.IntN(total)
		for _, a := range actions {
			if n -= a.weight; n >= 0 {
				continue
			}
			if r := a.draw(c); len(r) > 0 {
				return Operation{a.name, r}
			}
			break
		}
	}
}

// MendAll returns the operations after which no entry is broken. A broken one holds back what a store knows
// of the person, so that stores with different pasts may differ until then.
func (c *Company) MendAll() []Operation {
	var all []Operation
	for {
		r := c.mend()
		if len(r) == 0 {
			return all
		}
		all = append(all, Operation{"mend", r})
	}
}
