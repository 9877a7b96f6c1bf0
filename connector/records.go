package connector

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"time"
)

// RecordChunk is what a source said of some people at about one time, packed (see RecordPacker).
type RecordChunk struct {
	Org    string
	Source string
	Run    ID // that decided about them; zero = a request
	At     time.Time
	Count  int
	Hash   [sha256.Size]byte // of the records: equal ones in the same order have the same
	Data   []byte
}

// StoredRecord is a record that was kept, with the run that decided about it.
type StoredRecord struct {
	Record *Record
	Run    ID // zero = a request, or not known any more
	At     time.Time
	Base   bool // the last word of before the time that was asked for
}

// Where a chunk ends. A place that depends on the people alone makes the same chunks of the same people,
// whoever has come in before them, so that what is said again and again is stored once.
const (
	packLeast = 250
	packMost  = 4000
	packOdds  = 750     // one anchor among so many ends a chunk that has packLeast
	packBytes = 1 << 20 // of records, before they are deflated
)

// packSmall is up to where records are not made smaller: to deflate what one person was said to be takes longer than to
// store it, and it is put together with others in the end.
const packSmall = 2 << 10

// packForm is the first byte of packed records: the form of AppendRecord, deflated.
const packForm = 2

// maxUnpacked bounds what a chunk can grow to; one record may be larger than packBytes.
const maxUnpacked = 256 << 20

// RecordPacker makes chunks of records: about 1,000 to one, a fifth of their size. The zero value is
// ready. Not safe for concurrent use.
type RecordPacker struct {
	raw   []byte
	count int
	w     *flate.Writer
	out   bytes.Buffer
}

// Add packs one more record and reports whether the chunk should end here.
func (p *RecordPacker) Add(r *Record) (full bool) {
	p.raw = AppendRecord(p.raw, r)
	p.count++
	if p.count >= packMost || len(p.raw) >= packBytes {
		return true
	}
	if p.count < packLeast {
		return false
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, r.Anchor.Raw)
	return h.Sum32()%packOdds == 0
}

// Reset forgets what was added since Pack.
func (p *RecordPacker) Reset() { p.raw, p.count = p.raw[:0], 0 }

// Count is how many records Pack would give.
func (p *RecordPacker) Count() int { return p.count }

// Pack gives what was added as a chunk with Count, Hash and Data, and begins the next one.
func (p *RecordPacker) Pack() RecordChunk {
	p.out.Reset()
	p.out.WriteByte(packForm)
	if len(p.raw) <= packSmall {
		n := uint16(len(p.raw))                                //nolint:gosec // it is small
		head := binary.LittleEndian.AppendUint16([]byte{1}, n) // RFC 1951 section 3.2.4: the last block, stored
		p.out.Write(binary.LittleEndian.AppendUint16(head, ^n))
		p.out.Write(p.raw)
	} else {
		p.deflate()
	}
	c := RecordChunk{Count: p.count, Hash: sha256.Sum256(p.raw), Data: bytes.Clone(p.out.Bytes())}
	p.raw, p.count = p.raw[:0], 0
	return c
}

func (p *RecordPacker) deflate() {
	if p.w == nil {
		p.w, _ = flate.NewWriter(&p.out, flate.BestSpeed) // the level is a known one
	} else {
		p.w.Reset(&p.out)
	}
	_, _ = p.w.Write(p.raw) // a bytes.Buffer takes everything
	_ = p.w.Close()
}

var errPacked = errors.New("packed records are damaged")

// UnpackRecords yields the records of a chunk in the order in which they were added, one error at most,
// last.
func UnpackRecords(data []byte) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		raw, err := inflate(data)
		for err == nil && len(raw) > 0 {
			var r *Record
			if r, raw, err = ReadRecord(raw); err == nil && !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func inflate(data []byte) ([]byte, error) {
	if len(data) == 0 || data[0] != packForm {
		return nil, errPacked
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data[1:])), maxUnpacked+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errPacked, err)
	case len(raw) > maxUnpacked:
		return nil, errPacked
	}
	return raw, nil
}
