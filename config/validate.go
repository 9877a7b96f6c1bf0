package config

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/notify"
	"usherd/ldapsync"
)

// words are the keys that take one of a few words, by the end of their path; the schema has them too.
var words = map[string][]string{
	"log.level":      {"debug", "info", "warn", "error"},
	"log.format":     {"auto", "json", "text"},
	"languages":      {"en", "pt-BR", "sv", "pl"},
	"matching":       {connector.Email, connector.UserName, "employeeNumber"},
	"first_run":      {string(connector.FirstRunPreview), string(connector.FirstRunApply)},
	"directory.type": {string(ldapsync.ActiveDirectory), string(ldapsync.OpenLDAP), string(ldapsync.DS389), string(ldapsync.LDAP)},
	"directory.changes": {
		string(ldapsync.Auto), string(ldapsync.ByDirSync), string(ldapsync.ByUSN), string(ldapsync.BySyncrepl),
		string(ldapsync.ByTimestamp), string(ldapsync.NoChanges),
	},
	"bind.method":    {string(ldapsync.BindSimple), string(ldapsync.BindExternal), string(ldapsync.BindKerberos)},
	"mapping.preset": mapping.Presets(),
	"scim.profile":   profiles,

	"mail.tls": {notify.StartTLS, notify.Implicit, notify.NoTLS},
	"invite":   {"manual", inviteAuto},

	"role": roleWords(),

	"recipients.language":       {"en", "pt-BR", "sv", "pl"},
	"reports.recipients.events": eventWords(),
	"reports.webhooks.events":   eventWords(),

	"saml.name_id_format": {"persistent", "email", "unspecified"},
}

// validator checks what the types cannot say, and fills in defaults.
type validator struct {
	*decoder
	config *Config
	base   string
	read   map[string]string // directory and scope -> path of the source that reads it
}

// given reports whether the file has a value at that path.
func (v *validator) given(path string) bool {
	n := v.nodes[path]
	return n != nil && !isNull(n)
}

// place finds where a fault of that path is shown.
func (v *validator) place(path string, offset int) (line, column int) {
	n := nearest(v.nodes, v.keys, path)
	if n.Kind == yaml.SequenceNode && offset > 0 && len(n.Content) == 1 {
		n = n.Content[0]
	}
	return v.at(n, offset)
}

// reject reports a fault at a path, unless it only follows from another.
func (v *validator) reject(path, format string, args ...any) {
	v.take("", []connector.Fault{{Path: path, Message: fmt.Sprintf(format, args...)}})
}

// take reports what a part has found in its own block.
func (v *validator) take(path string, faults []connector.Fault) {
	for _, f := range faults {
		at := join(path, f.Path)
		if v.follows(at) {
			continue
		}
		line, column := v.place(at, f.Offset)
		v.add(Fault{v.file, line, column, at, f.Message})
	}
}

func (v *validator) doubt(path, format string, args ...any) {
	v.warn(nearest(v.nodes, v.keys, path), path, format, args...)
}

// word checks a value that is one of a few.
func (v *validator) word(path, value, end string) {
	if value != "" && !slices.Contains(words[end], value) {
		v.reject(path, "%q is not known here: write %s", clip(value), alternatives(words[end]))
	}
}

func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// once finds what stands in a list a second time.
func (v *validator) once(path string, list []string) {
	seen := make(map[string]bool, len(list))
	for i, s := range list {
		if seen[s] {
			v.reject(index(path, i), "%q stands here twice: remove one", clip(s))
		}
		seen[s] = true
	}
}

// all checks everything and returns the organizations; they are whole only when there are no faults.
func (v *validator) all() []*Runtime {
	c := v.config
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	v.address("listen", c.Listen, defaultListen)
	v.store()
	v.word("log.level", c.Log.Level, "log.level")
	v.word("log.format", c.Log.Format, "log.format")
	if c.DNS.Resolver != "" {
		v.address("dns.resolver", c.DNS.Resolver, "192.0.2.53:53")
	}
	v.doors()
	v.console()
	v.mail()
	v.reports()
	if len(c.Organizations) == 0 {
		v.reject("organizations", "there is no organization: write at least one under the key organizations, with id and sources")
	}
	var out []*Runtime
	ids := map[string]int{}
	for i := range c.Organizations {
		if len(v.faults) >= maxFaults {
			break
		}
		out = append(out, v.organization(&c.Organizations[i], index("organizations", i), ids))
	}
	return out
}

func (v *validator) address(path, value, example string) {
	_, port, err := net.SplitHostPort(value)
	listens := strings.HasSuffix(path, "listen")
	if n, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil || n == 0 && !listens {
		v.reject(path, "%q is no address: write host:port, as in %s", clip(value), example)
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

const idPattern = `^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`

var idForm = regexp.MustCompile(idPattern)

// id checks a short name and that nobody has it already.
func (v *validator) id(what, id, path string, taken map[string]int) {
	path = join(path, "id")
	switch {
	case id == "":
		v.reject(path, "the %s has no id: write id: and a short name of letters a-z, digits and hyphens", what)
		return
	case !idForm.MatchString(id):
		v.reject(path, "%q is no id: write up to 32 letters a-z, digits and hyphens, as in head-office", clip(id))
	case taken[id] > 0:
		v.reject(path, "another %s has the id %s already, in line %d: choose another", what, id, taken[id])
	}
	if taken[id] == 0 {
		taken[id] = nearest(v.nodes, v.keys, path).Line
	}
}
