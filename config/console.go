package config

import (
	"net/netip"

	"usherd/connector"
	"usherd/console/password"
)

// Console is the door of administrators: pages on which they see what happened, decide and act.
type Console struct {
	// Listen is host:port where the console is served; default 127.0.0.1:9475.
	Listen string `yaml:"listen,omitempty"`
	// URL is the address of the console as browsers know it. OpenID providers send people back to addresses that begin with
	// it; what a request says of the host is never believed.
	URL string `yaml:"url"`
	// TLS is the certificate of the door. Without one it speaks plain HTTP: on a loopback address, or with
	// behind_proxy.
	TLS ServerTLS `yaml:"tls,omitempty"`
	// BehindProxy says that a proxy before the door ends TLS, and that nobody else can reach it; default false.
	BehindProxy bool `yaml:"behind_proxy,omitempty"`
	// TrustedProxies are networks or addresses of proxies whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trusted_proxies,omitempty"`
	// Admins are administrators who sign in by a password, for when no OpenID provider can be reached. Admins come into force
	// with a reload.
	Admins []Admin `yaml:"admins,omitempty"`
	// OIDC are OpenID providers by which administrators sign in. OIDC comes into force with a reload.
	OIDC []OIDC `yaml:"oidc,omitempty"`
}

// Admin is an administrator who signs in by a password.
type Admin struct {
	// Name is what is typed to sign in, and stands in the audit log.
	Name string `yaml:"name"`
	// PasswordHash is what usherd console password has made of the password. It is no secret like the password, but whoever has
	// it can try passwords: keep the file to yourself.
	PasswordHash string `yaml:"password_hash"`
	// Role is what the person may do: owner, operator, helpdesk, or auditor, who sees personal data masked.
	Role string `yaml:"role"`
	// Organizations are ids of those in which the person has the role. Left out, it is all of them.
	Organizations []string `yaml:"organizations,omitempty"`
}

// OIDC is an OpenID provider by which administrators sign in.
type OIDC struct {
	// ID is a short name, unique among the providers. It is part of the address that the provider sends people back to:
	// URL/login/ID/callback.
	ID string `yaml:"id"`
	// Name is what stands on the button; default the id.
	Name string `yaml:"name,omitempty"`
	// Issuer is how the provider calls itself, https, letter by letter. Its configuration is read below it, at
	// /.well-known/openid-configuration.
	Issuer string `yaml:"issuer"`
	// ClientID is how the provider knows usherd.
	ClientID string `yaml:"client_id"`
	// ClientSecret is the password of usherd at the provider; default none, for a public client.
	ClientSecret connector.Secret `yaml:"client_secret,omitempty"`
	// Scopes are asked for beside openid; default profile and email.
	Scopes []string `yaml:"scopes,omitempty"`
	// GroupsClaim is the claim of the ID token that lists the groups of a person; default groups.
	GroupsClaim string `yaml:"groups_claim,omitempty"`
	// Roles say what the members of groups may do. Who is in none of them may do nothing.
	Roles []GroupRole `yaml:"roles,omitempty"`
}

// GroupRole gives a role to the members of a group.
type GroupRole struct {
	// Group is the name or id of a group, as the claim has it.
	Group string `yaml:"group"`
	// Role is what its members may do: owner, operator, helpdesk, or auditor, who sees personal data masked.
	Role string `yaml:"role"`
	// Organizations are ids of those in which they have the role. Left out, it is all of them.
	Organizations []string `yaml:"organizations,omitempty"`
}

// TrustedNetworks are the networks of TrustedProxies.
func (c *Console) TrustedNetworks() []netip.Prefix { return networks(c.TrustedProxies) }

// roleWords are the words for roles.
func roleWords() []string {
	var list []string
	for _, r := range connector.Roles() {
		list = append(list, string(r))
	}
	return list
}

// console checks who may sign in, and fills in defaults.
func (v *validator) console() {
	c := v.config.Console
	if c == nil {
		return
	}
	if len(c.Admins)+len(c.OIDC) == 0 {
		v.doubt("console", "nobody can sign in: write admins, oidc, or both")
	}
	names := map[string]bool{}
	for i := range c.Admins {
		a, at := &c.Admins[i], index("console.admins", i)
		switch {
		case a.Name == "" || len(a.Name) > 100 || clip(a.Name) != a.Name:
			v.reject(join(at, "name"), "the administrator needs a name of at most 100 characters, which is typed to sign in")
		case names[a.Name]:
			v.reject(join(at, "name"), "there is an administrator %s already: choose another name", a.Name)
		}
		names[a.Name] = true
		if err := password.Check(a.PasswordHash); err != nil {
			v.reject(join(at, "password_hash"), "this is no hash of a password: make one with usherd console password")
		}
		v.grant(at, a.Role, a.Organizations)
	}
	ids := map[string]int{}
	for i := range c.OIDC {
		v.openID(&c.OIDC[i], index("console.oidc", i), ids)
	}
}

// openID checks one provider.
func (v *validator) openID(p *OIDC, at string, ids map[string]int) {
	v.id("provider", p.ID, at, ids)
	if p.Name == "" {
		p.Name = p.ID
	}
	if p.Issuer == "" {
		v.reject(join(at, "issuer"), "it is not said which provider it is: write its issuer, as in https://login.example.com")
	} else {
		v.webAddress(join(at, "issuer"), p.Issuer, "https://login.example.com")
	}
	if p.ClientID == "" {
		v.reject(join(at, "client_id"), "it is not said how the provider knows usherd: write the client id that it has given out")
	}
	if p.Scopes == nil {
		p.Scopes = []string{"profile", "email"}
	}
	v.once(join(at, "scopes"), p.Scopes)
	if p.GroupsClaim == "" {
		p.GroupsClaim = "groups"
	}
	if len(p.Roles) == 0 {
		v.doubt(join(at, "roles"), "nobody who signs in by this provider may do anything: write roles, with group and role")
	}
	for j, r := range p.Roles {
		in := index(join(at, "roles"), j)
		if r.Group == "" {
			v.reject(join(in, "group"), "it is not said which group has the role: write its name or id, as the claim %s has it", clip(p.GroupsClaim))
		}
		v.grant(in, r.Role, r.Organizations)
	}
}

// grant checks a role and where somebody has it.
func (v *validator) grant(at, role string, organizations []string) {
	if role == "" {
		v.reject(join(at, "role"), "it is not said what the role is: write %s", alternatives(words["role"]))
	}
	v.word(join(at, "role"), role, "role")
	v.organizations(join(at, "organizations"), organizations)
}

// organizations checks a list of ids.
func (v *validator) organizations(at string, ids []string) {
	v.list(at, ids, func(at, id string) {
		for i := range v.config.Organizations {
			if v.config.Organizations[i].ID == id {
				return
			}
		}
		v.reject(at, "there is no organization %q in this file", clip(id))
	})
}
