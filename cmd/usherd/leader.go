package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/lease"
	"usherd/connector/schedule"
	"usherd/connector/store"
)

const (
	// leaderLease is held by the daemon that does what only one may do.
	leaderLease = "daemon"
	// leaderTTL is how long after its last sign of life a leader among several is followed by another one.
	leaderTTL = 15 * time.Second
	// standbyLook is how often a daemon that does not lead looks whether the leader is still there.
	standbyLook = time.Second
)

// term is the time for which this daemon leads.
type term struct {
	ctx     context.Context //nolint:containedctx // fenced with the lease, it ends with the term
	lease   *lease.Lease
	release func()
	runner  *schedule.Runner
}

// leadership is what a daemon knows of who leads.
type leadership struct {
	replica string        // what this process is called
	shared  bool          // other daemons may serve the same store
	ttl     time.Duration // 0 = that of any lease
	terms   int           // that this process has asked for

	// What follows is guarded by the daemon's mu.
	leader   string // the replica that leads, "" when none is known
	term     *term  // nil = another one leads, or nobody
	replicas int    // that serve; 0 = not known
	revision string // of the leader's configuration; "" = not known
}

func newLeadership(c *config.Config, now time.Time) leadership {
	l := leadership{replica: processName() + " " + connector.NewID(now).Short(), shared: sharedStore(c.Store)}
	if l.shared {
		l.ttl = leaderTTL
	}
	return l
}

// sharedStore reports whether several daemons may serve the store that a URL names. A file on a disk is for one: on
// the same machine a second one is of no use.
func sharedStore(url string) bool { return !strings.HasPrefix(url, "sqlite:") }

// replicaOf is the replica that holds the lead under that name: each of its terms has another number behind it.
func replicaOf(holder string) string {
	name, _, _ := strings.Cut(holder, ".term")
	return name
}

// candidate takes the lead; the lease is nil while another daemon has it. Where there may be only one daemon, that is an
// error.
func (d *daemon) candidate(ctx context.Context) (*lease.Lease, error) {
	db := d.current().db
	if d.lead.shared {
		holder, err := db.LeaseHolder(ctx, leaderLease)
		if err != nil {
			return nil, err
		}
		if holder != "" && !processDead(lease.Process(holder)) {
			d.standBy(replicaOf(holder))
			return nil, nil //nolint:nilnil // there is none
		}
	}
	d.lead.terms++
	l, err := lease.Take(ctx, lease.Options{
		Store: db, Name: leaderLease, Holder: d.lead.replica + ".term" + strconv.Itoa(d.lead.terms), TTL: d.lead.ttl, Dead: processDead,
		Renewed: d.metrics.lead.renewal(d.app.now),
	})
	if err == nil || connector.KindOf(err) != connector.Conflict {
		return l, err
	}
	if d.lead.shared {
		return nil, nil //nolint:nilnil // another one was faster
	}
	return nil, &connector.Error{
		Kind: connector.Conflict, Op: "serve", Err: fmt.Errorf("another usherd serves this store: %w", err),
		Hint: "stop it first; if it was killed on another machine, the store is free after " + lease.TTL.String(),
	}
}

// standBy notes which replica leads, and says so once.
func (d *daemon) standBy(leader string) {
	d.mu.Lock()
	was := d.lead.leader
	d.lead.leader = leader
	d.mu.Unlock()
	if was != leader {
		d.log.Info("standing by: another replica leads", zap.String("leader", leader), zap.String("replica", d.lead.replica))
	}
}

// begin takes over what only one daemon may do; nothing of it goes on before serveTerm.
func (d *daemon) begin(ctx context.Context, l *lease.Lease) (*term, error) {
	d.turning.Lock()
	defer d.turning.Unlock()
	t := &term{lease: l, runner: schedule.New(schedule.Options{Now: d.app.now, Ended: d.jobEnded, Observe: d.planned})}
	t.ctx, t.release = l.Hold(ctx)
	if err := d.takeOver(t, d.current()); err != nil {
		t.release()
		return nil, err
	}
	d.mu.Lock()
	d.lead.term, d.lead.leader = t, d.lead.replica
	d.mu.Unlock()
	d.metrics.lead.began(l.Turn(), d.app.now)
	if d.lead.shared {
		d.log.Info("leading", zap.String("replica", d.lead.replica), zap.Int64("token", l.Turn()))
	}
	return t, nil
}

// takeOver puts the configuration in force, tells of runs that were cut off, and gives seats that have become free
// while nobody did.
func (d *daemon) takeOver(t *term, s *site) error {
	if err := s.adopt(t.ctx, d.app); err != nil {
		return err
	}
	for _, o := range s.orgs {
		for id := range o.sources {
			if err := o.prov.Interrupt(t.ctx, id); err != nil {
				return err
			}
		}
	}
	jobs, err := d.jobs(t.ctx, s)
	if err != nil {
		return err
	}
	t.runner.Replace(jobs)
	if err := t.runner.Trigger(subscribersJob); err != nil { // the configuration may be another one than when they were refused
		return err
	}
	return d.offerSeats(t.ctx, s)
}

// lastCheck is when the domain that has waited longest was asked for; zero when none ever was. So a day is made up for on
// which nobody led at the usual moment.
func (s *site) lastCheck(ctx context.Context) (oldest time.Time, err error) {
	for _, o := range s.orgs {
		list, err := s.db.Domains(ctx, o.Org.ID)
		if err != nil {
			return oldest, err
		}
		for _, d := range list {
			if !d.CheckedAt.IsZero() && (oldest.IsZero() || d.CheckedAt.Before(oldest)) {
				oldest = d.CheckedAt
			}
		}
	}
	return oldest, nil
}

// serveTerm does what only one daemon may do, until ctx ends or the lead is lost; then all of it has ended. The error says
// why the lead was lost.
func (d *daemon) serveTerm(t *term) error {
	var g errgroup.Group
	g.Go(func() error { return t.runner.Serve(t.ctx) })
	g.Go(func() error { return d.retries(t) })
	g.Go(func() error { return d.postman.notifier.Serve(t.ctx) })
	g.Go(func() error { return d.reports.Serve(t.ctx) })
	d.turning.Lock()
	d.watch.replace(t.ctx, d, d.current())
	d.turning.Unlock()
	err := g.Wait()
	d.watch.wait()
	d.turning.Lock()
	defer d.turning.Unlock()
	d.mu.Lock()
	d.lead.term, d.lead.leader = nil, ""
	d.mu.Unlock()
	d.metrics.ledOnce()
	lost := lease.Lost(t.ctx)
	t.release()
	return errors.Join(lost, err)
}

// campaign leads whenever this daemon has the lead, and waits for it else. It begins with a term where there is one
// already.
func (d *daemon) campaign(ctx context.Context, t *term) error {
	for ctx.Err() == nil {
		if t != nil {
			if err := d.serveTerm(t); err != nil {
				d.log.Error("the lead is lost: runs of this replica have ended", zap.Error(err), zap.String("what_to_do", connector.HintOf(err)))
			}
			t = nil
			continue
		}
		l, err := d.candidate(ctx)
		if err == nil && l != nil {
			t, err = d.begin(ctx, l)
		}
		if err != nil && ctx.Err() == nil {
			if !d.lead.shared && connector.KindOf(err) == connector.Conflict {
				return err // this one is not wanted any more
			}
			d.log.Warn("whether this replica has to lead is not known", zap.Error(err), zap.String("what_to_do", connector.HintOf(err)))
		}
		if t == nil {
			pause(ctx, standbyLook)
		}
	}
	return nil
}

// term is the current one, nil while this daemon does not lead.
func (d *daemon) term() *term {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lead.term
}

// runNow starts a job now. Only who leads can do that.
func (d *daemon) runNow(name string) error {
	if t := d.term(); t != nil {
		return t.runner.Trigger(name)
	}
	return &connector.Error{Kind: connector.Unavailable, Op: fmt.Sprintf("run %q now", name), Err: errors.New("this replica does not lead")}
}

// leaderOf is the replica that leads on a store, "" when none does.
func leaderOf(ctx context.Context, db *store.DB) (string, error) {
	holder, err := db.LeaseHolder(ctx, leaderLease)
	return replicaOf(holder), err
}
