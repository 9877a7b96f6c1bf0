package patch

import (
	"maps"
	"slices"
	"strings"

	"usherd/scim/schema"
)

// editSingle does an operation on an attribute that has one value.
func (e *editor) editSingle(ed edit) *Error {
	if ed.Where != nil {
		if found, err := e.matches(ed); err != nil || !found {
			return err
		}
	}
	a, home := ed.Attr, e.home(ed.Attr)
	switch {
	case ed.kind == Remove || ed.value == nil:
		unassign(home, a, ed.Sub)
		return nil
	case a.Kind == schema.Complex:
		return e.merge(home, ed)
	}
	v, err := e.checked(a, ed.value)
	if err == nil {
		home[a.Name] = v
	}
	return err
}

// matches tests the filter of a path on an attribute that has one value, as in manager[value eq "x"], which Entra
// sends. Where it does not match, only a removal has a meaning: there is nothing to remove.
func (e *editor) matches(ed edit) (bool, *Error) {
	if !e.rules.FilterSingle || ed.Attr.Kind != schema.Complex {
		return false, refuse(InvalidPath, "the attribute has one value, so its path has no filter: leave out the brackets")
	}
	f, err := ed.compile(e.t)
	if err != nil {
		return false, err
	}
	switch {
	case f.Match(e.res):
		return true, nil
	case ed.kind == Remove && e.rules.MissingIsGone:
		e.note(NothingMatched, ed.Name())
		return false, nil
	}
	return false, refuse(NoTarget, "the value does not match the filter of the path: leave out the filter")
}

// unassign takes away a value or a part of it, and what is left of the value if it follows from that part.
func unassign(home map[string]any, a, sub *schema.Attribute) {
	object, ok := home[a.Name].(map[string]any)
	if sub == nil {
		delete(home, a.Name)
	} else if ok {
		delete(object, sub.Name)
		prune(home, a, object)
	}
}

// prune removes a value of which nothing is left but what follows from other parts of it.
func prune(home map[string]any, a *schema.Attribute, object map[string]any) {
	for name := range object {
		if s := a.Child(name); s == nil || !derived(s) {
			return
		}
	}
	delete(home, a.Name)
}

// merge sets sub-attributes of a complex value; those that are not named stay.
func (e *editor) merge(home map[string]any, ed edit) *Error {
	a := ed.Attr
	given, ok := ed.value.(map[string]any)
	if ed.Sub != nil {
		given, ok = map[string]any{ed.Sub.Name: ed.value}, true
	}
	if !ok {
		return refuse(InvalidValue, a.Path()+" has to be an object")
	}
	if err := e.known(a, given); err != nil {
		return err
	}
	v, err := e.checked(a, given)
	if err != nil {
		return err
	}
	object, _ := home[a.Name].(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	valid, _ := v.(map[string]any)
	if value, ok := valid["value"]; ok && value != object["value"] {
		maps.DeleteFunc(object, func(name string, _ any) bool { s := a.Child(name); return s == nil || derived(s) })
	}
	for _, s := range a.Sub {
		value, ok := valid[s.Name]
		if text, is := value.(string); is && s.Required && strings.TrimSpace(text) == "" {
			return refuse(InvalidValue, s.Path()+" is required and cannot be empty")
		}
		if ok {
			object[s.Name] = value
		}
	}
	home[a.Name] = object
	prune(home, a, object)
	return e.clear(home, a, given)
}

// clear unassigns the sub-attributes of a complex value that are given as null.
func (e *editor) clear(home map[string]any, a *schema.Attribute, given map[string]any) *Error {
	nulls := slices.DeleteFunc(slices.Clone(a.Sub), func(s *schema.Attribute) bool {
		for key, value := range given {
			if value == nil && strings.EqualFold(key, s.Name) {
				return s.Mutability == schema.ReadOnly
			}
		}
		return true
	})
	for _, s := range nulls {
		if s.Required {
			return refuse(InvalidValue, s.Path()+" is required and cannot be null")
		}
		unassign(home, a, s)
	}
	return nil
}
