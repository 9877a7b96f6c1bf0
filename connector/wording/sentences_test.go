package wording_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hole stands in a sentence of the program for what is known only while it runs.
const hole = "\x00"

// sentence is a text with blanks that the source of a package makes, and where.
type sentence struct{ at, text string }

var verb = regexp.MustCompile(`%[-+#0]*(\d+|\*)?(\.\d+)?[a-zA-Z]`)

// collect returns the sentences of a package: literals, and what is put together of them by + or by a format. Tests are left out.
func collect(t *testing.T, dir string) []sentence {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := collector{files: token.NewFileSet(), consts: map[string]ast.Expr{}, done: map[ast.Node]bool{}}
	var parsed []*ast.File
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(c.files, filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
		c.constants(f.Decls)
	}
	for _, f := range parsed {
		c.local = map[string]ast.Expr{}
		ast.Inspect(f, c.visit)
	}
	return c.found
}

type collector struct {
	files  *token.FileSet
	consts map[string]ast.Expr // of the package
	local  map[string]ast.Expr // of the function that is looked at
	done   map[ast.Node]bool
	found  []sentence
}

func (c *collector) constants(list []ast.Decl) {
	for _, d := range list {
		if d, ok := d.(*ast.GenDecl); ok {
			note(c.consts, d)
		}
	}
}

func note(consts map[string]ast.Expr, d *ast.GenDecl) {
	if d.Tok != token.CONST {
		return
	}
	for _, s := range d.Specs {
		v := s.(*ast.ValueSpec) //nolint:forcetypeassert // what a const has
		for i, name := range v.Names {
			if i < len(v.Values) {
				consts[name.Name] = v.Values[i]
			}
		}
	}
}

func (c *collector) visit(n ast.Node) bool {
	switch x := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.Field:
		c.done[x.Tag] = true
	case *ast.FuncDecl:
		c.local = map[string]ast.Expr{}
	case *ast.GenDecl:
		note(c.local, x)
	case *ast.BinaryExpr, *ast.BasicLit:
		if c.done[n] {
			return true
		}
		text, ok := c.flat(x.(ast.Expr), 0) //nolint:forcetypeassert // both are
		if text = verb.ReplaceAllString(strings.ReplaceAll(text, "%%", "%"), hole); ok && isSentence(text) {
			c.found = append(c.found, sentence{c.files.Position(n.Pos()).String(), text})
		}
	}
	return true
}

// flat is an expression as a text with holes; ok = there is a literal in it. What it has used is done.
func (c *collector) flat(e ast.Expr, depth int) (text string, ok bool) {
	switch x := e.(type) {
	case *ast.BasicLit:
		if x.Kind != token.STRING {
			return hole, false
		}
		c.done[x] = true
		s, err := strconv.Unquote(x.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		if x.Op != token.ADD {
			return hole, false
		}
		c.done[x] = true
		a, ok1 := c.flat(x.X, depth)
		b, ok2 := c.flat(x.Y, depth)
		return a + b, ok1 || ok2
	case *ast.ParenExpr:
		return c.flat(x.X, depth)
	case *ast.Ident:
		v, known := c.local[x.Name]
		if !known {
			v, known = c.consts[x.Name]
		}
		if known && depth < 3 {
			if s, ok := c.flat(v, depth+1); ok {
				return s, true
			}
		}
	}
	return hole, false
}

var words = regexp.MustCompile(`\pL[\pL,']* [^ ]*\pL`)

// isSentence leaves out what is only commands and separators.
func isSentence(text string) bool {
	return words.MatchString(text)
}
