package provision

import (
	"context"

	"usherd/connector"
)

// index is what a full run knows by heart of everybody whom the source has brought: 18 bytes a
// person beside the key.
type index struct {
	people map[connector.Hash]known
	live   int // not absent
	unseen int // of the live ones
}

type known struct {
	hash   connector.Hash
	absent bool
	seen   bool
}

func loadIndex(ctx context.Context, r connector.Reader, org, source string) (*index, error) {
	x := &index{people: map[connector.Hash]known{}}
	for l, err := range r.LinkStates(ctx, org, source) {
		if err != nil {
			return nil, err
		}
		x.people[l.Anchor.Key()] = known{hash: l.Hash, absent: l.Absent}
		if !l.Absent {
			x.live++
			x.unseen++
		}
	}
	return x, nil
}

// see marks the anchor as seen and says whether its record is the one applied last, and whether it was
// seen before.
func (x *index) see(a connector.Anchor, h connector.Hash) (linked, same, again bool) {
	key := a.Key()
	k, ok := x.people[key]
	if !ok {
		return false, false, false
	}
	if again = k.seen; !again {
		k.seen = true
		if !k.absent {
			x.unseen--
		}
		x.people[key] = k
	}
	return true, k.hash == h, again
}

// seen reports whether the anchor was in the answer.
func (x *index) seen(a connector.Anchor) bool { return x.people[a.Key()].seen }

// missing returns the anchors that were not seen and whose absence is news. Only where there are any does
// it read them: the index keeps no kind of an anchor, nor its text.
func (x *index) missing(ctx context.Context, r connector.Reader, org, source string) ([]connector.Anchor, error) {
	if x.unseen == 0 {
		return nil, nil
	}
	var out []connector.Anchor
	for l, err := range r.LinkStates(ctx, org, source) {
		if err != nil {
			return nil, err
		}
		if k := x.people[l.Anchor.Key()]; !k.seen && !k.absent {
			out = append(out, l.Anchor)
		}
	}
	return out, nil
}
