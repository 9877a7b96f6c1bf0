package patch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

// Each of these has cost somebody attributes, memberships or access with another service provider. All of them
// hold whatever the rules are.

func each(t *testing.T, f func(t *testing.T, r patch.Rules)) {
	t.Helper()
	for name, r := range map[string]patch.Rules{"lenient": lenient, "strict": strict, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, r)
		})
	}
}

// A rename by a replace without path has emptied groups; an operation on one mail has deleted the others.
func TestOnlyWhatIsNamedChanges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r patch.Rules) {
		t.Helper()
		check(t, schema.Group(), group, r, []testCase{
			{`{"op":"replace","value":{"displayName":"New"}}`, []string{`- displayName = "Guides"`, `+ displayName = "New"`}},
			{`{"op":"replace","value":{"id":"9","displayName":"New"}}`, []string{"note read-only-ignored id", `- displayName = "Guides"`, `+ displayName = "New"`}},
		})
		check(t, schema.User(), user, r, []testCase{
			{`{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@b.c"}`, []string{`- emails[0].value = "ann@example.com"`, `+ emails[0].value = "a@b.c"`}},
			{`{"op":"remove","path":"emails[type eq \"home\"]"}`, []string{`- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`}},
			{`{"op":"replace","path":"⟪E⟫","value":{"costCenter":"C"}}`, []string{`+ E.costCenter = "C"`}},
		})
	})
}

// People have been disabled because a request did not say active.
func TestActiveLeftOutChangesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r patch.Rules) {
		t.Helper()
		for _, active := range []string{"true", "false"} {
			before := decode(t, strings.Replace(user, `"active": true`, `"active": `+active, 1))
			if diff := cmp.Diff([]string(nil), put(t, schema.User(), before, `{`+same+`}`, r)); diff != "" {
				t.Errorf("PUT: %s", diff)
			}
			if diff := cmp.Diff([]string{`+ title = "T"`}, run(t, schema.User(), before, `{"op":"replace","value":{"title":"T"}}`, r)); diff != "" {
				t.Errorf("PATCH: %s", diff)
			}
		}
		created, err := patch.Put(schema.User(), nil, decode(t, `{"userName":"ann"}`), r)
		if err != nil || created.Resource["active"] != true {
			t.Errorf("POST: %v %v", created, err)
		}
	})
}

// One leaver has taken everybody along.
func TestListedMembersAreAllThatIsRemoved(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r patch.Rules) {
		t.Helper()
		check(t, schema.Group(), group, r, []testCase{
			{`{"op":"remove","path":"members","value":[{"value":"a"}]}`, []string{"members remove a"}},
			{`{"op":"remove","path":"members","value":[{"value":"a","$ref":null,"display":"A"}]}`, []string{"members remove a"}},
		})
	})
}

// [] empties on replace, by intent; on add it is nothing.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r patch.Rules) {
		t.Helper()
		check(t, schema.Group(), group, r, []testCase{
			{`{"op":"replace","path":"members","value":[]}`, []string{"members clear"}},
			{`{"op":"add","path":"members","value":[]}`, nil},
		})
		check(t, schema.User(), user, r, []testCase{
			{`{"op":"replace","path":"addresses","value":[]}`, []string{`- addresses[0].formatted = "1 Main Street"`, `- addresses[0].locality = "Lund"`, `- addresses[0].type = "work"`}},
			{`{"op":"add","path":"addresses","value":[]}`, nil},
		})
	})
}

func TestComplexReplaceMerges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r patch.Rules) {
		t.Helper()
		check(t, schema.User(), user, r, []testCase{
			{`{"op":"replace","path":"name","value":{"givenName":"K"}}`, []string{`- name.givenName = "Ann"`, `+ name.givenName = "K"`}},
		})
	})
}

// One bad operation refuses all, and the answer says which; one bad member is left out (see TestMembers).
func TestOneBadOperationRefusesAll(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r patch.Rules) {
		t.Helper()
		ops := make([]string, 20)
		for i := range ops {
			ops[i] = `{"op":"replace","path":"title","value":"T"}`
		}
		for i := range ops {
			broken := append([]string{}, ops...)
			broken[i] = `{"op":"replace","path":"active","value":"perhaps"}`
			got := run(t, schema.User(), decode(t, user), strings.Join(broken, ","), r)
			if diff := cmp.Diff([]string{fmt.Sprintf("%d invalidValue active", i)}, got); diff != "" {
				t.Error(diff)
			}
		}
	})
}
