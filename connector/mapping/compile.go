package mapping

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"usherd/connector"
)

// Bounds of a configuration.
const (
	maxExpression   = 4096 // bytes
	maxNodes        = 500  // parts of an expression
	maxAlternatives = 20   // of one rule
	maxRules        = 200
)

// packageTarget is the one target that is no attribute of a profile.
const packageTarget = "package"

// language is part of the fingerprint: a new meaning of old rules makes every record another one.
const language = "usherd mapping 1"

var customName = regexp.MustCompile(`^[\pL\pN][\pL\pN_.-]{0,63}$`)

// piece is one thing to try for a value: a program, a constant, or the plain values of a slot, which
// need no machine.
type piece struct {
	index    int // of the alternative
	program  *vm.Program
	constant string
	slot     int
	always   bool // it has a value for every record
}

// Compile checks the whole configuration and tells everything that is wrong with it at once. The
// Mapping is nil when there are faults.
func Compile(c Config) (*Mapping, []connector.Fault) {
	rules, faults := effective(c)
	table := &slotTable{index: map[string]int{}}
	m := &Mapping{}
	for _, target := range order(rules) {
		ru, wrongs := compileRule(target, rules[target], table)
		m.rules = append(m.rules, ru)
		faults = append(faults, wrongs...)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	m.attributes, m.slots = table.names, table.index
	m.fingerprint, m.asSent = fingerprint(m.rules), c.Preset == SCIM
	return m, nil
}

// effective lays the rules of the configuration over those of the preset.
func effective(c Config) (map[string]Rule, []connector.Fault) {
	var faults []connector.Fault
	preset, ok := presets[c.Preset]
	if !ok && c.Preset != "" {
		faults = append(faults, connector.Fault{Path: "preset", Message: unknownPreset(c.Preset)})
	}
	if len(c.Attributes) > maxRules {
		return nil, append(faults, connector.Fault{Path: "attributes", Message: fmt.Sprintf("more than %d rules", maxRules)})
	}
	rules := maps.Clone(preset)
	if rules == nil {
		rules = map[string]Rule{}
	}
	for _, target := range slices.Sorted(maps.Keys(c.Attributes)) {
		if !known(target) {
			faults = append(faults, connector.Fault{Path: "attributes." + target, Message: unknownTarget(target)})
			continue
		}
		if r := c.Attributes[target]; empty(r) {
			delete(rules, target)
		} else {
			rules[target] = r
		}
	}
	return rules, faults
}

// empty reports whether a rule removes its target.
func empty(r Rule) bool { return len(r) == 0 || len(r) == 1 && strings.TrimSpace(r[0]) == "" }

func known(target string) bool {
	if target == packageTarget {
		return true
	}
	if name, ok := strings.CutPrefix(target, "custom."); ok {
		return customName.MatchString(name)
	}
	_, ok := connector.AttributeByName(target)
	return ok
}

func unknownPreset(name string) string {
	names := Presets()
	if near := nearest(name, slices.Clone(names)); near != "" {
		return "unknown preset " + name + ": did you mean " + near + "?"
	}
	if is, ok := otherPresets[strings.ToLower(name)]; ok {
		return "unknown preset " + name + ": did you mean " + is + "?"
	}
	return "unknown preset " + name + ": there are " + strings.Join(names, ", ")
}

// order is that of the schema, then custom attributes by name, then the package.
func order(rules map[string]Rule) []string {
	var out []string
	for _, a := range connector.Attributes() {
		if _, ok := rules[a.Name]; ok {
			out = append(out, a.Name)
		}
	}
	for _, target := range slices.Sorted(maps.Keys(rules)) {
		if strings.HasPrefix(target, "custom.") {
			out = append(out, target)
		}
	}
	if _, ok := rules[packageTarget]; ok {
		out = append(out, packageTarget)
	}
	return out
}

func compileRule(target string, alternatives Rule, table *slotTable) (rule, []connector.Fault) {
	ru := rule{info: connector.AttributeInfo{Name: packageTarget, Type: connector.TextType, MaxLen: 128}}
	if target != packageTarget {
		ru.info, _ = connector.AttributeByName(target)
	}
	path := "attributes." + target
	if len(alternatives) > maxAlternatives {
		return ru, []connector.Fault{{Path: path, Message: fmt.Sprintf("more than %d expressions for one attribute", maxAlternatives)}}
	}
	var faults []connector.Fault
	for i, text := range alternatives {
		at := path
		if len(alternatives) > 1 {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		pieces, reads, wrongs := compileExpression(text, i, &ru.info, table)
		for _, f := range wrongs {
			f.Path = at
			faults = append(faults, f)
		}
		if i < len(alternatives)-1 && len(pieces) > 0 && pieces[len(pieces)-1].always {
			faults = append(faults, connector.Fault{Path: at, Message: "this always has a value, so that the expressions after it are never used"})
		}
		ru.pieces = append(ru.pieces, pieces...)
		ru.origins = append(ru.origins, Origin{Target: target, Expression: strings.TrimSpace(text), Index: i, Attributes: reads})
	}
	return ru, faults
}

// compileExpression makes the pieces of one alternative: what stands between ?? outside of
// parentheses is a piece of its own, so that most need no machine.
func compileExpression(expression string, index int, info *connector.AttributeInfo, table *slotTable) ([]piece, []string, []connector.Fault) {
	switch {
	case strings.TrimSpace(expression) == "":
		return nil, nil, []connector.Fault{{Message: "an empty expression: leave it out of the list"}}
	case len(expression) > maxExpression:
		return nil, nil, []connector.Fault{{Message: fmt.Sprintf("the expression is longer than %s bytes", thousands(maxExpression))}}
	case !utf8.ValidString(expression):
		return nil, nil, []connector.Fault{{Message: "the expression is not valid UTF-8"}}
	}
	src, err := newSource(expression)
	if err != nil {
		return nil, nil, []connector.Fault{src.syntaxFault(err)}
	}
	tree, err := parser.ParseWithConfig(src.parsed, config(wrong))
	if err != nil {
		return nil, nil, []connector.Fault{src.syntaxFault(err)}
	}
	r := &resolver{source: src, slots: table, binary: info.Type == connector.BinaryType}
	want := text
	switch {
	case r.binary:
		want = raw
	case info.Multi:
		want = list
	}
	parts := r.parts(tree.Node)
	var out []piece
	for i, part := range parts {
		before := len(r.faults)
		node, k := r.resolve(part, want)
		if k == wrong || len(r.faults) > before {
			continue
		}
		if i > 0 && (k == number || k == boolean) {
			r.fault(part, mixedCoalesce, kindNames[k])
			continue
		}
		p, err := r.piece(node, k, info)
		if err != nil {
			r.fault(part, "%s", err)
			continue
		}
		p.index, p.always = index, p.constant != "" || k == number || k == boolean
		if p.always && i < len(parts)-1 {
			r.fault(part, "this always has a value, so that what follows ?? is never used")
		}
		out = append(out, p)
	}
	return out, r.reads, r.faults
}

// parts cuts a chain of ?? or default(...) into its links.
func (r *resolver) parts(n ast.Node) []ast.Node {
	switch v := n.(type) {
	case *ast.BinaryNode:
		if r.source.isCoalesce(v) {
			return append(r.parts(v.Left), r.parts(v.Right)...)
		}
	case *ast.CallNode:
		if callee, ok := v.Callee.(*ast.IdentifierNode); ok && callee.Value == "default" && len(v.Arguments) > 1 {
			return r.parts(folds(v))
		}
	}
	return []ast.Node{n}
}

// piece compiles what has been resolved. A constant is tried on its attribute now.
func (r *resolver) piece(n ast.Node, k kind, info *connector.AttributeInfo) (piece, error) {
	switch v := n.(type) {
	case *ast.StringNode:
		probe := &frame{}
		if err := probe.put(info, v.Value); err != nil {
			return piece{}, fmt.Errorf("this value does not fit %s: %w", info.Name, err)
		}
		if len(probe.spans) == 0 {
			return piece{}, errors.New("an empty text is no value: leave it out, an absent attribute is empty anyway")
		}
		return piece{constant: v.Value}, nil
	case *ast.CallNode:
		if callee, ok := v.Callee.(*ast.IdentifierNode); ok && slices.Contains([]string{loadText, loadList, loadRaw}, callee.Value) {
			if slot, ok := v.Arguments[1].(*ast.IntegerNode); ok {
				return piece{slot: slot.Value}, nil
			}
		}
	}
	program, err := assemble(n, r.source.parsed, k)
	if err != nil {
		return piece{}, errors.New("this cannot be compiled: write it in a simpler way")
	}
	return piece{program: program}, nil
}

// config fences expr in: none of its functions, few nodes, one kind of result.
func config(result kind) *conf.Config {
	c := conf.CreateNew()
	options := []expr.Option{expr.DisableAllBuiltins(), expr.DisableIfOperator(), expr.MaxNodes(maxNodes)}
	if t, ok := goTypes[result]; ok {
		options = append(options, expr.AsKind(t.Kind()))
	}
	for _, o := range options {
		o(c)
	}
	clear(c.Builtins)
	c.Functions = library
	return c
}

// assemble checks types once more, as expr sees them, and makes the program.
func assemble(n ast.Node, text string, result kind) (*vm.Program, error) {
	c := config(result)
	tree := &parser.Tree{Node: n, Source: file.NewSource(text)}
	if _, err := checker.Check(tree, c); err != nil {
		return nil, err
	}
	if err := optimizer.Optimize(&tree.Node, c); err != nil {
		return nil, err
	}
	return compiler.Compile(tree, c)
}

func fingerprint(rules []rule) connector.Hash {
	h := []byte(language)
	put := func(s string) { h = append(binary.AppendUvarint(h, uint64(len(s))), s...) }
	for i := range rules {
		put(rules[i].info.Name)
		h = binary.AppendUvarint(h, uint64(len(rules[i].origins)))
		for _, o := range rules[i].origins {
			put(o.Expression)
		}
	}
	sum := sha256.Sum256(h)
	return connector.Hash(sum[:16])
}
