package main

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"usherd/connector"
	"usherd/connector/store"
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
	tokens   *prometheus.GaugeVec

	following *prometheus.GaugeVec
	delay     *prometheus.HistogramVec
	missed    *prometheus.GaugeVec
	trouble   *prometheus.GaugeVec
	lead      *leadMetrics
}

func newMetrics() *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(), lead: newLeadMetrics(),
		runs: counter("usherd_runs_total", "Runs that have ended, by result.", "org", "source", "result"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usherd_run_duration_seconds", Help: "How long runs took.", Buckets: prometheus.ExponentialBuckets(0.01, 3, 12),
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
		tokens:  gauge("usherd_token_end_timestamp_seconds", "When a token of a source that pushes ends, or has ended; revoked ones and those without an end are not shown.", "org", "source", "token"),
		reloads: counter("usherd_config_reloads_total", "Reloads of the configuration, by result.", "result"),

		following: gauge("usherd_source_following", "1 while the changes of the source are applied as they happen.", "org", "source"),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usherd_change_delay_seconds", Help: "From a change in the directory, by its own clock, to the stored user. Some directories tell whole seconds only.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300},
		}, []string{"org", "source"}),
		missed:  gauge("usherd_source_missed_people", "People whom the last full run found changed without the feed of changes telling; should be 0.", "org", "source"),
		trouble: gauge("usherd_source_failures", "Runs of the source that have failed in a row; from 3 on it is in quarantine.", "org", "source"),
	}
	info := gauge("usherd_build_info", "Always 1.", "version", "go")
	info.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info,
		m.runs, m.seconds, m.people, m.lastOK, m.next, m.entries, m.held, m.users, m.seats, m.due, m.domains, m.reloads, m.tokens,
		m.following, m.delay, m.missed, m.trouble)
	m.registry.MustRegister(m.lead.all()...)
	for _, result := range []string{reloadOK, reloadRefused} {
		m.reloads.WithLabelValues(result) // from 0 on, so that the first one is an increase
	}
	return m
}

// watch counts what the store is asked.
func (m *metrics) watch(db *store.DB) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "usherd_store_statements_total", Help: "SQL statements that were run, transactions begun and ended included.",
	}, func() float64 { return float64(db.Statements()) }))
}

// ended counts a run.
func (m *metrics) ended(run *connector.Run) {
	m.runs.WithLabelValues(run.Org, run.Source, string(run.Result)).Inc()
	m.seconds.WithLabelValues(run.Org, run.Source).Observe(run.Finished.Sub(run.Started).Seconds())
	if run.Mode == connector.ModeFull {
		m.entries.WithLabelValues(run.Org, run.Source).Set(float64(run.Entries))
	}
	if run.Mode == connector.ModeFull || run.Mode == connector.ModeGrace {
		m.held.WithLabelValues(run.Org, run.Source).Set(float64(run.Counts.Held))
	}
	if run.Result == connector.ResultOK && run.Mode != connector.ModeGrace {
		m.lastOK.WithLabelValues(run.Org, run.Source).Set(float64(run.Finished.Unix()))
	}
	if run.Missed != nil {
		m.missed.WithLabelValues(run.Org, run.Source).Set(float64(*run.Missed))
	}
	m.counted(run, run.Counts)
}

// counted adds people of a run.
func (m *metrics) counted(run *connector.Run, c connector.Counts) {
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
		for source := range o.Directories {
			trouble, err := s.trouble(ctx, target{org: o, id: source, src: o.sources[source]})
			if err != nil {
				return err
			}
			m.trouble.WithLabelValues(id, source).Set(float64(trouble.Failures))
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
	if err := m.refreshTokens(ctx, s); err != nil {
		return err
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

// refreshTokens tells when each token ends, so that an alarm can come before an identity provider falls silent.
func (m *metrics) refreshTokens(ctx context.Context, s *site) error {
	list, err := s.lastingTokens(ctx, "", "")
	if err != nil {
		return err
	}
	m.tokens.Reset()
	for i := range list {
		if k := &list[i]; k.RevokedAt.IsZero() && !k.EndsAt.IsZero() && s.hasBearer(k) {
			m.tokens.WithLabelValues(k.Org, k.Source, k.ID.Short()).Set(float64(k.EndsAt.Unix()))
		}
	}
	return nil
}
