package provision

import (
	"context"
	"errors"
	"time"

	"usherd/connector"
)

const (
	liveRun = time.Hour // how long one run of changes takes in what happens live
	// maxBarren is how many full runs in a row may end without a word of the feed: more, and the feed is
	// no use.
	maxBarren = 3
)

// LiveRequest says which source is followed.
type LiveRequest struct {
	Source   string
	From     connector.Feed
	Revision string
	// CaughtUp is told once, when everything that changed before has been applied; may be nil.
	CaughtUp func()
	// Applied is told of each batch that was applied, and of each full run that was needed instead; may be nil.
	Applied func(LiveReport)
}

// LiveReport is what one batch of live changes came to.
type LiveReport struct {
	Run     *connector.Run // a run of changes grows for an hour; a full one is at its end
	Counts  connector.Counts
	Groups  connector.GroupCounts
	Changes []time.Time // when the source says that each of the entries was changed, as far as it does
	Stored  time.Time   // when they were durable
}

// errCaughtOut ends following because the cursor has moved by a full run: it is taken up again from there.
var errCaughtOut = errors.New("a full run has moved the cursor")

// Live applies the changes of a source as they happen, until ctx ends or the source fails; it always
// returns an error. It begins where the last run ended. Whatever does not pass the guard, and whatever only
// a full read can tell, is left to a full run, which it does itself. It holds the source's lease only while
// it applies, so that other runs of the source go on beside it; what came meanwhile is read again.
func (p *Provisioner) Live(ctx context.Context, req LiveRequest) error {
	l := &live{p: p, req: req}
	for {
		state, err := p.o.Store.SourceState(ctx, p.o.Org.ID, req.Source)
		if err != nil {
			return err
		}
		if state.Cursor.IsZero() {
			if err := l.full(ctx, "the source has not been read in full yet"); !errors.Is(err, errCaughtOut) {
				return err
			}
			continue
		}
		known := &planner{p: p, req: PlanRequest{Source: req.Source}, last: state, plan: &Plan{Run: &connector.Run{Org: p.o.Org.ID}}}
		err = req.From.Follow(ctx, known.changesRequest(), func(b *connector.Batch) error { return l.batch(ctx, b) })
		if !errors.Is(err, errCaughtOut) {
			return err
		}
	}
}

// live is one source while it is followed.
type live struct {
	p      *Provisioner
	req    LiveRequest
	run    *connector.Run // that takes in what happens now
	caught bool
	barren int // full runs since the feed last told anything
}

// batch applies one batch.
func (l *live) batch(ctx context.Context, b *connector.Batch) error {
	if b.Full != "" {
		return l.full(ctx, b.Full)
	}
	l.barren = 0
	if err := l.apply(ctx, b); err != nil {
		return err
	}
	if !l.caught && l.req.CaughtUp != nil {
		l.req.CaughtUp()
	}
	l.caught = true
	return nil
}

// apply does a run of changes with what the batch tells.
func (l *live) apply(ctx context.Context, b *connector.Batch) error {
	release, ctx, err := l.lease(ctx, b)
	if err != nil {
		return err
	}
	defer release()
	plan, full, err := l.p.PlanChanges(ctx, PlanRequest{Source: l.req.Source, From: l.req.From}, b)
	if err != nil {
		return err
	}
	if full != "" {
		return l.inFull(ctx, full)
	}
	defer plan.Close() //nolint:errcheck // temporary files
	if plan.empty() {
		return l.p.Apply(ctx, plan, nil)
	}
	run, own := l.current(), plan.Run
	own.ID, own.Actor, own.Revision, own.Started = run.ID, run.Actor, run.Revision, run.Started
	own.Counts.Join(run.Counts)
	own.Groups.Join(run.Groups)
	own.Entries += run.Entries
	own.Phases = nil
	for reason, n := range run.Skips {
		own.Skips[reason] += n
	}
	plan.state.LastRun = run.ID
	if err := l.p.Apply(ctx, plan, nil); err != nil {
		l.run = nil // it did not finish; what follows is another run
		return err
	}
	return l.grow(ctx, plan, b)
}

// current is the run that takes in what happens now.
func (l *live) current() *connector.Run {
	now := l.p.o.Now()
	if l.run == nil || now.Sub(l.run.Started) >= liveRun {
		l.run = &connector.Run{
			ID: connector.NewID(now), Org: l.p.o.Org.ID, Source: l.req.Source, Mode: connector.ModeChanges, Actor: connector.ActorLive,
			Revision: l.req.Revision, Started: now,
		}
	}
	return l.run
}

// grow makes the run what it is with this batch. It is stored as ended each time: it may never go on.
func (l *live) grow(ctx context.Context, plan *Plan, b *connector.Batch) error {
	report := LiveReport{Run: plan.Run, Counts: plan.Run.Counts, Groups: plan.Run.Groups, Stored: l.p.o.Now()}
	report.Counts.Less(l.run.Counts)
	report.Groups.Less(l.run.Groups)
	for _, r := range b.Records {
		if !r.ChangedAt.IsZero() {
			report.Changes = append(report.Changes, r.ChangedAt)
		}
	}
	if err := l.p.finish(ctx, plan, nil); err != nil {
		return err
	}
	l.run = plan.Run
	if l.req.Applied != nil {
		l.req.Applied(report)
	}
	return nil
}

// full does a full run.
func (l *live) full(ctx context.Context, why string) error {
	release, ctx, err := l.lease(ctx, nil)
	if err != nil {
		return err
	}
	defer release()
	return l.inFull(ctx, why)
}

// inFull is full for who holds the lease. Following is taken up again where it ends; where it leaves
// everything to an approval there is nothing to follow from.
func (l *live) inFull(ctx context.Context, why string) error {
	if l.barren++; l.barren > maxBarren {
		return &connector.Error{
			Kind: connector.Incomplete, Op: "provision: follow " + l.req.Source, Err: errors.New("one full run after the other is needed: " + why),
			Hint: "the directory's feed of changes is no use here: see usherd check --connect, and ask in full by the schedule until it is mended",
		}
	}
	plan, err := l.p.sync(ctx, SyncRequest{
		Source: l.req.Source, From: l.req.From, Mode: connector.ModeFull, Actor: connector.ActorLive, Revision: l.req.Revision, because: why,
	}, nil)
	defer plan.Close() //nolint:errcheck // temporary files
	if l.req.Applied != nil {
		l.req.Applied(LiveReport{Run: plan.Run, Counts: plan.Run.Counts, Groups: plan.Run.Groups, Stored: l.p.o.Now()})
	}
	switch {
	case err != nil:
		return err
	case plan.holdAll:
		return &connector.Error{
			Kind: connector.Refused, Op: "provision: follow " + l.req.Source, Err: errors.New("everything waits for approval: " + plan.Run.Hold.Reason),
			Hint: "look at it with: usherd report last; then approve or reject it",
		}
	case !plan.complete:
		return &connector.Error{
			Kind: connector.Incomplete, Op: "provision: follow " + l.req.Source, Err: errors.New(plan.Run.Error), Hint: plan.Run.Hint,
		}
	case plan.state.Cursor.IsZero():
		return &connector.Error{
			Kind: connector.Refused, Op: "provision: follow " + l.req.Source,
			Err:  errors.New("the directory offers no way to follow its changes"),
			Hint: "see what it announces with: usherd check --connect; without one, remove live",
		}
	}
	return errCaughtOut
}

// lease takes the source when other runs of it have ended. Who had to wait may bring yesterday's news: the
// people and groups of the batch are read again.
func (l *live) lease(ctx context.Context, b *connector.Batch) (release func(), held context.Context, err error) {
	release, held, waited, err := l.p.claim(ctx, l.req.Source, 0)
	if err == nil && waited && b != nil {
		if b.Records, err = l.p.readAgain(held, l.req.From, b.Records); err == nil {
			err = l.groupsAgain(held, b)
		}
		if err != nil {
			release()
		}
	}
	return release, held, err
}

// groupsAgain asks for the groups of a batch anew.
func (l *live) groupsAgain(ctx context.Context, b *connector.Batch) error {
	from, ok := l.req.From.(connector.GroupSource)
	if !ok || len(b.Groups) == 0 {
		return nil
	}
	anchors := make([]connector.Anchor, len(b.Groups))
	for i, g := range b.Groups {
		anchors[i] = g.Anchor
	}
	var err error
	if b.Groups, err = from.RereadGroups(ctx, anchors); err == nil && len(b.Groups) < len(anchors) {
		b.Full = "the directory could not speak for a group that had changed"
	}
	return err
}

// readAgain asks for the people of some records anew.
func (p *Provisioner) readAgain(ctx context.Context, feed connector.Feed, records []*connector.Record) ([]*connector.Record, error) {
	anchors := make([]connector.Anchor, 0, len(records))
	for _, r := range records {
		if !r.Anchor.IsZero() {
			anchors = append(anchors, r.Anchor)
		}
	}
	return feed.Reread(ctx, anchors)
}
