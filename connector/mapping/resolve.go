package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"usherd/connector"
)

// resolver checks one expression and rewrites it into what the machine runs: names become lookups,
// functions get the frame, ?? understands empty texts. It never changes a node: the parser lets
// some stand in two places.
type resolver struct {
	source *source
	slots  *slotTable
	reads  []string // source attributes, as written
	binary bool     // the target takes bytes
	faults []connector.Fault
}

// slotTable gives each source attribute of a mapping its slot.
type slotTable struct {
	names []string
	index map[string]int // by folded name
}

func (t *slotTable) slot(name string) int {
	key := connector.Fold(name)
	if i, ok := t.index[key]; ok {
		return i
	}
	t.index[key] = len(t.names)
	t.names = append(t.names, name)
	return len(t.names) - 1
}

// fault tells what is wrong at a node and makes its kind wrong, so that nothing follows from it.
func (r *resolver) fault(n ast.Node, format string, args ...any) (ast.Node, kind) {
	r.faultAt(r.source.offset(begin(n).Location().From), format, args...)
	return n, wrong
}

func (r *resolver) faultAt(offset int, format string, args ...any) {
	r.faults = append(r.faults, connector.Fault{Offset: offset, Message: fmt.Sprintf(format, args...)})
}

// begin is the node that a reader takes for the beginning of n: operators stand in the middle.
func begin(n ast.Node) ast.Node {
	for {
		switch v := n.(type) {
		case *ast.BinaryNode:
			n = v.Left
		case *ast.ConditionalNode:
			n = v.Cond
		case *ast.MemberNode:
			n = v.Node
		case *ast.SliceNode:
			n = v.Node
		case *ast.ChainNode:
			n = v.Node
		default:
			return n
		}
	}
}

// resolve rewrites n. want says what the place would like: a bare name is a text or a list by it.
func (r *resolver) resolve(n ast.Node, want kind) (ast.Node, kind) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n, text
	case *ast.IntegerNode:
		return n, number
	case *ast.BoolNode:
		return n, boolean
	case *ast.IdentifierNode:
		return r.name(n, want)
	case *ast.UnaryNode:
		return r.unary(n)
	case *ast.BinaryNode:
		return r.operator(n, want)
	case *ast.ConditionalNode:
		return r.conditional(n, want)
	case *ast.ArrayNode:
		return r.array(n)
	case *ast.CallNode:
		return r.call(n, want)
	}
	return r.fault(n, "%s", unsupported(n))
}

// expect resolves n where only one kind will do.
func (r *resolver) expect(n ast.Node, want kind) ast.Node {
	out, have := r.resolve(n, want)
	switch {
	case have == wrong || have == want,
		want == raw && have == text,
		want == scalar && have != list:
		return out
	case want == boolean && have == text:
		r.fault(n, `a condition is wanted here, this is a text: compare it, as in mail != ""`)
	case want == text && have == list:
		r.fault(n, `a text is wanted here, this is a list: use first(...) or join(..., ", ")`)
	case want == list && have == text:
		r.fault(n, `a list is wanted here, this is a text: write [...] around it, or split(..., ",")`)
	case want == text && have == number:
		r.fault(n, `a text is wanted here, this is a number: write it between quotes, or use text(...)`)
	case want == text && have == boolean:
		r.fault(n, "a text is wanted here, this is a condition: use text(...)")
	case want == number && have == text:
		r.fault(n, "a number is wanted here, this is a text: use number(...)")
	default:
		r.fault(n, "%s is wanted here, this is %s", kindNames[want], kindNames[have])
	}
	return out
}

// name is a bare name: the DN, the anchor or an attribute of the source.
func (r *resolver) name(n *ast.IdentifierNode, want kind) (ast.Node, kind) {
	switch strings.ToLower(n.Value) {
	case "dn":
		return invoke(n, loadDN), text
	case "anchor":
		return invoke(n, loadAnchor), text
	}
	if strings.ContainsRune(n.Value, '$') {
		return r.fault(n, "%s is no name of an attribute: names hold letters, digits and _; others are written attr(\"...\")", n.Value)
	}
	return r.load(n, n.Value, want)
}

func (r *resolver) load(n ast.Node, name string, want kind) (ast.Node, kind) {
	slot := &ast.IntegerNode{Value: r.slots.slot(name)}
	slot.SetLocation(n.Location())
	if !containsFold(r.reads, name) {
		r.reads = append(r.reads, name)
	}
	switch want {
	case list:
		return invoke(n, loadList, slot), list
	case raw:
		return invoke(n, loadRaw, slot), text
	case wrong, text, boolean, number, pattern, scalar, either:
	}
	return invoke(n, loadText, slot), text
}

// invoke makes the call of a function of the library at the place of n.
func invoke(n ast.Node, name string, args ...ast.Node) *ast.CallNode {
	callee, env := &ast.IdentifierNode{Value: name}, &ast.IdentifierNode{Value: "$env"}
	call := &ast.CallNode{Callee: callee, Arguments: append([]ast.Node{env}, args...)}
	for _, p := range []ast.Node{callee, env, call} {
		p.SetLocation(n.Location())
	}
	return call
}

// like copies the place of a node to the one that stands for it.
func like[N ast.Node](n ast.Node, made N) N {
	made.SetLocation(n.Location())
	return made
}

func (r *resolver) unary(n *ast.UnaryNode) (ast.Node, kind) {
	want := number
	switch n.Operator {
	case "!", "not":
		want = boolean
	case "-":
	default:
		return r.fault(n, "%s before a value means nothing: leave it out", n.Operator)
	}
	return like(n, &ast.UnaryNode{Operator: n.Operator, Node: r.expect(n.Node, want)}), want
}

func (r *resolver) conditional(n *ast.ConditionalNode, want kind) (ast.Node, kind) {
	if n.Cond == n.Exp1 {
		return r.fault(n, "?: is not known here: write ?? between the value and what replaces it when it is empty")
	}
	cond := r.expect(n.Cond, boolean)
	a, ka := r.resolve(n.Exp1, want)
	b, kb := r.resolve(n.Exp2, want)
	a, b, k := r.unify(a, b, ka, kb)
	if k == wrong && ka != wrong && kb != wrong {
		r.fault(n.Exp2, "both answers of a condition must be of one kind: this is %s, the other %s", kindNames[kb], kindNames[ka])
	}
	return like(n, &ast.ConditionalNode{Ternary: true, Cond: cond, Exp1: a, Exp2: b}), k
}

// unify makes a text a list where the other side is one.
func (r *resolver) unify(a, b ast.Node, ka, kb kind) (newA, newB ast.Node, k kind) {
	switch {
	case ka == kb:
		return a, b, ka
	case ka == text && kb == list:
		return invoke(a, oneOf, a), b, list
	case ka == list && kb == text:
		return a, invoke(b, oneOf, b), list
	}
	return a, b, wrong
}

const mixedCoalesce = "?? needs two texts or lists, this is %s: use text(...), or parentheses around what belongs together"

// coalesce is a ?? b: b where a is empty.
func (r *resolver) coalesce(at, left, right ast.Node, want kind) (ast.Node, kind) {
	a, ka := r.resolve(left, want)
	b, kb := r.resolve(right, want)
	if ka == number || ka == boolean {
		return r.fault(left, "%s always has a value, so that what follows ?? is never used", kindNames[ka])
	}
	a, b, k := r.unify(a, b, ka, kb)
	switch {
	case k == text:
		a = invoke(a, someText, a)
	case k == list:
		a = invoke(a, someList, a)
	case ka != wrong && kb != wrong:
		return r.fault(right, mixedCoalesce, kindNames[kb])
	}
	return like(at, &ast.BinaryNode{Operator: "??", Left: a, Right: b}), k
}

func (r *resolver) array(n *ast.ArrayNode) (ast.Node, kind) {
	constants := make([]string, 0, len(n.Nodes))
	items := make([]ast.Node, 0, len(n.Nodes))
	for _, item := range n.Nodes {
		if s, ok := item.(*ast.StringNode); ok {
			constants = append(constants, s.Value)
		}
		items = append(items, r.expect(item, text))
	}
	if len(constants) == len(items) {
		return like(n, &ast.ConstantNode{Value: constants}), list
	}
	return invoke(n, oneOf, items...), list
}

// call checks a function's arguments.
func (r *resolver) call(n *ast.CallNode, want kind) (ast.Node, kind) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return r.fault(n, "%s", calledOn(n))
	}
	name := callee.Value
	switch name {
	case "attr", "attrs":
		return r.attribute(n, name, want)
	case "default":
		return r.fallback(n, want)
	case "base64":
		if r.binary {
			return r.fault(n, "this attribute takes the bytes themselves: leave base64(...) out")
		}
	}
	fn, ok := functions[name]
	if !ok {
		return r.fault(n, "%s", unknownFunction(name))
	}
	if len(n.Arguments) < fn.min || len(n.Arguments) > len(fn.params) && !fn.variadic {
		return r.fault(n, "%s takes %s, not %d: %s", name, arity(fn), len(n.Arguments), usage(name, fn))
	}
	return r.invoke(n, name, fn, want)
}

func (r *resolver) invoke(n *ast.CallNode, name string, fn function, want kind) (ast.Node, kind) {
	args := make([]ast.Node, len(n.Arguments))
	for i, arg := range n.Arguments {
		p := fn.params[min(i, len(fn.params)-1)]
		switch p {
		case pattern:
			args[i] = r.pattern(arg, name)
		case either:
			open := text
			if want == list {
				open = list
			}
			var k kind
			if args[i], k = r.resolve(arg, open); k != list && k != text {
				args[i] = r.expect(arg, either)
				return n, wrong
			}
			fn = onEither(fn, k)
			if k == list {
				name += mapped
			}
		case wrong, text, list, boolean, number, raw, scalar:
			args[i] = r.expect(arg, p)
		}
	}
	return invoke(n, name, args...), fn.result
}

// attribute is attr("name"), a text or list as a bare name is, or attrs("name"), always a list.
func (r *resolver) attribute(n *ast.CallNode, name string, want kind) (ast.Node, kind) {
	if len(n.Arguments) != 1 {
		return r.fault(n, `%s takes the name of one attribute: %s("msDS-cloudExtensionAttribute1")`, name, name)
	}
	s, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		return r.fault(n.Arguments[0], `%s needs the name between quotes, so that it is known what to read: %s("mail")`, name, name)
	}
	attribute := strings.TrimSpace(s.Value)
	if attribute == "" || len(attribute) > 256 || checkText([]byte(attribute), 256) != nil {
		return r.fault(s, "this is no name of an attribute")
	}
	if name == "attrs" {
		want = list
	}
	return r.load(n, attribute, want)
}

// fallback is default(a, b, ...): the same as a ?? b ...
func (r *resolver) fallback(n *ast.CallNode, want kind) (ast.Node, kind) {
	if len(n.Arguments) < 2 {
		return r.fault(n, `default takes two or more values: default(mail, userPrincipalName, "none")`)
	}
	return r.resolve(folds(n), want)
}

// folds writes default(a, b, c) as (a ?? b) ?? c.
func folds(n *ast.CallNode) ast.Node {
	node := n.Arguments[0]
	for _, arg := range n.Arguments[1:] {
		node = like(arg, &ast.BinaryNode{Operator: "??", Left: node, Right: arg})
	}
	return node
}

// pattern compiles a regular expression.
func (r *resolver) pattern(n ast.Node, name string) ast.Node {
	s, ok := n.(*ast.StringNode)
	if !ok {
		r.fault(n, `%s needs its regular expression between quotes: "^smtp:"`, name)
		return n
	}
	if len(s.Value) > maxPattern {
		r.fault(n, "the regular expression is longer than %d characters", maxPattern)
		return n
	}
	re, err := regexp.Compile(s.Value)
	if err != nil {
		r.faultAt(r.source.inside(s, err), "%s", patternMessage(err))
		return n
	}
	return like(n, &ast.ConstantNode{Value: compiled{re}})
}

// operands are the parts of a chain of +.
func (r *resolver) operands(n ast.Node) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && b.Operator == "+" {
		return append(r.operands(b.Left), b.Right)
	}
	return slices.Clip([]ast.Node{n})
}
