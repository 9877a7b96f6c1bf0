package ldapsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usherd/connector"
)

// dirSyncGatherer sorts what came of one naming context.
type dirSyncGatherer struct {
	x     *session
	t     *touched
	root  string
	rule  groupRule
	syncs bool     // groups are synced
	names []string // asked for
	// described are the places of what may change of a synced group without saying that it is one.
	described map[int]bool
	// places of names; name comes with a move or a rename only, objectClass with a new object only.
	name, class, member, deleted int

	open   map[connector.Anchor]dirSyncObject // what they are has to be asked
	groups []dirSyncGroup
	count  int // members in groups
}

type dirSyncObject struct {
	dn      string
	deleted bool
	moved   bool // or renamed, or deleted
}

// dirSyncGroup is a group with the DNs of those who came or went.
type dirSyncGroup struct {
	dn      string
	members []string
	fresh   bool
}

func newDirSyncGatherer(x *session, t *touched, root string) *dirSyncGatherer {
	g := &dirSyncGatherer{
		x: x, t: t, root: root, rule: x.s.groupRule(), syncs: x.s.syncsGroups(), member: -1,
		described: map[int]bool{}, open: map[connector.Anchor]dirSyncObject{},
	}
	l := layout{names: []string{guidForm.attribute}}
	g.name, g.class, g.deleted = l.ask("name"), l.ask("objectClass"), l.ask("isDeleted")
	for _, n := range x.s.layout.names {
		l.ask(n)
	}
	names, all := filterAttributes(x.s.config.filter())
	for _, n := range names {
		l.ask(n)
	}
	if g.rule.matter() || g.syncs {
		g.member = l.ask("member")
	}
	if g.syncs {
		names, whole := filterAttributes(x.s.config.groupFilter())
		for _, n := range append(names, "description", "cn", "objectSid") {
			g.described[l.ask(n)] = true
		}
		delete(g.described, g.class)
		all = all || whole
	}
	if all {
		l.names = append(l.names, "*")
	}
	g.names = l.names
	return g
}

func (g *dirSyncGatherer) entry(e *entry) error {
	g.t.entries++
	a, err := guidForm.decode(valuesOf(e, 0))
	if err != nil {
		return &connector.Error{Kind: connector.Incomplete, Op: "ldapsync: DirSync", Err: fmt.Errorf("%s: %w", dnText(e), err)}
	}
	deleted := anyOf(valuesOf(e, g.deleted), func(v []byte) bool { return strings.EqualFold(string(v), "TRUE") })
	class := classOf(valuesOf(e, g.class))
	unknown := class == entryClass{}
	switch {
	case deleted, unknown && len(valuesOf(e, g.name)) > 0:
		return g.ask(a, dirSyncObject{dn: dnText(e), deleted: deleted, moved: true})
	case class.group || g.has(e, func(i int) bool { return i == g.member }):
		return g.group(a, e, class.group)
	case unknown && g.has(e, func(i int) bool { return g.described[i] }):
		return g.ask(a, dirSyncObject{dn: dnText(e)})
	case class.container: // new, and so nobody stood below it who does not come by himself
		return nil
	}
	return g.t.touch(a)
}

// ask takes note of an entry that does not say what it is.
func (g *dirSyncGatherer) ask(a connector.Anchor, o dirSyncObject) error {
	if g.open[a] = o; len(g.open) > maxTouched {
		return errTooMany
	}
	return nil
}

// has reports whether one of the attributes of which is says so came with an entry, be it without a value.
func (g *dirSyncGatherer) has(e *entry, is func(place int) bool) bool {
	return slices.ContainsFunc(e.Attributes, func(a attribute) bool { return a.Index >= 0 && is(a.Index) })
}

// group takes note of those who came into a group or went.
func (g *dirSyncGatherer) group(a connector.Anchor, e *entry, fresh bool) error {
	if g.syncs {
		if err := g.t.touchGroup(a); err != nil {
			return err
		}
	}
	if !g.rule.matter() {
		return nil
	}
	c := dirSyncGroup{dn: dnText(e), fresh: fresh}
	for i := range e.Attributes {
		if a := &e.Attributes[i]; a.Index == g.member {
			for _, v := range a.Values {
				c.members = append(c.members, string(v))
			}
		}
	}
	g.groups = append(g.groups, c)
	if g.count += 1 + len(c.members); g.count > maxTouched {
		return errTooMany
	}
	return nil
}

// settle finds out what those are that were moved, renamed or deleted, and whom groups concern.
func (g *dirSyncGatherer) settle(ctx context.Context) error {
	known, err := g.x.classes(ctx, g.root, slices.Collect(maps.Keys(g.open)))
	if err != nil {
		return err
	}
	for a, o := range g.open {
		class, seen := known[a]
		if g.syncs && (class.group || !seen) {
			if err := g.t.touchGroup(a); err != nil {
				return err
			}
		}
		switch {
		case class.group && g.rule.matter() && o.moved:
			g.t.change("the group %s was renamed, moved or deleted", o.dn)
		case class.group, class.container && o.deleted, class.container && staysPut(o.dn, g.root):
		case class.container:
			g.t.change("%s was moved or renamed: everybody below it stands elsewhere now", o.dn)
		default:
			if err := g.t.touch(a); err != nil {
				return err
			}
		}
	}
	var members []string
	for _, c := range g.groups {
		depends, err := g.x.dependsOn(ctx, g.rule, c.dn)
		if err != nil {
			return err
		}
		if depends && c.fresh && g.rule.rules {
			g.t.change("the group %s is new", c.dn)
		}
		if depends {
			members = append(members, c.members...)
		}
	}
	return g.members(ctx, members)
}

// members names those who came into a group or went; with a group, its members came or went.
func (g *dirSyncGatherer) members(ctx context.Context, dns []string) error {
	for part := range slices.Chunk(dns, resolveBatch) {
		var b strings.Builder
		for _, dn := range part {
			b.WriteString(equals("distinguishedName", dn))
		}
		err := g.x.few(ctx, g.root, "(|"+b.String()+")", []string{guidForm.attribute, "objectClass"}, nil, func(e *entry) error {
			if classOf(valuesOf(e, 1)).group {
				g.t.change("the group %s came into another one or left it", dnText(e))
				return nil
			}
			a, err := guidForm.decode(valuesOf(e, 0))
			if err != nil {
				return nil //nolint:nilerr // the account may not read it, and a full read says so
			}
			return g.t.touch(a)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
