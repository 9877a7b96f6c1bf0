package resource

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"usherd/connector"
	"usherd/scim/body"
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

func plainEmails(w *elements, p Profile) {
	if v := p.Get(connector.Email); v != "" {
		w.begin()
		w.s.Text("value", v)
		w.s.Text("type", "work")
		w.s.Bool("primary", true)
		w.s.End()
	}
	for _, v := range p[connector.OtherEmails] {
		w.typed(v, "other")
	}
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

func plainPhones(w *elements, p Profile) {
	for _, t := range phoneTypes {
		if v := p.Get(t.attribute); v != "" {
			w.typed(v, t.typ)
		}
	}
	for _, v := range p["otherPhones"] {
		w.typed(v, "other")
	}
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

func plainAddresses(w *elements, p Profile) {
	begun := false
	for _, name := range addressParts {
		if v := p.Get(name); v != "" {
			if !begun {
				w.begin()
				begun = true
			}
			w.s.Text(name, v)
		}
	}
	if begun {
		w.s.Text("type", "work")
		w.s.End()
	}
}

func splitAddresses(elements []element) Profile {
	p := Profile{}
	if i := main(elements); i >= 0 {
		for _, name := range addressParts {
			if v := oneLine(text(elements[i], name)); v != "" {
				p.Set(name, v)
			}
		}
	}
	return p
}

// oneLine joins the lines that a part of an address may have (RFC 7643 section 4.1.2). Attributes of people have one; the
// element is kept as it was sent.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	var lines []string
	for l := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, ", ")
}

func plainValues(attribute string) func(*elements, Profile) {
	return func(w *elements, p Profile) {
		for _, v := range p[attribute] {
			w.begin()
			w.s.Text("value", v)
			w.s.End()
		}
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

// elements writes one list after the other. A list without elements is not written.
type elements struct {
	s     body.Sink
	list  string // its name
	begun bool
}

// begin begins an element.
func (w *elements) begin() {
	w.beginList()
	w.s.Object("")
}

func (w *elements) beginList() {
	if !w.begun {
		w.s.List(w.list)
		w.begun = true
	}
}

// typed writes an element with a type.
func (w *elements) typed(value, typ string) {
	w.begin()
	w.s.Text("value", value)
	w.s.Text("type", typ)
	w.s.End()
}

// write writes the elements of a list: those that are kept, as long as the plain attributes say the same, for another
// source may own these; else what the plain ones mean.
func (l *list) write(w *elements, p Profile) {
	w.list, w.begun = l.name, false
	kept := l.kept(p)
	if l.plain != nil && (len(kept) == 0 || !equal(l.split(kept), l.split(l.means(p)))) {
		l.plain(w, p)
	} else {
		for _, e := range kept {
			w.beginList()
			w.s.Value("", e)
		}
	}
	if w.begun {
		w.s.End()
	}
}

func (l *list) kept(p Profile) (kept []element) {
	if text := p.Get(l.details); text != "" && json.Unmarshal([]byte(text), &kept) != nil {
		return nil
	}
	return kept
}

// means are the elements that the plain attributes mean.
func (l *list) means(p Profile) []element {
	var b body.Builder
	b.List("")
	l.plain(&elements{s: &b, begun: true}, p)
	b.End()
	values, _ := b.Made().([]any)
	out := make([]element, len(values))
	for i, v := range values {
		out[i], _ = v.(element)
	}
	return out
}

// parse puts what the elements mean into p: the plain attributes, and the elements themselves where these say more.
func (l *list) parse(elements []element, p Profile) {
	if l.split != nil {
		plain := l.split(elements)
		for name, values := range plain {
			p[name] = slices.Sorted(slices.Values(values)) // in what order a client names roles means nothing
		}
		if slices.Equal(canonical(elements), canonical(l.means(plain))) {
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
