package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/notice"
	"usherd/connector/schedule"
	"usherd/connector/sources"
)

// keepOutcomes is how long the people of whom no event tells are kept for the reports of past runs.
const keepOutcomes = 7 * 24 * time.Hour

// daemon is the running program: schedules, health, reload.
type daemon struct {
	app     *app
	log     *zap.Logger
	metrics *metrics
	systemd systemd
	watch   watchers
	door    *door
	signOn  *signOn
	portal  *portalDoor
	console *consoleDoor
	api     *programs
	postman *postman
	reports *notice.Reporter
	reload  <-chan os.Signal
	system  *daemonSystem // what the console and the API tell of it

	progress progresses
	desk     *sources.Desk // where administrators and programs ask directories

	turning sync.Mutex // while a term begins or ends, or another configuration comes into force

	mu   sync.Mutex
	site *site
	lead leadership
	last map[string]*connector.Run // by "org/source"
}

// newDaemon puts the parts together; nothing runs yet.
func newDaemon(a *app, s *site, log *zap.Logger, reload <-chan os.Signal) *daemon {
	d := &daemon{
		app: a, log: log, metrics: newMetrics(), systemd: newSystemd(a.env), reload: reload, desk: sources.NewDesk(a.now),
		site: s, lead: newLeadership(&s.file.Config, a.now()), last: map[string]*connector.Run{},
	}
	d.system = &daemonSystem{d: d, since: a.now()}
	return d
}

// run works until ctx ends; then it lets the runs that go on end consistently.
func (d *daemon) run(ctx context.Context, ln net.Listener) error {
	first, err := d.start(ctx)
	if err != nil {
		return err
	}
	d.metrics.watch(d.site.db)
	d.metrics.registry.MustRegister(newOutbox(d), newSubscriberCounts(d))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.door.serve(ctx, d.log) })
	g.Go(func() error { return d.signOn.serve(ctx, d.log) })
	g.Go(func() error { return d.portal.serve(ctx, d.log) })
	g.Go(func() error { return d.console.serve(ctx, d.log) })
	g.Go(func() error { return d.api.serve(ctx, d.log) })
	g.Go(func() error { return d.health(ctx, ln) })
	g.Go(func() error { return d.reloads(ctx) })
	g.Go(func() error { return d.attend(ctx) })
	g.Go(func() error {
		// A database that is away is no reason to start again: it is gone on with when it is back.
		return d.systemd.keepAlive(ctx, func() bool { return d.lead.shared || d.storeAnswers(ctx) == nil })
	})
	d.log.Info("ready", zap.String("listen", ln.Addr().String()), zap.String("revision", d.site.file.Revision), zap.Int("sources", len(d.sources(ctx))))
	g.Go(func() error { return d.campaign(ctx, first) }) // what it tells comes after that
	d.systemd.tell(ctx, "READY=1")
	<-ctx.Done()
	d.systemd.tell(context.WithoutCancel(ctx), "STOPPING=1")
	d.log.Info("stopping")
	err = g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, d.door.end())
}

// start takes the lead where nobody else has it, and opens the doors. The term is nil while another replica leads.
func (d *daemon) start(ctx context.Context) (first *term, err error) {
	l, err := d.candidate(ctx)
	if err != nil {
		return nil, err
	}
	if l != nil {
		if first, err = d.begin(ctx, l); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				first.release()
			}
		}()
	}
	if first == nil {
		err = d.recallAll(ctx, d.site)
	}
	if err := errors.Join(err, d.metrics.refresh(ctx, d.site)); err != nil {
		return first, err
	}
	if d.postman, err = d.newPostman(ctx); err != nil {
		return first, err
	}
	d.reports = d.newReporter()
	return first, d.openDoors(ctx)
}

// openDoors opens all doors, or none.
func (d *daemon) openDoors(ctx context.Context) (err error) {
	if d.door, err = d.openDoor(ctx); err != nil {
		return err
	}
	if d.signOn, err = d.openSignOn(ctx); err != nil {
		return errors.Join(err, d.door.shut())
	}
	if d.api, err = d.openAPI(ctx); err != nil {
		return errors.Join(err, d.door.shut(), d.signOn.shut())
	}
	if d.console, err = d.openConsole(ctx); err != nil {
		return errors.Join(err, d.door.shut(), d.signOn.shut(), d.api.shut())
	}
	if d.portal, err = d.openPortal(ctx); err != nil {
		return errors.Join(err, d.door.shut(), d.signOn.shut(), d.api.shut(), d.console.shut())
	}
	return nil
}

// offerSeats gives seats that have become free while the daemon was down, or by the configuration, and keeps how full packages
// are today.
func (d *daemon) offerSeats(ctx context.Context, s *site) error {
	for _, o := range s.orgs {
		if err := o.prov.Offer(ctx); err != nil {
			return err
		}
		if err := s.db.CountSeats(ctx, o.Org.ID, d.app.now()); err != nil {
			return err
		}
	}
	return nil
}

// reloads reads the configuration again at each signal and request. A bad file changes nothing.
func (d *daemon) reloads(ctx context.Context) error {
	tick := time.NewTicker(reloadLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.reload:
			d.reloadTold(ctx)
		case <-tick.C:
			if holder := d.request(ctx); holder != "" && d.term() != nil {
				d.answer(ctx, holder, d.reloadTold(ctx))
			}
		}
	}
}

// reloadTold reloads and tells everybody how it went.
func (d *daemon) reloadTold(ctx context.Context) bool {
	d.systemd.tell(ctx, "RELOADING=1\n"+monotonic())
	err := d.reloadNow(ctx)
	if err != nil {
		d.metrics.reloads.WithLabelValues(reloadRefused).Inc()
		d.log.Error("the new configuration is refused, the old one stays in force", zap.Strings("faults", strings.Split(err.Error(), "\n")))
	} else {
		d.metrics.reloads.WithLabelValues(reloadOK).Inc()
	}
	d.systemd.tell(ctx, "READY=1")
	return err == nil
}

func (d *daemon) reloadNow(ctx context.Context) error {
	d.turning.Lock()
	defer d.turning.Unlock()
	file, err := d.app.load()
	if err != nil {
		return err
	}
	old := d.current()
	if file.Config.Store != old.file.Config.Store || file.Config.StorePassword.Reveal() != old.file.Config.StorePassword.Reveal() || file.Config.Listen != old.file.Config.Listen {
		d.log.Warn("store and listen change with a restart only")
	}
	if !reflect.DeepEqual(doorsOf(file), doorsOf(old.file)) {
		d.log.Warn("the blocks scim, sso, api, portal and console at the top of the file change with a restart only, but for console.admins and console.oidc")
	}
	s := &site{file: file, db: old.db, since: d.app.now()}
	if err := errors.Join(s.build(d.app), s.readKeys()); err != nil {
		return err
	}
	if err := d.replace(ctx, s); err != nil {
		return err
	}
	if err := d.door.replace(ctx, s); err != nil {
		return err
	}
	d.signOn.replace(s)
	d.portal.replace(s)
	d.console.replace(s)
	d.api.replace(s)
	d.desk.Forget()
	d.log.Info("reloaded", zap.String("revision", file.Revision), zap.Stringers("changes", config.Diff(old.file, file)))
	return errors.Join(d.offer(s), d.metrics.refresh(ctx, s))
}

// doorsOf are the blocks of a file that say where the doors are.
func doorsOf(f *config.File) []any {
	c := &f.Config
	var where *config.Console // without those whom a reload takes over
	if c.Console != nil {
		at := *c.Console
		at.Admins, at.OIDC, where = nil, nil, &at
	}
	return []any{c.SCIM, c.SSO, c.API, c.Portal, where}
}

// replace puts another configuration in force here, and for everybody where this daemon leads.
func (d *daemon) replace(ctx context.Context, s *site) error {
	t := d.term()
	if t == nil {
		err := d.recallAll(ctx, s)
		if err == nil {
			d.use(s)
		}
		return err
	}
	return t.replace(d, s)
}

// replace takes over another configuration in the middle of a term.
func (t *term) replace(d *daemon, s *site) error {
	if err := s.adopt(t.ctx, d.app); err != nil {
		return err
	}
	jobs, err := d.jobs(t.ctx, s)
	if err != nil {
		return err
	}
	d.use(s)
	t.runner.Replace(jobs)
	d.watch.replace(t.ctx, d, s)
	return nil
}

// offer gives seats and tries subscribers again where this daemon leads.
func (d *daemon) offer(s *site) error {
	t := d.term()
	if t == nil {
		return nil
	}
	if err := t.runner.Trigger(subscribersJob); err != nil && connector.KindOf(err) != connector.Conflict { // else it is at it
		return err
	}
	return d.offerSeats(t.ctx, s)
}

func (d *daemon) use(s *site) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.site = s
}

func (d *daemon) current() *site {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.site
}

func (d *daemon) remember(run *connector.Run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last[run.Org+"/"+run.Source] = run
}

// lastOf is the last run of a source by name, nil when none is known.
func (d *daemon) lastOf(name string) *connector.Run {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last[name]
}

// sources tells how each source is.
func (d *daemon) sources(ctx context.Context) []sourceHealth {
	status := map[string]schedule.Status{}
	if t := d.term(); t != nil {
		for _, s := range t.runner.Status() {
			status[s.Name] = s
		}
	}
	s := d.current()
	list := []sourceHealth{}
	for _, o := range s.orgs {
		for _, settings := range o.Org.Sources {
			t := target{org: o, id: settings.ID, src: o.sources[settings.ID]}
			if t.pushes() {
				list = append(list, sourceHealth{Source: t.name(), Follows: t.comes()})
				continue
			}
			st := status[t.name()]
			h := sourceHealth{Source: t.name(), Running: st.Running, Next: when(st.Next), Follows: follows(o.Changes[t.id])}
			if run := d.lastOf(h.Source); run != nil {
				h.Last, h.Result, h.Error = when(run.Started), string(run.Result), run.Error
			}
			if trouble, err := s.trouble(ctx, t); err == nil && trouble.Quarantined() {
				h.Quarantined, h.NextTry = true, when(trouble.Next)
			}
			list = append(list, h)
		}
	}
	return list
}

// onReload delivers SIGHUP until stop is called; Windows knows none.
func onReload() (signals <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
