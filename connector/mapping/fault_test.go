package mapping_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/mapping"
)

// wrongExpressions are mistakes that people make; testdata/faults.txt says what each is told.
var wrongExpressions = []struct{ target, expression string }{
	{"email", `upcase(mail)`},
	{"email", `lowr(mail)`},
	{"email", `frobnicate(mail)`},
	{"email", `mail ?? upcase(uid) + downcase(sn)`},
	{"email", `"é" + upcase(mail)`},
	{"email", `lower()`},
	{"email", `lower(mail, uid)`},
	{"email", `replace(mail, "a")`},
	{"email", `without(mail)`},
	{"email", `mail +`},
	{"email", `mail uid`},
	{"email", `(mail`},
	{"email", `lower(mail`},
	{"email", `mail, uid`},
	{"email", `"SE`},
	{"email", `“SE”`},
	{"email", `mail = "x" ? "a" : "b"`},
	{"email", `mail ? "a" : "b"`},
	{"email", `if mail == "" { "a" } else { "b" }`},
	{"email", `mail ?: uid`},
	{"email", `let x = mail; x`},
	{"email", `mail; uid`},
	{"email", `nil`},
	{"email", `mail == nil ? "a" : "b"`},
	{"email", `1.5`},
	{"email", `b"x"`},
	{"email", `{"a": 1}`},
	{"email", `$env`},
	{"email", `$env["mail"]`},
	{"email", `now()`},
	{"email", `filter(proxyAddresses, # contains "x")`},
	{"email", `map(proxyAddresses, lower(#))`},
	{"email", `all(proxyAddresses, true)`},
	{"email", `name.givenName`},
	{"email", `proxyAddresses[0]`},
	{"email", `mail[0:3]`},
	{"email", `mail.lower()`},
	{"email", `msDS-cloudExtensionAttribute1`},
	{"email", `attr(mail)`},
	{"email", `attr("")`},
	{"email", `attrs("a", "b")`},
	{"email", `default(mail)`},
	{"email", `"x" ?? mail`},
	{"email", `length(mail) ?? 5`},
	{"email", `(length(mail) ?? 5) == 5`},
	{"email", `mail ?? 5`},
	{"email", `(mail ?? 5) + "x"`},
	{"email", `department ?? "none" == "Sales"`},
	{"email", `(department ?? "none" == "Sales") ? "a" : "b"`},
	{"email", `mail == 5 ? "a" : "b"`},
	{"email", `all(mail) == "x" ? "a" : "b"`},
	{"email", `true == "x" ? "a" : "b"`},
	{"email", `mail > "a" ? "a" : "b"`},
	{"email", `mail + 5`},
	{"email", `5 + mail`},
	{"email", `mail + all(uid)`},
	{"email", `mail + (uid == "")`},
	{"email", `mail and uid`},
	{"email", `not mail ? "a" : "b"`},
	{"email", `-mail`},
	{"email", `+5`},
	{"email", `5 / 2`},
	{"email", `1..100000000`},
	{"email", `2 ** 64`},
	{"email", `mail in "abc" ? "a" : "b"`},
	{"email", `mail in [1, 2] ? "a" : "b"`},
	{"email", `mail == "" ? "a" : 5`},
	{"email", `join(lower(first(mail)), ",")`},
	{"email", `upper(all(mail)) + "x"`},
	{"email", `first(5)`},
	{"email", `nth(mail, "1")`},
	{"email", `match(mail, uid) ? "a" : "b"`},
	{"email", `match(mail, "a(b") ? "a" : "b"`},
	{"email", `keep(proxyAddresses, "^(?=smtp)x")`},
	{"email", `extract(mail, "x{2000}")`},
	{"email", `mail matches "[" ? "a" : "b"`},
	{"email", `""`},
	{"email", "\"a\x01b\""},
	{"email", strings.Repeat("(", 3000) + "mail" + strings.Repeat(")", 3000)},
	{"email", "mail" + strings.Repeat("+mail", 300)},
	{"email", `"` + strings.Repeat("x", 300) + `"`},
	{"email", "\"\xff\""},
	{"email", `mail /* why`},
	{"email", `mail ; `},
	{"hireDate", `"tomorrow"`},
	{"photo", `base64(jpegPhoto)`},
	{"photo", `jpegPhoto ?? base64(thumbnailPhoto)`},
	{"fisrtName", `givenName`},
	{"firstName", `givenName`},
	{"Email", `mail`},
	{"emial", `mail`},
	{"shoeSize", `shoeSize`},
	{"custom.", `x`},
	{"custom.a b", `x`},
	{"customX", `x`},
	{"packages", `"x"`},
	{"package", `5 > true ? "a" : "b"`},
}

func TestFaultsSayWhatToWriteInstead(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, c := range wrongExpressions {
		m, faults := mapping.Compile(mapping.Config{Attributes: map[string]mapping.Rule{c.target: {c.expression}}})
		if m != nil || len(faults) == 0 {
			t.Errorf("%s: %s is accepted", c.target, c.expression)
		}
		fmt.Fprintf(&b, "%s: %s\n", c.target, short(c.expression))
		for _, f := range faults {
			if f.Offset < 0 || f.Offset > len(c.expression) {
				t.Errorf("%s: offset %d", c.expression, f.Offset)
			}
			fmt.Fprintf(&b, "  %s %d: %s\n", f.Path, f.Offset, f.Message)
		}
	}
	golden(t, "testdata/faults.txt", b.String())
}

func short(s string) string {
	if len(s) > 80 {
		s = s[:80] + " ..."
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x01", "^A"), "?")
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run go test -update if it should:\n%s", path, diff)
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, faults := mapping.Compile(mapping.Config{
		Preset: "active-directory",
		Attributes: map[string]mapping.Rule{
			"email":    {"mail", "upcase(uid) + nil", "lower()"},
			"userName": {`"fixed"`, "uid"},
			"zip":      {"postalCode"},
			"title":    {"title", ""},
		},
	})
	got := make([]string, 0, len(faults))
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%s %d", f.Path, f.Offset))
	}
	want := []string{
		"preset 0", "attributes.zip 0", "attributes.userName[0] 0",
		"attributes.email[1] 0", "attributes.email[1] 14", "attributes.email[2] 0", "attributes.title[1] 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff, faults)
	}
}

func TestUnknownPresetsAreGuessed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"AD": "active_directory", "ActiveDirectory": "active_directory", "openldpa": "openldap", "ldap": "openldap", "389-ds": "389ds", "OpenLDAP": "openldap",
	} {
		_, faults := mapping.Compile(mapping.Config{Preset: name})
		if diff := cmp.Diff([]connector.Fault{{Path: "preset", Message: "unknown preset " + name + ": did you mean " + want + "?"}}, faults); diff != "" {
			t.Error(diff)
		}
	}
	if _, faults := mapping.Compile(mapping.Config{Preset: "oracle"}); len(faults) != 1 || !strings.Contains(faults[0].Message, "active_directory, openldap, 389ds, none") {
		t.Error(faults)
	}
}

func TestTooManyRulesAreRefused(t *testing.T) {
	t.Parallel()
	many := map[string]mapping.Rule{}
	for i := range 201 {
		many[fmt.Sprintf("custom.a%d", i)] = mapping.Rule{"mail"}
	}
	if _, faults := mapping.Compile(mapping.Config{Attributes: many}); len(faults) != 1 || faults[0].Path != "attributes" {
		t.Error(faults)
	}
	long := mapping.Config{Attributes: map[string]mapping.Rule{"email": make(mapping.Rule, 21)}}
	if _, faults := mapping.Compile(long); len(faults) != 1 || faults[0].Path != "attributes.email" {
		t.Error(faults)
	}
}
