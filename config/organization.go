package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
)

const day = connector.Duration(24 * time.Hour)

func (v *validator) organization(o *Organization, path string, ids map[string]int) *Runtime {
	v.id("organization", o.ID, path, ids)
	if strings.TrimSpace(o.PartnerID) == "" {
		v.doubt(join(path, "partner_id"), "there is no partner_id: until there is one, nobody can be created or updated (failure 31 partner_id_missing)")
	}
	v.contact(&o.Contact, join(path, "contact"))
	v.letters(o, path)
	v.list(join(path, "languages"), o.Languages, func(at, s string) { v.word(at, s, "languages") })
	v.list(join(path, "required"), o.Required, v.required)
	v.list(join(path, "matching"), o.Matching, func(at, s string) { v.word(at, s, "matching") })
	if o.Matching == nil {
		o.Matching = []string{connector.Email, connector.UserName}
	}
	v.period(join(path, "delete_after"), &o.DeleteAfter, 30*day)
	v.period(join(path, "gone_delete_after"), &o.GoneDeleteAfter, 7*day)
	v.kept(join(path, "records.keep"), &o.Records.Keep)
	v.packages(o, path)
	taken := map[string]int{}
	for i := range o.Sources {
		v.id("source", o.Sources[i].ID, index(join(path, "sources"), i), taken)
	}
	v.templates(o, path, taken)
	if len(o.Sources)+len(o.Templates) == 0 && !v.follows(join(path, "sources")) {
		v.doubt(join(path, "sources"), "there are no sources: nobody comes into this organization")
	}
	v.owners(o, path, taken)
	return v.runtime(o, path)
}

// list checks each word of a list, and that none stands there twice.
func (v *validator) list(path string, list []string, check func(at, s string)) {
	for i, s := range list {
		check(index(path, i), s)
	}
	v.once(path, list)
}

func (v *validator) contact(c *connector.Contact, path string) {
	if c.Email != "" {
		if err := policy.CheckAddress(c.Email); err != nil {
			v.reject(join(path, "email"), "%q is no e-mail address: %s", clip(c.Email), err)
		}
	}
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			v.reject(join(path, "url"), "%q is no address of a page: write it as in https://help.example.com", clip(c.URL))
		}
	}
}

// period fills in a default; none is as short as nothing at all.
func (v *validator) period(path string, d *connector.Duration, usual connector.Duration) {
	if *d == 0 && v.given(path) {
		v.reject(path, "0 is no time to wait: write a duration such as %s, or leave it out for %s", usual, usual)
	}
	if *d == 0 {
		*d = usual
	}
}

// maxKeep is far beyond what anybody replays; a longer time is a slip of the pen.
const maxKeep = 3650 * day

// kept takes 0 as it is written: nothing is kept.
func (v *validator) kept(path string, keep *connector.Duration) {
	switch {
	case !v.given(path):
		*keep = 30 * day
	case *keep > 0 && *keep < day || *keep > maxKeep:
		v.reject(path, "%s is out of range: write 1d to %s, or 0 to keep none", *keep, maxKeep)
	}
}

func (v *validator) required(path, name string) {
	if name == connector.MemberStatus {
		v.reject(path, "a record with a %s is refused: remove it from the list", name)
		return
	}
	v.attribute(path, name)
}

func (v *validator) attribute(path, name string) {
	if _, ok := connector.AttributeByName(name); ok {
		return
	}
	names := attributeNames()
	if s := similar(name, names); s != "" {
		v.reject(path, "%q is no attribute of a profile: did you mean %q?", clip(name), s)
		return
	}
	v.reject(path, "%q is no attribute of a profile: write one of %s, or custom.NAME", clip(name), strings.Join(names, ", "))
}

func attributeNames() []string {
	var names []string
	for _, a := range connector.Attributes() {
		if a.Name != connector.MemberStatus {
			names = append(names, a.Name)
		}
	}
	return names
}

func (v *validator) packages(o *Organization, path string) {
	taken := map[string]int{}
	for i, p := range o.Packages {
		at := index(join(path, "packages"), i)
		v.id("package", p.ID, at, taken)
		if seats := join(at, "seats"); !v.given(seats) {
			v.reject(seats, "the package does not say how many seats it has: write seats: 500, or seats: unlimited")
		}
	}
	v.packageKnown(o, join(path, "package"), o.Package)
	for i, s := range o.Sources {
		at := index(join(path, "sources"), i)
		v.packageKnown(o, join(at, "package"), s.Package)
		for j, r := range s.GroupPackages {
			v.packageKnown(o, join(index(join(at, "group_packages"), j), "package"), r.Package)
		}
	}
}

func (v *validator) packageKnown(o *Organization, path, id string) {
	if id == "" || slices.ContainsFunc(o.Packages, func(p Package) bool { return p.ID == id }) {
		return
	}
	ids := make([]string, len(o.Packages))
	for i, p := range o.Packages {
		ids[i] = p.ID
	}
	v.reject(path, "there is no package %q: %s", clip(id), among(id, ids, "packages"))
}

// among says what could have been meant.
func among(word string, known []string, key string) string {
	if s := similar(word, known); s != "" {
		return "did you mean " + s + "?"
	}
	known = slices.DeleteFunc(known, func(s string) bool { return s == "" })
	if len(known) == 0 {
		return "this organization has none; add it under " + key
	}
	return "this organization has " + clip(strings.Join(known, ", ")) + "; add it under " + key
}

func (v *validator) owners(o *Organization, path string, sources map[string]int) {
	for _, name := range slices.Sorted(maps.Keys(o.Owners)) {
		at := join(join(path, "owners"), name)
		v.attribute(at, name)
		v.list(at, o.Owners[name], func(at, s string) {
			if sources[s] == 0 {
				v.reject(at, "there is no source %q: %s", clip(s), among(s, slices.Sorted(maps.Keys(sources)), "sources"))
			}
		})
	}
}

// unfilled warns of required attributes that no source has a rule for.
func (v *validator) unfilled(r *Runtime) {
	always := []string{connector.UserName, connector.GivenName, connector.FamilyName, connector.Email}
	for _, name := range append(always, r.Org.Required...) {
		found := len(r.Mappings) == 0
		for _, m := range r.Mappings {
			_, ok := m.Origin(name)
			found = found || ok
		}
		if !found {
			v.doubt(join(r.path, "sources"), "no mapping has a rule for %s, which is required: nobody can be created", name)
		}
	}
}
