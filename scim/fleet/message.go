package fleet

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

type object = map[string]any

const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchURN      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// patched is the body of a PATCH.
func patched(ops ...object) object {
	list := make([]any, len(ops))
	for i, op := range ops {
		list[i] = op
	}
	return object{"schemas": []string{patchURN}, "Operations": list}
}

// expect sends a request that has to be answered with one of these statuses.
func (t *talk) expect(ctx context.Context, method, path string, body any, statuses ...int) (reply, error) {
	r, err := t.do(ctx, method, path, body)
	if err == nil && !slices.Contains(statuses, r.status) {
		err = fmt.Errorf("%s %s %v: %s", method, path, body, r)
	}
	return r, err
}

// patch sends a PATCH that has to succeed.
func (t *talk) patch(ctx context.Context, path string, ops ...object) error {
	_, err := t.expect(ctx, http.MethodPatch, path, patched(ops...), http.StatusOK, http.StatusNoContent)
	return err
}

// remove deletes a resource, which may be deleted already by a request of which no answer came.
func (t *talk) remove(ctx context.Context, path string) error {
	_, err := t.expect(ctx, http.MethodDelete, path, nil, http.StatusNoContent, http.StatusNotFound)
	return err
}

// find asks with a filter and returns the id of the one resource that there is, "" where there is none.
func (t *talk) find(ctx context.Context, path string) (id string, err error) {
	r, err := t.expect(ctx, http.MethodGet, path, nil, http.StatusOK)
	if err != nil {
		return "", err
	}
	list, _ := r.body["Resources"].([]any)
	total, _ := r.body["totalResults"].(float64)
	switch {
	case int(total) != len(list) || len(list) > 1:
		return "", fmt.Errorf("GET %s: want one or none: %s", path, r)
	case len(list) == 0:
		return "", nil
	}
	one, _ := list[0].(object)
	return reply{body: one}.id(), nil
}

// walk reads a list by startIndex, as far as totalResults of the first page says.
func (t *talk) walk(ctx context.Context, path string, size int) (all []object, err error) {
	most := -1
	for {
		page := fmt.Sprintf("%sstartIndex=%d", path, len(all)+1)
		if size > 0 {
			page += fmt.Sprintf("&count=%d", size)
		}
		r, err := t.expect(ctx, http.MethodGet, page, nil, http.StatusOK)
		if err != nil {
			return nil, err
		}
		if total, _ := r.body["totalResults"].(float64); most < 0 {
			most = int(total)
		}
		list, _ := r.body["Resources"].([]any)
		for _, v := range list {
			one, _ := v.(object)
			all = append(all, one)
		}
		if len(all) >= most {
			return all, nil
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("GET %s: %d of %d seen, and there are no more", page, len(all), most)
		}
	}
}

// difference is who comes and who goes, in order.
func difference(before, after map[string]bool) (in, out []string) {
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if !before[key] {
			in = append(in, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if !after[key] {
			out = append(out, key)
		}
	}
	return in, out
}

// setOrNot puts a value where there is one.
func setOrNot(o object, name, value string) {
	if value != "" {
		o[name] = value
	}
}
