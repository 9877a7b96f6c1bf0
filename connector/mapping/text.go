package mapping

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"usherd/connector"
)

// textFunctions make one text of another. On a list they do so with each of its texts.
var textFunctions = map[string]function{
	"lower": each(nil, 0, func(_ *frame, s string, _ []any) (string, error) { return strings.ToLower(s), nil }),
	"upper": each(nil, 0, func(_ *frame, s string, _ []any) (string, error) { return strings.ToUpper(s), nil }),
	"title": each(nil, 0, func(_ *frame, s string, _ []any) (string, error) { return titled(s), nil }),
	"trim":  each(nil, 0, func(_ *frame, s string, _ []any) (string, error) { return strings.TrimSpace(s), nil }),
	"oneLine": each([]kind{text}, 1, func(f *frame, s string, a []any) (string, error) {
		glue := ", "
		if len(a) > 0 {
			glue = a[0].(string)
		}
		return oneLine(f, s, glue)
	}),
	"replace": each([]kind{text, text}, 0, func(f *frame, s string, a []any) (string, error) {
		return replaced(f, s, a[0].(string), a[1].(string))
	}),
	"extract": each([]kind{pattern}, 0, func(_ *frame, s string, a []any) (string, error) {
		return extracted(a[0].(compiled), s), nil
	}),
	"regexReplace": each([]kind{pattern, text}, 0, func(f *frame, s string, a []any) (string, error) {
		return regexReplaced(f, a[0].(compiled), s, a[1].(string))
	}),
	"left": each([]kind{number}, 0, func(_ *frame, s string, a []any) (string, error) {
		return substring(s, 0, a[0].(int)), nil
	}),
	"right": each([]kind{number}, 0, func(_ *frame, s string, a []any) (string, error) {
		n := utf8.RuneCountInString(s)
		return substring(s, max(n-max(a[0].(int), 0), 0), n), nil
	}),
	"substring": each([]kind{number, number}, 1, func(_ *frame, s string, a []any) (string, error) {
		count := len(s)
		if len(a) > 1 {
			count = a[1].(int)
		}
		return substring(s, a[0].(int), count), nil
	}),
}

// titled writes each word with a capital: after a blank or hyphen, and after the apostrophe of
// O'Neil and D'Arcy.
func titled(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	start, letters := true, 0
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || r == '-':
			start, letters = true, 0
		case r == '\'' || r == '’':
			start = letters == 1
		case start:
			r = unicode.ToTitle(r)
			start = false
			letters++
		default:
			r = unicode.ToLower(r)
			letters++
		}
		b.WriteRune(r)
	}
	return b.String()
}

// oneLine joins the lines of a postal address.
func oneLine(f *frame, s, glue string) (string, error) {
	if !strings.ContainsAny(s, "\r\n") {
		return s, nil
	}
	var lines []string
	for l := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return joined(f, lines, glue)
}

// replaced checks the size before it makes the text: many short pieces can become long ones.
func replaced(f *frame, s, from, to string) (string, error) {
	if from == "" {
		return "", evalError("replace(...) needs a text to look for")
	}
	n := strings.Count(s, from)
	if n == 0 {
		return s, nil
	}
	if n > maxBytes/max(len(to), 1) {
		return "", errTooMuch
	}
	if err := f.charge(n * len(to)); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, from, to), nil
}

// extracted gives the first group, or the whole match where the pattern has none.
func extracted(re compiled, s string) string {
	if re.NumSubexp() == 0 {
		return re.FindString(s)
	}
	if at := re.FindStringSubmatchIndex(s); at != nil && at[2] >= 0 {
		return s[at[2]:at[3]]
	}
	return ""
}

func regexReplaced(f *frame, re compiled, s, to string) (string, error) {
	var out []byte
	done, used := 0, 0
	for _, at := range re.FindAllStringSubmatchIndex(s, maxBytes/stringSize) {
		out = append(out, s[done:at[0]]...)
		out = re.ExpandString(out, to, s, at)
		done = at[1]
		// The template counts too: a long one that comes to nothing is still read for each match.
		if err := f.charge(len(out) - used + len(to)); err != nil {
			return "", err
		}
		used = len(out)
	}
	if out == nil && done == 0 {
		return s, nil
	}
	return string(append(out, s[done:]...)), nil
}

// substring counts characters from 0; what lies outside is empty.
func substring(s string, from, count int) string {
	if from < 0 || count <= 0 {
		return ""
	}
	start := offset(s, from)
	return s[start : start+offset(s[start:], count)]
}

// offset is where the n-th character begins, the end where there are fewer.
func offset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// folded folds case for looking inside a text. Fold removes blanks at the ends, which matter here, so
// both ends are guarded.
func folded(s string) string {
	s = connector.Fold("|" + s + "|")
	return s[1 : len(s)-1]
}
