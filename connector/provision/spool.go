package provision

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"

	"usherd/connector"
)

// spool keeps changes in a temporary file between deciding and applying, so that the plan for a
// million people needs no more memory than one for ten. It is written once, then read any number
// of times, by one goroutine at a time. Each change stands there as its length, its ordinal and what
// appendChange makes of it.
type spool struct {
	file  *os.File
	w     *bufio.Writer
	buf   []byte
	count int
	size  int64 // bytes written
}

// spooled is one change with its number among the decisions of the plan.
type spooled struct {
	Ordinal int32
	Change  *connector.Change
}

func newSpool(dir string) (*spool, error) {
	file, err := os.CreateTemp(dir, "usherd-plan-*")
	if err != nil {
		return nil, noRoom("provision: keep the plan", err)
	}
	return &spool{file: file, w: bufio.NewWriterSize(file, 256<<10)}, nil
}

func noRoom(op string, err error) error {
	return &connector.Error{
		Kind: connector.Internal, Op: op, Err: err,
		Hint: "the folder for temporary files must be writable and have room for about 2 kB a person",
	}
}

func (s *spool) add(ordinal int32, ch *connector.Change) error {
	s.buf = appendChange(s.buf[:0], ch)
	return s.put(ordinal)
}

// put writes what is in buf.
func (s *spool) put(ordinal int32) error {
	s.count++
	var head [2 * binary.MaxVarintLen64]byte
	h := binary.AppendUvarint(head[:0], uint64(len(s.buf)))
	h = binary.AppendUvarint(h, uint64(ordinal)) //nolint:gosec // never negative
	s.size += int64(len(h) + len(s.buf))
	if _, err := s.w.Write(h); err != nil {
		return err
	}
	_, err := s.w.Write(s.buf)
	return err
}

// all reads from the start every change whose ordinal want accepts; a nil want accepts all. A plan that
// was never made, because the source failed, has no spool: there is nothing in it.
func (s *spool) all(want func(ordinal int32) bool) iter.Seq2[spooled, error] {
	return func(yield func(spooled, error) bool) {
		for x, err := range s.entries(want) {
			out := spooled{Ordinal: x.ordinal}
			if err == nil {
				out.Change, err = readChange(x.body)
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// spoolEntry is what was put under an ordinal, until the next one is read.
type spoolEntry struct {
	ordinal int32
	body    []byte
}

func (s *spool) entries(want func(ordinal int32) bool) iter.Seq2[spoolEntry, error] {
	return func(yield func(spoolEntry, error) bool) {
		if s == nil {
			return
		}
		if err := s.w.Flush(); err != nil {
			yield(spoolEntry{}, err)
			return
		}
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			yield(spoolEntry{}, err)
			return
		}
		r := bufio.NewReaderSize(s.file, 256<<10)
		var x spoolEntry
		for range s.count {
			wanted, err := s.next(r, &x, want)
			if err == nil && !wanted {
				continue
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

var errDamaged = errors.New("the temporary file of the plan is damaged")

// next reads one entry into x. One that is not wanted is passed over.
func (s *spool) next(r *bufio.Reader, x *spoolEntry, want func(int32) bool) (wanted bool, err error) {
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return false, err
	}
	ordinal, err := binary.ReadUvarint(r)
	if err != nil {
		return false, err
	}
	if length > uint64(s.size) || ordinal > 1<<31-1 { //nolint:gosec // a size is never negative
		return false, errDamaged
	}
	x.ordinal = int32(ordinal)
	if want != nil && !want(x.ordinal) {
		_, err := r.Discard(int(length)) //nolint:gosec // no larger than the file
		return false, err
	}
	if uint64(cap(x.body)) < length {
		x.body = make([]byte, length)
	}
	x.body = x.body[:length]
	_, err = io.ReadFull(r, x.body)
	return true, err
}

// close removes the file.
func (s *spool) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
