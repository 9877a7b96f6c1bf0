package ldapsync

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

var dnEscaper = strings.NewReplacer(",", `\2c`, "+", `\2b`, ";", `\3b`, `\`, `\5c`)

var errNotUTF8 = errors.New("the DN is not UTF-8")

// appendDN appends the form in which DNs are compared: types in lower case, values folded and
// unescaped but for , + ; and \, which are written as \2c and so on. So two DNs are equal when
// their bytes are, and one stands below another when it ends in a comma and the other: servers differ
// in what they escape and how (slapd gives \2C in a DN and \, in a member value).
func appendDN(dst, dn []byte) ([]byte, error) {
	if out, ok := appendPlainDN(dst, dn); ok {
		return out, nil
	}
	return appendParsedDN(dst, dn)
}

// foldDN is appendDN for the few DNs of a configuration or a question.
func foldDN(dn string) (string, error) {
	b, err := appendDN(nil, []byte(dn))
	return string(b), err
}

// appendPlainDN handles nearly all DNs, those with a comma in a name included, without an allocation
// but for letters beyond ASCII; false means that it is not one, and dst is then as it was.
func appendPlainDN(dst, dn []byte) ([]byte, bool) {
	start := len(dst)
	for i := 0; ; {
		for i < len(dn) && dn[i] == ' ' {
			i++
		}
		typeAt := len(dst)
		for i < len(dn) && typeByte(dn[i]) {
			dst = append(dst, lower(dn[i]))
			i++
		}
		if len(dst) == typeAt || i == len(dn) || dn[i] != '=' {
			return dst[:start], false
		}
		dst = append(dst, '=')
		value := dn[i+1:]
		n, is, ok := plainValue(value)
		if !ok {
			return dst[:start], false
		}
		dst = appendValue(dst, value[:n], is)
		i += 1 + n
		if i == len(dn) {
			return dst, true
		}
		dst = append(dst, ',')
		i++
	}
}

// valueKind is what has to be done to a value.
type valueKind struct{ escaped, foreign bool } // has escapes; has letters beyond ASCII

// plainValue returns how far the value at the start of b goes. It is not ok when the value needs
// the parser: other separators, quotes, #hex, control characters, broken UTF-8, escapes of such bytes.
func plainValue(b []byte) (n int, is valueKind, ok bool) {
	blank := true // nothing but blanks so far: # would begin a value in hexadecimal digits
	for n < len(b) && b[n] != ',' {
		switch c := b[n]; {
		case c == '\\':
			_, size := unescape(b[n:])
			if size == 0 {
				return 0, is, false
			}
			n += size - 1
			is.escaped, blank = true, false
		case c == '+' || c == ';' || c == '"' || c == '<' || c == '>' || c < ' ' || c == 0x7f:
			return 0, is, false
		case c == '#' && blank:
			return 0, is, false
		case c >= utf8.RuneSelf:
			is.foreign, blank = true, false
		case c != ' ':
			blank = false
		}
		n++
	}
	return n, is, !is.foreign || utf8.Valid(b[:n])
}

// unescape reads the escape at the start of b, of a printable ASCII character: \, or \2C (RFC 4514
// section 3). The size is 0 when it is something else.
func unescape(b []byte) (c byte, size int) {
	if len(b) < 2 {
		return 0, 0
	}
	if strings.IndexByte(` "#+,;<=>\`, b[1]) >= 0 {
		return b[1], 2
	}
	var out [1]byte
	if len(b) < 3 {
		return 0, 0
	}
	if _, err := hex.Decode(out[:], b[1:3]); err != nil || out[0] < ' ' || out[0] >= 0x7f {
		return 0, 0
	}
	return out[0], 3
}

func appendValue(dst, value []byte, is valueKind) []byte {
	var room [128]byte
	if is.escaped {
		plain := room[:0]
		for i := 0; i < len(value); {
			c, size := value[i], 1
			if c == '\\' {
				c, size = unescape(value[i:])
			}
			plain = append(plain, c)
			i += size
		}
		value = plain
	}
	if is.foreign {
		value = []byte(connector.Fold(string(value)))
	}
	value = bytes.Trim(value, " ")
	for _, c := range value {
		switch c {
		case ',', '+', ';', '\\': // as dnEscaper does
			dst = append(dst, '\\')
			dst = hex.AppendEncode(dst, []byte{c})
		default:
			dst = append(dst, lower(c))
		}
	}
	return dst
}

func typeByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.'
}

// appendParsedDN is the whole grammar of RFC 4514.
func appendParsedDN(dst, dn []byte) ([]byte, error) {
	if !utf8.Valid(dn) {
		return dst, errNotUTF8 // the parser would make different DNs equal
	}
	parsed, err := ldap.ParseDN(string(dn))
	if err != nil {
		return dst, err
	}
	for i, rdn := range parsed.RDNs {
		if i > 0 {
			dst = append(dst, ',')
		}
		text, err := foldRDN(rdn)
		if err != nil {
			return dst, err
		}
		dst = append(dst, text...)
	}
	return dst, nil
}

func foldRDN(rdn *ldap.RelativeDN) (string, error) {
	parts := make([]string, 0, 1)
	for _, a := range rdn.Attributes {
		name := []byte(a.Type)
		for i, c := range name {
			if !typeByte(c) {
				return "", fmt.Errorf("%q is no attribute name", a.Type)
			}
			name[i] = lower(c)
		}
		value := a.Value
		if utf8.ValidString(value) { // else it is binary, and folding would lose bytes
			value = connector.Fold(value)
		}
		parts = append(parts, string(name)+"="+dnEscaper.Replace(value))
	}
	if len(parts) > 1 { // the order within an RDN means nothing
		slices.Sort(parts)
	}
	return strings.Join(parts, "+"), nil
}

// isBelow reports whether a folded DN is that base or stands below it. Everything is below the root.
func isBelow[T, B []byte | string](dn T, base B) bool {
	cut := len(dn) - len(base)
	if len(base) == 0 {
		return true
	}
	return cut >= 0 && string(dn[cut:]) == string(base) && (cut == 0 || dn[cut-1] == ',')
}

// dnKey stands for a folded DN in sets of members: 16 bytes instead of a string of a hundred, for
// groups of a million. Two seeds chosen by the process keep anybody from making two DNs meet.
type dnKey [2]uint64

type dnHasher [2]maphash.Seed

func newDNHasher() dnHasher { return dnHasher{maphash.MakeSeed(), maphash.MakeSeed()} }

func (h dnHasher) key(folded []byte) dnKey {
	return dnKey{maphash.Bytes(h[0], folded), maphash.Bytes(h[1], folded)}
}

func (k dnKey) hash() (h connector.Hash) {
	binary.BigEndian.PutUint64(h[:], k[0])
	binary.BigEndian.PutUint64(h[8:], k[1])
	return h
}
