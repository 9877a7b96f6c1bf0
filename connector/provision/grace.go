package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// dueQuery asks for the users whose grace period is over by a time and whom no source has as enabled.
// Whom an administrator's or another source's word alone keeps away from the access is kept with that word:
// the next run would create the person anew.
func (p *Provisioner) dueQuery(source string, until time.Time) connector.DueQuery {
	q := connector.DueQuery{Org: p.o.Org.ID, Source: source, Until: until}
	for _, s := range p.o.Org.Sources {
		q.Keep = append(q.Keep, s.ID)
	}
	return q
}

// Due asks for a page of the users who will be deleted by a time, soonest first.
func (p *Provisioner) Due(ctx context.Context, until time.Time, after string, limit int) (users []*connector.User, next string, err error) {
	q := p.dueQuery("", until)
	q.After, q.Limit = after, limit
	return p.o.Store.UsersDue(ctx, q)
}

// CountDue returns how many users will be deleted within that time.
func (p *Provisioner) CountDue(ctx context.Context, within time.Duration) (int, error) {
	return p.o.Store.CountDue(ctx, p.dueQuery("", p.o.Now().Add(within)))
}

func (p *Provisioner) dueSoon(ctx context.Context) (int, error) {
	return p.CountDue(ctx, connector.DueSoon)
}

// EndGrace deletes the users of a source whose grace period is over, as each full run does, but without
// asking the source, so that one that is followed or read by hand only ends them too. The guard bounds it
// like a run: what it holds is approved like any other. The run is nil when there is nobody to delete, or
// something of the source waits for approval already. It may go on beside a run of the source: each
// deletion is one of the user as it stands.
func (p *Provisioner) EndGrace(ctx context.Context, source, revision string) (*connector.Run, error) {
	none, err := p.noneToEnd(ctx, source)
	if err != nil || none {
		return nil, err
	}
	plan, err := p.planGrace(ctx, source)
	if err != nil {
		return nil, err
	}
	defer plan.Close() //nolint:errcheck // temporary files
	plan.Run.Mode, plan.Run.Actor, plan.Run.Revision = connector.ModeGrace, "housekeeping", revision
	if plan.entries.count == 0 {
		return nil, nil //nolint:nilnil // the last one has just gone
	}
	err = p.Apply(ctx, plan, nil)
	if late := p.finish(ctx, plan, err); err == nil {
		err = late
	}
	return plan.Run, err
}

// noneToEnd reports whether no run is needed, or none may be made.
func (p *Provisioner) noneToEnd(ctx context.Context, source string) (bool, error) {
	q := p.dueQuery(source, p.o.Now())
	q.Limit = 1
	users, _, err := p.o.Store.UsersDue(ctx, q)
	if err != nil || len(users) == 0 {
		return true, err
	}
	open, err := p.o.Store.OpenHolds(ctx, p.o.Org.ID, source)
	for _, run := range open {
		if run.Mode != connector.ModePreview && run.Hold.StatusAt(p.o.Now()) == connector.HoldOpen {
			return true, err
		}
	}
	return false, err
}

// planGrace plans what a full run plans for the end of grace periods, and nothing else.
func (p *Provisioner) planGrace(ctx context.Context, source string) (*Plan, error) {
	l, err := p.newPlanner(ctx, PlanRequest{Source: source})
	if err != nil {
		return nil, err
	}
	l.plan.complete, l.plan.unread = true, true
	l.last.Fingerprint = l.src.Fingerprint // changed settings have no part in it
	if err = l.due(ctx); err == nil {
		err = l.countPeople(ctx)
	}
	if err == nil {
		err = l.guard()
	}
	if err != nil {
		return nil, errors.Join(err, l.plan.Close())
	}
	return l.plan, nil
}

// EndGraceUnlinked deletes the users whose grace period is over and whom no source of the organization
// knows: no run of a source ever comes to them. It returns how many there were.
func (p *Provisioner) EndGraceUnlinked(ctx context.Context) (n int, err error) {
	q := p.dueQuery("", p.o.Now())
	for {
		users, next, err := p.o.Store.UsersDue(ctx, q)
		if err != nil {
			return n, err
		}
		linked, err := p.linked(ctx, users)
		if err != nil {
			return n, err
		}
		for _, u := range users {
			if linked[u.ID] {
				continue
			}
			ch, err := p.endOne(ctx, u.ID)
			if err != nil && connector.KindOf(err) != connector.NotFound {
				return n, err
			}
			if err == nil && ch.Action == connector.Removed {
				n++
			}
		}
		if next == "" {
			return n, nil
		}
		q.After = next
	}
}

// linked says which of the users a source of the organization knows.
func (p *Provisioner) linked(ctx context.Context, users []*connector.User) (map[connector.ID]bool, error) {
	ids := make([]connector.ID, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	links, err := p.o.Store.LinksOfUsers(ctx, p.o.Org.ID, ids)
	linked := map[connector.ID]bool{}
	for _, k := range links {
		if p.o.Org.Source(k.Source) != nil {
			linked[k.User] = true
		}
	}
	return linked, err
}

// endOne deletes a user, unless its grace period is not over any more.
func (p *Provisioner) endOne(ctx context.Context, id connector.ID) (*connector.Change, error) {
	return p.command(ctx, Command{User: id, Actor: "housekeeping"}, func(ch *connector.Change, after *connector.User, _ lifecycle.Facts) error {
		if after.DeleteAt.IsZero() || after.DeleteAt.After(p.o.Now()) {
			return nil
		}
		p.removeNow(ch, after, lifecycle.GraceOver)
		return nil
	})
}

// Keep moves the deletion of a deactivated user to a later time. No source makes it sooner again.
func (p *Provisioner) Keep(ctx context.Context, c Command, until time.Time) (*connector.Change, error) {
	until = until.UTC().Truncate(time.Second)
	return p.command(ctx, c, func(ch *connector.Change, after *connector.User, _ lifecycle.Facts) error {
		refuse := func(kind connector.Kind, hint, format string, args ...any) error {
			return &connector.Error{Kind: kind, Op: ch.Subject, Err: fmt.Errorf(format, args...), Hint: hint}
		}
		switch {
		case after.State != connector.Inactive:
			return refuse(connector.Refused, "see who will be with: usherd users --due 30d", "it is %s: only a deactivated user is ever deleted", after.State)
		case after.DeleteAt.IsZero():
			return refuse(connector.Refused, "there is nothing to do", "it is never deleted by itself")
		case !until.After(after.DeleteAt):
			return refuse(connector.Invalid, "give a later day; to delete it sooner: usherd user delete "+ch.Subject,
				"it is kept until %s already", after.DeleteAt.UTC().Format(time.RFC3339))
		}
		after.DeleteAt = until
		return nil
	})
}
