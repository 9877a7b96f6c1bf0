package provision

import (
	"crypto/sha256"
	"slices"

	"usherd/connector"
)

// planned remembers what the decisions of one plan will take or give up, so that two people of one
// run cannot be given the same. It keeps a hash for each name: a million people have two million. A nil
// planned, as in Submit, remembers nothing.
type planned struct {
	count  int32
	taken  connector.Hashes       // name -> decision
	freed  connector.Hashes       // name -> decision
	linked map[connector.ID]int32 // user that gets a new link -> decision

	seats map[string]*seatPlan
}

// seatPlan counts who wants a seat of one package.
type seatPlan struct {
	connector.SeatCount
	wanted int
}

func newPlanned(seats []connector.SeatCount) *planned {
	p := &planned{linked: map[connector.ID]int32{}, seats: map[string]*seatPlan{}}
	for _, s := range seats {
		p.seats[s.Package] = &seatPlan{SeatCount: s}
	}
	return p
}

func keyHash(k connector.UserKey) connector.Hash {
	sum := sha256.Sum256([]byte(k.Kind + "\x00" + k.Value))
	return connector.Hash(sum[:16])
}

// taker returns the decision that takes k.
func (p *planned) taker(k connector.UserKey) (int32, bool) {
	if p == nil {
		return 0, false
	}
	return p.taken.Get(keyHash(k))
}

// free reports whether a decision of this plan gives k up.
func (p *planned) free(k connector.UserKey) bool { return p != nil && p.freed.Has(keyHash(k)) }

// linker returns the decision that links the user anew.
func (p *planned) linker(id connector.ID) (int32, bool) {
	if p == nil {
		return 0, false
	}
	i, ok := p.linked[id]
	return i, ok
}

// mayRunShort reports whether a change that takes a seat now might be refused it in the end: all
// are kept in order, and those at the head of the waiting list go before.
func (f *facts) mayRunShort(pkg string) bool {
	if f.planned == nil {
		return true
	}
	s := f.planned.seats[pkg]
	return s == nil || s.wanted >= s.Free()-s.Waiting
}

// add gives the decision its number and remembers what it takes.
func (p *planned) add(d *decision) {
	if p == nil {
		return
	}
	d.ordinal = p.count
	p.count++
	ch := d.change
	if d.link == nil && d.user != nil && ch.Link != nil {
		p.linked[d.user.ID] = d.ordinal
	}
	if s := p.seats[ch.TakeSeat]; s != nil {
		s.wanted++
	}
	if ch.After != nil {
		p.note(d.ordinal, d.user, ch.After)
	}
}

// note records which names a change takes and gives up.
func (p *planned) note(ordinal int32, before, after *connector.User) {
	var had, has []connector.UserKey
	if before != nil && before.State.Live() {
		had = before.Keys()
	}
	if after.State.Live() {
		has = after.Keys()
	}
	for _, k := range except(has, had) {
		p.taken.Put(keyHash(k), ordinal)
	}
	for _, k := range except(had, has) {
		p.freed.Put(keyHash(k), ordinal)
	}
}

// except returns the keys that are not among the others.
func except(keys, others []connector.UserKey) []connector.UserKey {
	return slices.DeleteFunc(slices.Clone(keys), func(k connector.UserKey) bool { return slices.Contains(others, k) })
}
