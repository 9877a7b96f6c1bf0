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
	s.count++
	s.buf = appendChange(s.buf[:0], ch)
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
		if s == nil {
			return
		}
		if err := s.w.Flush(); err != nil {
			yield(spooled{}, err)
			return
		}
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			yield(spooled{}, err)
			return
		}
		r := bufio.NewReaderSize(s.file, 256<<10)
		var buf []byte
		for range s.count {
			x, b, err := s.next(r, buf, want)
			buf = b
			if err == nil && x.Change == nil {
				continue
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

var errDamaged = errors.New("the temporary file of the plan is damaged")

// next reads one change into buf, which it returns for the next one. One that is not wanted is passed
// over and nil.
func (s *spool) next(r *bufio.Reader, buf []byte, want func(int32) bool) (spooled, []byte, error) {
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return spooled{}, buf, err
	}
	ordinal, err := binary.ReadUvarint(r)
	if err != nil {
		return spooled{}, buf, err
	}
	if length > uint64(s.size) || ordinal > 1<<31-1 { //nolint:gosec // a size is never negative
		return spooled{}, buf, errDamaged
	}
	x := spooled{Ordinal: int32(ordinal)}
	if want != nil && !want(x.Ordinal) {
		_, err := r.Discard(int(length)) //nolint:gosec // no larger than the file
		return x, buf, err
	}
	if uint64(cap(buf)) < length {
		buf = make([]byte, length)
	}
	buf = buf[:length]
	if _, err := io.ReadFull(r, buf); err != nil {
		return x, buf, err
	}
	x.Change, err = readChange(buf)
	return x, buf, err
}

// close removes the file.
func (s *spool) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
