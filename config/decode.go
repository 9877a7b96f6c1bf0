package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"usherd/connector"
)

const (
	maxFaults = 200    // as many as anybody repairs at one go
	maxItems  = 10_000 // of a list or block
)

// decoder fills the Config from the nodes of the file. It goes on after a fault, so that all are told
// at once, and remembers where each path stands. yaml's own strict mode knows no columns, and its type
// errors quote the value, which may be a secret.
type decoder struct {
	file     string
	lines    [][]byte
	get      secretGetter
	faults   Faults
	warnings Faults
	nodes    map[string]*yaml.Node // value by path
	keys     map[string]*yaml.Node // key by path
	secrets  map[string]connector.Secret
	wrong    map[string]bool // paths whose value, or part of it, could not be had
	broken   bool            // the file has what YAML allows and a configuration does not
}

func newDecoder(file string, lines [][]byte, get secretGetter) *decoder {
	return &decoder{
		file: file, lines: lines, get: get,
		nodes: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{},
		secrets: map[string]connector.Secret{}, wrong: map[string]bool{},
	}
}

func (d *decoder) fault(n *yaml.Node, path, format string, args ...any) {
	d.add(Fault{d.file, max(n.Line, 1), max(n.Column, 1), path, fmt.Sprintf(format, args...)})
}

func (d *decoder) add(f Fault) {
	if len(d.faults) < maxFaults {
		d.faults = append(d.faults, f)
	}
}

// bad is a fault of the value at path: what follows from it is not told too.
func (d *decoder) bad(n *yaml.Node, path, format string, args ...any) {
	d.fault(n, path, format, args...)
	d.mark(path)
}

// fits refuses what is too long to be meant.
func (d *decoder) fits(n *yaml.Node, path string, items int) bool {
	if items > maxItems {
		d.bad(n, path, "%d items: there is room for %d here", items, maxItems)
	}
	return items <= maxItems
}

func (d *decoder) mark(path string) {
	d.wrong[path] = true
	for p, ok := parent(path); ok; p, ok = parent(p) {
		d.wrong[p+"/"] = true // something below it
	}
}

// follows reports whether a fault of path only follows from one that was told.
func (d *decoder) follows(path string) bool {
	if d.wrong[path+"/"] {
		return true
	}
	for p, ok := path, true; ok; p, ok = parent(p) {
		if d.wrong[p] {
			return true
		}
	}
	return false
}

var (
	secretType    = reflect.TypeFor[connector.Secret]()
	textType      = reflect.TypeFor[encoding.TextUnmarshaler]()
	yamlUnmarshal = reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()
)

// decode puts n into v.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	d.nodes[path] = n
	switch {
	case isNull(n):
		// The key is there without a value: as if it were left out.
	case v.Type() == secretType:
		d.secret(n, v, path)
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
		d.bad(n, path, "%s", err)
		return
	}
	for i, item := range n.Content { // so that a fault in one item has its place
		d.nodes[index(path, i)] = item
	}
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.bad(n, path, "a single value belongs here, not a %s", kindName(n))
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
		d.bad(n, path, "%q: %s", clip(n.Value), err)
	}
}

// structure decodes a mapping into the fields that its yaml tags name.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.bad(n, path, "a block of keys belongs here (%s), not a %s", strings.Join(keysOf(v.Type()), ", "), kindName(n))
		return
	}
	if !d.fits(n, path, len(n.Content)/2) {
		return
	}
	fields := fieldsOf(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		field, known := fields[key.Value]
		secret := ""
		if !known {
			secret = mayBeSecret(v.Type(), n, key, value)
		}
		switch {
		case secret != "":
			d.mark(join(path, secret))
			d.fault(key, path, "no key of this block, and not shown because it may be part of a secret: "+
				"mind the blank after a colon, and that a comma ends a value; %s", secretForms)
		case !known:
			d.unknown(key, path, v.Type())
		case d.first(key, at):
			d.decode(value, v.Field(field), at)
		}
	}
}

// mayBeSecret recognises {password: a,b} and {password:a}, which make a key of a secret that was written
// where none belongs. It returns the right key of the secret, or "".
func mayBeSecret(t reflect.Type, block, key, value *yaml.Node) string {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.Type == secretType && (block.Style&yaml.FlowStyle != 0 && isNull(value) || strings.HasPrefix(key.Value, name+":")) {
			return name
		}
	}
	return ""
}

// first reports whether the key is there for the first time.
func (d *decoder) first(key *yaml.Node, path string) bool {
	if before := d.keys[path]; before != nil {
		d.fault(key, path, "this key stands here twice, first in line %d: remove one", before.Line)
		return false
	}
	d.keys[path] = key
	return true
}

func (d *decoder) unknown(key *yaml.Node, path string, t reflect.Type) {
	known := keysOf(t)
	s := similar(key.Value, known)
	if s == "" {
		d.fault(key, join(path, clip(key.Value)), "unknown key %q: the keys here are %s", clip(key.Value), strings.Join(known, ", "))
		return
	}
	d.fault(key, join(path, key.Value), "unknown key %q: did you mean %q?", key.Value, s)
	d.mark(join(path, s)) // that it is missing need not be told
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.bad(n, path, "a list belongs here, with a hyphen before each item or as [a, b], not a %s", kindName(n))
		return
	}
	if !d.fits(n, path, len(n.Content)) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := index(path, i)
		if isNull(item) {
			d.bad(item, at, "an item without a value: write one, or remove the hyphen or comma")
			continue
		}
		d.decode(item, v.Index(i), at)
	}
}

func (d *decoder) table(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.bad(n, path, "a block of keys belongs here, not a %s", kindName(n))
		return
	}
	if !d.fits(n, path, len(n.Content)/2) {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, at := n.Content[i], join(path, n.Content[i].Value)
		if !d.first(key, at) {
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.decode(n.Content[i+1], item, at)
		v.SetMapIndex(reflect.ValueOf(key.Value), item)
	}
}

// scalar decodes a single value. Text is taken as it is written: 0123 and +46 stay what they are.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.bad(n, path, "a single value belongs here, not a %s", kindName(n))
		return
	}
	switch v.Kind() { //nolint:exhaustive // Config has no other kinds; a test walks through it
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Value != "true" && n.Value != "false" {
			d.bad(n, path, "%q is neither true nor false: write one of them", clip(n.Value))
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if err != nil {
			d.bad(n, path, "%q is not a whole number: write it in digits, as in 500", clip(n.Value))
			return
		}
		v.SetInt(int64(i))
	case reflect.Float64:
		f, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(n.Value, "%")), 64)
		if err != nil || f != f {
			d.bad(n, path, "%q is not a number: write it as in 5 or 2.5", clip(n.Value))
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
		return errors.New("this is no number of seats: write a whole number from 0, or unlimited")
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
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" {
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

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parent cuts the last key or index off a path; not ok for the root.
func parent(path string) (up string, ok bool) {
	if path == "" {
		return "", false
	}
	return path[:max(strings.LastIndexAny(path, ".["), 0)], true
}

// clip keeps what is quoted in a message short.
func clip(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
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
