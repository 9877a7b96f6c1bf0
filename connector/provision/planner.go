package provision

import (
	"context"
	"errors"
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
	Phase string // read, verify, apply
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
	index *index

	hasher   connector.Hasher
	last     connector.SourceState
	open     map[connector.Anchor]bool // with open items -> seen
	ranks    map[string]map[connector.Anchor]int32
	deferred []*connector.Record
	aside    []*claim                  // people who want names that others may still give up
	settled  bool                      // nobody is put aside any more
	unasked  bool                      // too many are absent to ask for each
	same     int                       // decided, and found to be as they were
	twice    map[connector.Anchor]bool // anchors of users that came more than once
	spared   map[connector.ID]bool     // users whose grace is over, but who are back or change in this run
	phase    time.Time

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
	result, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	l.phaseDone("read")
	if err := l.distrust(result); err != nil {
		return nil, err
	}
	if err := l.absent(ctx); err != nil {
		return nil, err
	}
	l.phaseDone("verify")
	if err := l.waive(); err != nil {
		return nil, err
	}
	l.guard()
	l.phaseDone("plan")
	if err := l.groups(ctx); err != nil {
		return nil, err
	}
	return l.plan, nil
}

func (p *Provisioner) newPlanner(ctx context.Context, req PlanRequest) (*planner, error) {
	src, _, err := p.source(req.Source)
	if err != nil {
		return nil, err
	}
	now, org, s := p.o.Now(), p.o.Org.ID, p.o.Store
	l := &planner{p: p, req: req, src: src, facts: newFacts(now), hasher: connector.Hasher{Seed: src.Fingerprint}, phase: now, spared: map[connector.ID]bool{}, twice: map[connector.Anchor]bool{}, renamed: map[connector.Hash]connector.Hash{}}
	l.plan = &Plan{
		preview: req.Preview,
		now:     now, entries: newEntries(), denied: map[int32]bool{}, refused: map[int32]connector.Failure{},
		dropped: map[int32]bool{}, waived: map[int32]bool{}, applied: map[int32]*connector.Change{}, replaced: map[connector.Anchor]bool{},
		rewritten: map[string]int{},
		Run: &connector.Run{
			ID: connector.NewID(now), Org: org, Source: req.Source, Mode: connector.ModeFull, Result: connector.ResultRunning,
			Skips: map[connector.SkipReason]int{}, Fingerprint: src.Fingerprint, Started: now,
		},
	}
	if l.last, err = s.SourceState(ctx, org, req.Source); err != nil {
		return nil, err
	}
	seats, err := p.seats(ctx)
	if err != nil {
		return nil, err
	}
	l.facts.planned = newPlanned(seats)
	if l.open, err = s.OpenAnchors(ctx, org, req.Source); err != nil {
		return nil, err
	}
	for a := range l.open {
		l.open[a] = false
	}
	if err := l.loadRanks(ctx); err != nil {
		return nil, err
	}
	if l.index, err = loadIndex(ctx, s, org, req.Source); err != nil {
		return nil, err
	}
	if l.plan.removals, err = newSpool(p.o.SpoolDir); err != nil {
		return nil, err
	}
	if l.plan.others, err = newSpool(p.o.SpoolDir); err != nil {
		return nil, errors.Join(err, l.plan.removals.close())
	}
	return l, nil
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
		l.open[r.Anchor] = true
	}
	switch {
	case again: // its entry moved, or got a double, while it was read
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
		if err := l.keep(d); err != nil {
			return err
		}
	}
	return nil
}

func (l *planner) keep(d *decision) error {
	if d.renamed() {
		l.renamed[d.link.Key] = d.rec.Key
	}
	if !d.rival.IsZero() && l.facts.gone == nil && len(l.deferred) < maxDeferred {
		l.deferred = append(l.deferred, d.rec) // its rival may turn out to be gone
		return nil
	}
	if l.putAside(d) {
		return nil
	}
	for _, o := range d.clashes {
		l.clash(o, d)
	}
	if u := d.user; u != nil && !u.DeleteAt.IsZero() && (d.change.After != nil || d.says == connector.StandingEnabled) {
		l.spared[u.ID] = true
	}
	if d.change.Action == connector.Unchanged && d.change.Link == nil {
		l.same++
		return nil
	}
	rank := int32(-1)
	if r, ok := l.ranks[d.change.TakeSeat][d.rec.Anchor]; ok {
		rank = r
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
				Reason: f.Reason, Fields: f.Fields, Detail: "also carried by " + d.rec.DN,
			}
			return
		}
	}
}
