package provision

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"

	"usherd/connector"
)

// spoolMemory is how much of a spool stays in memory: a run of changes needs no file.
const spoolMemory = 256 << 10

// spool keeps changes between deciding and applying, in a temporary file once they are many, so that the plan
// for a million people needs no more memory than one for ten thousand. It is written once, then read any
// number of times, by one goroutine at a time. Each change stands there as its length, its ordinal and what
// appendChange makes of it.
type spool struct {
	dir   string
	mem   []byte
	file  *os.File // nil = everything is in mem
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

func newSpool(dir string) *spool { return &spool{dir: dir} }

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
	if s.file == nil && s.size <= spoolMemory {
		s.mem = append(append(s.mem, h...), s.buf...)
		return nil
	}
	if err := s.overflow(); err != nil {
		return err
	}
	if _, err := s.w.Write(h); err != nil {
		return err
	}
	_, err := s.w.Write(s.buf)
	return err
}

// overflow goes on in a file.
func (s *spool) overflow() (err error) {
	if s.file != nil {
		return nil
	}
	if s.file, err = os.CreateTemp(s.dir, "usherd-plan-*"); err != nil {
		return noRoom("provision: keep the plan", err)
	}
	s.w = bufio.NewWriterSize(s.file, spoolMemory)
	_, err = s.w.Write(s.mem)
	s.mem = nil
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
		r, err := s.reader()
		if err != nil {
			yield(spoolEntry{}, err)
			return
		}
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

func (s *spool) reader() (*bufio.Reader, error) {
	if s.file == nil {
		return bufio.NewReader(bytes.NewReader(s.mem)), nil
	}
	if err := s.w.Flush(); err != nil {
		return nil, err
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return bufio.NewReaderSize(s.file, spoolMemory), err
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
	if s == nil || s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
