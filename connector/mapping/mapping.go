package mapping

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"usherd/connector"
)

// Mapping is a compiled Config. It does not change and may be used by many goroutines at once.
type Mapping struct {
	rules       []rule
	attributes  []string       // source attributes, by slot
	slots       map[string]int // folded name -> slot
	fingerprint connector.Hash
	asSent      bool // blanks around texts are kept: a client that reads back what it has not sent sends it again
	frames      sync.Pool
	layout      atomic.Pointer[[]place]
}

// Origin says where the value of a target comes from.
type Origin struct {
	Target     string   // attribute of a profile, or "package"
	Expression string   // as written
	Index      int      // which alternative of the rule, from 0
	Attributes []string // source attributes that the expression reads
}

// rule makes one target: the first piece that gives a value wins.
type rule struct {
	info    connector.AttributeInfo
	pieces  []piece
	origins []Origin // one for each alternative
}

// Map makes a profile of r. What cannot be had is told in Faults and is no reason to leave out the
// rest. Nothing of r is kept, and r is not changed. Safe for concurrent use.
func (m *Mapping) Map(r *connector.Record) connector.Mapped {
	f := m.frame(r)
	defer m.release(f)
	var out connector.Mapped
	f.results = f.results[:0]
	for i := range m.rules {
		from := len(f.spans)
		if _, fault := f.run(&m.rules[i]); fault != nil {
			out.Faults = append(out.Faults, *fault)
			f.spans = f.spans[:from]
			continue
		}
		if len(f.spans) > from {
			f.results = append(f.results, result{i, from, len(f.spans)})
		}
	}
	m.collect(f, &out)
	return out
}

// collect cuts all values out of one string, so that a profile costs a handful of allocations.
func (m *Mapping) collect(f *frame, out *connector.Mapped) {
	out.Profile = make(connector.Profile, len(f.results))
	text, values := string(f.buf), make([]string, len(f.spans))
	for i, s := range f.spans {
		values[i] = text[s.from:s.to]
	}
	for _, res := range f.results {
		name := m.rules[res.rule].info.Name
		if name == packageTarget {
			out.Package = strings.Clone(values[res.from])
			continue
		}
		out.Profile[name] = values[res.from:res.to:res.to]
	}
}

// Used says which alternative of a rule gives the target its value for this record; false where none
// does or its value does not fit. It is for explaining one person.
func (m *Mapping) Used(r *connector.Record, target string) (Origin, bool) {
	ru := m.rule(target)
	if ru == nil {
		return Origin{}, false
	}
	f := m.frame(r)
	defer m.release(f)
	if i, fault := f.run(ru); fault == nil && i >= 0 {
		return cloned(ru.origins[i]), true
	}
	return Origin{}, false
}

// Omitted returns the targets about which the record says nothing: it has none of the attributes that their rules read. One
// that is there without a value says that there is none.
func (m *Mapping) Omitted(r *connector.Record) (targets []string) {
	named := func(name string) bool {
		return slices.ContainsFunc(r.Attributes, func(a connector.Attribute) bool { return strings.EqualFold(a.Name, name) })
	}
	for i := range m.rules {
		reads, said := false, false
		for _, o := range m.rules[i].origins {
			reads = reads || len(o.Attributes) > 0
			said = said || slices.ContainsFunc(o.Attributes, named)
		}
		if reads && !said {
			targets = append(targets, m.rules[i].info.Name)
		}
	}
	return targets
}

// Attributes returns the source attributes that the rules read, each once, as first written, in the
// order of the rules. The DN and the anchor are none.
func (m *Mapping) Attributes() []string { return slices.Clone(m.attributes) }

// Origin returns the rule of a target as one expression: alternatives are joined with ??, which
// means the same.
func (m *Mapping) Origin(target string) (Origin, bool) {
	ru := m.rule(target)
	if ru == nil {
		return Origin{}, false
	}
	if len(ru.origins) == 1 {
		return cloned(ru.origins[0]), true
	}
	o := Origin{Target: target}
	texts := make([]string, len(ru.origins))
	for i, alt := range ru.origins {
		texts[i] = enclosed(alt.Expression)
		for _, a := range alt.Attributes {
			if !containsFold(o.Attributes, a) {
				o.Attributes = append(o.Attributes, a)
			}
		}
	}
	o.Expression = strings.Join(texts, " ?? ")
	return o, true
}

// enclosed puts parentheses around what binds less than ??, and ends a comment.
func enclosed(expression string) string {
	switch {
	case strings.Contains(expression, "//"):
		return "(" + expression + "\n)"
	case strings.ContainsAny(expression, "?|"):
		return "(" + expression + ")"
	}
	return expression
}

// Rules returns one Origin for each alternative of each rule, in the order in which targets are
// shown.
func (m *Mapping) Rules() []Origin {
	var out []Origin
	for i := range m.rules {
		for _, o := range m.rules[i].origins {
			out = append(out, cloned(o))
		}
	}
	return out
}

// Fingerprint changes when and only when the effective rules change: it covers the targets and
// their expressions as written, whether they come from a preset or not.
func (m *Mapping) Fingerprint() connector.Hash { return m.fingerprint }

func (m *Mapping) rule(target string) *rule {
	for i := range m.rules {
		if m.rules[i].info.Name == target {
			return &m.rules[i]
		}
	}
	return nil
}

func cloned(o Origin) Origin {
	o.Attributes = slices.Clone(o.Attributes)
	return o
}

func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
