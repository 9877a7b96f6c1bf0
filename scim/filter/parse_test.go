package filter_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ast "github.com/scim2/filter-parser/v2"

	"usherd/scim/filter"
)

// at gives an attribute path from "name" or "name.sub".
func at(name string) ast.AttributePath {
	name, sub, dotted := strings.Cut(name, ".")
	p := ast.AttributePath{AttributeName: name}
	if dotted {
		p.SubAttribute = &sub
	}
	return p
}

// is is one comparison.
func is(name string, op ast.CompareOperator, value any) ast.Expression {
	return &ast.AttributeExpression{AttributePath: at(name), Operator: op, CompareValue: value}
}

func of(urn string, x ast.Expression) ast.Expression {
	x.(*ast.AttributeExpression).AttributePath.URIPrefix = &urn
	return x
}

func and(l, r ast.Expression) ast.Expression {
	return &ast.LogicalExpression{Left: l, Operator: ast.AND, Right: r}
}

func or(l, r ast.Expression) ast.Expression {
	return &ast.LogicalExpression{Left: l, Operator: ast.OR, Right: r}
}

func not(x ast.Expression) ast.Expression { return &ast.NotExpression{Expression: x} }

func in(name string, x ast.Expression) ast.Expression {
	return &ast.ValuePath{AttributePath: at(name), ValueFilter: x}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const core, ours = "urn:ietf:params:scim:schemas:core:2.0:User", "URN:my-co:ext_1+x%20é:2.0:User"
	for _, c := range []struct {
		text string
		want ast.Expression
	}{
		// The examples of RFC 7644 section 3.4.2.2.
		{`userName eq "bjensen"`, is("userName", ast.EQ, "bjensen")},
		{`name.familyName co "O'Malley"`, is("name.familyName", ast.CO, "O'Malley")},
		{`userName sw "J"`, is("userName", ast.SW, "J")},
		{core + `:userName sw "J"`, of(core, is("userName", ast.SW, "J"))},
		{`title pr`, is("title", ast.PR, nil)},
		{`meta.lastModified gt "2011-05-13T04:42:34Z"`, is("meta.lastModified", ast.GT, "2011-05-13T04:42:34Z")},
		{`meta.lastModified ge "2011-05-13T04:42:34Z"`, is("meta.lastModified", ast.GE, "2011-05-13T04:42:34Z")},
		{`meta.lastModified lt "2011-05-13T04:42:34Z"`, is("meta.lastModified", ast.LT, "2011-05-13T04:42:34Z")},
		{`meta.lastModified le "2011-05-13T04:42:34Z"`, is("meta.lastModified", ast.LE, "2011-05-13T04:42:34Z")},
		{`title pr and userType eq "Employee"`, and(is("title", ast.PR, nil), is("userType", ast.EQ, "Employee"))},
		{`title pr or userType eq "Intern"`, or(is("title", ast.PR, nil), is("userType", ast.EQ, "Intern"))},
		{`schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`, is("schemas", ast.EQ, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")},
		{
			`userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`,
			and(is("userType", ast.EQ, "Employee"), or(is("emails", ast.CO, "example.com"), is("emails.value", ast.CO, "example.org"))),
		},
		{
			`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`,
			and(is("userType", ast.NE, "Employee"), not(or(is("emails", ast.CO, "example.com"), is("emails.value", ast.CO, "example.org")))),
		},
		{`userType eq "Employee" and (emails.type eq "work")`, and(is("userType", ast.EQ, "Employee"), is("emails.type", ast.EQ, "work"))},
		{
			`userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`,
			and(is("userType", ast.EQ, "Employee"), in("emails", and(is("type", ast.EQ, "work"), is("value", ast.CO, "@example.com")))),
		},
		{
			`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`,
			or(in("emails", and(is("type", ast.EQ, "work"), is("value", ast.CO, "@example.com"))), in("ims", and(is("type", ast.EQ, "xmpp"), is("value", ast.CO, "@foo.com")))),
		},

		// Any case of keywords, extra blanks, precedence not > and > or.
		{"  a EQ \"x\"\tAnd\n b Pr oR not(c pR)  ", or(and(is("a", ast.EQ, "x"), is("b", ast.PR, nil)), not(is("c", ast.PR, nil)))},
		{`a pr or b pr and c pr or d pr`, or(or(is("a", ast.PR, nil), and(is("b", ast.PR, nil), is("c", ast.PR, nil))), is("d", ast.PR, nil))},
		{`a pr and (b pr and c pr)`, and(is("a", ast.PR, nil), and(is("b", ast.PR, nil), is("c", ast.PR, nil)))},
		{`a eq "x"and b eq "y"`, and(is("a", ast.EQ, "x"), is("b", ast.EQ, "y"))},
		{`a [ b pr ]`, in("a", is("b", ast.PR, nil))},
		{`(a pr)and(b pr)`, and(is("a", ast.PR, nil), is("b", ast.PR, nil))},
		{`((a pr))`, is("a", ast.PR, nil)},
		{`not pr and and pr`, and(is("not", ast.PR, nil), is("and", ast.PR, nil))}, // attributes may be called so
		{`android pr and order pr and nothing pr`, and(and(is("android", ast.PR, nil), is("order", ast.PR, nil)), is("nothing", ast.PR, nil))},

		// What filter-parser cannot read.
		{`id eq "1"`, is("id", ast.EQ, "1")},
		{`externalId eq "1"`, is("externalId", ast.EQ, "1")},
		{`emails[type eq "work"].value eq "x"`, in("emails", and(is("type", ast.EQ, "work"), is("value", ast.EQ, "x")))},
		{`emails[type eq "work"].Value pr`, in("emails", and(is("type", ast.EQ, "work"), is("Value", ast.PR, nil)))},
		{`emails[type eq "work"] eq "x"`, in("emails", and(is("type", ast.EQ, "work"), is("value", ast.EQ, "x")))},
		{`emails[type eq "work"] pr and a pr`, and(in("emails", is("type", ast.EQ, "work")), is("a", ast.PR, nil))},
		{`emails[type eq "a" or type eq "b"].value eq "x"`, in("emails", and(or(is("type", ast.EQ, "a"), is("type", ast.EQ, "b")), is("value", ast.EQ, "x")))},
		{`userName eq "a" and ` + ours + `:b eq "c"`, and(is("userName", ast.EQ, "a"), of(ours, is("b", ast.EQ, "c")))},
		{`emails[type eq "work" and value co "a" and primary eq true]`, in("emails", and(and(is("type", ast.EQ, "work"), is("value", ast.CO, "a")), is("primary", ast.EQ, true)))},
		{`emails[type eq "work" and (value co "a" or value co "b")]`, in("emails", and(is("type", ast.EQ, "work"), or(is("value", ast.CO, "a"), is("value", ast.CO, "b"))))},
		{`emails[not (type eq "work") and value pr]`, in("emails", and(not(is("type", ast.EQ, "work")), is("value", ast.PR, nil)))},
		{ours + `:a-b_c.$ref pr`, of(ours, is("a-b_c.$ref", ast.PR, nil))},
		{`a eq "x\"y\\z\/\b\f\n\r\t\u00E9\u00e9\uD83D\uDE00"`, is("a", ast.EQ, "x\"y\\z/\b\f\n\r\téé😀")},
		{`a eq "\ud800x\udc00"`, is("a", ast.EQ, "\ufffdx\ufffd")}, // lone surrogates
		{`a eq "\u0000\u202e"`, is("a", ast.EQ, "\x00\u202e")},
		{`a eq ""`, is("a", ast.EQ, "")},
		{`a eq "a) or (b"`, is("a", ast.EQ, "a) or (b")},
		{`a gt 9223372036854775808`, is("a", ast.GT, json.Number("9223372036854775808"))},
		{`a gt -0.5E+3`, is("a", ast.GT, json.Number("-0.5E+3"))},
		{`a eq true or a eq False or a eq NULL`, or(or(is("a", ast.EQ, true), is("a", ast.EQ, false)), is("a", ast.EQ, nil))},
	} {
		got, err := filter.Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, d)
		}
		again, err := filter.Parse(filter.Print(got))
		if d := cmp.Diff(got, again); err != nil || d != "" {
			t.Errorf("%s: printed as %s: %v\n%s", c.text, filter.Print(got), err, d)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		offset int
		part   string // of the message
	}{
		{``, 0, "empty"},
		{`   `, 0, "empty"},
		{"a eq \"\xff\"", 0, "UTF-8"},
		{`userName eq bjensen`, 12, "double quotes"},
		{`userName eq 'bjensen'`, 12, "double quotes"},
		{`userName eq yes`, 12, "double quotes"},
		{`userName eq`, 11, "double quotes"},
		{`userName eq -`, 12, "double quotes"},
		{`userName eq 01`, 12, "double quotes"},
		{`userName eq +1`, 12, "double quotes"},
		{`userName eq "a`, 12, "not closed"},
		{`userName eq "a\"`, 12, "not closed"},
		{`userName eq "a\`, 12, "not closed"},
		{`userName eq "a\x"`, 12, "backslash"},
		{`userName eq "a\u12"`, 12, "backslash"},
		{"userName eq \"é\n\"", 14, "control character"},
		{`userName eq "a"b"`, 15, `written \"`},
		{`userName is "a"`, 9, "operators"},
		{`userName = "a"`, 9, "operators"},
		{`userName`, 8, "operators"},
		{`userName eq "a" userName pr`, 16, `"and" or "or"`},
		{`userName pr)`, 11, "too many"},
		{`(userName pr`, 12, `")", which closes what opens at character 1`},
		{`é eq "a"`, 0, "name of an attribute"},
		{`userName pr and`, 15, "missing at the end"},
		{`not (userName pr`, 16, "closes"},
		{`not userName pr`, 4, "operators"},
		{`emails[type eq "work"`, 21, `"]"`},
		{`emails[type eq "work")`, 21, `"]"`},
		{`emails[a[b pr]]`, 8, "within brackets"},
		{`emails[]`, 7, "name of an attribute"},
		{`emails[type pr].`, 16, "sub-attribute"},
		{`emails[type pr].a.b pr`, 16, "sub-attribute"},
		{`emails[type pr].value`, 21, "operators"},
		{`a.b.c pr`, 0, "name of an attribute"},
		{`.a pr`, 0, "name of an attribute"},
		{`a. pr`, 0, "name of an attribute"},
		{`1a pr`, 0, "name of an attribute"},
		{`:a pr`, 0, "URN"},
		{`urn:x: pr`, 0, "name of an attribute"},
		{"a\x00 pr", 0, "name of an attribute"},
		{"\u202ea pr", 0, "name of an attribute"},
		{strings.Repeat("(", 33) + "a pr" + strings.Repeat(")", 33), 32, "more than 32 deep"},
		{strings.Repeat("not(", 33) + "a pr" + strings.Repeat(")", 33), 131, "more than 32 deep"},
		{strings.Repeat("(", 32) + "a[b pr]" + strings.Repeat(")", 32), 33, "more than 32 deep"},
		{strings.Repeat("(", 31) + "a[b pr or c pr].d pr" + strings.Repeat(")", 31), 32, "more than 32 deep"},
		{strings.Repeat("a pr or ", 128) + "a pr", 1025, "more than 128 comparisons"},
		{`a eq "` + strings.Repeat("x", 4096) + `"`, 4096, "longer than 4096 bytes"},
	} {
		x, err := filter.Parse(c.text)
		fault, ok := errors.AsType[*filter.Error](err)
		if !ok {
			t.Errorf("%s: %v, %v", c.text, x, err)
			continue
		}
		if fault.Offset != c.offset || !strings.Contains(fault.Message, c.part) {
			t.Errorf("%s: at %d: %s, want at %d: %s", c.text, fault.Offset, fault.Message, c.offset, c.part)
		}
	}
}

func TestParseAcceptsWhatIsJustWithinTheLimits(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		strings.Repeat("(", 32) + "a pr" + strings.Repeat(")", 32),
		strings.Repeat("not(", 31) + "a[b pr and c pr].d pr" + strings.Repeat(")", 31),
		strings.Repeat("not(", 30) + "a[b pr or c pr].d pr" + strings.Repeat(")", 30),
		strings.Repeat("a pr or ", 127) + "a pr",
		`a eq "` + strings.Repeat("x", 4096-7) + `"`,
	} {
		x, err := filter.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		again, err := filter.Parse(filter.Print(x))
		if d := cmp.Diff(x, again); err != nil || d != "" {
			t.Errorf("%s: printed as %s: %v\n%s", text, filter.Print(x), err, d)
		}
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	urn := func(urn string, p ast.AttributePath) ast.AttributePath {
		p.URIPrefix = &urn
		return p
	}
	for _, c := range []struct {
		text string
		want ast.Path
	}{
		{"members", ast.Path{AttributePath: at("members")}},
		{" name.familyName ", ast.Path{AttributePath: at("name.familyName")}},
		{`addresses[type eq "work"]`, ast.Path{AttributePath: at("addresses"), ValueExpression: is("type", ast.EQ, "work")}},
		{`members[value eq "2819c223-7f76-453a-919d-413861904646"]`, ast.Path{AttributePath: at("members"), ValueExpression: is("value", ast.EQ, "2819c223-7f76-453a-919d-413861904646")}},
		{
			`members[value eq "2819c223-7f76-453a-919d-413861904646"].displayName`,
			ast.Path{AttributePath: at("members"), ValueExpression: is("value", ast.EQ, "2819c223-7f76-453a-919d-413861904646"), SubAttribute: new("displayName")},
		},
		{`emails[type eq "other"].Value`, ast.Path{AttributePath: at("emails"), ValueExpression: is("type", ast.EQ, "other"), SubAttribute: new("Value")}},
		{`emails[type eq "a" and (value co "b" or not (primary eq true))].$ref`, ast.Path{
			AttributePath:   at("emails"),
			ValueExpression: and(is("type", ast.EQ, "a"), or(is("value", ast.CO, "b"), not(is("primary", ast.EQ, true)))),
			SubAttribute:    new("$ref"),
		}},
		{enterprise + ":employeeNumber", ast.Path{AttributePath: urn(enterprise, at("employeeNumber"))}},
		{enterprise + ":manager.value", ast.Path{AttributePath: urn(enterprise, at("manager.value"))}},
		{enterprise + `:manager[value eq "x"]`, ast.Path{AttributePath: urn(enterprise, at("manager")), ValueExpression: is("value", ast.EQ, "x")}},
		{enterprise, ast.Path{AttributePath: ast.AttributePath{URIPrefix: new(enterprise)}}},
		{strings.ToUpper(enterprise), ast.Path{AttributePath: ast.AttributePath{URIPrefix: new(strings.ToUpper(enterprise))}}},
		{"urn:unknown:2.0:User", ast.Path{AttributePath: urn("urn:unknown:2.0", at("User"))}},
	} {
		got, err := filter.ParsePath(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, d)
		}
		again, err := filter.ParsePath(filter.PrintPath(got))
		if d := cmp.Diff(got, again); err != nil || d != "" {
			t.Errorf("%s: printed as %s: %v\n%s", c.text, filter.PrintPath(got), err, d)
		}
	}
	for _, text := range []string{
		"", " ", "a b", "a eq 1", "a[b pr] eq 1", "a[b pr].c.d", "a[b pr].", "a[b pr]c", "a[", "a[]", "a..b", "a.b.c", "[b pr]", "(a)", `"a"`, "\x00", "urn:", enterprise + ":",
		strings.Repeat("a.", 500_000), "a[" + strings.Repeat("(", 100_000), strings.Repeat("[", 400_000),
	} {
		if got, err := filter.ParsePath(text); err == nil {
			t.Errorf("%.40q was read as %v", text, got)
		} else if _, ok := errors.AsType[*filter.Error](err); !ok {
			t.Errorf("%.40q: %T", text, err)
		}
	}
}

// hostile are inputs that ended processes, or could.
func hostile() []string {
	return []string{
		strings.Repeat("(", 100_000), strings.Repeat("(", 400_000), strings.Repeat("(", 4096), strings.Repeat("(", 32) + strings.Repeat(")", 32),
		strings.Repeat("not(", 100_000), strings.Repeat("not (", 819), strings.Repeat("not ", 1024),
		strings.Repeat("a.", 500_000), strings.Repeat("a.", 2048), strings.Repeat("a[", 2048), strings.Repeat(":", 4096), "urn" + strings.Repeat(":", 4093),
		`a eq "\ud800"`, `a eq "\udc00\ud800"`, "a eq \"\x00\"", "a\x00 eq 1", "a eq \"\u202e\u2066x\"", "\u200fa pr", "a\u2028pr",
		`a eq "` + strings.Repeat(`\`, 4000), strings.Repeat(`"`, 4096), strings.Repeat("a pr and ", 455), "a eq 1e" + strings.Repeat("9", 4000), "a eq -" + strings.Repeat("9", 4000),
	}
}

func TestHostileTextIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, text := range hostile() {
		_, _ = filter.Parse(text)
		_, _ = filter.ParsePath(text)
		_, _ = filter.ParsePath("a[" + text)
	}
	// Some milliseconds, unless the time or the stack grows faster than the text.
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
