package filter_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	ast "github.com/scim2/filter-parser/v2"

	"usherd/connector"
	"usherd/scim/filter"
	"usherd/scim/schema"
)

// seed is a text that fuzzing starts from, and how often it is repeated: so fuzzing gets along with small inputs.
type seed struct {
	text  string
	times uint32
}

func seeds() []seed {
	all := []seed{
		{"(", 100_000},
		{"(", 400_000},
		{"not(", 100_000},
		{"a.", 500_000},
		{"a[", 2048},
		{"(", 32},
		{"a pr and ", 128},
		{`userName eq "bjensen"`, 1},
		{`title pr and userType eq "Employee" or not (emails co "example.com")`, 1},
		{`userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`, 1},
		{`emails[type eq "work"].value eq "a\"b\u00e9"`, 1},
		{`emails[type eq "work" or primary eq true] eq "x"`, 1},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value ne null`, 1},
		{`meta.lastModified gt "2011-05-13T04:42:34Z" and x lt -1.5e3`, 1},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`, 1},
		{`members[value eq "2819c223"].displayName`, 1},
	}
	for _, h := range hostile() {
		if len(h) <= 4096 {
			all = append(all, seed{h, 1})
		}
	}
	return all
}

// repeated is the whole input: at most a megabyte.
func (s seed) repeated() string {
	if s.text == "" {
		return ""
	}
	return strings.Repeat(s.text, min(int(s.times%1_000_000), 1_000_000/len(s.text)))
}

// FuzzParse: no panic, limits hold, and what is printed is read as the same again.
func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s.text, s.times)
	}
	f.Fuzz(func(t *testing.T, part string, times uint32) {
		text := seed{part, times}.repeated()
		x, err := filter.Parse(text)
		if err != nil {
			if e, ok := errors.AsType[*filter.Error](err); !ok || e.Offset < 0 || e.Offset > utf8.RuneCountInString(text) || e.Message == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		printed := filter.Print(x)
		if len(printed) > 4096 { // canonical spacing can be longer
			return
		}
		again, err := filter.Parse(printed)
		if d := cmp.Diff(x, again); err != nil || d != "" {
			t.Fatalf("printed as %s: %v\n%s", printed, err, d)
		}
		if twice := filter.Print(again); twice != printed {
			t.Fatalf("printed as %s, then as %s", printed, twice)
		}
	})
}

// FuzzParsePath is FuzzParse for paths.
func FuzzParsePath(f *testing.F) {
	for _, s := range seeds() {
		f.Add("emails[", s.text, s.times, "].value")
		f.Add("", s.text, s.times, "")
	}
	f.Fuzz(func(t *testing.T, before, part string, times uint32, after string) {
		text := before + seed{part, times}.repeated() + after
		p, err := filter.ParsePath(text)
		if err != nil {
			if e, ok := errors.AsType[*filter.Error](err); !ok || e.Offset < 0 || e.Offset > utf8.RuneCountInString(text) || e.Message == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		printed := filter.PrintPath(p)
		if len(printed) > 4096 {
			return
		}
		again, err := filter.ParsePath(printed)
		if d := cmp.Diff(p, again); err != nil || d != "" {
			t.Fatalf("printed as %s: %v\n%s", printed, err, d)
		}
	})
}

// FuzzParseAgainstFilterParser compares with the parser that the AST comes from, where it reads a text at
// all: it is no judge of the rest (scim2/filter-parser v2.2.0 does not know most of the forms in TestParse).
func FuzzParseAgainstFilterParser(f *testing.F) {
	for _, s := range seeds() {
		if s.times == 1 {
			f.Add(s.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 || !utf8.ValidString(text) || strings.Count(text, "(") > 8 { // it takes 100 µs for each level, and the stack has an end
			return
		}
		want, err := ast.ParseFilterNumber([]byte(text))
		if err != nil {
			return
		}
		want, ok := decoded(want)
		if !ok {
			return
		}
		got, err := filter.Parse(text)
		if err != nil && glued.MatchString(text) {
			return
		}
		if d := cmp.Diff(want, got, spelling); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
		wantPath, err := ast.ParsePathNumber([]byte("a[" + text + "].b"))
		if err != nil {
			return
		}
		wantPath.ValueExpression, _ = decoded(wantPath.ValueExpression)
		gotPath, err := filter.ParsePath("a[" + text + "].b")
		if err != nil && glued.MatchString("["+text) {
			return
		}
		if d := cmp.Diff(wantPath, gotPath, spelling); err != nil || d != "" {
			t.Fatalf("path: %v\n%s", err, d)
		}
	})
}

// spelling: filter-parser writes the e of a number small.
var spelling = cmp.Comparer(func(a, b json.Number) bool { return strings.EqualFold(a.String(), b.String()) })

// glued are operators within brackets without a blank before or behind them, which filter-parser alone takes: "a[b pror c pr]".
var glued = regexp.MustCompile(`(?i)\[.*(\w(and|or)|(and|or)[\w$])`)

// decoded does what filter-parser leaves undone: texts keep their backslashes there. It is not ok where
// they cannot be decoded.
func decoded(x ast.Expression) (_ ast.Expression, ok bool) {
	switch x := x.(type) {
	case *ast.LogicalExpression:
		left, ok := decoded(x.Left)
		right, ok2 := decoded(x.Right)
		return &ast.LogicalExpression{Left: left, Operator: x.Operator, Right: right}, ok && ok2
	case *ast.NotExpression:
		below, ok := decoded(x.Expression)
		return &ast.NotExpression{Expression: below}, ok
	case *ast.ValuePath:
		below, ok := decoded(x.ValueFilter)
		return &ast.ValuePath{AttributePath: x.AttributePath, ValueFilter: below}, ok
	case *ast.AttributeExpression:
		y := *x
		if s, ok := y.CompareValue.(string); ok {
			var text string
			if json.Unmarshal([]byte(`"`+s+`"`), &text) != nil {
				return nil, false
			}
			y.CompareValue = text
		}
		return &y, true
	}
	return nil, false
}

// FuzzCompile: no panic, whatever is asked of whatever; who matches meets the condition.
func FuzzCompile(f *testing.F) {
	for _, s := range seeds() {
		if s.times == 1 && len(s.text) < 200 {
			f.Add(s.text, uint64(1), false)
			f.Add(s.text, uint64(2), true)
		}
	}
	f.Fuzz(func(t *testing.T, text string, resource uint64, group bool) {
		x, err := filter.Parse(text)
		if err != nil {
			return
		}
		ty, kind := schema.User(), connector.UserResource
		if group {
			ty, kind = schema.Group(), connector.GroupResource
		}
		c, err := filter.CompileAmong(ty, schema.Types(), x)
		if err != nil {
			if e, ok := errors.AsType[*filter.Error](err); !ok || e.Attribute == "" || e.Message == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		r := chance{rand.New(rand.NewPCG(resource, 0))}.resource(ty)
		condition, exact := c.Condition()
		if err := condition.Check(kind); err != nil {
			t.Fatalf("%s: %v", show(condition), err)
		}
		if match, met := c.Match(r), meets(t, r, condition); match && !met || exact && match != met {
			t.Fatalf("match %t, %s (exact %t) met %t by\n%v", match, show(condition), exact, met, r)
		}
	})
}
