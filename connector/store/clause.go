package store

import (
	"strings"
	"time"

	"usherd/connector"
)

// clause is a piece of SQL with its arguments in order. Its text is made of constants only.
type clause struct {
	text string
	args []any
}

func say(text string, args ...any) clause { return clause{text, args} }

// then appends pieces of SQL.
func (c clause) then(more ...clause) clause {
	var b strings.Builder
	b.WriteString(c.text)
	args := append([]any(nil), c.args...)
	for _, m := range more {
		b.WriteString(m.text)
		args = append(args, m.args...)
	}
	return clause{b.String(), args}
}

// wrapped is the clause between two texts.
func (c clause) wrapped(before, after string) clause { return clause{before + c.text + after, c.args} }

// joined puts a word between clauses.
func joined(word string, list []clause) clause {
	all := list[0]
	for _, c := range list[1:] {
		all = all.then(say(word), c)
	}
	return all
}

var (
	always = say("1 = 1")
	never  = say("1 = 0")
)

func (c clause) not() clause { return c.wrapped("NOT (", ")") }

// unnamed stands among the display names for users who have none: behind all names, so that one walk meets
// everybody in order. No name begins with it: it is no character.
const unnamed = "\U0010FFFF"

// textTest tests a column of text in which "" and what begins with unnamed are no values. It is not for
// OpNe. Parts are compared as bytes: SQLite's own functions end at a NUL.
func textTest(column string, op connector.ConditionOp, v string) clause {
	present := say(column+" > '' AND "+column+" < ?", unnamed)
	is := func(sign string) clause { return say(column+" "+sign+" ?", v) }
	switch op { //nolint:exhaustive // the rest is handled where conditions are composed
	case connector.OpEq:
		if v == "" || v >= unnamed {
			return never
		}
		return say(column+" = ?", indexed(v))
	case connector.OpSw:
		if v != "" {
			return is(">=").then(say(" AND "+column+" < ?", min(afterPrefix(v), unnamed)))
		}
	case connector.OpCo:
		if v != "" {
			return present.then(say(" AND instr(CAST("+column+" AS BLOB), ?) > 0", []byte(v)))
		}
	case connector.OpEw:
		if v != "" {
			return present.then(say(" AND length(CAST("+column+" AS BLOB)) >= ? AND substr(CAST("+column+" AS BLOB), length(CAST("+column+" AS BLOB)) - ? + 1) = ?", len(v), len(v), []byte(v)))
		}
	case connector.OpGt:
		return is(">").then(say(" AND "+column+" < ?", unnamed))
	case connector.OpGe:
		if v != "" {
			return is(">=").then(say(" AND "+column+" < ?", unnamed))
		}
	case connector.OpLt:
		return say(column+" > '' AND "+column+" < ?", min(v, unnamed))
	case connector.OpLe:
		if v < unnamed {
			return say(column+" > '' AND "+column+" <= ?", v)
		}
	}
	return present
}

// anchorTest tests the external id in a column of anchors. It is not for OpNe.
func anchorTest(column string, op connector.ConditionOp, v string) clause {
	value := anchorBlob(connector.Anchor{Kind: connector.TextAnchor, Raw: v})
	first, end := []byte{textByte}, []byte{textByte + 1}
	if v == "" {
		value = first
	}
	between := func(low, high string, a, b []byte) clause {
		return say(column+" "+low+" ? AND "+column+" "+high+" ?", a, b)
	}
	present := between(">", "<", first, end)
	switch op { //nolint:exhaustive // the rest is handled where conditions are composed
	case connector.OpEq:
		if v == "" {
			return never
		}
		return say(column+" = ?", value)
	case connector.OpSw:
		if v != "" {
			return present.then(say(" AND substr("+column+", 2, ?) = ?", len(v), []byte(v)))
		}
	case connector.OpCo:
		if v != "" {
			return present.then(say(" AND instr(substr("+column+", 2), ?) > 0", []byte(v)))
		}
	case connector.OpEw:
		if v != "" {
			return present.then(say(" AND length("+column+") > ? AND substr("+column+", length("+column+") - ? + 1) = ?", len(v), len(v), []byte(v)))
		}
	case connector.OpGt:
		return between(">", "<", value, end)
	case connector.OpGe:
		if v != "" {
			return between(">=", "<", value, end)
		}
	case connector.OpLt:
		return between(">", "<", first, value)
	case connector.OpLe:
		return between(">", "<=", first, value)
	}
	return present
}

// timeTest tests a column of microseconds with an instant, which may stand between two of them.
func timeTest(column string, op connector.ConditionOp, t time.Time) clause {
	us, between := t.UnixMicro(), t.Nanosecond()%1000 != 0
	switch op { //nolint:exhaustive // the rest is handled where conditions are composed
	case connector.OpEq:
		if between {
			return never
		}
		return say(column+" = ?", us)
	case connector.OpGt:
		return say(column+" > ?", us)
	case connector.OpGe:
		if between {
			us++
		}
		return say(column+" >= ?", us)
	case connector.OpLt:
		if between {
			us++
		}
		return say(column+" < ?", us)
	case connector.OpLe:
		return say(column+" <= ?", us)
	}
	return always
}
