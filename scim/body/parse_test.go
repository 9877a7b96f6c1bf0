package body_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/body"
)

func TestParseGivesWhatEncodingJSONGives(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`,
		` { "a" : [ ] , "b" : { } , "c" : null , "d" : "" } ` + "\r\n\t",
		`{"true":true,"false":false,"list":[1,-0,0.5,1e3,1E-2,12345678901234567890123456789]}`,
		`{"text":"\"\\\/\b\f\n\r\t\u00e9\u00E9\ud83d\ude00 é 😀"}`,
		`{"a":{"b":[{"c":1},{"c":2}]},"c":[[],[[]]]}`,
		`{"` + strings.Repeat("k", 5000) + `":"` + strings.Repeat("v", 5000) + `"}`,
		nested(body.MaxDepth),
		manyKeys(1000, ""),
	} {
		got, err := body.Parse([]byte(text))
		if err != nil {
			t.Errorf("%.80s: %v", text, err)
			continue
		}
		// go-cmp takes exponential time on lists that stand deep in each other.
		if want := byEncodingJSON(t, text); !reflect.DeepEqual(want, got) {
			t.Errorf("%.80s: %.200v; encoding/json gives %.200v", text, got, want)
		}
	}
}

func byEncodingJSON(t *testing.T, text string) map[string]any {
	t.Helper()
	var want map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Fatalf("%.80s: %v", text, err)
	}
	return want
}

// nested is an object with lists in it, n levels in all.
func nested(n int) string {
	return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
}

// manyKeys is an object with n keys and one more.
func manyKeys(n int, last string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"key%d":%d`, i, i)
	}
	if last != "" {
		fmt.Fprintf(&b, `,%q:0`, last)
	}
	return "{" + b.String()[1:] + "}"
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, detail string }{
		{"nothing", " ", "empty"},
		{"a list", `[]`, "one JSON object"},
		{"a text", `"a"`, "one JSON object"},
		{"null", `null`, "one JSON object"},
		{"a second object", `{} {}`, "follows"},
		{"trailing data", `{"a":1}x`, "follows"},
		{"a key twice", `{"a":1,"a":2}`, "one key twice"},
		{"a key in two cases", `{"userName":"a","USERNAME":"b"}`, "one key twice"},
		{"a key in two cases, deep", `{"a":[{"b":{"value":1,"Value":2}}]}`, "one key twice"},
		{"a key in two cases beyond ASCII", "{\"userName\":1,\"u\u017ferName\":2}", "one key twice"},
		{"a key in two cases among many", manyKeys(100, "KEY7"), "one key twice"},
		{"a key in two cases beyond ASCII among many", manyKeys(100, "\u212aey7"), "one key twice"},
		{"a key twice by an escape", `{"a":1,"\u0061":2}`, "one key twice"},
		{"a level too many", nested(body.MaxDepth + 1), "deeper"},
		{"100,000 levels", nested(100_000), "deeper"},
		{"bytes that are no UTF-8", "{\"a\":\"\xff\"}", "UTF-8"},
		{"UTF-8 longer than needed", "{\"a\":\"\xc0\xaf\"}", "UTF-8"},
		{"a surrogate as UTF-8", "{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
		{"a key that is no UTF-8", "{\"\xff\":1}", "UTF-8"},
		{"a high surrogate alone", `{"a":"\ud83d"}`, "surrogate"},
		{"a high surrogate before something else", `{"a":"\ud83d\u0041"}`, "surrogate"},
		{"a low surrogate alone", `{"a":"\ude00"}`, "surrogate"},
		{"NUL", `{"a":"\u0000"}`, "cannot be stored"},
		{"a control character", "{\"a\":\"\n\"}", "control character"},
		{"a text without end", `{"a":"b`, "not closed"},
		{"a text without end after an escape", `{"a":"\n`, "not closed"},
		{"a text that ends in a backslash", `{"a":"\`, "ends in a backslash"},
		{"an unknown escape", `{"a":"\x"}`, "backslash"},
		{"a short escape", `{"a":"\u00"}`, "backslash"},
		{"no colon", `{"a" 1}`, "colon"},
		{"no key", `{1:1}`, "key"},
		{"a comma at the end of an object", `{"a":1,}`, "key"},
		{"a comma at the end of a list", `{"a":[1,]}`, "no JSON value"},
		{"no comma in a list", `{"a":[1 2]}`, "list goes on"},
		{"no comma in an object", `{"a":1 "b":2}`, "object goes on"},
		{"an end too early", `{"a":`, "too early"},
		{"an object without end", `{"a":1`, "object goes on"},
		{"a number without digits", `{"a":-}`, "number"},
		{"a number with a leading zero", `{"a":01}`, "object goes on"},
		{"a number that ends in a point", `{"a":1.}`, "number"},
		{"a number without exponent", `{"a":1e+}`, "number"},
		{"a wrong word", `{"a":True}`, "no JSON value"},
		{"single quotes", `{'a':1}`, "key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := body.Parse([]byte(c.text))
			e, ok := errors.AsType[*body.Error](err)
			if !ok {
				t.Fatalf("Parse = %v, %v; want an *Error", got, err)
			}
			if !strings.Contains(e.Detail, c.detail) || e.Offset < 0 || e.Offset > len(c.text) {
				t.Errorf("byte %d: %q; want something about %q", e.Offset, e.Detail, c.detail)
			}
		})
	}
}

// TestParseKeepsNothingOfTheText holds because texts without an escape are parts of it while parsing.
func TestParseKeepsNothingOfTheText(t *testing.T) {
	t.Parallel()
	text := []byte(`{"key":"value","n":12,"e":"a\nb"}`)
	got, err := body.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	copy(text, bytes.Repeat([]byte("x"), len(text)))
	want := map[string]any{"key": "value", "n": json.Number("12"), "e": "a\nb"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzParse: what is accepted is what encoding/json makes of it; what only we refuse is one of the things
// that two readers could take for two things, or that cannot be stored.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, nested(33), manyKeys(20, "KEY3"), `{"a":[{"b":"\ud83d\ude00"}],"A":1}`, `{"a":1e5}x`, "{\"a\":\"\xff\"}", `{"a":"\u0000"}`,
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := body.Parse(b)
		var want any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		wantErr := d.Decode(&want)
		if wantErr == nil && d.More() {
			wantErr = errors.New("more than one value")
		}
		if err == nil {
			if wantErr != nil {
				t.Fatalf("accepted what encoding/json refuses: %v", wantErr)
			}
			if !reflect.DeepEqual(want, any(got)) {
				t.Fatalf("%v; encoding/json gives %v", got, want)
			}
			return
		}
		e, ok := errors.AsType[*body.Error](err)
		if !ok || e.Offset < 0 || e.Offset > len(b) {
			t.Fatalf("not an *Error with an offset in the text: %v", err)
		}
		if wantErr == nil && !onlyOurs(e.Detail) {
			t.Fatalf("refused what encoding/json accepts: %v", err)
		}
	})
}

func onlyOurs(detail string) bool {
	for _, of := range []string{"one JSON object", "one key twice", "deeper", "UTF-8", "surrogate", "cannot be stored", "follows"} {
		if strings.Contains(detail, of) {
			return true
		}
	}
	return false
}

func BenchmarkParse(b *testing.B) {
	members := `{"Operations":[{"op":"add","path":"members","value":[` +
		strings.Repeat(`{"value":"2819c223-7f76-453a-919d-413861904646","$ref":null},`, 999) + `{"value":"x"}]}]}`
	for name, text := range map[string]string{
		"active":  `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`,
		"members": members,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := body.Parse([]byte(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
