package ldapsync

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// pointing are the attributes of people in an Active Directory whose values are other entries: it shows the
// DNs that these have now. A rename is a change of the renamed entry only, and no feed tells of those who
// point to it.
var pointing = []string{"manager", "secretary", "assistant", "seeAlso", "owner", "managedBy"}

// pointers are those of them that the mapping reads. Other directories store the DN as it was written:
// whoever or whatever writes another one changes the entry that points.
func (s *Source) pointers() []string {
	if s.config.Type != ActiveDirectory {
		return nil
	}
	var names []string
	for _, n := range s.layout.names[:s.layout.mapped] {
		if contains(pointing, n) {
			names = append(names, n)
		}
	}
	return names
}

// namer finds people by what is stored of them: see connector.ChangesRequest.
type namer func(ctx context.Context, gone []connector.Anchor, names []string) ([]connector.Anchor, error)

var errNoNamer = errors.New("it is not known who pointed to those who were deleted")

// resolvePointing reads those who point, or pointed, to the people in r: their attributes may have other
// values. They have not been renamed by that, so nobody who points to them need be read.
func (x *session) resolvePointing(ctx context.Context, r *resolution, naming namer) error {
	names := x.s.pointers()
	if len(names) == 0 {
		return nil
	}
	p := &pointers{known: map[connector.Anchor]bool{}, found: map[connector.Anchor]struct{}{}}
	var dns []string
	var gone []connector.Anchor
	for _, rec := range r.records {
		p.known[rec.Anchor] = true
		if rec.Gone {
			gone = append(gone, rec.Anchor)
		} else if rec.DN != "" {
			dns = append(dns, rec.DN)
		}
	}
	for part := range slices.Chunk(dns, resolveBatch) {
		if err := x.pointingTo(ctx, names, part, p.add); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		if err := x.pointedTo(ctx, gone, naming, p.add); err != nil {
			return err
		}
	}
	return x.resolveAll(ctx, slices.Collect(maps.Keys(p.found)), r)
}

// pointers are the people who point to others and were not read anyway.
type pointers struct {
	known map[connector.Anchor]bool
	found map[connector.Anchor]struct{}
}

func (p *pointers) add(a connector.Anchor) error {
	if !p.known[a] {
		p.found[a] = struct{}{}
	}
	if len(p.known)+len(p.found) > maxTouched {
		return errTooMany
	}
	return nil
}

// pointedTo yields the people who pointed to some who are gone. The directory does not know them any more: with
// an entry it takes away all values that are its DN. What is stored of people says it.
func (x *session) pointedTo(ctx context.Context, gone []connector.Anchor, naming namer, yield func(connector.Anchor) error) error {
	if naming == nil {
		return errNoNamer
	}
	names, err := x.lastNames(ctx, gone)
	if err != nil {
		return err
	}
	people, err := naming(ctx, gone, names)
	for _, a := range people {
		if err == nil {
			err = yield(a)
		}
	}
	return err
}

// lastNames are the names that tombstones tell of those who are gone, as far as the account may see them: the
// DN, and its first value, which a mapping may take out of it.
func (x *session) lastNames(ctx context.Context, gone []connector.Anchor) ([]string, error) {
	form := x.s.layout.anchor
	if !form.everybody() {
		return nil, nil
	}
	var names []string
	for part := range slices.Chunk(gone, resolveBatch) {
		for _, root := range x.root.above(x.s.config.Bases) {
			err := x.few(ctx, root, anyOfThem(form, part), []string{"lastKnownParent"}, x.showDeleted(), func(e *entry) error {
				rdn, _, deleted := strings.Cut(dnText(e), `\0ADEL:`)
				parent := valuesOf(e, 0)
				if !deleted || len(parent) != 1 {
					return nil
				}
				names = append(names, rdn+","+string(parent[0]))
				if dn, err := ldap.ParseDN(rdn); err == nil {
					names = append(names, dn.RDNs[0].Attributes[0].Value)
				}
				return nil
			})
			if _, answered := resultCode(err); err != nil && !answered {
				return nil, err
			}
		}
	}
	return names, nil
}

// pointingTo yields the anchors of the people who point to one of these entries.
func (x *session) pointingTo(ctx context.Context, names, dns []string, yield func(connector.Anchor) error) error {
	var b strings.Builder
	for _, dn := range dns {
		for _, n := range names {
			b.WriteString(equals(n, dn))
		}
	}
	form := x.s.layout.anchor
	for _, base := range x.s.config.Bases {
		end, err := x.c.search(ctx, searchRequest{
			Base: base, Scope: ldap.ScopeWholeSubtree, Filter: "(&" + x.s.config.filter() + "(|" + b.String() + "))",
			Attributes: []string{form.attribute}, PageSize: x.pageSize(),
		}, func(e *entry) error {
			a, err := form.decode(valuesOf(e, 0))
			if err != nil {
				return nil //nolint:nilerr // the account may not read it, and a full read says so
			}
			return yield(a)
		})
		if err == nil && !end.Complete {
			err = notWhole(end)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
