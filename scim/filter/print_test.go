package filter_test

import (
	"encoding/json"
	"testing"

	ast "github.com/scim2/filter-parser/v2"

	"usherd/scim/filter"
)

func TestPrintKeepsParentheses(t *testing.T) {
	t.Parallel()
	a, b, c := is("a", ast.PR, nil), is("b", ast.PR, nil), is("c", ast.PR, nil)
	for want, x := range map[string]ast.Expression{
		"a pr":                         a,
		"a pr and b pr and c pr":       and(and(a, b), c),
		"a pr and (b pr and c pr)":     and(a, and(b, c)),
		"a pr or b pr and c pr":        or(a, and(b, c)),
		"(a pr or b pr) and c pr":      and(or(a, b), c),
		"a pr or (b pr or c pr)":       or(a, or(b, c)),
		"not (a pr or b pr) and c pr":  and(not(or(a, b)), c),
		"not (not (a pr))":             not(not(a)),
		`a eq "q\"\\\u000a\u0000é�"`:   is("a", ast.EQ, "q\"\\\n\x00é\xff"),
		"a eq null":                    is("a", ast.EQ, nil),
		"a eq true":                    is("a", ast.EQ, true),
		"a ne false":                   is("a", ast.NE, false),
		"a gt -1.5e3":                  is("a", ast.GT, json.Number("-1.5e3")),
		"d[(a pr or b pr) and c pr]":   in("d", and(or(a, b), c)),
		"urn:x:y-z_1:2.0:User:a.$b pr": of("urn:x:y-z_1:2.0:User", is("a.$b", ast.PR, nil)),
	} {
		if got := filter.Print(x); got != want {
			t.Errorf("printed %s, want %s", got, want)
		}
	}
}

func TestPrintPath(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]ast.Path{
		"name.givenName":                  {AttributePath: ast.AttributePath{AttributeName: "name", SubAttribute: new("givenName")}},
		`emails[type eq "work"].value`:    {AttributePath: ast.AttributePath{AttributeName: "emails"}, ValueExpression: is("type", ast.EQ, "work"), SubAttribute: new("value")},
		"urn:x:2.0:User":                  {AttributePath: ast.AttributePath{URIPrefix: new("urn:x:2.0:User")}},
		`urn:x:2.0:User:a[value eq true]`: {AttributePath: ast.AttributePath{URIPrefix: new("urn:x:2.0:User"), AttributeName: "a"}, ValueExpression: is("value", ast.EQ, true)},
	} {
		if got := filter.PrintPath(p); got != want {
			t.Errorf("printed %s, want %s", got, want)
		}
	}
}
