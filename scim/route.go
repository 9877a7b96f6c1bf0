package scim

import (
	"net/http"
	"slices"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/scim/schema"
)

// operation is what a method does at a path.
type operation struct {
	do     func(x *exchange) (*answer, error)
	writes bool  // changes something
	limit  int64 // bytes of the body; 0 = there is none
}

// methods are those of one path, GET without HEAD, which goes like it.
type methods map[string]operation

// route finds the operation for a method and the path below v2/. A path that exists answers other methods with 405
// and what it allows.
func route(method, path string) (operation, error) {
	m, err := at(path)
	if err != nil {
		return operation{}, err
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if op, ok := m[method]; ok {
		return op, nil
	}
	allow := make([]string, 0, len(m)+1)
	for name := range m {
		if allow = append(allow, name); name == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	return operation{}, &Error{
		Status: http.StatusMethodNotAllowed, Detail: method + " is not for this address, which takes " + strings.Join(allow, ", "),
		Header: map[string]string{"Allow": strings.Join(allow, ", ")},
	}
}

// at are the methods of a path.
func at(path string) (methods, error) {
	first, rest, deeper := strings.Cut(path, "/")
	switch {
	case path == "":
		return methods{http.MethodGet: {do: (*exchange).searchAll}}, nil
	case path == ".search":
		return methods{http.MethodPost: {do: (*exchange).postSearchAll, limit: maxUserBytes}}, nil
	case path == "Me":
		return me, nil
	case path == "Bulk":
		return methods{http.MethodPost: {do: (*exchange).bulk, writes: true, limit: maxBulkBytes}}, nil
	case first == "ServiceProviderConfig" && !deeper, first == "ResourceTypes", first == "Schemas":
		return methods{http.MethodGet: {do: func(x *exchange) (*answer, error) { return x.discover(path) }}}, nil
	}
	t := kindOf(first)
	switch {
	case t == nil, strings.Contains(rest, "/"):
		return nil, notFound("there is nothing at " + printable(path) + ": usherd has Users, Groups, Bulk, Me, Schemas, ResourceTypes and ServiceProviderConfig")
	case !deeper:
		return methods{
			http.MethodGet:  {do: func(x *exchange) (*answer, error) { return x.list(t) }},
			http.MethodPost: {do: func(x *exchange) (*answer, error) { return x.create(t) }, writes: true, limit: bodyLimit(t)},
		}, nil
	case rest == ".search":
		return methods{http.MethodPost: {do: func(x *exchange) (*answer, error) { return x.postSearch(t) }, limit: maxUserBytes}}, nil
	}
	return resourceAt(t, rest), nil
}

// me stands for the person behind a token; the tokens of clients stand for none (RFC 7644 section 3.11).
var me = func() methods {
	op := operation{do: func(*exchange) (*answer, error) {
		return nil, refuse(http.StatusNotImplemented, "", "a client's token stands for no person: ask for /Users/{id}")
	}}
	return methods{http.MethodGet: op, http.MethodPost: op, http.MethodPut: op, http.MethodPatch: op, http.MethodDelete: op}
}()

func bodyLimit(t *schema.Type) int64 {
	if t == schema.Group() {
		return maxGroupBytes
	}
	return maxUserBytes
}

func resourceAt(t *schema.Type, text string) methods {
	with := func(f func(x *exchange, id connector.ID) (*answer, error)) func(x *exchange) (*answer, error) {
		return func(x *exchange) (*answer, error) {
			id, err := connector.ParseID(text)
			if err != nil {
				return nil, nobody(t, text)
			}
			x.notes.person, x.notes.user = text, id
			return f(x, id)
		}
	}
	h := userHandlers
	if t == schema.Group() {
		h = groupHandlers
	}
	return methods{
		http.MethodGet:    {do: with(h.get)},
		http.MethodPut:    {do: with(h.put), writes: true, limit: bodyLimit(t)},
		http.MethodPatch:  {do: with(h.patch), writes: true, limit: bodyLimit(t)},
		http.MethodDelete: {do: with(h.remove), writes: true},
	}
}

// handlers are what can be done with one resource.
type handlers struct {
	get, put, patch, remove func(x *exchange, id connector.ID) (*answer, error)
}

func nobody(t *schema.Type, id string) error {
	return notFound("there is no " + t.Name + " " + printable(id))
}

// printable is a text from outside as a detail may show it: short and in one line.
func printable(s string) string {
	const most = 80
	s = failure.Clean(s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
