package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"usherd/connector"
)

// maxPeople bounds to how many users one rollback can be limited.
const maxPeople = 1000

// RollbackRequest says what to put back.
type RollbackRequest struct {
	Run      connector.ID
	People   []connector.ID // only these users, at most 1,000; none = all whom the run changed
	Actor    string         // who asked: "cli:anna"
	Revision string         // of the configuration
	Apply    bool           // at once; else everything is held for approval
	Approve  *connector.Run // a held rollback that is carried out when nothing has moved; Run and People are its
	Part     *Choice        // of what Approve holds; nil = all of it
	Progress func(Progress) // may be nil
	// Begun is told the id of the run when it stands in the store; nil = nobody asks.
	Begun func(run connector.ID)
}

// Rollback puts back what a run did to people, attributes, states, packages and seats, and where it is not limited
// to some of them, to groups: names and memberships. It is a run itself,
// with a plan, a report and events, and can be rolled back like any other. A value that is not as the run
// left it, and whatever an administrator has touched since, stays as it is; so does the whole person where
// that is the state or the package, and a group or membership that a later run changed. No source is read and no link is written, but those of deleted users
// who come back: a record that has not changed since is no news to the next run; groups have no such memory, so that the next full run makes them again what
// the source says they are. Nothing is done while a
// run of the source goes on (Kind Conflict). Close the plan.
func (p *Provisioner) Rollback(ctx context.Context, req RollbackRequest) (*Plan, error) {
	if req.Approve != nil {
		req.Run, req.People = req.Approve.Undoes, req.Approve.People
	}
	undone, err := p.undoable(ctx, req)
	if err != nil {
		return nil, err
	}
	run := &connector.Run{
		Source: undone.Source, Mode: connector.ModeRollback, Actor: req.Actor, Revision: req.Revision, Undoes: undone.ID, People: req.People,
	}
	return p.run(ctx, run, func(ctx context.Context) (*Plan, error) {
		if req.Begun != nil {
			req.Begun(run.ID)
		}
		ask := SyncRequest{Approve: req.Approve, Part: req.Part, Actor: req.Actor, Progress: req.Progress}
		if err := p.readyToApply(ctx, &ask); err != nil {
			return &Plan{Run: run}, err
		}
		plan, err := p.planRollback(ctx, req, undone)
		if err != nil {
			return &Plan{Run: run}, err
		}
		plan.adopt(run)
		return plan, p.applyOnce(ctx, plan, ask)
	})
}

// undoable returns the run, if it is one of this organization that has changed anybody. That it has ended
// is what the lease says.
func (p *Provisioner) undoable(ctx context.Context, req RollbackRequest) (*connector.Run, error) {
	op := "provision: roll back " + req.Run.String()
	if len(req.People) > maxPeople {
		return nil, &connector.Error{
			Kind: connector.Invalid, Op: op, Err: fmt.Errorf("it is limited to %d people, and %d is the most", len(req.People), maxPeople),
			Hint: "name fewer, or roll back the whole run",
		}
	}
	run, err := p.o.Store.Run(ctx, req.Run)
	if err != nil {
		return nil, err
	}
	if run.Org != p.o.Org.ID {
		return nil, &connector.Error{Kind: connector.NotFound, Op: op, Err: errors.New("there is no such run"), Hint: "see them with: usherd runs"}
	}
	changed, err := p.changedAnything(ctx, run)
	if err == nil && !changed {
		err = &connector.Error{
			Kind: connector.Refused, Op: op, Err: errors.New("it has changed nobody and no group: there is nothing to put back"),
			Hint: "see what it did with: usherd report " + run.ID.String(),
		}
	}
	return run, err
}

func (p *Provisioner) changedAnything(ctx context.Context, run *connector.Run) (bool, error) {
	for _, err := range p.o.Store.RunGroups(ctx, run.ID) {
		return err == nil, err
	}
	events, err := p.o.Store.RunEvents(ctx, run.Org, run.ID, connector.ID{}, 1)
	return len(events) > 0, err
}

// planRollback works out what puts everybody back. Nothing is changed.
func (p *Provisioner) planRollback(ctx context.Context, req RollbackRequest, undone *connector.Run) (_ *Plan, err error) {
	src := p.o.Org.Source(undone.Source)
	if src == nil {
		src = &connector.SourceSettings{ID: undone.Source} // it is not configured any more
	}
	ask := PlanRequest{Source: undone.Source, Progress: req.Progress}
	if req.Approve != nil {
		ask.Approved, ask.Part = req.Approve.Hold.Digest, req.Part
	}
	l, err := p.emptyPlanner(ctx, ask, src, connector.ModeRollback)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = l.plan.Close()
		}
	}()
	l.plan.undoes, l.plan.holdAll = true, !req.Apply || req.Approve != nil
	u := &undoer{planner: l, run: undone, people: map[connector.ID]bool{}}
	for _, id := range req.People {
		u.people[id] = true
	}
	if err = u.read(ctx); err != nil {
		return nil, err
	}
	if len(req.People) == 0 {
		if err = u.groups(ctx); err != nil {
			return nil, err
		}
	}
	l.phaseDone("read")
	l.settle(u.reason())
	u.warn()
	l.phaseDone("plan")
	return l.plan, nil
}

// reason says what waits for approval.
func (u *undoer) reason() string {
	var c connector.Counts
	for _, e := range u.plan.entries.all() {
		c.Add(&connector.Change{Action: e.action})
	}
	var parts []string
	g := u.plan.Run.Groups
	for _, x := range []struct {
		n    int
		what string
	}{
		{c.Updated, "updated"},
		{c.Reactivated, "reactivated"},
		{c.Deactivated, "deactivated"},
		{c.Deleted, "deleted"},
		{g.Created, "groups brought back"},
		{g.Updated, "groups updated"},
		{g.Deleted, "groups deleted"},
		{g.MembersAdded, "memberships added"},
		{g.MembersRemoved, "memberships removed"},
	} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return "a rollback is looked at before it is applied: " + strings.Join(parts, ", ")
}

// warn says what a person should know before approving.
func (u *undoer) warn() {
	add := func(n int, one, many, rest string) {
		switch {
		case n == 1:
			u.plan.Run.Warnings = append(u.plan.Run.Warnings, "1 "+one+rest)
		case n > 1:
			u.plan.Run.Warnings = append(u.plan.Run.Warnings, fmt.Sprintf("%d %s%s", n, many, rest))
		}
	}
	add(u.against, "person gets access", "people get access", " back although the source last said disabled, gone or out of scope: that lasts until the source says something new")
	add(u.ended, "user whom the run created is", "users whom the run created are", " deleted: the next run creates anew whom the source still has, unless its scope, filter or mapping is changed before")
	add(u.back, "deleted user comes", "deleted users come", " back: the next run decides again")
	add(u.refused, "person is", "people are", " not put back because of what was done since; the report says to whom")
}
