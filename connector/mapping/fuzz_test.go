package mapping_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"usherd/connector"
	"usherd/connector/mapping"
)

func FuzzCompile(f *testing.F) {
	for _, c := range wrongExpressions {
		f.Add(c.target, c.expression, "a,b")
	}
	for _, block := range []string{
		`mail ?? lower(uid) + "@example.com"`, `without(extract(proxyAddresses, "^smtp:(.+)$"), mail)`, `(a ?? b) in [c, "d"] ? title(e) : text(1 - -2 * 3)`,
		`concat(all(a), [b], split(c, ",")) ?? attrs("x")`, `1 < 2 < 3 ? "a" : "b"`, `a | lower() | replace("x", "y")`, `substring(a, number(b), 3)`,
	} {
		f.Add("custom.x", block, "Smtp:x")
	}
	f.Fuzz(func(t *testing.T, target, expression, value string) {
		m, faults := mapping.Compile(mapping.Config{Attributes: map[string]mapping.Rule{target: {expression}}})
		if (m == nil) != (len(faults) > 0) {
			t.Fatalf("mapping %v, faults %v", m, faults)
		}
		for _, fault := range faults {
			if fault.Message == "" || fault.Path == "" || fault.Offset < 0 || fault.Offset > len(expression) {
				t.Errorf("fault %+v", fault)
			}
			if strings.Contains(fault.Message, "cannot be compiled: write") {
				t.Errorf("expr refuses what the resolver accepts: %s", expression)
			}
		}
		if m == nil {
			return
		}
		r := &connector.Record{DN: value}
		for _, name := range m.Attributes() {
			r.Attributes = append(r.Attributes, connector.Attribute{Name: name, Values: [][]byte{[]byte(value), []byte("b")}})
		}
		checkMapped(t, m.Map(r))
	})
}

func FuzzMap(f *testing.F) {
	f.Add([]byte("ann@example.com"), []byte("SMTP:a@x"), []byte("CN=Berg\\, Ann,OU=x"))
	f.Add([]byte("\xff\xfe"), []byte("smtp:\x00"), []byte("CN=\\"))
	f.Add([]byte("20240131083000.0Z"), []byte("133000000000000000"), []byte("514"))
	c := rules("userName", "a", "email", "lower(b) ?? c", "otherEmails", `without(extract(b, "(?i)^smtp:(.+)$"), a)`, "displayName", `title(a) + " " + upper(c)`,
		"department", "ou(c)", "manager", "rdn(c)", "hireDate", "a", "custom.t", "generalizedTime(a)", "custom.f", "filetime(b)", "photo", "a", "roles", `split(a, ",")`,
		"custom.b", "base64(b)", "custom.s", "substring(a, 1, 3) + left(b, 2) + right(c, 2)", "streetAddress", "oneLine(a)", "custom.n", "text(number(c) + 1)",
		"custom.r", `regexReplace(a, "(.)", "$1$1")`, "package", `bit(c, 2) ? "off" : inFold(a, b) ? "x" : "y"`, "nickName", `containsFold(a, b) ? a : replace(a, "a", c)`)
	m, faults := mapping.Compile(c)
	if faults != nil {
		f.Fatal(faults)
	}
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		r := &connector.Record{Attributes: []connector.Attribute{
			{Name: "a", Values: [][]byte{a}}, {Name: "B", Values: [][]byte{b, a, c}}, {Name: "c", Values: [][]byte{c, b}},
		}}
		one := m.Map(r)
		checkMapped(t, one)
		if two := m.Map(r.Clone()); !one.Profile.Equal(two.Profile) || one.Package != two.Package || len(one.Faults) != len(two.Faults) {
			t.Errorf("the same record gives %v and %v", one, two)
		}
	})
}

// checkMapped holds for whatever a source sends.
func checkMapped(t *testing.T, got connector.Mapped) {
	t.Helper()
	for name, values := range got.Profile {
		info, ok := connector.AttributeByName(name)
		if !ok || len(values) == 0 || len(values) > 1 && !info.Multi {
			t.Errorf("%s has %q", name, values)
		}
		for _, v := range values {
			tooLong := info.Type != connector.BinaryType && utf8.RuneCountInString(v) > info.MaxLen
			if v == "" || v != strings.TrimSpace(v) || !utf8.ValidString(v) || tooLong || strings.IndexFunc(v, unicode.IsControl) >= 0 {
				t.Errorf("%s has %q", name, v)
			}
		}
	}
	for _, f := range got.Faults {
		if got.Profile[f.Attribute] != nil || f.Detail == "" || f.Detail == "the expression cannot be computed for this record" {
			t.Errorf("fault %+v", f)
		}
	}
}
