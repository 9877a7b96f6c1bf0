package filter

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	filter "github.com/scim2/filter-parser/v2"
)

// How tightly an expression binds: what stands inside one that binds more tightly needs parentheses.
const (
	bindsOr = iota + 1
	bindsAnd
	bindsAll
)

// Print writes an expression with the parentheses that it needs, in canonical spacing: what Parse returned is
// returned by Parse(Print(x)) again, while the text is within the limits. (The AST's own String loses parentheses and
// does not quote.)
func Print(x filter.Expression) string {
	var b strings.Builder
	printExpression(&b, x, bindsOr)
	return b.String()
}

func printExpression(b *strings.Builder, x filter.Expression, within int) {
	switch x := x.(type) {
	case *filter.LogicalExpression:
		binds := bindsOr
		if x.Operator == filter.AND {
			binds = bindsAnd
		}
		if binds < within {
			b.WriteByte('(')
			defer b.WriteByte(')')
		}
		// Equal operators are read from the left, so one on the right was in parentheses.
		printExpression(b, x.Left, binds)
		b.WriteByte(' ')
		b.WriteString(string(x.Operator))
		b.WriteByte(' ')
		printExpression(b, x.Right, binds+1)
	case *filter.NotExpression:
		b.WriteString("not (")
		printExpression(b, x.Expression, bindsOr)
		b.WriteByte(')')
	case *filter.ValuePath:
		printAttribute(b, x.AttributePath)
		b.WriteByte('[')
		printExpression(b, x.ValueFilter, bindsOr)
		b.WriteByte(']')
	case *filter.AttributeExpression:
		printAttribute(b, x.AttributePath)
		b.WriteByte(' ')
		b.WriteString(string(x.Operator))
		if x.Operator != filter.PR {
			b.WriteByte(' ')
			printValue(b, x.CompareValue)
		}
	}
}

func printAttribute(b *strings.Builder, p filter.AttributePath) {
	if p.URIPrefix != nil {
		b.WriteString(*p.URIPrefix)
		if p.AttributeName == "" {
			return
		}
		b.WriteByte(':')
	}
	b.WriteString(p.AttributeName)
	if p.SubAttribute != nil {
		b.WriteByte('.')
		b.WriteString(*p.SubAttribute)
	}
}

func printValue(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		if v {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case json.Number:
		b.WriteString(v.String())
	case string:
		printString(b, v)
	}
}

func printString(b *strings.Builder, s string) {
	const digits = "0123456789abcdef"
	b.WriteByte('"')
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			b.WriteString(`\u00`)
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			b.WriteRune(r)
			i += size
			continue
		default:
			b.WriteByte(c)
		}
		i++
	}
	b.WriteByte('"')
}
