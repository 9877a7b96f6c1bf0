package mapping

import (
	"errors"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/builtin"
)

// kind is the type of a part of an expression. Everything is known when an expression is compiled:
// there is no "any".
type kind int

const (
	wrong   kind = iota // a fault has been told already
	text                // string
	list                // []string
	boolean             // bool
	number              // int
	// The rest are wishes of parameters only.
	raw     // text that need not be UTF-8
	pattern // a regular expression, constant
	scalar  // text, boolean or number
	either  // text, or a list, whose members are taken one by one
)

var kindNames = map[kind]string{
	text: "a text", list: "a list", boolean: "a condition", number: "a number",
	raw: "an attribute", pattern: "a regular expression", scalar: "a text, number or condition", either: "a text or a list",
}

// goTypes are how values of a kind look to the machine.
var goTypes = map[kind]reflect.Type{
	text: reflect.TypeFor[string](), list: reflect.TypeFor[[]string](), boolean: reflect.TypeFor[bool](),
	number: reflect.TypeFor[int](), raw: reflect.TypeFor[string](), pattern: reflect.TypeFor[compiled](),
	scalar: reflect.TypeFor[any](),
}

// compiled is a struct so that expr takes it for a value, not for a pointer to follow.
type compiled struct{ *regexp.Regexp }

// function is one function of the language. All are pure and charge the frame for what they make.
type function struct {
	params   []kind
	min      int  // parameters that must be given
	variadic bool // the last parameter may be repeated
	result   kind
	call     func(f *frame, args []any) (any, error)
}

// mapped is the form of a function on texts that takes one text of a list after the other; what
// becomes empty is left out.
const mapped = "[]"

// Names that no expression can write, for what the compiler puts in.
const (
	loadText   = "[text]"
	loadRaw    = "[raw]"
	loadList   = "[list]"
	loadDN     = "[dn]"
	loadAnchor = "[anchor]"
	someText   = "[some text]"
	someList   = "[some list]"
	oneOf      = "[one]"
	concatText = "[concat]"
	isIn       = "[in]"
)

// each makes a function on texts: fn gets the text and the further arguments.
func each(more []kind, optional int, fn func(f *frame, s string, more []any) (string, error)) function {
	return function{
		params: append([]kind{either}, more...), min: 1 + len(more) - optional, result: either,
		call: func(f *frame, a []any) (any, error) {
			s, err := fn(f, a[0].(string), a[1:])
			if err == nil {
				err = f.charge(len(s))
			}
			return s, err
		},
	}
}

// onList is the mapped form of a function made by each.
func onList(fn function) function {
	one := fn.call
	fn.params = append([]kind{list}, fn.params[1:]...)
	fn.result = list
	fn.call = func(f *frame, a []any) (any, error) {
		in := a[0].([]string)
		out := make([]string, 0, len(in))
		args := append([]any(nil), a...)
		further := 0 // bytes of the further arguments, which are looked at for each member
		for _, v := range a[1:] {
			if s, ok := v.(string); ok {
				further += len(s)
			}
		}
		for _, s := range in {
			if err := f.charge(further); err != nil {
				return nil, err
			}
			args[0] = s
			v, err := one(f, args)
			if err != nil {
				return nil, err
			}
			if s := v.(string); s != "" {
				out = append(out, s)
			}
		}
		return out, f.charge(stringSize * len(out))
	}
	return fn
}

// functions are what expressions can call, by name.
var functions = func() map[string]function {
	all := map[string]function{}
	for _, group := range []map[string]function{textFunctions, listFunctions, valueFunctions} {
		maps.Copy(all, group)
	}
	return all
}()

// inner are the functions that only the compiler calls.
var inner = map[string]function{
	loadText: {params: []kind{number}, min: 1, result: text, call: func(f *frame, a []any) (any, error) { return f.first(a[0].(int)) }},
	loadRaw:  {params: []kind{number}, min: 1, result: text, call: func(f *frame, a []any) (any, error) { return f.raw(a[0].(int)) }},
	loadList: {params: []kind{number}, min: 1, result: list, call: func(f *frame, a []any) (any, error) { return f.list(a[0].(int)) }},
	loadDN:   {result: text, call: func(f *frame, _ []any) (any, error) { return f.record.DN, f.charge(len(f.record.DN)) }},
	loadAnchor: {result: text, call: func(f *frame, _ []any) (any, error) {
		if f.record.Anchor.IsZero() {
			return "", nil
		}
		return f.record.Anchor.String(), nil
	}},
	someText: {params: []kind{text}, min: 1, result: text, call: func(_ *frame, a []any) (any, error) {
		if strings.TrimSpace(a[0].(string)) == "" {
			return nil, nil
		}
		return a[0], nil
	}},
	someList: {params: []kind{list}, min: 1, result: list, call: func(_ *frame, a []any) (any, error) {
		for _, s := range a[0].([]string) {
			if strings.TrimSpace(s) != "" {
				return a[0], nil
			}
		}
		return nil, nil
	}},
	oneOf: {params: []kind{text}, variadic: true, result: list, call: func(f *frame, a []any) (any, error) {
		out := make([]string, 0, len(a))
		for _, v := range a {
			if s := v.(string); s != "" {
				out = append(out, s)
			}
		}
		return out, f.charge(stringSize * len(out))
	}},
	concatText: {params: []kind{text}, variadic: true, result: text, call: func(f *frame, a []any) (any, error) {
		n := 0
		for _, v := range a {
			n += len(v.(string))
		}
		if err := f.charge(n); err != nil {
			return nil, err
		}
		var b strings.Builder
		b.Grow(n)
		for _, v := range a {
			b.WriteString(v.(string))
		}
		return b.String(), nil
	}},
	isIn: {params: []kind{text, list}, min: 2, result: boolean, call: func(_ *frame, a []any) (any, error) {
		return slices.Contains(a[1].([]string), a[0].(string)), nil
	}},
}

// library is all of them as expr wants them.
var library = func() map[string]*builtin.Function {
	lib := make(map[string]*builtin.Function, len(functions)+len(inner))
	add := func(name string, fn function) {
		lib[name] = &builtin.Function{Name: name, Types: signatures(fn), Func: func(a ...any) (any, error) {
			f, ok := a[0].(*frame)
			if !ok {
				return nil, errors.New("a function outside of a mapping")
			}
			return fn.call(f, a[1:])
		}}
	}
	for name, fn := range inner {
		add(name, fn)
	}
	for name, fn := range functions {
		if fn.result == either {
			add(name+mapped, onEither(fn, list))
			fn = onEither(fn, text)
		}
		add(name, fn)
	}
	return lib
}()

// onEither settles the open kind of a function made by each.
func onEither(fn function, k kind) function {
	if k == list {
		return onList(fn)
	}
	fn.params = append([]kind{text}, fn.params[1:]...)
	fn.result = text
	return fn
}

// signatures are the Go types of a function for each number of arguments it takes; the frame comes
// first.
func signatures(fn function) []reflect.Type {
	in := []reflect.Type{reflect.TypeFor[any]()}
	out := []reflect.Type{goTypes[fn.result]}
	for _, p := range fn.params {
		in = append(in, goTypes[p])
	}
	if fn.variadic {
		in[len(in)-1] = reflect.SliceOf(in[len(in)-1])
		return []reflect.Type{reflect.FuncOf(in, out, true)}
	}
	var types []reflect.Type
	for n := fn.min; n <= len(fn.params); n++ {
		types = append(types, reflect.FuncOf(in[:1+n], out, false))
	}
	return types
}
