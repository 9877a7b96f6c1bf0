package ldapsync

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// Find returns the people whom key may mean: a user name, an e-mail address, a common name, a DN or an
// anchor as text; at most ten. Those out of scope are among them, with the reason.
func (s *Source) Find(ctx context.Context, key string) ([]*connector.Record, error) {
	key = strings.TrimSpace(key)
	if key == "" {
		return nil, nil
	}
	var recs []*connector.Record
	err := s.ask(ctx, func(x *session) error {
		var err error
		recs, err = x.find(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return recs, nil
}

func (x *session) find(ctx context.Context, key string) ([]*connector.Record, error) {
	found, err := x.byDN(ctx, key)
	if err != nil {
		return nil, err
	}
	if anchor, err := connector.ParseAnchor(x.s.layout.anchor.kind, key); err == nil && len(found) == 0 {
		if found, err = x.anywhere(ctx, anchor); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		if found, err = x.search(ctx, x.s.config.Bases, keyFilter(x.s.config.Type, key), nil); err != nil {
			return nil, err
		}
	}
	var recs []*connector.Record
	for _, e := range found {
		rec, err := x.record(ctx, e)
		if err != nil {
			return nil, err
		}
		recs = append(recs, rec)
	}
	return recs, nil
}

// byDN reads the entry that key names, when it is the DN of one.
func (x *session) byDN(ctx context.Context, key string) ([]*entry, error) {
	folded, err := foldDN(key)
	if err != nil || folded == "" {
		return nil, nil //nolint:nilerr // no DN, then it is another kind of key
	}
	found, _, err := fetch(ctx, x.c, searchRequest{
		Base: key, Scope: ldap.ScopeBaseObject, Filter: anyObject, Attributes: x.s.layout.names,
	}, 2)
	if _, answered := resultCode(err); answered {
		return nil, nil // nothing of that name, or not to be seen
	}
	return found, err
}

// keyFilter finds people by what others call them.
func keyFilter(t Type, key string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, a := range personAttributes(t) {
		b.WriteString(equals(a, key))
	}
	b.WriteString(equals("cn", key))
	if t == ActiveDirectory {
		b.WriteString(equals("proxyAddresses", "smtp:"+key))
		if _, name, ok := strings.Cut(key, `\`); ok { // DOMAIN\name
			b.WriteString(equals("sAMAccountName", name))
		}
	}
	b.WriteByte(')')
	return b.String()
}
