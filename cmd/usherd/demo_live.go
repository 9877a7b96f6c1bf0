package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

const (
	followLook     = 5 * time.Millisecond // between two looks at how far the daemon is
	followPatience = 30 * time.Second     // until the prompt comes back without having seen it
)

// deed is something that the administrator of the directory does to people.
type deed struct {
	done string // "hired"
	idle string // what is said of those of whom nothing was to be done
	do   func(n int) ([]string, error)
}

// deeds are those of the prompt by letter.
func (p *prompt) deeds() map[string]deed {
	const none = "without an account"
	return map[string]deed{
		"h": {"hired", "skipped (new, but disabled)", p.company.Hire},
		"f": {"fired", none, p.company.Fire},
		"m": {"moved to another department", "as before", p.company.Move},
		"r": {"renamed", "as before", p.company.Rename},
		"d": {"disabled", none, p.disable},
		"e": {"enabled again", none, p.enable},
	}
}

// play does something to n people and tells what becomes of them as soon as the daemon has applied it.
func (p *prompt) play(ctx context.Context, x deed, n int) error {
	since := p.now()
	dns, err := p.change(x.done, n, x.do)
	if len(dns) == 0 {
		return err
	}
	following, cancel := context.WithTimeout(ctx, followPatience)
	defer cancel()
	if late := p.untilApplied(following); late != nil {
		if errors.Is(late, context.DeadlineExceeded) && ctx.Err() == nil {
			p.para("not applied after " + followPatience.String() + "; why stands in usherd.log")
			return err
		}
		return errors.Join(err, late)
	}
	fates, late := p.fates(ctx, dns, since)
	if late == nil {
		p.tell(x, fates, since)
	}
	return errors.Join(err, late)
}

// untilApplied waits until the directory has nothing to tell about people that the daemon has not applied.
func (p *prompt) untilApplied(ctx context.Context) error {
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	var asked connector.Cursor
	for {
		state, err := p.site.db.SourceState(ctx, demoOrg, demoSource)
		if err != nil {
			return err
		}
		if !bytes.Equal(state.Cursor.Data, asked.Data) {
			if left, err := p.target.src.Changes(ctx, connector.ChangesRequest{Since: state.Cursor}); err == nil {
				asked = state.Cursor
				if len(left.Records) == 0 && left.Full == "" {
					return p.untilEnded(ctx, tick.C, state.LastRun)
				}
			}
		}
		if err := next(ctx, tick.C); err != nil {
			return err
		}
	}
}

// untilEnded waits until the run is written to its end: its cursor comes before its last words.
func (p *prompt) untilEnded(ctx context.Context, tick <-chan time.Time, id connector.ID) error {
	for {
		run, err := p.site.db.Run(ctx, id)
		if err != nil || !run.Finished.IsZero() {
			return err
		}
		if err := next(ctx, tick); err != nil {
			return err
		}
	}
}

// next waits for the tick.
func next(ctx context.Context, tick <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-tick:
		return nil
	}
}

// fates are what became of some people since a moment.
type fates struct {
	of     map[string]string // by DN in lower case; "" = nothing
	beside map[string]int    // what became of others by it: a seat or an address is free
	held   *connector.Run    // that holds some of them
	last   time.Time         // when all of it was stored
}

// fates asks the store what has become of these people.
func (p *prompt) fates(ctx context.Context, dns []string, since time.Time) (*fates, error) {
	f := &fates{of: map[string]string{}, beside: map[string]int{}}
	for _, dn := range dns {
		f.of[strings.ToLower(dn)] = ""
	}
	runs, err := p.site.db.Runs(ctx, connector.RunFilter{Org: demoOrg, Source: demoSource, Limit: recentRuns})
	if err != nil {
		return nil, err
	}
	for _, run := range slices.Backward(runs) {
		if run.Finished.Before(since) {
			continue
		}
		if err := p.happened(ctx, f, run, since); err != nil {
			return nil, err
		}
	}
	return f, p.failed(ctx, f, since)
}

// happened adds what a run has changed since then, and what it holds.
func (p *prompt) happened(ctx context.Context, f *fates, run *connector.Run, since time.Time) error {
	if run.Finished.After(f.last) {
		f.last = run.Finished
	}
	actions := map[connector.ID]connector.Action{}
	for e, err := range p.events(ctx, run.ID, since) {
		if err != nil {
			return err
		}
		if now := actions[e.User]; now == "" || now == connector.Updated {
			actions[e.User] = e.Action
		}
	}
	links, err := p.site.db.LinksOfUsers(ctx, demoOrg, slices.Collect(maps.Keys(actions)))
	if err != nil {
		return err
	}
	for _, l := range links {
		if dn := strings.ToLower(l.DN); !f.about(dn, string(actions[l.User])) {
			f.beside[string(actions[l.User])]++
		}
	}
	if run.Hold == nil || run.Hold.Status != connector.HoldOpen {
		return nil
	}
	for ch, err := range p.site.db.RunChanges(ctx, run.ID) {
		if err != nil {
			return err
		}
		if ch.Held && f.about(strings.ToLower(ch.DN), "held for approval") {
			f.held = run
		}
	}
	return nil
}

// about notes what became of somebody and reports whether it is one of those who are asked about.
func (f *fates) about(dn, fate string) bool {
	_, ok := f.of[dn]
	if ok {
		f.of[dn] = fate
	}
	return ok
}

// events are those of a run since then, the latest first.
func (p *prompt) events(ctx context.Context, run connector.ID, since time.Time) func(func(connector.Event, error) bool) {
	const page = 1000
	return func(yield func(connector.Event, error) bool) {
		var before connector.ID
		for {
			list, err := p.site.db.RunEvents(ctx, demoOrg, run, before, page)
			if err != nil {
				yield(connector.Event{}, err)
				return
			}
			for _, e := range list {
				if e.At.Before(since) || !yield(e, nil) {
					return
				}
				before = e.ID
			}
			if len(list) < page {
				return
			}
		}
	}
}

// failed adds who was refused since then, and why.
func (p *prompt) failed(ctx context.Context, f *fates, since time.Time) error {
	for q := (connector.ItemQuery{Org: demoOrg, Source: demoSource}); ; {
		items, more, err := p.site.db.OpenItems(ctx, q)
		if err != nil {
			return err
		}
		for _, x := range items {
			if !x.LastSeen.Before(since) {
				f.about(strings.ToLower(x.DN), fmt.Sprintf("failed (%d %s)", x.Code, x.Reason))
			}
		}
		if q.After = more; more == "" {
			return nil
		}
	}
}

// tell says it in a line, and one more where others were concerned or something is held.
func (p *prompt) tell(x deed, f *fates, since time.Time) {
	counts := map[string]int{}
	for _, fate := range f.of {
		if fate == "" {
			fate = x.idle
		}
		counts[fate]++
	}
	line := joinCounts(counts)
	if f.last.After(since) {
		line += " · " + shortly(f.last.Sub(since))
	}
	p.para(line)
	if len(f.beside) > 0 {
		p.para("and of others, by a seat or an address that is free now: " + joinCounts(f.beside))
	}
	if f.held != nil {
		p.para("Held: " + f.held.Hold.Reason)
		p.para("Approve it with a; see first whom it concerns: usherd report " + f.held.ID.Short())
	}
}

// para says a line of an answer, which may be longer than the terminal is wide.
func (p *prompt) para(text string) { p.say("%s", wrap(text, p.columns(), "  ", "    ")) }

// joinCounts writes "2 created, 1 updated": what was done comes first, as reports have it.
func joinCounts(counts map[string]int) string {
	first := []string{
		string(connector.Created), string(connector.Updated), string(connector.Reactivated),
		string(connector.Deactivated), string(connector.Removed),
	}
	var parts []string
	add := func(what string) {
		if counts[what] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[what], what))
		}
	}
	for _, what := range first {
		add(what)
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		if !slices.Contains(first, what) {
			add(what)
		}
	}
	return strings.Join(parts, ", ")
}

// shortly writes a time as reports do.
func shortly(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
