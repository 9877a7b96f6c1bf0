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
		if name == "" || v == nil {
			continue
		}
		text, ok := parameter(name, v)
		if !ok { // to pass it over could find more than was meant
			return nil, badValue(name + " has a value of the wrong type: see RFC 7644 section 3.4.3")
		}
		q.Set(name, text)
	}
	if s := q.Get("schemas"); s != "" && !strings.EqualFold(s, searchURN) {
		return nil, refuse(http.StatusBadRequest, invalidSyntax, `schemas has to be ["`+searchURN+`"]`)
	}
	q.Del("schemas")
	return q, nil
}

// parameter is a member of a SearchRequest as it would stand in an address. Only lists of names are lists.
func parameter(name string, v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), name == "count" || name == "startIndex"
	case []any:
		names := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", false
			}
			names[i] = s
		}
		return strings.Join(names, ","), name == "attributes" || name == "excludedAttributes" || name == "schemas"
	}
	return "", false
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
		found, last = append(found, list...), l
	}
	last.key = x.listKey("", q, last)
	p, err := x.cut(found, last)
	if err != nil {
		return nil, err
	}
	return x.listAnswer(last, p), nil
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
