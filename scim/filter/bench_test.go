package filter_test

import (
	"testing"

	"usherd/scim/filter"
	"usherd/scim/schema"
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

func BenchmarkMatch(b *testing.B) {
	r := decode(b, babs)
	for name, text := range map[string]string{
		"userName": `userName eq "bjensen@example.com"`,
		"brackets": `emails[type eq "home"].value eq "babs@jensen.org"`,
		"three":    `userName eq "x" or (emails.value co "jensen" and meta.lastModified gt "2010-01-01T00:00:00Z")`,
	} {
		b.Run(name, func(b *testing.B) {
			f := compile(b, schema.User(), text)
			b.ReportAllocs()
			for b.Loop() {
				if !f.Match(r) {
					b.Fatal("no match")
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	x, err := filter.Parse(`userName eq "bjensen@example.com"`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f, err := filter.Compile(schema.User(), x)
		if err != nil {
			b.Fatal(err)
		}
		f.Condition()
	}
}
