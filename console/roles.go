package console

import (
	"slices"

	"usherd/connector"
)

// permission is what a page or an action asks for.
type permission string

// All permissions; the table below says who has them.
const (
	see      permission = "see"       // runs, sources, configuration, errors, people; personal data masked unless clear
	inClear  permission = "clear"     // personal data as it is
	export   permission = "export"    // files of what can be seen
	run      permission = "run"       // run, preview, cancel, test a connection
	decide   permission = "decide"    // approve, reject and roll back runs; dismiss open items
	handle   permission = "handle"    // approve or reject accounts; retry, resend, reactivate, change package
	remove   permission = "remove"    // deactivate, delete, claims, domains
	manage   permission = "manage"    // tokens, diagnostics
	signedIn permission = "signed_in" // one's own preferences
)

// allowed are the roles that have each permission.
var allowed = map[permission][]connector.Role{
	see:      {connector.Owner, connector.Operator, connector.Helpdesk, connector.Auditor},
	inClear:  {connector.Owner, connector.Operator, connector.Helpdesk},
	export:   {connector.Owner, connector.Operator, connector.Helpdesk, connector.Auditor},
	run:      {connector.Owner, connector.Operator},
	decide:   {connector.Owner, connector.Operator},
	handle:   {connector.Owner, connector.Operator, connector.Helpdesk},
	remove:   {connector.Owner, connector.Operator},
	manage:   {connector.Owner},
	signedIn: {connector.Owner, connector.Operator, connector.Helpdesk, connector.Auditor},
}

// may reports whether a role has a permission.
func may(role connector.Role, p permission) bool { return slices.Contains(allowed[p], role) }

// Grant gives a role in organizations.
type Grant struct {
	Role          connector.Role
	Organizations []string // none = all
}

// Admin is an administrator whom the configuration names.
type Admin struct {
	Name         string
	PasswordHash string // as password.Hash has made it
	Grant
}

// roles are those of a session by organization, the most powerful of each. Nobody has any who is not in the configuration any more.
func (set *Settings) roles(s *connector.Session) map[string]connector.Role {
	out := map[string]connector.Role{}
	for _, g := range set.grants(s) {
		for _, o := range set.Organizations {
			id := o.Settings.ID
			if len(g.Organizations) > 0 && !slices.Contains(g.Organizations, id) {
				continue
			}
			if is, has := out[id]; !has || rank(g.Role) < rank(is) {
				out[id] = g.Role
			}
		}
	}
	return out
}

func rank(r connector.Role) int { return slices.Index(connector.Roles(), r) }

// grants are what the configuration gives the person of a session now.
func (set *Settings) grants(s *connector.Session) []Grant {
	if s.Provider == connector.LocalProvider {
		if a := set.admin(s.Subject); a != nil {
			return []Grant{a.Grant}
		}
		return nil
	}
	var list []Grant
	for _, p := range set.Providers {
		for _, m := range p.Roles {
			if p.ID == s.Provider && slices.Contains(s.Groups, m.Group) {
				list = append(list, m.Grant)
			}
		}
	}
	return list
}

// admin is the local administrator of that name, nil = there is none.
func (set *Settings) admin(name string) *Admin {
	for i := range set.Admins {
		if set.Admins[i].Name == name {
			return &set.Admins[i]
		}
	}
	return nil
}
