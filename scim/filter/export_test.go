package filter

import (
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// PrintPath writes a path as ParsePath reads it.
func PrintPath(p filter.Path) string {
	var b strings.Builder
	printAttribute(&b, p.AttributePath)
	if p.ValueExpression != nil {
		b.WriteByte('[')
		printExpression(&b, p.ValueExpression, bindsOr)
		b.WriteByte(']')
	}
	if p.SubAttribute != nil {
		b.WriteByte('.')
		b.WriteString(*p.SubAttribute)
	}
	return b.String()
}
