package config

import (
	"crypto/sha256"
	"slices"
	"strings"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/policy"
)

// Template is a customer template: how people activate themselves whom an upstream system announces.
type Template struct {
	// ID is a short name, unique among templates and sources of the organization, that stands in the address of the
	// activation page. Never change it: subscribers are stored under it.
	ID string `yaml:"id"`
	// Name is how people know it; default the id.
	Name string `yaml:"name,omitempty"`
	// Package is the id of the package for subscribers who were announced without one; default the organization's.
	Package string `yaml:"package,omitempty"`
	// UntrustedEmail says that announced addresses are not believed: the account is created when the person has entered
	// an address at the activation page and proved it. Otherwise it is created at once; default false.
	UntrustedEmail bool `yaml:"untrusted_email,omitempty"`
	// Unannounced lets people activate whom nobody has announced, under the address that they prove; default false.
	Unannounced bool `yaml:"unannounced,omitempty"`
	// Domains are those that addresses may have, subdomains included. Left out: any.
	Domains []string `yaml:"domains,omitempty"`
	// Languages are those of the activation page and its mails; default the organization's.
	Languages []string `yaml:"languages,omitempty"`
	// Approval makes its users wait until an administrator approves; default what the organization says.
	Approval bool `yaml:"approval,omitempty"`
	// Fields are attributes that the activation page asks everybody for, so that it gives away nothing of what was
	// announced, which counts first. An empty list asks for the address only; default givenName, familyName.
	Fields []string `yaml:"fields,omitempty"`
}

// templates checks the templates of an organization; their ids are shared with its sources.
func (v *validator) templates(o *Organization, path string, taken map[string]int) {
	for i := range o.Templates {
		t, at := &o.Templates[i], index(join(path, "templates"), i)
		v.id("source or template", t.ID, at, taken)
		v.packageKnown(o, join(at, "package"), t.Package)
		v.list(join(at, "languages"), t.Languages, func(at, s string) { v.word(at, s, "languages") })
		for j, name := range t.Domains {
			n, err := policy.ParseDomain(name)
			if err != nil {
				v.reject(index(join(at, "domains"), j), "%s", err)
				continue
			}
			t.Domains[j] = n.ASCII
		}
		v.once(join(at, "domains"), t.Domains)
		if !v.given(join(at, "fields")) {
			t.Fields = []string{connector.GivenName, connector.FamilyName}
		}
		v.list(join(at, "fields"), t.Fields, v.askable)
		if t.Unannounced && len(t.Domains) == 0 && !t.Approval && !o.Approval {
			v.doubt(join(at, "unannounced"), "anybody in the world can have an account: name domains, or write approval: true")
		}
		if t.UntrustedEmail || t.Unannounced { // people have to come to a page, and need a mail
			v.reachable(at)
		}
	}
}

// reachable doubts a template whose people have to activate themselves where they cannot.
func (v *validator) reachable(at string) {
	if v.config.Portal == nil {
		v.doubt(at, "nobody can activate by it: there is no portal block at the top of the file, which opens the page")
	}
	if v.config.Mail == nil {
		v.doubt(at, "nobody can activate by it: there is no mail block at the top of the file, so that links wait in the outbox")
	}
}

// askable refuses what a person at the activation page may not say of itself.
func (v *validator) askable(path, name string) {
	info, known := connector.AttributeByName(name)
	switch {
	case name == connector.Email:
		v.reject(path, "the address is always asked for: remove it")
	case name == connector.UserName, name == connector.OtherEmails, name == connector.MemberStatus, name == "roles", name == "entitlements":
		v.reject(path, "nobody may choose %s of the own account: remove it", name)
	case known && !connector.Announceable(name):
		v.reject(path, "%s is nothing that can be written into a form: remove it", info.Label)
	default:
		v.attribute(path, name)
	}
}

// activation compiles the templates: each is a source behind all others.
func (v *validator) activation(r *Runtime, o *Organization, path string) {
	for i, t := range o.Templates {
		m, faults := mapping.Compile(mapping.Config{Preset: mapping.Template, Attributes: ownAttributes(o, &t)})
		v.take(index(join(path, "templates"), i), faults)
		if len(v.faults) > 0 {
			return
		}
		f := m.Fingerprint()
		sum := sha256.Sum256([]byte("template\x00" + string(f[:]) + "\x00" + t.Package))
		r.Org.Sources = append(r.Org.Sources, connector.SourceSettings{
			ID: t.ID, Kind: connector.Template, Package: t.Package, Approval: t.Approval, Domains: t.Domains,
			Fingerprint: connector.Hash(sum[:16]), FirstRun: connector.FirstRunApply, Guard: policy.Unguarded(),
		})
		r.Mappings[t.ID] = m
		name := t.Name
		if name == "" {
			name = t.ID
		}
		r.Org.Templates = append(r.Org.Templates, connector.TemplateSettings{
			ID: t.ID, Name: name, Untrusted: t.UntrustedEmail, Unannounced: t.Unannounced, Languages: t.Languages, Fields: t.Fields,
		})
	}
}

// ownAttributes are rules for the attributes of the organization's own that subscribers can have.
func ownAttributes(o *Organization, t *Template) map[string]mapping.Rule {
	rules := map[string]mapping.Rule{}
	for _, name := range slices.Concat(o.Required, t.Fields) {
		if strings.HasPrefix(name, "custom.") {
			rules[name] = mapping.Rule{`attr("` + name + `")`}
		}
	}
	return rules
}
