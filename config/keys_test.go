package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"usherd/connector"
	"usherd/connector/mapping"
)

// Keys of the configuration, as the Go types and their comments tell them: schema.json and REFERENCE.md are
// made of these, and example.yaml must have each.

type key struct {
	path     string // with [] for an item of a list and * for a free key
	name     string
	typ      reflect.Type
	meaning  string
	standard string // what it is when it is left out
	required bool
}

// end is the last part of the path, as the table words has it.
func (k key) words() []string {
	plain := "." + strings.ReplaceAll(k.path, "[]", "")
	for end, list := range words {
		if strings.HasSuffix(plain, "."+end) {
			return list
		}
	}
	return nil
}

// keysIn returns the keys of one struct.
func keysIn(t *testing.T, docs map[string]string, typ reflect.Type, path string) []key {
	t.Helper()
	var out []key
	for f := range typ.Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" {
			t.Fatalf("%s.%s has no key", typ, f.Name)
		}
		doc, ok := docs[typ.PkgPath()+"."+typ.Name()+"."+f.Name]
		if !ok {
			t.Fatalf("%s.%s has no comment", typ, f.Name)
		}
		k := key{path: join(path, name), name: name, typ: f.Type}
		k.required = option == "" && typ != reflect.TypeFor[connector.Guard]()
		k.meaning, k.standard = explain(doc, f.Name, typ)
		out = append(out, k)
	}
	return out
}

// block returns the struct that a type is, points to or is a list of.
func block(typ reflect.Type) (reflect.Type, string, bool) {
	suffix := ""
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice {
			suffix = "[]"
		}
		typ = typ.Elem()
	}
	return typ, suffix, typ.Kind() == reflect.Struct && typ != secretType
}

// walk visits all keys, those of a block after it.
func walk(t *testing.T, docs map[string]string, typ reflect.Type, path string, visit func(key)) {
	t.Helper()
	for _, k := range keysIn(t, docs, typ, path) {
		visit(k)
		if inner, suffix, ok := block(k.typ); ok {
			walk(t, docs, inner, k.path+suffix, visit)
		}
	}
}

// comments reads what the Go sources say of the fields of structs.
func comments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for pkg, pattern := range map[string]string{
		"usherd/config": "*.go", "usherd/ldapsync": "../ldapsync/config.go", "usherd/connector": "../connector/*.go",
		"usherd/connector/mapping": "../connector/mapping/config.go", "usherd/connector/notify": "../connector/notify/config.go",
		"usherd/connector/schedule": "../connector/schedule/config.go",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(out, fieldComments(pkg, tree))
		}
	}
	return out
}

func fieldComments(pkg string, tree *ast.File) map[string]string {
	out := map[string]string{}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			return false
		}
		for _, f := range fields.Fields.List {
			text := f.Doc.Text() + f.Comment.Text()
			for _, name := range f.Names {
				if text != "" {
					out[pkg+"."+spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
				}
			}
		}
		return false
	})
	return out
}

var standardForm = regexp.MustCompile(`[;.] [Dd]efault (?:is )?(.+?)(?:\. |\.$|$)`)

// explain makes of a Go comment what an administrator reads, the default apart from the meaning.
func explain(doc, field string, typ reflect.Type) (meaning, standard string) {
	if m := standardForm.FindStringSubmatchIndex(doc); m != nil {
		standard = doc[m[2]:m[3]]
		doc = strings.TrimSpace(doc[:m[0]] + ". " + doc[m[1]:])
	}
	for _, start := range []string{field + " is ", field + " are ", field + " "} {
		if rest, ok := strings.CutPrefix(doc, start); ok {
			doc = rest
			break
		}
	}
	doc = strings.ReplaceAll(doc, " (connector.Attributes)", "")
	r, size := utf8.DecodeRuneInString(doc)
	doc = string(unicode.ToUpper(r)) + doc[size:]
	for f := range typ.Fields() {
		if strings.ToUpper(f.Name) == f.Name { // TLS, DNS: they mean themselves
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		word := regexp.MustCompile(`\b` + f.Name + `\b`)
		doc, standard = doc[:1]+word.ReplaceAllString(doc[1:], name), word.ReplaceAllString(standard, name)
	}
	return doc, standard
}

// kindWords says in a word or two what belongs behind a key.
func kindWords(k key) string {
	if list := k.words(); list != nil && k.typ.Kind() == reflect.Slice {
		return "list of " + strings.Join(list, ", ")
	} else if list != nil {
		return strings.Join(list, ", ")
	}
	switch k.typ {
	case secretType:
		return "secret"
	case reflect.TypeFor[connector.Duration]():
		return "duration"
	case reflect.TypeFor[Seats]():
		return "number or `unlimited`"
	case reflect.TypeFor[map[string]mapping.Rule]():
		return "attribute: expression, or list of them"
	case reflect.TypeFor[map[string][]string]():
		return "attribute: list of sources"
	}
	typ, suffix, isBlock := block(k.typ)
	switch {
	case isBlock && suffix != "":
		return "list of blocks"
	case isBlock:
		return "block"
	case suffix != "":
		return "list of texts"
	}
	return map[reflect.Kind]string{reflect.Bool: "true, false", reflect.Int: "number", reflect.Float64: "percentage"}[typ.Kind()] +
		map[bool]string{true: "text"}[typ.Kind() == reflect.String]
}
