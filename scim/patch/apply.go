package patch

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"usherd/scim/schema"
)

// Result is what a request makes of a resource.
type Result struct {
	// Resource is the resource afterwards. It has no members, whatever came in.
	Resource map[string]any
	// Members is what becomes of the members of a group, in order.
	Members []MemberEdit
	// Changed is whether Resource is another one than before. Whether Members change anything only the store
	// can say.
	Changed bool
	// Named has the attributes that the request set or unassigned, by Attribute.Path, whether that changed
	// anything or not. What was ignored is not among them, nor is what a PUT left out, nor members.
	Named map[string]bool
	// Notes is what was ignored, or done in a way that ought to be known.
	Notes Quirks
}

// members is the one attribute that is never in a resource here.
const members = "members"

// Apply does all operations in order, each on the result of the one before, or none of them (RFC 7644 section
// 3.5.2). The resource is in the form in which it is served. It is not changed. The error is an *Error.
//
// The result has at most one primary value of each attribute, is valid as schema.Type.Validate has it if the resource
// was, and names in schemas the extensions that have data.
func Apply(t *schema.Type, resource map[string]any, ops []Op, r Rules) (*Result, error) {
	e := newEditor(t, r)
	e.res = copyResource(resource)
	if len(ops) == 0 {
		if !r.NoOperations {
			return nil, refuse(InvalidValue, "Operations is empty: send at least one")
		}
		e.note(NoOperations, "")
	}
	for i, op := range ops {
		e.op, e.path = i, op.Path
		if err := e.apply(op); err != nil {
			err.Op, err.Path = i, Shown(e.path)
			return nil, err
		}
	}
	return e.result(resource), nil
}

// editor is one call of Apply.
type editor struct {
	t       *schema.Type
	rules   Rules
	res     map[string]any
	members []MemberEdit
	notes   Quirks
	touched map[*schema.Attribute]bool // lists that an operation has worked on
	named   map[string]bool            // see Result
	edits   int                        // that have been done
	op      int
	path    string // of the operation, or the key of its value that is being done
}

func newEditor(t *schema.Type, r Rules) *editor {
	return &editor{t: t, rules: r, touched: map[*schema.Attribute]bool{}, named: map[string]bool{}}
}

// result tidies up and compares with what was there before.
func (e *editor) result(before map[string]any) *Result {
	e.tidy()
	return &Result{Resource: e.res, Members: e.members, Notes: e.notes, Named: e.named, Changed: !sameResource(before, e.res)}
}

func (e *editor) note(id, where string) { e.notes.Add(id, texts[id], where) }

func (e *editor) apply(op Op) *Error {
	if !op.HasPath {
		return e.pathless(op)
	}
	tg, err := Resolve(e.t, op.Path)
	if err != nil {
		return e.unresolved(op.Path, err)
	}
	if tg.URN == e.t.Core.ID && op.Op != Remove { // the core schema's URN alone is the resource itself
		return e.pathless(op)
	}
	return e.edit(edit{Target: tg, kind: op.Op, value: op.Value, has: op.HasValue, explicit: true})
}

// unresolved says what becomes of a path that names no attribute.
func (e *editor) unresolved(path string, err error) *Error {
	if !errors.Is(err, ErrUnknown) {
		return refuse(InvalidPath, err.Error())
	}
	if !e.rules.IgnoreUnknown {
		return refusef(InvalidPath, "%s: see /Schemas for those there are", ErrUnknown)
	}
	name, _, _ := strings.Cut(path, "[")
	e.note(UnknownAttribute, name)
	return nil
}

// edit is one operation on one attribute.
type edit struct {
	Target
	kind     string // Add, Remove or Replace
	value    any
	has      bool // value was sent
	explicit bool // the path was sent; else it is a key of a value, where what is read-only is passed over
}

// listed reports whether a removal says which values of a list it means. The RFC gives no meaning to the value of a
// removal; clients do.
func (ed edit) listed() bool {
	return ed.kind == Remove && ed.Attr.Multi && ed.Where == nil && ed.Sub == nil && ed.has && ed.value != nil
}

// pathless does an operation whose value is an object of attributes: each is an operation of its own.
func (e *editor) pathless(op Op) *Error {
	if op.Op == Remove {
		return refuse(NoTarget, "remove needs a path: say which attribute")
	}
	object, ok := op.Value.(map[string]any)
	if !ok {
		return refuse(InvalidValue, "without a path the value has to be an object of attributes")
	}
	edits, err := e.split(op.Op, "", object)
	if err != nil {
		return err
	}
	for _, ed := range edits {
		e.path = ed.String()
		if err := e.edit(ed); err != nil {
			return err
		}
	}
	return nil
}

// split makes an edit of each attribute of an object, which is that of an extension if there is a URN. They are
// in the order of their paths, so that what is done depends on nothing else: "emails" comes before
// "emails[…].value", and what is said in more detail counts.
func (e *editor) split(kind, urn string, object map[string]any) ([]edit, *Error) {
	var edits []edit
	for _, key := range slices.Sorted(maps.Keys(object)) {
		value := object[key]
		if urn != "" {
			if strings.EqualFold(key, "schemas") { // scim2-models repeats there which one it is
				continue
			}
			key = urn + ":" + key
		}
		tg, err := Resolve(e.t, key)
		if err != nil {
			if err := e.unresolved(key, err); err != nil {
				e.path = key
				return nil, err
			}
			continue
		}
		edits = append(edits, edit{Target: tg, kind: kind, value: value, has: true})
	}
	slices.SortFunc(edits, func(a, b edit) int { return strings.Compare(a.String(), b.String()) })
	for i := range edits[min(1, len(edits)):] {
		if edits[i].String() == edits[i+1].String() {
			e.path = edits[i].String()
			return nil, refuse(InvalidSyntax, "the value names the attribute twice, in two spellings: send it once")
		}
	}
	return edits, nil
}

// maxEdits is how many attributes all operations together may name.
const maxEdits = 10 * MaxOperations

// edit does one edit.
func (e *editor) edit(ed edit) *Error {
	if e.edits++; e.edits > maxEdits {
		err := refusef("", "the operations name more than %d attributes: send several requests", maxEdits)
		err.Status = http.StatusRequestEntityTooLarge
		return err
	}
	if ed.Attr == nil {
		return e.extension(ed)
	}
	if ed.Attr.Name == members && e.t.Name == "Group" {
		return e.editMembers(ed)
	}
	if ed.Attr.Mutability == schema.ReadOnly || ed.Sub != nil && ed.Sub.Mutability == schema.ReadOnly {
		return e.readOnly(ed)
	}
	if ed.kind != Remove && !ed.has {
		return refuse(InvalidValue, "a value is needed: to remove one, send remove")
	}
	if ed.kind != Remove && ed.value == nil && ed.Attr.Name == "active" && e.rules.IgnoreActiveNull {
		e.note(ActiveNull, ed.Attr.Path())
		return nil
	}
	if err := e.mayUnassign(ed); err != nil {
		return err
	}
	e.named[ed.Attr.Path()] = true
	if ed.Attr.Multi {
		return e.editMulti(ed)
	}
	return e.editSingle(ed)
}

func (e *editor) readOnly(ed edit) *Error {
	if ed.explicit {
		return refuse(Mutability, "the attribute is read-only: leave it out")
	}
	e.note(ReadOnlyIgnored, ed.Name())
	return nil
}

// mayUnassign refuses to take away what is required, unless it is of chosen values of a list: without it these
// are values no more.
func (e *editor) mayUnassign(ed edit) *Error {
	required := ed.Attr
	if ed.Sub != nil {
		required = ed.Sub
	}
	switch {
	case !required.Required || ed.Where != nil && ed.Attr.Multi || ed.listed():
		return nil
	case ed.kind == Remove:
		return refuse(Mutability, "the attribute is required and cannot be removed: replace it instead")
	case ed.kind != Remove && ed.value == nil:
		return refuse(InvalidValue, "the attribute is required and cannot be null: send a value")
	}
	return nil
}

// extension does an operation on the object of an extension as a whole. What is not named in it stays.
func (e *editor) extension(ed edit) *Error {
	urn := ed.URN
	if urn == e.t.Core.ID && (ed.kind == Remove || ed.value == nil) {
		return refuse(NoTarget, "the core schema cannot be removed: say which attribute")
	}
	if ed.kind != Remove {
		if !ed.has {
			return refuse(InvalidValue, "a value is needed: an object with the attributes of the extension")
		}
		if ed.value != nil {
			return e.extend(ed)
		}
	}
	s := e.t.Extensions[slices.IndexFunc(e.t.Extensions, func(s *schema.Schema) bool { return s.ID == urn })]
	for _, a := range s.Attributes {
		one := edit{Target: Target{Attr: a}, kind: Remove, explicit: ed.explicit}
		if err := e.edit(one); err != nil {
			return err
		}
	}
	return nil
}

func (e *editor) extend(ed edit) *Error {
	object, ok := ed.value.(map[string]any)
	if !ok {
		return refuse(InvalidValue, "the value has to be an object with the attributes of the extension")
	}
	edits, err := e.split(ed.kind, ed.URN, object)
	if err != nil {
		return err
	}
	for _, one := range edits {
		one.explicit = ed.explicit
		if err := e.edit(one); err != nil {
			return err
		}
	}
	return nil
}

// tidy leaves no value of a list that says nothing and no extension without data, and names in schemas those that
// there are. It comes last: a value may be made of several operations, in any order.
func (e *editor) tidy() {
	for a := range e.touched {
		home := e.home(a)
		list, _ := home[a.Name].([]any)
		kept := slices.DeleteFunc(list, saysNothing)
		if len(kept) < len(list) {
			e.note(EmptyElement, a.Path())
		}
		if home[a.Name] = kept; len(kept) == 0 {
			delete(home, a.Name)
		}
	}
	schemas := []any{e.t.Core.ID}
	for _, s := range e.t.Extensions {
		object, _ := e.res[s.ID].(map[string]any)
		if len(object) == 0 {
			delete(e.res, s.ID)
			continue
		}
		schemas = append(schemas, s.ID)
	}
	e.res["schemas"] = schemas
}
