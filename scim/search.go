package scim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usherd/connector"
	"usherd/scim/schema"
)

const searchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

// postSearch is a list whose parameters stand in the body (RFC 7644 section 3.4.3): a filter may be longer than a URL.
func (x *exchange) postSearch(t *schema.Type) (*answer, error) {
	q, err := x.searchRequest()
	if err != nil {
		return nil, err
	}
	return x.listed(t, q)
}

// searchRequest reads a SearchRequest as the parameters of a list.
func (x *exchange) searchRequest() (url.Values, error) {
	m, err := x.read()
	if err != nil {
		return nil, err
	}
	q := url.Values{}
	for key, v := range m {
		name := searchParameters[strings.ToLower(key)]
		switch v := v.(type) {
		case string:
			q.Set(name, v)
		case json.Number:
			q.Set(name, v.String())
		case []any:
			var names []string
			for _, e := range v {
				if s, ok := e.(string); ok {
					names = append(names, s)
				}
			}
			q.Set(name, strings.Join(names, ","))
		}
	}
	if s := q.Get("schemas"); s != "" && !strings.EqualFold(s, searchURN) {
		return nil, refuse(http.StatusBadRequest, invalidSyntax, `schemas has to be ["`+searchURN+`"]`)
	}
	q.Del("schemas")
	q.Del("")
	return q, nil
}

var searchParameters = map[string]string{
	"schemas": "schemas", "filter": "filter", "sortby": "sortBy", "sortorder": "sortOrder", "startindex": "startIndex", "count": "count",
	"cursor": "cursor", "attributes": "attributes", "excludedattributes": "excludedAttributes",
}

// searchAll is GET at the root: resources of every type (RFC 7644 section 3.4.2.1).
func (x *exchange) searchAll() (*answer, error) { return x.searchedAll(x.r.URL.Query()) }

func (x *exchange) postSearchAll() (*answer, error) {
	q, err := x.searchRequest()
	if err != nil {
		return nil, err
	}
	return x.searchedAll(q)
}

// searchedAll puts the resources of all types into one order. An attribute that a type does not have counts as
// unassigned there.
func (x *exchange) searchedAll(q url.Values) (*answer, error) {
	var found []candidate
	var last *listing
	if by := q.Get("sortBy"); by != "" && !slices.ContainsFunc(schema.Types(), func(t *schema.Type) bool { _, err := sortAttribute(t, by); return err == nil }) {
		return nil, unsortable(by)
	}
	for _, t := range schema.Types() {
		l, err := x.listingOfAll(t, q)
		if err != nil {
			return nil, err
		}
		list, err := x.candidates(t, l)
		if err != nil {
			return nil, err
		}
		for i := range list {
			list[i].r = l.projection.apply(list[i].r)
		}
		found, last = append(found, list...), l
	}
	last.projection = &projection{t: schema.User()} // applied already
	last.key = x.listKey("", q, last)
	p, err := x.cut(found, last)
	if err != nil {
		return nil, err
	}
	b, err := encode(p.object(last))
	return &answer{status: http.StatusOK, body: b}, err
}

// listingOfAll is the listing of one type among all.
func (x *exchange) listingOfAll(t *schema.Type, q url.Values) (*listing, error) {
	own := url.Values{}
	for name, values := range q {
		if name != "filter" && name != "sortBy" {
			own[name] = values
		}
	}
	l, err := x.listing(t, own)
	if err != nil {
		return nil, err
	}
	l.order, l.ordered = connector.ByID, false
	if by := q.Get("sortBy"); by != "" {
		l.sortBy, _ = sortAttribute(t, by) // nil where this type has none
	}
	text := q.Get("filter")
	if text == "" {
		return l, nil
	}
	if l.filter, err = x.compile(t, text, schema.Types()...); err != nil {
		return nil, err
	}
	l.where, l.exact = l.filter.Condition()
	return l, nil
}
