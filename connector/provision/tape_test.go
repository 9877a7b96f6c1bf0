package provision

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func word(n int, text string) *connector.Record {
	return &connector.Record{
		Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: fmt.Sprint("person ", n)}, DN: fmt.Sprint("uid=", n),
		Attributes: []connector.Attribute{{Name: "mail", Values: [][]byte{[]byte(text)}}},
	}
}

// TestTapePlaysTheLastWords records random words, plays them piece by piece and compares with a map.
func TestTapePlaysTheLastWords(t *testing.T) {
	t.Parallel()
	tp, err := newTape(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer tp.close() //nolint:errcheck // a temporary file
	r := rand.New(rand.NewPCG(5, 5))
	type piece struct {
		to   int64
		list []*connector.Record
	}
	var pieces []piece
	for range 40 {
		var p piece
		for range 1 + r.IntN(30) {
			rec := word(r.IntN(50), fmt.Sprint("word ", r.IntN(3)))
			rec.Gone = r.IntN(5) == 0
			if _, err := tp.record(rec); err != nil {
				t.Fatal(err)
			}
			p.list = append(p.list, rec)
		}
		p.to = tp.size
		pieces = append(pieces, p)
	}
	if err := tp.w.Flush(); err != nil {
		t.Fatal(err)
	}
	model, from := map[connector.Anchor]*connector.Record{}, int64(0)
	for i, p := range pieces {
		news := false
		for _, rec := range p.list {
			old := model[rec.Anchor]
			switch {
			case rec.Gone && old == nil:
			case rec.Gone:
				delete(model, rec.Anchor)
				news = true
			default:
				news = news || old == nil || !cmp.Equal(old, rec)
				model[rec.Anchor] = rec
			}
		}
		changed, err := tp.play(from, p.to)
		if err != nil || changed != news {
			t.Fatalf("piece %d: changed %v, want %v, %v", i, changed, news, err)
		}
		from = p.to
		checkTape(t, tp, model)
	}
}

func checkTape(t *testing.T, tp *tape, model map[connector.Anchor]*connector.Record) {
	t.Helper()
	got := map[connector.Anchor]*connector.Record{}
	res, err := tp.Read(t.Context(), func(r *connector.Record) error { got[r.Anchor] = r.Clone(); return nil })
	if err != nil || !res.Complete || res.Entries != len(model) || tp.people != len(model) || res.Present["mail"] != len(model) {
		t.Fatalf("%+v %v, want %d", res, err, len(model))
	}
	if d := cmp.Diff(model, got); d != "" {
		t.Fatal(d)
	}
	for n := range 50 {
		a := word(n, "").Anchor
		rec, presence, err := tp.Lookup(t.Context(), a)
		if there := model[a] != nil; err != nil || there != (rec != nil) || there != (presence == connector.PresentInScope) {
			t.Fatalf("%v %v %v", rec, presence, err)
		}
	}
	stop := errors.New("stop")
	if _, err := tp.Read(t.Context(), func(*connector.Record) error { return stop }); len(model) > 0 && !errors.Is(err, stop) {
		t.Fatal(err)
	}
}

func TestTapeKnowsWhoIsOutOfScope(t *testing.T) {
	t.Parallel()
	tp, err := newTape(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer tp.close() //nolint:errcheck // a temporary file
	rec := word(1, "a")
	rec.OutOfScope = "OU excluded"
	p, err := tp.record(rec)
	if err == nil {
		err = tp.w.Flush()
	}
	if _, more := tp.set(rec, p); err != nil || more != nil {
		t.Fatal(err, more)
	}
	if _, presence, err := tp.Lookup(t.Context(), rec.Anchor); err != nil || presence != connector.PresentOutOfScope {
		t.Error(presence, err)
	}
}

func TestRunsThatCameTooCloseAreOneStep(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var steps []*ReplayStep
	for i := range 12 {
		source := "a"
		if i%3 == 2 {
			source = "b"
		}
		steps = append(steps, &ReplayStep{
			Source: source, At: at.Add(time.Duration(i) * 5 * time.Minute), Records: 1, Runs: []connector.ID{{byte(i)}},
			from: int64(i), to: int64(i + 1),
		})
	}
	out := together(steps, 15*time.Minute)
	records, runs := 0, 0
	for _, s := range out {
		records, runs = records+s.Records, runs+len(s.Runs)
	}
	if len(out) >= 12 || records != 12 || runs != 12 || !slices.IsSortedFunc(out, func(a, b *ReplayStep) int { return a.At.Compare(b.At) }) {
		t.Errorf("%d steps of %d records", len(out), records)
	}
	if s := out[0]; s.Source != "a" || s.from != 0 || s.to != 4 || s.Records != 3 || !s.At.Equal(at.Add(15*time.Minute)) {
		t.Errorf("%+v", s)
	}
}
