package patch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"usherd/scim/schema"
)

// maxValues is how many values one attribute of a resource may have. Members are none: they are in no list here.
const maxValues = 500

// values is the list of an attribute while an operation works on it. All attributes with several values that can
// be changed are complex.
type values struct {
	attr *schema.Attribute
	list []any
	set  map[int]bool // which of them the operation has made or changed
}

// editMulti does an operation on an attribute that has several values.
func (e *editor) editMulti(ed edit) *Error {
	home := e.home(ed.Attr)
	list, _ := home[ed.Attr.Name].([]any)
	v := &values{attr: ed.Attr, list: list, set: map[int]bool{}}
	e.touched[ed.Attr] = true
	if err := e.editValues(v, ed); err != nil {
		return err
	}
	if err := v.settle(); err != nil {
		return err
	}
	if home[ed.Attr.Name] = v.list; len(v.list) == 0 {
		delete(home, ed.Attr.Name)
	}
	return nil
}

func (e *editor) editValues(v *values, ed edit) *Error {
	switch {
	case ed.Where != nil || ed.Sub != nil:
		return e.editChosen(v, ed)
	case ed.kind == Remove && ed.listed():
		return e.removeListed(v, ed.value)
	case ed.kind == Remove || ed.value == nil:
		v.list = nil
		return nil
	}
	given, err := e.elements(ed.Attr, ed.value)
	if err != nil {
		return err
	}
	if ed.kind == Replace {
		v.replace(given)
		return nil
	}
	return v.add(given)
}

// replace makes what is given the whole list, as POST and PUT do: two addresses of one type are two.
func (v *values) replace(given []any) {
	v.list = given
	for i := range given {
		v.set[i] = true
	}
}

// elements returns checked copies of the values of a list.
func (e *editor) elements(a *schema.Attribute, value any) ([]any, *Error) {
	list, _ := value.([]any)
	if len(list) > maxValues {
		return nil, refusef(InvalidValue, "%d values of %s are more than the %d there may be", len(list), a.Path(), maxValues)
	}
	for _, v := range list {
		if object, ok := v.(map[string]any); ok {
			if err := e.known(a, object); err != nil {
				return nil, err
			}
		}
	}
	checked, err := e.checked(a, value)
	if err != nil {
		return nil, err
	}
	list, _ = checked.([]any)
	return list, nil
}

// element returns a checked copy of one value.
func (e *editor) element(a *schema.Attribute, value any) (map[string]any, *Error) {
	if _, ok := value.(map[string]any); !ok {
		return nil, refuse(InvalidValue, "the value has to be an object: the path means values of "+a.Path())
	}
	list, err := e.elements(a, []any{value})
	if err != nil {
		return nil, err
	}
	return list[0].(map[string]any), nil
}

// add appends what is not there yet, and merges into what is.
func (v *values) add(given []any) *Error {
	at := v.index()
	for _, g := range given {
		object, _ := g.(map[string]any)
		i, found := at[v.key(object, true)]
		if _, typed := object["type"]; !found && !typed && object["value"] != nil {
			i, found = at[v.key(object, false)]
		}
		if !found {
			i = len(v.list)
			v.list = append(v.list, map[string]any{})
			v.enter(at, object, i)
		}
		into, _ := v.list[i].(map[string]any)
		maps.Copy(into, object)
		v.set[i] = true
	}
	return nil
}

// index finds values by type and value, and by value alone.
func (v *values) index() map[string]int {
	at := make(map[string]int, 2*len(v.list))
	for i, g := range v.list {
		object, _ := g.(map[string]any)
		v.enter(at, object, i)
	}
	return at
}

func (v *values) enter(at map[string]int, object map[string]any, i int) {
	for _, typed := range []bool{true, false} {
		if k := v.key(object, typed); k != "" {
			if _, taken := at[k]; !taken {
				at[k] = i
			}
		}
	}
}

// key is what two values have in common that are one: type and value, the case of which counts as the schema says.
// What has neither is one with its equal only.
func (v *values) key(object map[string]any, typed bool) string {
	kind, value := object["type"], object["value"]
	switch {
	case kind == nil && value == nil && typed:
		return "=" + canonical(object)
	case !typed:
		return "v" + v.folded("value", value)
	}
	return "t" + v.folded("type", kind) + "\x00" + v.folded("value", value)
}

func (v *values) folded(sub string, value any) string {
	s, _ := value.(string)
	if a := v.attr.Child(sub); a == nil || !a.CaseExact {
		s = strings.ToLower(s)
	}
	return s
}

// canonical writes an object so that equal ones are equal texts: fmt sorts the keys of maps.
func canonical(object map[string]any) string { return fmt.Sprintf("%q", object) }

// editChosen does an operation on the values that the filter of its path finds, or on all, and where it names a
// sub-attribute on that of them.
func (e *editor) editChosen(v *values, ed edit) *Error {
	chosen, err := e.choose(v, ed)
	if err != nil {
		return err
	}
	switch {
	case len(chosen) == 0 && ed.kind != Remove && (ed.Where == nil || e.rules.BuildElement):
		return e.build(v, ed)
	case len(chosen) == 0 && (ed.Where == nil || ed.kind == Remove && e.rules.MissingIsGone):
		e.note(NothingMatched, ed.Name())
		return nil
	case len(chosen) == 0 && ed.kind == Remove:
		return refuse(NoTarget, "no value matches the filter of the path: there is nothing to remove")
	case len(chosen) == 0:
		return refuse(NoTarget, "no value matches the filter of the path: add the value first, without a filter")
	case ed.Sub == nil:
		return e.setWhole(v, ed, chosen)
	}
	return e.setSub(v, ed, chosen)
}

// choose returns the places of the values that an operation means.
func (e *editor) choose(v *values, ed edit) ([]int, *Error) {
	var chosen []int
	if ed.Where == nil {
		for i := range v.list {
			chosen = append(chosen, i)
		}
		return chosen, nil
	}
	f, err := ed.compile(e.t)
	if err != nil {
		return nil, err
	}
	one := make([]any, 1)
	alone := map[string]any{v.attr.Name: one} // a resource with nothing but the one value
	if v.attr.Extension() {
		alone = map[string]any{v.attr.Schema: alone}
	}
	for i, value := range v.list {
		if one[0] = value; f.Match(alone) {
			chosen = append(chosen, i)
		}
	}
	return chosen, nil
}

// build makes the value that a filter describes and did not find.
func (e *editor) build(v *values, ed edit) *Error {
	if ed.value == nil { // there is nothing to unassign
		e.note(NothingMatched, ed.Name())
		return nil
	}
	object := map[string]any{}
	if ed.Where != nil {
		terms, ok := ed.terms()
		if !ok {
			return refuse(NoTarget, `no value matches the filter of the path, and none can be made from it: add the value without a filter, or use comparisons with eq joined by "and"`)
		}
		object = terms
		e.note(ElementBuilt, ed.Name())
	}
	given, ok := ed.value.(map[string]any)
	switch {
	case ed.Sub != nil:
		object[ed.Sub.Name] = ed.value
	case !ok:
		return refuse(InvalidValue, "the value has to be an object: the path means values of "+ed.Attr.Path())
	default:
		for key, value := range given {
			if s := ed.Attr.Child(key); s != nil {
				key = s.Name
			}
			object[key] = value
		}
	}
	element, err := e.element(ed.Attr, object)
	if err == nil {
		v.set[len(v.list)] = true
		v.list = append(v.list, element)
	}
	return err
}

// setWhole adds to the chosen values, replaces or removes them.
func (e *editor) setWhole(v *values, ed edit, chosen []int) *Error {
	if ed.kind == Remove || ed.value == nil {
		v.drop(chosen)
		return nil
	}
	for _, i := range chosen {
		element, err := e.element(ed.Attr, ed.value) // a copy for each
		if err != nil {
			return err
		}
		if ed.kind == Add {
			old, _ := v.list[i].(map[string]any)
			given, _ := ed.value.(map[string]any)
			for name, value := range old {
				if _, has := element[name]; !has && !isNull(given, name) {
					element[name] = value
				}
			}
		}
		v.list[i], v.set[i] = element, true
	}
	return nil
}

func isNull(object map[string]any, name string) bool {
	for key, value := range object {
		if value == nil && strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// setSub sets or removes one sub-attribute of the chosen values.
func (e *editor) setSub(v *values, ed edit, chosen []int) *Error {
	var value any
	if ed.kind != Remove && ed.value != nil {
		element, err := e.element(ed.Attr, map[string]any{ed.Sub.Name: ed.value})
		if err != nil {
			return err
		}
		value = element[ed.Sub.Name]
	}
	for _, i := range chosen {
		object, _ := v.list[i].(map[string]any)
		v.set[i] = true
		if value != nil {
			object[ed.Sub.Name] = value
		} else {
			delete(object, ed.Sub.Name)
		}
	}
	if value == nil {
		v.drop(slices.DeleteFunc(chosen, func(i int) bool { return !saysNothing(v.list[i]) }))
	}
	return nil
}

// saysNothing reports whether a value has lost what it was there for, and only labels are left.
func saysNothing(value any) bool {
	object, _ := value.(map[string]any)
	for name := range object {
		if name != "type" && name != "primary" && name != "display" && name != "$ref" {
			return false
		}
	}
	return true
}

// removeListed removes the values that the operation listed: those of the same type and value, as far as it says.
func (e *editor) removeListed(v *values, value any) *Error {
	e.note(ListedRemoved, v.attr.Path())
	given, err := e.elements(v.attr, value)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, g := range given {
		object, _ := g.(map[string]any)
		_, typed := object["type"]
		if key := v.key(object, typed || object["value"] == nil); key != "" {
			listed[key] = true
		}
	}
	var gone []int
	for i, have := range v.list {
		object, _ := have.(map[string]any)
		if listed[v.key(object, true)] || object["value"] != nil && listed[v.key(object, false)] {
			gone = append(gone, i)
		}
	}
	v.drop(gone)
	return nil
}

// drop removes the values at these places, which ascend.
func (v *values) drop(places []int) {
	kept, set := v.list[:0], map[int]bool{}
	for i, value := range v.list {
		if len(places) > 0 && places[0] == i {
			places = places[1:]
			continue
		}
		if v.set[i] {
			set[len(kept)] = true
		}
		kept = append(kept, value)
	}
	v.list, v.set = kept, set
}

// settle makes what the operation set to primary the only primary value, and equal values one.
func (v *values) settle() *Error {
	if len(v.list) > maxValues {
		return refusef(InvalidValue, "%s would have more than %d values", v.attr.Path(), maxValues)
	}
	if len(v.set) > 1 {
		v.unite()
	}
	var primary []int
	for i := range v.set {
		if object, _ := v.list[i].(map[string]any); object["primary"] == true {
			primary = append(primary, i)
		}
	}
	if len(primary) > 1 {
		return refusef(InvalidValue, "%s would have %d primary values: make one of them primary", v.attr.Path(), len(primary))
	}
	for i, value := range v.list {
		object, _ := value.(map[string]any)
		if len(primary) == 1 && i != primary[0] && object["primary"] == true {
			object["primary"] = false
		}
	}
	return nil
}

// unite keeps the first of equal values that the operation has made.
func (v *values) unite() {
	seen := map[string]bool{}
	var again []int
	for _, i := range slices.Sorted(maps.Keys(v.set)) {
		object, _ := v.list[i].(map[string]any)
		key := canonical(object)
		if seen[key] {
			again = append(again, i)
		}
		seen[key] = true
	}
	v.drop(again)
}
