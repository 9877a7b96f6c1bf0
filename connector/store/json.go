package store

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"usherd/connector"
)

// The two documents that every change writes have their own encoder and decoder: encoding/json takes
// several times as long, and a run writes a million of them. What they write is plain JSON.

// appendProfile writes a profile as {"name":["value"]}, names sorted, ready to be served.
func appendProfile(b []byte, p connector.Profile) []byte {
	var buf [48]string
	names := buf[:0]
	for n, v := range p {
		if len(v) > 0 {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, n), ':')
		b = appendList(b, p[n])
	}
	return append(b, '}')
}

func appendList(b []byte, values []string) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. What is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
			continue
		}
		b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(append(b, s[from:]...), '"')
}

// errDocument is a stored document that is not what was written.
var errDocument = errors.New("a stored document cannot be read")

// decoder reads the JSON that the encoders above write, without blanks between tokens.
type decoder struct {
	s   string
	pos int
}

// take skips c if it comes next.
func (d *decoder) take(c byte) bool {
	if d.pos < len(d.s) && d.s[d.pos] == c {
		d.pos++
		return true
	}
	return false
}

func (d *decoder) text() (string, error) {
	if !d.take('"') {
		return "", errDocument
	}
	rest := d.s[d.pos:]
	end := strings.IndexByte(rest, '"')
	if end < 0 {
		return "", errDocument
	}
	if !strings.Contains(rest[:end], `\`) {
		d.pos += end + 1
		return rest[:end], nil
	}
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			var v string
			if json.Unmarshal([]byte(d.s[d.pos-1:d.pos+i+1]), &v) != nil {
				return "", errDocument
			}
			d.pos += i + 1
			return v, nil
		}
	}
	return "", errDocument
}

// list reads an array of strings; nil for an empty one.
func (d *decoder) list() ([]string, error) {
	if !d.take('[') {
		return nil, errDocument
	}
	if d.take(']') {
		return nil, nil
	}
	v := make([]string, 0, 1)
	for {
		s, err := d.text()
		if err != nil {
			return nil, err
		}
		v = append(v, s)
		if d.take(']') {
			return v, nil
		}
		if !d.take(',') {
			return nil, errDocument
		}
	}
}

// parseProfile reads what appendProfile wrote. The strings share the memory of one copy of doc.
func parseProfile(doc []byte) (connector.Profile, error) {
	d := decoder{s: string(doc)}
	if !d.take('{') {
		return nil, errDocument
	}
	p := make(connector.Profile, strings.Count(d.s, "["))
	for more := !d.take('}'); more; {
		name, err := d.text()
		if err != nil {
			return nil, err
		}
		if !d.take(':') {
			return nil, errDocument
		}
		if p[name], err = d.list(); err != nil {
			return nil, err
		}
		if more = d.take(','); !more && !d.take('}') {
			return nil, errDocument
		}
	}
	if d.pos != len(d.s) {
		return nil, errDocument
	}
	return p, nil
}

// firstOf returns the first values of some attributes of a stored profile, "" for none, without making a
// Profile of it.
func firstOf(doc []byte, names ...string) ([]string, error) {
	values := make([]string, len(names))
	d := decoder{s: string(doc)}
	if !d.take('{') {
		return nil, errDocument
	}
	for more := !d.take('}'); more; {
		name, err := d.text()
		if err != nil || !d.take(':') {
			return nil, errDocument
		}
		value, err := d.head()
		if err != nil {
			return nil, err
		}
		if i := slices.Index(names, name); i >= 0 {
			values[i] = value
		}
		if more = d.take(','); !more && !d.take('}') {
			return nil, errDocument
		}
	}
	return values, nil
}

// head reads an array of strings and returns the first one, "" of an empty array.
func (d *decoder) head() (value string, err error) {
	if !d.take('[') {
		return "", errDocument
	}
	if d.take(']') {
		return "", nil
	}
	for n := 0; ; n++ {
		s, err := d.text()
		if err != nil {
			return "", err
		}
		if n == 0 {
			value = s
		}
		if d.take(']') {
			return value, nil
		}
		if !d.take(',') {
			return "", errDocument
		}
	}
}

// eventDoc is the variable part of an event. DN and Anchor are kept for deletions only: elsewhere
// the link has them.
type eventDoc struct {
	fields      []connector.FieldChange
	transitions []connector.Transition
	anchor      connector.Anchor
	dn          string
	subject     string
	warnings    []string
}

// appendEvent writes {"f":[[name,[before],[after]]],"t":[[from,to,signal]],"w":[anchor,dn,subject],"n":[warning]}.
func appendEvent(b []byte, e *eventDoc) []byte {
	b = append(b, `{"f":[`...)
	for i, f := range e.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(append(b, '['), f.Field), ',')
		b = append(appendList(b, f.Before), ',')
		b = append(appendList(b, f.After), ']')
	}
	b = append(b, `],"t":[`...)
	for i, t := range e.transitions {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendList(b, []string{string(t.From), string(t.To), t.Signal})
	}
	b = append(b, ']')
	if !e.anchor.IsZero() || e.dn != "" || e.subject != "" {
		b = append(b, `,"w":`...)
		b = appendList(b, []string{hexText(anchorBlob(e.anchor)), e.dn, e.subject})
	}
	if len(e.warnings) > 0 {
		b = appendList(append(b, `,"n":`...), e.warnings)
	}
	return append(b, '}')
}

// parseEvent reads what appendEvent wrote.
func parseEvent(doc []byte) (e eventDoc, err error) {
	d := decoder{s: string(doc)}
	if !d.skip(`{"f":[`) {
		return e, errDocument
	}
	for more := !d.take(']'); more; {
		var f connector.FieldChange
		if f, err = d.field(); err != nil {
			return e, err
		}
		e.fields = append(e.fields, f)
		if more = d.take(','); !more && !d.take(']') {
			return e, errDocument
		}
	}
	if !d.skip(`,"t":[`) {
		return e, errDocument
	}
	for more := !d.take(']'); more; {
		v, err := d.list()
		if err != nil || len(v) != 3 {
			return e, errDocument
		}
		e.transitions = append(e.transitions, connector.Transition{From: connector.State(v[0]), To: connector.State(v[1]), Signal: v[2]})
		if more = d.take(','); !more && !d.take(']') {
			return e, errDocument
		}
	}
	if d.skip(`,"w":`) {
		v, err := d.list()
		if err != nil || len(v) != 3 {
			return e, errDocument
		}
		e.anchor, e.dn, e.subject = anchorOf(unhex(v[0])), v[1], v[2]
	}
	if d.skip(`,"n":`) {
		if e.warnings, err = d.list(); err != nil {
			return e, err
		}
	}
	if !d.take('}') || d.pos != len(d.s) {
		return e, errDocument
	}
	return e, nil
}

func (d *decoder) field() (f connector.FieldChange, err error) {
	if !d.take('[') {
		return f, errDocument
	}
	if f.Field, err = d.text(); err != nil {
		return f, err
	}
	if !d.take(',') {
		return f, errDocument
	}
	if f.Before, err = d.list(); err != nil {
		return f, err
	}
	if !d.take(',') {
		return f, errDocument
	}
	if f.After, err = d.list(); err != nil {
		return f, err
	}
	if !d.take(']') {
		return f, errDocument
	}
	return f, nil
}

func (d *decoder) skip(s string) bool {
	if strings.HasPrefix(d.s[d.pos:], s) {
		d.pos += len(s)
		return true
	}
	return false
}
