package provision

import (
	"iter"

	"usherd/connector"
)

// entry is the little that is kept in memory of a spooled change. Most are of few kinds, so that one is
// 24 bytes.
type entry struct {
	*kind
	digest uint64
	rank   int32 // place on the waiting list, -1 = none
	chosen bool  // of the part that was approved
}

type kind struct {
	action   connector.Action
	skip     connector.SkipReason
	removal  bool
	writes   bool
	linked   bool
	explicit bool   // a removal for which the source gave evidence in the person's own entry
	takes    string // package
	frees    string
}

// entries are the entries of a plan by ordinal, in pages, so that a million need not be copied to grow.
// Ordinals without an entry cost its place.
type entries struct {
	kinds map[kind]*kind
	pages [][]entry
	count int
}

const entryPage = 4096

func newEntries() *entries { return &entries{kinds: map[kind]*kind{}} }

// put keeps an entry; each ordinal is put once.
func (x *entries) put(ordinal int32, k kind, e entry) {
	known := x.kinds[k]
	if known == nil {
		known = &k
		x.kinds[k] = known
	}
	page := int(ordinal) / entryPage
	for len(x.pages) <= page {
		x.pages = append(x.pages, nil)
	}
	if x.pages[page] == nil {
		x.pages[page] = make([]entry, entryPage)
	}
	e.kind = known
	x.pages[page][ordinal%entryPage] = e
	x.count++
}

// of returns the entry of a spooled change.
func (x *entries) of(ordinal int32) entry { return x.pages[ordinal/entryPage][ordinal%entryPage] }

// all yields the entries in the order of their ordinals.
func (x *entries) all() iter.Seq2[int32, entry] {
	return func(yield func(int32, entry) bool) {
		for p, page := range x.pages {
			for i, e := range page {
				if e.kind != nil && !yield(int32(p*entryPage+i), e) {
					return
				}
			}
		}
	}
}
