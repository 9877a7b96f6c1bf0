package dialect_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"usherd/scim/schema"
)

// A quarter of a megabyte of anything is answered: what takes quadratic time would take minutes here.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	const size = 1 << 18
	fill := func(item string) string { return strings.Repeat(item+",", size/(len(item)+1)) + item }
	keys := func(name, value string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, `,"%s%d":%s`, name, i, value)
		}
		return b.String()[1:]
	}
	ops := func(op string) string { return fill(op)[:(len(op)+1)*1000-1] }
	inner := `{"value":"x"}`
	for range 12 { // each level doubles the backslashes of the one before
		text, err := json.Marshal(inner)
		if err != nil {
			t.Fatal(err)
		}
		inner = `{"value":` + string(text) + `}`
	}
	for _, c := range []struct {
		name, method, body, want string
		ty                       *schema.Type
	}{
		{"unknown keys", http.MethodPost, `{"userName":"a",` + keys("x", "1") + `}`, "201", schema.User()},
		{"unknown keys without a path", http.MethodPatch, `W[{"op":"add","value":{` + keys("x", "1") + `}}]`, "200", schema.User()},
		{"paths as keys", http.MethodPatch, `W[{"op":"add","value":{` + manyPaths(size) + `}}]`, "400 invalidValue", schema.User()},
		{"paths as keys that find nothing", http.MethodPatch, `W[{"op":"add","value":{` + strings.ReplaceAll(manyPaths(2*size), `:"x"`, `:null`) + `}}]`, "413", schema.User()},
		{"a path of dots", http.MethodPatch, `W[{"op":"add","path":"` + strings.Repeat("a.", size/2) + `","value":1}]`, "400 invalidPath", schema.User()},
		{"a path of parentheses", http.MethodPatch, `W[{"op":"add","path":"emails[` + strings.Repeat("(", size) + `","value":1}]`, "400 invalidPath", schema.User()},
		{"values of a list", http.MethodPatch, `W[{"op":"add","path":"emails","value":[` + fill(`"x"`) + `]}]`, "400 invalidValue", schema.User()},
		{"values to remove", http.MethodPatch, `W[{"op":"remove","path":"emails","value":[` + fill(`{"type":"x"}`) + `]}]`, "400 invalidValue", schema.User()},
		{"members", http.MethodPatch, `W[{"op":"add","path":"members","value":[` + fill(`"x"`) + `]}]`, "200", schema.Group()},
		{"members that are none", http.MethodPatch, `W[{"op":"add","path":"members","value":[` + fill(`null`) + `]}]`, "200", schema.Group()},
		{"operations", http.MethodPatch, `W[` + ops(`{"op":"add","path":"emails[type eq \"x\" and display co \"y\"].display","value":"z"}`) + `]`, "400 noTarget", schema.User()},
		{"operations on all values", http.MethodPatch, `W[` + ops(`{"op":"add","path":"phoneNumbers","value":[{"value":"1"},{"value":"2"},{"value":"3"}]}`) + `]`, "200", schema.User()},
		{"more operations than there may be", http.MethodPatch, `W[` + fill(`{"op":"add","path":"title","value":"T"}`) + `]`, "413", schema.User()},
		{"JSON within JSON", http.MethodPost, `{"userName":"a","roles":[` + inner + `]}`, "201", schema.User()},
		{"one within the other", http.MethodPost, `{"userName":"a","emails":` + strings.Repeat("[", size) + `}`, "400 invalidSyntax", schema.User()},
		{"lists of one", http.MethodPost, `{"userName":` + strings.Repeat("[", 30) + `"a"` + strings.Repeat("]", 30) + `}`, "201", schema.User()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := goldenCase{ty: c.ty, method: c.method, request: message(c.body)}
			if c.method == http.MethodPatch {
				g.before = fixture(t, c.ty)
			}
			if got, _, _ := strings.Cut(g.play(t, "generic"), "\n"); got != c.want {
				t.Errorf("%s, not %s", got, c.want)
			}
		})
	}
}

// manyPaths are keys with a filter, of one attribute.
func manyPaths(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `,"phoneNumbers[value eq \"%d\"].display":"x"`, i)
	}
	return b.String()[1:]
}
