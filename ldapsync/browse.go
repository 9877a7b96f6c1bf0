package ldapsync

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// mostBrowsed bounds how many entries below one are looked at: for more one says how their names begin.
const mostBrowsed = 1000

// Browse returns a page of the entries right below one, which has to stand below the bases, in order of their names. It tells of
// each whether the filter finds it and whether its place is in scope; groups are not looked at. Of the entry itself it tells what is in it. It
// takes turns with Find.
func (s *Source) Browse(ctx context.Context, q connector.BrowseRequest) (connector.BrowsePage, error) {
	at, err := foldDN(q.At)
	if err != nil || at == "" || !s.underABase(at) {
		return connector.BrowsePage{}, &connector.Error{Kind: connector.NotFound, Op: "ldapsync: browse", Err: fmt.Errorf("%q stands below none of the bases", q.At)}
	}
	page := connector.BrowsePage{At: q.At}
	if _, up, ok := splitDN(q.At); ok {
		if folded, err := foldDN(up); err == nil && s.underABase(folded) {
			page.Up = up
		}
	}
	err = s.ask(ctx, func(x *session) error { return x.browse(ctx, q, &page) })
	return page, err
}

// underABase reports whether a folded DN is a base or stands below one.
func (s *Source) underABase(folded string) bool {
	return slices.ContainsFunc(slices.Concat(s.config.Bases, s.config.GroupBases), func(base string) bool {
		b, err := foldDN(base)
		return err == nil && isBelow(folded, b)
	})
}

// splitDN cuts the first part off a DN; ok is false where there is only one.
func splitDN(dn string) (first, rest string, ok bool) {
	quoted := false
	for i := 0; i < len(dn); i++ {
		switch c := dn[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case (c == ',' || c == ';') && !quoted:
			return dn[:i], strings.TrimLeft(dn[i+1:], " "), true
		}
	}
	return dn, "", false
}

var browsed = []string{"objectClass", "hasSubordinates", "numSubordinates"}

func (x *session) browse(ctx context.Context, q connector.BrowseRequest, page *connector.BrowsePage) error {
	all, err := x.children(ctx, q.At, begins(q.Begins), page)
	if err != nil {
		return err
	}
	if page.Self, err = x.view(ctx, q.At); err != nil {
		return err
	}
	slices.SortFunc(all, byName)
	from := 0
	if q.After != "" {
		from, _ = slices.BinarySearchFunc(all, connector.BrowseEntry{Name: q.After}, byName)
		for from < len(all) && byName(all[from], connector.BrowseEntry{Name: q.After}) == 0 {
			from++
		}
	}
	to := min(from+q.Limit, len(all))
	if to < len(all) {
		page.Next = all[to-1].Name
	}
	page.Entries = all[from:to]
	for i := range page.Entries {
		if err := x.judge(ctx, &page.Entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// byName orders entries as people look for them.
func byName(a, b connector.BrowseEntry) int {
	return cmp.Or(strings.Compare(connector.Fold(a.Name), connector.Fold(b.Name)), strings.Compare(a.Name, b.Name))
}

// begins finds entries by the beginnings of their names.
func begins(text string) string {
	if text == "" {
		return anyObject
	}
	var b strings.Builder
	b.WriteString("(|")
	for _, a := range []string{"cn", "ou", "uid", "o", "dc", "l"} {
		b.WriteString(strings.TrimSuffix(equals(a, text), ")") + "*)")
	}
	b.WriteByte(')')
	return b.String()
}

// children reads what stands right below an entry.
func (x *session) children(ctx context.Context, base, filter string, page *connector.BrowsePage) (all []connector.BrowseEntry, err error) {
	end, err := x.c.search(ctx, searchRequest{
		Base: base, Scope: ldap.ScopeSingleLevel, Filter: filter, Attributes: browsed, SizeLimit: mostBrowsed,
	}, func(e *entry) error {
		one := connector.BrowseEntry{DN: strings.ToValidUTF8(string(e.DN), "\ufffd")}
		one.Name, _, _ = splitDN(one.DN)
		for _, v := range valuesOf(e, 0) {
			one.Classes = append(one.Classes, string(v))
		}
		one.Leaf = anyOf(valuesOf(e, 1), func(v []byte) bool { return strings.EqualFold(string(v), "FALSE") }) ||
			anyOf(valuesOf(e, 2), func(v []byte) bool { return string(v) == "0" })
		all = append(all, one)
		return nil
	})
	if missing(err) {
		return nil, &connector.Error{
			Kind: connector.NotFound, Op: "ldapsync: browse", Err: fmt.Errorf("%q does not exist, or the service account may not see it", base),
		}
	}
	page.Cut = err == nil && !end.Complete
	return all, err
}

// judge asks whether the filter finds an entry, and looks whether its place is in scope.
func (x *session) judge(ctx context.Context, e *connector.BrowseEntry) error {
	folded, err := foldDN(e.DN)
	if err != nil {
		return nil //nolint:nilerr // what it is called says nothing of its place
	}
	e.Outside = x.s.scope.outside([]byte(folded))
	e.Found, err = one(ctx, x.c, searchRequest{Base: e.DN, Filter: x.s.config.filter(), Attributes: []string{noAttributes}}, discard)
	if _, answered := resultCode(err); answered { // it is gone meanwhile, or hidden
		return nil
	}
	return err
}
