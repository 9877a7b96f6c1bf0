package mapping

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"usherd/connector"
)

const errNumber evalError = "no whole number"

// valueFunctions answer questions and read what directories write in forms of their own.
var valueFunctions = map[string]function{
	"match": {params: []kind{text, pattern}, min: 2, result: boolean, call: func(_ *frame, a []any) (any, error) {
		return a[1].(compiled).MatchString(a[0].(string)), nil
	}},
	"length": {params: []kind{text}, min: 1, result: number, call: func(_ *frame, a []any) (any, error) {
		return utf8.RuneCountInString(a[0].(string)), nil
	}},
	"equalFold": {params: []kind{text, text}, min: 2, result: boolean, call: func(_ *frame, a []any) (any, error) {
		return connector.Fold(a[0].(string)) == connector.Fold(a[1].(string)), nil
	}},
	"containsFold":   foldTest(strings.Contains),
	"startsWithFold": foldTest(strings.HasPrefix),
	"endsWithFold":   foldTest(strings.HasSuffix),
	"text": {params: []kind{scalar}, min: 1, result: text, call: func(_ *frame, a []any) (any, error) {
		switch v := a[0].(type) {
		case int:
			return strconv.Itoa(v), nil
		case bool:
			return strconv.FormatBool(v), nil
		}
		return a[0], nil
	}},
	"number": {params: []kind{text, number}, min: 1, result: number, call: func(_ *frame, a []any) (any, error) {
		s := strings.TrimSpace(a[0].(string))
		if s == "" {
			if len(a) > 1 {
				return a[1], nil
			}
			return 0, nil
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, errNumber
		}
		return n, nil
	}},
	"bit": {params: []kind{text, number}, min: 2, result: boolean, call: func(_ *frame, a []any) (any, error) {
		s, mask := strings.TrimSpace(a[0].(string)), int64(a[1].(int))
		if s == "" {
			return false, nil
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, errNumber
		}
		return mask != 0 && n&mask == mask, nil
	}},
	"filetime": {params: []kind{text}, min: 1, result: text, call: func(_ *frame, a []any) (any, error) {
		return fromFiletime(a[0].(string))
	}},
	"generalizedTime": {params: []kind{text}, min: 1, result: text, call: func(_ *frame, a []any) (any, error) {
		return fromGeneralized(a[0].(string))
	}},
	"base64": {params: []kind{raw}, min: 1, result: text, call: func(f *frame, a []any) (any, error) {
		s := a[0].(string)
		if err := f.charge(base64.StdEncoding.EncodedLen(len(s))); err != nil {
			return nil, err
		}
		return base64.StdEncoding.EncodeToString([]byte(s)), nil
	}},
	"rdn": {params: []kind{text}, min: 1, result: text, call: func(_ *frame, a []any) (any, error) {
		return relative(a[0].(string), "", 0), nil
	}},
	"ou": {params: []kind{text, number}, min: 1, result: text, call: func(_ *frame, a []any) (any, error) {
		n := 0
		if len(a) > 1 {
			n = a[1].(int)
		}
		return relative(a[0].(string), "ou", n), nil
	}},
}

func foldTest(test func(s, part string) bool) function {
	return function{params: []kind{text, text}, min: 2, result: boolean, call: func(_ *frame, a []any) (any, error) {
		return test(folded(a[0].(string)), folded(a[1].(string))), nil
	}}
}

// relative returns the value of the n-th name of a DN that has this type, counted from the entry
// upwards from 0; any type where typ is empty. "" where there is none or the text is no DN (RFC 4514).
func relative(dn, typ string, n int) string {
	for dn != "" {
		var name string
		name, dn = cutName(dn)
		t, value, ok := strings.Cut(name, "=")
		if !ok {
			return ""
		}
		if typ != "" && !strings.EqualFold(strings.TrimSpace(t), typ) {
			continue
		}
		if n == 0 {
			return unescaped(value)
		}
		n--
	}
	return ""
}

// cutName cuts at the first comma, or plus of a name of several parts, that is not escaped. Parts
// after a plus then count as names of their own, which is as good for finding one by type.
func cutName(dn string) (name, rest string) {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',', '+':
			return dn[:i], dn[i+1:]
		}
	}
	return dn, ""
}

// unescaped removes the escapes of RFC 4514 section 2.4 and the blanks around the value. What does
// not give valid text is none.
func unescaped(v string) string {
	v = strings.TrimLeft(v, " ")
	b := make([]byte, 0, len(v))
	end := 0 // of what may not be trimmed
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' || i+1 == len(v) {
			b = append(b, v[i])
			if v[i] != ' ' {
				end = len(b)
			}
			continue
		}
		if i+2 < len(v) {
			if c, err := hex.DecodeString(v[i+1 : i+3]); err == nil {
				b = append(b, c[0])
				i += 2
				end = len(b)
				continue
			}
		}
		b = append(b, v[i+1])
		i++
		end = len(b)
	}
	if b = b[:end]; !utf8.Valid(b) {
		return ""
	}
	return string(b)
}
