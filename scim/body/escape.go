package body

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// simple is what the character after a backslash stands for.
var simple = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads the rest of a string that started at start and has a backslash at the present place.
func (p *parser) escaped(start int) ([]byte, error) {
	out := append(make([]byte, 0, p.pos-start+32), p.in[start:p.pos]...)
	for p.pos < len(p.in) {
		from := p.pos
		switch p.in[p.pos] {
		case '"':
			p.pos++
			return out, nil
		case '\\':
			r, err := p.escape()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
		default:
			if err := p.char(); err != nil {
				return nil, err
			}
			out = append(out, p.in[from:p.pos]...)
		}
	}
	return nil, p.fail("a text is not closed by a double quote")
}

// escape reads one character that is written with a backslash.
func (p *parser) escape() (rune, error) {
	if p.pos+1 == len(p.in) {
		return 0, p.fail("a text ends in a backslash")
	}
	if c, ok := simple[p.in[p.pos+1]]; ok {
		p.pos += 2
		return rune(c), nil
	}
	r := p.hex(p.pos)
	if r < 0 {
		return 0, p.fail(`a backslash stands before something else than one of "\/bfnrt or u and four hexadecimal digits`)
	}
	n := 6
	if utf16.IsSurrogate(r) {
		if r = utf16.DecodeRune(r, p.hex(p.pos+6)); r == unicode.ReplacementChar {
			return 0, p.fail("one half of a surrogate pair stands alone, which is no character: send both or neither")
		}
		n = 12
	}
	// PostgreSQL stores no NUL in a text, and what was sent has to be what is stored.
	if r == 0 {
		return 0, p.fail(`a text contains the character \u0000, which cannot be stored: leave it out`)
	}
	p.pos += n
	return r, nil
}

// hex returns what a backslash, a u and four hexadecimal digits at that place stand for, -1 where it has something else.
func (p *parser) hex(at int) rune {
	if at+6 > len(p.in) || p.in[at] != '\\' || p.in[at+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range p.in[at+2 : at+6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}

// fold gives all texts that strings.EqualFold calls equal one form.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}
