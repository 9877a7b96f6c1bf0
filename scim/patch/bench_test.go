package patch_test

import (
	"fmt"
	"testing"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

func BenchmarkApply(b *testing.B) {
	members := make([]any, 1000)
	for i := range members {
		members[i] = map[string]any{"value": fmt.Sprintf("2819c223-7f76-453a-919d-%012d", i)}
	}
	for _, c := range []struct {
		name string
		ty   *schema.Type
		from string
		op   patch.Op
	}{
		{"active", schema.User(), user, patch.Op{Op: patch.Replace, Path: "active", HasPath: true, Value: false, HasValue: true}},
		{"work email", schema.User(), user, patch.Op{Op: patch.Replace, Path: `emails[type eq "work"].value`, HasPath: true, Value: "a@b.c", HasValue: true}},
		{"one member", schema.Group(), group, patch.Op{Op: patch.Add, Path: "members", HasPath: true, Value: members[:1], HasValue: true}},
		{"1,000 members", schema.Group(), group, patch.Op{Op: patch.Add, Path: "members", HasPath: true, Value: members, HasValue: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			resource := decode(b, c.from)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := patch.Apply(c.ty, resource, []patch.Op{c.op}, lenient); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
