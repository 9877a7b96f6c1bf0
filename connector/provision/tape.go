package provision

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"usherd/connector"
)

// tape is a connector.Source made of records that were kept: everything that was ever said stands in a
// temporary file, and memory holds where each person's last word is, some 50 bytes a person.
type tape struct {
	file   *os.File
	w      *bufio.Writer
	size   int64
	buf    []byte
	index  map[connector.Hash]int32 // anchor -> place
	places []place
	people int             // who are not gone
	names  map[string]bool // attributes that any record has
}

// place is where a record stands; none when the person is gone.
type place struct {
	at   int64
	size int32
}

func newTape(dir string) (*tape, error) {
	file, err := os.CreateTemp(dir, "usherd-replay-*")
	if err != nil {
		return nil, noRoom("provision: replay", err)
	}
	return &tape{file: file, w: bufio.NewWriterSize(file, 256<<10), index: map[connector.Hash]int32{}, names: map[string]bool{}}, nil
}

func (t *tape) close() error { return errors.Join(t.file.Close(), os.Remove(t.file.Name())) }

// record writes what was said at the end of the tape. It is not in force before set.
func (t *tape) record(r *connector.Record) (place, error) {
	for i := range r.Attributes {
		if a := &r.Attributes[i]; len(a.Values) > 0 && !t.names[a.Name] {
			t.names[a.Name] = true
		}
	}
	t.buf = connector.AppendRecord(t.buf[:0], r)
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(t.buf)))  //nolint:gosec // a chunk is far smaller
	p := place{t.size + int64(len(head)), int32(len(t.buf))} //nolint:gosec // likewise
	t.size += int64(len(head) + len(t.buf))
	_, err := t.w.Write(head[:])
	if err == nil {
		_, err = t.w.Write(t.buf)
	}
	return p, err
}

// set makes a record the last word about its person and reports whether that is another one than before.
func (t *tape) set(r *connector.Record, p place) (changed bool, err error) {
	key := r.Anchor.Key()
	i, known := t.index[key]
	if !known {
		if r.Gone {
			return false, nil
		}
		i = int32(len(t.places)) //nolint:gosec // people fit into 31 bits
		t.index[key] = i
		t.places = append(t.places, place{})
	}
	old := t.places[i]
	if r.Gone {
		if t.places[i] = (place{}); old.size > 0 {
			t.people--
		}
		return old.size > 0, nil
	}
	if t.places[i] = p; old.size == 0 {
		t.people++
		return true, nil
	}
	if old.size != p.size {
		return true, nil
	}
	both := make([]byte, 2*p.size)
	_, err = t.file.ReadAt(both[:p.size], old.at)
	_, more := t.file.ReadAt(both[p.size:], p.at)
	return !bytes.Equal(both[:p.size], both[p.size:]), errors.Join(err, more)
}

// play sets the records that stand from one end of the tape to another, and reports whether anything is
// another one now.
func (t *tape) play(from, to int64) (changed bool, err error) {
	r := bufio.NewReaderSize(io.NewSectionReader(t.file, from, to-from), 64<<10)
	for at := from; at < to; {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return changed, err
		}
		size := binary.BigEndian.Uint32(head[:])
		t.buf = append(t.buf[:0], make([]byte, size)...)
		if _, err := io.ReadFull(r, t.buf); err != nil {
			return changed, err
		}
		rec, _, err := connector.ReadRecord(t.buf)
		if err != nil {
			return changed, err
		}
		at += int64(len(head))
		other, err := t.set(rec, place{at, int32(size)}) //nolint:gosec // as it was written
		if err != nil {
			return changed, err
		}
		changed = changed || other
		at += int64(size)
	}
	return changed, nil
}

// window is how much of the tape is read at a time: most people follow each other in it.
const window = 256 << 10

// Read gives the last word about everybody who is not gone.
func (t *tape) Read(ctx context.Context, yield func(*connector.Record) error) (connector.ReadResult, error) {
	res := connector.ReadResult{Complete: true, Present: map[string]int{}, Server: "kept records"}
	var buf []byte
	var start int64
	for _, p := range t.places {
		if p.size == 0 {
			continue
		}
		if p.at < start || p.at+int64(p.size) > start+int64(len(buf)) {
			if err := ctx.Err(); err != nil {
				return res, err
			}
			start = p.at
			buf = append(buf[:0], make([]byte, min(max(window, int64(p.size)), t.size-start))...)
			if _, err := t.file.ReadAt(buf, start); err != nil {
				return res, err
			}
		}
		rec, _, err := connector.ReadRecord(buf[p.at-start:])
		if err != nil {
			return res, err
		}
		res.Entries++
		for i := range rec.Attributes {
			if a := &rec.Attributes[i]; len(a.Values) > 0 {
				res.Present[a.Name]++
			}
		}
		if err := yield(rec); err != nil {
			return res, err
		}
	}
	return res, nil
}

// Lookup says what the last word about one person is.
func (t *tape) Lookup(_ context.Context, a connector.Anchor) (*connector.Record, connector.Presence, error) {
	i, known := t.index[a.Key()]
	if !known || t.places[i].size == 0 {
		return nil, connector.PresenceGone, nil
	}
	b := make([]byte, t.places[i].size)
	if _, err := t.file.ReadAt(b, t.places[i].at); err != nil {
		return nil, connector.PresenceUnknown, err
	}
	rec, _, err := connector.ReadRecord(b)
	switch {
	case err != nil:
		return nil, connector.PresenceUnknown, err
	case rec.OutOfScope != "":
		return nil, connector.PresentOutOfScope, nil
	}
	return rec, connector.PresentInScope, nil
}

// Find finds nobody: a replay asks for no single person.
func (t *tape) Find(context.Context, string) ([]*connector.Record, error) { return nil, nil }
