package filter

import (
	"encoding/json"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// next returns the byte under the cursor, 0 at the end. (No text that is read holds a 0 outside of quotes that
// would not be refused as a name.)
func (p *parser) next() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (p *parser) space() {
	for p.at < len(p.text) && isSpace(p.text[p.at]) {
		p.at++
	}
}

// bracket reports whether a bracket opens next, and moves to it.
func (p *parser) bracket() bool {
	start := p.at
	if p.space(); p.next() == '[' {
		return true
	}
	p.at = start
	return false
}

// ends reports whether a word ends before c.
func ends(c byte) bool {
	return isSpace(c) || c == '(' || c == ')' || c == '[' || c == ']' || c == '"'
}

// word reads up to a blank, quote, parenthesis or bracket.
func (p *parser) word() string {
	start := p.at
	for p.at < len(p.text) && !ends(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at]
}

// keyword reads one of and, or, not in any case, if it comes next.
func (p *parser) keyword(k string) bool {
	start := p.at
	p.space()
	end := p.at + len(k)
	if end <= len(p.text) && strings.EqualFold(p.text[p.at:end], k) && (end == len(p.text) || ends(p.text[end])) {
		p.at = end
		return true
	}
	p.at = start
	return false
}

// attribute reads "urn:…:name.sub".
func (p *parser) attribute() (filter.AttributePath, error) {
	start := p.at
	word := p.word()
	var a filter.AttributePath
	name := word
	if i := strings.LastIndexByte(word, ':'); i >= 0 {
		urn := word[:i]
		if urn == "" {
			return a, p.fail(start, "the URN of a schema has to stand before the colon")
		}
		a.URIPrefix, name = &urn, word[i+1:]
	}
	name, sub, dotted := strings.Cut(name, ".")
	if dotted {
		a.SubAttribute = &sub
	}
	a.AttributeName = name
	switch {
	case word == "" && p.at == len(p.text):
		return a, p.fail(start, "the name of an attribute is missing at the end")
	case !isName(name) || dotted && !isName(sub):
		return a, p.fail(start, "the name of an attribute has to stand here, such as userName or name.givenName")
	}
	return a, nil
}

// isName reports whether s is an ATTRNAME of RFC 7643 section 2.1, or one like $ref.
func isName(s string) bool {
	s = strings.TrimPrefix(s, "$")
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// peekOperator returns the operator that comes next and where it ends, or "".
func (p *parser) peekOperator() (op filter.CompareOperator, end int) {
	start := p.at
	p.space()
	word := p.word()
	end, p.at = p.at, start
	if len(word) != 2 {
		return "", 0
	}
	switch string([]byte{word[0] | ' ', word[1] | ' '}) { // in lower case
	case "eq":
		op = filter.EQ
	case "ne":
		op = filter.NE
	case "co":
		op = filter.CO
	case "sw":
		op = filter.SW
	case "ew":
		op = filter.EW
	case "gt":
		op = filter.GT
	case "ge":
		op = filter.GE
	case "lt":
		op = filter.LT
	case "le":
		op = filter.LE
	case "pr":
		op = filter.PR
	}
	return op, end
}

func (p *parser) operator() (filter.CompareOperator, error) {
	op, end := p.peekOperator()
	if op == "" {
		p.space()
		return "", p.fail(p.at, "one of the operators eq, ne, co, sw, ew, gt, ge, lt, le and pr has to stand here")
	}
	p.at = end
	return op, nil
}

// value reads what is compared with, as JSON; true, false and null in any case, as operators.
func (p *parser) value() (any, error) {
	if p.next() == '"' {
		return p.quoted()
	}
	start := p.at
	switch word := p.word(); {
	case strings.EqualFold(word, "true"):
		return true, nil
	case strings.EqualFold(word, "false"):
		return false, nil
	case strings.EqualFold(word, "null"):
		return nil, nil
	case word != "" && (word[0] == '-' || '0' <= word[0] && word[0] <= '9') && json.Valid([]byte(word)):
		return json.Number(word), nil
	}
	return nil, p.fail(start, "a value has to stand here: text in double quotes, a number, true, false or null")
}

// quoted reads a JSON string. Half a surrogate pair becomes U+FFFD, as encoding/json has it.
func (p *parser) quoted() (string, error) {
	start := p.at
	plain := true
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			if plain {
				return p.text[start+1 : p.at-1], nil
			}
			var s string
			if json.Unmarshal([]byte(p.text[start:p.at]), &s) != nil {
				return "", p.fail(start, `a backslash in text has to begin one of \" \\ \/ \b \f \n \r \t \u0000`)
			}
			return s, nil
		case c == '\\':
			plain = false
			p.at++
		case c < ' ':
			return "", p.fail(p.at, `a control character in text has to be written as \u0000`)
		}
	}
	return "", p.fail(start, "the text that begins here is not closed by a double quote")
}
