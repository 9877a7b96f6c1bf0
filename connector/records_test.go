package connector_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

// said is what a source could say of person n, different each time.
func said(r *rand.Rand, n int) *connector.Record {
	rec := &connector.Record{
		Anchor: connector.Anchor{Kind: connector.EntryUUID, Raw: fmt.Sprintf("%016d", n)}, DN: fmt.Sprintf("uid=u%d,ou=people,dc=example", n),
		Enabled: connector.Enabled(r.IntN(3)), Gone: r.IntN(9) == 0, Protected: r.IntN(9) == 0,
		Attributes: []connector.Attribute{},
	}
	for i := range r.IntN(5) {
		a := connector.Attribute{Name: fmt.Sprintf("a%d", i), Values: make([][]byte, r.IntN(3))}
		for j := range a.Values {
			a.Values[j] = make([]byte, r.IntN(20))
			for k := range a.Values[j] {
				a.Values[j][k] = byte(r.IntN(256))
			}
		}
		rec.Attributes = append(rec.Attributes, a)
	}
	if r.IntN(4) == 0 {
		rec.EnabledReason, rec.OutOfScope, rec.Fault = "disabled", "elsewhere", "unreadable é"
		rec.RecheckAt, rec.ChangedAt = time.Unix(int64(n), 5).UTC(), time.Unix(-int64(n), 0).UTC()
	}
	return rec
}

// TestEveryFieldOfARecordIsKept sets each field of the type, so that one that somebody adds is missed.
func TestEveryFieldOfARecordIsKept(t *testing.T) {
	t.Parallel()
	full := connector.Record{
		Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: "a"}, DN: "dn", Attributes: []connector.Attribute{{Name: "mail", Values: [][]byte{{0, 255}}}},
		Enabled: connector.EnabledNo, EnabledReason: "why", RecheckAt: time.Unix(1, 2).UTC(), ChangedAt: time.Unix(3, 4).UTC(),
		Gone: true, OutOfScope: "scope", Protected: true, Fault: "fault", Key: connector.Hash{1, 2}, PrimaryGroup: 513, Package: "pro", User: connector.ID{3},
	}
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() {
			t.Errorf("the test does not set %s: teach it and AppendRecord", name)
		}
	}
	for _, r := range []connector.Record{full, {Attributes: []connector.Attribute{}}} {
		b := connector.AppendRecord(nil, &r)
		got, rest, err := connector.ReadRecord(append(slices.Clone(b), 7))
		if err != nil || len(rest) != 1 {
			t.Fatal(rest, err)
		}
		if d := cmp.Diff(&r, got); d != "" {
			t.Error(d)
		}
		for i := range b {
			if _, _, err := connector.ReadRecord(b[:i]); err == nil {
				t.Fatalf("cut after %d of %d bytes, and nobody notices", i, len(b))
			}
		}
	}
}

func FuzzReadRecord(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 5 {
		f.Add(connector.AppendRecord(nil, said(r, n)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, _, err := connector.ReadRecord(b)
		if err != nil {
			return
		}
		again, rest, err := connector.ReadRecord(connector.AppendRecord(nil, rec))
		if err != nil || len(rest) > 0 {
			t.Fatal(rest, err)
		}
		if d := cmp.Diff(rec, again); d != "" {
			t.Fatal(d)
		}
	})
}

// pack cuts the records where the packer says.
func pack(list []*connector.Record) (chunks []connector.RecordChunk) {
	var p connector.RecordPacker
	for _, r := range list {
		if p.Add(r) {
			chunks = append(chunks, p.Pack())
		}
	}
	if p.Count() > 0 {
		chunks = append(chunks, p.Pack())
	}
	return chunks
}

func TestPackedRecordsComeBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	var list, got []*connector.Record
	for n := range 20_000 {
		list = append(list, said(r, n))
	}
	chunks := pack(list)
	if len(chunks) < 5 || len(chunks) > 80 {
		t.Errorf("%d chunks", len(chunks))
	}
	for _, c := range chunks {
		before := len(got)
		for rec, err := range connector.UnpackRecords(c.Data) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rec)
		}
		if len(got)-before != c.Count {
			t.Errorf("%d records in a chunk of %d", len(got)-before, c.Count)
		}
	}
	if d := cmp.Diff(list, got); d != "" {
		t.Error(d)
	}
}

// Few records are stored as they are, more of them deflated: both come back.
func TestSmallPacksComeBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	var list []*connector.Record
	stored, deflated := 0, 0
	for n := range 40 {
		list = append(list, said(r, n))
		var got []*connector.Record
		c := pack(list)[0]
		for rec, err := range connector.UnpackRecords(c.Data) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rec)
		}
		if d := cmp.Diff(list, got); d != "" {
			t.Fatal(d)
		}
		if c.Data[1] == 1 { // the last block, and stored
			stored++
		} else {
			deflated++
		}
	}
	if stored == 0 || deflated == 0 {
		t.Errorf("%d chunks are stored and %d deflated", stored, deflated)
	}
}

// TestOneMorePersonChangesOneChunk holds what storing each chunk once rests on.
func TestOneMorePersonChangesOneChunk(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	var list []*connector.Record
	for n := range 20_000 {
		list = append(list, said(r, n))
	}
	known := map[[32]byte]bool{}
	for _, c := range pack(list) {
		known[c.Hash] = true
	}
	for _, at := range []int{0, 777, 10_000} {
		fresh := 0
		for _, c := range pack(slices.Insert(slices.Clone(list), at, said(r, 1_000_000+at))) {
			if !known[c.Hash] {
				fresh++
			}
		}
		if fresh > 3 {
			t.Errorf("one more person at %d makes %d new chunks of %d", at, fresh, len(known))
		}
	}
}

func TestDamagedPacksAreErrors(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	c := pack([]*connector.Record{said(r, 1), said(r, 2)})[0]
	for name, data := range map[string][]byte{
		"empty": nil, "another form": append([]byte{9}, c.Data[1:]...), "cut": c.Data[:len(c.Data)-3],
	} {
		var last error
		for _, err := range connector.UnpackRecords(data) {
			last = err
		}
		if last == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
