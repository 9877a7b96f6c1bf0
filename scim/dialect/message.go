package dialect

import (
	"maps"
	"slices"
	"strings"

	"usherd/scim/filter"
	"usherd/scim/patch"
)

// message normalises the message of a PATCH.
func (n *normaliser) message(body map[string]any) map[string]any {
	out := n.named(body, "schemas", "Operations")
	if list := texts(out["schemas"]); !n.p.Strict {
		switch {
		case len(list) == 0:
			n.quirk(schemasMissing, "schemas")
		case !slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, patch.MessageURN) }):
			n.quirk(schemasUnknown, "schemas")
		}
		out["schemas"] = []any{patch.MessageURN}
	}
	if list, ok := out["Operations"].([]any); ok {
		ops := make([]any, len(list))
		for i, v := range list {
			ops[i] = v
			if op, ok := v.(map[string]any); ok && i < patch.MaxOperations {
				n.op = i
				ops[i] = n.operation(op)
			}
		}
		out["Operations"] = ops
	}
	return out
}

// named copies the parts of a message that are known, in canonical spelling.
func (n *normaliser) named(object map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, key) })
		if i < 0 {
			n.quirk(messagePart, key)
			continue
		}
		if names[i] != key {
			n.quirk(nameCase, names[i])
		}
		if _, has := out[names[i]]; has {
			n.twice(names[i])
		}
		out[names[i]] = object[key]
	}
	return out
}

// operation normalises one operation.
func (n *normaliser) operation(object map[string]any) map[string]any {
	op := n.named(object, "op", "path", "value")
	if name, ok := op["op"].(string); ok && name != strings.ToLower(name) {
		n.quirk(opCase, "")
		op["op"] = strings.ToLower(name)
	}
	path, isText := op["path"].(string)
	switch {
	case op["path"] == nil:
		delete(op, "path")
	case isText && path == "" && !n.p.Strict:
		n.quirk(emptyPath, "")
		delete(op, "path")
	case !isText:
		return op
	}
	value, hasValue := op["value"]
	if _, hasPath := op["path"]; !hasPath {
		if attributes, ok := value.(map[string]any); ok {
			op["value"] = n.attributes("", attributes)
		}
		return op
	}
	f, ok := n.find(path)
	if !ok {
		return op
	}
	n.count(f)
	op["path"] = n.path(f, path)
	if hasValue {
		op["value"] = n.target(f.Target, value)
	} else {
		n.memberByPath(op, f.Target)
	}
	return op
}

// memberByPath turns the addition of members[value eq "x"] without a value into that of the member x.
func (n *normaliser) memberByPath(op map[string]any, tg patch.Target) {
	if op["op"] != patch.Add || tg.Attr == nil || tg.Attr.Name != members || tg.Sub != nil || n.p.Strict {
		return
	}
	if ids := patch.NamedMembers(tg.Where); len(ids) > 0 {
		n.quirk(memberByPath, members)
		list := make([]any, len(ids))
		for i, id := range ids {
			list[i] = map[string]any{"value": id}
		}
		op["path"], op["value"] = members, list
	}
}

// path returns a path in canonical spelling, values in its filter being of the right type. One that is too long then
// stays as it was sent.
func (n *normaliser) path(f found, sent string) string {
	tg := f.Target
	if n.p.Strict {
		if tg.Where != nil {
			return sent
		}
		return tg.String()
	}
	if tg.Where != nil {
		l := literals{n: n, t: n.t}
		tg.Where = l.within(tg.Attr, tg.Where)
	}
	to := tg.String()
	if _, err := filter.ParsePath(to); err != nil {
		return sent
	}
	return to
}
