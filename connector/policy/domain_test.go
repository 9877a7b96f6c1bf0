package policy

import (
	"net/mail"
	"strings"
	"testing"

	"golang.org/x/net/idna"
)

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("d", 63)
	long := label + "." + label + "." + label + "." // 192
	tests := []struct{ address, want string }{
		{"ann@example.com", ""},
		{"Ann.Lee+x=y/z@Sub.Example.COM", ""},
		{"o'brien@example.com", ""},
		{"ann@bücher.example", ""},
		{"ann@xn--bcher-kva.example", ""},
		{strings.Repeat("l", 64) + "@example.com", ""},
		{"a@" + long + strings.Repeat("e", 60), ""}, // 254
		{"a@" + long + strings.Repeat("e", 61), "has 255 characters, at most 254"},
		{"", "an address is needed"},
		{"ann", "no @"},
		{"@example.com", "nothing stands before"},
		{"ann@", "something before, between and after"},
		{strings.Repeat("l", 65) + "@example.com", "has 65 characters, at most 64"},
		{strings.Repeat("l", 2000), "too long"},
		{"a\xff@example.com", "not UTF-8"},
		{"a@b@example.com", `'@' may not stand`},
		{"Ann Lee <ann@example.com>", `' ' may not stand`},
		{`"ann lee"@example.com`, `'"' may not stand`},
		{"ann(x)@example.com", `'(' may not stand`},
		{"jörg@example.com", `'ö' may not stand`},
		{".ann@example.com", "begins with a dot"},
		{"a..n@example.com", "two dots in a row"},
		{"ann.@example.com", "ends with a dot"},
		{"ann@[127.0.0.1]", "letters, digits and hyphens"},
		{"ann@127.0.0.1", "not an IP address"},
		{"ann@localhost", "at least two parts"},
		{"ann@example.com.", "something before, between and after"},
		{"ann@a..b", "something before, between and after"},
		{"ann@a_b.com", "letters, digits and hyphens"},
		{"ann@-a.com", "letters, digits and hyphens"},
		{"ann@a-.com", "letters, digits and hyphens"},
		{"ann@" + label + "d.com", "between two dots at most 63"},
		{"ann@example.com ", "letters, digits and hyphens"},
	}
	for _, tt := range tests {
		err := CheckAddress(tt.address)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%q: %v", tt.address, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q: %v, want %q", tt.address, err, tt.want)
		}
	}
}

func TestEmailDomain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		address, want string
		ok            bool
	}{
		{"ann@Example.COM", "example.com", true},
		{" ann@example.com ", "example.com", true},
		{"ann@BÜCHER.example", "xn--bcher-kva.example", true},
		{"ann@XN--BCHER-KVA.example", "xn--bcher-kva.example", true},
		{"ann@straße.example", "xn--strae-oqa.example", true},
		{"ann@例え。テスト", "xn--r8jz45g.xn--zckzah", true},
		{"a b@c@example.com", "example.com", true},
		{"example.com", "", false},
		{"ann@localhost", "localhost", false},
	}
	for _, tt := range tests {
		if got, ok := EmailDomain(tt.address); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %q, %v", tt.address, got, ok)
		}
	}
}

func TestParseDomain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		want    Name
		problem string
	}{
		{"Example.com.", Name{"example.com", "example.com", false}, ""},
		{" example.com ", Name{"example.com", "example.com", false}, ""},
		{"BÜCHER.example", Name{"xn--bcher-kva.example", "bücher.example", false}, ""},
		{"xn--bcher-kva.example", Name{"xn--bcher-kva.example", "bücher.example", false}, ""},
		{"corp.local", Name{"corp.local", "corp.local", false}, ""},
		{"github.io", Name{"github.io", "github.io", true}, ""},
		{"ann.github.io", Name{"ann.github.io", "ann.github.io", false}, ""},
		{"3com.com", Name{"3com.com", "3com.com", false}, ""},
		{"co.uk", Name{}, "public suffix"},
		{"公司.cn", Name{}, "public suffix"},
		{"com", Name{}, "at least two parts"},
		{"", Name{}, "a domain is needed"},
		{".", Name{}, "something before"},
		{"a..b.com", Name{}, "something before"},
		{"example.com..", Name{}, "something before"},
		{"a_b.com", Name{}, "letters, digits and hyphens"},
		{"xn--a.com", Name{}, "letters, digits and hyphens"},
		{"192.0.2.1", Name{}, "not an IP address"},
		{"2001:db8::1", Name{}, "letters, digits and hyphens"},
		{"ann@example.com", Name{}, "only what follows the @"},
		{"https://example.com", Name{}, "only the domain"},
		{"*.example.com", Name{}, "without the asterisk"},
		{strings.Repeat("a.", 130) + "com", Name{}, "at most 253"},
		{strings.Repeat("ü", 9000) + ".com", Name{}, "at most 253"},
	}
	for _, tt := range tests {
		got, err := ParseDomain(tt.name)
		switch {
		case tt.problem == "" && (err != nil || got != tt.want):
			t.Errorf("%q: %+v, %v", tt.name, got, err)
		case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)):
			t.Errorf("%q: %+v, %v; want %q", tt.name, got, err, tt.problem)
		case err != nil && len(err.Error()) > 600:
			t.Errorf("%.20q: an error of %d characters", tt.name, len(err.Error()))
		}
	}
}

// FuzzAddress holds our short grammar against the standard library's wide one and the fast path for
// domains against idna.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"ann@example.com", "a.b+c@x-y.z1", "a..b@c.d", "a@b_c.d", "ä@b.c", "a@[1.2.3.4]", "a@xn--bcher-kva.ex",
		"a@ab--cd.com", "a@1.2.3.4", "a@b.c.", "<a@b.c>", "a@ſ.com",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		domain, ok := EmailDomain(s)
		if ok {
			if again, _ := EmailDomain("x@" + domain); again != domain {
				t.Errorf("%q: %q and then %q", s, domain, again)
			}
			if want, err := idna.Lookup.ToASCII(s[strings.LastIndexByte(s, '@')+1:]); err == nil && want != domain {
				t.Errorf("%q: %q, idna says %q", s, domain, want)
			}
			if strings.ContainsAny(domain, "_ @/ABCDEFGHIJKLMNOPQRSTUVWXYZ") || len(domain) > maxDomain {
				t.Errorf("%q gives %q", s, domain)
			}
		}
		if CheckAddress(s) != nil {
			return
		}
		if !ok {
			t.Errorf("%q is an address without a domain", s)
		}
		if a, err := mail.ParseAddress(s); err != nil || a.Name != "" || a.Address != s {
			t.Errorf("%q is accepted, but net/mail says %+v, %v", s, a, err)
		}
	})
}

func BenchmarkCheckAddress(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if CheckAddress("ann.lee@staff.example.com") != nil {
			b.Fatal("refused")
		}
	}
}
