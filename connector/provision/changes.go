package provision

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"usherd/connector"
	"usherd/connector/policy"
)

// maxRecheck bounds how many people whose state has changed by the clock one run of changes looks at; for
// more, a full run is faster.
const maxRecheck = 1000

// quarrelling are the refusals that end when somebody else changes.
var quarrelling = []connector.Reason{connector.UserNameTaken, connector.EmailTaken, connector.AmbiguousMatch}

// PlanChanges works out what the changes in a batch come to; a nil batch asks the source for what has changed
// since the last run. Nothing is changed. When only a full run helps there is no plan, and full says why.
func (p *Provisioner) PlanChanges(ctx context.Context, req PlanRequest, batch *connector.Batch) (_ *Plan, full string, err error) {
	feed, ok := req.From.(connector.Feed)
	if !ok {
		return nil, "the source cannot tell what has changed", nil
	}
	l, err := p.newPlanner(ctx, req)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil || full != "" {
			_ = l.plan.Close()
		}
	}()
	if full := l.unready(); full != "" {
		return nil, full, nil
	}
	if batch == nil {
		if batch, err = feed.Changes(ctx, l.changesRequest()); err != nil {
			return nil, "", err
		}
	}
	if batch.Full != "" {
		return nil, batch.Full, nil
	}
	due, full, err := l.timely(ctx)
	if err != nil || full != "" {
		return nil, full, err
	}
	l.phaseDone("read")
	if l, err = l.decideBatch(ctx, feed, batch, due); err != nil {
		return nil, "", err
	}
	if full, err := l.tooMuch(ctx); err != nil || full != "" {
		return nil, full, err
	}
	if full, err := l.groupsOf(ctx, batch); err != nil || full != "" {
		return nil, full, err
	}
	l.settleSeats()
	l.plan.count(l.same)
	l.phaseDone("plan")
	return l.plan, "", nil
}

// unready says why changes cannot be applied on top of what there is.
func (l *planner) unready() string {
	switch {
	case l.last.Fingerprint == connector.Hash{}:
		return "the source has not been read in full yet"
	case l.settingsChanged():
		return ourSettings
	case l.last.Cursor.IsZero():
		return "there is no cursor: the last full read left none"
	}
	return ""
}

func (l *planner) changesRequest() connector.ChangesRequest {
	return connector.ChangesRequest{Since: l.last.Cursor, Naming: l.naming, Known: func(ctx context.Context) iter.Seq2[connector.Anchor, error] {
		return func(yield func(connector.Anchor, error) bool) {
			for s, err := range l.p.o.Store.LinkStates(ctx, l.plan.Run.Org, l.req.Source) {
				if err == nil && s.Absent {
					continue
				}
				if !yield(s.Anchor, err) || err != nil {
					return
				}
			}
		}
	}, KnownGroups: func(ctx context.Context) iter.Seq2[connector.Anchor, error] {
		return func(yield func(connector.Anchor, error) bool) {
			for g, err := range l.p.o.Store.GroupStates(ctx, l.plan.Run.Org, l.req.Source) {
				if !yield(g.Anchor, err) || err != nil {
					return
				}
			}
		}
	}}
}

// naming finds the people in whose profile one of the names stands, or a DN under which one of those who are
// gone was known.
func (l *planner) naming(ctx context.Context, gone []connector.Anchor, names []string) ([]connector.Anchor, error) {
	links, err := l.p.o.Store.Links(ctx, l.plan.Run.Org, l.req.Source, gone)
	if err != nil {
		return nil, err
	}
	for i := range links {
		names = append(names, links[i].DN)
	}
	if len(names) == 0 {
		return nil, nil
	}
	var found []connector.Anchor
	for a, err := range l.p.o.Store.LinksNaming(ctx, l.plan.Run.Org, l.req.Source, names) {
		if err != nil {
			return nil, err
		}
		found = append(found, a)
	}
	return found, nil
}

// adopt takes over what the batch says of itself.
func (l *planner) adopt(b *connector.Batch) {
	run := l.plan.Run
	run.Mode, run.Entries, run.Server, run.Mechanism = connector.ModeChanges, b.Entries, b.Server, b.Mechanism
	run.Warnings = append(run.Warnings, b.Warnings...)
	l.plan.complete = true
	l.plan.state = l.last
	if l.plan.state.LastRun = run.ID; !b.Cursor.IsZero() { // none is of the clock, which moves nothing on
		l.plan.state.Cursor = b.Cursor
	}
	l.plan.stay = bytes.Equal(l.plan.state.Cursor.Data, l.last.Cursor.Data)
}

// timely are the people whose time has come. While removals wait for approval theirs would only be held once
// more, by one full run after the other.
func (l *planner) timely(ctx context.Context) (due []connector.Anchor, full string, err error) {
	due, err = l.p.o.Store.Recheck(ctx, l.plan.Run.Org, l.req.Source, l.facts.now, maxRecheck+1)
	if err != nil || len(due) == 0 {
		return nil, "", err
	}
	held, err := l.waits(ctx)
	switch {
	case err != nil || held != nil && (held.Hold.Removals || held.Hold.Whole):
		return nil, "", err
	case len(due) > maxRecheck:
		return nil, "the accounts or domains of more than 1,000 people stand differently now", nil
	}
	return due, "", nil
}

// waits returns the full run that waits for approval, nil = there is none.
func (l *planner) waits(ctx context.Context) (*connector.Run, error) {
	open, err := l.p.o.Store.OpenHolds(ctx, l.plan.Run.Org, l.req.Source)
	for _, run := range slices.Backward(open) {
		if run.Mode == connector.ModeFull && run.Hold.StatusAt(l.facts.now) == connector.HoldOpen {
			return run, err
		}
	}
	return nil, err
}

// decideBatch decides about the people of a batch and those whose time has come. Where that may help people
// who were refused for what others hold, everything is decided anew together with them, as in a full run.
// It returns the planner that has the plan.
func (l *planner) decideBatch(ctx context.Context, feed connector.Feed, batch *connector.Batch, due []connector.Anchor) (*planner, error) {
	records := batch.Records
	if len(due) > 0 {
		again, err := feed.Reread(ctx, due)
		if err != nil {
			return l, err
		}
		records = append(again, records...) // what the feed tells is no older
	}
	x := newGathering(records)
	if err := l.decideGathered(ctx, batch, x); err != nil || !l.stirs() {
		return l, err
	}
	again, err := l.quarrels(ctx, feed, x.records)
	if err != nil || len(again) == 0 {
		return l, err
	}
	if err := l.plan.Close(); err != nil {
		return l, err
	}
	anew, err := l.p.newPlanner(ctx, l.req)
	if err != nil {
		return l, err
	}
	anew.plan.Run.Phases = l.plan.Run.Phases
	return anew, anew.decideGathered(ctx, batch, newGathering(append(again, records...)))
}

func (l *planner) decideGathered(ctx context.Context, batch *connector.Batch, x *gathering) error {
	l.adopt(batch)
	l.plan.records = x.records
	l.facts.gone = x.gone
	if err := l.decideAll(ctx, x.here); err != nil {
		return err
	}
	if err := l.settleNames(ctx); err != nil {
		return err
	}
	for _, r := range x.absent {
		if l.plan.replaced[r.Anchor] { // nothing more is decided about that entry
			l.plan.closeGone = append(l.plan.closeGone, r.Anchor)
		}
	}
	return l.decideAll(ctx, l.notTakenOver(x.absent))
}

// stirs reports whether a name or an anchor is given up, or wanted in vain.
func (l *planner) stirs() bool {
	return !l.facts.planned.freed.Empty() || len(l.facts.gone) > 0 || l.plan.removals.count > 0 || l.quarrelled
}

// quarrels reads the people again who were refused for what somebody else holds.
func (l *planner) quarrels(ctx context.Context, feed connector.Feed, known map[connector.Anchor]*connector.Record) ([]*connector.Record, error) {
	open, err := l.p.o.Store.OpenAnchors(ctx, l.plan.Run.Org, l.req.Source, quarrelling...)
	if err != nil {
		return nil, err
	}
	var ask []connector.Anchor
	for a := range open {
		if known[a] == nil {
			ask = append(ask, a)
		}
	}
	if len(ask) == 0 {
		return nil, nil
	}
	return feed.Reread(ctx, ask)
}

// gathering sorts records into those who are there and those who are gone: the latter come last, and are
// known before anybody is decided about, so that an account deleted and created anew is the same person.
type gathering struct {
	here   []*connector.Record
	absent []*connector.Record
	gone   map[connector.Anchor]bool
	// records are all of them, but for those without an anchor.
	records map[connector.Anchor]*connector.Record
}

// newGathering takes the last record of each anchor.
func newGathering(records []*connector.Record) *gathering {
	x := &gathering{gone: map[connector.Anchor]bool{}, records: map[connector.Anchor]*connector.Record{}}
	for _, r := range slices.Backward(records) {
		if x.records[r.Anchor] != nil {
			continue
		}
		if !r.Anchor.IsZero() {
			x.records[r.Anchor] = r
		}
		if r.Gone {
			x.gone[r.Anchor] = true
			x.absent = append(x.absent, r)
			continue
		}
		x.here = append(x.here, r)
	}
	slices.Reverse(x.here)
	return x
}

func (l *planner) decideAll(ctx context.Context, records []*connector.Record) error {
	for start := 0; start < len(records); start += batchSize {
		if err := l.decide(ctx, records[start:min(start+batchSize, len(records))]); err != nil {
			return err
		}
	}
	return nil
}

// tooMuch says why the changes may not pass unseen: a full run then plans, and holds, all of it. As long as a
// full run's removals wait for approval, those of changes must not slip by.
func (l *planner) tooMuch(ctx context.Context) (string, error) {
	if err := l.countPeople(ctx); err != nil {
		return "", err
	}
	if reason, err := l.holdRemovals(); err != nil || reason != "" {
		return reason, err
	}
	if reason := l.holdRewrites(); reason != "" {
		return reason, nil
	}
	_, kept := policy.Recent(l.last.Removed, l.facts.now)
	l.plan.state.Removed = kept
	n := l.plan.removalCount()
	if n == 0 {
		return "", nil
	}
	kept = append(kept, connector.RemovalCount{At: l.facts.now, N: n})
	l.plan.state.Removed = kept
	held, err := l.waits(ctx)
	if held != nil {
		return "removals wait for approval in run " + held.ID.Short(), err
	}
	return "", err
}

// countPeople counts the people of whom the guard takes a share, where so many change that it may. The entries
// of the last full run are no measure: most of them may be out of scope.
func (l *planner) countPeople(ctx context.Context) error {
	recent, _ := policy.Recent(l.last.Removed, l.facts.now)
	if l.plan.removalCount()+recent <= max(l.src.Guard.Min, 0) && l.plan.existing < policy.MinLost {
		return nil
	}
	for s, err := range l.p.o.Store.LinkStates(ctx, l.plan.Run.Org, l.req.Source) {
		if err != nil {
			return err
		}
		if !s.Absent {
			l.known++
		}
	}
	return nil
}
