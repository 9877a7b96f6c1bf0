package connector

import "encoding/binary"

// Hashes keeps a number for each of very many hashes, in about 24 bytes each: half of what a map takes, and
// it grows by small parts. A million people have two million names. It compares 12 of the 16 bytes, so
// that its keys must really be hashes; of ten million, two meet with a probability of one to 10^15. The
// zero value is empty. Not safe for concurrent use.
type Hashes struct {
	shards [256]hashShard
}

// hashShard is a table with open addressing; there is never a slot to be freed.
type hashShard struct {
	slots []hashSlot
	used  int
}

type hashSlot struct {
	high  uint64
	low   uint32
	value uint32 // the number + 1; 0 = free
}

// Put keeps a number, which must not be negative, in the place of one that was there.
func (m *Hashes) Put(h Hash, number int32) {
	s := m.shard(h)
	if 5*(s.used+1) > 4*len(s.slots) {
		s.grow()
	}
	x := s.find(h)
	if x.value == 0 {
		s.used++
		x.high, x.low = hashParts(h)
	}
	x.value = uint32(number) + 1 //nolint:gosec // never negative
}

// Get returns the number that is kept for a hash.
func (m *Hashes) Get(h Hash) (number int32, ok bool) {
	s := m.shard(h)
	if s.used == 0 {
		return 0, false
	}
	x := s.find(h)
	return int32(x.value - 1), x.value != 0 //nolint:gosec // it was an int32
}

// Has reports whether a number is kept for a hash.
func (m *Hashes) Has(h Hash) bool {
	_, ok := m.Get(h)
	return ok
}

// Empty reports whether nothing was put in.
func (m *Hashes) Empty() bool {
	for i := range m.shards {
		if m.shards[i].used > 0 {
			return false
		}
	}
	return true
}

func (m *Hashes) shard(h Hash) *hashShard { return &m.shards[h[11]] }

func hashParts(h Hash) (high uint64, low uint32) {
	return binary.BigEndian.Uint64(h[:8]), binary.BigEndian.Uint32(h[8:12])
}

// find returns the slot of a hash, or the free one in which it would stand: one in five is free.
func (s *hashShard) find(h Hash) *hashSlot {
	high, low := hashParts(h)
	at := int((high >> 32) * uint64(len(s.slots)) >> 32)
	for {
		x := &s.slots[at]
		if x.value == 0 || x.high == high && x.low == low {
			return x
		}
		if at++; at == len(s.slots) {
			at = 0
		}
	}
}

// grow makes room for half as much again.
func (s *hashShard) grow() {
	old := s.slots
	s.slots = make([]hashSlot, max(8, len(old)+len(old)/2))
	for _, x := range old {
		if x.value == 0 {
			continue
		}
		var h Hash
		binary.BigEndian.PutUint64(h[:], x.high)
		binary.BigEndian.PutUint32(h[8:], x.low)
		*s.find(h) = x
	}
}
