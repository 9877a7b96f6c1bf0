package requestlog

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// BodyMost is how much is kept of a body.
	BodyMost = 16 << 10
	// CaptureMost is how much of a body has to be seen for that: what stands behind it is never shown.
	CaptureMost = 64 << 10

	queryMost = 4 << 10
	pathMost  = 1 << 10
	depthMost = 64

	hidden = "[hidden]"
)

// secretWords are parts of names whose values nobody should read later.
var secretWords = []string{
	"password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "authorization", "credential", "assertion", "apikey", "privatekey", "cookie",
}

// isSecret reports whether a name, in any case, with or without URN, path and separators, is that of a secret.
func isSecret(name string) bool {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' {
			b.WriteRune(r)
		}
	}
	for _, w := range secretWords {
		if strings.Contains(b.String(), w) {
			return true
		}
	}
	return false
}

// Query masks the values of parameters that are named like secrets, and filters that ask for one, and cuts what is
// left at 4 KiB. Other filter values are kept: they say whom a client looks for.
func Query(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.Split(raw, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err != nil || isSecret(plain) {
			parts[i] = name + "=" + hidden
			continue
		}
		if plain, err := url.QueryUnescape(value); err != nil || isSecret(plain) {
			parts[i] = name + "=" + hidden
		}
	}
	return cut(strings.Join(parts, "&"), queryMost)
}

// Path cuts a path.
func Path(p string) string { return cut(p, pathMost) }

// cut shortens s to n bytes at most, and makes it valid UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		s = strings.TrimRightFunc(s[:n-3], func(r rune) bool { return r == utf8.RuneError }) + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Body masks the secrets in a JSON body and cuts it. seen is its beginning, at most CaptureMost, and size how long
// all of it was. What is no JSON is not kept.
func Body(seen []byte, size int64) []byte {
	if len(seen) == 0 {
		return []byte{}
	}
	m := masker{in: seen, whole: int64(len(seen)) == size}
	m.space()
	if m.pos == len(m.in) || m.in[m.pos] != '{' && m.in[m.pos] != '[' {
		return fmt.Appendf(nil, "[%d bytes that are no JSON]", size)
	}
	m.value(0)
	out := m.out
	if len(out) > BodyMost {
		out = []byte(cut(string(out), BodyMost))
	}
	if m.broken || len(m.out) > BodyMost {
		out = fmt.Appendf(out, " [cut, %d bytes in all]", size)
	}
	return out
}

// masker copies JSON and leaves secrets out. It goes on as long as the text makes sense: a document that was cut, or
// that nobody could read, is copied up to there.
type masker struct {
	in     []byte
	pos    int
	out    []byte
	whole  bool // in is all of the document
	broken bool
}

func (m *masker) space() {
	for m.pos < len(m.in) && strings.IndexByte(" \t\r\n", m.in[m.pos]) >= 0 {
		m.pos++
	}
}

// value copies one value.
func (m *masker) value(depth int) {
	m.space()
	if m.pos == len(m.in) || depth > depthMost {
		m.broken = true
		return
	}
	switch m.in[m.pos] {
	case '{':
		m.object(depth)
	case '[':
		m.list(depth)
	case '"':
		m.text()
	default:
		m.literal()
	}
}

// literal copies a number, true, false or null.
func (m *masker) literal() {
	from := m.pos
	for m.pos < len(m.in) && strings.IndexByte("+-.0123456789aefilnrstuE", m.in[m.pos]) >= 0 {
		m.pos++
	}
	if m.pos == from || m.pos-from > 64 {
		m.broken = true
		return
	}
	m.out = append(m.out, m.in[from:m.pos]...)
}

// quoted passes over a string and returns it as it stands and as it reads.
func (m *masker) quoted() (raw []byte, plain string, ok bool) {
	if m.pos == len(m.in) || m.in[m.pos] != '"' {
		return nil, "", false
	}
	for i := m.pos + 1; i < len(m.in); i++ {
		switch m.in[i] {
		case '\\':
			i++
		case '"':
			raw = m.in[m.pos : i+1]
			m.pos = i + 1
			return raw, plain, json.Unmarshal(raw, &plain) == nil
		}
	}
	return nil, "", false
}

// text copies a string; one that holds a document, a filter or a header with a secret in it is hidden.
func (m *masker) text() {
	raw, plain, ok := m.quoted()
	switch {
	case !ok:
		m.broken = true
	case strings.ContainsAny(plain, "{=:\" ") && isSecret(plain):
		m.hide()
	default:
		m.out = append(m.out, raw...)
	}
}

func (m *masker) hide() { m.out = append(m.out, `"`+hidden+`"`...) }

// list copies a list.
func (m *masker) list(depth int) {
	m.items(']', func() { m.value(depth + 1) })
}

// items copies what stands between brackets, with commas between.
func (m *masker) items(end byte, item func()) {
	m.out = append(m.out, m.in[m.pos])
	m.pos++
	for n := 0; ; n++ {
		m.space()
		if m.pos == len(m.in) {
			m.broken = true
			return
		}
		if m.in[m.pos] == end {
			m.out = append(m.out, end)
			m.pos++
			return
		}
		if n > 0 {
			if m.in[m.pos] != ',' {
				m.broken = true
				return
			}
			m.out = append(m.out, ',')
			m.pos++
			m.space()
		}
		if item(); m.broken || len(m.out) > 2*BodyMost { // nobody will see more
			m.broken = true
			return
		}
	}
}

// object copies an object. Whether the value of a PATCH operation is secret is said by its path, which may stand
// behind it: such values are hidden at the end, and in an object that was cut before its path as well.
func (m *masker) object(depth int) {
	var values [][2]int // where in out
	operation, path, secret := false, false, false
	m.items('}', func() {
		raw, name, ok := m.quoted()
		m.space()
		if !ok || m.pos == len(m.in) || m.in[m.pos] != ':' {
			m.broken = true
			return
		}
		m.pos++
		m.space()
		m.out = append(append(m.out, raw...), ':')
		from, at := m.pos, len(m.out)
		if m.value(depth + 1); isSecret(name) {
			m.out = append(m.out[:at], `"`+hidden+`"`...)
			return
		}
		switch strings.ToLower(name) {
		case "op":
			operation = true
		case "path":
			path = true
			var plain string
			secret = secret || json.Unmarshal(m.in[from:m.pos], &plain) != nil || isSecret(plain)
		case "value":
			values = append(values, [2]int{at, len(m.out)})
		}
	})
	if !secret && (!m.broken || path || !operation && m.whole) {
		return
	}
	for _, v := range slices.Backward(values) {
		m.out = slices.Concat(m.out[:v[0]], []byte(`"`+hidden+`"`), m.out[v[1]:])
	}
}
