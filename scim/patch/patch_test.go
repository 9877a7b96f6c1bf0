package patch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/body"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

const user = `{
	"schemas": ["⟪U⟫", "⟪E⟫", "⟪X⟫"],
	"id": "1", "externalId": "ext", "userName": "ann@example.com", "active": true, "displayName": "Ann",
	"name": {"formatted": "Ann Lee", "familyName": "Lee", "givenName": "Ann"},
	"emails": [{"value": "ann@example.com", "type": "work", "primary": true}, {"value": "ann@home.example", "type": "home"}],
	"addresses": [{"type": "work", "formatted": "1 Main Street", "locality": "Lund"}],
	"groups": [{"value": "g1"}],
	"⟪E⟫": {"department": "D", "employeeNumber": "7", "manager": {"value": "m1", "$ref": "../Users/m1", "displayName": "Mia"}},
	"⟪X⟫": {"state": "active"},
	"meta": {"resourceType": "User"}
}`

const group = `{"schemas": ["⟪G⟫"], "id": "9", "externalId": "g", "displayName": "Guides", "meta": {"resourceType": "Group"}}`

var urns = strings.NewReplacer("⟪U⟫", schema.UserURN, "⟪G⟫", schema.GroupURN, "⟪E⟫", schema.EnterpriseURN, "⟪X⟫", schema.UsherdURN, "⟪P⟫", patch.MessageURN)

func decode(tb testing.TB, text string) map[string]any {
	tb.Helper()
	m, err := body.Parse([]byte(urns.Replace(text)))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return m
}

// lenient is what most clients mean; strict is the RFC's.
var (
	lenient = patch.Rules{
		RemoveAbsent: patch.EmptyAndNote, RemoveNone: patch.Nothing, BuildElement: true, MissingIsGone: true, IgnoreUnknown: true,
		SkipMembers: true, NoOperations: true, IgnoreActiveNull: true, FilterSingle: true,
	}
	strict = patch.Rules{RemoveAbsent: patch.Empty, RemoveNull: patch.Empty, PutClears: true}
)

// run applies operations, written as the list of a message, and tells what came of it in lines.
func run(tb testing.TB, ty *schema.Type, before map[string]any, ops string, r patch.Rules) []string {
	tb.Helper()
	kept := copyOf(before)
	list, err := patch.Decode(decode(tb, `{"schemas":["⟪P⟫"],"Operations":[`+ops+`]}`))
	var result *patch.Result
	if err == nil {
		result, err = patch.Apply(ty, before, list, r)
	}
	if !reflect.DeepEqual(kept, before) {
		tb.Errorf("%s: the resource that went in was changed", ops)
	}
	if err != nil {
		return []string{refused(tb, err)}
	}
	return told(before, result)
}

func refused(tb testing.TB, err error) string {
	tb.Helper()
	e, ok := errors.AsType[*patch.Error](err)
	if !ok {
		tb.Fatalf("not an *Error: %v", err)
	}
	if e.Detail == "" || e.Status != 400 && e.Status != 413 {
		tb.Errorf("%+v", e)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", e.Op, e.ScimType, e.Path))
}

func told(before map[string]any, r *patch.Result) []string {
	var lines []string
	for _, m := range r.Members {
		line := strings.Join(append([]string{"members", string(m.Kind)}, m.IDs...), " ")
		if m.Where != nil {
			line += " by filter"
		}
		if m.MustMatch {
			line += "!"
		}
		lines = append(lines, line)
	}
	for _, n := range r.Notes {
		lines = append(lines, strings.TrimSpace("note "+n.ID+" "+n.Where))
	}
	old, now := flat("", before), flat("", r.Resource)
	for _, line := range slices.Sorted(maps.Keys(old)) {
		if !now[line] && !strings.HasPrefix(line, "members") {
			lines = append(lines, "- "+line)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(now)) {
		if !old[line] {
			lines = append(lines, "+ "+line)
		}
	}
	return lines
}

// flat writes a resource as lines of path and value, short ones for URNs.
func flat(path string, v any) map[string]bool {
	all := map[string]bool{}
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			key = strings.NewReplacer(schema.EnterpriseURN, "E", schema.UsherdURN, "X").Replace(key)
			maps.Copy(all, flat(strings.TrimPrefix(path+"."+key, "."), e))
		}
	case []any:
		for i, e := range v {
			maps.Copy(all, flat(fmt.Sprintf("%s[%d]", path, i), e))
		}
	default:
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		all[path+" = "+strings.NewReplacer(schema.EnterpriseURN, "E", schema.UsherdURN, "X").Replace(string(text))] = true
	}
	return all
}

func copyOf(v map[string]any) map[string]any {
	c := map[string]any{}
	for key, e := range v {
		c[key] = copyAny(e)
	}
	return c
}

func copyAny(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return copyOf(v)
	case []any:
		c := []any{}
		for _, e := range v {
			c = append(c, copyAny(e))
		}
		return c
	}
	return v
}

type testCase struct {
	ops  string
	want []string // lines
}

func check(t *testing.T, ty *schema.Type, before string, r patch.Rules, cases []testCase) {
	t.Helper()
	for _, c := range cases {
		got := run(t, ty, decode(t, before), c.ops, r)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.ops, diff)
		}
	}
}
