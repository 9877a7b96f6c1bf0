package dialect_test

import (
	"net/http"
	"strings"
	"testing"

	"usherd/scim/schema"
)

// Forms that elimity-com/scim gets wrong at the version that is used here: it refuses the whole request for what
// clients send every day, or lets pass what must not be. It is not asked about them; this is what is answered instead.
func TestFormsThatThePackageGetsWrong(t *testing.T) {
	t.Parallel()
	const enterprise = schema.EnterpriseURN
	for _, c := range []struct{ name, method, ty, body, want string }{
		// PATCH: refused there.
		{"active as text", http.MethodPatch, "User", `W[{"op":"replace","path":"active","value":"False"}]`, "200"},
		{"active as odd text", http.MethodPatch, "User", `W[{"op":"replace","path":"active","value":"fAlse"}]`, "200"},
		{"the manager as text", http.MethodPatch, "User", `W[{"op":"add","path":"` + enterprise + `:manager","value":"271"}]`, "200"},
		{"the manager cleared", http.MethodPatch, "User", `W[{"op":"add","path":"` + enterprise + `:manager","value":""}]`, "200"},
		{"null", http.MethodPatch, "User", `W[{"op":"replace","path":"displayName","value":null}]`, "200"},
		{"schemas without a path", http.MethodPatch, "User", `W[{"op":"replace","value":{"schemas":[],"title":"T"}}]`, "200"},
		{"meta without a path", http.MethodPatch, "User", `W[{"op":"replace","value":{"meta":{},"title":"T"}}]`, "200"},
		{"one unknown attribute", http.MethodPatch, "User", `W[{"op":"replace","value":{"shoe":44,"title":"T"}}]`, "200"},
		{"an extension as path", http.MethodPatch, "User", `W[{"op":"replace","path":"` + enterprise + `","value":{"department":"D"}}]`, "200"},
		{"an extension as key", http.MethodPatch, "User", `W[{"op":"replace","value":{"` + enterprise + `":{"department":"D"}}}]`, "200"},
		{"members as ids", http.MethodPatch, "Group", `W[{"op":"add","path":"members","value":["id"]}]`, "200"},
		{"no operations", http.MethodPatch, "User", `W[]`, "200"},
		{"a body without schemas", http.MethodPatch, "User", `{"Operations":[{"op":"replace","path":"title","value":"T"}]}`, "200"},
		{"add without a value", http.MethodPatch, "User", `W[{"op":"add","path":"title"}]`, "400 invalidValue"},
		{"remove without a path", http.MethodPatch, "User", `W[{"op":"remove"}]`, "400 noTarget"},
		// PATCH: let pass there.
		{"groups are read-only", http.MethodPatch, "User", `W[{"op":"replace","path":"groups","value":[]}]`, "400 mutability"},
		{"the manager's name is read-only", http.MethodPatch, "User", `W[{"op":"replace","path":"` + enterprise + `:manager.displayName","value":"M"}]`, "400 mutability"},
		{"the user name is required", http.MethodPatch, "User", `W[{"op":"remove","path":"userName"}]`, "400 mutability"},
		{"no is no boolean", http.MethodPatch, "User", `W[{"op":"replace","path":"active","value":"no"}]`, "400 invalidValue"},
		{"null and absence are told apart: absent", http.MethodPatch, "Group", `W[{"op":"remove","path":"members"}]`, "200"},
		{"null and absence are told apart: null", http.MethodPatch, "Group", `W[{"op":"remove","path":"members","value":null}]`, "400 invalidValue"},
		{"a sub-attribute of an unknown one", http.MethodPatch, "User", `W[{"op":"replace","path":"emails[shoe eq \"x\"].value","value":"x"}]`, "400 invalidFilter"},
		// POST.
		{"emails as an object", http.MethodPost, "User", `{"userName":"a","emails":{"value":"a@b.c"}}`, "201"},
		{"two primary values", http.MethodPost, "User", `{"userName":"a","emails":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, "400 invalidValue"},
		{"an extension in another case", http.MethodPost, "User", `{"userName":"a","` + strings.ToUpper(enterprise) + `":{"department":"D"}}`, "201"},
		{"an attribute of an extension as a key", http.MethodPost, "User", `{"userName":"a","` + enterprise + `:department":"D"}`, "201"},
		{"active as text in POST", http.MethodPost, "User", `{"userName":"a","active":"True"}`, "201"},
		{"the manager as text in POST", http.MethodPost, "User", `{"userName":"a","` + enterprise + `":{"manager":"x"}}`, "201"},
		{"members as ids in POST", http.MethodPost, "Group", `{"displayName":"g","members":["id"]}`, "201"},
		{"a number as externalId", http.MethodPost, "User", `{"userName":"a","externalId":5}`, "201"},
		{"null in a list", http.MethodPost, "User", `{"userName":"a","emails":[null]}`, "400 invalidValue"},
		{"null for what is optional", http.MethodPost, "User", `{"userName":"a","title":null}`, "201"},
		{"something after the end", http.MethodPost, "User", `{"userName":"a"} x`, "400 invalidSyntax"},
		{"a key twice", http.MethodPost, "User", `{"userName":"a","userName":"b"}`, "400 invalidSyntax"},
		{"a key in two cases", http.MethodPost, "User", `{"userName":"a","username":"b"}`, "400 invalidSyntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := goldenCase{ty: schema.User(), method: c.method, request: message(c.body)}
			if c.ty == "Group" {
				g.ty = schema.Group()
			}
			if c.method == http.MethodPatch {
				g.before = fixture(t, g.ty)
			}
			got, rest, _ := strings.Cut(g.play(t, "generic"), "\n")
			if got != c.want {
				t.Errorf("%s, not %s: %s", got, c.want, rest)
			}
			if strings.HasPrefix(got, "20") && !strings.Contains(rest, "+ ") && !strings.Contains(rest, "- ") && !strings.Contains(rest, "members ") && !strings.Contains(rest, "quirk ") {
				t.Errorf("it was answered with success and nothing was done, nor told: %s", rest)
			}
		})
	}
}
