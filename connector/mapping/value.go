package mapping

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"usherd/connector"
)

// tooLongError is a value with more characters (bytes, for a binary attribute) than its attribute takes.
type tooLongError struct {
	max  int
	unit string
}

func (e tooLongError) Error() string {
	return fmt.Sprintf("a value is longer than %s %s", thousands(e.max), e.unit)
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// put appends what an expression gave, in canonical form. Of a list, an attribute with one value
// takes the first that is not blank.
func (f *frame) put(info *connector.AttributeInfo, v any) error {
	from := len(f.spans)
	switch v := v.(type) {
	case nil: // what ?? leaves when nothing has a value
		return nil
	case string:
		return f.putText(info, v, from)
	case bool:
		return f.putText(info, strconv.FormatBool(v), from)
	case int:
		return f.putText(info, strconv.Itoa(v), from)
	case []string:
		for _, s := range v {
			if err := f.putText(info, s, from); err != nil {
				return err
			}
			if !info.Multi && len(f.spans) > from {
				return nil
			}
		}
		return nil
	}
	return evalError("the expression gives no text, list, number or condition")
}

func (f *frame) putText(info *connector.AttributeInfo, s string, from int) error {
	return f.putBytes(info, []byte(s), from) // bounded by maxBytes, or a constant of the configuration
}

// putBytes appends one value in canonical form; blanks are no value, and those around a text are not kept but where it
// stays as it was sent. from is where the values of this target begin in spans.
func (f *frame) putBytes(info *connector.AttributeInfo, v []byte, from int) error {
	if info.Type == connector.BinaryType {
		return f.putBinary(info, v, from)
	}
	bare := bytes.TrimSpace(v)
	if len(bare) == 0 {
		return nil
	}
	if f.mapping == nil || !f.mapping.asSent || info.Type != connector.TextType && info.Type != connector.EmailType {
		v = bare
	}
	if len(v) > utf8.UTFMax*info.MaxLen {
		return tooLongError{info.MaxLen, "characters"}
	}
	if err := checkText(v, info.MaxLen); err != nil {
		return err
	}
	start := len(f.buf)
	switch info.Type {
	case connector.TextType, connector.EmailType:
		f.buf = append(f.buf, v...)
	case connector.BoolType:
		b, ok := parseBool(string(v))
		if !ok {
			return evalError("no yes or no: true, false, yes, no, 1 and 0 are understood")
		}
		f.buf = strconv.AppendBool(f.buf, b)
	case connector.IntegerType:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return errNumber
		}
		f.buf = strconv.AppendInt(f.buf, n, 10)
	case connector.TimeType:
		t, ok := parseTime(string(v))
		if !ok {
			return evalError("no time: RFC 3339, generalized time or a date such as 2026-01-31 is understood")
		}
		f.buf = t.UTC().AppendFormat(f.buf, time.RFC3339Nano)
	case connector.ElementsType:
		if v[0] != '[' || !json.Valid(v) {
			return evalError("no JSON array")
		}
		f.buf = append(f.buf, v...)
	case connector.BinaryType: // above
	}
	return f.keep(info, start, from)
}

func (f *frame) putBinary(info *connector.AttributeInfo, v []byte, from int) error {
	if len(v) == 0 {
		return nil
	}
	if len(v) > info.MaxLen {
		return tooLongError{info.MaxLen, "bytes"}
	}
	start := len(f.buf)
	f.buf = base64.StdEncoding.AppendEncode(f.buf, v)
	return f.keep(info, start, from)
}

// keep makes the end of buf a value of the target, unless it has it already.
func (f *frame) keep(info *connector.AttributeInfo, start, from int) error {
	if f.known(info, start, from) {
		f.buf = f.buf[:start]
		return nil
	}
	if len(f.spans)-from >= maxValues {
		return evalError("more than " + thousands(maxValues) + " values")
	}
	if len(f.spans) > from && len(f.buf)-f.spans[from].from > maxBytes {
		return errTooMuch
	}
	f.spans = append(f.spans, span{start, len(f.buf)})
	return nil
}

// known reports whether the target has the end of buf as a value already. Few values are compared one
// by one; a set is made only where that would take long.
func (f *frame) known(info *connector.AttributeInfo, start, from int) bool {
	const few = 16
	v, have := f.buf[start:], f.spans[from:]
	if len(have) < few {
		for _, s := range have {
			old := f.buf[s.from:s.to]
			if bytes.Equal(old, v) || info.Type == connector.EmailType && bytes.EqualFold(old, v) {
				return true
			}
		}
		return false
	}
	key := func(b []byte) string {
		if info.Type == connector.EmailType {
			return connector.Fold(string(b))
		}
		return string(b)
	}
	if len(have) == few && len(f.seen) != few {
		f.seen = make(map[string]bool, 2*few)
		for _, s := range have {
			f.seen[key(f.buf[s.from:s.to])] = true
		}
	}
	k := key(v)
	was := f.seen[k]
	f.seen[k] = true
	return was
}

// checkText refuses what is no text or too long. Most values are short ASCII: one look at each byte.
func checkText(v []byte, maxLen int) error {
	ascii := true
	for _, c := range v {
		if c < ' ' || c == 0x7f {
			return evalError("a control character: line breaks can be removed with oneLine(...)")
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		if len(v) > maxLen {
			return tooLongError{maxLen, "characters"}
		}
		return nil
	}
	if !utf8.Valid(v) {
		return errUTF8
	}
	if utf8.RuneCount(v) > maxLen {
		return tooLongError{maxLen, "characters"}
	}
	if bytes.IndexFunc(v, unicode.IsControl) >= 0 {
		return evalError("a control character")
	}
	return nil
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "1", "y":
		return true, true
	case "false", "no", "0", "n":
		return false, true
	}
	return false, false
}
