package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"usherd/connector"
)

// CheckHold says why nobody can decide about what a run holds, or nil.
func (p *Provisioner) CheckHold(run *connector.Run) error {
	again, do := "look at what would happen now with: usherd plan", "usherd sync"
	if src := p.o.Org.Source(run.Source); src != nil && src.Kind.Brought() {
		again, do = "look at what would happen now with: usherd import FILE --preview", "usherd import FILE"
	}
	h := run.Hold
	if h == nil {
		return holdError(run, again, "it holds nothing: there is nothing to approve or reject")
	}
	switch h.StatusAt(p.o.Now()) {
	case connector.HoldOpen:
	case connector.HoldApproved, connector.HoldRejected:
		if !h.Next.IsZero() {
			return holdError(run, "what was left of it waits in another run: usherd report "+h.Next.Short(), "it was %s in part already by %s", h.Status, h.By)
		}
		return holdError(run, again, "it was %s already by %s", h.Status, h.By)
	case connector.HoldExpired:
		return holdError(run, again+"; "+do+" holds it anew where the guard still asks for it", "what it holds expired at %s", h.Expires.UTC().Format(time.RFC3339))
	case connector.HoldSuperseded:
		return holdError(run, "look at what the newer run did and holds: usherd report "+h.Next.Short(), "run %s has taken its place", h.Next.Short())
	}
	return nil
}

func holdError(run *connector.Run, hint, format string, args ...any) error {
	return &connector.Error{
		Kind: connector.Refused, Op: "provision: run " + run.ID.String(), Err: fmt.Errorf(format, args...), Hint: hint,
	}
}

// CheckApproval says whether an approval of that part by that person would be the first of two, which
// carries nothing out, or why it is refused: where the organization asks for two administrators, they
// must be two, and approve the same.
func (p *Provisioner) CheckApproval(run *connector.Run, part *Choice, by string) (first bool, err error) {
	if err := p.CheckHold(run); err != nil || !p.o.Org.SecondApprover {
		return false, err
	}
	a := run.Hold.First
	switch {
	case a == nil:
		return true, nil
	case a.By == by:
		return false, holdError(run, "another administrator must run: usherd approve "+run.ID.Short(), "%s has approved it already, and the second approval must be somebody else's", by)
	case !samePart(a.Part, part.part()):
		return false, holdError(run, "approve the same people; to choose others, reject it and look again as before",
			"%s approved another part of it: %s", a.By, partText(a.Part))
	}
	return false, nil
}

// ApproveFirst notes the first of two approvals. Nothing is carried out. The run as it is now is returned.
func (p *Provisioner) ApproveFirst(ctx context.Context, run *connector.Run, part *Choice, by string) (*connector.Run, error) {
	return p.changeHold(ctx, run.ID, connector.AuditRunApproved, by, func(now *connector.Run) error {
		first, err := p.CheckApproval(now, part, by)
		if err == nil && !first {
			err = &connector.Error{
				Kind: connector.Conflict, Op: "provision: run " + run.ID.String(), Err: errors.New("somebody else has just approved it"),
				Hint: "approve again to carry it out: usherd approve " + run.ID.Short(),
			}
		}
		now.Hold.First = &connector.Approval{By: by, At: p.o.Now(), Part: part.part()}
		return err
	})
}

// Reject closes a hold without doing anything of it. One person is enough.
func (p *Provisioner) Reject(ctx context.Context, run *connector.Run, by string) error {
	_, err := p.changeHold(ctx, run.ID, connector.AuditRunRejected, by, func(now *connector.Run) error {
		now.Hold.Status, now.Hold.By, now.Hold.At = connector.HoldRejected, by, p.o.Now()
		return nil
	})
	return err
}

// changeHold changes an open hold in the transaction that looks at it, so that two people never decide both.
func (p *Provisioner) changeHold(
	ctx context.Context, id connector.ID, action connector.AuditAction, by string, change func(*connector.Run) error,
) (*connector.Run, error) {
	var run *connector.Run
	err := p.o.Store.Write(ctx, func(tx connector.Tx) error {
		var err error
		if run, err = tx.Run(ctx, id); err != nil {
			return err
		}
		if err := p.CheckHold(run); err != nil {
			return err
		}
		if err := change(run); err != nil {
			return err
		}
		if err := p.audit(ctx, tx, run, action, by); err != nil {
			return err
		}
		return tx.PutRun(ctx, run)
	})
	return run, err
}

// audit keeps what somebody has done with a run; "" is nobody.
func (p *Provisioner) audit(ctx context.Context, tx connector.Tx, run *connector.Run, action connector.AuditAction, by string) error {
	if by == "" {
		return nil
	}
	actor := connector.ActorOf(ctx)
	actor.Name = by
	details := map[string]string{"source": run.Source, "mode": string(run.Mode)}
	if run.Hold != nil {
		details["people"] = strconv.Itoa(run.Counts.Held)
	}
	return tx.PutAudit(ctx, connector.AuditEntry{
		Org: run.Org, At: p.o.Now(), Actor: actor, Action: action, Target: "run " + run.ID.String(), Details: details,
	})
}

// readyToApply looks at the hold again, now that no other run of the source can decide about it.
func (p *Provisioner) readyToApply(ctx context.Context, req *SyncRequest) error {
	if req.Approve == nil {
		return nil
	}
	run, err := p.o.Store.Run(ctx, req.Approve.ID)
	if err != nil {
		return err
	}
	first, err := p.CheckApproval(run, req.Part, req.Actor)
	if err == nil && first {
		err = holdError(run, "approve it with: usherd approve "+run.ID.Short(), "two administrators must approve it, and none has")
	}
	req.Approve = run
	return err
}

// rest is the hold whose people stay held whatever the guard says: the one that is being approved, or else
// what an approval in part has left.
func (p *Provisioner) rest(ctx context.Context, req SyncRequest) (*connector.Hold, error) {
	if req.Approve != nil {
		if h := req.Approve.Hold; !h.Rest.IsZero() && !h.Whole {
			return h, nil
		}
		return nil, nil //nolint:nilnil // there is none
	}
	runs, err := p.o.Store.OpenHolds(ctx, p.o.Org.ID, req.Source)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if h := run.Hold; !h.Rest.IsZero() && !h.Whole && h.StatusAt(p.o.Now()) == connector.HoldOpen {
			return h, nil
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

// leaveRest completes the hold of what was not chosen: it waits no longer than it would have.
func leaveRest(approved, run *connector.Run) {
	run.Hold.Rest, run.Hold.Expires = approved.ID, approved.Hold.Expires
	run.Hold.Reason = "the rest of run " + approved.ID.Short()
}

// carriedOut closes the hold that a run has carried out.
func (p *Provisioner) carriedOut(ctx context.Context, req SyncRequest, run *connector.Run) error {
	closed, hold := *req.Approve, *req.Approve.Hold
	hold.Status, hold.By, hold.At, hold.Part = connector.HoldApproved, req.Actor, p.o.Now(), req.Part.part()
	if run.Hold != nil {
		hold.Next = run.ID
	}
	closed.Hold = &hold
	return p.o.Store.Write(ctx, func(tx connector.Tx) error {
		if err := p.audit(ctx, tx, &closed, connector.AuditRunApproved, req.Actor); err != nil {
			return err
		}
		return tx.PutRun(ctx, &closed)
	})
}

// end writes the run as it has ended. A full one that knows the whole answer takes the place of older ones
// of its source that still wait: what they hold it has applied, or holds itself.
func (p *Provisioner) end(ctx context.Context, run *connector.Run) error {
	return p.o.Store.Write(ctx, func(tx connector.Tx) error {
		if err := tx.PutRun(ctx, run); err != nil {
			return err
		}
		if run.Mode != connector.ModeFull || run.Result != connector.ResultOK && run.Result != connector.ResultHeld {
			return nil
		}
		open, err := tx.OpenHolds(ctx, run.Org, run.Source)
		if err != nil {
			return err
		}
		for _, old := range open {
			if bytes.Compare(old.ID[:], run.ID[:]) >= 0 || old.Mode == connector.ModeRollback {
				continue // a rollback asks for something else
			}
			if !expire(old, run.Finished) {
				old.Hold.Status, old.Hold.At, old.Hold.Next = connector.HoldSuperseded, run.Finished, run.ID
			}
			if err := tx.PutRun(ctx, old); err != nil {
				return err
			}
		}
		return nil
	})
}

// ExpireHolds writes down of the organization's holds that their time is over, and returns how many there
// were. That they cannot be approved any more does not wait for it.
func (p *Provisioner) ExpireHolds(ctx context.Context) (n int, err error) {
	err = p.o.Store.Write(ctx, func(tx connector.Tx) error {
		n = 0
		open, err := tx.OpenHolds(ctx, p.o.Org.ID, "")
		if err != nil {
			return err
		}
		for _, run := range open {
			if !expire(run, p.o.Now()) {
				continue
			}
			if err := tx.PutRun(ctx, run); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

func expire(run *connector.Run, now time.Time) bool {
	if run.Hold.StatusAt(now) != connector.HoldExpired {
		return false
	}
	run.Hold.Status, run.Hold.At = connector.HoldExpired, run.Hold.Expires
	return true
}

func samePart(a, b *connector.Part) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Digest == b.Digest
}

// partText says what was chosen, in the words of the command.
func partText(p *connector.Part) string {
	if p == nil {
		return "all of it"
	}
	return fmt.Sprintf("%d of %d people", p.People, p.Of)
}
