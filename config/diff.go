package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Difference is one thing that another revision of the file says otherwise. It never holds a secret.
type Difference struct {
	Kind   string `json:"kind"` // added, removed, changed
	Path   string `json:"path"` // organizations[acme].sources[office].guard.percent: by id, not by place
	Line   int    `json:"line"` // in the new file; in the old one when removed
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// String tells it in one line.
func (d Difference) String() string {
	value := ""
	switch {
	case d.Before != "" && d.After != "":
		value = ": " + d.Before + " -> " + d.After
	case d.Before+d.After != "":
		value = ": " + d.Before + d.After
	}
	where := "line"
	if d.Kind == removed {
		where = "was line"
	}
	return fmt.Sprintf("%s %s%s (%s %d)", d.Kind, d.Path, value, where, d.Line)
}

const (
	added   = "added"
	removed = "removed"
	changed = "changed"
)

// Diff returns what differs between two revisions as they are written, so neither comments, nor quotes,
// nor the order of keys: first what is new or changed in the order of the new file, then what is gone.
// An organization, source or package that is new or gone is one difference. Old may be nil: then all is new.
func Diff(old, new *File) []Difference {
	before, after := old.statements(), new.statements()
	was := make(map[string]statement, len(before))
	for _, s := range before {
		was[s.path] = s
	}
	is := make(map[string]bool, len(after))
	var out []Difference
	inNew := "" // everything below it is new too
	for _, s := range after {
		is[s.path] = true
		b, ok := was[s.path]
		switch {
		case below(s.path, inNew):
		case !ok && s.order:
		case !ok:
			out = append(out, Difference{Kind: added, Path: s.path, Line: s.line, After: s.value})
			if s.block {
				inNew = s.path
			}
		case s.order && !reordered(b.list, s.list):
		case b.value != s.value:
			out = append(out, Difference{changed, s.path, s.line, b.value, s.value})
		case b.secret != s.secret:
			out = append(out, Difference{changed, s.path, s.line, "", "another secret in " + s.value})
		}
	}
	inOld := ""
	for _, s := range before {
		if is[s.path] || s.order || below(s.path, inOld) {
			continue
		}
		out = append(out, Difference{Kind: removed, Path: s.path, Line: s.line, Before: s.value})
		if s.block {
			inOld = s.path
		}
	}
	return out
}

func below(path, block string) bool {
	rest, ok := strings.CutPrefix(path, block)
	return ok && block != "" && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// reordered reports whether those that are in both lists stand in another order.
func reordered(before, after []string) bool {
	both := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !slices.Contains(other, s) })
	}
	return !slices.Equal(both(before, after), both(after, before))
}

// statement is a key with its value, or a block that has an id.
type statement struct {
	path   string
	line   int
	value  string
	block  bool
	order  bool // of the ids in list, which stand for themselves too
	list   []string
	secret string // what the key's block has fetched; never shown
}

func (f *File) statements() []statement {
	var out []statement
	if f != nil {
		f.collect(&out, f.root, "", "")
	}
	return out
}

// collect goes through the tree; real is the path with places instead of ids.
func (f *File) collect(out *[]statement, n *yaml.Node, path, real string) {
	if secret, ok := f.secrets[real]; ok {
		value := "{" + n.Content[0].Value + ": " + n.Content[1].Value + "}"
		*out = append(*out, statement{path: path, line: n.Line, value: value, secret: secret.Reveal()})
		return
	}
	switch {
	case isNull(n):
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if key == passwordHash {
				*out = append(*out, statement{path: join(path, key), line: n.Content[i+1].Line, value: hiddenValue, secret: n.Content[i+1].Value})
				continue
			}
			f.collect(out, n.Content[i+1], join(path, key), join(real, key))
		}
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
		at := len(*out)
		*out = append(*out, statement{path: path + " (order)", line: n.Line, order: true})
		var ids []string
		for i, item := range n.Content {
			id := idOf(item, i)
			ids = append(ids, id)
			inner := path + "[" + id + "]"
			*out = append(*out, statement{path: inner, line: item.Line, block: true})
			f.collect(out, item, inner, index(real, i))
		}
		(*out)[at].list, (*out)[at].value = ids, strings.Join(ids, ", ")
	default:
		*out = append(*out, statement{path: path, line: n.Line, value: shown(n)})
	}
}

// idOf is what an item of a list goes by: its id, else its name, else its place from 1 on.
func idOf(n *yaml.Node, i int) string {
	for _, key := range []string{"id", "name"} {
		for k := 0; k+1 < len(n.Content); k += 2 {
			if n.Content[k].Value == key && n.Content[k+1].Kind == yaml.ScalarNode {
				return n.Content[k+1].Value
			}
		}
	}
	return strconv.Itoa(i + 1)
}

// shown is a value in one line. A long one is not cut: it would look unchanged where only its end differs.
func shown(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		items := make([]string, len(n.Content))
		for i, item := range n.Content {
			items[i] = shown(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	if n.Value == "" || strings.ContainsAny(n.Value, "\n\t") {
		return fmt.Sprintf("%q", n.Value)
	}
	return n.Value
}
