package patch_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

// The table of what add, replace and remove do (RFC 7644 section 3.5.2), in both kinds of rules.
func TestOperations(t *testing.T) {
	t.Parallel()
	cases := []testCase{
		// add: single-valued is set, complex merges, a list grows by what is not there yet.
		{`{"op":"add","path":"title","value":"T"}`, []string{`+ title = "T"`}},
		{`{"op":"add","path":"displayName","value":"B"}`, []string{`- displayName = "Ann"`, `+ displayName = "B"`}},
		{`{"op":"add","path":"name","value":{"middleName":"M"}}`, []string{`+ name.middleName = "M"`}},
		{`{"op":"add","path":"name.middleName","value":"M"}`, []string{`+ name.middleName = "M"`}},
		{`{"op":"add","path":"emails","value":[{"value":"new@x.y","type":"other"}]}`, []string{`+ emails[2].type = "other"`, `+ emails[2].value = "new@x.y"`}},
		{`{"op":"add","path":"emails","value":[{"value":"ANN@EXAMPLE.COM","type":"WORK","display":"W"}]}`, []string{ // one of the same type and value: merged
			`- emails[0].type = "work"`, `- emails[0].value = "ann@example.com"`, `+ emails[0].display = "W"`, `+ emails[0].type = "WORK"`, `+ emails[0].value = "ANN@EXAMPLE.COM"`,
		}},
		{`{"op":"add","path":"emails","value":[{"value":"ann@example.com","display":"W"}]}`, []string{`+ emails[0].display = "W"`}},
		{`{"op":"add","path":"emails","value":[{"value":"ann@example.com","type":"home"}]}`, []string{`+ emails[2].type = "home"`, `+ emails[2].value = "ann@example.com"`}},
		{`{"op":"add","path":"emails","value":[]}`, nil},
		{`{"op":"add","value":{"title":"T","emails":[{"value":"a@b.c"}]}}`, []string{`+ emails[2].value = "a@b.c"`, `+ title = "T"`}},
		// What is there already is no change.
		{`{"op":"add","path":"displayName","value":"Ann"},{"op":"add","path":"emails","value":[{"value":"ann@example.com","type":"work","primary":true}]}`, nil},
		// replace: single-valued is set, of a complex one only what is given, a list as a whole.
		{`{"op":"replace","path":"displayName","value":"B"}`, []string{`- displayName = "Ann"`, `+ displayName = "B"`}},
		{`{"op":"replace","path":"title","value":"T"}`, []string{`+ title = "T"`}},
		{`{"op":"replace","path":"name","value":{"givenName":"K"}}`, []string{`- name.givenName = "Ann"`, `+ name.givenName = "K"`}},
		{`{"op":"replace","path":"emails","value":[{"value":"a@b.c"}]}`, []string{
			`- emails[0].primary = true`, `- emails[0].type = "work"`, `- emails[0].value = "ann@example.com"`, `- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`,
			`+ emails[0].value = "a@b.c"`,
		}},
		{`{"op":"replace","path":"addresses","value":[]}`, []string{`- addresses[0].formatted = "1 Main Street"`, `- addresses[0].locality = "Lund"`, `- addresses[0].type = "work"`}},
		{`{"op":"replace","value":{"displayName":"B","name":{"givenName":"K"}}}`, []string{`- displayName = "Ann"`, `- name.givenName = "Ann"`, `+ displayName = "B"`, `+ name.givenName = "K"`}},
		// remove.
		{`{"op":"remove"}`, []string{"0 noTarget"}},
		{`{"op":"remove","value":{"displayName":"Ann"}}`, []string{"0 noTarget"}},
		{`{"op":"remove","path":"displayName"}`, []string{`- displayName = "Ann"`}},
		{`{"op":"remove","path":"title"}`, nil},
		{`{"op":"remove","path":"name.formatted"}`, []string{`- name.formatted = "Ann Lee"`}},
		{`{"op":"remove","path":"addresses"}`, []string{`- addresses[0].formatted = "1 Main Street"`, `- addresses[0].locality = "Lund"`, `- addresses[0].type = "work"`}},
		{`{"op":"remove","path":"emails[type eq \"home\"]"}`, []string{`- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`}},
		{`{"op":"remove","path":"emails[type eq \"home\"].value"}`, []string{`- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`}}, // what lost its value goes
		{`{"op":"remove","path":"emails[type eq \"work\"].primary"}`, []string{`- emails[0].primary = true`}},
		{`{"op":"remove","path":"addresses[type eq \"work\"].locality"}`, []string{`- addresses[0].locality = "Lund"`}},
		{`{"op":"remove","path":"addresses.formatted"},{"op":"remove","path":"addresses.locality"}`, []string{
			`- addresses[0].formatted = "1 Main Street"`, `- addresses[0].locality = "Lund"`, `- addresses[0].type = "work"`,
		}},
		{`{"op":"remove","path":"userName"}`, []string{"0 mutability userName"}},
		{`{"op":"remove","path":"name"}`, []string{"0 mutability name"}},
		{`{"op":"remove","path":"name.givenName"}`, []string{"0 mutability name.givenName"}},
		{`{"op":"remove","path":"emails"}`, []string{"0 mutability emails"}},
		{`{"op":"remove","path":"emails","value":null}`, []string{"0 mutability emails"}},
		{`{"op":"remove","path":"emails.value"}`, []string{"0 mutability emails.value"}},
		{`{"op":"remove","path":"active"}`, []string{"0 mutability active"}},
		{`{"op":"remove","path":"id"}`, []string{"0 mutability id"}},
		{`{"op":"remove","path":"groups"}`, []string{"0 mutability groups"}},
		// A path with a filter: all matches; a match is replaced as a whole, added to in part.
		{`{"op":"replace","path":"emails[type pr].display","value":"x"}`, []string{`+ emails[0].display = "x"`, `+ emails[1].display = "x"`}},
		{`{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"a@b.c","type":"work"}}`, []string{
			`- emails[0].primary = true`, `- emails[0].value = "ann@example.com"`, `+ emails[0].value = "a@b.c"`,
		}},
		{`{"op":"add","path":"emails[type eq \"work\"]","value":{"display":"W","primary":null}}`, []string{`- emails[0].primary = true`, `+ emails[0].display = "W"`}},
		{`{"op":"replace","path":"emails[not (type eq \"work\") and value co \"home\"].value","value":"h@b.c"}`, []string{`- emails[1].value = "ann@home.example"`, `+ emails[1].value = "h@b.c"`}},
		{`{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@b.c"}`, []string{`- emails[0].value = "ann@example.com"`, `+ emails[0].value = "a@b.c"`}},
		{`{"op":"replace","path":"emails[type pr]","value":{"value":"a@b.c"}}`, []string{ // two that became equal are one
			`- emails[0].primary = true`, `- emails[0].type = "work"`, `- emails[0].value = "ann@example.com"`, `- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`,
			`+ emails[0].value = "a@b.c"`,
		}},
		// A sub-attribute of a list without a filter is that of all of them, or of a first one.
		{`{"op":"replace","path":"emails.display","value":"x"}`, []string{`+ emails[0].display = "x"`, `+ emails[1].display = "x"`}},
		{`{"op":"add","path":"phoneNumbers.value","value":"1"}`, []string{`+ phoneNumbers[0].value = "1"`}},
		// Keys of a value without a path.
		{`{"op":"replace","value":{"name.givenName":"K"}}`, []string{`- name.givenName = "Ann"`, `+ name.givenName = "K"`}},
		{`{"op":"replace","value":{"⟪E⟫:department":"X"}}`, []string{`- E.department = "D"`, `+ E.department = "X"`}},
		{`{"op":"replace","value":{"⟪E⟫":{"department":"X"}}}`, []string{`- E.department = "D"`, `+ E.department = "X"`}},
		{`{"op":"replace","value":{"⟪U⟫":{"title":"T"}}}`, []string{`+ title = "T"`}},
		{`{"op":"replace","value":{"emails[type eq \"home\"].value":"h@b.c"}}`, []string{`- emails[1].value = "ann@home.example"`, `+ emails[1].value = "h@b.c"`}},
		{`{"op":"replace","value":{"⟪U⟫:title":"T"}}`, []string{`+ title = "T"`}},
		{`{"op":"replace","value":{"name":{"givenName":"A"},"name.givenName":"B"}}`, []string{`- name.givenName = "Ann"`, `+ name.givenName = "B"`}}, // the more exact one counts
		{`{"op":"replace","value":{"title":"A","⟪U⟫:title":"B"}}`, []string{"0 invalidSyntax title"}},
		{`{"op":"replace","value":"x"}`, []string{"0 invalidValue"}},
		{`{"op":"add"}`, []string{"0 invalidValue"}},
		// The URN of an extension alone is its object.
		{`{"op":"add","path":"⟪E⟫","value":{"costCenter":"C"}}`, []string{`+ E.costCenter = "C"`}},
		{`{"op":"add","path":"⟪E⟫","value":{"schemas":["⟪E⟫"],"costCenter":"C"}}`, []string{`+ E.costCenter = "C"`}},
		{`{"op":"replace","path":"⟪E⟫","value":{"department":"X","employeeNumber":null}}`, []string{`- E.department = "D"`, `- E.employeeNumber = "7"`, `+ E.department = "X"`}},
		{`{"op":"remove","path":"⟪E⟫"}`, []string{
			`- E.department = "D"`, `- E.employeeNumber = "7"`, `- E.manager.$ref = "../Users/m1"`, `- E.manager.displayName = "Mia"`, `- E.manager.value = "m1"`,
			`- schemas[1] = "E"`, `- schemas[2] = "X"`, `+ schemas[1] = "X"`,
		}},
		{`{"op":"remove","path":"⟪X⟫"}`, []string{"0 mutability ⟪X⟫"}},
		{`{"op":"add","path":"⟪X⟫","value":{"state":"x"}}`, []string{"0 mutability ⟪X⟫"}},
		{`{"op":"add","path":"⟪E⟫","value":"x"}`, []string{"0 invalidValue ⟪E⟫"}},
		{`{"op":"add","path":"⟪E⟫"}`, []string{"0 invalidValue ⟪E⟫"}},
		{`{"op":"add","path":"⟪U⟫","value":{"title":"T"}}`, []string{`+ title = "T"`}},
		{`{"op":"remove","path":"⟪U⟫"}`, []string{"0 noTarget ⟪U⟫"}},
		// The name of the operation in any case; a path of null is none.
		{`{"op":"REPLACE","path":null,"value":{"title":"T"}}`, []string{`+ title = "T"`}},
		{`{"op":"move","path":"title","value":"T"}`, []string{"0 invalidSyntax title"}},
		{`{"path":"title","value":"T"}`, []string{"0 invalidSyntax title"}},
		{`{"op":"add","path":5,"value":"T"}`, []string{"0 invalidSyntax"}},
		{`"add"`, []string{"0 invalidSyntax"}},
		// In order, each on the result of the last; all or nothing.
		{`{"op":"add","path":"title","value":"T"},{"op":"remove","path":"title"},{"op":"add","path":"nickName","value":"N"}`, []string{`+ nickName = "N"`}},
		{`{"op":"add","path":"title","value":"T"},{"op":"remove","path":"userName"},{"op":"move"}`, []string{"2 invalidSyntax"}},
		{`{"op":"add","path":"title","value":"T"},{"op":"add","path":"active","value":"yes"}`, []string{"1 invalidValue active"}},
		// Paths and filters that cannot be read, and values of another type.
		{`{"op":"add","path":"emails[","value":"T"}`, []string{`0 invalidPath emails[`}},
		{`{"op":"add","path":"","value":"T"}`, []string{"0 invalidPath"}},
		{`{"op":"add","path":"emails[shoe eq \"x\"].value","value":"T"}`, []string{`0 invalidFilter emails[shoe eq "x"].value`}},
		{`{"op":"add","path":"emails[primary eq \"x\"].value","value":"T"}`, []string{`0 invalidFilter emails[primary eq "x"].value`}},
		{`{"op":"add","path":"emails[type eq \"work\"].value","value":5}`, []string{`0 invalidValue emails[type eq "work"].value`}},
		{`{"op":"add","path":"emails[type eq \"work\"]","value":"x"}`, []string{`0 invalidValue emails[type eq "work"]`}},
		{`{"op":"add","path":"emails","value":{"value":"x"}}`, []string{"0 invalidValue emails"}},
		{`{"op":"add","path":"emails","value":[null]}`, []string{"0 invalidValue emails"}},
		{`{"op":"add","path":"name","value":"x"}`, []string{"0 invalidValue name"}},
		{`{"op":"add","path":"externalId","value":5}`, []string{"0 invalidValue externalId"}},
		{`{"op":"add","path":"x509Certificates","value":[{"value":"*"}]}`, []string{"0 invalidValue x509Certificates"}},
		{`{"op":"add","path":"title"}`, []string{"0 invalidValue title"}},
		{`{"op":"replace","path":"userName","value":" "}`, []string{"0 invalidValue userName"}},
		{`{"op":"replace","path":"name","value":{"familyName":""}}`, []string{"0 invalidValue name"}},
	}
	for i := range cases {
		for j := range cases[i].want {
			cases[i].want[j] = urns.Replace(cases[i].want[j])
		}
	}
	for name, r := range map[string]patch.Rules{"lenient": lenient, "strict": strict} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, schema.User(), user, r, cases)
		})
	}
}

// null unassigns, but not what is required; active null changes nothing unless taken at its word.
func TestNull(t *testing.T) {
	t.Parallel()
	check(t, schema.User(), user, lenient, []testCase{
		{`{"op":"replace","path":"displayName","value":null}`, []string{`- displayName = "Ann"`}},
		{`{"op":"add","path":"displayName","value":null}`, []string{`- displayName = "Ann"`}},
		{`{"op":"replace","path":"name","value":{"formatted":null}}`, []string{`- name.formatted = "Ann Lee"`}},
		{`{"op":"replace","path":"externalId","value":null}`, []string{`- externalId = "ext"`}},
		{`{"op":"replace","path":"⟪E⟫:manager","value":null}`, []string{`- E.manager.$ref = "../Users/m1"`, `- E.manager.displayName = "Mia"`, `- E.manager.value = "m1"`}},
		{`{"op":"replace","path":"⟪E⟫:manager","value":{"value":null}}`, []string{`- E.manager.$ref = "../Users/m1"`, `- E.manager.displayName = "Mia"`, `- E.manager.value = "m1"`}},
		{`{"op":"replace","path":"emails[type eq \"home\"].value","value":null}`, []string{`- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`}},
		{`{"op":"replace","path":"emails[type eq \"home\"]","value":null}`, []string{`- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`}},
		{`{"op":"replace","path":"phoneNumbers[type eq \"fax\"].value","value":null}`, []string{"note nothing-matched phoneNumbers.value"}}, // and none is made
		{`{"op":"replace","path":"userName","value":null}`, []string{"0 invalidValue userName"}},
		{`{"op":"replace","value":{"userName":null}}`, []string{"0 invalidValue userName"}},
		{`{"op":"replace","path":"name","value":{"givenName":null}}`, []string{"0 invalidValue name"}},
		{`{"op":"replace","path":"name","value":null}`, []string{"0 invalidValue name"}},
		{`{"op":"replace","path":"emails","value":null}`, []string{"0 invalidValue emails"}},
		{`{"op":"replace","value":{"active":null}}`, []string{"note active-null active"}},
		{`{"op":"replace","path":"active","value":null}`, []string{"note active-null active"}},
		{`{"op":"replace","path":"active","value":""}`, []string{"0 invalidValue active"}},
		{`{"op":"replace","path":"name","value":{}}`, nil},
	})
	check(t, schema.User(), user, strict, []testCase{
		{`{"op":"replace","path":"active","value":null}`, []string{"0 invalidValue active"}},
		{`{"op":"replace","path":"displayName","value":null}`, []string{`- displayName = "Ann"`}},
	})
	check(t, schema.Group(), group, lenient, []testCase{{`{"op":"replace","path":"displayName","value":null}`, []string{"0 invalidValue displayName"}}})
}

// primary true clears it on all others of the attribute, and an operation can give it to one only.
func TestPrimary(t *testing.T) {
	t.Parallel()
	check(t, schema.User(), user, strict, []testCase{
		{`{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`, []string{`- emails[0].primary = true`, `+ emails[0].primary = false`, `+ emails[1].primary = true`}},
		{`{"op":"add","path":"emails","value":[{"value":"a@b.c","primary":true}]}`, []string{
			`- emails[0].primary = true`, `+ emails[0].primary = false`, `+ emails[2].primary = true`, `+ emails[2].value = "a@b.c"`,
		}},
		{`{"op":"add","path":"emails","value":[{"value":"ann@home.example","type":"home","primary":true}]}`, []string{`- emails[0].primary = true`, `+ emails[0].primary = false`, `+ emails[1].primary = true`}},
		{`{"op":"add","path":"emails[type eq \"home\"]","value":{"primary":true}}`, []string{`- emails[0].primary = true`, `+ emails[0].primary = false`, `+ emails[1].primary = true`}},
		{`{"op":"replace","path":"emails[type pr].primary","value":true}`, []string{`0 invalidValue emails[type pr].primary`}},
		{`{"op":"replace","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, []string{`0 invalidValue emails`}},
		{`{"op":"replace","path":"emails[type eq \"work\"].primary","value":true}`, nil},
	})
}

// What is read-only is refused as a path and passed over in a value without one, where clients send back what
// they got (section 2.14 and the package's own wrong answers in 1.6).
func TestReadOnly(t *testing.T) {
	t.Parallel()
	for _, r := range []patch.Rules{lenient, strict} {
		check(t, schema.User(), user, r, []testCase{
			{`{"op":"replace","path":"groups","value":[{"value":"g2"}]}`, []string{"0 mutability groups"}},
			{`{"op":"replace","path":"groups[value eq \"g1\"].value","value":"g2"}`, []string{`0 mutability groups[value eq "g1"].value`}},
			{`{"op":"replace","path":"meta.version","value":"2"}`, []string{"0 mutability meta.version"}},
			{`{"op":"replace","path":"schemas","value":[]}`, []string{"0 mutability schemas"}},
			{`{"op":"replace","path":"⟪E⟫:manager.displayName","value":"M"}`, []string{urns.Replace("0 mutability ⟪E⟫:manager.displayName")}},
			{`{"op":"replace","value":{"id":"2","meta":{},"groups":[],"schemas":[]}}`, []string{
				"note read-only-ignored groups", "note read-only-ignored id", "note read-only-ignored meta", "note read-only-ignored schemas",
			}},
			{`{"op":"replace","path":"⟪E⟫:manager","value":{"value":"m1","displayName":"Other"}}`, []string{urns.Replace("note read-only-ignored ⟪E⟫:manager.displayName")}},
			// What follows from a value goes with it.
			{`{"op":"replace","path":"⟪E⟫:manager","value":{"value":"m2"}}`, []string{
				`- E.manager.$ref = "../Users/m1"`, `- E.manager.displayName = "Mia"`, `- E.manager.value = "m1"`, `+ E.manager.value = "m2"`,
			}},
			{`{"op":"remove","path":"⟪E⟫:manager.value"}`, []string{`- E.manager.$ref = "../Users/m1"`, `- E.manager.displayName = "Mia"`, `- E.manager.value = "m1"`}},
		})
	}
}

// The removal of listed values removes these, as clients mean it; the RFC gives the value no meaning.
func TestRemoveListed(t *testing.T) {
	t.Parallel()
	for _, r := range []patch.Rules{lenient, strict} {
		check(t, schema.User(), user, r, []testCase{
			{`{"op":"remove","path":"emails","value":[{"value":"ANN@home.example"}]}`, []string{"note listed-values-removed emails", `- emails[1].type = "home"`, `- emails[1].value = "ann@home.example"`}},
			{`{"op":"remove","path":"emails","value":[{"value":"ann@home.example","type":"work"}]}`, []string{"note listed-values-removed emails"}},
			{`{"op":"remove","path":"emails","value":[{"type":"work"}]}`, []string{"note listed-values-removed emails"}},
			{`{"op":"remove","path":"emails","value":[]}`, []string{"note listed-values-removed emails"}},
			{`{"op":"remove","path":"addresses","value":[{"type":"work"}]}`, []string{
				"note listed-values-removed addresses", `- addresses[0].formatted = "1 Main Street"`, `- addresses[0].locality = "Lund"`, `- addresses[0].type = "work"`,
			}},
			{`{"op":"remove","path":"emails","value":"x"}`, []string{"0 invalidValue emails"}},
		})
	}
}

// A value that says nothing is none, once all operations are done: they may make it in any order.
func TestEmptyElements(t *testing.T) {
	t.Parallel()
	check(t, schema.User(), user, lenient, []testCase{
		{`{"op":"add","path":"phoneNumbers[type eq \"fax\"].display","value":"F"}`, []string{"note element-built phoneNumbers.display", "note empty-element phoneNumbers"}},
		{`{"op":"add","path":"phoneNumbers[type eq \"fax\"].display","value":"F"},{"op":"add","path":"phoneNumbers[type eq \"fax\"].value","value":"1"}`, []string{
			"note element-built phoneNumbers.display", `+ phoneNumbers[0].display = "F"`, `+ phoneNumbers[0].type = "fax"`, `+ phoneNumbers[0].value = "1"`,
		}},
		{`{"op":"add","path":"emails","value":[{"type":"work"}]}`, []string{"note empty-element emails"}},
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	many := make([]string, patch.MaxOperations+1)
	for i := range many {
		many[i] = `{"op":"add","path":"title","value":"T"}`
	}
	values := make([]string, 501)
	for i := range values {
		values[i] = fmt.Sprintf(`{"value":"%d@b.c"}`, i)
	}
	check(t, schema.User(), user, lenient, []testCase{
		{strings.Join(many[:patch.MaxOperations], ","), []string{`+ title = "T"`}},
		{strings.Join(many, ","), []string{"-1"}},
		{`{"op":"add","path":"emails","value":[` + strings.Join(values, ",") + `]}`, []string{"0 invalidValue emails"}},
		{`{"op":"add","path":"emails","value":[` + strings.Join(values[:500], ",") + `]}`, []string{"0 invalidValue emails"}}, // with those that are there
	})
	long := `{"op":"add","path":"` + strings.Repeat("x", 5000) + `","value":1}`
	list, err := patch.Decode(decode(t, `{"schemas":["⟪P⟫"],"Operations":[`+long+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := patch.Apply(schema.User(), decode(t, user), list, strict); err == nil || len(err.Error()) > 500 {
		t.Errorf("a long path comes back in full: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `{"Operations":[]}`, `{"schemas":["⟪U⟫"],"Operations":[]}`, `{"schemas":["⟪P⟫"]}`, `{"schemas":["⟪P⟫"],"Operations":{}}`, `{"schemas":"⟪P⟫","Operations":[]}`,
	} {
		if _, err := patch.Decode(decode(t, text)); err == nil || refused(t, err) != "-1 invalidSyntax" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// null, absent, "", [] and {} are five different things.
func TestDecodeKeepsPresence(t *testing.T) {
	t.Parallel()
	got, err := patch.Decode(decode(t, `{"schemas":["⟪P⟫"],"Operations":[{"op":"add","path":"a","value":null},{"op":"Add","path":"a"},{"op":"add","value":""},{"op":"remove","path":null,"value":[]},{"op":"replace","value":{}}]}`))
	want := []patch.Op{
		{Op: "add", Path: "a", HasPath: true, HasValue: true},
		{Op: "add", Path: "a", HasPath: true},
		{Op: "add", Value: "", HasValue: true},
		{Op: "remove", Value: []any{}, HasValue: true},
		{Op: "replace", Value: map[string]any{}, HasValue: true},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// Changed is false where all that was asked for is so already: version and time of change stay.
func TestChanged(t *testing.T) {
	t.Parallel()
	for ops, want := range map[string]bool{
		`{"op":"replace","path":"displayName","value":"Ann"}`:                                               false,
		`{"op":"add","path":"emails","value":[{"value":"ann@home.example"}]}`:                               false,
		`{"op":"add","path":"title","value":"T"},{"op":"remove","path":"title"}`:                            false,
		`{"op":"remove","path":"emails[type eq \"other\"]"}`:                                                false,
		`{"op":"add","path":"title","value":"T"}`:                                                           true,
		`{"op":"replace","path":"emails[type eq \"work\"].primary","value":false}`:                          true,
		`{"op":"remove","path":"addresses[type eq \"work\"].locality"},{"op":"remove","path":"nickName"}`:   true,
		`{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","value":null}`: true,
	} {
		list, err := patch.Decode(decode(t, `{"schemas":["⟪P⟫"],"Operations":[`+ops+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		r, err := patch.Apply(schema.User(), decode(t, user), list, lenient)
		if err != nil || r.Changed != want {
			t.Errorf("%s: %v; changed %v", ops, err, r)
		}
	}
}

// Named is what a request is about, however it is written, and nothing that was ignored.
func TestNamed(t *testing.T) {
	t.Parallel()
	for ops, want := range map[string][]string{
		`{"op":"replace","path":"ACTIVE","value":true}`:                                                   {"active"},
		`{"op":"replace","value":{"⟪U⟫":{"active":false},"⟪U⟫:title":"T"}}`:                               {"active", "title"},
		`{"op":"add","path":"⟪U⟫","value":{"active":false}}`:                                              {"active"},
		`{"op":"replace","value":{"active":null,"id":"1","shoe":1}}`:                                      nil,
		`{"op":"remove","path":"emails[type eq \"x\"]"},{"op":"add","path":"name.givenName","value":"A"}`: {"emails", "name"},
		`{"op":"replace","path":"⟪E⟫","value":{"department":"D"}}`:                                        {"⟪E⟫:department"},
	} {
		list, err := patch.Decode(decode(t, `{"schemas":["⟪P⟫"],"Operations":[`+ops+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		r, err := patch.Apply(schema.User(), decode(t, user), list, lenient)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i] = urns.Replace(want[i])
		}
		if got := slices.Sorted(maps.Keys(r.Named)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", ops, got)
		}
	}
	r, err := patch.Put(schema.User(), decode(t, user), decode(t, `{"userName":"a","active":null,"id":"1","groups":[],"⟪E⟫":{"department":"D"},"title":null}`), lenient)
	if want := []string{"title", urns.Replace("⟪E⟫:department"), "userName"}; err != nil || !slices.Equal(slices.Sorted(maps.Keys(r.Named)), want) {
		t.Errorf("%v %v", r.Named, err)
	}
}

// What the package takes for granted of the schema: all lists that a client may set are of objects, and nothing is
// immutable but who a member is.
func TestSchemaIsWhatItIsTakenFor(t *testing.T) {
	t.Parallel()
	for _, ty := range schema.Types() {
		for _, s := range ty.Schemas() {
			for _, a := range s.Attributes {
				if a.Multi && a.Kind != schema.Complex && a.Mutability != schema.ReadOnly {
					t.Errorf("%s is a list of plain values", a.Path())
				}
				for _, sub := range append(a.Sub, a) {
					if sub.Mutability == schema.Immutable && a.Name != "members" || sub != a && sub.Multi && sub.Mutability != schema.ReadOnly {
						t.Errorf("%s is immutable or a list", sub.Path())
					}
				}
			}
		}
	}
}
