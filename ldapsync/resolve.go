package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

const (
	resolveBatch = 100 // anchors asked for at a time: a filter that every server takes
	mostOfBatch  = 500 // entries in answer; more than one has an anchor only by mistake
)

// resolution is what became of those whom a feed named.
type resolution struct {
	records []*connector.Record
	unknown int    // for whom the directory could not speak
	why     string // of the first of them
	unnamed int    // entries without an anchor of the source
}

// resolve reads those whom a feed named. Records of people who are gone, or out of scope, are only made
// where Lookup would say so.
func (x *session) resolve(ctx context.Context, t *touched) (*resolution, error) {
	r := &resolution{}
	anchors := slices.Collect(maps.Keys(t.anchors))
	own := x.s.layout.anchor
	if t.form.attribute != "" && !strings.EqualFold(t.form.attribute, own.attribute) {
		var err error
		if anchors, err = x.translate(ctx, t.form, anchors, r); err != nil {
			return nil, err
		}
	}
	if err := x.resolveAll(ctx, anchors, r); err != nil {
		return nil, err
	}
	return r, nil
}

// warnings tell of whom nothing is known.
func (r *resolution) warnings(anchor string) (list []string) {
	if r.unknown > 0 {
		list = append(list, fmt.Sprintf("for %d entries that changed the directory could not speak, and nothing was done: %s", r.unknown, r.why))
	}
	if r.unnamed > 0 {
		list = append(list, fmt.Sprintf("%d entries that changed have no %s: the next full read finds whose they are", r.unnamed, anchor))
	}
	return list
}

// resolveAll reads people by anchor, some at a time, in order.
func (x *session) resolveAll(ctx context.Context, anchors []connector.Anchor, r *resolution) error {
	slices.SortFunc(anchors, func(a, b connector.Anchor) int { return strings.Compare(a.Raw, b.Raw) })
	for part := range slices.Chunk(anchors, resolveBatch) {
		if err := x.resolveSome(ctx, part, r); err != nil {
			return err
		}
	}
	return nil
}

// translate finds the anchors of entries that a feed names by an attribute of its own.
func (x *session) translate(ctx context.Context, form anchorForm, named []connector.Anchor, r *resolution) ([]connector.Anchor, error) {
	own := x.s.layout.anchor
	found := map[connector.Anchor]struct{}{}
	for part := range slices.Chunk(named, resolveBatch) {
		left := len(part)
		err := x.below(ctx, anyOfThem(form, part), []string{own.attribute}, func(e *entry) error {
			if a, err := own.decode(valuesOf(e, 0)); err == nil {
				left--
				found[a] = struct{}{}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		r.unnamed += max(left, 0)
	}
	return slices.Collect(maps.Keys(found)), nil
}

func anyOfThem(form anchorForm, anchors []connector.Anchor) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, a := range anchors {
		b.WriteString(form.filterFor(a))
	}
	b.WriteByte(')')
	return b.String()
}

// below searches the naming contexts of the bases; one that the account may not search is searched below
// the bases only.
func (x *session) below(ctx context.Context, filter string, names []string, yield func(*entry) error) error {
	refused := false
	for _, root := range x.root.above(x.s.config.Bases) {
		err := x.few(ctx, root, filter, names, nil, yield)
		switch _, answered := resultCode(err); {
		case answered:
			refused = true
		case err != nil:
			return err
		}
	}
	if !refused {
		return nil
	}
	for _, base := range x.s.config.Bases {
		if err := x.few(ctx, base, filter, names, nil, yield); err != nil {
			return err
		}
	}
	return nil
}

// few reads the few that match below one base, whole.
func (x *session) few(ctx context.Context, base, filter string, names []string, controls []ldap.Control, yield func(*entry) error) error {
	entries, end, err := fetch(ctx, x.c, searchRequest{
		Base: base, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: names, Controls: controls, PageSize: x.pageSize(),
	}, mostOfBatch)
	if err != nil {
		return err
	}
	if !end.Complete {
		return &connector.Error{Kind: connector.Incomplete, Op: fmt.Sprintf("ldapsync: search %q for those who changed", base), Err: errors.New(end.Why)}
	}
	for _, e := range entries {
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

// candidate is an entry with an anchor that was asked for.
type candidate struct {
	rec    *connector.Record
	person bool // by class: groups and units change too, but never were people
}

// resolveSome makes the records of a few.
func (x *session) resolveSome(ctx context.Context, anchors []connector.Anchor, r *resolution) error {
	filter := anyOfThem(x.s.layout.anchor, anchors)
	found, err := x.candidates(ctx, filter)
	if err != nil {
		return err
	}
	matches, err := x.matching(ctx, filter)
	if err != nil {
		return err
	}
	for _, a := range anchors {
		if len(found[a]) == 0 {
			if err := x.resolveAbsent(ctx, a, r); err != nil {
				return err
			}
		}
		for _, c := range found[a] {
			if n := len(found[a]); n > 1 {
				c.rec.Fault = fmt.Sprintf("%d entries have the same %s", n, x.s.layout.anchor.attribute)
			}
			if c.rec.OutOfScope == "" && !matches[a] {
				c.rec.OutOfScope = "it does not match the filter " + x.s.config.filter()
			}
			if matches[a] || c.person {
				r.records = append(r.records, c.rec)
			}
		}
	}
	return nil
}

// candidates reads the entries that a filter names, wherever the account sees them.
func (x *session) candidates(ctx context.Context, filter string) (map[connector.Anchor][]candidate, error) {
	reader, err := x.reader(ctx)
	if err != nil {
		return nil, err
	}
	ask := x.reread()
	found := map[connector.Anchor][]candidate{}
	seen := map[string]bool{} // bases may stand below one another
	err = x.below(ctx, filter, ask.names, func(e *entry) error {
		if seen[string(e.DN)] {
			return nil
		}
		seen[string(e.DN)] = true
		class, changed := ask.take(e)
		lent, _ := reader.read(e)
		rec := lent.Clone()
		rec.ChangedAt = changed
		found[rec.Anchor] = append(found[rec.Anchor], candidate{rec, class.person || x.s.config.Type != ActiveDirectory})
		return nil
	})
	return found, err
}

// matching asks who of those that a filter names belongs to the people.
func (x *session) matching(ctx context.Context, filter string) (map[connector.Anchor]bool, error) {
	form := x.s.layout.anchor
	found := map[connector.Anchor]bool{}
	for _, base := range x.s.config.Bases {
		err := x.few(ctx, base, "(&"+filter+x.s.config.filter()+")", []string{form.attribute}, nil, func(e *entry) error {
			if a, err := form.decode(valuesOf(e, 0)); err == nil {
				found[a] = true
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// resolveAbsent asks for somebody who was not found among the living.
func (x *session) resolveAbsent(ctx context.Context, a connector.Anchor, r *resolution) error {
	rec, is, err := x.lookup(ctx, a)
	switch {
	case err != nil && (ctx.Err() != nil || x.c.broken.Load()):
		return err
	case is == connector.PresenceGone:
		r.records = append(r.records, &connector.Record{Anchor: a, Gone: true})
	case rec != nil:
		r.records = append(r.records, rec)
	default:
		r.unknown++
		if r.why == "" && err != nil {
			r.why = err.Error()
		} else if r.why == "" {
			r.why = "the account may not read them"
		}
	}
	return nil
}

// changedAttribute is the time of an entry's last change, by the server's clock.
func (x *session) changedAttribute() string {
	if x.s.config.Type == ActiveDirectory {
		return "whenChanged"
	}
	return "modifyTimestamp"
}

// reread is what is asked for when somebody is read again: the layout, then class and time of change.
type reread struct {
	names          []string
	layout         int // so many of names are the layout's
	class, changed int // places of objectClass and of the time of the last change
}

func (x *session) reread() reread {
	l := layout{names: slices.Clone(x.s.layout.names)}
	r := reread{layout: len(l.names)}
	r.class, r.changed = l.ask("objectClass"), l.ask(x.changedAttribute())
	r.names = l.names
	return r
}

// take reads what goes beyond the layout, and takes it off the entry.
func (r *reread) take(e *entry) (class entryClass, changed time.Time) {
	class = classOf(valuesOf(e, r.class))
	if v := valuesOf(e, r.changed); len(v) == 1 {
		changed, _ = parseGeneralizedTime(string(v[0])) // what cannot be read is not known
	}
	e.Attributes = slices.DeleteFunc(e.Attributes, func(a attribute) bool { return a.Index >= r.layout })
	return class, changed
}

// parseGeneralizedTime reads the forms in which servers write times: 20260105080000Z, with or without
// parts of a second.
func parseGeneralizedTime(s string) (time.Time, error) {
	return time.Parse("20060102150405Z", s) // takes a fraction behind the seconds, too
}

// entryClass is what an entry is, as far as changes are concerned.
type entryClass struct {
	person, group, container bool
}

// containerClasses are those below which people stand. A group policy is a container by class, and changes
// often, but nobody stands there.
var containerClasses = []string{"organizationalUnit", "container", "organization", "locality", "country"}

var groupClasses = []string{"group", "groupOfNames", "groupOfUniqueNames", "groupOfMembers", "groupOfEntries"}

func classOf(values [][]byte) (c entryClass) {
	is := func(names ...string) bool {
		return slices.ContainsFunc(values, func(v []byte) bool {
			return slices.ContainsFunc(names, func(n string) bool { return foldEqual(v, n) })
		})
	}
	c.person = is("person") && !is("computer")
	c.group = is(groupClasses...)
	c.container = is(containerClasses...) && !is("groupPolicyContainer")
	return c
}
