package patch

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"usherd/scim/schema"
)

// copyResource copies all but the members.
func copyResource(resource map[string]any) map[string]any {
	c := make(map[string]any, len(resource))
	for k, v := range resource {
		if k != members {
			c[k] = copyValue(v)
		}
	}
	return c
}

func copyValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = copyValue(e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = copyValue(e)
		}
		return c
	}
	return v
}

// sameResource compares all but the members and schemas, which follow from the rest.
func sameResource(a, b map[string]any) bool {
	count := func(m map[string]any) int {
		n := len(m)
		for _, name := range []string{members, "schemas"} {
			if _, has := m[name]; has {
				n--
			}
		}
		return n
	}
	for key, value := range a {
		if other, has := b[key]; key != members && key != "schemas" && (!has || !reflect.DeepEqual(value, other)) {
			return false
		}
	}
	return count(a) == count(b)
}

// home returns the object in which an attribute stands: the resource, or that of its extension, which is made
// if it is not there.
func (e *editor) home(a *schema.Attribute) map[string]any {
	if !a.Extension() {
		return e.res
	}
	object, ok := e.res[a.Schema].(map[string]any)
	if !ok {
		object = map[string]any{}
		e.res[a.Schema] = object
	}
	return object
}

// checked returns a copy of a value of an attribute in the form in which it is stored, or says what is wrong with
// it. Sub-attributes that are null, read-only or unknown are left out.
func (e *editor) checked(a *schema.Attribute, value any) (any, *Error) {
	if a.Schema == "" { // externalId is the only common attribute that may be set
		if _, ok := value.(string); !ok {
			return nil, refuse(InvalidValue, a.Name+" has to be text")
		}
		return value, nil
	}
	if s, ok := value.(string); ok && a.Required && strings.TrimSpace(s) == "" {
		return nil, refuse(InvalidValue, a.Path()+" is required and cannot be empty")
	}
	doc := map[string]any{a.Name: value}
	if a.Extension() {
		doc = map[string]any{a.Schema: doc}
	}
	valid, err := e.t.Validate(doc)
	if err != nil {
		if invalid, ok := errors.AsType[*schema.Invalid](err); ok {
			return nil, refuse(InvalidValue, invalid.Error())
		}
		return nil, refuse(InvalidValue, err.Error())
	}
	if a.Extension() {
		valid, _ = valid[a.Schema].(map[string]any)
	}
	return valid[a.Name], nil
}

// known says what becomes of what stands in an object and is not in the schema, or is read-only.
func (e *editor) known(a *schema.Attribute, object map[string]any) *Error {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		switch s := a.Child(key); {
		case s == nil:
			if err := e.unresolved(a.Path()+"."+key, ErrUnknown); err != nil {
				e.path = a.Path() + "." + key
				return err
			}
		case s.Mutability == schema.ReadOnly:
			e.note(ReadOnlyIgnored, s.Path())
		}
	}
	return nil
}
