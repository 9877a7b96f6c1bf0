package schema_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/schema"
)

// decode reads a resource as the handlers do; ⟪E⟫ and ⟪U⟫ stand for the URNs of the extensions.
func decode(tb testing.TB, text string) map[string]any {
	tb.Helper()
	text = strings.NewReplacer("⟪E⟫", schema.EnterpriseURN, "⟪U⟫", schema.UsherdURN, "⟪core⟫", schema.UserURN, "⟪group⟫", schema.GroupURN).Replace(text)
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return m
}

func typeOf(name string) *schema.Type {
	if name == "Group" {
		return schema.Group()
	}
	return schema.User()
}

func TestValidateReturnsWhatAClientMaySet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ty, in, want string }{
		// Names in any case become canonical, at every level; unknown ones go.
		{
			"User", `{"USERNAME":"Ann","Name":{"GIVENNAME":"A","shoe":1},"eMails":[{"VALUE":"a@b.c","Primary":true}],"shoe":1}`,
			`{"schemas":["⟪core⟫"],"userName":"Ann","name":{"givenName":"A"},"emails":[{"value":"a@b.c","primary":true}]}`,
		},
		// What is read-only goes, sub-attributes too.
		{
			"User", `{"id":"x","meta":{"version":"1"},"groups":[{"value":"g"}],"⟪U⟫":{"state":"active","warnings":["w"]},"⟪E⟫":{"manager":{"value":"m","displayName":7,"$ref":[]}}}`,
			`{"schemas":["⟪core⟫","⟪E⟫"],"⟪E⟫":{"manager":{"value":"m"}}}`,
		},
		{
			"Group", `{"displayName":"G","members":[{"value":"u","display":"U","type":"User","$ref":"../Users/u"}]}`,
			`{"schemas":["⟪group⟫"],"displayName":"G","members":[{"value":"u","type":"User","$ref":"../Users/u"}]}`,
		},
		// An extension under a URN in another case counts; without data it is not in schemas.
		{
			"User", `{"userName":"a","URN:IETF:params:scim:schemas:extension:ENTERPRISE:2.0:user":{"EmployeeNumber":"7"}}`,
			`{"schemas":["⟪core⟫","⟪E⟫"],"userName":"a","⟪E⟫":{"employeeNumber":"7"}}`,
		},
		{"User", `{"userName":"a","⟪E⟫":{},"schemas":["⟪core⟫","⟪E⟫"]}`, `{"schemas":["⟪core⟫"],"userName":"a"}`},
		{"User", `{"userName":"a","⟪E⟫":{"shoe":1,"department":null}}`, `{"schemas":["⟪core⟫"],"userName":"a"}`},
		// null is absent; "", [] and {} stay.
		{
			"User", `{"userName":"","title":null,"emails":[],"name":{},"externalId":null,"schemas":null,"phoneNumbers":[{"value":null}]}`,
			`{"schemas":["⟪core⟫"],"userName":"","emails":[],"name":{},"phoneNumbers":[{}]}`,
		},
		{"Group", `{"displayName":"G","members":[]}`, `{"schemas":["⟪group⟫"],"displayName":"G","members":[]}`},
		{
			"User", `{"EXTERNALID":"e","active":false,"password":"p","x509Certificates":[{"value":"QUJD"}]}`,
			`{"schemas":["⟪core⟫"],"externalId":"e","active":false,"password":"p","x509Certificates":[{"value":"QUJD"}]}`,
		},
		// What is missing is the rules' to refuse, all of it at once.
		{"User", `{}`, `{"schemas":["⟪core⟫"]}`},
	} {
		in := decode(t, c.in)
		got, err := typeOf(c.ty).Validate(in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if d := cmp.Diff(decode(t, c.want), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.in, d)
		}
		if d := cmp.Diff(decode(t, c.in), in); d != "" {
			t.Errorf("%s: the input was changed:\n%s", c.in, d)
		}
		again, err := typeOf(c.ty).Validate(got)
		if d := cmp.Diff(got, again); err != nil || d != "" {
			t.Errorf("%s: validated twice is another thing: %v\n%s", c.in, err, d)
		}
	}
}

func TestValidateNamesEveryAttributeAtFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ty, in string
		want   []string
	}{
		{"User", `{"active":"True"}`, []string{"active has to be true or false"}},
		{"User", `{"userName":5,"externalId":5,"title":[],"active":null,"name":"x"}`, []string{
			"externalId has to be text", "name has to be an object", "title has to be text", "userName has to be text",
		}},
		{"User", `{"emails":{"value":"x"}}`, []string{"emails has to be a list"}},
		{"User", `{"emails":"x"}`, []string{"emails has to be a list"}},
		{"User", `{"emails":[null]}`, []string{"emails has to be an object"}},
		{"User", `{"emails":[{"value":"a","primary":true},{"value":"b"},{"value":"c","PRIMARY":true}]}`, []string{"emails has more than one value with primary true (2)"}},
		{"User", `{"emails":[{"value":5},{"value":6,"primary":"yes"}]}`, []string{"emails.primary has to be true or false", "emails.value has to be text"}},
		{"User", `{"name":{"givenName":1,"GIVENNAME":"x"}}`, []string{"name.givenName has to be text", "name.givenName is given twice, in two spellings"}},
		{"User", `{"userName":"a","USERNAME":"b"}`, []string{"userName is given twice, in two spellings"}},
		{"User", `{"externalId":"a","externalID":"b"}`, []string{"externalId is given twice, in two spellings"}},
		{"User", `{"x509Certificates":[{"value":"QUJD"},{"value":"*"}]}`, []string{"x509Certificates.value has to be text in base64"}},
		{"User", `{"profileUrl":{}}`, []string{"profileUrl has to be text, a URI"}},
		{"User", `{"schemas":"x"}`, []string{"schemas has to be a list of URNs"}},
		{"User", `{"schemas":[1]}`, []string{"schemas has to be a list of URNs"}},
		{"User", `{"⟪E⟫":{"manager":"x","department":7},"active":1}`, []string{
			"active has to be true or false", "⟪E⟫:department has to be text", "⟪E⟫:manager has to be an object",
		}},
		{"User", `{"⟪E⟫":[]}`, []string{"⟪E⟫ has to be an object"}},
		{"User", `{"⟪E⟫":{"department":"a"},"urn:IETF:params:scim:schemas:extension:enterprise:2.0:User":{}}`, []string{"⟪E⟫ is given twice, in two spellings"}},
		{"Group", `{"members":["id"]}`, []string{"displayName is required", "members has to be an object"}},
		{"Group", `{"displayName":" "}`, []string{"displayName is required"}},
		{"Group", `{"displayName":7}`, []string{"displayName has to be text"}},
	} {
		got, err := typeOf(c.ty).Validate(decode(t, c.in))
		invalid, ok := errors.AsType[*schema.Invalid](err)
		if !ok || got != nil {
			t.Errorf("%s: %v, %v", c.in, got, err)
			continue
		}
		var faults, fields []string
		for _, f := range invalid.Faults {
			faults = append(faults, strings.ReplaceAll(f.Attribute, schema.EnterpriseURN, "⟪E⟫")+" "+f.Message)
			fields = append(fields, f.Attribute)
		}
		if d := cmp.Diff(c.want, faults); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.in, d)
		}
		if !slices.Equal(fields, invalid.Fields()) || strings.Count(invalid.Error(), ";")+1 != len(faults) {
			t.Errorf("%s: %v, %v", c.in, invalid.Fields(), invalid)
		}
	}
}

// What comes out shares no map or list with what went in: a renderer may write to it.
func TestValidateSharesNothing(t *testing.T) {
	t.Parallel()
	const text = `{"userName":"a","name":{"givenName":"A"},"emails":[{"value":"a@b.c"}],"⟪E⟫":{"manager":{"value":"m"}}}`
	in := decode(t, text)
	out, err := schema.User().Validate(in)
	if err != nil {
		t.Fatal(err)
	}
	out["name"].(map[string]any)["givenName"] = "X"
	emails := out["emails"].([]any)
	emails[0].(map[string]any)["value"] = "X"
	emails[0] = nil
	out[schema.EnterpriseURN].(map[string]any)["manager"].(map[string]any)["value"] = "X"
	delete(out, "userName")
	if d := cmp.Diff(decode(t, text), in); d != "" {
		t.Errorf("the input was changed:\n%s", d)
	}
}

// FuzzValidate: no panic; what is valid stays as it is when it is validated again.
func FuzzValidate(f *testing.F) {
	f.Add(`{"userName":"a","emails":[{"value":"a@b.c","primary":true}]}`, false)
	f.Add(`{"displayName":"G","members":[{"value":"x","$ref":null},null]}`, true)
	f.Add(`{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"m"}},"a":[[[{}]]]}`, false)
	f.Fuzz(func(t *testing.T, text string, group bool) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var in map[string]any
		if d.Decode(&in) != nil {
			return
		}
		ty := schema.User()
		if group {
			ty = schema.Group()
		}
		out, err := ty.Validate(in)
		if err != nil {
			if invalid, ok := errors.AsType[*schema.Invalid](err); !ok || len(invalid.Faults) == 0 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		again, err := ty.Validate(out)
		if d := cmp.Diff(out, again); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	user := decode(b, `{"schemas":["⟪core⟫","⟪E⟫"],"externalId":"e","userName":"ann@example.com","active":true,"displayName":"Ann Lee",
		"title":"Engineer","locale":"sv-SE","timezone":"Europe/Stockholm","name":{"formatted":"Ann Lee","familyName":"Lee","givenName":"Ann"},
		"emails":[{"primary":true,"type":"work","value":"ann@example.com"}],"phoneNumbers":[{"type":"work","value":"+46 8 1"}],
		"⟪E⟫":{"employeeNumber":"7","department":"D","manager":{"value":"m"}}}`)
	members := make([]any, 10_000)
	for i := range members {
		members[i] = map[string]any{"value": strconv.Itoa(i), "type": "User"}
	}
	for _, c := range []struct {
		name string
		ty   *schema.Type
		r    map[string]any
	}{{"user", schema.User(), user}, {"group of 10,000", schema.Group(), map[string]any{"displayName": "G", "members": members}}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.ty.Validate(c.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
