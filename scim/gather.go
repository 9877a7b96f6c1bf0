package scim

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/scim/schema"
)

// candidate is a resource that matches, and what it is sorted by.
type candidate struct {
	item
	Key sortKey
	ID  string
}

// place says where the candidate stands in its list.
func (c *candidate) place() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // texts
	}
	return string(text)
}

func (c *candidate) compare(o *candidate, descending bool) int {
	n := cmp.Or(strings.Compare(c.Key.Text, o.Key.Text), strings.Compare(c.ID, o.ID))
	if c.Key.None != o.Key.None {
		n = 1
		if o.Key.None {
			n = -1
		}
	}
	if descending {
		return -n
	}
	return n
}

// gathered is a page of what no index answers alone: candidates that the store finds are looked at one by one, up to
// maxCandidates of them.
func (x *exchange) gathered(t *schema.Type, l *listing) (*page, error) {
	found, err := x.candidates(t, l)
	if err != nil {
		return nil, err
	}
	return x.cut(found, l)
}

// cut takes the page out of everything that was found, in order. As in a list that an index answers, where a page ends
// is a place in the order and not a number: what comes and goes before it does not move the next one.
func (x *exchange) cut(found []candidate, l *listing) (*page, error) {
	sortCandidates(found, l.descending)
	from, to, err := x.span(found, l)
	if err != nil {
		return nil, err
	}
	p := &page{total: len(found)}
	for _, c := range found[from:to] {
		p.items = append(p.items, c.item)
	}
	if from == to {
		return p, nil
	}
	if !l.byCursor {
		x.remember(l, to-from, found[to-1].place())
		return p, nil
	}
	if to < len(found) {
		p.next = x.s.cursors.seal(l.key, ">"+found[to-1].place())
	}
	if from > 0 {
		p.previous = x.s.cursors.seal(l.key, "<"+found[from].place())
	}
	return p, nil
}

// span is the page among what was found, which is in order.
func (x *exchange) span(found []candidate, l *listing) (from, to int, err error) {
	at, from := "", l.start-1
	if l.byCursor {
		at, err = x.s.cursors.open(l.key, l.cursor)
		from = 0
	} else if place := x.s.places.get(l.key, l.start); place != "" {
		at = ">" + place
	}
	if err != nil {
		return 0, 0, err
	}
	if at != "" {
		var c candidate
		if err := json.Unmarshal([]byte(at[1:]), &c); err != nil {
			return 0, 0, err // it was sealed, or kept, by us
		}
		from = sort.Search(len(found), func(i int) bool {
			n := found[i].compare(&c, l.descending)
			return n > 0 || n == 0 && at[0] == '<'
		})
		if at[0] == '<' {
			return max(from-l.count, 0), from, nil
		}
	}
	from = min(from, len(found))
	return from, min(from+l.count, len(found)), nil
}

// candidates are the resources that match.
func (x *exchange) candidates(t *schema.Type, l *listing) ([]candidate, error) {
	ctx, q := x.r.Context(), x.query(l)
	q.Limit = maxPage
	var found []candidate
	for seen := 0; ; {
		list, next, err := x.looked(ctx, t, q, l)
		if err != nil {
			return nil, err
		}
		if seen += len(list); seen > maxCandidates {
			return nil, refuse(http.StatusBadRequest, tooMany, "more than "+strconv.Itoa(maxCandidates)+
				" resources would have to be looked at for this filter or order: add a condition on id, userName, externalId, emails, displayName or meta.lastModified, or sort by one of them")
		}
		for _, it := range list {
			r, err := x.object(ctx, it, l)
			if err != nil {
				return nil, err
			}
			if l.filter == nil || l.filter.Match(r) {
				id, _ := r["id"].(string)
				found = append(found, candidate{it, keyOf(r, l.sortBy), id})
			}
		}
		if q.After = next; next == "" {
			return found, nil
		}
	}
}

// looked is one page of candidates.
func (x *exchange) looked(ctx context.Context, t *schema.Type, q connector.ResourceQuery, l *listing) (list []item, next string, err error) {
	if t == schema.Group() {
		page, err := x.s.o.Store.ClientGroups(ctx, q)
		if err != nil {
			return nil, "", err
		}
		for i := range page.Items {
			list = append(list, item{group: &page.Items[i], projection: l.projection})
		}
		return list, page.Next, nil
	}
	page, err := x.s.o.Store.ClientUsers(ctx, q)
	if err != nil {
		return nil, "", err
	}
	shown, err := x.shown(ctx, page.Items, &projection{t: t})
	for _, u := range shown {
		list = append(list, item{user: u, projection: l.projection})
	}
	return list, page.Next, err
}

// object renders a candidate as filter and order look at it: of a group the members only where they are asked for, and
// no longer than it takes.
func (x *exchange) object(ctx context.Context, it item, l *listing) (map[string]any, error) {
	if it.user != nil {
		return x.org.userObject(it.user), nil
	}
	r := x.org.groupObject(it.group, nil)
	a, _ := schema.Group().Find("", "members")
	if (l.filter == nil || !l.filter.Asks(a)) && (l.sortBy == nil || l.sortBy.Parent != a) {
		return r, nil
	}
	members := make([]any, 0, it.group.MemberCount)
	for m, err := range x.members(ctx, it.group.ID) {
		if err != nil {
			return nil, err
		}
		members = append(members, x.org.memberObject(&m))
	}
	r["members"] = members
	return r, nil
}

// sortKey is what a resource is sorted by (RFC 7644 section 3.4.2.3): text, folded unless case counts.
type sortKey struct {
	Text string
	None bool // stands last of an ascending order
}

// keyOf is the value of an attribute: of several the primary one, else the first.
func keyOf(r map[string]any, a *schema.Attribute) sortKey {
	if a == nil {
		return sortKey{None: true}
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
		return sortKey{Text: v, None: v == ""}
	case bool:
		return sortKey{Text: strconv.FormatBool(v)}
	}
	return sortKey{None: true}
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
	slices.SortFunc(list, func(a, b candidate) int { return a.compare(&b, descending) })
}
