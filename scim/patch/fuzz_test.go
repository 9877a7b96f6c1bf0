package patch_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"usherd/scim/body"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

// FuzzApply: no panic, an error leaves the resource as it was and names an operation that is there, and what comes of
// a success is sound.
func FuzzApply(f *testing.F) {
	for _, ops := range []string{
		``,
		`{"op":"replace","path":"active","value":false},{"op":"add","path":"nickName","value":"Babs"}`,
		`{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@b.c"},{"op":"replace","value":{"displayName":"B","name.givenName":"K","⟪E⟫:employeeNumber":"1"}}`,
		`{"op":"add","path":"emails","value":[{"value":"a","primary":true},{"value":"b"}]},{"op":"add","path":"emails[value eq \"b\"].primary","value":true}`,
		`{"op":"remove","path":"members[value eq \"a\" or value eq \"b\"]"},{"op":"add","path":"members","value":[{"value":"c"}]},{"op":"replace","value":{"members":[]}}`,
		`{"op":"remove","path":"members"}`, `{"op":"remove","path":"members","value":[{"value":"a"}]}`, `{"op":"remove","path":"⟪E⟫:manager[value eq \"m1\"]"}`,
		`{"op":"add","path":"addresses[type eq \"work\"].formatted","value":"F"},{"op":"remove","path":"addresses.type"}`,
		`{"op":"replace","path":"⟪E⟫","value":{"manager":{"value":"m2","$ref":null}}},{"op":"remove","path":"⟪E⟫"}`,
		`{"op":"replace","path":"emails[type pr]","value":{"value":"a@b.c","primary":true}}`,
		`{"op":"add","path":"roles","value":[{"value":"x"},{"value":"X","type":""},{"type":"y"},{}]},{"op":"remove","path":"roles","value":[{"value":"x"}]}`,
		`{"op":"replace","value":{"⟪U⟫":{"⟪U⟫:title":"x"},"⟪U⟫:title":null}}`,
		`{"op":"add","path":"emails[` + strings.Repeat("(", 40) + `","value":1}`,
		`{"op":"add","path":"` + strings.Repeat("a.", 500) + `","value":1}`,
		"{\"op\":\"add\",\"path\":\"title\",\"value\":\"\u202e\\u0001\"}",
	} {
		f.Add([]byte(urns.Replace(`{"schemas":["⟪P⟫"],"Operations":[`+ops+`]}`)), false, false)
		f.Add([]byte(urns.Replace(`{"schemas":["⟪P⟫"],"Operations":[`+ops+`]}`)), true, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, isGroup, isStrict bool) {
		message, err := body.Parse(text)
		if err != nil {
			return
		}
		ops, err := patch.Decode(message)
		if err != nil {
			refused(t, err)
			return
		}
		ty, resource, rules := schema.User(), decode(t, user), lenient
		if isGroup {
			ty, resource = schema.Group(), decode(t, group)
		}
		if isStrict {
			rules = strict
		}
		kept, sent := copyOf(resource), copyOf(message)
		r, err := patch.Apply(ty, resource, ops, rules)
		if !reflect.DeepEqual(kept, resource) || !reflect.DeepEqual(sent, message) {
			t.Fatal("what went in was changed")
		}
		if err != nil {
			e, ok := errors.AsType[*patch.Error](err)
			if !ok || e.Op >= max(len(ops), 0) || e.Op < 0 && len(ops) > 0 || len(e.Error()) > 2000 {
				t.Fatalf("%v", err)
			}
			return
		}
		sound(t, ty, ops, r)
		again, err := patch.Apply(ty, resource, ops, rules)
		if err != nil || !reflect.DeepEqual(r.Resource, again.Resource) || !reflect.DeepEqual(r.Notes, again.Notes) {
			t.Fatalf("applied again it is another thing: %v", err)
		}
	})
}

// sound checks what holds after any PATCH.
func sound(t *testing.T, ty *schema.Type, ops []patch.Op, r *patch.Result) {
	t.Helper()
	valid, err := ty.Validate(r.Resource)
	if err != nil {
		t.Fatalf("the result is not valid: %v", err)
	}
	for name, value := range valid {
		if name != "schemas" && name != schema.EnterpriseURN && !reflect.DeepEqual(r.Resource[name], value) {
			t.Fatalf("%s is not in its canonical form: %v", name, r.Resource[name])
		}
	}
	for name, value := range r.Resource {
		list, _ := value.([]any)
		primary := 0
		for _, v := range list {
			if object, ok := v.(map[string]any); ok && object["primary"] == true {
				primary++
			}
		}
		if primary > 1 || value == nil || name == "members" {
			t.Fatalf("%s: %v", name, value)
		}
	}
	for _, m := range r.Members {
		op := ops[m.Op]
		named := strings.Contains(strings.ToLower(op.Path), "members") || namesMembers(op.Value)
		if m.Kind != patch.AddMembers && !named {
			t.Fatalf("members %s by an operation that does not name them: %+v", m.Kind, op)
		}
		if m.Kind == patch.ReplaceMembers && len(m.IDs) == 0 || slices.Contains(m.IDs, "") || m.Kind == patch.RemoveWhere && m.Where == nil {
			t.Fatalf("%+v", m)
		}
	}
}

// namesMembers reports whether members is a key of a value, at any depth.
func namesMembers(v any) bool {
	object, _ := v.(map[string]any)
	for key, e := range object {
		if strings.Contains(strings.ToLower(key), "members") || namesMembers(e) {
			return true
		}
	}
	return false
}

// TestApplyIsLinear has a bound far above what linear work takes, and far below what quadratic would.
func TestApplyIsLinear(t *testing.T) {
	t.Parallel()
	ids := make([]any, 200_000)
	for i := range ids {
		ids[i] = map[string]any{"value": strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i%11)}
	}
	r, err := patch.Apply(schema.Group(), decode(t, group), []patch.Op{{Op: patch.Add, Path: "members", HasPath: true, Value: ids, HasValue: true}}, lenient)
	if err != nil || len(r.Members) != 1 {
		t.Fatal(err)
	}
	values := make([]any, 500)
	for i := range values {
		values[i] = map[string]any{"value": strings.Repeat("v", i), "type": "other"}
	}
	ops := make([]patch.Op, patch.MaxOperations)
	for i := range ops {
		ops[i] = patch.Op{Op: patch.Add, Path: "phoneNumbers", HasPath: true, Value: values[:i%50], HasValue: true}
	}
	if _, err := patch.Apply(schema.User(), decode(t, user), ops, lenient); err != nil {
		t.Fatal(err)
	}
}
