package provision

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"usherd/connector"
)

const (
	batchSize   = 1000
	maxDeferred = 10_000 // people created anew that one run sorts out
	maxAside    = 10_000 // people who take a name that another one gives up later in the answer
)

// Progress is told as a run goes on.
type Progress struct {
	Phase string // read, verify, apply, keep (what a report has to name)
	Done  int
	Total int // a guess while reading; 0 = unknown
}

// PlanRequest says what to plan.
type PlanRequest struct {
	Source   string
	From     connector.Source
	Progress func(Progress) // may be nil
	// Approved makes the first-run and guard holds pass when what they would hold has this digest.
	Approved string
	// Hold makes everything wait for approval: a preview.
	Hold    string
	Preview bool // Hold is one
	// Part is what passes of what has the digest Approved; nil = all of it.
	Part *Choice
	// Rest is an open hold of what an approval in part has left: it stays held whatever the guard says.
	Rest *connector.Hold
	// AcceptGroups lets pass what the guard would hold of the groups, when it has this digest.
	AcceptGroups string
}

// planner makes one Plan.
type planner struct {
	p     *Provisioner
	req   PlanRequest
	src   *connector.SourceSettings
	plan  *Plan
	facts *facts
	index *index // of a full run; nil in a run of changes

	hasher     connector.Hasher
	last       connector.SourceState
	open       map[connector.Anchor]bool // that have open items; read by several goroutines, so never written
	openSeen   map[connector.Anchor]bool // those of them that the answer has had
	ranks      map[string]map[connector.Anchor]int32
	deferred   []*connector.Record
	rivals     []connector.Anchor         // that seemed to hold the people of deferred
	aside      []*claim                   // people who want names that others may still give up
	settled    bool                       // nobody is put aside any more
	quarrelled bool                       // somebody is refused for what another one holds
	unasked    bool                       // too many are absent to ask for each
	known      int                        // people whom the source has, of a run of changes
	same       int                        // decided, and found to be as they were
	twice      map[connector.Anchor]bool  // anchors of users that came more than once
	spared     map[connector.ID]bool      // users whose grace is over, but who are back or change in this run
	older      string                     // why the answer may be older than what was applied last
	fresh      map[connector.Anchor]int32 // what the feed should have told of -> its decision; nil = there is none to compare with
	waitsSince time.Time                  // since when removals wait for approval; zero = none do, or it is a run of changes
	phase      time.Time

	renamed map[connector.Hash]connector.Hash // keys of people, before and after, whose memberships follow
}

// Plan reads the whole source and works out what a full run would do. Nothing is changed. An error
// means that the source did not answer as it must; no plan is better than half a one.
func (p *Provisioner) Plan(ctx context.Context, req PlanRequest) (_ *Plan, err error) {
	l, err := p.newPlanner(ctx, req)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = l.plan.Close()
		}
	}()
	if err := l.learn(ctx); err != nil {
		return nil, err
	}
	result, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	l.phaseDone("read")
	if err := l.distrust(result); err != nil {
		return nil, err
	}
	if feed, ok := req.From.(connector.Feed); ok && !l.last.Cursor.IsZero() && !result.Cursor.IsZero() {
		l.older = feed.Older(result.Cursor, l.last.Cursor)
	}
	if err := l.absent(ctx); err != nil {
		return nil, err
	}
	l.phaseDone("verify")
	if err := l.waive(); err != nil {
		return nil, err
	}
	if err := l.guard(); err != nil {
		return nil, err
	}
	if err := l.missed(ctx); err != nil {
		return nil, err
	}
	l.phaseDone("plan")
	if err := l.groups(ctx); err != nil {
		return nil, err
	}
	return l.plan, nil
}

// WhatIf is Plan for settings that nobody has looked at yet, as if somebody had: so it tells whom the guard
// would hold, and why, where a run would hold everything.
func (p *Provisioner) WhatIf(ctx context.Context, req PlanRequest) (*Plan, error) {
	o := p.o
	o.Org = looked(o.Org)
	return New(o).Plan(ctx, req)
}

func (p *Provisioner) newPlanner(ctx context.Context, req PlanRequest) (*planner, error) {
	src, _, err := p.source(req.Source)
	if err != nil {
		return nil, err
	}
	l, err := p.emptyPlanner(ctx, req, src, connector.ModeFull)
	if err != nil {
		return nil, err
	}
	l.last, err = p.o.Store.SourceState(ctx, l.plan.Run.Org, l.plan.Run.Source)
	return l, err
}

// emptyPlanner returns a planner with an empty plan that knows of nothing but the seats.
func (p *Provisioner) emptyPlanner(ctx context.Context, req PlanRequest, src *connector.SourceSettings, mode connector.Mode) (*planner, error) {
	now := p.o.Now()
	l := &planner{
		p: p, req: req, src: src, facts: newFacts(now), hasher: src.Hasher(), phase: now,
		spared: map[connector.ID]bool{}, twice: map[connector.Anchor]bool{}, renamed: map[connector.Hash]connector.Hash{},
		ranks: map[string]map[connector.Anchor]int32{},
	}
	seats, err := p.seats(ctx)
	if err != nil {
		return nil, err
	}
	l.facts.planned = newPlanned(seats)
	l.plan = &Plan{
		preview: req.Preview, choice: req.Part, progress: req.Progress,
		now: now, entries: newEntries(), denied: map[int32]bool{}, refused: map[int32]connector.Failure{},
		dropped: map[int32]bool{}, waived: map[int32]bool{}, applied: map[int32]*connector.Change{}, replaced: map[connector.Anchor]bool{},
		rewritten: map[string]int{}, blanked: map[string]int{},
		Run: &connector.Run{
			ID: connector.NewID(now), Org: p.o.Org.ID, Source: req.Source, Mode: mode, Result: connector.ResultRunning,
			Skips: map[connector.SkipReason]int{}, Fingerprint: src.Fingerprint, Started: now,
		},
	}
	if src.Kind.Brought() {
		l.plan.needed = map[string]int{}
	}
	l.plan.removals, l.plan.others = newSpool(p.o.SpoolDir), newSpool(p.o.SpoolDir)
	if p.o.Org.KeepRecords > 0 && !req.Preview {
		l.plan.said = p.newSaid()
	}
	return l, nil
}

// learn loads what only a run that reads everybody needs.
func (l *planner) learn(ctx context.Context) (err error) {
	s, org := l.p.o.Store, l.plan.Run.Org
	l.openSeen = map[connector.Anchor]bool{}
	if l.open, err = s.OpenAnchors(ctx, org, l.req.Source); err != nil {
		return err
	}
	if err := l.recallHold(ctx); err != nil {
		return err
	}
	if l.index, err = loadIndex(ctx, s, org, l.req.Source); err != nil {
		return err
	}
	if _, feeds := l.req.From.(connector.Feed); feeds && !l.last.Cursor.IsZero() && l.last.Fingerprint == l.src.Fingerprint {
		l.fresh = map[connector.Anchor]int32{}
	}
	return nil
}

// recallHold learns since when removals wait for approval.
func (l *planner) recallHold(ctx context.Context) error {
	open, err := l.p.o.Store.OpenHolds(ctx, l.plan.Run.Org, l.req.Source)
	for _, run := range open {
		if run.Mode == connector.ModeFull && run.Hold.Removals && run.Hold.StatusAt(l.facts.now) == connector.HoldOpen {
			l.waitsSince = run.Started
		}
	}
	return err
}

// people is how many people the source has; of a run of changes only once countPeople has told it.
func (l *planner) people() int {
	if l.index == nil {
		return l.known
	}
	return l.index.live
}

// phaseDone notes how long the part of the run that ends now took.
func (l *planner) phaseDone(name string) {
	now := l.p.o.Now()
	l.plan.Run.Phases = append(l.plan.Run.Phases, connector.Phase{Name: name, Took: now.Sub(l.phase)})
	l.phase = now
}

// read streams the source: one goroutine receives and compares, one decides what is not as it was.
func (l *planner) read(ctx context.Context) (connector.ReadResult, error) {
	var result connector.ReadResult
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan []*connector.Record, 2)
	g.Go(func() error {
		for b := range batches {
			if err := l.decide(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		defer close(batches)
		var err error
		var batch []*connector.Record
		send := func() error {
			select {
			case batches <- batch:
				batch = nil
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		result, err = l.req.From.Read(ctx, func(r *connector.Record) error {
			if !l.news(r) {
				return nil
			}
			batch = append(batch, r.Clone())
			if len(batch) < batchSize {
				return nil
			}
			return send()
		})
		if err == nil && len(batch) > 0 {
			err = send()
		}
		return err
	})
	err := g.Wait()
	return result, err
}

// news marks the record as seen and reports whether there is something to decide about it.
func (l *planner) news(r *connector.Record) bool {
	run := l.plan.Run
	if run.Entries++; run.Entries%batchSize == 0 && l.req.Progress != nil {
		l.req.Progress(Progress{"read", run.Entries, l.last.Entries})
	}
	linked, same, again := l.index.see(r.Anchor, l.hasher.Hash(r))
	_, open := l.open[r.Anchor]
	if open {
		l.openSeen[r.Anchor] = true
	}
	switch {
	case again && (r.Fault == "" || !l.src.Kind.Brought()): // its entry moved, or got a double, while it was read
		l.twice[r.Anchor] = true
		return false
	case linked && same && !open:
		run.Counts.Unchanged++
		return false
	case !linked && !open && r.OutOfScope != "":
		run.Counts.Skipped++
		run.Skips[connector.SkipOutOfScope]++
		return false
	}
	return true
}

// decide decides a batch and keeps the outcome.
func (l *planner) decide(ctx context.Context, records []*connector.Record) error {
	l.facts.forget()
	ds, err := l.p.decide(ctx, l.p.o.Store, l.facts, l.req.Source, records)
	if err != nil {
		return err
	}
	for _, d := range ds {
		if err := l.keep(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (l *planner) keep(ctx context.Context, d *decision) error {
	if d.renamed() {
		l.renamed[d.link.Key] = d.rec.Key
	}
	if !d.rival.IsZero() && l.facts.gone == nil && len(l.deferred) < maxDeferred {
		l.deferred = append(l.deferred, d.rec) // its rival may turn out to be gone
		l.rivals = append(l.rivals, d.rival)
		return nil
	}
	if l.putAside(d) {
		return nil
	}
	l.quarrelled = l.quarrelled || slices.ContainsFunc(d.failures, func(f connector.Failure) bool { return slices.Contains(quarrelling, f.Reason) })
	if err := l.plan.said.add(d.rec, d.change.After != nil || d.change.Link != nil); err != nil {
		return err
	}
	for _, o := range d.clashes {
		l.clash(o, d)
	}
	l.noteFresh(d)
	if u := d.user; u != nil && !u.DeleteAt.IsZero() && (d.change.After != nil || d.says == connector.StandingEnabled) {
		l.spared[u.ID] = true
	}
	if d.change.Action == connector.Unchanged && d.change.Link == nil {
		l.same++
		l.plan.closeGone = append(l.plan.closeGone, d.rec.Anchor) // it is again as it was applied: what was wrong is over
		return nil
	}
	rank, err := l.rank(ctx, d.change.TakeSeat, d.rec.Anchor)
	if err != nil {
		return err
	}
	return l.plan.keep(d.ordinal, d.change, rank)
}

// clash takes back the earlier of two decisions that want the same name: neither gets it, so that
// the order of the answer decides nothing.
func (l *planner) clash(earlier int32, d *decision) {
	if _, done := l.plan.refused[earlier]; done {
		return
	}
	for _, f := range d.failures {
		switch f.Reason { //nolint:exhaustive // only these are about what another one holds
		case connector.UserNameTaken, connector.EmailTaken:
			if l.plan.entries.of(earlier).removal {
				continue // a name is no reason to keep somebody's access
			}
			fallthrough
		case connector.AmbiguousMatch:
			l.plan.refused[earlier] = connector.Failure{
				Reason: f.Reason, Fields: f.Fields, Detail: "also carried by " + d.dn(),
			}
			return
		}
	}
}
