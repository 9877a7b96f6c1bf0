package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"usherd/connector"
	"usherd/connector/mapping"
)

type object = map[string]any

func TestSchemaIsFresh(t *testing.T) {
	t.Parallel()
	s := schemaOf(t, comments(t), reflect.TypeFor[Config](), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "usherd configuration"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	generated(t, "schema.json", b.Bytes())
}

// schemaOf describes a struct. Keys that may be left out may also stand there without a value.
func schemaOf(t *testing.T, docs map[string]string, typ reflect.Type, path string) object {
	t.Helper()
	properties, required := object{}, []string{}
	for _, k := range keysIn(t, docs, typ, path) {
		var s object
		if inner, suffix, ok := block(k.typ); !ok {
			s = valueSchema(k)
		} else if s = schemaOf(t, docs, inner, k.path+suffix); suffix != "" {
			s = object{"type": "array", "items": s}
		}
		s["description"] = k.meaning
		if k.standard != "" {
			s["description"] = strings.TrimRight(k.meaning, ".") + ". Default: " + k.standard + "."
		}
		if k.required {
			required = append(required, k.name)
		} else {
			orNull(s)
		}
		properties[k.name] = s
	}
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	if typ == reflect.TypeFor[Source]() {
		out["oneOf"] = []object{{"required": []string{"directory"}}, {"required": []string{"scim"}}}
	}
	if path == "" {
		properties["organizations"].(object)["minItems"] = 1
	}
	return out
}

func orNull(s object) {
	switch kind := s["type"].(type) {
	case string:
		s["type"] = []string{kind, "null"}
	case []string:
		s["type"] = append(kind, "null")
	default:
		s["oneOf"] = append(s["oneOf"].([]object), object{"type": "null"})
	}
	if list, ok := s["enum"].([]any); ok {
		s["enum"] = append(list, nil)
	}
}

const durationPattern = `^(0|([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*)$`

func valueSchema(k key) object {
	switch k.typ {
	case secretType:
		var forms []object
		for _, form := range []struct{ name, text string }{
			{"file", "Path of a file; the secret is its first line."},
			{"env", "Name of an environment variable."},
			{"credential", "Name of a systemd credential."},
		} {
			forms = append(forms, object{
				"type": "object", "additionalProperties": false, "required": []string{form.name},
				"properties": object{form.name: object{"type": "string", "description": form.text}},
			})
		}
		return object{"oneOf": forms}
	case reflect.TypeFor[connector.Duration]():
		return object{"type": []string{"string", "integer"}, "pattern": durationPattern, "minLength": 1, "minimum": 0, "maximum": 0}
	case reflect.TypeFor[Seats]():
		return object{"oneOf": []object{{"type": "integer", "minimum": 0}, {"const": "unlimited"}}}
	case reflect.TypeFor[map[string]mapping.Rule]():
		return byAttribute(object{"type": []string{"string", "number", "boolean", "array", "null"}, "items": text()}, "package")
	case reflect.TypeFor[map[string][]string]():
		return byAttribute(object{"type": "array", "items": text(), "uniqueItems": true})
	}
	typ, suffix, _ := block(k.typ)
	s := scalarSchema(k, typ)
	if suffix != "" {
		s = object{"type": "array", "items": s}
		if k.words() != nil || k.name == "required" {
			s["uniqueItems"] = true
		}
	}
	return s
}

// text is any single value: 10293 and yes are texts where one is wanted.
func text() object { return object{"type": []string{"string", "number", "boolean"}} }

func scalarSchema(k key, typ reflect.Type) object {
	if list := k.words(); list != nil {
		s := object{"type": "string"}
		for _, w := range list {
			s["enum"] = append(asList(s["enum"]), w)
		}
		return s
	}
	switch {
	case typ.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case typ.Kind() == reflect.Int:
		return object{"type": "integer", "minimum": 0}
	case typ.Kind() == reflect.Float64:
		return object{"type": []string{"number", "string"}, "minimum": 0, "maximum": 100, "pattern": `^[0-9.]+ *%?$`}
	case k.name == "id":
		return object{"type": []string{"string", "integer"}, "pattern": idPattern}
	case k.name == "store":
		return object{"type": "string", "pattern": "^(sqlite:.|postgres(ql)?://([^:@/]*@)?[^@]*$)"}
	case k.name == "required":
		return object{"type": "string", "pattern": "^(" + strings.Join(attributeNames(), "|") + `|custom\..+)$`}
	}
	return text()
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// byAttribute describes a block whose keys are attributes of a profile.
func byAttribute(value object, more ...string) object {
	properties := object{}
	for _, a := range connector.Attributes() {
		s := maps.Clone(value)
		s["description"] = a.Label
		properties[a.Name] = s
	}
	for _, name := range more {
		properties[name] = value
	}
	return object{
		"type": "object", "additionalProperties": false, "properties": properties, "patternProperties": object{`^custom\..`: value},
	}
}

// TestSchemaRejects holds which bad files an editor shows as such. All that have misspelt keys or wrong
// kinds are among them.
func TestSchemaRejects(t *testing.T) {
	t.Parallel()
	var s object
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	var rejected bytes.Buffer
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if yaml.Unmarshal(text, &v) != nil || v == nil {
			continue
		}
		wrong := violations(s, v, "")
		if len(wrong) > 0 {
			fmt.Fprintf(&rejected, "%s: %s\n", filepath.Base(path), strings.Join(wrong, "; "))
		}
		want, _ := os.ReadFile(strings.TrimSuffix(path, ".yaml") + ".want")
		structural := regexp.MustCompile(`unknown key|block of keys|list belongs|single value|does not stand in this file`).Match(want)
		if structural && len(wrong) == 0 {
			t.Errorf("%s: the schema accepts it", path)
		}
	}
	generated(t, "testdata/schema.want", rejected.Bytes())
	for _, path := range []string{"example.yaml", "testdata/good/minimal.yaml", "testdata/good/as-written.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if wrong := violations(s, v, ""); len(wrong) > 0 {
			t.Errorf("%s: the schema rejects it: %s", path, strings.Join(wrong, "; "))
		}
	}
}

// violations checks v against the part of JSON Schema that schema.json uses.
func violations(s object, v any, path string) []string {
	var out []string
	wrong := func(format string, args ...any) {
		out = append(out, strings.TrimPrefix(path, ".")+" "+fmt.Sprintf(format, args...))
	}
	if kinds := kindsOf(s["type"]); kinds != nil && !slices.ContainsFunc(kinds, func(k string) bool { return isKind(v, k) }) {
		wrong("is no %s", strings.Join(kinds, " or "))
		return out
	}
	if list, ok := s["enum"].([]any); ok && !slices.Contains(list, v) {
		wrong("is none of its words")
	}
	if c, ok := s["const"]; ok && c != v {
		wrong("is not %v", c)
	}
	if forms, ok := s["oneOf"].([]any); ok {
		fits := 0
		for _, form := range forms {
			if len(violations(form.(object), v, path)) == 0 {
				fits++
			}
		}
		if fits != 1 {
			wrong("has none of its forms")
		}
	}
	switch v := v.(type) {
	case string:
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			wrong("does not match")
		}
	case int, float64:
		f := reflect.ValueOf(v).Convert(reflect.TypeFor[float64]()).Float()
		if low, ok := s["minimum"].(float64); ok && f < low {
			wrong("is too small")
		}
		if high, ok := s["maximum"].(float64); ok && f > high {
			wrong("is too large")
		}
	case []any:
		out = append(out, itemViolations(s, v, path)...)
	case object:
		out = append(out, keyViolations(s, v, path)...)
	}
	return out
}

func itemViolations(s object, list []any, path string) []string {
	var out []string
	if least, ok := s["minItems"].(float64); ok && len(list) < int(least) {
		out = append(out, path+" is too short")
	}
	seen := map[string]bool{}
	for i, item := range list {
		text := fmt.Sprint(item)
		if s["uniqueItems"] == true && seen[text] {
			out = append(out, index(path, i)+" is there twice")
		}
		seen[text] = true
		if items, ok := s["items"].(object); ok {
			out = append(out, violations(items, item, index(path, i))...)
		}
	}
	return out
}

func keyViolations(s, v object, path string) []string {
	var out []string
	properties, _ := s["properties"].(object)
	patterns, _ := s["patternProperties"].(object)
	for _, name := range slices.Sorted(maps.Keys(v)) {
		inner, known := properties[name].(object)
		for p, value := range patterns {
			if !known && regexp.MustCompile(p).MatchString(name) {
				inner, known = value.(object), true
			}
		}
		if !known && s["additionalProperties"] == false {
			out = append(out, strings.TrimPrefix(path+"."+name, ".")+" is unknown")
			continue
		}
		out = append(out, violations(inner, v[name], path+"."+name)...)
	}
	for _, name := range asList(s["required"]) {
		if _, ok := v[name.(string)]; !ok {
			out = append(out, strings.TrimPrefix(path+"."+name.(string), ".")+" is missing")
		}
	}
	return out
}

func kindsOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, k := range v {
			out = append(out, k.(string))
		}
		return out
	}
	return nil
}

func isKind(v any, kind string) bool {
	switch v.(type) {
	case nil:
		return kind == "null"
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case int:
		return kind == "integer" || kind == "number"
	case float64:
		return kind == "number"
	case []any:
		return kind == "array"
	}
	return kind == "object"
}
