package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/policy"
)

const (
	// maxLookups bounds how many absent people are asked for by name. Where more are missing they are
	// held, whatever the guard says, so that a person looks at them.
	maxLookups = 10_000
	maxDue     = 10_000 // users deleted in one run when their grace is over
)

// distrust refuses an answer from which no plan may be made, and notes one from which nobody may be
// removed.
func (l *planner) distrust(result connector.ReadResult) error {
	run, plan := l.plan.Run, l.plan
	run.Entries, run.Server = result.Entries, result.Server
	run.Warnings = append(run.Warnings, result.Warnings...)
	state := connector.SourceState{
		Org: run.Org, Source: run.Source, Fingerprint: l.src.Fingerprint,
		Entries: result.Entries, Present: result.Present, LastRun: run.ID, LastOK: l.facts.now,
		Cursor: result.Cursor, Removed: l.last.Removed,
	}
	if reason, empty := policy.Empty(l.index.live, result.Entries); empty {
		return &connector.Error{
			Kind: connector.Incomplete, Op: "provision: " + run.Source, Err: errors.New(reason),
			Hint: "nothing is changed; most often the service account has lost its right to read, or base or filter fit nothing; see: usherd check --connect",
		}
	}
	if l.last.Fingerprint == l.src.Fingerprint && !l.src.Kind.Brought() { // each file has columns of its own
		if lost := policy.Cliff(l.src.Guard, answer(l.last), answer(state)); len(lost) > 0 {
			return &connector.Error{
				Kind: connector.Incomplete, Op: "provision: " + run.Source,
				Err:  fmt.Errorf("attributes have vanished from the answer: %s; nothing is changed", strings.Join(lost, "; ")),
				Hint: "most often the service account has lost its right to read them; see: usherd check --connect",
			}
		}
	}
	plan.complete = result.Complete
	if !result.Complete {
		l.cutShort(result.Why)
		return nil
	}
	plan.state = state
	return nil
}

// cutShort notes that the answer is not complete: the next run goes on from where the last complete one stood.
func (l *planner) cutShort(why string) {
	l.plan.complete = false
	l.plan.Run.Error = "the answer was not complete: " + why
	l.plan.Run.Hint = "people were created and updated, nobody was removed; the next complete run does that"
}

// absent decides about those whom a complete answer did not hold, and those whose grace is over.
func (l *planner) absent(ctx context.Context) error {
	if !l.plan.complete || l.src.Kind.Brought() { // who does not stand in a file is not gone for that
		return l.sortOut(ctx, nil)
	}
	missing, err := l.index.missing(ctx, l.p.o.Store, l.plan.Run.Org, l.req.Source)
	if err != nil {
		return err
	}
	records, gone, err := l.verify(ctx, missing)
	if err != nil {
		return err
	}
	if !l.plan.complete {
		return l.sortOut(ctx, nil)
	}
	if err := l.leftEarlier(ctx, gone); err != nil {
		return err
	}
	if err := l.sortOut(ctx, gone); err != nil {
		return err
	}
	for start := 0; start < len(records); start += batchSize {
		batch := records[start:min(start+batchSize, len(records))]
		if err := l.decide(ctx, l.notTakenOver(batch)); err != nil {
			return err
		}
	}
	if err := l.over(ctx); err != nil {
		return err
	}
	return l.due(ctx)
}

// verify asks for each absent person by anchor, before the first of them loses anything. When the source goes away
// meanwhile, the answer is not complete: as the last word of this read its feed would never tell of them again.
func (l *planner) verify(ctx context.Context, missing []connector.Anchor) ([]*connector.Record, map[connector.Anchor]bool, error) {
	var records []*connector.Record
	gone := map[connector.Anchor]bool{}
	unsure := 0
	l.unasked = len(missing) > maxLookups
	for i, a := range missing {
		presence := connector.PresenceGone
		if !l.unasked {
			var err error
			if _, presence, err = l.req.From.Lookup(ctx, a); err != nil {
				switch {
				case ctx.Err() != nil:
					return nil, nil, err
				case connector.KindOf(err) == connector.Unavailable:
					l.cutShort(fmt.Sprintf("the directory went away while it was asked for %d people whom it did not name: %v", len(missing), err))
					return nil, nil, nil
				}
				presence = connector.PresenceUnknown
			}
			if i%100 == 99 && l.req.Progress != nil {
				l.req.Progress(Progress{"verify", i + 1, len(missing)})
			}
		}
		switch presence {
		case connector.PresenceGone:
			gone[a] = true
			records = append(records, &connector.Record{Anchor: a, Gone: true})
		case connector.PresentOutOfScope:
			records = append(records, &connector.Record{Anchor: a, OutOfScope: "it was not in the answer and is outside the scope now"})
		case connector.PresentInScope: // moved while the pages were read
		case connector.PresenceUnknown, connector.PresenceUnreadable:
			unsure++
		}
	}
	if unsure > 0 {
		l.plan.Run.Skips[connector.SkipUnverifiable] += unsure
		l.plan.Run.Counts.Skipped += unsure
		l.plan.Run.Warnings = append(l.plan.Run.Warnings, fmt.Sprintf(
			"%d people were absent from the answer, but the directory could not say that they are gone: they stay as they are", unsure))
	}
	return records, gone, nil
}

// leftEarlier asks for the rivals who were out of scope already, so that their absence is no news: somebody who
// was put away, then deleted, may be back under a new anchor.
func (l *planner) leftEarlier(ctx context.Context, gone map[connector.Anchor]bool) error {
	for _, a := range l.rivals {
		if gone[a] || l.index.seen(a) {
			continue
		}
		_, presence, err := l.req.From.Lookup(ctx, a)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && presence == connector.PresenceGone {
			gone[a] = true
		}
	}
	return nil
}

// sortOut decides again about people whom another anchor of the source seemed to hold, now that it is
// known which anchors are gone: an account deleted and created anew is the same person.
func (l *planner) sortOut(ctx context.Context, gone map[connector.Anchor]bool) error {
	if gone == nil {
		gone = map[connector.Anchor]bool{}
	}
	l.facts.gone = gone
	for start := 0; start < len(l.deferred); start += batchSize {
		if err := l.decide(ctx, l.deferred[start:min(start+batchSize, len(l.deferred))]); err != nil {
			return err
		}
	}
	return l.settleNames(ctx)
}

// notTakenOver leaves out the anchors whose user another entry of this run has taken over.
func (l *planner) notTakenOver(records []*connector.Record) []*connector.Record {
	var out []*connector.Record
	for _, r := range records {
		if !l.plan.replaced[r.Anchor] {
			out = append(out, r)
		}
	}
	return out
}

// over finds the open items of people who are not in the source any more, by its own word.
func (l *planner) over(ctx context.Context) error {
	asked := 0
	for a := range l.open {
		if l.openSeen[a] {
			continue
		}
		if asked++; asked > maxLookups {
			return nil // the next run asks for the others
		}
		_, presence, err := l.req.From.Lookup(ctx, a)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && (presence == connector.PresenceGone || presence == connector.PresentOutOfScope) {
			l.plan.closeGone = append(l.plan.closeGone, a)
			if err := l.plan.said.add(&connector.Record{Anchor: a, Gone: true}, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// due plans the end of users whose grace period is over. Whom a source still has as enabled, so that an
// administrator's or another source's word alone keeps the access away, is kept with that word: the next
// run would create the person anew.
func (l *planner) due(ctx context.Context) error {
	q := l.p.dueQuery(l.req.Source, l.facts.now)
	for planned := 0; planned < maxDue; planned += batchSize {
		users, next, err := l.p.o.Store.UsersDue(ctx, q)
		if err != nil {
			return err
		}
		if err := l.end(ctx, users); err != nil || next == "" {
			return err
		}
		q.After = next
	}
	return nil
}

// end plans the deletion of users, but for those about whom this run knows better.
func (l *planner) end(ctx context.Context, users []*connector.User) error {
	org := l.p.o.Org
	own, err := l.ownLinks(ctx, users)
	if err != nil {
		return err
	}
	for _, u := range users {
		if l.spared[u.ID] {
			continue
		}
		ch := &connector.Change{
			Org: org.ID, Source: l.req.Source, Anchor: own[u.ID].Anchor, DN: own[u.ID].DN,
			Subject: u.Profile.Subject(), BaseVersion: u.Version, Removal: true,
		}
		remove(ch, u, lifecycle.GraceOver, org, l.facts.now)
		if ch.After == nil {
			continue
		}
		d := &decision{org: org, src: l.src, rec: &connector.Record{}, user: u, change: ch}
		l.facts.planned.add(d)
		if err := l.plan.keep(d.ordinal, ch, -1); err != nil {
			return err
		}
	}
	return nil
}

// ownLinks are the links of users to this source: a tombstone's event keeps where the user was.
func (l *planner) ownLinks(ctx context.Context, users []*connector.User) (map[connector.ID]connector.Link, error) {
	ids := make([]connector.ID, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	links, err := l.p.o.Store.LinksOfUsers(ctx, l.p.o.Org.ID, ids)
	own := map[connector.ID]connector.Link{}
	for _, k := range links {
		if k.Source == l.req.Source {
			own[k.User] = k
		}
	}
	return own, err
}

func answer(s connector.SourceState) policy.Answer {
	return policy.Answer{Entries: s.Entries, Present: s.Present}
}
