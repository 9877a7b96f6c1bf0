package provision

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/policy"
)

// Clock is the time of a replay. Its zero value stands at 1970. Safe for concurrent use.
type Clock struct{ at atomic.Int64 }

// Now is the instant at which the replay has arrived.
func (c *Clock) Now() time.Time { return time.Unix(0, c.at.Load()).UTC() }

func (c *Clock) set(t time.Time) { c.at.Store(t.UnixNano()) }

// ReplayOptions say what is replayed, and under which rules.
type ReplayOptions struct {
	// Store is an empty one that is thrown away afterwards, with the domains of the organization; it takes its
	// time from Clock.
	Store connector.Store
	Clock *Clock
	// Org are the rules to try. Sources that are not in it are left out.
	Org      *connector.Organization
	Mappings map[string]*mapping.Mapping
	Since    time.Time
	// Records gives what a source has said, as a store's Records does with Since.
	Records  func(ctx context.Context, source string) iter.Seq2[connector.StoredRecord, error]
	SpoolDir string
	Progress func(Progress) // may be nil
}

// ReplayStep is one run of then, as it would have been.
type ReplayStep struct {
	Source  string
	Runs    []connector.ID // that said it; several where runs came too close together, none for requests
	At      time.Time
	Records int
	// Plan is what the run would have come to; nil where nothing was said that was not known. Its Run says
	// also when the answer would have been refused.
	Plan *Plan

	from, to int64 // on the tape
}

// ReplayedSource is what a replay had of one source.
type ReplayedSource struct {
	Source string
	Base   int             // people of whom something was known before the first run
	Names  map[string]bool // attributes of which any record has a value
}

// maxSteps bounds how many runs a replay does. Where there were more, those of one source that came close
// together are done as one.
const maxSteps = 1000

// Replay does the runs of then again under other rules: what was known before Since is the first run, without a
// guard, and then each run follows with what it was told. It goes through the same Sync as every run, in a
// store of its own. A hold is approved by nobody. Plans are lent to each until it returns.
func Replay(ctx context.Context, o ReplayOptions, each func(*ReplayStep) error) ([]ReplayedSource, error) {
	r := &replay{o: o, tapes: map[string]*tape{}}
	defer r.close()
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	o.Clock.set(o.Since)
	first := New(r.options(unguarded(o.Org)))
	for i, s := range r.sources {
		if s.Base == 0 {
			continue
		}
		plan, err := r.run(ctx, first, s.Source)
		if err != nil {
			return r.sources, err
		}
		if err := plan.Close(); err != nil {
			return r.sources, err
		}
		r.progress("base", i+1, len(r.sources))
	}
	again := New(r.options(looked(o.Org)))
	for i, s := range r.steps {
		if err := r.step(ctx, again, s, each); err != nil {
			return r.sources, err
		}
		r.progress("replay", i+1, len(r.steps))
	}
	return r.sources, nil
}

type replay struct {
	o       ReplayOptions
	tapes   map[string]*tape
	sources []ReplayedSource
	steps   []*ReplayStep
}

func (r *replay) close() {
	for _, t := range r.tapes {
		_ = t.close() // a temporary file
	}
}

func (r *replay) progress(phase string, done, total int) {
	if r.o.Progress != nil {
		r.o.Progress(Progress{phase, done, total})
	}
}

func (r *replay) options(org *connector.Organization) Options {
	return Options{Store: r.o.Store, Org: org, Mappings: r.o.Mappings, Now: r.o.Clock.Now, SpoolDir: r.o.SpoolDir}
}

// looked is the organization as if somebody had looked at the new settings already, so that only the guard
// holds. Nothing is kept of what is replayed.
func looked(org *connector.Organization) *connector.Organization {
	o := *org
	o.KeepRecords = 0
	o.Sources = slices.Clone(org.Sources)
	for i := range o.Sources {
		o.Sources[i].FirstRun = connector.FirstRunApply
	}
	return &o
}

// unguarded is looked without a guard.
func unguarded(org *connector.Organization) *connector.Organization {
	o := looked(org)
	for i := range o.Sources {
		o.Sources[i].Guard = policy.Unguarded()
	}
	return o
}

// load writes the tapes and finds the steps.
func (r *replay) load(ctx context.Context) error {
	for i := range r.o.Org.Sources {
		source := r.o.Org.Sources[i].ID
		t, err := newTape(r.o.SpoolDir)
		if err != nil {
			return err
		}
		r.tapes[source] = t
		if err := r.loadSource(ctx, source, t); err != nil {
			return err
		}
		if err := t.w.Flush(); err != nil {
			return err
		}
		r.sources = append(r.sources, ReplayedSource{source, t.people, t.names})
	}
	slices.SortStableFunc(r.steps, func(a, b *ReplayStep) int { return a.At.Compare(b.At) })
	for near := 15 * time.Minute; len(r.steps) > maxSteps && near < 1000*24*time.Hour; near *= 2 {
		r.steps = together(r.steps, near)
	}
	return nil
}

func (r *replay) loadSource(ctx context.Context, source string, t *tape) error {
	var step *ReplayStep
	var last connector.ID
	n := 0
	for s, err := range r.o.Records(ctx, source) {
		if err != nil {
			return err
		}
		if n++; n%batchSize == 0 {
			r.progress("load", n, 0)
		}
		from := t.size
		p, err := t.record(s.Record)
		if err != nil {
			return err
		}
		if s.Base {
			if _, err := t.set(s.Record, p); err != nil {
				return err
			}
			continue
		}
		if step == nil || s.Run != last {
			step = &ReplayStep{Source: source, from: from}
			if last = s.Run; !s.Run.IsZero() {
				step.Runs = []connector.ID{s.Run}
			}
			r.steps = append(r.steps, step)
		}
		step.At, step.to = s.At, t.size
		step.Records++
	}
	return nil
}

// together makes one step of those of one source that follow each other within that time.
func together(steps []*ReplayStep, near time.Duration) (out []*ReplayStep) {
	open := map[string]*ReplayStep{}
	begun := map[string]time.Time{}
	for _, s := range steps {
		if o := open[s.Source]; o != nil && s.At.Sub(begun[s.Source]) <= near {
			o.Runs, o.At, o.to, o.Records = append(o.Runs, s.Runs...), s.At, s.to, o.Records+s.Records
			continue
		}
		open[s.Source], begun[s.Source] = s, s.At
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b *ReplayStep) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return out
}

// step does one run again.
func (r *replay) step(ctx context.Context, p *Provisioner, s *ReplayStep, each func(*ReplayStep) error) error {
	t := r.tapes[s.Source]
	changed, err := t.play(s.from, s.to)
	if err != nil {
		return err
	}
	if !changed {
		return each(s)
	}
	r.o.Clock.set(s.At)
	if s.Plan, err = r.run(ctx, p, s.Source); err != nil {
		return err
	}
	err = errors.Join(each(s), s.Plan.Close())
	s.Plan = nil
	return err
}

// run is one run of a source. An answer that is refused, as an empty one, is a result.
func (r *replay) run(ctx context.Context, p *Provisioner, source string) (*Plan, error) {
	plan, err := p.Sync(ctx, SyncRequest{Source: source, From: r.tapes[source], Mode: connector.ModeFull, Actor: "replay"})
	if err != nil && (plan == nil || connector.KindOf(err) != connector.Incomplete) {
		if plan != nil {
			err = errors.Join(err, plan.Close())
		}
		return nil, err
	}
	return plan, nil
}
