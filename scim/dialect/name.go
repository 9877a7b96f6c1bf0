package dialect

import (
	"strings"

	fp "github.com/scim2/filter-parser/v2"

	"usherd/scim/filter"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

// legacy are the URNs of SCIM 1.x and of drafts of 2.0, in lower case, the longer first. Those of the core schema stand
// for that of any type.
var legacy = []struct{ urn, now string }{
	{"urn:scim:schemas:core:1.0:user", ""},
	{"urn:scim:schemas:core:1.0:group", ""},
	{"urn:scim:schemas:core:2.0:user", ""},
	{"urn:scim:schemas:core:2.0:group", ""},
	{"urn:scim:schemas:core:1.0", ""},
	{"urn:scim:schemas:core:2.0", ""},
	{"urn:scim:schemas:extension:enterprise:1.0:user", schema.EnterpriseURN},
	{"urn:scim:schemas:extension:enterprise:2.0:user", schema.EnterpriseURN},
	{"urn:scim:schemas:extension:enterprise:1.0", schema.EnterpriseURN},
	{"urn:scim:schemas:extension:enterprise:2.0", schema.EnterpriseURN},
}

// modern cuts the URN of SCIM 1.x or of a draft off a name and returns the one that it is now.
func modern(t *schema.Type, name string) (urn, rest string, ok bool) {
	for _, l := range legacy {
		n := len(l.urn)
		if len(name) < n || !strings.EqualFold(name[:n], l.urn) || len(name) > n && name[n] != ':' {
			continue
		}
		now, known := t.Core.ID, true
		if l.now != "" {
			now, known = t.URN(l.now)
		}
		if len(name) > n {
			rest = name[n+1:]
		}
		return now, rest, known
	}
	return "", "", false
}

// found is what a name or path means, and what had to be overlooked to see it.
type found struct {
	patch.Target
	sent    fp.Path
	legacy  bool // its URN is one of SCIM 1.x or of a draft
	missing bool // it has no URN and is an attribute of an extension
}

// find reads a name or path.
func (n *normaliser) find(name string) (found, bool) {
	var f found
	text := name
	if !n.p.Strict {
		if urn, rest, ok := modern(n.t, name); ok {
			f.legacy = true
			if text = urn; rest != "" {
				text += ":" + rest
			}
		}
	}
	p, err := filter.ParsePath(text)
	if err != nil {
		return f, false
	}
	f.sent = p
	f.Target, err = patch.ResolvePath(n.t, p)
	if err == nil || n.p.Strict || p.AttributePath.URIPrefix != nil {
		return f, err == nil
	}
	for _, e := range n.t.Extensions {
		p.AttributePath.URIPrefix = &e.ID
		if f.Target, err = patch.ResolvePath(n.t, p); err == nil && f.Attr.Mutability != schema.ReadOnly {
			f.missing = true
			return f, true
		}
	}
	return f, false
}

// count counts what had to be overlooked.
func (n *normaliser) count(f found) {
	if f.legacy {
		n.quirk(extensionLegacy, f.Name())
	}
	if f.missing {
		n.quirk(extensionAttribute, f.Name())
	}
	if n.misspelt(f) {
		n.quirk(nameCase, f.Name())
	}
}

// misspelt reports whether a name is in another case than that of the schema.
func (n *normaliser) misspelt(f found) bool {
	p := f.sent.AttributePath
	if id, ok := n.t.URN(p.URI()); ok && id != p.URI() {
		return true
	}
	if f.Attr == nil {
		return false
	}
	sub := p.SubAttributeName() + f.sent.SubAttributeName()
	return p.AttributeName != f.Attr.Name || f.Sub != nil && sub != f.Sub.Name
}

// Text returns what a quirk means.
func Text(id string) string {
	if text, ok := meaning[id]; ok {
		return text
	}
	return patch.Text(id)
}
