package connector

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// AppendRecord appends the binary form of a record: every field in the order of the type, numbers as
// varints, texts and lists after their length. It is stored: another form needs another packForm.
func AppendRecord(b []byte, r *Record) []byte {
	b = appendText(b, string(r.Anchor.Kind))
	b = appendText(b, r.Anchor.Raw)
	b = appendText(b, r.DN)
	b = binary.AppendUvarint(b, uint64(len(r.Attributes)))
	for _, a := range r.Attributes {
		b = appendText(b, a.Name)
		b = binary.AppendUvarint(b, uint64(len(a.Values)))
		for _, v := range a.Values {
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		}
	}
	b = append(b, byte(r.Enabled))
	b = appendText(b, r.EnabledReason)
	b = append(b, bit(r.Gone))
	b = appendText(b, r.OutOfScope)
	b = append(b, bit(r.Protected))
	b = appendText(b, r.Fault)
	b = appendInstant(b, r.RecheckAt)
	b = appendInstant(b, r.ChangedAt)
	b = append(b, r.Key[:]...)
	b = binary.AppendUvarint(b, uint64(r.PrimaryGroup))
	b = appendText(b, r.Package)
	return append(b, r.User[:]...)
}

// appendInstant keeps nanoseconds and no zone.
func appendInstant(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond())) //nolint:gosec // never negative
}

var errRecord = errors.New("the binary form of a record is damaged")

// ReadRecord takes a record from the beginning of b, as AppendRecord wrote it, and returns what follows.
// The record shares nothing with b.
func ReadRecord(b []byte) (rec *Record, rest []byte, err error) {
	r := recordReader{b: b}
	rec = &Record{Anchor: Anchor{Kind: AnchorKind(r.text()), Raw: r.text()}, DN: r.text(), Attributes: make([]Attribute, r.count())}
	for i := range rec.Attributes {
		a := Attribute{Name: r.text(), Values: make([][]byte, r.count())}
		for j := range a.Values {
			a.Values[j] = []byte(r.text())
		}
		rec.Attributes[i] = a
	}
	rec.Enabled, rec.EnabledReason = Enabled(r.byte()), r.text()
	rec.Gone, rec.OutOfScope, rec.Protected, rec.Fault = r.byte() == 1, r.text(), r.byte() == 1, r.text()
	rec.RecheckAt, rec.ChangedAt = r.instant(), r.instant()
	rec.Key, rec.PrimaryGroup, rec.Package = r.hash(), r.uint32(), r.text()
	rec.User = ID(r.hash())
	if r.bad {
		return nil, nil, errRecord
	}
	return rec, r.b, nil
}

// recordReader takes a record apart. After the first thing that does not fit it is bad and gives zero
// values.
type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) spoil() { r.b, r.bad = nil, true }

func (r *recordReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.spoil()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is the length of a list, each element of which has one byte at least.
func (r *recordReader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.spoil()
		return 0
	}
	return int(n) //nolint:gosec // just checked
}

func (r *recordReader) text() string {
	n := r.count()
	t := string(r.b[:n])
	r.b = r.b[n:]
	return t
}

func (r *recordReader) byte() byte {
	if len(r.b) == 0 {
		r.spoil()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *recordReader) instant() time.Time {
	sec, n := binary.Varint(r.b)
	if n <= 0 {
		r.spoil()
		return time.Time{}
	}
	r.b = r.b[n:]
	return time.Unix(sec, int64(r.uint()%1e9)).UTC()
}

func (r *recordReader) hash() (h Hash) {
	if len(r.b) < len(h) {
		r.spoil()
		return h
	}
	r.b = r.b[copy(h[:], r.b):]
	return h
}

func (r *recordReader) uint32() uint32 {
	n := r.uint()
	if n > math.MaxUint32 {
		r.spoil()
		return 0
	}
	return uint32(n)
}
