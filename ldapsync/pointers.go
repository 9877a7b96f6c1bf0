package ldapsync

import (
	"context"
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

// resolvePointing reads those who point to the people in r, whose names may be other ones. They have not
// been renamed by that, so nobody who points to them need be read.
func (x *session) resolvePointing(ctx context.Context, r *resolution) error {
	names := x.s.pointers()
	if len(names) == 0 {
		return nil
	}
	var dns []string
	known := map[connector.Anchor]bool{}
	for _, rec := range r.records {
		known[rec.Anchor] = true
		if rec.DN != "" {
			dns = append(dns, rec.DN)
		}
	}
	found := map[connector.Anchor]struct{}{}
	for part := range slices.Chunk(dns, resolveBatch) {
		if err := x.pointingTo(ctx, names, part, func(a connector.Anchor) error {
			if !known[a] {
				found[a] = struct{}{}
			}
			if len(known)+len(found) > maxTouched {
				return errTooMany
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return x.resolveAll(ctx, slices.Collect(maps.Keys(found)), r)
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
