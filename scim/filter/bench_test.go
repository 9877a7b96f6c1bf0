package filter_test

import (
	"testing"

	"usherd/scim/filter"
)

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{
		"userName":   `userName eq "ann@example.com"`,
		"three":      `userName eq "ann@example.com" and (emails.value co "example" or meta.lastModified gt "2026-01-01T00:00:00Z")`,
		"enterprise": `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "7"`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := filter.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
