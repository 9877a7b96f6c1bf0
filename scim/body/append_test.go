package body_test

import (
	"encoding/json"
	"testing"

	"usherd/scim/body"
)

func TestAppendWritesWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	type named string
	for _, v := range []any{
		nil, true, false, "", "a", 1, 1.5, 1e21, json.Number("1.50"), named("x"),
		[]string{"a"},
		map[string]string{"b": "a"},
		struct{ A any }{1},
		map[string]any{},
		map[string]any(nil),
		[]any{},
		[]any(nil),
		map[string]any{"b": []any{nil, "x", map[string]any{"z": 1, "A": "é"}}, "a": true},
		"\"\\/\b\f\n\r\t\x00\x1f\x7f<script>&amp;é☃\u2028\u2029😀", "cut \xff\xc3", "\xed\xa0\x80",
		map[string]any{"\xff<": ""},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := body.Append([]byte("x"), v); err != nil || string(got) != "x"+string(want) {
			t.Errorf("%#v: got %s, %v, want x%s", v, got, err, want)
		}
	}
	for _, v := range []any{func() {}, map[string]any{"a": []any{func() {}}}} {
		if _, err := body.Append(nil, v); err == nil {
			t.Errorf("%T is written", v)
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte(`{"a":["<\u2028\"",{"b":null,"A":1.5e3},true]}`))
	f.Add([]byte(`"\ud800"`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var v any
		if json.Unmarshal(doc, &v) != nil {
			return
		}
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := body.Append(nil, v); err != nil || string(got) != string(want) {
			t.Fatalf("got %s, %v, want %s", got, err, want)
		}
		if got, want := string(body.AppendText(nil, string(doc))), marshal(t, string(doc)); got != want {
			t.Fatalf("%q: got %s, want %s", doc, got, want)
		}
	})
}

func marshal(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
