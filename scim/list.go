package scim

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/scim/dialect"
	"usherd/scim/filter"
	"usherd/scim/schema"
)

// maxCandidates is how many resources are looked at for what no index answers, before the client is asked to narrow
// its filter.
const maxCandidates = 10_000

// listing is a request for a list (RFC 7644 section 3.4.2, RFC 9865), read and checked.
type listing struct {
	filter     *filter.Filter // nil = all
	where      *connector.Condition
	exact      bool // the store alone decides
	sortBy     *schema.Attribute
	order      connector.ResourceSort
	ordered    bool // the store sorts
	descending bool
	start      int // from 1
	count      int // of the page; 0 = only how many there are
	cursor     string
	byCursor   bool
	projection *projection
	key        string // tells this list from others, whatever the page
}

// list answers GET at an endpoint.
func (x *exchange) list(t *schema.Type) (*answer, error) {
	return x.listed(t, x.r.URL.Query())
}

// listed answers a list with these parameters.
func (x *exchange) listed(t *schema.Type, q url.Values) (*answer, error) {
	l, err := x.listing(t, q)
	if err != nil {
		return nil, err
	}
	var page *page
	if l.exact && l.ordered {
		page, err = x.indexed(t, l)
	} else {
		page, err = x.gathered(t, l)
	}
	if err != nil {
		return nil, err
	}
	return x.listAnswer(l, page), nil
}

func (x *exchange) listing(t *schema.Type, q url.Values) (*listing, error) {
	l := &listing{exact: true, ordered: true, start: 1, count: defaultPage, descending: strings.EqualFold(q.Get("sortOrder"), "descending")}
	var err error
	if l.projection, err = x.projection(t, q); err != nil {
		return nil, err
	}
	if text := q.Get("filter"); text != "" {
		if l.filter, err = x.compile(t, text); err != nil {
			return nil, err
		}
		l.where, l.exact = l.filter.Condition()
	}
	if err := l.sorting(t, q.Get("sortBy")); err != nil {
		return nil, err
	}
	if err := l.paging(q); err != nil {
		return nil, err
	}
	l.key = x.listKey(t.Name, q, l)
	return l, nil
}

// listKey tells a list from all others, whatever the page; kind is "" for all types at once. Pages by cursor are those
// of one size.
func (x *exchange) listKey(kind string, q url.Values, l *listing) string {
	parts := []string{x.org.Settings.ID, x.source, kind, q.Get("filter"), strings.ToLower(q.Get("sortBy")), strconv.FormatBool(l.descending)}
	if l.byCursor {
		parts = append(parts, strconv.Itoa(l.count))
	}
	return strings.Join(parts, "\x00")
}

// compile reads a filter as the client's dialect means it. Of types that are searched together, what one lacks counts
// as unassigned.
func (x *exchange) compile(t *schema.Type, text string, among ...*schema.Type) (*filter.Filter, error) {
	tree, err := filter.Parse(text)
	if err != nil {
		return nil, x.filtered(err)
	}
	tree, quirks := dialect.Filter(x.profile, t, tree)
	x.count(quirks)
	f, err := filter.CompileAmong(t, among, tree)
	if err != nil {
		return nil, x.filtered(err)
	}
	return f, nil
}

// filtered is what a client is told of a filter that cannot be used.
func (x *exchange) filtered(err error) error {
	e, ok := errors.AsType[*filter.Error](err)
	switch {
	case !ok:
		return err
	case e.Sensitive && x.r.Method == http.MethodGet:
		return refuse(http.StatusForbidden, sensitive, e.Error())
	}
	return refuse(http.StatusBadRequest, invalidFilter, e.Error())
}

// sorting finds the order: the store's own where it has an index for it.
func (l *listing) sorting(t *schema.Type, by string) error {
	if by == "" {
		return nil
	}
	var err error
	if l.sortBy, err = sortAttribute(t, by); err != nil {
		return err
	}
	l.order, l.ordered = orders[l.sortBy.Path()]
	return nil
}

// sortAttribute is what a type is sorted by: of a complex attribute its value.
func sortAttribute(t *schema.Type, by string) (*schema.Attribute, error) {
	urn, rest, ok := t.SplitPath(by)
	if !ok {
		return nil, unsortable(by)
	}
	a, ok := t.Find(urn, rest)
	if !ok || a.Returned == schema.ReturnedNever {
		return nil, unsortable(by)
	}
	if a.Kind != schema.Complex {
		return a, nil
	}
	if a = a.Child("value"); a == nil {
		return nil, badValue("sortBy: " + printable(by) + " has no value to sort by: name an attribute below it")
	}
	return a, nil
}

func unsortable(by string) error {
	return badValue("sortBy: there is no attribute " + printable(by) + " to sort by")
}

// orders are the attributes that the store sorts by.
var orders = map[string]connector.ResourceSort{
	"id": connector.ByID, "userName": connector.ByUserName, "displayName": connector.ByDisplayName,
	"meta.created": connector.ByCreated, "meta.lastModified": connector.ByLastModified,
}

// paging reads startIndex, count and cursor.
func (l *listing) paging(q url.Values) error {
	l.byCursor, l.cursor = q.Has("cursor"), q.Get("cursor")
	if l.byCursor && q.Has("startIndex") {
		return badValue("cursor and startIndex exclude each other: send one of them")
	}
	for name, into := range map[string]*int{"startIndex": &l.start, "count": &l.count} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return badValue(name + " has to be a whole number, not " + printable(text))
		}
		*into = n
	}
	if l.byCursor {
		return l.byCursors()
	}
	l.start, l.count = max(l.start, 1), min(max(l.count, 0), maxPage)
	return nil
}

// byCursors reads what pages by cursor have (RFC 9865 section 2).
func (l *listing) byCursors() error {
	if l.count < 1 {
		return refuse(http.StatusBadRequest, invalidCount, "count has to be from 1 to "+strconv.Itoa(maxPage)+" with a cursor")
	}
	l.count = min(l.count, maxPage)
	return nil
}

// page is what is answered of a list.
type page struct {
	total          int
	items          []item
	next, previous string // cursors
}

// write renders everything but the resources.
func (p *page) write(w *outlet, l *listing) {
	w.List("schemas")
	w.Text("", listURN)
	w.End()
	w.Int("totalResults", p.total)
	w.Int("itemsPerPage", len(p.items))
	if !l.byCursor {
		w.Int("startIndex", l.start)
	}
	if p.next != "" {
		w.Text("nextCursor", p.next)
	}
	if p.previous != "" {
		w.Text("previousCursor", p.previous)
	}
}

func (x *exchange) query(l *listing) connector.ResourceQuery {
	return connector.ResourceQuery{
		Org: x.org.Settings.ID, Client: x.source, Where: l.where, Sort: l.order, Descending: l.descending, Limit: l.count,
	}
}

// indexed is a page that the store finds by itself, at the same cost wherever it is.
func (x *exchange) indexed(t *schema.Type, l *listing) (*page, error) {
	ctx, q := x.r.Context(), x.query(l)
	p := &page{}
	var err error
	first := l.count > 0 && l.start == 1 && l.cursor == "" // all that there is may stand on it
	if !first {
		if p.total, err = x.s.o.Store.CountResources(ctx, resourceKind(t), q); err != nil || l.count == 0 {
			return p, err
		}
	}
	if err := x.place(l, &q); err != nil {
		return nil, err
	}
	if q.Offset > 0 && l.start > p.total { // a page that goes on from a remembered place may be beyond that all the same
		return p, nil
	}
	var at ends
	if t == schema.Group() {
		at, err = x.groupPage(ctx, q, l, p)
	} else {
		at, err = x.userPage(ctx, q, l, p)
	}
	if first && err == nil {
		if p.total = len(p.items); at.next != "" {
			p.total, err = x.s.o.Store.CountResources(ctx, resourceKind(t), q)
		}
	}
	if err != nil {
		return nil, err
	}
	if !l.byCursor {
		x.remember(l, len(p.items), at.last)
		return p, nil
	}
	if at.next != "" {
		p.next = x.s.cursors.seal(l.key, ">"+at.next)
	}
	if at.previous != "" {
		p.previous = x.s.cursors.seal(l.key, "<"+at.previous)
	}
	return p, nil
}

// remember keeps the place where a page of n ended for the one that comes next. A page that is not full is the last.
func (x *exchange) remember(l *listing, n int, place string) {
	if n == l.count {
		x.s.places.put(l.key, l.start+n, place)
	}
}

// ends are the places around a page, see connector.Page.
type ends struct{ next, last, previous string }

func endsOf[T any](p *connector.Page[T]) ends { return ends{p.Next, p.Last, p.Previous} }

// place says where the page begins.
func (x *exchange) place(l *listing, q *connector.ResourceQuery) error {
	if !l.byCursor {
		if q.After = x.s.places.get(l.key, l.start); q.After == "" {
			q.Offset = l.start - 1
		}
		return nil
	}
	at, err := x.s.cursors.open(l.key, l.cursor)
	switch {
	case err != nil || at == "":
	case at[0] == '<':
		q.Before = at[1:]
	default:
		q.After = at[1:]
	}
	return err
}

func (x *exchange) userPage(ctx context.Context, q connector.ResourceQuery, l *listing, p *page) (ends, error) {
	found, err := x.s.o.Store.ClientUsers(ctx, q)
	if err != nil {
		return ends{}, err
	}
	shown, err := x.shown(ctx, found.Items, l.projection)
	for _, u := range shown {
		p.items = append(p.items, item{user: u, projection: l.projection})
	}
	return endsOf(found), err
}

// shown adds to users what is rendered with them: their groups and refusals too where only the version is, which
// depends on them.
func (x *exchange) shown(ctx context.Context, users []connector.ClientUser, p *projection) ([]*shownUser, error) {
	versions := p.wantsOf("", "meta.version")
	groups, refusals := versions || p.wants("groups"), versions || p.wantsOf(schema.UsherdURN, "lastFailure")
	var ids []connector.ID
	for i := range users {
		if users[i].Grouped {
			ids = append(ids, users[i].User.ID)
		}
	}
	var names map[connector.ID][]connector.GroupName
	if groups && len(ids) > 0 {
		var err error
		if names, err = x.s.o.Store.GroupNames(ctx, x.org.Settings.ID, x.source, ids); err != nil {
			return nil, err
		}
	}
	out := make([]*shownUser, len(users))
	for i := range users {
		u := &shownUser{ClientUser: &users[i], groups: names[users[i].User.ID]}
		if refusals {
			var err error
			if u.failed, err = x.lastFailure(ctx, u.ClientUser); err != nil {
				return nil, err
			}
		}
		out[i] = u
	}
	return out, nil
}

func (x *exchange) groupPage(ctx context.Context, q connector.ResourceQuery, l *listing, p *page) (ends, error) {
	found, err := x.s.o.Store.ClientGroups(ctx, q)
	if err != nil {
		return ends{}, err
	}
	for i := range found.Items {
		p.items = append(p.items, item{group: &found.Items[i], projection: l.projection})
	}
	return endsOf(found), nil
}

func resourceKind(t *schema.Type) connector.ResourceKind {
	if t == schema.Group() {
		return connector.GroupResource
	}
	return connector.UserResource
}
