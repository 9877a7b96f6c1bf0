package body_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/body"
)

// both hands everything on to two sinks.
type both struct{ a, b body.Sink }

func (s both) Object(name string)           { s.a.Object(name); s.b.Object(name) }
func (s both) List(name string)             { s.a.List(name); s.b.List(name) }
func (s both) End()                         { s.a.End(); s.b.End() }
func (s both) Text(name, value string)      { s.a.Text(name, value); s.b.Text(name, value) }
func (s both) Bool(name string, value bool) { s.a.Bool(name, value); s.b.Bool(name, value) }
func (s both) Value(name string, value any) { s.a.Value(name, value); s.b.Value(name, value) }

// random writes some value; in an object no name comes twice.
func random(r *rand.Rand, s body.Sink, name string, depth int) {
	texts := []string{"", "plain", `"quoted" \ back`, "Åsa <b>&", "\u2028\x00\t", "no \xff UTF-8"}
	switch n := r.IntN(6); {
	case n < 2 && depth < 6:
		s.Object(name)
		for i := range r.IntN(4) {
			random(r, s, string(rune('a'+i)), depth+1)
		}
		s.End()
	case n == 2 && depth < 6:
		s.List(name)
		for range r.IntN(4) {
			random(r, s, "", depth+1)
		}
		s.End()
	case n == 3:
		s.Bool(name, r.IntN(2) == 0)
	case n == 4:
		s.Value(name, map[string]any{"z": texts[r.IntN(len(texts))], "a": []any{nil, true}})
	default:
		s.Text(name, texts[r.IntN(len(texts))])
	}
}

// What is rendered as bytes is what is rendered as a map, as encoding/json writes and reads it.
func TestBytesAndMapsAreTheSame(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		w, b := body.NewWriter([]byte("before")), &body.Builder{}
		w.Taken()
		random(r, both{w, b}, "", 0)
		got, err := w.Bytes()
		if err != nil || w.Len() != len(got) {
			t.Fatal(err, w.Len(), len(got))
		}
		want, err := json.Marshal(b.Made())
		if err != nil {
			t.Fatal(err)
		}
		var x, y any
		if err := json.Unmarshal(got, &x); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if err := json.Unmarshal(want, &y); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(y, x); d != "" || len(got) != len(want) {
			t.Fatalf("%s\n%s\n%s", got, want, d)
		}
	}
}

// A value that is no JSON is told in the end, and what came before it is no answer.
func TestWriterTellsTheFirstError(t *testing.T) {
	t.Parallel()
	w := body.NewWriter(nil)
	w.Object("")
	w.Int("n", 7)
	if b, err := w.Bytes(); string(b) != `{"n":7` || err != nil {
		t.Errorf("%s, %v", b, err)
	}
	w.Value("f", func() {})
	w.Text("more", "")
	w.End()
	if _, err := w.Bytes(); err == nil {
		t.Error("a function is JSON")
	}
}
