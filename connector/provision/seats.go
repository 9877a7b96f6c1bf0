package provision

import (
	"context"
	"slices"

	"usherd/connector"
)

// maxWaiting bounds how much of a waiting list one run looks at.
const maxWaiting = 100_000

// seats is the standing of all packages with the numbers of seats that the configuration gives: a plan
// shows what they mean before they are in force.
func (p *Provisioner) seats(ctx context.Context) ([]connector.SeatCount, error) {
	stored, err := p.o.Store.Seats(ctx, p.o.Org.ID)
	if err != nil {
		return nil, err
	}
	for _, pkg := range p.o.Org.Packages {
		i := slices.IndexFunc(stored, func(s connector.SeatCount) bool { return s.Package == pkg.ID })
		if i < 0 {
			stored, i = append(stored, connector.SeatCount{Package: pkg.ID}), len(stored)
		}
		stored[i].Name, stored[i].Seats = pkg.Name, pkg.Seats
	}
	return stored, nil
}

// rank is the place on the waiting list of a package that somebody of this source holds, -1 = none. A list is
// read when the first who might be on it takes a seat.
func (l *planner) rank(ctx context.Context, pkg string, a connector.Anchor) (int32, error) {
	s := l.facts.planned.seats[pkg]
	if s == nil || s.Waiting == 0 {
		return -1, nil
	}
	ranks, read := l.ranks[pkg]
	if !read {
		limit := maxWaiting
		if l.plan.records != nil { // no more seats than that can be free in the end
			limit = min(max(s.Free(), 0)+len(l.plan.records), maxWaiting)
		}
		waiters, err := l.p.o.Store.Waiting(ctx, l.plan.Run.Org, pkg, limit)
		if err != nil {
			return -1, err
		}
		ranks = map[connector.Anchor]int32{}
		for i, w := range waiters {
			if w.Source == l.req.Source && w.Record != nil {
				ranks[w.Record.Anchor] = int32(i)
			}
		}
		l.ranks[pkg] = ranks
	}
	if r, waits := ranks[a]; waits {
		return r, nil
	}
	return -1, nil
}

// settleSeats gives out the seats: those that the removals free count, people on the waiting list go
// first, and the others follow in the order of the answer. Who gets none is refused. A rollback goes the
// way of its run backwards, so that whatever frees a seat in it comes before who had that seat.
func (l *planner) settleSeats() {
	plan := l.plan
	for pkg, s := range l.facts.planned.seats {
		if s.Seats == connector.Unlimited {
			continue
		}
		var takers []int32
		free := s.Free()
		for o, e := range plan.entries.all() {
			if plan.overruled(o) {
				continue
			}
			if e.takes == pkg {
				takers = append(takers, o)
			}
			if e.frees == pkg && (e.removal || plan.undoes) && (!plan.holdGone || !plan.held(e)) {
				free++
			}
		}
		if over := s.Used - s.Seats; over > 0 {
			free = max(free-over, 0)
		}
		if len(takers) <= free-s.Waiting {
			continue
		}
		slices.SortFunc(takers, func(a, b int32) int { return plan.order(a) - plan.order(b) })
		next := s.Waiting // who is not on the list comes after all who are
		for _, o := range takers {
			place := int(plan.entries.of(o).rank)
			if place < 0 {
				place, next = next, next+1
			}
			if place >= free {
				plan.denied[o] = true
			}
		}
	}
}

// order puts people with a place on the waiting list before all others.
func (p *Plan) order(ordinal int32) int {
	if r := p.entries.of(ordinal).rank; r >= 0 {
		return int(r) - maxWaiting
	}
	return int(ordinal)
}

// count fills in the run's counts.
func (p *Plan) count(same int) {
	c := &p.Run.Counts
	c.Unchanged += same
	for o, e := range p.entries.all() {
		if p.needed != nil && e.takes != "" {
			p.needed[e.takes]++
		}
		_, refused := p.refused[o]
		switch {
		case refused || p.denied[o]:
			c.Failed++
		case p.waived[o]:
			c.Skipped++
			p.Run.Skips[connector.SkipMoved]++
		case p.dropped[o]:
			c.Skipped++
			p.Run.Skips[connector.SkipUnverifiable]++
		default:
			c.Add(&connector.Change{Action: e.action, Linked: e.linked, Held: p.held(e) && !p.preview})
			if e.action == connector.Skipped {
				p.Run.Skips[e.skip]++
			}
		}
	}
}

// holdsAnybody reports whether anything really waits.
func (p *Plan) holdsAnybody() bool {
	for o, e := range p.entries.all() {
		if !p.overruled(o) && p.held(e) {
			return true
		}
	}
	return false
}
