package provision

import (
	"context"

	"usherd/connector"
)

// claim is a person put aside: all that is wrong with it is that users who are in this source too hold
// names that it takes. Only when the answer has been read to its end is it known which of them give
// theirs up: two people may have swapped addresses, or a whole ring of them.
type claim struct {
	rec   *connector.Record
	takes []connector.Hash // names that the user does not have yet
	needs []connector.Hash // those of them that others hold
	gives []connector.Hash // names that the user has and would not have any more
	fate  fate
}

type fate int8

const (
	open    fate = iota
	blocked      // a name that it needs is not given up
	rival        // somebody else takes the same
	placed       // it gets what it needs
)

// putAside keeps the person for the end of the read where that may help.
func (l *planner) putAside(d *decision) bool {
	if l.settled || len(l.aside) == maxAside || len(d.failures) == 0 || len(d.clashes) > 0 {
		return false
	}
	for _, x := range d.failures {
		switch x.Reason { //nolint:exhaustive // only these are about what another one holds
		case connector.UserNameTaken, connector.EmailTaken:
		case connector.AmbiguousMatch:
			if d.rival.IsZero() || x.Fields[0] != connector.UserName && x.Fields[0] != connector.Email {
				return false
			}
		default:
			return false
		}
	}
	c, ok := l.claim(d)
	if ok {
		l.aside = append(l.aside, c)
	}
	return ok
}

// claim says what the person takes and gives up; false where somebody whom this source does not know holds a
// name that it needs. Who has left the source is no hindrance yet: the person may be the same, created anew.
func (l *planner) claim(d *decision) (*claim, bool) {
	c := &claim{rec: d.rec}
	has := (&connector.User{Profile: d.profile}).Keys()
	var had []connector.UserKey
	if d.user != nil {
		had = d.user.Keys()
	}
	for _, k := range except(has, had) {
		h := keyHash(k)
		c.takes = append(c.takes, h)
		for _, id := range l.facts.byKey[k] {
			if !l.facts.everInSource(id, d.src.ID) {
				return nil, false
			}
			c.needs = append(c.needs, h)
		}
	}
	for _, k := range except(had, has) {
		c.gives = append(c.gives, keyHash(k))
	}
	return c, len(c.needs) > 0
}

// settleNames decides again about the people put aside: first those who do not get what they need, so
// that they find it held, then those who want the same as somebody else, and at last the others, who get
// it all together.
func (l *planner) settleNames(ctx context.Context) error {
	l.settled = true
	x := newSwap(l.facts.planned, l.aside)
	l.aside = nil
	x.resolve()
	for _, c := range x.placed {
		for _, h := range c.gives {
			l.facts.planned.freed.Put(h, 0)
		}
	}
	for _, list := range [][]*claim{x.with(blocked), x.with(rival), x.placed} {
		for start := 0; start < len(list); start += batchSize {
			batch := list[start:min(start+batchSize, len(list))]
			records := make([]*connector.Record, len(batch))
			for i, c := range batch {
				records[i] = c.rec
			}
			if err := l.decide(ctx, records); err != nil {
				return err
			}
		}
	}
	return nil
}

// swap finds out who among the people put aside have what they need once all of those have it.
type swap struct {
	planned *planned
	list    []*claim
	givers  map[connector.Hash]*claim
	needing map[connector.Hash][]*claim // names that only one of the list could give up
	placed  []*claim
}

func newSwap(p *planned, list []*claim) *swap {
	x := &swap{planned: p, list: list, givers: map[connector.Hash]*claim{}, needing: map[connector.Hash][]*claim{}}
	for _, c := range list {
		for _, h := range c.gives {
			x.givers[h] = c
		}
		for _, h := range c.needs {
			if !p.freed.Has(h) {
				x.needing[h] = append(x.needing[h], c)
			}
		}
	}
	return x
}

// resolve starts from all of them having it and takes out whoever cannot: a ring stays, and a chain
// stays where the name at its end is free.
func (x *swap) resolve() {
	for h, needing := range x.needing {
		if x.givers[h] == nil {
			x.block(needing)
		}
	}
	takers := map[connector.Hash]int{}
	for _, c := range x.with(open) {
		for _, h := range c.takes {
			takers[h]++
		}
	}
	for _, c := range x.with(open) {
		for _, h := range c.takes {
			if x.planned.taken.Has(h) || takers[h] > 1 {
				c.fate = rival
			}
		}
	}
	for _, c := range x.with(rival) {
		x.withhold(c)
	}
	for _, c := range x.list {
		x.place(c)
	}
}

func (x *swap) with(f fate) (list []*claim) {
	for _, c := range x.list {
		if c.fate == f {
			list = append(list, c)
		}
	}
	return list
}

// block takes out people who do not get a name, and those who wait for names of theirs.
func (x *swap) block(list []*claim) {
	for _, c := range list {
		if c.fate == open {
			c.fate = blocked
			x.withhold(c)
		}
	}
}

// withhold says that the person keeps its names.
func (x *swap) withhold(c *claim) {
	for _, h := range c.gives {
		x.block(x.needing[h])
	}
}

// place puts those whose names the person takes before it, so that a ring is written in one transaction
// and a long chain from its free end.
func (x *swap) place(c *claim) {
	if c.fate != open {
		return
	}
	c.fate = placed
	for _, h := range c.needs {
		if g := x.givers[h]; g != nil {
			x.place(g)
		}
	}
	x.placed = append(x.placed, c)
}
