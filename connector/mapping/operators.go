package mapping

import (
	"github.com/expr-lang/expr/ast"
)

// operator checks and rewrites what stands between two values.
func (r *resolver) operator(n *ast.BinaryNode, want kind) (ast.Node, kind) {
	if r.source.isCoalesce(n) {
		return r.coalesce(n, n.Left, n.Right, want)
	}
	both := func(k, result kind) (ast.Node, kind) {
		return like(n, &ast.BinaryNode{Operator: n.Operator, Left: r.expect(n.Left, k), Right: r.expect(n.Right, k)}), result
	}
	switch n.Operator {
	case "and", "&&", "or", "||":
		return both(boolean, boolean)
	case "contains", "startsWith", "endsWith":
		return both(text, boolean)
	case "<", "<=", ">", ">=":
		return both(number, boolean)
	case "*":
		return both(number, number)
	case "-":
		if name, ok := hyphenated(n); ok {
			return r.fault(n, `- is for numbers; if %s is the name of an attribute, write attr("%s")`, name, name)
		}
		return both(number, number)
	case "==", "!=":
		return r.equal(n)
	case "in":
		return invoke(n, isIn, r.expect(n.Left, text), r.expect(n.Right, list)), boolean
	case "matches":
		return invoke(n, "match", r.expect(n.Left, text), r.pattern(n.Right, "matches")), boolean
	case "+":
		return r.plus(n)
	}
	r.faultAt(r.source.offset(n.Location().From), "the operator %s is not known here: there are + - * ?? == != < <= > >= in, contains, startsWith, endsWith, matches, and, or, not", n.Operator)
	return n, wrong
}

func (r *resolver) equal(n *ast.BinaryNode) (ast.Node, kind) {
	a, ka := r.resolve(n.Left, text)
	b, kb := r.resolve(n.Right, text)
	switch {
	case ka == wrong || kb == wrong:
	case ka == list:
		return r.fault(n.Left, `a list cannot be compared: write "..." in the list, or compare first(...)`)
	case kb == list:
		return r.fault(n.Right, `a list cannot be compared: write "..." in the list, or compare first(...)`)
	case ka == text && kb == number:
		return r.fault(n.Right, `a text is compared with a number: write the number between quotes, or number(...) around the text`)
	case ka != kb:
		return r.fault(n.Right, "%s is compared with %s", kindNames[ka], kindNames[kb])
	}
	return like(n, &ast.BinaryNode{Operator: n.Operator, Left: a, Right: b}), boolean
}

// plus adds numbers or joins texts; a chain of texts is made in one go.
func (r *resolver) plus(n *ast.BinaryNode) (ast.Node, kind) {
	parts := r.operands(n)
	args, first := make([]ast.Node, len(parts)), wrong
	for i, p := range parts {
		var k kind
		if args[i], k = r.resolve(p, text); k == wrong {
			first = wrong
			continue
		}
		switch {
		case k == list:
			return r.fault(p, "+ joins texts, this is a list: use concat(...) for lists, or first(...)")
		case k == boolean:
			return r.fault(p, "+ joins texts, this is a condition: use text(...)")
		case i > 0 && first != wrong && k != first:
			return r.fault(p, "+ joins two texts or adds two numbers, this is %s and what stands before it %s: use text(...) or number(...)", kindNames[k], kindNames[first])
		case i == 0:
			first = k
		}
	}
	if first != number {
		return invoke(n, concatText, args...), text
	}
	sum := args[0]
	for _, a := range args[1:] {
		sum = like(n, &ast.BinaryNode{Operator: "+", Left: sum, Right: a})
	}
	return sum, number
}

// hyphenated puts msDS-cloudExtensionAttribute1 together again, which the grammar takes for a
// difference.
func hyphenated(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.BinaryNode:
		left, ok := hyphenated(n.Left)
		right, also := hyphenated(n.Right)
		return left + "-" + right, ok && also && n.Operator == "-"
	}
	return "", false
}
