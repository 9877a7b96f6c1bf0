package mapping

import (
	"slices"
	"strings"

	"usherd/connector"
)

// listFunctions work on lists of texts.
var listFunctions = map[string]function{
	"all": {params: []kind{list}, min: 1, result: list, call: func(_ *frame, a []any) (any, error) { return a[0], nil }},
	"first": {params: []kind{list}, min: 1, result: text, call: func(_ *frame, a []any) (any, error) {
		return nth(a[0].([]string), 0), nil
	}},
	"last": {params: []kind{list}, min: 1, result: text, call: func(_ *frame, a []any) (any, error) {
		return nth(a[0].([]string), -1), nil
	}},
	"nth": {params: []kind{list, number}, min: 2, result: text, call: func(_ *frame, a []any) (any, error) {
		return nth(a[0].([]string), a[1].(int)), nil
	}},
	"join": {params: []kind{list, text}, min: 2, result: text, call: func(f *frame, a []any) (any, error) {
		return joined(f, a[0].([]string), a[1].(string))
	}},
	"split": {params: []kind{text, text}, min: 2, result: list, call: func(f *frame, a []any) (any, error) {
		return pieces(f, a[0].(string), a[1].(string))
	}},
	"keep": {params: []kind{list, pattern}, min: 2, result: list, call: func(f *frame, a []any) (any, error) {
		re := a[1].(compiled)
		return filtered(f, a[0].([]string), re.MatchString)
	}},
	"drop": {params: []kind{list, pattern}, min: 2, result: list, call: func(f *frame, a []any) (any, error) {
		re := a[1].(compiled)
		return filtered(f, a[0].([]string), func(s string) bool { return !re.MatchString(s) })
	}},
	"each": {params: []kind{list, pattern, text}, min: 3, result: list, call: func(f *frame, a []any) (any, error) {
		return onEach(f, a[0].([]string), a)
	}},
	"without": {params: []kind{list, text}, min: 2, variadic: true, result: list, call: func(f *frame, a []any) (any, error) {
		out := make(map[string]bool, len(a)-1) // folded once: they may be long, and the list too
		for _, other := range a[1:] {
			out[connector.Fold(other.(string))] = true
		}
		return filtered(f, a[0].([]string), func(s string) bool { return !out[connector.Fold(s)] })
	}},
	"unique": {params: []kind{list}, min: 1, result: list, call: func(f *frame, a []any) (any, error) {
		seen := make(map[string]bool, len(a[0].([]string)))
		return filtered(f, a[0].([]string), func(s string) bool {
			key := connector.Fold(s)
			was := seen[key]
			seen[key] = true
			return !was
		})
	}},
	"concat": {params: []kind{list}, min: 1, variadic: true, result: list, call: func(f *frame, a []any) (any, error) {
		var out []string
		for _, l := range a {
			out = append(out, l.([]string)...)
		}
		return out, f.charge(stringSize * len(out))
	}},
	"count": {params: []kind{list}, min: 1, result: number, call: func(_ *frame, a []any) (any, error) { return len(a[0].([]string)), nil }},
	"inFold": {params: []kind{text, list}, min: 2, result: boolean, call: func(_ *frame, a []any) (any, error) {
		s := connector.Fold(a[0].(string))
		return slices.ContainsFunc(a[1].([]string), func(other string) bool { return s == connector.Fold(other) }), nil
	}},
}

// nth counts from 0, negative numbers from the end; "" outside.
func nth(l []string, n int) string {
	if n < 0 {
		n += len(l)
	}
	if n < 0 || n >= len(l) {
		return ""
	}
	return l[n]
}

func joined(f *frame, l []string, sep string) (string, error) {
	for _, s := range l {
		if err := f.charge(len(s) + len(sep)); err != nil {
			return "", err
		}
	}
	return strings.Join(l, sep), nil
}

// pieces splits and trims; empty pieces are left out.
func pieces(f *frame, s, sep string) (any, error) {
	if sep == "" {
		return nil, evalError("split(...) needs a separator")
	}
	var out []string
	for p := range strings.SplitSeq(s, sep) {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if err := f.charge(stringSize); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func filtered(f *frame, l []string, keep func(string) bool) (any, error) {
	out := make([]string, 0, len(l))
	for _, s := range l {
		if keep(s) {
			out = append(out, s)
		}
	}
	return out, f.charge(stringSize * len(out))
}

func onEach(f *frame, l []string, a []any) (any, error) {
	out := make([]string, 0, len(l))
	for _, s := range l {
		s, err := regexReplaced(f, a[1].(compiled), s, a[2].(string))
		if err != nil {
			return nil, err
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out, f.charge(stringSize * len(out))
}
