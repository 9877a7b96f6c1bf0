package config

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Value is one key of a configuration as it was loaded, or what it has where the file does not say. It never holds a secret.
type Value struct {
	Path string // organizations[acme].sources[office].guard.percent: by id, not by place
	Text string // in one line; a default is worded as the reference words it
	Line int    // in the file; 0 = it is the default
}

// Tree are the keys of the file in its order, each block followed by the defaults of those that it leaves out.
func (f *File) Tree() []Value {
	var list []Value
	f.walk(&list, f.root, documented(), "", "")
	return list
}

// walk goes through the tree beside its schema; real is the path with places instead of ids.
func (f *File) walk(list *[]Value, n *yaml.Node, doc *keyDoc, path, real string) {
	switch {
	case isNull(n):
	case n.Kind == yaml.MappingNode && f.hides(real):
		*list = append(*list, Value{path, hiddenValue + " {" + n.Content[0].Value + ": " + n.Content[1].Value + "}", n.Line})
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			if key == passwordHash {
				*list = append(*list, Value{join(path, key), hiddenValue, value.Line})
				continue
			}
			f.walk(list, value, doc.key(key), join(path, key), join(real, key))
		}
		doc.defaults(list, n, path)
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
		for i, item := range n.Content {
			f.walk(list, item, doc.item(), path+"["+idOf(item, i)+"]", index(real, i))
		}
	default:
		*list = append(*list, Value{path, shown(n), n.Line})
	}
}

const (
	hiddenValue  = "[hidden]"
	passwordHash = "password_hash" // no secret by its type, and nothing to be shown all the same
)

// hides reports whether a block says where a secret is.
func (f *File) hides(path string) bool {
	_, ok := f.secrets[path]
	return ok
}

// keyDoc is what the schema says of a key.
type keyDoc struct {
	Description string             `json:"description"`
	Properties  map[string]*keyDoc `json:"properties"`
	Items       *keyDoc            `json:"items"`
}

// documented is the schema of the whole file. That it can be read is tested.
var documented = sync.OnceValue(func() *keyDoc {
	var doc keyDoc
	_ = json.Unmarshal(schema, &doc)
	return &doc
})

func (d *keyDoc) key(name string) *keyDoc {
	if d == nil {
		return nil
	}
	return d.Properties[name]
}

func (d *keyDoc) item() *keyDoc {
	if d == nil {
		return nil
	}
	return d.Items
}

// aDefault is how the reference words defaults.
var aDefault = regexp.MustCompile(`\bDefault: (.+?)(?:\.\s|\.$|$)`)

// defaults are those of the keys that a block leaves out.
func (d *keyDoc) defaults(list *[]Value, n *yaml.Node, path string) {
	if d == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(d.Properties)) {
		doc := d.Properties[name]
		said := aDefault.FindStringSubmatch(doc.Description)
		switch {
		case has(n, name):
		case said != nil:
			*list = append(*list, Value{Path: join(path, name), Text: strings.TrimSpace(said[1])})
		case slices.Contains(alwaysThere, name):
			doc.defaults(list, &yaml.Node{}, join(path, name))
		}
	}
}

// alwaysThere are blocks that a file may leave out and that hold all the same: other blocks mean that there is no such thing.
var alwaysThere = []string{"dns", "guard", "log", "records"}

// has reports whether a block has a key with a value.
func has(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && !isNull(n.Content[i+1]) {
			return true
		}
	}
	return false
}
