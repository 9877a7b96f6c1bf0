package dialect

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

// Normalise brings the body of a POST, PUT or PATCH into the form of the RFCs, whatever dialect it is in: names in
// canonical spelling, values of the right type, attributes of extensions in their objects. What it cannot make sense of
// stays, for schema.Type.Validate, patch.Put or patch.Apply to refuse; so does null, which means something. The quirks are
// each id and place once.
//
// For a strict profile it only spells names as the schema does. The error, a *patch.Error, says that the body names
// one attribute twice, or, for a strict profile, that its schemas or an attribute are unknown.
//
// The body is not changed; parts of it may be parts of what is returned.
func Normalise(p Profile, t *schema.Type, method string, body map[string]any) (map[string]any, []Quirk, error) {
	n := normaliser{p: p, t: t, patch: method == http.MethodPatch, op: -1}
	var out map[string]any
	if n.patch {
		out = n.message(body)
	} else {
		out = n.resource(body)
	}
	if n.err != nil {
		return nil, nil, n.err
	}
	return out, n.quirks, nil
}

// normaliser is one call of Normalise.
type normaliser struct {
	p      Profile
	t      *schema.Type
	patch  bool // the body is a message with operations
	op     int  // which of them; -1 before the first
	quirks patch.Quirks
	err    *patch.Error // the first
}

// quirk counts one. A strict profile has none: what is done for it is the RFC's.
func (n *normaliser) quirk(id, where string) {
	if !n.p.Strict {
		n.quirks.Add(id, Text(id), where)
	}
}

func (n *normaliser) refuse(where, detail string) {
	if n.err != nil {
		return
	}
	where = patch.Shown(where)
	n.err = &patch.Error{Status: http.StatusBadRequest, ScimType: patch.InvalidSyntax, Op: -1, Detail: where + " " + detail}
	if n.op >= 0 {
		n.err.Op, n.err.Path, n.err.Detail = n.op, where, detail
	}
}

func (n *normaliser) twice(where string) {
	n.refuse(where, "is given twice, in two spellings: send it once")
}

// resource normalises the body of a POST or PUT.
func (n *normaliser) resource(body map[string]any) map[string]any {
	out := map[string]any{}
	var schemas any
	for _, key := range slices.Sorted(maps.Keys(body)) {
		if strings.EqualFold(key, "schemas") {
			schemas = body[key]
			continue
		}
		n.put(out, key, key, body[key])
	}
	n.schemas(out, schemas)
	return out
}

// put enters one key of a body, which may be that of an extension or of a part of an attribute.
func (n *normaliser) put(out map[string]any, key, name string, value any) {
	f, ok := n.find(name)
	tg := f.Target
	switch {
	case !ok || tg.Where != nil || tg.Sub != nil && tg.Attr.Multi || n.p.Strict && (tg.Sub != nil || tg.URN == n.t.Core.ID):
		n.unknown(name)
	case tg.Attr == nil:
		n.count(f)
		n.putAll(out, tg.URN, value)
	case tg.Attr.Mutability == schema.ReadOnly: // id, meta, groups: clients send back what they got
	default:
		if key == name && (tg.Attr.Extension() || tg.Sub != nil || strings.ContainsRune(name, ':')) {
			if n.p.Strict {
				n.unknown(name)
				return
			}
			n.quirk(flatKey, tg.Name())
		}
		n.count(f)
		n.enter(out, tg, value)
	}
}

// putAll enters the object of an extension, or of the core schema, where that has one.
func (n *normaliser) putAll(out map[string]any, urn string, value any) {
	object, ok := value.(map[string]any)
	switch {
	case value == nil:
		return
	case !ok:
		n.refuse(urn, "has to be an object")
		return
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		n.put(out, key, urn+":"+key, object[key])
	}
}

func (n *normaliser) unknown(name string) {
	if n.p.Strict {
		n.refuse(name, "is not in the schema: see /Schemas for what is")
		return
	}
	name, _, _ = strings.Cut(name, "[")
	n.quirk(patch.UnknownAttribute, name)
}

// enter puts a value to its place.
func (n *normaliser) enter(out map[string]any, tg patch.Target, value any) {
	a, home := tg.Attr, out
	if a.Extension() {
		object, ok := out[a.Schema].(map[string]any)
		if !ok {
			object = map[string]any{}
			out[a.Schema] = object
		}
		home = object
	}
	if tg.Sub != nil {
		value = map[string]any{tg.Sub.Name: value}
	}
	value = n.value(a, value)
	old, has := home[a.Name]
	if !has {
		home[a.Name] = value
		return
	}
	both, ok := old.(map[string]any)
	given, also := value.(map[string]any)
	if !ok || !also {
		n.twice(a.Path())
		return
	}
	both = maps.Clone(both) // it may be a part of the body
	for name, v := range given {
		if _, has := both[name]; has {
			n.twice(a.Path() + "." + name)
		}
		both[name] = v
	}
	home[a.Name] = both
}

// schemas sets schemas to the core schema and the extensions that are there.
func (n *normaliser) schemas(out map[string]any, sent any) {
	if n.p.Strict {
		n.strictSchemas(out, sent)
		return
	}
	if list := texts(sent); len(list) == 0 {
		n.quirk(schemasMissing, "schemas")
	} else {
		for _, urn := range list {
			if _, ok := n.t.URN(urn); ok {
				continue
			}
			if _, _, ok := modern(n.t, urn); ok {
				n.quirk(schemasLegacy, "schemas")
			} else {
				n.quirk(schemasUnknown, "schemas")
			}
		}
	}
	schemas := []any{n.t.Core.ID}
	for _, e := range n.t.Extensions {
		if _, ok := out[e.ID]; ok {
			schemas = append(schemas, e.ID)
		}
	}
	out["schemas"] = schemas
}

// strictSchemas asks for the core schema, and for none that is not of the type.
func (n *normaliser) strictSchemas(out map[string]any, sent any) {
	var schemas []any
	core := false
	for _, urn := range texts(sent) {
		id, ok := n.t.URN(urn)
		if !ok {
			n.refuse("schemas", "names one that is not of this resource: see /ResourceTypes for which are")
		}
		core = core || id == n.t.Core.ID
		schemas = append(schemas, id)
	}
	if !core {
		n.refuse("schemas", "has to name "+n.t.Core.ID)
	}
	out["schemas"] = schemas
}
