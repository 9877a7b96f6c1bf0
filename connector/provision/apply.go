package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usherd/connector"
)

// Apply writes what the plan does not hold, in transactions of a thousand people, removals first; what the
// next run goes on from is written with the last of them. Run is updated as it goes. An error leaves what was
// written by then, consistent: the next run does the rest. A plan is applied once.
func (p *Provisioner) Apply(ctx context.Context, plan *Plan, progress func(Progress)) error {
	start := p.o.Now()
	defer func() {
		plan.Run.Phases = append(plan.Run.Phases, connector.Phase{Name: "apply", Took: p.o.Now().Sub(start)})
	}()
	if plan.Run.Mode != connector.ModeChanges {
		if err := p.putSaid(ctx, plan); err != nil {
			return err
		}
	}
	a := &applier{p: p, plan: plan, progress: progress, total: plan.removals.count + plan.others.count}
	if err := a.write(ctx); err != nil {
		return err
	}
	if plan.groupsApart() { // what the next run goes on from comes after the last of them
		if err := p.applyGroups(ctx, plan); err != nil {
			return err
		}
		if err := p.o.Store.Bulk(ctx, func(tx connector.Tx) error { return a.remember(ctx, tx) }); err != nil {
			return err
		}
	}
	return a.offer(ctx)
}

// offer gives seats that the run has left free to people of other sources who wait for them.
func (a *applier) offer(ctx context.Context) error {
	got := 0
	for pkg := range a.freed {
		n, err := a.p.offer(ctx, pkg, connector.Cause{Kind: connector.CauseRun, Run: a.plan.Run.ID, Actor: "waiting list"})
		if got += n; err != nil {
			return err
		}
	}
	if got > 0 {
		a.plan.Run.Warnings = append(a.plan.Run.Warnings, fmt.Sprintf("%d people on the waiting list got a seat that had become free", got))
	}
	return nil
}

// remember closes what is over and keeps what the next run goes on from.
func (a *applier) remember(ctx context.Context, tx connector.Tx) error {
	plan := a.plan
	if plan.holdAll || !plan.complete || plan.unread {
		return nil
	}
	if err := tx.CloseGone(ctx, plan.Run.Org, plan.Run.Source, plan.closeGone); err != nil {
		return err
	}
	return tx.PutSourceState(ctx, plan.state)
}

// applier walks through a plan.
type applier struct {
	p        *Provisioner
	plan     *Plan
	progress func(Progress)
	done     int
	total    int
	freed    map[string]bool // packages that have gained a free seat
}

// chunk is what one transaction writes; the last one may be empty.
type chunk struct {
	list []spooled
	last bool
	err  error
}

// write applies everything. Chunks are read ahead while the one before is written.
func (a *applier) write(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	chunks := make(chan chunk, 2)
	stopped := make(chan struct{})
	defer func() { cancel(); <-stopped }()
	go func() {
		defer close(stopped)
		defer close(chunks)
		a.readAhead(ctx, chunks)
	}()
	for c := range chunks {
		if c.err != nil {
			return c.err
		}
		if err := a.apply(ctx, c); err != nil {
			return err
		}
		a.done += len(c.list)
		if a.progress != nil {
			a.progress(Progress{"apply", a.done, a.total})
		}
	}
	return ctx.Err()
}

func (a *applier) readAhead(ctx context.Context, out chan<- chunk) {
	send := func(c chunk) bool {
		select {
		case out <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var list []spooled
	for _, s := range []*spool{a.plan.removals, a.plan.others} {
		for x, err := range s.all(nil) {
			if err != nil {
				send(chunk{err: err})
				return
			}
			x.Change = a.plan.settled(x)
			if x.Change.Held || a.plan.holdAll && !a.plan.passes(x.Ordinal) || undecided(x.Change) || a.plan.undoes && x.Change.After == nil {
				continue
			}
			if len(list) == batchSize {
				if !send(chunk{list: list}) {
					return
				}
				list = nil
			}
			list = append(list, x)
		}
	}
	send(chunk{list: list, last: true})
}

// undecided reports whether the run could not decide about the person, so that nothing of it is written
// and its open items stay.
func undecided(ch *connector.Change) bool {
	return ch.Skip == connector.SkipMoved || ch.Skip == connector.SkipUnverifiable
}

// apply writes one chunk. What has moved since it was planned is decided again, in the same
// transaction.
func (a *applier) apply(ctx context.Context, c chunk) error {
	list := c.list
	if len(list) == 0 && a.plan.stay && a.plan.groups == nil {
		return nil
	}
	var became map[int32]*connector.Change
	err := a.p.o.Store.Bulk(ctx, func(tx connector.Tx) error {
		became = map[int32]*connector.Change{}
		changes := make([]*connector.Change, len(list))
		for i, x := range list {
			changes[i] = x.Change
			if x.Change.Link != nil {
				x.Change.Link.Run = a.plan.Run.ID
			}
		}
		if a.plan.Run.Mode == connector.ModeChanges && (len(list) > 0 || a.plan.groups != nil) { // its first trace in the store
			if err := tx.PutRun(ctx, a.plan.Run); err != nil {
				return err
			}
			if a.done == 0 {
				if err := a.p.putSaidIn(ctx, tx, a.plan); err != nil {
					return err
				}
			}
		}
		cause := connector.Cause{Kind: connector.CauseRun, Run: a.plan.Run.ID, Actor: a.plan.Run.Actor}
		now := a.p.o.Now()
		errs, err := a.p.write(ctx, tx, changes, cause, now)
		if err != nil {
			return err
		}
		for i, e := range errs {
			if e == nil {
				continue
			}
			ch, err := a.again(ctx, tx, list[i].Change, e, cause, now)
			if err != nil {
				return err
			}
			became[list[i].Ordinal] = ch
		}
		if !c.last || a.plan.groupsApart() {
			return nil
		}
		if a.plan.writesGroups() {
			if err := a.p.applyGroupsIn(ctx, tx, a.plan); err != nil {
				return err
			}
		}
		return a.remember(ctx, tx)
	})
	if err != nil {
		return err
	}
	for _, x := range list {
		ch := x.Change
		if b := became[x.Ordinal]; b != nil {
			a.plan.Run.Counts.Sub(ch)
			a.plan.Run.Counts.Add(b)
			if b.Skip != "" {
				a.plan.Run.Skips[b.Skip]++
			}
			a.plan.applied[x.Ordinal] = b
			ch = b
		}
		a.note(ch)
	}
	return nil
}

func (a *applier) note(ch *connector.Change) {
	if ch.FreeSeat == "" {
		return
	}
	if a.freed == nil {
		a.freed = map[string]bool{}
	}
	a.freed[ch.FreeSeat] = true
}

// again deals with a change that could not be saved as it was planned.
func (a *applier) again(ctx context.Context, tx connector.Tx, ch *connector.Change, cause error, by connector.Cause, now time.Time) (*connector.Change, error) {
	if rec := a.plan.records[ch.Anchor]; rec != nil && errors.Is(cause, connector.ErrMoved) {
		return a.anew(ctx, tx, ch, rec, by)
	}
	if errors.Is(cause, connector.ErrMoved) {
		why := "the user was changed by somebody else while the run went on: the next run decides again"
		if a.plan.undoes {
			why = "the user was changed by somebody else while the run went on: roll back again"
		}
		return moved(ch, why), nil
	}
	if !errors.Is(cause, connector.ErrNoSeat) {
		return nil, cause
	}
	next := noSeat(ch, now)
	if a.plan.undoes {
		return next, nil
	}
	errs, err := a.p.write(ctx, tx, []*connector.Change{next}, by, now)
	if err != nil {
		return nil, err
	}
	return next, errs[0]
}

// anew decides about a person by what stands in the transaction. The next run of changes is not told of
// it again, so it cannot be left to that. Where it would take an access away that the guard has not counted,
// nothing of the chunk is written.
func (a *applier) anew(ctx context.Context, tx connector.Tx, planned *connector.Change, rec *connector.Record, by connector.Cause) (*connector.Change, error) {
	d, err := a.p.decideOne(ctx, tx, planned.Source, rec)
	if err != nil {
		return nil, err
	}
	if d.change.Removal && !planned.Removal {
		return nil, &connector.Error{
			Kind: connector.Conflict, Op: "provision: " + planned.Subject, Err: connector.ErrMoved, Hint: "it is tried again by itself",
		}
	}
	return a.p.save(ctx, tx, d.change, by)
}

// moved is what becomes of a person who, or whose entry, was changed while the run went on: nothing now,
// the next run decides on what is there then.
func moved(ch *connector.Change, why string) *connector.Change {
	return &connector.Change{
		Action: connector.Skipped, Skip: connector.SkipMoved, Org: ch.Org, Source: ch.Source, Anchor: ch.Anchor,
		DN: ch.DN, Subject: ch.Subject,
		Warnings: []string{why},
	}
}
