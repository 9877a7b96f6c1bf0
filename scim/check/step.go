package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

type object = map[string]any

// fault is what was wrong.
type fault struct{ expected, got string }

// step is one case at work. After its first fault, or the reason to skip it, everything it does is nothing: a case
// reads as if all went well.
type step struct {
	ctx   context.Context
	sv    *service
	c     *client
	fault *fault
	skip  string
}

func (s *step) over() bool { return s.fault != nil || s.skip != "" || s.ctx.Err() != nil }

// fail ends the case.
func (s *step) fail(expected, got string) {
	if !s.over() {
		s.fault = &fault{clip(expected), clip(got)}
	}
}

// need skips the case unless ok.
func (s *step) need(ok bool, reason string) {
	if !ok && !s.over() {
		s.skip = reason
	}
}

// expect ends the case unless ok.
func (s *step) expect(ok bool, expected string, got any) {
	if !ok {
		s.fail(expected, show(got))
	}
}

// equal ends the case unless a value is the one that was expected. Numbers and texts of answers are compared by what
// they look like.
func (s *step) equal(what string, want, got any) {
	if w, g := show(want), show(got); w != g {
		s.fail(what+" "+w, g)
	}
}

// show is a value as it is told and compared: as JSON.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case *answer:
		return v.text()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// send makes a request and ends the case unless the answer has one of the wanted statuses; none means any.
func (s *step) send(r request, want ...int) *answer {
	if s.over() {
		return &answer{}
	}
	a := s.c.send(s.ctx, r)
	s.sv.note(r, a)
	if a.err != nil {
		s.fail("an answer", a.text())
		return a
	}
	if len(want) > 0 && !slices.Contains(want, a.status) {
		s.fail(statuses(want), a.text())
	}
	return a
}

func statuses(list []int) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, " or ")
}

func (s *step) get(path string, want ...int) *answer {
	return s.send(request{method: http.MethodGet, path: path}, want...)
}

func (s *step) post(path string, body any, want ...int) *answer {
	return s.send(request{method: http.MethodPost, path: path, body: body}, want...)
}

func (s *step) put(path string, body any, want ...int) *answer {
	return s.send(request{method: http.MethodPut, path: path, body: body}, want...)
}

func (s *step) del(path string, want ...int) *answer {
	return s.send(request{method: http.MethodDelete, path: path}, want...)
}

// refused ends the case unless the answer is an error of RFC 7644 section 3.12, of the status, and of one of the
// scimTypes where there are any.
func (s *step) refused(a *answer, status int, types ...string) {
	s.expect(a.status == status, "an error with status "+strconv.Itoa(status), a)
	s.expect(listed(a.body["schemas"], errorURN), "a body with the schema "+errorURN, a)
	s.equal("status as text,", strconv.Itoa(status), a.body["status"])
	if len(types) > 0 && !slices.Contains(types, text(a.body, "scimType")) {
		s.fail("scimType "+strings.Join(types, " or "), a.text())
	}
}

// ops is a PATCH of operations.
func ops(list ...object) object {
	return object{"schemas": []string{patchURN}, "Operations": list}
}

// op is one operation; no path for "", no value for nil.
func op(kind, path string, value any) object {
	o := object{"op": kind}
	if path != "" {
		o["path"] = path
	}
	if value != nil {
		o["value"] = value
	}
	return o
}

// patch changes a resource and returns it as it is afterwards.
func (s *step) patch(r *resource, list ...object) object {
	s.send(request{method: http.MethodPatch, path: r.path, body: ops(list...)}, http.StatusOK, http.StatusNoContent)
	return s.get(r.path, http.StatusOK).body
}

// patchRefused sends operations that have to be refused, and ends the case if they changed something.
func (s *step) patchRefused(r *resource, types []string, list ...object) {
	before := s.get(r.path, http.StatusOK).body
	a := s.send(request{method: http.MethodPatch, path: r.path, body: ops(list...)})
	s.refused(a, http.StatusBadRequest, types...)
	after := s.get(r.path, http.StatusOK).body
	delete(before, "meta")
	delete(after, "meta")
	s.expect(show(before) == show(after), "that a refused PATCH changes nothing", after)
}

// query is a path with parameters, each a name and its value.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + q.Encode()
}

// find lists resources by a filter.
func (s *step) find(endpoint, filter string) []any {
	return s.list(query(endpoint, "filter", filter, "count", "50"))
}

// list gets a list and holds it to its form (RFC 7644 section 3.4.2).
func (s *step) list(path string) []any {
	return s.listOf(s.get(path, http.StatusOK))
}

func (s *step) listOf(a *answer) []any {
	s.expect(listed(a.body["schemas"], listURN), "a body with the schema "+listURN, a.body["schemas"])
	_, isNumber := a.body["totalResults"].(json.Number)
	s.expect(isNumber, "totalResults as a number", a.body["totalResults"])
	list, isList := a.body["Resources"].([]any)
	s.expect(isList || number(a.body["totalResults"]) == 0 || number(a.body["itemsPerPage"]) == 0, "Resources as a list", a.body["Resources"])
	return list
}

// ids are those of listed resources, in order.
func ids(list []any) []string {
	out := []string{}
	for _, v := range list {
		out = append(out, text(v, "id"))
	}
	return out
}

// dig is the value below v by names of members and numbers of elements; nil where there is none.
func dig(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

// text is a text below v, "" where there is none.
func text(v any, path ...any) string {
	s, _ := dig(v, path...).(string)
	return s
}

// number is a whole number, -1 where there is none.
func number(v any) int {
	n, ok := v.(json.Number)
	if !ok {
		return -1
	}
	i, err := strconv.Atoi(n.String())
	if err != nil {
		return -1
	}
	return i
}

// listed reports whether a list has a text, in any case.
func listed(v any, want string) bool {
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok && strings.EqualFold(s, want) {
			return true
		}
	}
	return false
}

// element is the first of a list of objects in which a member has a value; nil where there is none.
func element(list any, member, value string) object {
	all, _ := list.([]any)
	for _, e := range all {
		if o, ok := e.(map[string]any); ok && text(o, member) == value {
			return o
		}
	}
	return nil
}

func length(v any) int {
	list, _ := v.([]any)
	return len(list)
}
