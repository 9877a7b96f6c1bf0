package provision

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"usherd/connector"
)

const (
	liveRun  = time.Hour // how long one run of changes takes in what happens live
	liveLook = time.Minute
	// maxLiveWarnings bounds how many different ones a run that grows repeats, the latest.
	maxLiveWarnings = 50
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
	// Look is how often it is looked for people whose state has become another one without a word of the
	// source; 0 = each minute.
	Look time.Duration
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
		if err := l.follow(ctx, state); !errors.Is(err, errCaughtOut) {
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
	barren int   // full runs since the feed last told anything
	turn   int64 // of the claim before

	mu sync.Mutex // the feed and the clock take turns
}

// follow applies what the feed tells, and what the clock does.
func (l *live) follow(ctx context.Context, state connector.SourceState) error {
	g, ctx := errgroup.WithContext(ctx)
	known := &planner{p: l.p, req: PlanRequest{Source: l.req.Source}, last: state, plan: &Plan{Run: &connector.Run{Org: l.p.o.Org.ID}}}
	g.Go(func() error {
		return l.req.From.Follow(ctx, known.changesRequest(), func(b *connector.Batch) error { return l.batch(ctx, b) })
	})
	g.Go(func() error { return l.clock(ctx) })
	return g.Wait()
}

// clock looks for people whose time has come, such as accounts that expire, although the directory is quiet.
func (l *live) clock(ctx context.Context) error {
	tick := time.NewTicker(cmp.Or(l.req.Look, liveLook))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		due, err := l.p.o.Store.Recheck(ctx, l.p.o.Org.ID, l.req.Source, l.p.o.Now(), 1)
		if err == nil && len(due) > 0 {
			err = l.timely(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func (l *live) timely(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.apply(ctx, &connector.Batch{})
}

// batch applies one batch.
func (l *live) batch(ctx context.Context, b *connector.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.Full != "" {
		return l.full(ctx, b.Full)
	}
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
	release, ctx, err := l.claim(ctx, b)
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
	l.barren = 0
	if plan.empty() {
		return l.p.Apply(ctx, plan, nil)
	}
	l.join(plan)
	if err := l.p.Apply(ctx, plan, nil); err != nil {
		l.run = nil // it did not finish; what follows is another run
		return err
	}
	return l.grow(ctx, plan, b)
}

// join makes of the plan's run the one that grows, with what it has taken in before.
func (l *live) join(plan *Plan) {
	run, own := l.current(), plan.Run
	own.ID, own.Actor, own.Revision, own.Started = run.ID, run.Actor, run.Revision, run.Started
	own.Mechanism, own.Server = cmp.Or(own.Mechanism, run.Mechanism), cmp.Or(own.Server, run.Server)
	own.Counts.Join(run.Counts)
	own.Groups.Join(run.Groups)
	own.Entries += run.Entries
	own.Phases = nil
	for reason, n := range run.Skips {
		own.Skips[reason] += n
	}
	earlier := slices.DeleteFunc(slices.Clone(run.Warnings), func(w string) bool { return slices.Contains(own.Warnings, w) })
	own.Warnings = append(earlier, own.Warnings...)
	own.Warnings = own.Warnings[max(len(own.Warnings)-maxLiveWarnings, 0):]
	plan.state.LastRun = run.ID
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
	release, ctx, err := l.claim(ctx, nil)
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
	defer func() { _ = plan.Close() }() // there always is one
	if l.req.Applied != nil {
		l.req.Applied(LiveReport{Run: plan.Run, Counts: plan.Run.Counts, Groups: plan.Run.Groups, Stored: l.p.o.Now()})
	}
	switch {
	case err != nil:
		return err
	case plan.Run.Hold != nil && (plan.holdAll || plan.state.Fingerprint != plan.Run.Fingerprint): // no changes on top of that
		what := "what changed settings do waits for approval: "
		if plan.holdAll {
			what = "everything waits for approval: "
		}
		return &connector.Error{
			Kind: connector.Refused, Op: "provision: follow " + l.req.Source, Err: errors.New(what + plan.Run.Hold.Reason),
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

// claim takes the source when other runs of it have ended. After another run, which may have put back what
// this one did, what follows is a new run. Who had to wait may bring yesterday's news: the people and
// groups of the batch are read again.
func (l *live) claim(ctx context.Context, b *connector.Batch) (release func(), held context.Context, err error) {
	c, held, err := l.p.claim(ctx, l.req.Source, 0)
	if err != nil {
		return nil, ctx, err
	}
	if c.turn != l.turn+1 {
		l.run = nil
	}
	l.turn = c.turn
	if c.waited && b != nil {
		if b.Records, err = l.p.readAgain(held, l.req.From, b.Records); err == nil {
			err = l.groupsAgain(held, b)
		}
		if err != nil {
			c.release()
		}
	}
	return c.release, held, err
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
	if len(anchors) == 0 {
		return records, nil
	}
	now, err := feed.Reread(ctx, anchors)
	return append(slices.Clone(records), now...), err // of whom nothing new is known, what was told stands
}
