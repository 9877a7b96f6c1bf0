package ldaptest

import (
	"slices"
	"strings"
)

// Attributes such as manager hold the DNs of other entries. An Active Directory keeps references to those: it
// shows the names that they have now, and nothing when they were deleted, without any change of the entry that
// has the attribute. The other kinds keep the text.

// reference reports whether the values of a stored attribute are references.
func (t *tree) reference(id uint16) bool {
	return t.kind == ActiveDirectory && t.schema.attrs[id].syntax == dnSyntax && t.schema.attrs[id].virtual == nil
}

// named writes the DNs of entries that exist as the server does.
func (t *tree) named(id uint16, values []string) []string {
	if len(values) == 0 || !t.reference(id) {
		return values
	}
	t.referring[id] = true
	values = slices.Clone(values)
	for i, v := range values {
		if e, _, err := t.find(v); err == nil && e != nil {
			values[i] = e.dn()
		}
	}
	return values
}

// renamed makes the references to an entry, and to those below it, follow it from one name to another; "" is
// that of a deleted one.
func (t *tree) renamed(from, to string) {
	for id := range t.referring {
		for _, e := range t.slots {
			if e == nil {
				continue
			}
			if set := e.blob.find(id); set != nil {
				if values, changed := follow(decodeSet(set), from, to); changed {
					e.blob = e.blob.with(id, encodeSet(values))
				}
			}
		}
	}
}

func follow(values []string, from, to string) (_ []string, changed bool) {
	for i, v := range values {
		if above, ok := strings.CutSuffix(v, from); ok && (above == "" || strings.HasSuffix(above, ",")) {
			values[i], changed = above+to, true
		}
	}
	return slices.DeleteFunc(values, func(v string) bool { return v == "" }), changed
}
