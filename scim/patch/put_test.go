package patch_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

func put(tb testing.TB, ty *schema.Type, before map[string]any, text string, r patch.Rules) []string {
	tb.Helper()
	kept, sent := copyOf(before), decode(tb, text)
	result, err := patch.Put(ty, before, sent, r)
	if before != nil && !reflect.DeepEqual(kept, before) || !reflect.DeepEqual(sent, decode(tb, text)) {
		tb.Errorf("%s: what went in was changed", text)
	}
	if err != nil {
		return []string{refused(tb, err)}
	}
	lines := told(before, result)
	for _, line := range lines {
		if (line[0] == '+' || line[0] == '-') && !result.Changed {
			tb.Errorf("%s: not changed, but %s", text, line)
		}
	}
	return lines
}

const same = `"userName":"ann@example.com","displayName":"Ann","name":{"formatted":"Ann Lee","familyName":"Lee","givenName":"Ann"},
	"emails":[{"value":"ann@example.com","type":"work","primary":true},{"value":"ann@home.example","type":"home"}],
	"addresses":[{"type":"work","formatted":"1 Main Street","locality":"Lund"}],
	"⟪E⟫":{"department":"D","employeeNumber":"7","manager":{"value":"m1"}}`

// What is left out is unassigned, but for what a client does not mean to take away by leaving it out.
func TestPut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{`{` + same + `}`, nil}, // active, externalId, what is read-only, and what follows from the manager stay
		{`{` + same + `,"id":"other","meta":{},"groups":[],"schemas":[],"active":true}`, nil},
		{`{` + same + `,"active":false}`, []string{`- active = true`, `+ active = false`}},
		{`{` + same + `,"active":null}`, []string{"note active-null active"}},
		{`{` + same + `,"externalId":null}`, []string{`- externalId = "ext"`}},
		{`{` + same + `,"externalId":"other"}`, []string{`- externalId = "ext"`, `+ externalId = "other"`}},
		{`{` + same + `,"password":"x"}`, []string{`+ password = "x"`}},
		{`{` + same + `,"phoneNumbers":[],"title":null,"roles":null}`, nil},
		{`{` + same + `,"phoneNumbers":[{"type":"work"}]}`, []string{"note empty-element phoneNumbers"}},
		{`{"userName":"ann"}`, []string{
			`- E.department = "D"`, `- E.employeeNumber = "7"`, `- E.manager.$ref = "../Users/m1"`, `- E.manager.displayName = "Mia"`, `- E.manager.value = "m1"`,
			`- addresses[0].formatted = "1 Main Street"`, `- addresses[0].locality = "Lund"`, `- addresses[0].type = "work"`, `- displayName = "Ann"`,
			`- emails[0].primary = true`, `- emails[0].type = "work"`, `- emails[0].value = "ann@example.com"`, `- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`,
			`- name.familyName = "Lee"`, `- name.formatted = "Ann Lee"`, `- name.givenName = "Ann"`, `- schemas[1] = "E"`, `- schemas[2] = "X"`,
			`- userName = "ann@example.com"`, `+ schemas[1] = "X"`, `+ userName = "ann"`,
		}},
		{`{"userName":5}`, []string{"-1 invalidValue"}},
		{`{"userName":"a","emails":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, []string{"-1 invalidValue"}},
	} {
		if diff := cmp.Diff(c.want, put(t, schema.User(), decode(t, user), c.text, lenient)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
	other := put(t, schema.User(), decode(t, user), `{`+urns.Replace(`"userName":"ann@example.com","displayName":"Ann","name":{"formatted":"Ann Lee","familyName":"Lee","givenName":"Ann"},
		"emails":[{"value":"ann@example.com","type":"work","primary":true},{"value":"ann@home.example","type":"home"}],"addresses":[{"type":"work","formatted":"1 Main Street","locality":"Lund"}],
		"⟪E⟫":{"department":"D","employeeNumber":"7","manager":{"value":"m2"}}`)+`}`, lenient)
	if diff := cmp.Diff([]string{`- E.manager.$ref = "../Users/m1"`, `- E.manager.displayName = "Mia"`, `- E.manager.value = "m1"`, `+ E.manager.value = "m2"`}, other); diff != "" {
		t.Error(diff)
	}
}

func TestPutOfAGroup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		rules patch.Rules
		want  []string
	}{
		{`{"displayName":"Guides"}`, lenient, nil},
		{`{"displayName":"Guides"}`, strict, []string{"members clear"}},
		{`{"displayName":"Guides","members":[]}`, lenient, []string{"members clear"}},
		{`{"displayName":"Guides","members":null}`, lenient, []string{"note members-null members"}},
		{`{"displayName":"Guides","members":null}`, strict, []string{"note members-null members"}},
		{`{"displayName":"Guides","members":[{"value":"a"},{"value":"a"},{"value":"b"}]}`, strict, []string{"members replace a b"}},
		{`{"displayName":"Guides","members":[{"value":"a"},{}]}`, lenient, []string{"members replace a", "note member-without-value members"}},
		{`{"displayName":"Guides","members":[{}]}`, lenient, []string{"-1 invalidValue members"}},
		{`{"displayName":"Guides","members":"x"}`, lenient, []string{"-1 invalidValue members"}},
		{`{"members":[]}`, lenient, []string{"-1 invalidValue"}},
	} {
		if diff := cmp.Diff(c.want, put(t, schema.Group(), decode(t, group), c.text, c.rules)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
}

// Without a resource it is a creation: members are added, and active is true unless it is said otherwise.
func TestPutCreates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ty   *schema.Type
		text string
		want []string
	}{
		{schema.User(), `{"userName":"ann"}`, []string{`+ active = true`, `+ schemas[0] = "` + schema.UserURN + `"`, `+ userName = "ann"`}},
		{schema.User(), `{"userName":"ann","active":false,"id":"x","meta":{},"groups":[]}`, []string{`+ active = false`, `+ schemas[0] = "` + schema.UserURN + `"`, `+ userName = "ann"`}},
		{schema.Group(), `{"displayName":"G","members":[{"value":"a"}]}`, []string{"members add a", `+ displayName = "G"`, `+ schemas[0] = "` + schema.GroupURN + `"`}},
		{schema.Group(), `{"displayName":"G","members":[]}`, []string{`+ displayName = "G"`, `+ schemas[0] = "` + schema.GroupURN + `"`}},
	} {
		if diff := cmp.Diff(c.want, put(t, c.ty, nil, c.text, strict)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
}
