package resource

import (
	"slices"

	"usherd/connector"
	"usherd/scim/body"
	"usherd/scim/schema"
)

// Write writes the attributes of a User that a profile means into an object that was begun: those of the core schema
// and of the enterprise extension, without id, meta and whatever else is not of the person's profile.
func Write(s body.Sink, p Profile) {
	open := ""
	into := func(section string) {
		if section == open {
			return
		}
		if open != "" {
			s.End()
		}
		if open = section; section != "" {
			s.Object(section)
		}
	}
	for i := range places {
		at := &places[i]
		if v := p.Get(at.attribute); v != "" {
			into(at.section)
			s.Text(at.name, v)
		}
	}
	if v := p.Get(manager); v != "" {
		into(schema.EnterpriseURN)
		s.Object(manager)
		s.Text("value", v)
		s.End()
	}
	into("")
	w := elements{s: s}
	for i := range lists {
		lists[i].write(&w, p)
	}
}

// Extended reports whether Write writes the enterprise extension.
func Extended(p Profile) bool {
	return p.Get(manager) != "" || slices.ContainsFunc(places, func(at place) bool {
		return at.section == schema.EnterpriseURN && p.Get(at.attribute) != ""
	})
}

// ToProfile is the profile that a validated User means. What a profile has no place for, such as a password, is
// left out.
func ToProfile(r map[string]any) Profile {
	p := Profile{}
	for _, at := range places {
		in := r
		if at.section != "" {
			in, _ = r[at.section].(map[string]any)
		}
		if v, _ := in[at.name].(string); v != "" {
			p.Set(at.attribute, v)
		}
	}
	if e, ok := r[schema.EnterpriseURN].(map[string]any); ok {
		if m, ok := e[manager].(map[string]any); ok {
			if v := text(m, "value"); v != "" {
				p.Set(manager, v)
			}
		}
	}
	for i := range lists {
		values, _ := r[lists[i].name].([]any)
		elements := make([]element, 0, len(values))
		for _, v := range values {
			if e, ok := v.(element); ok && len(e) > 0 {
				elements = append(elements, e)
			}
		}
		if len(elements) > 0 {
			lists[i].parse(elements, p)
		}
	}
	return p
}

// Attributes are those of a record that says this profile, in order of their names.
func Attributes(p Profile) []connector.Attribute {
	out := make([]connector.Attribute, 0, len(p))
	for _, name := range p.Names() {
		a := connector.Attribute{Name: name, Values: make([][]byte, len(p[name]))}
		for i, v := range p[name] {
			a.Values[i] = []byte(v)
		}
		out = append(out, a)
	}
	return out
}

// Change puts into own, which is what a client has said of a person so far, what differs between the profile that
// it was shown and the one that it wants. The result is a profile of its own.
func Change(own, shown, wanted Profile) Profile {
	out := own.Clone()
	if out == nil {
		out = Profile{}
	}
	for _, f := range connector.Diff(&connector.User{Profile: shown}, &connector.User{Profile: wanted}) {
		out.Set(f.Field, f.After...)
	}
	return out
}
