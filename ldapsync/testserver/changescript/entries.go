package changescript

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Standing is how a person stands, in the words of a link's.
type Standing string

// The standings of those who have an entry.
const (
	Enabled    Standing = "enabled"
	Disabled   Standing = "disabled"
	OutOfScope Standing = "out_of_scope"
)

// Entry is a person as the directory is to show it.
type Entry struct {
	DN        string
	UserName  string // what the usual mapping makes of the entry
	Standing  Standing
	Protected bool
}

// entries are everybody who has an entry, by DN.
func (c *Company) entries() map[string]Entry {
	in, all := c.inGroups(), map[string]Entry{}
	for _, p := range c.people {
		if !p.employed {
			continue
		}
		e := Entry{c.dn(p), c.userName(p.uid), Enabled, !c.byUnits && slices.Contains(c.vips.people, p)}
		switch {
		case p.unit.outside() || !c.byUnits && !in[p]:
			e.Standing = OutOfScope
		case p.off || p.expired:
			e.Standing = Disabled
		}
		all[plain(e.DN)] = e
	}
	return all
}

// plain writes a DN as a directory may, and as the company does, in one way.
func plain(dn string) string { return strings.ReplaceAll(strings.ToLower(dn), `\2c`, `\,`) }

// maxFound is a page: more people than a test has.
const maxFound = 100_000

// Entries returns everybody who has an entry, by the 16 bytes of the anchor that the directory has given
// it. It fails when directory and model name other people.
func (c *Company) Entries(conn *ldap.Conn) (map[string]Entry, error) {
	found, err := conn.SearchWithPaging(&ldap.SearchRequest{
		BaseDN: c.base, Scope: ldap.ScopeWholeSubtree, Filter: "(mail=*)", Attributes: []string{c.anchor},
	}, maxFound)
	if err != nil {
		return nil, fmt.Errorf("changescript: read the people: %w", err)
	}
	model, all := c.entries(), map[string]Entry{}
	for _, e := range found.Entries {
		raw := e.GetRawAttributeValue(c.anchor)
		if len(raw) != 16 {
			if raw, err = hex.DecodeString(strings.ReplaceAll(string(raw), "-", "")); err != nil {
				return nil, fmt.Errorf("changescript: anchor of %s: %w", e.DN, err)
			}
		}
		x, ok := model[plain(e.DN)]
		if !ok {
			return nil, fmt.Errorf("changescript: the directory has %s, the model has not", e.DN)
		}
		all[string(raw)] = x
	}
	if len(all) != len(model) {
		return nil, fmt.Errorf("changescript: the directory has %d people, the model %d", len(all), len(model))
	}
	return all, nil
}

func (u *unit) outside() bool {
	for ; u != nil; u = u.above {
		if u.shut {
			return true
		}
	}
	return false
}

// inGroups are the members of the group of the scope, nested ones included.
func (c *Company) inGroups() map[*person]bool {
	in := map[*person]bool{}
	c.collect(c.everybody, in, map[*group]bool{})
	return in
}

// collect adds everybody in the group, nested ones included.
func (c *Company) collect(g *group, in map[*person]bool, entered map[*group]bool) {
	if entered[g] {
		return
	}
	entered[g] = true
	for _, p := range g.people {
		in[p] = true
	}
	for _, m := range g.groups {
		c.collect(m, in, entered)
	}
}
