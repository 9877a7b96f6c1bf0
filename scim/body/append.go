package body

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// Append appends v as encoding/json writes it, byte for byte and keys in order, several times as fast for what
// resources are made of: maps, lists, texts, booleans and null. Its errors are those of encoding/json.
func Append(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case map[string]any:
		return appendObject(b, v)
	case []any:
		return appendList(b, v)
	case string:
		return AppendText(b, v), nil
	case bool:
		if v {
			return append(b, "true"...), nil
		}
		return append(b, "false"...), nil
	}
	other, err := json.Marshal(v)
	return append(b, other...), err
}

func appendObject(b []byte, o map[string]any) ([]byte, error) {
	if o == nil {
		return append(b, "null"...), nil
	}
	var room [32]string
	keys := room[:0]
	for k := range o {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendText(b, k), ':')
		var err error
		if b, err = Append(b, o[k]); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

func appendList(b []byte, list []any) ([]byte, error) {
	if list == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = Append(b, v); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// plain are the bytes that stand for themselves in a text.
var plain = func() (is [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		is[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return is
}()

const digits = "0123456789abcdef"

// escapes are what stands behind the backslash of a byte, where that is one letter.
var escapes = map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// AppendText appends a text in double quotes, as encoding/json does: what could end a script in a page is escaped,
// and what is not UTF-8 becomes U+FFFD.
func AppendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[from:i]...)
			if e, ok := escapes[c]; ok {
				b = append(b, '\\', e)
			} else {
				b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&0xf])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(append(b, s[from:i]...), `\ufffd`...)
			from = i + n
		case r == '\u2028' || r == '\u2029': // JavaScript took them for ends of lines
			b = append(append(b, s[from:i]...), `\u202`...)
			b = append(b, digits[r&0xf])
			from = i + n
		}
		i += n
	}
	return append(append(b, s[from:]...), '"')
}
