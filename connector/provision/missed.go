package provision

import (
	"context"
	"fmt"

	"usherd/connector"
)

// maxFresh bounds how many people a full run compares with the feed.
const maxFresh = 10_000

// noteFresh remembers somebody whose record is another one than was applied last: the feed has to tell of it.
// That the clock, a domain, a seat or an administrator makes another user of the same record is none of
// its business.
func (l *planner) noteFresh(d *decision) {
	if l.fresh == nil || d.change.After == nil || len(l.fresh) > maxFresh {
		return
	}
	_, open := l.open[d.rec.Anchor]
	switch {
	case d.link == nil && (open || d.says != connector.StandingEnabled), // who was refused or passed over before
		d.link != nil && (d.link.Hash == connector.Hash{} || d.link.Hash == d.hash):
		return
	case d.link != nil && !d.link.RecheckAt.IsZero() && !d.link.RecheckAt.After(l.facts.now):
		return
	}
	l.fresh[d.rec.Anchor] = d.ordinal
}

// missed counts the people whom a full run changes although the feed, asked from where it was left, does
// not name them. It should be nobody. A run that carries out what another one held does not say: the feed has
// told of these people before. Nor does one after a rollback that has deleted users, who are created anew of a record that
// has not changed.
func (l *planner) missed(ctx context.Context) error {
	if l.fresh == nil || l.plan.holdAll || l.req.Approved != "" || len(l.fresh) > maxFresh {
		return nil
	}
	for a, o := range l.fresh {
		if l.plan.overruled(o) || l.plan.held(l.plan.entries.of(o)) {
			delete(l.fresh, a)
		}
	}
	run := l.plan.Run
	if len(l.fresh) > 0 {
		if anew, err := l.rolledBack(ctx); err != nil || anew {
			return err
		}
		batch, err := l.req.From.(connector.Feed).Changes(ctx, l.changesRequest())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || batch.Full != "" {
			return nil //nolint:nilerr // it cannot be told; the run itself is none the worse
		}
		for _, r := range batch.Records {
			delete(l.fresh, r.Anchor)
		}
	}
	n := len(l.fresh)
	if run.Missed = &n; n > 0 {
		run.Warnings = append(run.Warnings, peoples(n)+
			" had changed without the directory's feed of changes telling of it: this run has found them")
	}
	return nil
}

// rolledBack reports whether users of the source were deleted by a rollback since it was read in full.
func (l *planner) rolledBack(ctx context.Context) (bool, error) {
	const lookBack = 200
	runs, err := l.p.o.Store.Runs(ctx, connector.RunFilter{Org: l.p.o.Org.ID, Source: l.src.ID, Limit: lookBack})
	for _, run := range runs {
		switch {
		case run.Mode == connector.ModeRollback && run.Counts.Deleted > 0:
			return true, err
		case run.Mode == connector.ModeFull && run.Result == connector.ResultOK:
			return false, err
		}
	}
	return false, err
}

func peoples(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}
