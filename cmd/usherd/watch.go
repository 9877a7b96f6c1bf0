package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/schedule"
)

const (
	firstAgain = time.Second     // after a first failure of a source that is followed
	heldAgain  = 5 * time.Second // between two looks at whether an approval has been given
	// quietFailures is how often following may fail in a row before it is told as a failed run: a restart of
	// the directory is none.
	quietFailures = 2
)

// watcher keeps one source in step between its full runs: live, or by asking for the changes every so often.
type watcher struct {
	d    *daemon
	site *site
	t    target
	how  config.Changes

	failures int          // in a row
	waits    connector.ID // the run for whose approval it was told to wait
}

// watchers are those of the configuration in force.
type watchers struct {
	mu   sync.Mutex
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// replace ends the watchers of before and starts those of the site.
func (x *watchers) replace(ctx context.Context, d *daemon, s *site) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stop != nil {
		x.stop()
		x.wg.Wait()
	}
	ctx, x.stop = context.WithCancel(ctx)
	d.metrics.following.Reset()
	for _, o := range s.orgs {
		for id, how := range o.Changes {
			w := &watcher{d: d, site: s, t: target{org: o, id: id, src: o.sources[id]}, how: how}
			x.wg.Go(func() { w.run(ctx) })
		}
	}
}

// wait returns when all have ended, which they do with the context that they were given.
func (x *watchers) wait() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wg.Wait()
}

// run goes on until ctx ends.
func (w *watcher) run(ctx context.Context) {
	defer w.t.src.Close() //nolint:errcheck // the connection that look-ups keep
	wait := w.untilAllowed(ctx)
	for ctx.Err() == nil && pause(ctx, wait) {
		if held, err := w.held(ctx); err == nil && held != nil {
			w.tellHeld(held)
			wait = heldAgain
			continue
		}
		wait = w.once(ctx)
	}
}

// pause waits and reports whether ctx goes on.
func pause(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// once follows until it fails, or asks once, and returns how long to wait then.
func (w *watcher) once(ctx context.Context) time.Duration {
	var err error
	if w.how.Live {
		err = w.live(ctx)
	} else {
		err = w.ask(ctx)
	}
	if ctx.Err() != nil {
		return 0
	}
	if err == nil {
		w.failures = 0
		return w.how.Every
	}
	if held, e := w.held(ctx); e == nil && held != nil {
		return 0 // it needs an approval, which is no failure
	}
	return w.failed(ctx, err)
}

// live follows the source. It always returns an error.
func (w *watcher) live(ctx context.Context) error {
	following := w.d.metrics.following.WithLabelValues(w.t.org.Org.ID, w.t.id)
	defer following.Set(0)
	return w.t.org.prov.Live(ctx, provision.LiveRequest{
		Source: w.t.id, From: w.t.src, Revision: w.site.file.Revision,
		CaughtUp: func() {
			following.Set(1)
			w.failures = 0
			w.d.log.Info("following", zap.String("source", w.t.name()))
		},
		Applied: func(r provision.LiveReport) { w.applied(ctx, r) },
	})
}

// applied tells of what was applied live.
func (w *watcher) applied(ctx context.Context, r provision.LiveReport) {
	m := w.d.metrics
	for _, at := range r.Changes {
		m.delay.WithLabelValues(r.Run.Org, r.Run.Source).Observe(max(r.Stored.Sub(at), 0).Seconds())
	}
	w.d.remember(r.Run)
	if r.Run.Mode == connector.ModeFull {
		m.ended(r.Run)
		w.d.tell(r.Run)
	} else {
		m.counted(r.Run, r.Counts)
	}
	if err := m.refresh(ctx, w.site); err != nil && ctx.Err() == nil {
		w.d.log.Warn("metrics", zap.Error(err))
	}
}

// ask does one run of changes.
func (w *watcher) ask(ctx context.Context) error {
	return w.d.syncWith(ctx, w.site, w.t, provision.SyncRequest{Mode: connector.ModeChanges, Quiet: true})
}

// failed tells of a failure and returns how long to wait before the next try.
func (w *watcher) failed(ctx context.Context, cause error) time.Duration {
	w.failures++
	wait := schedule.Backoff(w.failures, firstAgain)
	denied := connector.KindOf(cause) == connector.Denied
	if denied {
		wait = schedule.Backoff(w.failures, time.Hour)
	}
	fields := []zap.Field{
		zap.String("source", w.t.name()), zap.Error(cause), zap.String("what_to_do", connector.HintOf(cause)),
		zap.Int("failures", w.failures), zap.Duration("again_in", wait),
	}
	if w.failures <= quietFailures && !denied {
		w.d.log.Warn("following was interrupted", fields...)
		return wait
	}
	w.d.log.Error("following has failed", fields...)
	if w.how.Live && !w.told(cause) { // a run of changes has told it itself
		run, err := w.t.org.prov.Failed(ctx, w.t.id, connector.ModeChanges, connector.ActorLive, w.site.file.Revision, cause)
		if err != nil {
			w.d.log.Error("job failed", zap.String("job", w.t.name()), zap.Error(err))
		}
		w.d.metrics.ended(run)
		w.d.remember(run)
	}
	return wait
}

// told reports whether a full run that following needed has failed with this, and says so itself.
func (w *watcher) told(cause error) bool {
	last := w.d.lastOf(w.t.name())
	return last != nil && last.Mode == connector.ModeFull && last.Result == connector.ResultFailed && last.Error == cause.Error()
}

// untilAllowed is how long a source that has refused the account, as far as is known from before, must not
// be asked again.
func (w *watcher) untilAllowed(ctx context.Context) time.Duration {
	trouble, err := w.site.trouble(ctx, w.t)
	if err != nil || !trouble.Refused {
		return 0
	}
	return trouble.Next.Sub(w.d.app.now())
}

// held returns the run that has to be approved before anything of the source can be applied, nil = there is
// none. Without it each try would read everything again, for nothing.
func (w *watcher) held(ctx context.Context) (*connector.Run, error) {
	return w.site.blocked(ctx, w.t, w.d.app.now())
}

func (w *watcher) tellHeld(run *connector.Run) {
	if w.waits == run.ID {
		return
	}
	w.waits = run.ID
	w.d.log.Warn("following waits for an approval", zap.String("source", w.t.name()), zap.String("why", run.Hold.Reason),
		zap.String("approve", "usherd approve "+run.ID.Short()))
}

// recentRuns is how many runs of a source are looked at to see how it is; these looks are frequent.
const recentRuns = 25

// blocked returns the full run that has to be approved before anything else of the source can be applied
// under its present settings: all of it waits, or what changed settings do. Nil when there is none.
func (s *site) blocked(ctx context.Context, t target, now time.Time) (*connector.Run, error) {
	open, err := s.db.OpenHolds(ctx, t.org.Org.ID, t.id)
	if err != nil {
		return nil, err
	}
	settings := t.org.Org.Source(t.id).Fingerprint
	for _, r := range slices.Backward(open) {
		if r.Mode != connector.ModeFull || r.Hold.StatusAt(now) != connector.HoldOpen || r.Fingerprint != settings {
			continue
		}
		state, err := s.db.SourceState(ctx, t.org.Org.ID, t.id)
		if err != nil || r.Hold.Whole || state.Fingerprint != settings {
			return r, err
		}
	}
	return nil, nil
}

// lastHeld returns the last full run of the source when something of it waits for approval.
func (s *site) lastHeld(ctx context.Context, t target, now time.Time) (*connector.Run, error) {
	open, err := s.db.OpenHolds(ctx, t.org.Org.ID, t.id)
	for _, r := range slices.Backward(open) {
		if r.Mode == connector.ModeFull && r.Hold.StatusAt(now) == connector.HoldOpen {
			return r, err
		}
	}
	return nil, err
}

// trouble is how the source has failed of late.
func (s *site) trouble(ctx context.Context, t target) (schedule.Trouble, error) {
	runs, err := s.db.Runs(ctx, connector.RunFilter{Org: t.org.Org.ID, Source: t.id, Limit: recentRuns})
	runs = slices.DeleteFunc(runs, func(r *connector.Run) bool { return r.Finished.Before(s.since) })
	return schedule.Assess(runs, s.file.Revision), err
}

const retryLook = 5 * time.Second

// retries tries sources again that have failed by the schedule, before their next time comes: sooner at first,
// then less and less often.
func (d *daemon) retries(t *term) error {
	tick := time.NewTicker(retryLook)
	defer tick.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return nil
		case <-tick.C:
			if err := d.retry(t.ctx); err != nil && !errors.Is(err, context.Canceled) {
				d.log.Warn("looking for sources to try again", zap.Error(err))
			}
		}
	}
}

func (d *daemon) retry(ctx context.Context) error {
	s := d.current()
	for _, o := range s.orgs {
		for id := range o.Schedules {
			t := target{org: o, id: id, src: o.sources[id]}
			if last := d.lastOf(t.name()); last == nil || last.Result != connector.ResultFailed || last.Mode != connector.ModeFull {
				continue
			}
			trouble, err := s.trouble(ctx, t)
			if err != nil {
				return err
			}
			if trouble.Failures > 0 && !d.app.now().Before(trouble.Next) {
				_ = d.runNow(t.name()) // it runs, or waits to run, already
			}
		}
	}
	return nil
}
