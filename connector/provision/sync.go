package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usherd/connector"
	"usherd/connector/lease"
)

const endTime = time.Minute // for the last words of a run that has been cancelled

// SyncRequest says what to run.
type SyncRequest struct {
	Source   string
	From     connector.Source
	Mode     connector.Mode // ModeFull, ModeChanges or ModePreview
	Quiet    bool           // a run of changes that changes nobody is not kept
	Actor    string         // who or what asked: "schedule", "cli:anna"
	Revision string         // of the configuration
	Approve  *connector.Run // a held run or preview that is carried out when nothing has moved
	Part     *Choice        // of what Approve holds; nil = all of it
	Progress func(Progress) // may be nil
	// AcceptGroups is the digest of what an earlier run held of the groups (connector.GroupHold).
	AcceptGroups string
	// Begun is told the id of the run when it stands in the store, perhaps twice; nil = nobody asks. It is not called where no
	// run begins.
	Begun func(run connector.ID)

	because string // why a run of changes became a full one
}

// Sync does one run of a source from the first question to the last row: plan, guard, apply, report.
// The returned plan tells what happened to whom; its Run is stored, whatever the error says. Close it.
// A run of changes of which only a full run can make something becomes one, and says why.
// Two runs of one source never overlap, on this machine or another one: the second is refused with
// Kind Conflict. When ctx ends, the run ends as cancelled after the chunk that is being written.
func (p *Provisioner) Sync(ctx context.Context, req SyncRequest) (*Plan, error) {
	ours, ctx, err := p.claim(ctx, req.Source, runPatience)
	if err != nil {
		return nil, err
	}
	defer ours.release()
	if err := p.readyToApply(ctx, &req); err != nil {
		return nil, err
	}
	return p.sync(ctx, req, nil)
}

// run does one run under the lease of its source, from its first row to its last; do plans and applies, and
// always returns a plan to report on.
func (p *Provisioner) run(ctx context.Context, run *connector.Run, do func(context.Context) (*Plan, error)) (*Plan, error) {
	ours, ctx, err := p.claim(ctx, run.Source, runPatience)
	if err != nil {
		return nil, err
	}
	defer ours.release()
	if err := p.putStarted(ctx, p.begin(run)); err != nil {
		return nil, err
	}
	plan, err := do(ctx)
	return p.ended(ctx, plan, err)
}

// begin gives a run its identity.
func (p *Provisioner) begin(run *connector.Run) *connector.Run {
	now := p.o.Now()
	run.ID, run.Org, run.Result, run.Started = connector.NewID(now), p.o.Org.ID, connector.ResultRunning, now
	return run
}

// ended writes the end of a run. One that has lost the source writes nothing any more: whoever has it next tells that
// it was cut off.
func (p *Provisioner) ended(ctx context.Context, plan *Plan, err error) (*Plan, error) {
	if lost := lease.Lost(ctx); lost != nil {
		err = lost
	}
	late := p.finish(ctx, plan, err)
	switch {
	case late == nil:
	case !errors.Is(late, connector.ErrLeaseLost):
		err = errors.Join(err, late)
	case err == nil: // by its very last word
		plan.Run.Result, plan.Run.Error, plan.Run.Hint = connector.ResultFailed, late.Error(), connector.HintOf(late)
		err = late
	}
	return plan, err
}

// sync is Sync for who holds the lease; batch is what a feed has told already, nil = nothing yet.
func (p *Provisioner) sync(ctx context.Context, req SyncRequest, batch *connector.Batch) (*Plan, error) {
	run := p.begin(&connector.Run{Source: req.Source, Mode: req.Mode, Actor: req.Actor, Revision: req.Revision})
	var plan *Plan
	var err error
	if req.Mode == connector.ModeChanges {
		plan, req.because, err = p.applyChanges(ctx, req, run, batch)
	}
	if req.Mode != connector.ModeChanges || req.because != "" {
		plan, err = p.inFull(ctx, req, run)
	}
	if err == nil && req.Quiet && plan.nothing() {
		return plan, nil
	}
	plan, err = p.ended(ctx, plan, err)
	if req.Begun != nil { // a run of changes is written when it has ended
		req.Begun(plan.Run.ID)
	}
	return plan, err
}

// nothing reports whether a run of changes has nothing to tell.
func (p *Plan) nothing() bool {
	return p.Run.Mode == connector.ModeChanges && p.empty() && len(p.Run.Warnings) == 0
}

// empty reports whether nothing becomes of anybody, nor of a group.
func (p *Plan) empty() bool { return p.entries.count == 0 && p.groups == nil }

// applyChanges is a run of changes. When only a full run helps, nothing was done and full says why.
func (p *Provisioner) applyChanges(ctx context.Context, req SyncRequest, run *connector.Run, batch *connector.Batch) (plan *Plan, full string, err error) {
	plan, full, err = p.PlanChanges(ctx, PlanRequest{Source: req.Source, From: req.From, Progress: req.Progress}, batch)
	if err != nil || full != "" {
		return &Plan{Run: run}, full, err
	}
	plan.adopt(run)
	return plan, "", p.Apply(ctx, plan, req.Progress)
}

// inFull reads everything. A run that takes long is stored at once, so that it is seen while it goes on and
// known to have been cut off.
func (p *Provisioner) inFull(ctx context.Context, req SyncRequest, run *connector.Run) (*Plan, error) {
	if run.Mode == connector.ModeChanges {
		run.Mode = connector.ModeFull
	}
	if err := p.putStarted(ctx, run); err != nil {
		return &Plan{Run: run}, err
	}
	if req.Begun != nil {
		req.Begun(run.ID)
	}
	return p.carryOut(ctx, req, run)
}

// carryOut plans and applies. It always returns a plan to report on, an empty one after an error.
func (p *Provisioner) carryOut(ctx context.Context, req SyncRequest, run *connector.Run) (*Plan, error) {
	ask := PlanRequest{Source: req.Source, From: req.From, Progress: req.Progress, AcceptGroups: req.AcceptGroups}
	if req.Mode == connector.ModePreview {
		ask.Hold, ask.Preview = "a preview: nothing is changed until it is approved", true
	}
	if req.Approve != nil {
		ask.Approved, ask.Part, run.Approves = req.Approve.Hold.Digest, req.Part, req.Approve.ID
		if req.Approve.Hold.Whole {
			ask.Hold = req.Approve.Hold.Reason
		}
	}
	var err error
	if ask.Rest, err = p.rest(ctx, req); err != nil {
		return &Plan{Run: run}, err
	}
	plan, err := p.Plan(ctx, ask)
	if err != nil {
		return &Plan{Run: run}, err
	}
	plan.adopt(run)
	if req.because != "" {
		plan.Run.Warnings = append(plan.Run.Warnings, "the whole directory was read instead of its changes: "+req.because)
	}
	if req.Mode == connector.ModePreview {
		return plan, nil
	}
	return plan, p.applyOnce(ctx, plan, req)
}

// applyOnce applies the plan; one that carries out a held run, or a part of it, is refused when something has
// moved, and closes the hold.
func (p *Provisioner) applyOnce(ctx context.Context, plan *Plan, req SyncRequest) error {
	if req.Approve != nil && !plan.approved {
		return movedSince(req.Approve, plan.Run)
	}
	if req.Approve != nil && plan.Run.Hold != nil {
		leaveRest(req.Approve, plan.Run)
	}
	err := p.Apply(ctx, plan, req.Progress)
	if err != nil && plan.passed {
		plan.Run.Hold = nil // not all that was chosen is done, so that what waits is more than the rest
	}
	if err != nil || req.Approve == nil {
		return err
	}
	return p.carriedOut(ctx, req, plan.Run)
}

// adopt gives the plan the identity of the run that it belongs to.
func (p *Plan) adopt(run *connector.Run) {
	r := p.Run
	r.ID, r.Mode, r.Actor, r.Revision, r.Approves, r.Started = run.ID, run.Mode, run.Actor, run.Revision, run.Approves, run.Started
	r.Undoes, r.People = run.Undoes, run.People
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
		run.Refused = connector.KindOf(cause) == connector.Denied
	}
	if run.Result == connector.ResultCancelled {
		run.Error, run.Hint = "stopped before the end", "what was written is consistent; the next run does the rest"
		if run.Mode == connector.ModeRollback {
			run.Hint = "what was written is consistent; roll back again to do the rest"
		}
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	seats, seatsErr := p.seats(bounded)
	for i := range seats {
		seats[i].Needed = plan.needed[seats[i].Package]
	}
	run.Seats = seats
	due, dueErr := p.dueSoon(bounded)
	run.Due, seatsErr = due, errors.Join(seatsErr, dueErr)
	if ctx.Err() != nil {
		ctx = bounded // else a million outcomes may take their time
	}
	outcomesErr := p.putOutcomes(ctx, plan)
	if err := errors.Join(seatsErr, outcomesErr); err != nil && cause == nil {
		run.Result, run.Error, run.Hint = connector.ResultFailed, err.Error(), connector.HintOf(err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	return errors.Join(seatsErr, outcomesErr, p.end(last, run))
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
	case errors.Is(cause, connector.ErrLeaseLost):
		return connector.ResultFailed
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

// putStarted writes a run that begins, and who has asked for it.
func (p *Provisioner) putStarted(ctx context.Context, run *connector.Run) error {
	return p.o.Store.Write(ctx, func(tx connector.Tx) error {
		if err := tx.PutRun(ctx, run); err != nil || run.Unattended() {
			return err
		}
		return p.audit(ctx, tx, run, connector.AuditRunStarted, run.Actor)
	})
}

// putOutcomes stores the people of whom no event tells.
func (p *Provisioner) putOutcomes(ctx context.Context, plan *Plan) error {
	if plan.others == nil {
		return nil
	}
	var batch []*connector.Change
	kept := 0
	put := func() error {
		err := p.o.Store.Bulk(ctx, func(tx connector.Tx) error { return tx.PutOutcomes(ctx, plan.Run.ID, batch) })
		if kept += len(batch); plan.progress != nil {
			plan.progress(Progress{"keep", kept, plan.outcomes()})
		}
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

// outcomes is about how many people are kept with the run.
func (p *Plan) outcomes() int {
	n := p.Run.Counts.Held + p.Run.Counts.Failed
	if p.preview {
		n += p.Run.Counts.Changed()
	}
	return n
}

// memorable are the people whom the report of a past run must name although no event tells of them.
// That a disabled person still has no account is counted, not repeated with each run.
func memorable(ch *connector.Change) bool {
	return ch.Held || ch.Linked && ch.After == nil || ch.Action == connector.Failed ||
		ch.Action == connector.Skipped && ch.Skip != connector.SkipNewButDisabled && ch.Skip != connector.SkipOutOfScope
}

// Failed keeps what a source failed with outside of a run, as one.
func (p *Provisioner) Failed(ctx context.Context, source string, mode connector.Mode, actor, revision string, cause error) (*connector.Run, error) {
	now := p.o.Now()
	plan := &Plan{Run: &connector.Run{
		ID: connector.NewID(now), Org: p.o.Org.ID, Source: source, Mode: mode, Actor: actor, Revision: revision, Started: now,
	}}
	return plan.Run, p.finish(ctx, plan, cause)
}
