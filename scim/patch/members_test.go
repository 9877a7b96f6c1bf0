package patch_test

import (
	"strings"
	"testing"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

// with is lenient with another meaning of removing members without naming them.
func with(absent, null, none patch.Emptying) patch.Rules {
	r := lenient
	r.RemoveAbsent, r.RemoveNull, r.RemoveNone = absent, null, none
	return r
}

// Members come back as edits in the order of the operations; no list of them is ever looked at.
func TestMembers(t *testing.T) {
	t.Parallel()
	check(t, schema.Group(), group, lenient, []testCase{
		{`{"op":"add","path":"members","value":[{"value":"a"},{"value":"b"},{"value":"a"}]}`, []string{"members add a b"}},
		{`{"op":"add","value":{"members":[{"value":"a"}],"displayName":"X"}}`, []string{"members add a", `- displayName = "Guides"`, `+ displayName = "X"`}},
		{`{"op":"add","path":"members","value":[]}`, nil},
		{`{"op":"remove","path":"members","value":[{"value":"a"},{"value":"b"}]}`, []string{"members remove a b"}},
		{`{"op":"replace","path":"members","value":[{"value":"a"}]}`, []string{"members replace a"}},
		{`{"op":"replace","path":"members","value":[]}`, []string{"members clear"}},
		{`{"op":"replace","value":{"members":[]}}`, []string{"members clear"}},
		{
			`{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"remove","path":"members[value eq \"a\"]"},{"op":"replace","path":"members","value":[{"value":"b"}]}`,
			[]string{"members add a", "members remove a", "members replace b"},
		},
		// A filter names members, or describes them.
		{`{"op":"remove","path":"members[value eq \"a\"]"}`, []string{"members remove a"}},
		{`{"op":"remove","path":"members[value eq \"a\" or value eq \"b\"]"}`, []string{"members remove a b"}},
		{`{"op":"remove","path":"members[value eq \"a\"].value"}`, []string{"members remove a"}},
		{`{"op":"remove","path":"members[type eq \"Group\"]"}`, []string{"members removeWhere by filter"}},
		{`{"op":"remove","path":"members[value eq \"a\" and type eq \"User\"]"}`, []string{"members removeWhere by filter"}},
		{`{"op":"add","path":"members[value eq \"a\"]","value":{}}`, []string{"members add a"}},
		{`{"op":"add","path":"members[value eq \"a\"]","value":{"value":"a","display":"A"}}`, []string{"members add a"}},
		{`{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}`, []string{"members remove a", "members add b"}},
		{`{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"a"}}`, []string{"members add a"}},
		{`{"op":"add","path":"members[value eq \"a\"]","value":{"value":"b"}}`, []string{`0 mutability members[value eq "a"]`}},
		{`{"op":"add","path":"members[value eq \"a\"]","value":"b"}`, []string{`0 invalidValue members[value eq "a"]`}},
		{`{"op":"replace","path":"members[value eq \"a\"]","value":{"value":5}}`, []string{`0 invalidValue members[value eq "a"]`}},
		{`{"op":"replace","path":"members[value eq \"a\"]","value":null}`, []string{"note members-null members"}},
		{`{"op":"replace","path":"members[value eq \"a\"]"}`, []string{`0 invalidValue members[value eq "a"]`}},
		{`{"op":"add","path":"members[type eq \"User\"]","value":{"value":"a"}}`, []string{`0 invalidPath members[type eq "User"]`}},
		{`{"op":"remove","path":"members[shoe eq \"a\"]"}`, []string{`0 invalidFilter members[shoe eq "a"]`}},
		// Who a member is cannot be changed, and how it is called is not the client's to say.
		{`{"op":"replace","path":"members[value eq \"a\"].value","value":"b"}`, []string{`0 mutability members[value eq "a"].value`}},
		{`{"op":"replace","path":"members[value eq \"a\"].value","value":"a"}`, nil},
		{`{"op":"replace","path":"members[value eq \"a\"].display","value":"A"}`, []string{`0 mutability members[value eq "a"].display`}},
		{`{"op":"replace","value":{"members[value eq \"a\"].display":"A"}}`, []string{"note read-only-ignored members.display"}},
		{`{"op":"add","path":"members.value","value":"a"}`, []string{"0 mutability members.value"}},
		// null and empty text empty nothing.
		{`{"op":"replace","path":"members","value":null}`, []string{"note members-null members"}},
		{`{"op":"replace","value":{"members":null}}`, []string{"note members-null members"}},
		{`{"op":"add","path":"members","value":null}`, []string{"note members-null members"}},
		{`{"op":"replace","path":"members","value":""}`, []string{"0 invalidValue members"}},
		{`{"op":"replace","path":"members","value":{}}`, []string{"0 invalidValue members"}},
		{`{"op":"replace","path":"members"}`, []string{"0 invalidValue members"}},
		{`{"op":"remove","path":"members","value":""}`, []string{"0 invalidValue members"}},
		// One bad member does not lose the push; nothing but bad ones empties no group.
		{`{"op":"add","path":"members","value":[{"value":"a"},null,{},{"value":null},{"value":" "},"x",{"value":7}]}`, []string{"members add a", "note member-without-value members"}},
		{`{"op":"replace","path":"members","value":[{"value":null}]}`, []string{"0 invalidValue members"}},
		{`{"op":"remove","path":"members","value":[{"value":null}]}`, []string{"note member-without-value members"}},
		{`{"op":"remove","path":"members.value"}`, []string{"members clear", "note members-emptied members"}},
	})
	check(t, schema.User(), user, lenient, []testCase{{`{"op":"remove","path":"members"}`, []string{"note unknown-attribute members"}}})
}

func TestMembersTakenAtTheirWord(t *testing.T) {
	t.Parallel()
	check(t, schema.Group(), group, strict, []testCase{
		{`{"op":"remove","path":"members"}`, []string{"members clear"}},
		{`{"op":"remove","path":"members","value":null}`, []string{"members clear"}},
		{`{"op":"remove","path":"members","value":[]}`, []string{"0 invalidValue members"}},
		{`{"op":"remove","path":"members","value":[{"value":"a"}]}`, []string{"members remove a"}}, // in every profile
		{`{"op":"remove","path":"members.value"}`, []string{"members clear"}},
		{`{"op":"remove","path":"members[value eq \"a\"]"}`, []string{"members remove a!"}},
		{`{"op":"remove","path":"members[type eq \"Group\"]"}`, []string{"members removeWhere by filter!"}},
		{`{"op":"add","path":"members[value eq \"a\"]","value":{}}`, []string{"members add a!"}},
		{`{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}`, []string{"members remove a!", "members add b"}},
		{`{"op":"add","path":"members","value":[{"value":"a"},{}]}`, []string{"0 invalidValue members"}},
		{`{"op":"replace","path":"members","value":null}`, []string{"note members-null members"}}, // emptying is []
	})
}

// What removing members without naming any means, and what it means where nobody is sure.
func TestEmptying(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		meaning patch.Emptying
		want    []string
	}{
		{patch.Empty, []string{"members clear"}},
		{patch.EmptyAndNote, []string{"members clear", "note members-emptied members"}},
		{patch.Nothing, []string{"note members-none members"}},
		{patch.RefuseEmptying, []string{"0 invalidValue members"}},
	} {
		check(t, schema.Group(), group, with(c.meaning, patch.RefuseEmptying, patch.RefuseEmptying), []testCase{
			{`{"op":"remove","path":"members"}`, c.want},
		})
		check(t, schema.Group(), group, with(patch.RefuseEmptying, c.meaning, patch.RefuseEmptying), []testCase{{`{"op":"remove","path":"members","value":null}`, c.want}})
		check(t, schema.Group(), group, with(patch.RefuseEmptying, patch.RefuseEmptying, c.meaning), []testCase{{`{"op":"remove","path":"members","value":[]}`, c.want}})
	}
	_, err := patch.Apply(schema.Group(), decode(t, group), []patch.Op{{Op: patch.Remove, Path: "members", HasPath: true}}, patch.Rules{RemoveAbsentBy: "generic or okta"})
	if err == nil || !strings.Contains(err.Error(), "generic or okta") {
		t.Errorf("the refusal does not say which profile would allow it: %v", err)
	}
}

// Members that are loaded all the same are left alone: an edit is all that is ever made of them.
func TestLoadedMembersAreNotLookedAt(t *testing.T) {
	t.Parallel()
	check(t, schema.Group(), strings.Replace(group, `"id"`, `"members": [{"value":"a"}], "id"`, 1), lenient, []testCase{
		{`{"op":"add","path":"members","value":[{"value":"b"}]}`, []string{"members add b"}},
		{`{"op":"replace","path":"displayName","value":"X"}`, []string{`- displayName = "Guides"`, `+ displayName = "X"`}},
	})
}

// The texts of refusals that only the store can give name the operation as the others do.
func TestMemberEditErrors(t *testing.T) {
	t.Parallel()
	list, err := patch.Decode(decode(t, `{"schemas":["⟪P⟫"],"Operations":[{"op":"replace","path":"displayName","value":"X"},{"op":"remove","path":"members[value eq \"a\"]"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := patch.Apply(schema.Group(), decode(t, group), list, strict)
	if err != nil || len(r.Members) != 1 {
		t.Fatal(r, err)
	}
	if got := refused(t, r.Members[0].NoTargetError()); got != `1 noTarget members[value eq "a"]` {
		t.Error(got)
	}
	if got := refused(t, r.Members[0].UnknownMemberError()); got != `1 invalidValue members[value eq "a"]` {
		t.Error(got)
	}
}
