package config

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
	"usherd/ldapsync"
)

// validator checks what the types cannot say, and fills in defaults.
type validator struct {
	file *File
	*decoder
	base string
}

// at reports a fault at a path; column is counted on from the value's beginning.
func (v *validator) at(path string, offset int, format string, args ...any) {
	n := nearest(v.nodes, path)
	col := max(n.Column, 1) + offset
	if offset > 0 && (n.Style != 0) {
		col++ // the quotation mark
	}
	v.faults = append(v.faults, Fault{v.decoder.file, max(n.Line, 1), col, path, fmt.Sprintf(format, args...)})
}

func (v *validator) take(path string, faults []connector.Fault) {
	for _, f := range faults {
		v.at(join(path, f.Path), f.Offset, "%s", f.Message)
	}
}

func (v *validator) oneOf(path, value string, allowed ...string) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	v.at(path, 0, "%q is not known here: write %s", value, strings.Join(allowed, ", "))
}

func (v *validator) config() {
	c := &v.file.Config
	if c.Listen == "" {
		c.Listen = "127.0.0.1:9470"
	} else if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		v.at("listen", 0, "%q is no address: write host:port, such as 127.0.0.1:9470", c.Listen)
	}
	v.store(c)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "auto", "json", "text")
	if r := c.DNS.Resolver; r != "" {
		if _, _, err := net.SplitHostPort(r); err != nil {
			v.at("dns.resolver", 0, "%q is no address of a name server: write host:port, such as 192.0.2.53:53", r)
		}
	}
	if len(c.Organizations) == 0 {
		v.at("organizations", 0, "there is no organization: the key organizations holds at least one, with id and sources")
	}
	ids := map[string]int{}
	for i := range c.Organizations {
		v.organization(&c.Organizations[i], index("organizations", i), ids)
	}
}

func (v *validator) store(c *Config) {
	path, ok := strings.CutPrefix(c.Store, "sqlite:")
	switch {
	case c.Store == "":
		v.at("store", 0, "the store is missing: write store: sqlite:/var/lib/usherd/usherd.db")
	case !ok || path == "":
		v.at("store", 0, "%q is no store: write sqlite: and the path of the database file", c.Store)
	default:
		c.Store = "sqlite:" + v.absolute(path)
	}
}

// absolute makes relative paths start at the folder of the configuration: a service has none of its
// own.
func (v *validator) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(v.base, path)
}

var idForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// id checks a short name and that nobody has it already.
func (v *validator) id(what, id, path string, taken map[string]int) {
	path = join(path, "id")
	switch {
	case id == "":
		v.at(path, 0, "the %s has no id: give it a short name of letters a-z, digits and hyphens", what)
		return
	case !idForm.MatchString(id):
		v.at(path, 0, "%q is no id: up to 32 letters a-z, digits and hyphens, such as %q", id, "head-office")
	case taken[id] > 0:
		v.at(path, 0, "another %s has the id %q already, in line %d", what, id, taken[id])
	}
	taken[id] = max(nearest(v.nodes, path).Line, 1)
}

func (v *validator) organization(o *Organization, path string, ids map[string]int) {
	v.id("organization", o.ID, path, ids)
	for i, l := range o.Languages {
		v.oneOf(index(join(path, "languages"), i), l, "en", "pt-BR", "sv", "pl")
	}
	for i, name := range o.Required {
		v.attribute(index(join(path, "required"), i), name)
	}
	for i, name := range o.Matching {
		v.oneOf(index(join(path, "matching"), i), name, connector.Email, connector.UserName, "employeeNumber")
	}
	if e := o.Contact.Email; e != "" {
		if err := policy.CheckAddress(e); err != nil {
			v.at(join(path, "contact.email"), 0, "%q is no e-mail address: %s", e, err)
		}
	}
	if o.Matching == nil {
		o.Matching = []string{connector.Email, connector.UserName}
	}
	if o.DeleteAfter == 0 {
		o.DeleteAfter = connector.Duration(30 * 24 * time.Hour)
	}
	if o.GoneDeleteAfter == 0 {
		o.GoneDeleteAfter = connector.Duration(7 * 24 * time.Hour)
	}
	v.packages(o, path)
	taken := map[string]int{}
	for i := range o.Sources {
		v.id("source", o.Sources[i].ID, index(join(path, "sources"), i), taken)
	}
	v.owners(o, path, taken)
	v.file.Organizations = append(v.file.Organizations, v.runtime(o, path))
}

func (v *validator) attribute(path, name string) {
	if _, ok := connector.AttributeByName(name); ok {
		return
	}
	var names []string
	for _, a := range connector.Attributes() {
		names = append(names, a.Name)
	}
	if s := similar(name, names); s != "" {
		v.at(path, 0, "%q is no attribute of a profile: did you mean %q?", name, s)
		return
	}
	v.at(path, 0, "%q is no attribute of a profile; they are %s, and custom.NAME", name, strings.Join(names, ", "))
}

func (v *validator) packages(o *Organization, path string) {
	taken := map[string]int{}
	for i, p := range o.Packages {
		at := index(join(path, "packages"), i)
		v.id("package", p.ID, at, taken)
		if v.nodes[join(at, "seats")] == nil {
			v.at(at, 0, `the package does not say how many seats it has: write seats: 500, or seats: unlimited`)
		}
	}
	v.packageKnown(o, join(path, "package"), o.Package)
	for i, s := range o.Sources {
		v.packageKnown(o, join(index(join(path, "sources"), i), "package"), s.Package)
	}
}

func (v *validator) packageKnown(o *Organization, path, id string) {
	if id == "" || slices.ContainsFunc(o.Packages, func(p Package) bool { return p.ID == id }) {
		return
	}
	v.at(path, 0, "there is no package %q in this organization's packages", id)
}

func (v *validator) owners(o *Organization, path string, sources map[string]int) {
	for name, list := range o.Owners {
		at := join(join(path, "owners"), name)
		v.attribute(at, name)
		for i, s := range list {
			if sources[s] == 0 {
				v.at(index(at, i), 0, "there is no source %q in this organization", s)
			}
		}
	}
}

func (v *validator) guard(g *connector.Guard, path string) {
	for _, p := range []struct {
		key   string
		value float64
	}{{"percent", g.Percent}, {"attribute_percent", g.AttributePercent}} {
		if p.value < 0 || p.value > 100 {
			v.at(join(path, p.key), 0, "%v is no percentage: write a number from 0 to 100", p.value)
		}
	}
	if g.Min < 0 {
		v.at(join(path, "min"), 0, "%d removals cannot be allowed: write a number from 0", g.Min)
	}
}

// files makes the paths of a directory's files absolute.
func (v *validator) files(d *ldapsync.Config) {
	for _, p := range []*string{&d.TLS.CAFile, &d.TLS.CertFile, &d.TLS.KeyFile, &d.Bind.Keytab, &d.Bind.Krb5Conf} {
		*p = v.absolute(*p)
	}
}
