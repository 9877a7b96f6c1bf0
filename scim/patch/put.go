package patch

import (
	"errors"
	"maps"
	"slices"

	"usherd/scim/schema"
)

// Put makes of a resource what a client sent to replace it with (RFC 7644 section 3.5.1), or of nothing what it sent to
// create one with (section 3.3): then current is nil. The body is as the normaliser left it. The error is an *Error.
//
// What is read-only stays as it is. What the body leaves out, or has as null or [], is unassigned, except that these stay:
//
//	active		left out or null; it is true in a new resource
//	externalId	left out; null unassigns it
//	password	is in no resource here; what is sent is in the result, for the caller to look at and forget
//	members		left out as the rules say, null always; [] empties the group
//
// That another source owns an attribute is not known here: the result is what the client wants.
func Put(t *schema.Type, current, body map[string]any, r Rules) (*Result, error) {
	e := newEditor(t, r)
	e.op, e.path = -1, members
	rest := body
	if t.Name == "Group" { // members are not checked one by one: they become edits
		rest = maps.Clone(body)
		delete(rest, members)
	}
	valid, err := t.Validate(rest)
	if err != nil {
		if invalid, ok := errors.AsType[*schema.Invalid](err); ok {
			return nil, refuse(InvalidValue, invalid.Error())
		}
		return nil, refuse(InvalidValue, err.Error())
	}
	e.res = valid
	for _, a := range t.Core.Attributes {
		if a.Multi {
			e.touched[a] = true
		}
	}
	e.nameAll("", body)
	e.keep(current, body)
	if err := e.putMembers(current, body); err != nil {
		err.Path = members
		return nil, err
	}
	return e.result(current), nil
}

// nameAll enters what a PUT says, of the core schema or of an extension.
func (e *editor) nameAll(urn string, object map[string]any) {
	for key, value := range object {
		a, ok := e.t.Find(urn, key)
		switch {
		case !ok:
			if extension, is := value.(map[string]any); is && urn == "" {
				e.nameAll(key, extension)
			}
		case a.Mutability != schema.ReadOnly && (value != nil || a.Name != "active") && a.Name != members:
			e.named[a.Path()] = true
		}
	}
}

// keep takes over from the resource as it is what a PUT does not unassign.
func (e *editor) keep(current, body map[string]any) {
	for _, a := range append(slices.Clone(e.t.Common), e.t.Core.Attributes...) {
		value, has := current[a.Name]
		_, sent := body[a.Name]
		if has && (a.Mutability == schema.ReadOnly || a.Name == "externalId" && !sent || a.Name == "active" && body[a.Name] == nil) {
			e.res[a.Name] = copyValue(value)
		}
	}
	if _, ok := e.t.Find("", "active"); ok && e.res["active"] == nil {
		e.res["active"] = true
	}
	if active, sent := body["active"]; sent && active == nil {
		e.note(ActiveNull, "active")
	}
	for _, s := range e.t.Extensions {
		object, _ := current[s.ID].(map[string]any)
		for _, a := range s.Attributes {
			e.keepDerived(a, object)
		}
	}
}

// keepDerived takes over what is read-only of an extension, and below an attribute whose value is the same what
// follows from it.
func (e *editor) keepDerived(a *schema.Attribute, object map[string]any) {
	old, has := object[a.Name]
	if has && a.Mutability == schema.ReadOnly {
		e.home(a)[a.Name] = copyValue(old)
		return
	}
	was, _ := old.(map[string]any)
	is, _ := e.home(a)[a.Name].(map[string]any)
	if is == nil || was["value"] != is["value"] {
		return
	}
	for _, s := range a.Sub {
		if value, has := was[s.Name]; has && derived(s) && is[s.Name] == nil {
			is[s.Name] = copyValue(value)
		}
	}
}

// derived reports whether a sub-attribute says something about the value beside it.
func derived(s *schema.Attribute) bool { return s.Mutability == schema.ReadOnly }

// putMembers makes an edit of the members in the body.
func (e *editor) putMembers(current, body map[string]any) *Error {
	if _, ok := e.t.Find("", members); !ok {
		return nil
	}
	value, sent := body[members]
	switch {
	case !sent:
		if current != nil && e.rules.PutClears {
			e.edited(MemberEdit{Kind: ClearMembers})
		}
		return nil
	case value == nil:
		e.note(MembersNull, members)
		return nil
	}
	kind := Replace
	if current == nil {
		kind = Add
	}
	return e.setMembers(edit{kind: kind, value: value})
}
