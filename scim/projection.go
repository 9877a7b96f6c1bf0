package scim

import (
	"net/url"
	"slices"
	"strings"

	"usherd/scim/filter"
	"usherd/scim/schema"
)

// projection is which attributes an answer has (RFC 7644 section 3.9).
type projection struct {
	t       *schema.Type
	only    map[*schema.Attribute]bool // attributes=: those, and what is always returned; nil = the default ones
	without map[*schema.Attribute]bool // excludedAttributes=
}

// projection reads both parameters, each a list with commas. Names that are none mean nothing, as the RFC has it.
func (x *exchange) projection(t *schema.Type, q url.Values) (*projection, error) {
	return project(t, q.Get("attributes"), q.Get("excludedAttributes"))
}

func project(t *schema.Type, attributes, excluded string) (*projection, error) {
	if attributes != "" && excluded != "" {
		return nil, badValue("attributes and excludedAttributes exclude each other: send one of them")
	}
	p := &projection{t: t}
	if attributes != "" {
		p.only = p.named(attributes)
	}
	if excluded != "" {
		p.without = p.named(excluded)
	}
	return p, nil
}

func (p *projection) named(list string) map[*schema.Attribute]bool {
	out := map[*schema.Attribute]bool{}
	for name := range strings.SplitSeq(list, ",") {
		path, err := filter.ParsePath(strings.TrimSpace(name))
		if err != nil {
			continue
		}
		urn := ""
		if u := path.AttributePath.URIPrefix; u != nil {
			urn = strings.TrimSuffix(*u, ":")
		}
		if path.AttributePath.AttributeName == "" { // a whole extension
			for _, s := range p.t.Extensions {
				if strings.EqualFold(s.ID, urn) {
					for _, a := range s.Attributes {
						out[a] = true
					}
				}
			}
			continue
		}
		if a, ok := p.t.Find(urn, attributeName(path.AttributePath.AttributeName, path.AttributePath.SubAttribute)); ok {
			out[a] = true
		}
	}
	return out
}

func attributeName(name string, sub *string) string {
	if sub == nil {
		return name
	}
	return name + "." + *sub
}

// wants reports whether the answer shows an attribute of the core schema at all.
func (p *projection) wants(name string) bool { return p.wantsOf("", name) }

func (p *projection) wantsOf(urn, name string) bool {
	a, ok := p.t.Find(urn, name)
	return ok && p.shows(a)
}

// shows reports whether an attribute is in the answer, or one below it.
func (p *projection) shows(a *schema.Attribute) bool {
	switch a.Returned {
	case schema.ReturnedAlways:
		return true
	case schema.ReturnedNever:
		return false
	}
	for up := a; up != nil; up = up.Parent {
		if p.without[up] {
			return false
		}
	}
	if p.only == nil {
		return a.Returned != schema.ReturnedOnRequest
	}
	for up := a; up != nil; up = up.Parent {
		if p.only[up] {
			return true
		}
	}
	return slices.ContainsFunc(a.Sub, func(s *schema.Attribute) bool { return p.only[s] })
}

// all reports whether the answer has everything that is rendered: what is never returned is not.
func (p *projection) all() bool { return p.only == nil && p.without == nil }

// whole reports whether a complex attribute is shown with all that is below it.
func (p *projection) whole(a *schema.Attribute) bool {
	return p.all() || p.only[a] && p.without == nil
}

// apply takes out of a rendered resource what the answer has not, in place.
func (p *projection) apply(r map[string]any) map[string]any {
	if p.all() {
		return r
	}
	p.prune(r, p.t.Common)
	p.prune(r, p.t.Core.Attributes)
	for _, s := range p.t.Extensions {
		if e, ok := r[s.ID].(map[string]any); ok {
			if p.prune(e, s.Attributes); len(e) == 0 {
				delete(r, s.ID)
			}
		}
	}
	if list, ok := r["schemas"].([]any); ok {
		r["schemas"] = slices.DeleteFunc(list, func(v any) bool { return v != p.t.Core.ID && r[v.(string)] == nil })
	}
	return r
}

func (p *projection) prune(r map[string]any, list []*schema.Attribute) {
	for _, a := range list {
		v, ok := r[a.Name]
		switch {
		case !ok:
		case !p.shows(a):
			delete(r, a.Name)
		case a.Kind == schema.Complex && !p.whole(a):
			if v = p.pruned(v, a); v == nil {
				delete(r, a.Name)
			} else {
				r[a.Name] = v
			}
		}
	}
}

// pruned is what the answer has of the value of a complex attribute, nil for nothing. A list that was empty stays.
func (p *projection) pruned(v any, a *schema.Attribute) any {
	switch v := v.(type) {
	case map[string]any:
		for _, s := range a.Sub {
			if !p.shows(s) {
				delete(v, s.Name)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		kept := slices.DeleteFunc(v, func(e any) bool { return p.pruned(e, a) == nil })
		if len(v) > 0 && len(kept) == 0 {
			return nil
		}
		return kept
	}
	return v
}
