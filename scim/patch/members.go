package patch

import (
	"net/http"
	"strings"

	fp "github.com/scim2/filter-parser/v2"

	"usherd/scim/filter"
	"usherd/scim/schema"
)

// MemberKind is what a MemberEdit does.
type MemberKind string

// The kinds.
const (
	AddMembers     MemberKind = "add"         // IDs become members; who is one stays
	RemoveMembers  MemberKind = "remove"      // IDs are members no more; who is none does not matter
	ReplaceMembers MemberKind = "replace"     // IDs are the members; never empty
	ClearMembers   MemberKind = "clear"       // there are no members
	RemoveWhere    MemberKind = "removeWhere" // those that Where finds are members no more
)

// MemberEdit is one change of the members of a group. Edits are done in order, all in one transaction.
type MemberEdit struct {
	Kind MemberKind
	IDs  []string // as they were sent, each once
	// Where tests one member at a time, as Match(map[string]any{"members": []any{member}}).
	Where *filter.Filter
	// MustMatch is whether the edit, and with it the whole request, is refused with NoTarget when none of IDs, or
	// nobody that Where finds, is a member by then: see NoTargetError.
	MustMatch bool
	Op        int    // index of the operation, for the text of a refusal; -1 of a PUT
	Path      string // its path
}

// NoTargetError is the refusal of an edit with MustMatch that matches nobody.
func (m MemberEdit) NoTargetError() *Error {
	return m.refuse(NoTarget, "the filter of the path matches no member: add the member first, without a filter")
}

// UnknownMemberError is the refusal of an edit of which an id is of no user or group, for Rules without SkipMembers.
func (m MemberEdit) UnknownMemberError() *Error {
	return m.refuse(InvalidValue, "a member is not known here: create it first, and send the id that the answer gave")
}

func (m MemberEdit) refuse(scimType, detail string) *Error {
	return &Error{Status: http.StatusBadRequest, ScimType: scimType, Op: m.Op, Path: Shown(m.Path), Detail: detail}
}

func (e *editor) edited(m MemberEdit) {
	m.Op, m.Path = e.op, e.path
	e.members = append(e.members, m)
}

// editMembers turns an operation on the members of a group into edits.
func (e *editor) editMembers(ed edit) *Error {
	switch {
	case ed.Sub != nil && ed.kind == Remove && ed.Sub.Name == "value":
		ed.Sub, ed.has, ed.value = nil, false, nil // a member that loses its value goes
	case ed.Sub != nil:
		return e.editMemberSub(ed)
	case ed.kind != Remove && !ed.has:
		return refuse(InvalidValue, "a value is needed: a list of members")
	case ed.kind != Remove && ed.value == nil:
		e.note(MembersNull, members)
		return nil
	}
	switch {
	case ed.Where != nil:
		return e.editChosenMembers(ed)
	case ed.kind == Remove:
		return e.removeMembers(ed)
	}
	return e.setMembers(ed)
}

// editMemberSub refuses what would make another member of one: who a member is cannot be changed, and how it is
// called follows from it.
func (e *editor) editMemberSub(ed edit) *Error {
	if ed.Sub.Mutability == schema.ReadOnly {
		return e.readOnly(ed)
	}
	if id, ok := ed.value.(string); ok && ed.Where != nil {
		if terms, plain := ed.terms(); plain && terms[ed.Sub.Name] == id {
			return nil
		}
	}
	return refuse(Mutability, "a member cannot be changed: remove it and add the other")
}

// setMembers adds the members of a list, or makes them the only ones.
func (e *editor) setMembers(ed edit) *Error {
	list, ids, err := e.memberIDs(ed.value)
	if err != nil {
		return err
	}
	switch {
	case ed.kind == Add && len(ids) > 0:
		e.edited(MemberEdit{Kind: AddMembers, IDs: ids})
	case ed.kind == Replace && len(list) == 0:
		e.edited(MemberEdit{Kind: ClearMembers})
	case ed.kind == Replace && len(ids) == 0:
		return refuse(InvalidValue, "no member of the list has a value: send [] to empty the group")
	case ed.kind == Replace:
		e.edited(MemberEdit{Kind: ReplaceMembers, IDs: ids})
	}
	return nil
}

// memberIDs returns a list of members, and the ids in it, each once.
func (e *editor) memberIDs(value any) (list []any, ids []string, err *Error) {
	list, ok := value.([]any)
	if !ok {
		return nil, nil, refuse(InvalidValue, `members has to be a list of objects such as {"value": "the id of a user"}`)
	}
	seen := make(map[string]bool, len(list))
	for _, v := range list {
		object, _ := v.(map[string]any)
		id, _ := object["value"].(string)
		switch {
		case strings.TrimSpace(id) == "" && e.rules.SkipMembers:
			e.note(MemberNoValue, members)
		case strings.TrimSpace(id) == "":
			return nil, nil, refuse(InvalidValue, "each member needs a value: the id of a user or group, as text")
		case !seen[id]:
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return list, ids, nil
}

// removeMembers removes the members that the value lists. What it means to list none is asked of the rules: to
// some clients it means everybody, to others nobody, and one of them would lose all members.
func (e *editor) removeMembers(ed edit) *Error {
	switch {
	case !ed.has:
		return e.empty(e.rules.RemoveAbsent, e.rules.RemoveAbsentBy, "without a value")
	case ed.value == nil:
		return e.empty(e.rules.RemoveNull, e.rules.RemoveNullBy, "with the value null")
	}
	list, ids, err := e.memberIDs(ed.value)
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return e.empty(e.rules.RemoveNone, "", "with an empty list")
	case len(ids) > 0:
		e.edited(MemberEdit{Kind: RemoveMembers, IDs: ids})
	}
	return nil
}

func (e *editor) empty(meaning Emptying, by, how string) *Error {
	switch meaning {
	case Nothing:
		e.note(MembersNone, members)
		return nil
	case EmptyAndNote:
		e.note(MembersEmptied, members)
		fallthrough
	case Empty:
		e.edited(MemberEdit{Kind: ClearMembers})
		return nil
	case RefuseEmptying:
	}
	detail := "removing members " + how + " may mean all or none of them: list those to remove, or replace members with [] to empty the group"
	if by != "" {
		detail += "; in the profile " + by + " it empties the group"
	}
	return refuse(InvalidValue, detail)
}

// editChosenMembers does an operation on the members that the filter of its path finds.
func (e *editor) editChosenMembers(ed edit) *Error {
	where, err := ed.compile(e.t)
	if err != nil {
		return err
	}
	ids := NamedMembers(ed.Where)
	if ed.kind == Remove {
		m := MemberEdit{Kind: RemoveWhere, Where: where, MustMatch: !e.rules.MissingIsGone}
		if len(ids) > 0 {
			m.Kind, m.IDs, m.Where = RemoveMembers, ids, nil
		}
		e.edited(m)
		return nil
	}
	if len(ids) != 1 {
		return refuse(InvalidPath, `to add or replace a member, the filter of the path has to name it: members[value eq "the id of a user"]`)
	}
	object, ok := ed.value.(map[string]any)
	if !ok {
		return refuse(InvalidValue, `the value has to be an object such as {"value": "the id of a user"}`)
	}
	return e.setChosenMember(ed.kind, ids, object)
}

// setChosenMember adds or replaces the member that a filter names.
func (e *editor) setChosenMember(kind string, ids []string, object map[string]any) *Error {
	id, given := object["value"]
	other, ok := id.(string)
	switch {
	case !given || other == ids[0]:
		e.edited(MemberEdit{Kind: AddMembers, IDs: ids, MustMatch: !e.rules.BuildElement})
	case !ok || strings.TrimSpace(other) == "":
		return refuse(InvalidValue, "a member needs a value: the id of a user or group, as text")
	case kind == Add:
		return refuse(Mutability, "a member cannot be changed: remove it and add the other")
	default:
		e.edited(MemberEdit{Kind: RemoveMembers, IDs: ids, MustMatch: !e.rules.BuildElement})
		e.edited(MemberEdit{Kind: AddMembers, IDs: []string{other}})
	}
	return nil
}

// NamedMembers returns the ids that the filter of a path after members names, if it is nothing but comparisons of
// value with eq that are or-ed; else nil.
func NamedMembers(x fp.Expression) []string {
	switch x := x.(type) {
	case *fp.LogicalExpression:
		left, right := NamedMembers(x.Left), NamedMembers(x.Right)
		if x.Operator == fp.OR && left != nil && right != nil {
			return append(left, right...)
		}
	case *fp.AttributeExpression:
		id, ok := x.CompareValue.(string)
		p := x.AttributePath
		if ok && x.Operator == fp.EQ && strings.EqualFold(p.AttributeName, "value") && p.URIPrefix == nil && p.SubAttribute == nil {
			return []string{id}
		}
	}
	return nil
}
