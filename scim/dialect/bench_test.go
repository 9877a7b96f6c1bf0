package dialect_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"usherd/scim/dialect"
	"usherd/scim/schema"
)

func BenchmarkNormalise(b *testing.B) {
	var members strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&members, `,{"value":"2819c223-7f76-453a-919d-%012d"}`, i)
	}
	for _, c := range []struct {
		name, method, body string
		ty                 *schema.Type
	}{
		{"active", http.MethodPatch, `W[{"op":"Replace","path":"active","value":"False"}]`, schema.User()},
		{"user", http.MethodPost, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","externalId":"1","active":true,"name":{"givenName":"A","familyName":"B"},
			"emails":[{"primary":true,"type":"work","value":"a@b.c"}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"7"}}}`, schema.User()},
		{"1,000 members", http.MethodPatch, `W[{"op":"add","path":"members","value":[` + members.String()[1:] + `]}]`, schema.Group()},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, sent := profileOf(b, "entra"), parse(b, message(c.body))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := dialect.Normalise(p, c.ty, c.method, sent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFilter(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		playFilter(profileOf(b, "entra"), schema.User(), `userName eq "ann@example.com"`)
	}
}
