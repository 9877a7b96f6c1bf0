package dialect

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"usherd/scim/body"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

const members = "members"

// value normalises what is sent for an attribute.
func (n *normaliser) value(a *schema.Attribute, v any) any {
	if a.Multi {
		return n.list(a, v)
	}
	return n.single(a, v)
}

// list normalises the values of an attribute that has several.
func (n *normaliser) list(a *schema.Attribute, v any) any {
	switch v := v.(type) {
	case []any:
		return n.elements(a, v)
	case map[string]any:
		if !n.p.Strict {
			n.quirk(singleObject, a.Path())
			return []any{n.element(a, v)}
		}
	case string, json.Number:
		// What empty text would do to the members of a group is not guessed.
		switch {
		case n.p.Strict || v == "" && a.Name == members:
		case v == "":
			n.quirk(emptyText, a.Path())
			return nil
		default:
			return []any{n.element(a, v)}
		}
	}
	return v
}

// elements normalises each value of a list. A list of which nothing changes stays the same list: a group may have
// a hundred thousand members.
func (n *normaliser) elements(a *schema.Attribute, list []any) []any {
	out := list
	for i, v := range list {
		object, isObject := v.(map[string]any)
		if isObject && n.isPlain(a, object) {
			continue
		}
		if &out[0] == &list[0] {
			out = slices.Clone(list)
		}
		out[i] = n.element(a, v)
	}
	return out
}

// isPlain reports whether there is nothing to normalise in a value.
func (n *normaliser) isPlain(a *schema.Attribute, object map[string]any) bool {
	for key, v := range object {
		s, ok := v.(string)
		if !ok || s == "" || s[0] == '{' || key == "$ref" && a.Name == members {
			return false
		}
		i := slices.IndexFunc(a.Sub, func(s *schema.Attribute) bool { return s.Name == key })
		if i < 0 || a.Sub[i].Kind == schema.Boolean {
			return false
		}
	}
	return true
}

// element normalises one value of a list. What is null in it is not there.
func (n *normaliser) element(a *schema.Attribute, v any) any {
	if _, isObject := v.(map[string]any); !isObject && !n.p.Strict {
		v = n.scalar(a, v)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	object = n.object(a, object)
	if n.p.Strict {
		return object
	}
	object = n.unpack(a, object)
	for _, s := range a.Sub {
		if v, has := object[s.Name]; has && v == nil && (a.Name != members || s.Name == "$ref") {
			if a.Name == members {
				n.quirk(memberReference, a.Path())
			}
			delete(object, s.Name)
		}
	}
	if ref, _ := object["$ref"].(string); a.Name == members && ref != "" && !strings.Contains(ref, "://") {
		n.quirk(memberReference, a.Path())
		delete(object, "$ref")
	}
	return object
}

// scalar makes an object of its value alone, where that is text or a number.
func (n *normaliser) scalar(a *schema.Attribute, v any) any {
	switch v.(type) {
	case string, json.Number:
		if a.Child("value") != nil {
			n.quirk(singleScalar, a.Path())
			return map[string]any{"value": v}
		}
	}
	return v
}

// object normalises an object of an attribute. What is returned is a new one.
func (n *normaliser) object(a *schema.Attribute, object map[string]any) map[string]any {
	out := make(map[string]any, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		s := a.Child(key)
		switch {
		case s == nil && n.patch: // patch.Apply says what becomes of it
			out[key] = object[key]
			continue
		case s == nil:
			n.unknown(a.Path() + "." + key)
			continue
		case s.Name != key:
			n.quirk(nameCase, s.Path())
		}
		if _, has := out[s.Name]; has {
			n.twice(s.Path())
		}
		out[s.Name] = n.single(s, object[key])
	}
	return out
}

// unpack replaces a value that is text with a JSON object in it by that object, as Entra sends roles.
func (n *normaliser) unpack(a *schema.Attribute, object map[string]any) map[string]any {
	for a.Name != members {
		text, _ := object["value"].(string)
		if !strings.HasPrefix(text, "{") {
			break
		}
		inner, err := body.Parse([]byte(text))
		if err != nil || body.Member(inner, "value") == nil {
			break
		}
		n.quirk(elementJSON, a.Path())
		inner = n.object(a, inner)
		for key, v := range object {
			if _, has := inner[key]; !has && key != "value" {
				inner[key] = v
			}
		}
		object = inner
	}
	return object
}

// single normalises one value.
func (n *normaliser) single(a *schema.Attribute, v any) any {
	if n.p.Strict {
		if object, ok := v.(map[string]any); ok && a.Kind == schema.Complex {
			return n.object(a, object)
		}
		return v
	}
	if !a.Multi {
		v = n.alone(a, v)
	}
	if v == "" && n.mayBeEmpty(a) {
		n.quirk(emptyText, a.Path())
		return nil
	}
	switch a.Kind {
	case schema.Boolean:
		return n.boolean(a, v)
	case schema.Complex:
		return n.complex(a, v)
	case schema.String:
		if number, ok := v.(json.Number); ok {
			n.quirk(numberText, a.Path())
			return number.String()
		}
	case schema.Decimal, schema.Integer, schema.DateTime, schema.Binary, schema.Reference:
	}
	return v
}

// alone takes one value out of the list around it.
func (n *normaliser) alone(a *schema.Attribute, v any) any {
	for {
		list, ok := v.([]any)
		if !ok || len(list) != 1 {
			return v
		}
		n.quirk(oneElementList, a.Path())
		v = list[0]
	}
}

// mayBeEmpty reports whether empty text for an attribute means that it has no value. For active it means nothing, which
// is what null does there. The name of somebody, and who is a member, are not taken away by an empty field.
func (n *normaliser) mayBeEmpty(a *schema.Attribute) bool {
	if p := a.Parent; p != nil && p.Multi {
		return p.Name != members
	}
	return !a.Required || a.Name == "active"
}

func (n *normaliser) boolean(a *schema.Attribute, v any) any {
	b, ok := asBoolean(v)
	if ok {
		n.quirk(booleanText, a.Path())
		return b
	}
	return v
}

// asBoolean reads true or false as text in any case.
func asBoolean(v any) (value, ok bool) {
	s, _ := v.(string)
	return strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
}

// complex normalises an attribute that is one object, as manager is.
func (n *normaliser) complex(a *schema.Attribute, v any) any {
	object, ok := n.scalar(a, v).(map[string]any)
	if !ok {
		return v
	}
	object = n.object(a, object)
	if value, has := object["value"]; has && value == nil && a.Child("value") != nil {
		n.quirk(valueEmpty, a.Path())
		return nil
	}
	return object
}

// attributes normalises the value of an operation without path. An attribute that the service provider sets is left out,
// as clients send back what they got.
func (n *normaliser) attributes(urn string, object map[string]any) map[string]any {
	out := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		name := key
		if urn != "" {
			name = urn + ":" + key
		}
		f, ok := n.find(name)
		tg := f.Target
		switch {
		case !ok:
			out[key] = object[key] // patch.Apply says what becomes of it
			continue
		case tg.Attr != nil && tg.Attr.Mutability == schema.ReadOnly && !tg.Attr.Extension() && !n.p.Strict:
			n.quirk(serverKeys, tg.Attr.Name)
			continue
		}
		n.count(f)
		to := n.path(f, name)
		if urn != "" {
			to = strings.TrimPrefix(to, urn+":")
		}
		if _, has := out[to]; has {
			n.twice(to)
		}
		out[to] = n.target(tg, object[key])
	}
	return out
}

// target normalises a value for what a path means.
func (n *normaliser) target(tg patch.Target, v any) any {
	switch {
	case tg.Attr == nil:
		if object, ok := v.(map[string]any); ok {
			return n.attributes(tg.URN, object)
		}
		return v
	case tg.Sub != nil:
		return n.single(tg.Sub, v)
	case tg.Where != nil:
		if n.p.Strict {
			return n.element(tg.Attr, v)
		}
		v = n.alone(tg.Attr, v)
		if object, ok := v.(map[string]any); ok {
			return n.object(tg.Attr, object) // null in it unassigns
		}
		return n.element(tg.Attr, v)
	}
	return n.value(tg.Attr, v)
}
