package store

import (
	"strconv"
	"strings"
)

// pgNow is sqlNow.
const pgNow = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// pgText turns a statement as SQLite takes it into one for PostgreSQL. They differ in these alone:
//
//	?                     $1, $2, …
//	sqlNow                the same of PostgreSQL's clock
//	instr(a, b)           pg_catalog.position(a, b), of texts and of bytes
//	CAST(a AS BLOB)       convert_to(a, 'UTF8')
//	lower(hex(a))         encode(a, 'hex')
//	json_each(?) s        json_array_elements_text(?) s, whose column is value too
//	+u.id                 u.id: PostgreSQL's planner needs no such hint
func pgText(q string) string {
	q = strings.ReplaceAll(q, sqlNow, pgNow)
	var b strings.Builder
	b.Grow(len(q) + 64)
	n := 0
	var ends []string // what is written for the parentheses that are open, "" for most
	for i := 0; i < len(q); i++ {
		rest := q[i:]
		switch c := q[i]; {
		case c == '\'':
			end := i + 1 + strings.IndexByte(q[i+1:], '\'')
			b.WriteString(q[i : end+1])
			i = end
		case c == '?':
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		case c == '+' && i+1 < len(q) && isLetter(q[i+1]):
		case strings.HasPrefix(rest, "instr("):
			b.WriteString("pg_catalog.position(")
			ends, i = append(ends, ")"), i+len("instr(")-1
		case strings.HasPrefix(rest, "json_each("):
			b.WriteString("json_array_elements_text(")
			ends, i = append(ends, ")"), i+len("json_each(")-1
		case strings.HasPrefix(rest, "lower(hex("):
			b.WriteString("encode(")
			ends, i = append(ends, "", ", 'hex')"), i+len("lower(hex(")-1
		case strings.HasPrefix(rest, "CAST("):
			i += len("CAST(") - 1
			b.WriteString("convert_to(")
			ends = append(ends, ", 'UTF8')")
		case strings.HasPrefix(rest, " AS BLOB)"):
			i += len(" AS BLOB") - 1
		case c == '(':
			b.WriteByte(c)
			ends = append(ends, ")")
		case c == ')' && len(ends) > 0:
			b.WriteString(ends[len(ends)-1])
			ends = ends[:len(ends)-1]
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
