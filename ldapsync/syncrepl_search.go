package ldapsync

import (
	"context"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// syncContainers are the classes below whose entries people stand. That those below one have another place
// when it is renamed or moved, no server says.
var syncContainers = []string{
	"organizationalUnit", "organization", "locality", "country", "dcObject", "domain", "nsContainer", "container",
}

// syncSearch is one search of the feed.
type syncSearch struct {
	*stream

	people bool     // else it is for containers and groups
	mark   syncMark // of what has been taken in
	done   bool     // the refresh stage is over

	// Of the refresh stage.
	changes int  // entries and deletions that came
	present int  // entries that were named as still there
	missing bool // whoever, or whatever group, was neither sent nor named is gone
}

// structureAttributes are asked for of containers and groups.
func (x *session) structureAttributes() []string {
	return []string{"objectClass", "hasSubordinates", x.s.config.groupAnchorForm().attribute, "createTimestamp"}
}

// syncSearches makes the searches, few of them: of those that go on for ever, a slapd with few threads takes
// only two on one connection and lets others wait without a word. So several bases are searched from the top
// of the directory, and who stands elsewhere is told of as out of scope. Containers and groups are always
// searched from the top, where the account may see that far: a container that leaves a base is seen moving.
func (x *session) syncSearches(ctx context.Context) ([]*syncSearch, error) {
	c := &x.s.config
	var all []*syncSearch
	add := func(people bool, base, filter string, attributes []string) {
		all = append(all, &syncSearch{people: people, mark: syncMark{key: markKey(base, filter)}, stream: &stream{
			c: x.c, ctx: ctx, r: searchRequest{Base: base, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: attributes},
		}})
	}
	bases, filter := c.Bases, c.filter()
	tops, err := x.tops(ctx, bases)
	if err != nil {
		return nil, err
	}
	if len(bases) > 1 {
		bases = tops
	}
	if x.is389() {
		filter = anyObject
	}
	for _, base := range bases {
		add(true, base, filter, x.personAttributes())
	}
	structure := "(|(objectClass=" + strings.Join(syncContainers, ")(objectClass=") + "))"
	if groups := append(x.s.ruleGroups(), c.GroupBases...); len(groups) > 0 {
		structure = "(|" + structure + c.groupFilter() + ")"
		if c.GroupFilter != "" && x.is389() { // which does not tell of those that leave a filter
			structure = "(|" + structure + plainGroupFilter + ")"
		}
		if tops, err = x.tops(ctx, append(groups, c.Bases...)); err != nil {
			return nil, err
		}
	}
	for _, top := range tops {
		add(false, top, structure, x.structureAttributes())
	}
	return all, nil
}

// is389 reports whether the server is one of the 389-ds family. Those do not tell, in a refresh, that an entry
// left the filter: they are asked about all entries, and whoever changed is looked at.
func (x *session) is389() bool { return x.s.config.Type == DS389 || x.root.kind() == DS389 }

// personAttributes are those of the layout, and when an entry was changed: a server that leaves that out has
// left out others too.
func (x *session) personAttributes() []string {
	return append(slices.Clip(x.s.layout.names), "entryCSN", "modifyTimestamp")
}

// tops are the naming contexts of the DNs, or the DNs themselves where the account may not see those.
func (x *session) tops(ctx context.Context, dns []string) ([]string, error) {
	var tops []string
	for _, dn := range dns {
		top := dn
		for _, above := range x.root.above([]string{dn}) {
			found, err := one(ctx, x.c, searchRequest{Base: above, Filter: anyObject, Attributes: []string{noAttributes}}, discard)
			if _, answered := resultCode(err); err != nil && !answered {
				return nil, err
			}
			if found {
				top = above
			}
		}
		if !contains(tops, top) {
			tops = append(tops, top)
		}
	}
	return tops, nil
}
