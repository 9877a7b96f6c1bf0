package scim

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"usherd/connector"
	"usherd/scim/schema"
)

// memberChunk is how many members are read at once: no statement is open while a client reads slowly.
const memberChunk = 1000

// item is a resource of an answer: a user or a group. It is rendered when it is its turn.
type item struct {
	user       *shownUser
	group      *connector.ClientGroup
	warnings   []string // of what was not done to the group
	projection *projection
}

// writeItem renders a resource as its projection has it.
func (x *exchange) writeItem(ctx context.Context, o *outlet, it item) error {
	if it.group != nil {
		return x.writeWhole(ctx, o, it)
	}
	if it.projection.all() {
		x.org.writeUser(o, it.user)
	} else {
		o.Value("", it.projection.apply(x.org.userObject(it.user)))
	}
	return o.pass()
}

// writeWhole renders a group with its members, where they are asked for. A group without any has an empty list: some
// clients take a missing one for a service that keeps no members (scim.md 3.4, authentik).
func (x *exchange) writeWhole(ctx context.Context, o *outlet, it item) error {
	g, p := it.group, it.projection
	o.Object("")
	if p.all() {
		x.org.writeGroup(o, g, it.warnings)
	} else {
		r := p.apply(x.org.groupObject(g, it.warnings))
		for _, name := range slices.Sorted(maps.Keys(r)) {
			o.Value(name, r[name])
		}
	}
	if p.wants("members") {
		if err := x.writeMembers(ctx, o, g, p); err != nil {
			return err
		}
	}
	o.End()
	return o.pass()
}

// writeMembers renders the list of members, of which a projection may leave nothing.
func (x *exchange) writeMembers(ctx context.Context, o *outlet, g *connector.ClientGroup, p *projection) error {
	attribute, _ := schema.Group().Find("", "members")
	whole, begun, seen := p.whole(attribute), false, false
	for m, err := range x.members(ctx, g.ID) {
		if err != nil {
			return err
		}
		seen = true
		var left any
		if !whole {
			if left = p.pruned(x.org.memberObject(&m), attribute); left == nil {
				continue
			}
		}
		if !begun {
			o.List("members")
			begun = true
		}
		if whole {
			x.org.writeMember(o, &m)
		} else {
			o.Value("", left)
		}
		if err := o.pass(); err != nil {
			return err
		}
	}
	if !begun && !seen {
		o.List("members")
		begun = true
	}
	if begun {
		o.End()
	}
	return nil
}

// members streams the members of a group in order of their ids, a chunk after the other.
func (x *exchange) members(ctx context.Context, group connector.ID) func(yield func(connector.ClientMember, error) bool) {
	return func(yield func(connector.ClientMember, error) bool) {
		var after connector.ID
		for {
			chunk := make([]connector.ClientMember, 0, 16)
			for m, err := range x.s.o.Store.ClientMembers(ctx, x.org.Settings.ID, x.source, group, after, memberChunk) {
				if err != nil {
					yield(m, err)
					return
				}
				chunk = append(chunk, m)
			}
			for _, m := range chunk {
				if !yield(m, nil) {
					return
				}
			}
			if len(chunk) < memberChunk {
				return
			}
			after = chunk[len(chunk)-1].ID
		}
	}
}

// resourceAnswer is the answer with one resource.
func (x *exchange) resourceAnswer(status int, it item) *answer {
	a := &answer{status: status, render: func(o *outlet) error { return x.writeItem(x.r.Context(), o, it) }}
	if it.group != nil {
		a.etag, a.location = groupTag(&it.group.Group), x.org.base+"Groups/"+it.group.ID.String()
	} else {
		a.etag, a.location = userTag(it.user), x.org.base+"Users/"+it.user.User.ID.String()
	}
	return a
}

// listAnswer is the answer with a page of a list.
func (x *exchange) listAnswer(l *listing, p *page) *answer {
	return &answer{status: http.StatusOK, render: func(o *outlet) error {
		o.Object("")
		p.write(o, l)
		o.List("Resources")
		for _, it := range p.items {
			if err := x.writeItem(x.r.Context(), o, it); err != nil {
				return err
			}
		}
		o.End()
		o.End()
		return nil
	}}
}
