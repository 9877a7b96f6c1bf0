package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/schedule"
)

// lookBack is how many runs of a source are looked through for the last full one: previews and those of
// one person are no reason to leave out a scheduled run.
const lookBack = 200

// jobs are one for each source that has a schedule, and the housekeeping.
func (d *daemon) jobs(ctx context.Context, s *site) ([]schedule.Job, error) {
	var jobs []schedule.Job
	for _, o := range s.orgs {
		for _, settings := range o.Org.Sources {
			t := target{org: o, id: settings.ID, src: o.sources[settings.ID]}
			if t.pushes() {
				continue
			}
			runs, err := d.recall(ctx, s, t)
			if err != nil {
				return nil, err
			}
			job := schedule.Job{Name: t.name(), Schedule: o.Schedules[t.id], Run: func(ctx context.Context) error { return d.sync(ctx, s, t) }}
			if len(runs) > 0 {
				job.Last = runs[0].Started
			}
			if len(runs) > 1 && cutOff(runs[0]) && !cutOff(runs[1]) { // its moment is made up for, but not again and again
				job.Last = runs[1].Started
			}
			jobs = append(jobs, job)
		}
	}
	daily, faults := schedule.Parse(schedule.Config{Cron: "7 4 * * *", Jitter: connector.Duration(time.Hour)})
	hourly, more := schedule.Parse(schedule.Config{Cron: "23 * * * *"})
	if len(faults)+len(more) > 0 {
		return nil, fmt.Errorf("the built-in schedule is wrong: %v %v", faults, more)
	}
	checked, err := s.lastCheck(ctx)
	if err != nil {
		return nil, err
	}
	return append(jobs,
		schedule.Job{Name: "domains", Schedule: daily, Last: checked, Run: func(ctx context.Context) error { return d.checkDomains(ctx, s) }},
		schedule.Job{Name: "tokens", Schedule: daily, Run: func(ctx context.Context) error { return d.warnOfTokens(ctx, s) }},
		schedule.Job{Name: "records", Schedule: daily, Run: func(ctx context.Context) error { return d.forget(ctx, s) }},
		schedule.Job{Name: subscribersJob, Run: func(ctx context.Context) error { return d.retrySubscribers(ctx, s) }},
		schedule.Job{Name: "housekeeping", Schedule: hourly, Run: func(ctx context.Context) error { return d.housekeeping(ctx, s) }},
	), nil
}

// subscribersJob tries subscribers again when another configuration is in force. They may be many, so that nobody waits for it.
const subscribersJob = "subscribers"

// recall finds the full runs of a source, the latest first, and remembers how it is.
func (d *daemon) recall(ctx context.Context, s *site, t target) ([]*connector.Run, error) {
	runs, err := s.db.Runs(ctx, connector.RunFilter{Org: t.org.Org.ID, Source: t.id, Limit: lookBack})
	if err != nil {
		return nil, err
	}
	runs = slices.DeleteFunc(runs, func(r *connector.Run) bool { return r.Mode != connector.ModeFull })
	if len(runs) > 0 {
		d.remember(runs[0])
		d.metrics.remember(runs)
	}
	return runs, nil
}

// cutOff reports whether a run by the schedule never came to its end.
func cutOff(run *connector.Run) bool {
	return run.Actor == connector.ActorSchedule && run.Error == connector.CutOff
}

func (t target) name() string { return t.org.Org.ID + "/" + t.id }

// sync is a scheduled run. A source in quarantine waits for its time, see retries.
func (d *daemon) sync(ctx context.Context, s *site, t target) error {
	trouble, err := s.trouble(ctx, t)
	if err != nil {
		return err
	}
	if trouble.Quarantined() && d.app.now().Before(trouble.Next) {
		d.log.Warn("run left out: the source is in quarantine", zap.String("source", t.name()), zap.Int("failures", trouble.Failures),
			zap.Time("next", trouble.Next), zap.String("error", trouble.Error), zap.String("what_to_do", trouble.Hint))
		return nil
	}
	err = d.syncWith(ctx, s, t, provision.SyncRequest{Mode: connector.ModeFull})
	if run := d.lastOf(t.name()); run != nil && err != nil && run.Error == err.Error() {
		return nil // the run has told it
	}
	return err
}

// syncWith does a run and tells how it went; the error is that of the run.
func (d *daemon) syncWith(ctx context.Context, s *site, t target, req provision.SyncRequest) error {
	req.Actor = cmp.Or(req.Actor, connector.ActorSchedule)
	begun, show, done := d.progress.follow(req.Begun)
	defer done()
	req.Begun, req.Progress = begun, show
	plan, err := s.runSource(ctx, d.app, t, req)
	if plan == nil && connector.KindOf(err) == connector.Conflict && !errors.Is(err, connector.ErrLeaseLost) { // the next one comes by itself
		d.log.Info("run left out: another one of the source goes on", zap.String("source", t.name()), zap.String("mode", string(req.Mode)))
		return nil
	}
	if plan == nil {
		return err
	}
	defer plan.Close() //nolint:errcheck // temporary files
	if t.src != nil {
		defer t.src.Close() //nolint:errcheck // the connection that look-ups keep: the next run sees the groups of then
	}
	if !told(plan.Run, err) {
		return err
	}
	d.metrics.ended(plan.Run)
	d.remember(plan.Run)
	if plan.Run.Mode == connector.ModeFull || plan.Run.Counts != (connector.Counts{}) || err != nil {
		d.tell(plan.Run)
	}
	return errors.Join(err, d.metrics.refresh(context.WithoutCancel(ctx), s))
}

// tell logs the end of a run in one line that says what to do.
func (d *daemon) tell(run *connector.Run) {
	c := run.Counts
	fields := []zap.Field{
		zap.String("org", run.Org), zap.String("source", run.Source), zap.Stringer("run", run.ID), zap.String("result", string(run.Result)),
		zap.Int("entries", run.Entries), zap.Int("created", c.Created), zap.Int("updated", c.Updated), zap.Int("reactivated", c.Reactivated),
		zap.Int("deactivated", c.Deactivated), zap.Int("deleted", c.Deleted), zap.Int("unchanged", c.Unchanged), zap.Int("skipped", c.Skipped),
		zap.Int("failed", c.Failed), zap.Int("held", c.Held), zap.Duration("took", run.Finished.Sub(run.Started)),
	}
	if run.Error != "" {
		fields = append(fields, zap.String("error", run.Error), zap.String("what_to_do", run.Hint))
	}
	if run.Due > 0 {
		fields = append(fields, zap.String("due", plural(run.Due, "user")+" will be deleted within 7 days: usherd users --due 7d"))
	}
	switch {
	case run.Result == connector.ResultFailed:
		d.log.Error("run failed", fields...)
	case run.Hold != nil:
		d.log.Warn("run held", append(fields, zap.String("why", run.Hold.Reason), zap.String("approve", "usherd approve "+run.ID.Short()))...)
	default:
		d.log.Info("run ended", fields...)
	}
}

// checkDomains asks DNS for every proof again.
func (d *daemon) checkDomains(ctx context.Context, s *site) error {
	var all error
	for _, o := range s.orgs {
		list, err := o.domains.List(ctx)
		all = errors.Join(all, err)
		for _, dom := range list {
			out, err := o.domains.Check(ctx, dom)
			all = errors.Join(all, err)
			if out.Gained || out.Lost || !out.KeptUntil.IsZero() {
				d.log.Warn("domain", zap.String("org", o.Org.ID), zap.String("domain", dom.Name), zap.Bool("gained", out.Gained),
					zap.Bool("lost", out.Lost), zap.Time("kept_until", out.KeptUntil), zap.String("detail", out.Detail), zap.Int("decided_again", out.Again))
			}
		}
	}
	return errors.Join(all, d.metrics.refresh(ctx, s))
}

// forget drops of what sources have said whatever is kept for longer than their organization wants.
func (d *daemon) forget(ctx context.Context, s *site) error {
	var all error
	for _, o := range s.orgs {
		sources, err := s.db.RecordSources(ctx, o.Org.ID)
		all = errors.Join(all, err)
		before := d.app.now().Add(-o.Org.KeepRecords)
		for _, source := range sources {
			if o.Org.KeepRecords == 0 || o.Org.Source(source) == nil { // a base is of use to a source that goes on
				all = errors.Join(all, s.db.DropRecords(ctx, o.Org.ID, source, before))
				continue
			}
			n, err := s.db.CompactRecords(ctx, o.Org.ID, source, before)
			all = errors.Join(all, err)
			if n > 0 {
				d.log.Info("old records forgotten", zap.String("org", o.Org.ID), zap.String("source", source), zap.Int("records", n))
			}
		}
	}
	return all
}

func (d *daemon) jobEnded(name string, _ time.Time, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		d.log.Error("job failed", zap.String("job", name), zap.Error(err), zap.String("what_to_do", connector.HintOf(err)))
	}
}

func (d *daemon) planned(name string, next time.Time) {
	org, source, ok := strings.Cut(name, "/")
	if !ok {
		return
	}
	at := 0.0
	if !next.IsZero() {
		at = float64(next.Unix())
	}
	d.metrics.next.WithLabelValues(org, source).Set(at)
}
