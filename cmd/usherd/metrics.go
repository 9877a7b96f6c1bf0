package main

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"usherd/connector"
)

// metrics are what the daemon tells Prometheus. People are never named there, only counted.
type metrics struct {
	registry *prometheus.Registry
	runs     *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	people   *prometheus.CounterVec
	lastOK   *prometheus.GaugeVec
	next     *prometheus.GaugeVec
	entries  *prometheus.GaugeVec
	held     *prometheus.GaugeVec
	users    *prometheus.GaugeVec
	seats    *prometheus.GaugeVec
	due      *prometheus.GaugeVec
	domains  *prometheus.GaugeVec
	reloads  *prometheus.CounterVec
}

func newMetrics() *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		runs:     counter("usherd_runs_total", "Runs that have ended, by result.", "org", "source", "result"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usherd_run_duration_seconds", Help: "How long runs took.", Buckets: prometheus.ExponentialBuckets(0.05, 3, 10),
		}, []string{"org", "source"}),
		people:  counter("usherd_run_people_total", "People by what runs did to them.", "org", "source", "action"),
		lastOK:  gauge("usherd_last_complete_run_timestamp_seconds", "When a run last ended well.", "org", "source"),
		next:    gauge("usherd_next_run_timestamp_seconds", "When the next run starts by itself; 0 = never.", "org", "source"),
		entries: gauge("usherd_directory_entries", "Entries in the last answer of the directory.", "org", "source"),
		held:    gauge("usherd_run_held_people", "People whom the last run holds for approval.", "org", "source"),
		users:   gauge("usherd_users", "Users by state.", "org", "state"),
		seats:   gauge("usherd_seats", "Seats of packages: total (-1 = unlimited), used, waiting.", "org", "package", "kind"),
		due:     gauge("usherd_users_due_within_7d", "Users who will be deleted within seven days.", "org"),
		domains: gauge("usherd_domain_verified", "1 while the domain is verified.", "org", "domain"),
		reloads: counter("usherd_config_reloads_total", "Reloads of the configuration, by result.", "result"),
	}
	info := gauge("usherd_build_info", "Always 1.", "version", "go")
	info.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info,
		m.runs, m.seconds, m.people, m.lastOK, m.next, m.entries, m.held, m.users, m.seats, m.due, m.domains, m.reloads)
	return m
}

// ended counts a run.
func (m *metrics) ended(run *connector.Run) {
	m.runs.WithLabelValues(run.Org, run.Source, string(run.Result)).Inc()
	m.seconds.WithLabelValues(run.Org, run.Source).Observe(run.Finished.Sub(run.Started).Seconds())
	m.held.WithLabelValues(run.Org, run.Source).Set(float64(run.Counts.Held))
	if run.Mode != connector.ModeGrace { // which has asked no directory
		m.entries.WithLabelValues(run.Org, run.Source).Set(float64(run.Entries))
	}
	if run.Result == connector.ResultOK && run.Mode != connector.ModeGrace {
		m.lastOK.WithLabelValues(run.Org, run.Source).Set(float64(run.Finished.Unix()))
	}
	c := run.Counts
	for action, n := range map[connector.Action]int{
		connector.Created: c.Created, connector.Updated: c.Updated, connector.Reactivated: c.Reactivated,
		connector.Deactivated: c.Deactivated, connector.Removed: c.Deleted, connector.Unchanged: c.Unchanged,
		connector.Skipped: c.Skipped, connector.Failed: c.Failed,
	} {
		m.people.WithLabelValues(run.Org, run.Source, string(action)).Add(float64(n))
	}
}

// remember tells of the runs before the daemon's start, the latest first, so that an alarm about a source
// that has not been read for too long outlives a restart.
func (m *metrics) remember(runs []*connector.Run) {
	run := runs[0]
	m.entries.WithLabelValues(run.Org, run.Source).Set(float64(run.Entries))
	m.held.WithLabelValues(run.Org, run.Source).Set(float64(run.Counts.Held))
	for _, r := range runs {
		if r.Result == connector.ResultOK {
			m.lastOK.WithLabelValues(r.Org, r.Source).Set(float64(r.Finished.Unix()))
			return
		}
	}
}

// refresh counts users, seats and domains; it is called after runs and now and then, not by each
// scrape.
func (m *metrics) refresh(ctx context.Context, s *site) error {
	for _, o := range s.orgs {
		id := o.Org.ID
		users, err := s.db.CountUsers(ctx, id)
		if err != nil {
			return err
		}
		for _, state := range connector.States() {
			m.users.WithLabelValues(id, string(state)).Set(float64(users[state]))
		}
		due, err := o.prov.CountDue(ctx, connector.DueSoon)
		if err != nil {
			return err
		}
		m.due.WithLabelValues(id).Set(float64(due))
		seats, err := s.db.Seats(ctx, id)
		if err != nil {
			return err
		}
		for _, c := range seats {
			m.seats.WithLabelValues(id, c.Package, "total").Set(float64(c.Seats))
			m.seats.WithLabelValues(id, c.Package, "used").Set(float64(c.Used))
			m.seats.WithLabelValues(id, c.Package, "waiting").Set(float64(c.Waiting))
		}
	}
	all, err := s.db.Domains(ctx, "")
	m.domains.Reset()
	for _, d := range all {
		proven := 0.0
		if d.Verified() {
			proven = 1
		}
		m.domains.WithLabelValues(d.Org, d.Name).Set(proven)
	}
	return err
}
