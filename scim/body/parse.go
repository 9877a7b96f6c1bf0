package body

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep objects and lists may stand in each other; the outermost object counts.
const MaxDepth = 32

// Error says why a body was refused. For the client it is 400 with scimType invalidSyntax (RFC 7644
// section 3.12).
type Error struct {
	Offset int    // in bytes from the start of the body
	Detail string // what is wrong and what to do; never a part of a value
}

func (e *Error) Error() string {
	return "body: byte " + strconv.Itoa(e.Offset) + ": " + e.Detail
}

// Parse reads a text that is one JSON object. Values are what encoding/json gives with UseNumber: nil,
// bool, json.Number, string, []any and map[string]any, each of which belongs to the caller alone. Every
// error is an *Error. It keeps nothing of b.
func Parse(b []byte) (map[string]any, error) {
	p := parser{in: b}
	p.space()
	if p.pos == len(b) {
		return nil, p.fail("the body is empty: send one JSON object")
	}
	if b[p.pos] != '{' {
		return nil, p.fail("the body has to be one JSON object")
	}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(b) {
		return nil, p.fail("something follows the JSON object: send one object and nothing after it")
	}
	return v.(map[string]any), nil
}

// manyKeys is from how many keys on an object is checked for repeated ones by a set instead of one by one.
const manyKeys = 16

// maxNames bounds how many spellings of keys are kept for reuse.
const maxNames = 256

type parser struct {
	in    []byte
	pos   int
	keys  []string          // of the objects that are open, the innermost last
	names map[string]string // each spelling of a key is one string, however many members carry it
}

func (p *parser) fail(detail string) error { return &Error{Offset: p.pos, Detail: detail} }

func (p *parser) space() {
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// next skips space and returns the byte that stands there, 0 at the end.
func (p *parser) next() byte {
	p.space()
	if p.pos == len(p.in) {
		return 0
	}
	return p.in[p.pos]
}

func (p *parser) value(depth int) (any, error) {
	switch c := p.next(); {
	case c == '{' || c == '[':
		if depth == MaxDepth {
			return nil, p.fail(fmt.Sprintf("objects and lists stand deeper in each other than %d levels: send it flatter", MaxDepth))
		}
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.list(depth + 1)
	case c == '"':
		s, err := p.text()
		if err != nil {
			return nil, err
		}
		return string(s), nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 0 && p.pos == len(p.in):
		return nil, p.fail("the JSON ends too early: send all of it")
	}
	return p.word()
}

func (p *parser) word() (any, error) {
	rest := p.in[p.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("true")):
		p.pos += 4
		return true, nil
	case bytes.HasPrefix(rest, []byte("false")):
		p.pos += 5
		return false, nil
	case bytes.HasPrefix(rest, []byte("null")):
		p.pos += 4
		return nil, nil
	}
	return nil, p.fail("no JSON value starts here")
}

func (p *parser) list(depth int) (any, error) {
	p.pos++
	all := []any{}
	if p.next() == ']' {
		p.pos++
		return all, nil
	}
	for {
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		switch p.next() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			return all, nil
		default:
			return nil, p.fail("a list goes on with a comma or ends with ]")
		}
	}
}

func (p *parser) object(depth int) (any, error) {
	p.pos++
	all, base := map[string]any{}, len(p.keys)
	defer func() { p.keys = p.keys[:base] }()
	if p.next() == '}' {
		p.pos++
		return all, nil
	}
	var folded map[string]struct{}
	for {
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		if folded, err = p.once(key, base, folded); err != nil {
			return nil, err
		}
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		all[key] = v
		switch p.next() {
		case ',':
			p.pos++
		case '}':
			p.pos++
			return all, nil
		default:
			return nil, p.fail("an object goes on with a comma or ends with }")
		}
	}
}

// key reads a key and the colon after it.
func (p *parser) key() (string, error) {
	if p.next() != '"' {
		return "", p.fail("a key in double quotes has to stand here")
	}
	b, err := p.text()
	if err != nil {
		return "", err
	}
	key, known := p.names[string(b)]
	if !known {
		key = string(b)
		if p.names == nil {
			p.names = map[string]string{}
		}
		if len(p.names) < maxNames {
			p.names[key] = key
		}
	}
	if p.next() != ':' {
		return "", p.fail("a colon has to follow the key")
	}
	p.pos++
	return key, nil
}

// once refuses a key that the object, whose keys start at base, has already in some case. folded is the set
// of them, made when they have become many: comparing each with each would be quadratic.
func (p *parser) once(key string, base int, folded map[string]struct{}) (map[string]struct{}, error) {
	twice := false
	switch seen := p.keys[base:]; {
	case folded != nil:
		f := fold(key)
		_, twice = folded[f]
		folded[f] = struct{}{}
	default:
		for _, k := range seen {
			twice = twice || strings.EqualFold(k, key)
		}
		if len(seen) == manyKeys {
			folded = map[string]struct{}{fold(key): {}}
			for _, k := range seen {
				folded[fold(k)] = struct{}{}
			}
		}
	}
	if twice {
		return nil, p.fail("the object has one key twice (case does not count): send each once")
	}
	p.keys = append(p.keys, key)
	return folded, nil
}

// number reads what RFC 8259 section 6 calls a number, and keeps its text.
func (p *parser) number() (any, error) {
	start := p.pos
	if p.in[p.pos] == '-' {
		p.pos++
	}
	ok := true
	if p.pos < len(p.in) && p.in[p.pos] == '0' {
		p.pos++
	} else {
		ok = p.digits()
	}
	if ok && p.pos < len(p.in) && p.in[p.pos] == '.' {
		p.pos++
		ok = p.digits()
	}
	if ok && p.pos < len(p.in) && p.in[p.pos]|0x20 == 'e' {
		p.pos++
		if p.pos < len(p.in) && (p.in[p.pos] == '+' || p.in[p.pos] == '-') {
			p.pos++
		}
		ok = p.digits()
	}
	if !ok {
		return nil, p.fail("the number is not complete")
	}
	return json.Number(p.in[start:p.pos]), nil
}

func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.in) && p.in[p.pos] >= '0' && p.in[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}

// text reads a string. What it returns is valid until the next call: a part of the body where nothing had
// to be decoded.
func (p *parser) text() ([]byte, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case '"':
			b := p.in[start:p.pos]
			p.pos++
			return b, nil
		case '\\':
			return p.escaped(start)
		default:
			if err := p.char(); err != nil {
				return nil, err
			}
		}
	}
	return nil, p.fail("a text is not closed by a double quote")
}

// char steps over one character of a string.
func (p *parser) char() error {
	c := p.in[p.pos]
	if c < 0x20 {
		return p.fail(`a text contains a control character: write it as an escape such as \n`)
	}
	if c < utf8.RuneSelf {
		p.pos++
		return nil
	}
	r, n := utf8.DecodeRune(p.in[p.pos:])
	if r == utf8.RuneError && n == 1 {
		return p.fail("the text is not UTF-8: send application/scim+json in UTF-8")
	}
	p.pos += n
	return nil
}
