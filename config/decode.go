package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"usherd/connector"
)

const maxDepth = 32

// decoder fills the Config from the nodes of the file. It goes on after a fault, so that all are told
// at once, and remembers where each path stands. yaml's own strict mode knows no columns, and its type
// errors quote the value, which may be a secret.
type decoder struct {
	file   string
	get    secretGetter
	faults Faults
	nodes  map[string]*yaml.Node
}

func (d *decoder) fault(n *yaml.Node, path, format string, args ...any) {
	d.faults = append(d.faults, Fault{d.file, max(n.Line, 1), max(n.Column, 1), path, fmt.Sprintf(format, args...)})
}

var (
	secretType    = reflect.TypeFor[connector.Secret]()
	textType      = reflect.TypeFor[encoding.TextUnmarshaler]()
	yamlUnmarshal = reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()
)

// decode puts n into v.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	if strings.Count(path, ".") > maxDepth {
		d.fault(n, path, "nested too deeply")
		return
	}
	if n.Kind == yaml.AliasNode {
		d.fault(n, path, "aliases (*name) are not used here: write the value out")
		return
	}
	d.nodes[path] = n
	switch {
	case v.Type() == secretType:
		d.secret(n, v, path)
	case n.Tag == "!!null":
		// The key is there without a value: as if it were left out.
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, v.Elem(), path)
	case v.Addr().Type().Implements(yamlUnmarshal):
		d.custom(n, v, path)
	case v.Addr().Type().Implements(textType):
		d.text(n, v, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path)
	case v.Kind() == reflect.Map:
		d.table(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) custom(n *yaml.Node, v reflect.Value, path string) {
	if err := n.Decode(v.Addr().Interface()); err != nil {
		d.fault(n, path, "%s", err)
		return
	}
	for i, item := range n.Content { // so that a fault in one item has its place
		d.nodes[fmt.Sprintf("%s[%d]", path, i)] = item
	}
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fault(n, path, "a single value belongs here, not a %s", kindName(n))
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
		d.fault(n, path, "%s", err)
	}
}

// structure decodes a mapping into the fields that its yaml tags name.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "a block of keys belongs here (%s), not a %s", strings.Join(keysOf(v.Type()), ", "), kindName(n))
		return
	}
	fields := fieldsOf(v.Type())
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		if line, twice := seen[key.Value]; twice {
			d.fault(key, at, "the key stands here twice; the first is in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		index, known := fields[key.Value]
		if !known {
			d.unknown(key, at, v.Type())
			continue
		}
		d.decode(value, v.Field(index), at)
	}
}

func (d *decoder) unknown(key *yaml.Node, path string, t reflect.Type) {
	known := keysOf(t)
	if s := similar(key.Value, known); s != "" {
		d.fault(key, path, "unknown key %q: did you mean %q?", key.Value, s)
		return
	}
	d.fault(key, path, "unknown key %q: the keys here are %s", key.Value, strings.Join(known, ", "))
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fault(n, path, "a list belongs here, with a hyphen before each item, not a %s", kindName(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.decode(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (d *decoder) table(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "a block of keys belongs here, not a %s", kindName(n))
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, at := n.Content[i], join(path, n.Content[i].Value)
		k := reflect.ValueOf(key.Value)
		if v.MapIndex(k).IsValid() {
			d.fault(key, at, "the key stands here twice")
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.decode(n.Content[i+1], item, at)
		d.nodes[at] = n.Content[i+1]
		v.SetMapIndex(k, item)
	}
}

// scalar decodes a single value. Text is taken as it is written: 0123 and +46 stay what they are.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fault(n, path, "a single value belongs here, not a %s", kindName(n))
		return
	}
	switch v.Kind() { //nolint:exhaustive // Config has no other kinds; a test walks through it
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Value != "true" && n.Value != "false" {
			d.fault(n, path, "%q is neither true nor false", n.Value)
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if err != nil {
			d.fault(n, path, "%q is not a whole number", n.Value)
			return
		}
		v.SetInt(int64(i))
	case reflect.Float64:
		f, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(n.Value), "%"), 64)
		if err != nil || f != f {
			d.fault(n, path, "%q is not a number", n.Value)
			return
		}
		v.SetFloat(f)
	default:
		panic("config: no way to decode a " + v.Type().String())
	}
}

// UnmarshalText reads a number of seats or "unlimited".
func (s *Seats) UnmarshalText(b []byte) error {
	if string(b) == "unlimited" {
		*s = connector.Unlimited
		return nil
	}
	n, err := strconv.Atoi(string(b))
	if err != nil || n < 0 {
		return fmt.Errorf(`%q is no number of seats: write a whole number from 0, or "unlimited"`, b)
	}
	*s = Seats(n)
	return nil
}

func fieldsOf(t reflect.Type) map[string]int {
	m := map[string]int{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" {
			m[name] = i
		}
	}
	return m
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" {
			keys = append(keys, name)
		}
	}
	return slices.Clip(keys)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "block of keys"
	case yaml.SequenceNode:
		return "list"
	case yaml.ScalarNode:
		return "single value"
	case yaml.DocumentNode, yaml.AliasNode:
	}
	return "reference"
}
