package resource

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"usherd/connector"
)

// Profile is connector.Profile.
type Profile = connector.Profile

// element is one element of a list.
type element = map[string]any

// text is a sub-attribute that is text, or "".
func text(e element, name string) string {
	s, _ := e[name].(string)
	return s
}

// main is the element that stands for the list where only one can: the primary one, else the first of type work,
// else the first; -1 where there is none.
func main(elements []element) int {
	for _, is := range []func(element) bool{
		func(e element) bool { return e["primary"] == true },
		func(e element) bool { return strings.EqualFold(text(e, "type"), "work") },
	} {
		if i := slices.IndexFunc(elements, is); i >= 0 {
			return i
		}
	}
	return min(len(elements), 1) - 1
}

func plainEmails(p Profile) (out []element) {
	if v := p.Get(connector.Email); v != "" {
		out = append(out, element{"value": v, "type": "work", "primary": true})
	}
	for _, v := range p[connector.OtherEmails] {
		out = append(out, element{"value": v, "type": "other"})
	}
	return out
}

func splitEmails(elements []element) Profile {
	p := Profile{}
	first := main(elements)
	if first < 0 {
		return p
	}
	p.Set(connector.Email, text(elements[first], "value"))
	for i, e := range elements {
		v := text(e, "value")
		same := func(o string) bool { return connector.Fold(o) == connector.Fold(v) }
		if i != first && v != "" && !slices.ContainsFunc(p.Emails(), same) {
			p[connector.OtherEmails] = append(p[connector.OtherEmails], v)
		}
	}
	return p
}

// phoneTypes are the plain attributes of telephone numbers and the type that each stands for.
var phoneTypes = []struct{ attribute, typ string }{{"phone", "work"}, {"mobilePhone", "mobile"}, {"fax", "fax"}}

func plainPhones(p Profile) (out []element) {
	for _, t := range phoneTypes {
		if v := p.Get(t.attribute); v != "" {
			out = append(out, element{"value": v, "type": t.typ})
		}
	}
	for _, v := range p["otherPhones"] {
		out = append(out, element{"value": v, "type": "other"})
	}
	return out
}

func splitPhones(elements []element) Profile {
	p := Profile{}
	for _, e := range elements {
		v, to := text(e, "value"), "otherPhones"
		for _, t := range phoneTypes {
			if strings.EqualFold(text(e, "type"), t.typ) && p[t.attribute] == nil {
				to = t.attribute
			}
		}
		if v != "" && !slices.Contains(p[to], v) {
			p[to] = append(p[to], v)
		}
	}
	return p
}

// addressParts are the plain attributes of an address under the names that an element has.
var addressParts = []string{"streetAddress", "locality", "region", "postalCode", "country"}

func plainAddresses(p Profile) []element {
	e := element{}
	for _, name := range addressParts {
		if v := p.Get(name); v != "" {
			e[name] = v
		}
	}
	if len(e) == 0 {
		return nil
	}
	e["type"] = "work"
	return []element{e}
}

func splitAddresses(elements []element) Profile {
	p := Profile{}
	if i := main(elements); i >= 0 {
		for _, name := range addressParts {
			if v := text(elements[i], name); v != "" {
				p.Set(name, v)
			}
		}
	}
	return p
}

func plainValues(attribute string) func(Profile) []element {
	return func(p Profile) (out []element) {
		for _, v := range p[attribute] {
			out = append(out, element{"value": v})
		}
		return out
	}
}

func splitValues(attribute string) func([]element) Profile {
	return func(elements []element) Profile {
		p := Profile{}
		for _, e := range elements {
			if v := text(e, "value"); v != "" && !slices.Contains(p[attribute], v) {
				p[attribute] = append(p[attribute], v)
			}
		}
		return p
	}
}

// render gives the elements of a list: those that are kept, as long as the plain attributes say the same, for
// another source may own these; else what the plain ones mean.
func (l *list) render(p Profile) []element {
	var kept []element
	if text := p.Get(l.details); text != "" && json.Unmarshal([]byte(text), &kept) != nil {
		kept = nil
	}
	if l.plain == nil {
		return kept
	}
	if len(kept) > 0 && equal(l.split(kept), l.split(l.plain(p))) {
		return kept
	}
	return l.plain(p)
}

// parse puts what the elements mean into p: the plain attributes, and the elements themselves where these say more.
func (l *list) parse(elements []element, p Profile) {
	if l.split != nil {
		plain := l.split(elements)
		for name, values := range plain {
			p[name] = slices.Sorted(slices.Values(values)) // in what order a client names roles means nothing
		}
		if slices.Equal(canonical(elements), canonical(l.plain(plain))) {
			return
		}
	}
	if b, err := json.Marshal(elements); err == nil {
		p.Set(l.details, string(b))
	}
}

// equal reports whether two profiles have the same values in any order.
func equal(p, q Profile) bool {
	return maps.EqualFunc(p, q, func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	})
}

// canonical are the elements as texts, in the order of these.
func canonical(elements []element) []string {
	out := make([]string, 0, len(elements))
	for _, e := range elements {
		if b, err := json.Marshal(e); err == nil {
			out = append(out, string(b))
		}
	}
	slices.Sort(out)
	return out
}
