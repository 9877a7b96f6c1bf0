package provision

import (
	"context"

	"usherd/connector"
)

// undoer plans a rollback. It walks the run's events backwards, so that names and seats are given up before
// they are taken again: that is the order in which the run took and gave them, turned round.
type undoer struct {
	*planner
	run    *connector.Run
	people map[connector.ID]bool // none = all
	aside  []*undoing            // people who take names that others may still give up
	last   bool                  // nobody is put aside any more
	done   int

	against int // people who get access although the source says otherwise
	ended   int // users whom the run created
	back    int // deleted users who come back
	refused int // people who stay as they are because of later changes
}

// undoing is one user on the way back.
type undoing struct {
	*decision
	past  past
	taken connector.ID // user who has the entry of a deleted one now

	state   []connector.FieldChange // what the run did to the state, where it goes back
	fixed   bool
	pending bool
}

// read plans for everybody whom the run changed.
func (u *undoer) read(ctx context.Context) error {
	var before connector.ID
	for {
		events, err := u.p.o.Store.RunEvents(ctx, u.run.Org, u.run.ID, before, batchSize)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return u.settleAside(ctx)
		}
		before = events[len(events)-1].ID
		list, err := u.load(ctx, events)
		if err != nil {
			return err
		}
		if err := u.decideAll(ctx, list); err != nil {
			return err
		}
		if u.done += len(events); u.req.Progress != nil {
			u.req.Progress(Progress{"read", u.done, u.run.Counts.Changed()})
		}
	}
}

// load returns the users whose last event of the run is among these, with all that has happened since.
func (u *undoer) load(ctx context.Context, events []connector.Event) ([]*undoing, error) {
	last := make(map[connector.ID]connector.ID, len(events)) // user -> its last event among these
	var ids []connector.ID
	for _, e := range events {
		if _, known := last[e.User]; !known && (len(u.people) == 0 || u.people[e.User]) {
			last[e.User] = e.ID
			ids = append(ids, e.User)
		}
	}
	pasts, err := u.pasts(ctx, ids)
	if err != nil {
		return nil, err
	}
	users, err := u.p.o.Store.Users(ctx, u.run.Org, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[connector.ID]*connector.User, len(users))
	for _, x := range users {
		byID[x.ID] = x
	}
	list := make([]*undoing, 0, len(ids))
	for _, id := range ids {
		if h := pasts[id]; byID[id] != nil && h != nil && h.last().ID == last[id] {
			d := &decision{org: u.p.o.Org, src: u.src, rec: &connector.Record{}, user: byID[id]}
			list = append(list, &undoing{decision: d, past: *h})
		}
	}
	return list, u.loadLinks(ctx, list)
}

func (u *undoer) pasts(ctx context.Context, ids []connector.ID) (map[connector.ID]*past, error) {
	pasts := make(map[connector.ID]*past, len(ids))
	for e, err := range u.p.o.Store.EventsOfUsers(ctx, u.run.Org, ids) {
		if err != nil {
			return nil, err
		}
		h := pasts[e.User]
		if h == nil {
			h = &past{}
			pasts[e.User] = h
		}
		h.add(e, u.run.ID)
	}
	for id, h := range pasts {
		if len(h.own) == 0 {
			delete(pasts, id)
		}
	}
	return pasts, nil
}

// loadLinks reads the links of the users, and who has the entries that deleted ones had.
func (u *undoer) loadLinks(ctx context.Context, list []*undoing) error {
	byID := make(map[connector.ID]*undoing, len(list))
	ids := make([]connector.ID, len(list))
	lost := map[string][]connector.Anchor{} // by source
	for i, x := range list {
		byID[x.user.ID], ids[i] = x, x.user.ID
		if e := x.past.last(); !e.Anchor.IsZero() {
			lost[e.Source] = append(lost[e.Source], e.Anchor)
		}
	}
	links, err := u.p.o.Store.LinksOfUsers(ctx, u.run.Org, ids)
	if err != nil {
		return err
	}
	for _, l := range links {
		byID[l.User].others = append(byID[l.User].others, l)
	}
	for source, anchors := range lost {
		links, err := u.p.o.Store.Links(ctx, u.run.Org, source, anchors)
		if err != nil {
			return err
		}
		held := map[connector.Anchor]connector.ID{}
		for _, l := range links {
			held[l.Anchor] = l.User
		}
		for _, x := range list {
			if e := x.past.last(); e.Source == source && !e.Anchor.IsZero() {
				x.taken = held[e.Anchor]
			}
		}
	}
	return nil
}

// decideAll decides a batch and keeps the outcome.
func (u *undoer) decideAll(ctx context.Context, list []*undoing) error {
	u.facts.forget()
	ds := make([]*decision, len(list))
	for i, x := range list {
		x.prepare()
		ds[i] = x.decision
	}
	if err := u.facts.loadRules(ctx, u.p.o.Store, u.run.Org, ds); err != nil {
		return err
	}
	for _, x := range list {
		x.decide(u.facts, u.last || len(u.aside) == maxAside)
		if u.putAside(x) {
			continue
		}
		if err := u.keep(x); err != nil {
			return err
		}
	}
	return nil
}

func (u *undoer) keep(x *undoing) error {
	ch := x.change
	switch {
	case ch.Action == connector.Unchanged:
		u.same++
		return nil
	case ch.Skip == connector.SkipChangedSince:
		u.refused++
	case ch.Action == connector.Reactivated && x.lost():
		u.against++
	case ch.Action == connector.Removed:
		u.ended++
	case ch.After != nil && x.user.State == connector.Deleted:
		u.back++
	}
	u.facts.planned.add(x.decision)
	return u.plan.keep(x.ordinal, ch, -1)
}

// putAside keeps the person for the end where all that is wrong is that others hold names that it had.
func (u *undoer) putAside(x *undoing) bool {
	if u.last || len(u.aside) == maxAside || !x.namesOnly() {
		return false
	}
	u.aside = append(u.aside, x)
	return true
}

// settleAside decides again about the people put aside, as a full run does: those who do not get what they
// need first, and the others in an order in which they do.
func (u *undoer) settleAside(ctx context.Context) error {
	u.last = true
	claims, of := make([]*claim, len(u.aside)), map[*claim]*undoing{}
	u.facts.forget()
	for start := 0; start < len(u.aside); start += batchSize {
		part := u.aside[start:min(start+batchSize, len(u.aside))]
		ds := make([]*decision, len(part))
		for i, x := range part {
			x.prepare()
			ds[i] = x.decision
		}
		if err := u.facts.loadRules(ctx, u.p.o.Store, u.run.Org, ds); err != nil {
			return err
		}
		for i, x := range part {
			claims[start+i] = x.claim(u.facts)
			of[claims[start+i]] = x
		}
	}
	s := newSwap(u.facts.planned, claims)
	s.resolve()
	for _, c := range s.placed {
		for _, h := range c.gives {
			u.facts.planned.freed.Put(h, 0)
		}
	}
	for _, list := range [][]*claim{s.with(blocked), s.with(rival), s.placed} {
		for start := 0; start < len(list); start += batchSize {
			var part []*undoing
			for _, c := range list[start:min(start+batchSize, len(list))] {
				part = append(part, of[c])
			}
			if err := u.decideAll(ctx, part); err != nil {
				return err
			}
		}
	}
	return nil
}
