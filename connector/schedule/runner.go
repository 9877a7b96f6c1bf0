package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"usherd/connector"
)

// Job is something that is done again and again.
type Job struct {
	Name     string    // unique
	Schedule *Schedule // nil: only when triggered
	// Run does it. Its context is cancelled when Serve is to end.
	Run func(ctx context.Context) error
	// Last is when it was last started, as far as is known from before; zero = never, which leaves
	// nothing to catch up with.
	Last time.Time
}

// Options of a Runner.
type Options struct {
	Now   func() time.Time                           // the wall clock; required
	Rand  func() float64                             // in [0,1), for jitter; nil = math/rand
	Limit int                                        // jobs that run at the same time; 0 = 4
	Ended func(name string, at time.Time, err error) // a run started at that time has ended; may be nil
	// Observe is told of each moment that is planned, jitter included; may be nil. Zero means that
	// the job does not start by itself.
	Observe func(name string, next time.Time)
}

const (
	defaultLimit = 4
	// tick bounds how long the loop trusts a timer: those stand still while the machine sleeps, and
	// know nothing of a wall clock that is set.
	tick = 30 * time.Second
	// late is how far after its moment a job without catch-up still starts.
	late = 2 * tick
	// setBack is how far the wall clock must go back for everything to be planned anew. With less, the
	// moments that the clock shows twice do not start jobs twice.
	setBack = time.Hour
)

// Runner starts jobs at their moments. A job never overlaps itself: a moment that comes while it
// runs or waits is left out. Of any number of moments missed, while the program was down or the machine
// slept, one is made up for, if the schedule says so. All methods may be called concurrently.
type Runner struct {
	now     func() time.Time
	rand    func() float64
	limit   int
	ended   func(string, time.Time, error)
	observe func(string, time.Time)

	wake chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	entries map[string]*entry
	queue   []*entry // wait for one of limit places
	running int
	seen    time.Time // the wall clock when the loop last looked
	phase   phase
}

type phase int

const (
	fresh phase = iota
	serving
	stopped
)

// entry is a job with its standing; it outlives a Replace as long as its name does.
type entry struct {
	job     Job
	planned bool
	catchUp bool      // new here: a moment before its first planning may have been missed
	moment  time.Time // by the schedule
	next    time.Time // moment and jitter; zero = not by itself
	last    time.Time
	queued  bool
	running bool
}

// New returns a Runner of these jobs. Nothing runs before Serve.
func New(o Options, jobs ...Job) *Runner {
	r := &Runner{
		now: o.Now, rand: o.Rand, limit: o.Limit, ended: o.Ended, observe: o.Observe,
		wake: make(chan struct{}, 1), entries: map[string]*entry{},
	}
	if r.rand == nil {
		r.rand = rand.Float64
	}
	if r.limit <= 0 {
		r.limit = defaultLimit
	}
	if r.ended == nil {
		r.ended = func(string, time.Time, error) {}
	}
	if r.observe == nil {
		r.observe = func(string, time.Time) {}
	}
	r.Replace(jobs)
	return r
}

// Replace puts these jobs in place of all. A job that runs goes on until it ends, even if its name is
// gone; under the same name it will not be started a second time meanwhile. A job whose schedule has
// not changed keeps its next moment.
func (r *Runner) Replace(jobs []Job) {
	r.mu.Lock()
	old := r.entries
	r.entries = make(map[string]*entry, len(jobs))
	for _, j := range jobs {
		e := old[j.Name]
		if e == nil {
			e = &entry{last: j.Last, catchUp: true}
		} else if e.planned && !e.job.Schedule.equal(j.Schedule) {
			e.planned, e.catchUp, e.next = false, false, time.Time{}
		}
		e.job = j
		r.entries[j.Name] = e
	}
	r.queue = slices.DeleteFunc(r.queue, func(e *entry) bool {
		gone := r.entries[e.job.Name] != e
		e.queued = e.queued && !gone
		return gone
	})
	r.mu.Unlock()
	r.nudge()
}

func (s *Schedule) equal(o *Schedule) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.String() == o.String() && s.jitter == o.jitter
}

// Serve starts jobs until ctx is done, then waits for those that run, whose context is done too, and
// returns nil. A Runner serves once: whoever gets the lead again makes a new one, with what was
// started in the meantime in Job.Last.
func (r *Runner) Serve(ctx context.Context) error {
	r.mu.Lock()
	if r.phase != fresh {
		r.mu.Unlock()
		return errors.New("schedule: a Runner serves only once")
	}
	r.phase = serving
	r.mu.Unlock()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(r.step(ctx))
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-timer.C:
		}
	}
	r.mu.Lock()
	r.phase = stopped
	r.mu.Unlock()
	r.wg.Wait()
	return nil
}

// step starts what is due and says how long the loop may rest.
func (r *Runner) step(ctx context.Context) time.Duration {
	type plan struct {
		name string
		next time.Time
	}
	var planned []plan
	r.mu.Lock()
	now := r.clock()
	anew := now.Before(r.seen.Add(-setBack))
	r.seen = now
	rest := tick
	for _, name := range slices.Sorted(maps.Keys(r.entries)) {
		e := r.entries[name]
		if r.look(e, now, anew) {
			planned = append(planned, plan{name, e.next})
		}
		if !e.next.IsZero() {
			rest = min(rest, max(e.next.Sub(now), 0))
		}
	}
	for len(r.queue) > 0 && r.running < r.limit {
		r.start(ctx, r.queue[0], now)
		r.queue = slices.Delete(r.queue, 0, 1)
	}
	r.mu.Unlock()
	for _, p := range planned {
		r.observe(p.name, p.next)
	}
	return rest
}

// look plans a job, or queues it when its moment has come, and reports whether next is another now.
func (r *Runner) look(e *entry, now time.Time, anew bool) bool {
	s := e.job.Schedule
	switch {
	case !e.planned:
		r.first(e, now)
		return true
	case anew:
		r.plan(e, s, now)
		return true
	case e.next.IsZero() || e.next.After(now):
		return false
	}
	if !e.running && !e.queued && (s.CatchUp() || now.Sub(e.next) <= late) {
		r.enqueue(e)
	}
	if e.moment.After(now) { // the clock went back a little
		now = e.moment
	}
	r.plan(e, s, now)
	return true
}

// first plans a job that is new here, a moment missed since its last start included.
func (r *Runner) first(e *entry, now time.Time) {
	s := e.job.Schedule
	if e.catchUp && s.CatchUp() && !e.last.IsZero() {
		if missed := s.Next(e.last); !missed.IsZero() && !missed.After(now) {
			e.planned, e.moment, e.next = true, missed, now.Add(r.spread(s))
			return
		}
	}
	r.plan(e, s, now)
}

func (r *Runner) plan(e *entry, s *Schedule, after time.Time) {
	e.planned, e.moment, e.next = true, s.Next(after), time.Time{}
	if !e.moment.IsZero() {
		e.next = e.moment.Add(r.spread(s))
	}
}

func (r *Runner) spread(s *Schedule) time.Duration {
	return time.Duration(r.rand() * float64(s.Jitter()))
}

func (r *Runner) enqueue(e *entry) {
	e.queued = true
	r.queue = append(r.queue, e)
}

func (r *Runner) start(ctx context.Context, e *entry, now time.Time) {
	job := e.job
	e.queued, e.running, e.last = false, true, now
	r.running++
	r.wg.Go(func() {
		err := job.Run(ctx)
		r.mu.Lock()
		e.running = false
		r.running--
		r.mu.Unlock()
		r.ended(job.Name, now, err)
		r.nudge()
	})
}

// clock reads the wall clock without the monotonic reading, which would hide that it was set.
func (r *Runner) clock() time.Time { return r.now().Round(0) }

func (r *Runner) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Trigger starts the job now, beside its schedule, or as soon as one of the places is free. It answers an
// Error of Kind NotFound for an unknown name, Conflict when the job runs or waits already, Unavailable
// when Serve has ended.
func (r *Runner) Trigger(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fail := func(kind connector.Kind, why string) error {
		return &connector.Error{Kind: kind, Op: fmt.Sprintf("schedule: run %q now", name), Err: errors.New(why)}
	}
	e := r.entries[name]
	switch {
	case e == nil:
		return fail(connector.NotFound, "there is no such job")
	case r.phase == stopped:
		return fail(connector.Unavailable, "the daemon is stopping")
	case e.running:
		return fail(connector.Conflict, "it is running already")
	case e.queued:
		return fail(connector.Conflict, "it is waiting to run already")
	}
	r.enqueue(e)
	r.nudge()
	return nil
}

// Next returns when the job starts next, jitter included; zero when it does not by itself, or before
// Serve has planned it. False for an unknown name.
func (r *Runner) Next(name string) (next time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[name]
	if e == nil {
		return time.Time{}, false
	}
	return e.next, true
}

// Status is the standing of one job.
type Status struct {
	Name    string
	Next    time.Time // jitter included; zero = not by itself
	Last    time.Time // start of the last or current run; zero = never
	Running bool
	Waiting bool // for one of the places
}

// Status returns the standing of all jobs in order of their names.
func (r *Runner) Status() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Status, 0, len(r.entries))
	for _, name := range slices.Sorted(maps.Keys(r.entries)) {
		e := r.entries[name]
		out = append(out, Status{Name: name, Next: e.next, Last: e.last, Running: e.running, Waiting: e.queued})
	}
	return out
}
