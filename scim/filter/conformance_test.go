package filter_test

import (
	"strings"
	"testing"

	ast "github.com/scim2/filter-parser/v2"

	"usherd/scim/filter"
	"usherd/scim/schema"
)

// TestWhereFilterParserIsWrong: what scim2/filter-parser v2.2.0 refuses or misreads, and what is done here. A case that it
// begins to do right fails, so that the reasons for a parser of our own stay true.
func TestWhereFilterParserIsWrong(t *testing.T) {
	t.Parallel()
	const refused = "refused"
	for _, c := range []struct {
		text   string
		theirs string // as it prints what it has read
		ours   string // as Print does, or the error of Compile
	}{
		// Entra's form, and value filters of more than two terms.
		{`emails[type eq "work"].value eq "x"`, refused, `emails[type eq "work" and value eq "x"]`},
		{`emails[type eq "work" and value co "a" and primary eq true]`, refused, `emails[type eq "work" and value co "a" and primary eq true]`},
		{`emails[type eq "work" and (value co "a" or value co "b")]`, refused, `emails[type eq "work" and (value co "a" or value co "b")]`},
		{`emails[not (type eq "work") and value pr]`, refused, `emails[not (type eq "work") and value pr]`},
		// URNs.
		{`urn:my-co:ext_1:2.0:User:a eq "x"`, refused, `there is no attribute "urn:my-co:ext_1:2.0:User:a" of a User`},
		// Meaning that it does not ask for.
		{`bogus[type eq "x"]`, `bogus[type eq "x"]`, `there is no attribute "bogus" of a User`},
		{`emails[bogus eq "x"]`, `emails[bogus eq "x"]`, `there is no attribute "emails.bogus" of a User`},
		{`active gt true`, `active gt true`, `active is true or false and can be compared with eq and ne only, not with gt`},
		{`userName eq 5`, `userName eq 5`, `userName is compared with text, in double quotes`},
		{`active eq "true"`, `active eq "true"`, `active is compared with true or false, without quotes`},
		{`password eq "x"`, `password eq "x"`, `nobody may ask for password, which is never returned`},
		// Texts and numbers.
		{`title eq "a\"b"`, `title eq "a\\\"b"`, `title eq "a\"b"`},
		{`title eq "a\u00E9b"`, `title eq "a\\u00E9b"`, `title eq "aéb"`},
		{`title eq "a\u00e9b"`, refused, `title eq "aéb"`},
		// Parentheses are lost when it prints.
		{`title pr and (locale pr or active eq true)`, `title pr and locale pr or active eq true`, `title pr and (locale pr or active eq true)`},
	} {
		theirs := refused
		if x, err := ast.ParseFilter([]byte(c.text)); err == nil {
			theirs = x.(interface{ String() string }).String()
		}
		if theirs != c.theirs {
			t.Errorf("%s: filter-parser reads %s, not %s", c.text, theirs, c.theirs)
		}
		x, err := filter.Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		ours := filter.Print(x)
		if _, err := filter.Compile(schema.User(), x); err != nil {
			ours = err.Error()
		}
		if ours != c.ours {
			t.Errorf("%s: %s, want %s", c.text, ours, c.ours)
		}
	}

	// Integers beyond 63 bits wrap round there.
	x, err := ast.ParseFilter([]byte("title gt 18446744073709551617"))
	if err != nil || x.(*ast.AttributeExpression).CompareValue.(int) > 0 {
		t.Errorf("filter-parser: %v, %v", x, err)
	}
	// The bare URN of an extension is cut there, also as the last part of a path.
	p, err := ast.ParsePath([]byte(schema.EnterpriseURN))
	if err != nil || p.AttributePath.AttributeName != "User" {
		t.Errorf("filter-parser: %v, %v", p, err)
	}
	if p, err := filter.ParsePath(schema.EnterpriseURN); err != nil || p.AttributePath.URI() != schema.EnterpriseURN || p.AttributePath.AttributeName != "" {
		t.Errorf("%v, %v", p, err)
	}
	// An attribute of an extension beside one of the core, the common ones, and URNs in any case.
	for _, text := range []string{
		`userName eq "a" and ⟪E⟫:department eq "b"`, `id eq "a"`, `externalId eq "a"`, `meta.created pr`, `schemas eq "a"`,
		strings.ToUpper(schema.EnterpriseURN) + `:department eq "b"`, strings.ToLower(schema.UserURN) + `:userName eq "b"`,
	} {
		compile(t, schema.User(), text)
	}
}

func TestParseOfTheUsualFilterAllocatesLittle(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _, _ = filter.Parse(`userName eq "ann@example.com"`) }); n > 3 {
		t.Errorf("%v allocations", n)
	}
}
