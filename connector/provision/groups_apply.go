package provision

import (
	"context"
	"iter"

	"usherd/connector"
)

// writesGroups reports whether anything that is planned of groups is written.
func (p *Plan) writesGroups() bool {
	return p.groups != nil && !p.holdAll && p.Run.GroupHold == nil
}

// groupsApart reports whether so much is written of groups that it takes transactions of its own.
func (p *Plan) groupsApart() bool { return p.writesGroups() && p.groups.rows > memberBatch }

// applyGroups writes what is planned of groups, in transactions of about memberBatch rows.
func (p *Provisioner) applyGroups(ctx context.Context, plan *Plan) error {
	for batch, err := range plan.groups.batches() {
		if err == nil {
			err = p.o.Store.Bulk(ctx, func(tx connector.Tx) error { return p.putGroups(ctx, tx, plan, batch) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// applyGroupsIn is applyGroups with the last people of the run.
func (p *Provisioner) applyGroupsIn(ctx context.Context, tx connector.Tx, plan *Plan) error {
	for batch, err := range plan.groups.batches() {
		if err == nil {
			err = p.putGroups(ctx, tx, plan, batch)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Provisioner) putGroups(ctx context.Context, tx connector.Tx, plan *Plan, batch []*connector.GroupChange) error {
	cause := connector.Cause{Kind: connector.CauseRun, Run: plan.Run.ID, Actor: plan.Run.Actor}
	return tx.PutGroups(ctx, batch, plan.groups.follow, cause, p.o.Now())
}

// inOrder yields what is spooled as it is written: what memberships follow before all memberships.
func (g *groupPlan) inOrder() iter.Seq2[*connector.GroupChange, error] {
	return func(yield func(*connector.GroupChange, error) bool) {
		for _, names := range []bool{true, false} {
			if names && len(g.renamed) == 0 {
				continue
			}
			for c, err := range g.changes() {
				switch {
				case err != nil:
				case names && !g.renames(c):
					continue
				case names:
					c.Added, c.Removed = nil, nil
				case g.renames(c):
					c.Rest = true
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// batches cuts what is spooled into pieces of about memberBatch rows.
func (g *groupPlan) batches() iter.Seq2[[]*connector.GroupChange, error] {
	return func(yield func([]*connector.GroupChange, error) bool) {
		var batch []*connector.GroupChange
		size := 0
		for c, err := range g.inOrder() {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, part := range parts(c) {
				batch, size = append(batch, part), size+1+len(part.Added)+len(part.Removed)
				if size < memberBatch {
					continue
				}
				if !yield(batch, nil) {
					return
				}
				batch, size = nil, 0
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// parts cuts a change into pieces of which each has at most memberBatch members.
func parts(c *connector.GroupChange) (list []*connector.GroupChange) {
	rest := *c
	for first := !c.Rest; first || len(rest.Removed)+len(rest.Added) > 0; first = false {
		part := rest
		n := min(len(rest.Removed), memberBatch)
		part.Removed, rest.Removed = rest.Removed[:n], rest.Removed[n:]
		n = min(len(rest.Added), memberBatch-n)
		part.Added, rest.Added = rest.Added[:n], rest.Added[n:]
		part.Rest = !first
		list = append(list, &part)
	}
	return list
}
