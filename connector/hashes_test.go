package connector_test

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"usherd/connector"
)

func hashOf(i int) connector.Hash {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return connector.Hash(sum[:16])
}

func TestHashesKeepNumbers(t *testing.T) {
	t.Parallel()
	var m connector.Hashes
	if m.Has(hashOf(0)) || m.Has(connector.Hash{}) {
		t.Fatal("an empty one has something")
	}
	const n = 100_000
	for i := range n {
		m.Put(hashOf(i), int32(i))
	}
	for i := range n {
		if i%3 == 0 {
			m.Put(hashOf(i), int32(n+i))
		}
	}
	for i := range 2 * n {
		want, there := int32(i), i < n
		if i%3 == 0 {
			want = int32(n + i)
		}
		if got, ok := m.Get(hashOf(i)); ok != there || ok && got != want {
			t.Fatalf("number %d: %d, %v", i, got, ok)
		}
	}
}

// Hashes that differ in a few bits only, as nobody gives on purpose, are told apart too.
func TestHashesTellNeighboursApart(t *testing.T) {
	t.Parallel()
	var m connector.Hashes
	for i := range 12 {
		for bit := range 8 {
			var h connector.Hash
			h[i] = 1 << bit
			m.Put(h, int32(8*i+bit))
		}
	}
	m.Put(connector.Hash{}, 1000)
	for i := range 12 {
		for bit := range 8 {
			var h connector.Hash
			h[i] = 1 << bit
			if got, ok := m.Get(h); !ok || got != int32(8*i+bit) {
				t.Errorf("bit %d of byte %d: %d, %v", bit, i, got, ok)
			}
		}
	}
	if got, ok := m.Get(connector.Hash{}); !ok || got != 1000 {
		t.Errorf("the hash of zeros: %d, %v", got, ok)
	}
}
