package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usherd/connector"
)

const endTime = time.Minute // for the last words of a run that has been cancelled

// SyncRequest says what to run.
type SyncRequest struct {
	Source   string
	From     connector.Source
	Mode     connector.Mode // ModeFull or ModePreview
	Actor    string         // who or what asked: "schedule", "cli:anna"
	Revision string         // of the configuration
	Approve  *connector.Run // a held run or preview that is carried out when nothing has moved
	Progress func(Progress) // may be nil
	// AcceptGroups is the digest of what an earlier run held of the groups (connector.GroupHold).
	AcceptGroups string
}

// Sync does one run of a source from the first question to the last row: plan, guard, apply, report.
// The returned plan tells what happened to whom; its Run is stored, whatever the error says. Close it.
// Two runs of one source never overlap, on this machine or another one: the second is refused with
// Kind Conflict. When ctx ends, the run ends as cancelled after the chunk that is being written.
func (p *Provisioner) Sync(ctx context.Context, req SyncRequest) (*Plan, error) {
	release, ctx, err := p.lease(ctx, req.Source)
	if err != nil {
		return nil, err
	}
	defer release()
	if _, err := p.o.Store.InterruptRuns(ctx, p.o.Org.ID, req.Source, p.o.Now()); err != nil {
		return nil, err
	}
	run := &connector.Run{
		ID: connector.NewID(p.o.Now()), Org: p.o.Org.ID, Source: req.Source, Mode: req.Mode, Actor: req.Actor,
		Result: connector.ResultRunning, Started: p.o.Now(), Revision: req.Revision,
	}
	if err := p.putRun(ctx, run); err != nil {
		return nil, err
	}
	plan, err := p.carryOut(ctx, req, run)
	if late := p.finish(ctx, plan, err); late != nil {
		return plan, errors.Join(err, late)
	}
	return plan, err
}

// carryOut plans and applies. It always returns a plan to report on, an empty one after an error.
func (p *Provisioner) carryOut(ctx context.Context, req SyncRequest, run *connector.Run) (*Plan, error) {
	ask := PlanRequest{Source: req.Source, From: req.From, Progress: req.Progress, AcceptGroups: req.AcceptGroups}
	if req.Mode == connector.ModePreview {
		ask.Hold, ask.Preview = "a preview: nothing is changed until it is approved", true
	}
	if req.Approve != nil {
		ask.Approved, run.Approves = req.Approve.Hold.Digest, req.Approve.ID
		if req.Approve.Hold.Whole {
			ask.Hold = req.Approve.Hold.Reason
		}
	}
	plan, err := p.Plan(ctx, ask)
	if err != nil {
		return &Plan{Run: run}, err
	}
	plan.adopt(run)
	if req.Approve != nil && !plan.approved {
		return plan, movedSince(req.Approve, plan.Run)
	}
	if req.Mode == connector.ModePreview {
		return plan, nil
	}
	if err := p.Apply(ctx, plan, req.Progress); err != nil || req.Approve == nil {
		return plan, err
	}
	return plan, p.closeHold(ctx, req.Approve, connector.HoldApproved, req.Actor)
}

// adopt gives the plan the identity of the run that it belongs to.
func (p *Plan) adopt(run *connector.Run) {
	r := p.Run
	r.ID, r.Mode, r.Actor, r.Revision, r.Approves, r.Started = run.ID, run.Mode, run.Actor, run.Revision, run.Approves, run.Started
	p.state.LastRun = run.ID
}

func movedSince(old, now *connector.Run) error {
	return &connector.Error{
		Kind: connector.Conflict, Op: "provision: approve " + old.ID.String(),
		Err:  errors.New("the directory or the users have moved since this was looked at: nothing of it was applied"),
		Hint: fmt.Sprintf("look at what would happen now and approve that: usherd report %s", now.ID),
	}
}

// finish writes the end of a run, also of a cancelled one and of one whose people cannot be written.
func (p *Provisioner) finish(ctx context.Context, plan *Plan, cause error) error {
	run := plan.Run
	run.Finished = p.o.Now()
	run.Result = result(run, cause)
	if cause != nil {
		run.Error, run.Hint = cause.Error(), remedy(cause)
	}
	if run.Result == connector.ResultCancelled {
		run.Error, run.Hint = "stopped before the end", "what was written is consistent; the next run does the rest"
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	seats, seatsErr := p.seats(bounded)
	run.Seats = seats
	if ctx.Err() != nil {
		ctx = bounded // else a million outcomes may take their time
	}
	outcomesErr := p.putOutcomes(ctx, plan)
	if err := errors.Join(seatsErr, outcomesErr); err != nil && cause == nil {
		run.Result, run.Error, run.Hint = connector.ResultFailed, err.Error(), connector.HintOf(err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	return errors.Join(seatsErr, outcomesErr, p.putRun(last, run))
}

// remedy is the error's own, or what helps with a directory that has failed in the middle.
func remedy(cause error) string {
	hint := connector.HintOf(cause)
	if kind := connector.KindOf(cause); hint == "" && (kind == connector.Unavailable || kind == connector.Incomplete) {
		hint = "nobody was removed because of it; the next run tries again; find out where it fails with: usherd check --connect"
	}
	return hint
}

func result(run *connector.Run, cause error) connector.Result {
	switch {
	case errors.Is(cause, context.Canceled):
		return connector.ResultCancelled
	case connector.KindOf(cause) == connector.Conflict && run.Hold != nil:
		return connector.ResultHeld
	case cause != nil:
		return connector.ResultFailed
	case run.Mode == connector.ModePreview:
		return connector.ResultOK
	case run.Hold != nil:
		return connector.ResultHeld
	case run.Error != "":
		return connector.ResultPartial
	}
	return connector.ResultOK
}

func (p *Provisioner) putRun(ctx context.Context, run *connector.Run) error {
	return p.o.Store.Write(ctx, func(tx connector.Tx) error { return tx.PutRun(ctx, run) })
}

// putOutcomes stores the people of whom no event tells.
func (p *Provisioner) putOutcomes(ctx context.Context, plan *Plan) error {
	if plan.others == nil {
		return nil
	}
	var batch []*connector.Change
	put := func() error {
		err := p.o.Store.Bulk(ctx, func(tx connector.Tx) error { return tx.PutOutcomes(ctx, plan.Run.ID, batch) })
		batch = batch[:0]
		return err
	}
	for x, err := range plan.all(plan.leftNoEvent) {
		if err != nil {
			return err
		}
		if !memorable(x.Change) && (!plan.preview || x.Change.After == nil) {
			continue
		}
		if batch = append(batch, x.Change); len(batch) == batchSize {
			if err := put(); err != nil {
				return err
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return put()
}

// memorable are the people whom the report of a past run must name although no event tells of them.
// That a disabled person still has no account is counted, not repeated with each run.
func memorable(ch *connector.Change) bool {
	return ch.Held || ch.Action == connector.Failed ||
		ch.Action == connector.Skipped && ch.Skip != connector.SkipNewButDisabled && ch.Skip != connector.SkipOutOfScope
}

// lease takes the source for this run and keeps it until release. When it is lost, ctx ends.
func (p *Provisioner) lease(ctx context.Context, source string) (release func(), _ context.Context, err error) {
	l, err := TakeLease(ctx, LeaseOptions{
		Store: p.o.Store, Name: "source:" + p.o.Org.ID + "/" + source, Process: p.o.Process, Dead: p.o.Dead, Now: p.o.Now(),
	})
	if err != nil {
		if connector.KindOf(err) == connector.Conflict {
			err = &connector.Error{
				Kind: connector.Conflict, Op: "provision: " + source, Err: errors.New("another run of this source is going on"),
				Hint: "see it with: usherd runs; a run that was killed frees the source after " + LeaseTTL.String(),
			}
		}
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.Keep(ctx); err != nil {
			cancel(err)
		}
	}()
	return func() { cancel(nil); <-done }, ctx, nil
}

// CheckHold says why a run cannot be approved, or nil.
func (p *Provisioner) CheckHold(run *connector.Run) error {
	refuse := func(format string, args ...any) error {
		return &connector.Error{
			Kind: connector.Refused, Op: "provision: run " + run.ID.String(), Err: fmt.Errorf(format, args...),
			Hint: "look at what would happen now with: usherd plan",
		}
	}
	h := run.Hold
	switch {
	case h == nil:
		return refuse("it holds nothing: there is nothing to approve or reject")
	case h.Status == connector.HoldApproved || h.Status == connector.HoldRejected:
		return refuse("it was %s already by %s", h.Status, h.By)
	case !p.o.Now().Before(h.Expires):
		return refuse("what it holds expired at %s", h.Expires.Format(time.RFC3339))
	}
	return nil
}

// Reject closes a hold without doing anything of it.
func (p *Provisioner) Reject(ctx context.Context, run *connector.Run, by string) error {
	if err := p.CheckHold(run); err != nil {
		return err
	}
	return p.closeHold(ctx, run, connector.HoldRejected, by)
}

func (p *Provisioner) closeHold(ctx context.Context, run *connector.Run, s connector.HoldStatus, by string) error {
	closed := *run
	hold := *run.Hold
	hold.Status, hold.By, hold.At = s, by, p.o.Now()
	closed.Hold = &hold
	return p.putRun(ctx, &closed)
}
