package provision

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"

	"usherd/connector"
)

// saidMemory is how much of what a source said stays in memory, packed.
const saidMemory = 256 << 10

// said keeps what the source said of the people whom a plan decides about, packed, until the plan is applied:
// in a temporary file once it is much. A nil said keeps nothing.
type said struct {
	p      *Provisioner
	file   *os.File                // nil = none is needed
	news   *connector.RecordPacker // people to whom something happens
	same   *connector.RecordPacker // those of whom each run decides the same again: their chunks are stored once
	chunks []connector.RecordChunk
	sizes  []int // of the data of each chunk; that which is not in memory stands in the file
	size   int   // of all that is in memory
}

func (p *Provisioner) newSaid() *said { return &said{p: p, news: p.packer(), same: p.packer()} }

// add keeps a record; news says that something happens to the person.
func (s *said) add(rec *connector.Record, news bool) error {
	if s == nil {
		return nil
	}
	p := s.same
	if news {
		p = s.news
	}
	if !p.Add(rec) {
		return nil
	}
	return s.end(p)
}

// end ends a chunk.
func (s *said) end(p *connector.RecordPacker) error {
	if p.Count() == 0 {
		return nil
	}
	c := p.Pack()
	s.sizes = append(s.sizes, len(c.Data))
	if s.file == nil && s.size+len(c.Data) <= saidMemory {
		s.size += len(c.Data)
		s.chunks = append(s.chunks, c)
		return nil
	}
	if s.file == nil {
		var err error
		if s.file, err = os.CreateTemp(s.p.o.SpoolDir, "usherd-said-*"); err != nil {
			return noRoom("provision: keep what the source says", err)
		}
	}
	_, err := s.file.Write(c.Data)
	c.Data = nil
	s.chunks = append(s.chunks, c)
	return err
}

// all ends the last chunks and gives all with their data.
func (s *said) all() iter.Seq2[connector.RecordChunk, error] {
	return func(yield func(connector.RecordChunk, error) bool) {
		if s == nil {
			return
		}
		err := errors.Join(s.end(s.news), s.end(s.same))
		offset := int64(0)
		for i, c := range s.chunks {
			if err == nil && c.Data == nil {
				c.Data = make([]byte, s.sizes[i])
				_, err = io.ReadFull(io.NewSectionReader(s.file, offset, int64(s.sizes[i])), c.Data)
				offset += int64(s.sizes[i])
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
		if err != nil {
			yield(connector.RecordChunk{}, err)
		}
	}
}

func (s *said) close() error {
	if s == nil || s.news == nil {
		return nil
	}
	s.p.packers.Put(s.news)
	s.p.packers.Put(s.same)
	s.news, s.same = nil, nil // they are somebody else's now
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// saidBytes is how much of what a source said is written in one transaction.
const saidBytes = 4 << 20

// putSaid stores what the plan's decisions rest on, before the first of them is written.
func (p *Provisioner) putSaid(ctx context.Context, plan *Plan) error {
	var batch []connector.RecordChunk
	size := 0
	put := func() error {
		err := p.o.Store.Bulk(ctx, func(tx connector.Tx) error {
			for i := range batch {
				if err := p.putChunk(ctx, tx, plan.Run, &batch[i]); err != nil {
					return err
				}
			}
			return nil
		})
		batch, size = batch[:0], 0
		return err
	}
	for c, err := range plan.said.all() {
		if err != nil {
			return err
		}
		batch = append(batch, c)
		if size += len(c.Data); size < saidBytes {
			continue
		}
		if err := put(); err != nil {
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return put()
}

// putSaidIn is putSaid for a run of changes, which is small: with the first of its decisions.
func (p *Provisioner) putSaidIn(ctx context.Context, tx connector.Tx, plan *Plan) error {
	for c, err := range plan.said.all() {
		if err == nil {
			err = p.putChunk(ctx, tx, plan.Run, &c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Provisioner) putChunk(ctx context.Context, tx connector.Tx, run *connector.Run, c *connector.RecordChunk) error {
	c.Org, c.Source, c.Run, c.At = run.Org, run.Source, run.ID, p.o.Now()
	return tx.PutRecords(ctx, c)
}

// packOne packs the record of a single person; nil where nothing is kept.
func (p *Provisioner) packOne(source string, rec *connector.Record, run connector.ID) *connector.RecordChunk {
	if p.o.Org.KeepRecords <= 0 {
		return nil
	}
	packer := p.packer()
	defer p.packers.Put(packer)
	packer.Add(rec)
	c := packer.Pack()
	c.Org, c.Source, c.Run, c.At = p.o.Org.ID, source, run, p.o.Now()
	return &c
}

// packer takes an empty one from the pool.
func (p *Provisioner) packer() *connector.RecordPacker {
	if packer, _ := p.packers.Get().(*connector.RecordPacker); packer != nil {
		packer.Reset()
		return packer
	}
	return &connector.RecordPacker{}
}
