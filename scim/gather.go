package scim

import (
	"context"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/scim/schema"
)

// candidate is a rendered resource that matches, and what it is sorted by.
type candidate struct {
	r   map[string]any
	key sortKey
	id  string
}

// gathered is a page of what no index answers alone: candidates that the store finds are looked at one by one, up to
// maxCandidates of them.
func (x *exchange) gathered(t *schema.Type, l *listing) (*page, error) {
	found, err := x.candidates(t, l)
	if err != nil {
		return nil, err
	}
	if !l.ordered {
		sortCandidates(found, l.descending)
	}
	return x.cut(found, l)
}

// cut takes the page out of everything that was found. A cursor is then the number of the first one.
func (x *exchange) cut(found []candidate, l *listing) (*page, error) {
	from := l.start - 1
	if l.byCursor {
		at, err := x.s.cursors.open(l.key, l.cursor)
		if err != nil {
			return nil, err
		}
		from, _ = strconv.Atoi(strings.TrimPrefix(at, "#"))
	}
	p := &page{total: len(found)}
	from = min(max(from, 0), len(found))
	to := min(from+l.count, len(found))
	for _, c := range found[from:to] {
		p.resources = append(p.resources, l.projection.apply(c.r))
	}
	if l.byCursor && l.count > 0 && to < len(found) {
		p.next = x.s.cursors.seal(l.key, "#"+strconv.Itoa(to))
	}
	if l.byCursor && l.count > 0 && from > 0 {
		p.previous = x.s.cursors.seal(l.key, "#"+strconv.Itoa(max(from-l.count, 0)))
	}
	return p, nil
}

// candidates are the resources that match, rendered whole.
func (x *exchange) candidates(t *schema.Type, l *listing) ([]candidate, error) {
	ctx, q := x.r.Context(), x.query(l)
	q.Limit = maxPage
	var found []candidate
	for looked := 0; ; {
		list, next, err := x.rendered(ctx, t, q, l)
		if err != nil {
			return nil, err
		}
		if looked += len(list); looked > maxCandidates {
			return nil, refuse(http.StatusBadRequest, tooMany, "more than "+strconv.Itoa(maxCandidates)+
				" resources would have to be looked at for this filter or order: add a condition on id, userName, externalId, emails, displayName or meta.lastModified, or sort by one of them")
		}
		for _, r := range list {
			if l.filter == nil || l.filter.Match(r) {
				id, _ := r["id"].(string)
				found = append(found, candidate{r, keyOf(r, l.sortBy), id})
			}
		}
		if q.After = next; next == "" {
			return found, nil
		}
	}
}

// rendered is one page of candidates.
func (x *exchange) rendered(ctx context.Context, t *schema.Type, q connector.ResourceQuery, l *listing) (list []map[string]any, next string, err error) {
	if t == schema.Group() {
		page, err := x.s.o.Store.ClientGroups(ctx, q)
		if err != nil {
			return nil, "", err
		}
		members := *l.projection
		if l.filter != nil { // it may ask for members
			members = projection{t: t}
		}
		for i := range page.Items {
			r, err := x.fullGroup(ctx, &page.Items[i], &members)
			if err != nil {
				return nil, "", err
			}
			list = append(list, r)
		}
		return list, page.Next, nil
	}
	page, err := x.s.o.Store.ClientUsers(ctx, q)
	if err != nil {
		return nil, "", err
	}
	shown, err := x.shown(ctx, page.Items, true)
	for _, u := range shown {
		list = append(list, x.org.userObject(u))
	}
	return list, page.Next, err
}

// sortKey is what a resource is sorted by (RFC 7644 section 3.4.2.3): text, folded unless case counts.
type sortKey struct {
	text string
	none bool // stands last of an ascending order
}

// keyOf is the value of an attribute: of several the primary one, else the first.
func keyOf(r map[string]any, a *schema.Attribute) sortKey {
	if a == nil {
		return sortKey{none: true}
	}
	var v any = r
	if a.Extension() {
		v = r[a.Schema]
	}
	for _, name := range steps(a) {
		m, _ := one(v).(map[string]any)
		v = m[name]
	}
	switch v := one(v).(type) {
	case string:
		if !a.CaseExact {
			v = connector.Fold(v)
		}
		return sortKey{text: v, none: v == ""}
	case bool:
		return sortKey{text: strconv.FormatBool(v)}
	}
	return sortKey{none: true}
}

// steps are the names from the top down.
func steps(a *schema.Attribute) []string {
	if a.Parent == nil {
		return []string{a.Name}
	}
	return append(steps(a.Parent), a.Name)
}

// one is the value that stands for several.
func one(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	if len(list) == 0 {
		return nil
	}
	for _, e := range list {
		if m, ok := e.(map[string]any); ok && m["primary"] == true {
			return e
		}
	}
	return list[0]
}

func sortCandidates(list []candidate, descending bool) {
	less := func(a, b candidate) bool {
		switch {
		case a.key.none != b.key.none:
			return b.key.none
		case a.key.text != b.key.text:
			return a.key.text < b.key.text
		}
		return a.id < b.id
	}
	sort.SliceStable(list, func(i, j int) bool { return less(list[i], list[j]) })
	if descending {
		slices.Reverse(list)
	}
}
