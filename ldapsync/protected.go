package ldapsync

import (
	"strings"

	"usherd/connector"
)

// protectedNames recognises the people whom the configuration protects by name.
type protectedNames struct {
	words   map[string]bool // folded user names and addresses
	dns     map[string]bool // folded
	anchors map[connector.Anchor]bool
}

func newProtectedNames(users []string, kind connector.AnchorKind) protectedNames {
	p := protectedNames{map[string]bool{}, map[string]bool{}, map[connector.Anchor]bool{}}
	for _, u := range users {
		p.words[connector.Fold(u)] = true
		if dn, err := foldDN(u); err == nil && dn != "" {
			p.dns[dn] = true
		}
		if a, err := connector.ParseAnchor(kind, strings.TrimSpace(u)); err == nil {
			p.anchors[a] = true
		}
	}
	return p
}

// has reports whether the entry with that anchor, that folded DN and these names is one of them.
func (p *protectedNames) has(a connector.Anchor, dn []byte, of values, names []int) bool {
	if len(p.words) == 0 {
		return false
	}
	if p.dns[string(dn)] || !a.IsZero() && p.anchors[a] {
		return true
	}
	for _, n := range names {
		if anyOf(of(n), func(v []byte) bool { return p.words[connector.Fold(string(v))] }) {
			return true
		}
	}
	return false
}
