package provision

import (
	"bufio"
	"encoding/gob"
	"errors"
	"io"
	"iter"
	"os"

	"usherd/connector"
)

// spool keeps changes in a temporary file between deciding and applying, so that the plan for a
// million people needs no more memory than one for ten. It is written once, then read any number
// of times, by one goroutine at a time.
type spool struct {
	file  *os.File
	w     *bufio.Writer
	enc   *gob.Encoder
	count int
}

// spooled is one change with its number among the decisions of the plan.
type spooled struct {
	Ordinal int32
	Change  *connector.Change
}

func newSpool(dir string) (*spool, error) {
	file, err := os.CreateTemp(dir, "usherd-plan-*")
	if err != nil {
		return nil, &connector.Error{
			Kind: connector.Internal, Op: "provision: keep the plan", Err: err,
			Hint: "the folder for temporary files must be writable and have room for about 2 kB a person",
		}
	}
	s := &spool{file: file, w: bufio.NewWriterSize(file, 256<<10)}
	s.enc = gob.NewEncoder(s.w)
	return s, nil
}

func (s *spool) add(ordinal int32, ch *connector.Change) error {
	s.count++
	return s.enc.Encode(spooled{ordinal, ch})
}

// all reads everything from the start; a plan that was never made has no spool.
func (s *spool) all() iter.Seq2[spooled, error] {
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
		dec := gob.NewDecoder(bufio.NewReaderSize(s.file, 256<<10))
		for range s.count {
			var x spooled
			err := dec.Decode(&x)
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

// close removes the file.
func (s *spool) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
