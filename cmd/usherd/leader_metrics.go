package main

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// leadMetrics tell who leads among replicas.
type leadMetrics struct {
	leads    prometheus.Gauge
	token    prometheus.Gauge
	terms    prometheus.Counter
	failed   prometheus.Counter
	replicas prometheus.Gauge
	differs  prometheus.Gauge
	since    prometheus.GaugeFunc

	renewed atomic.Pointer[func() float64] // how long ago, nil while this one does not lead
}

func newLeadMetrics() *leadMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &leadMetrics{
		leads:    gauge("usherd_leader", "1 while this replica leads: it alone does what happens by itself."),
		token:    gauge("usherd_leader_token", "The number of this replica's term while it leads, else 0. Each take-over has the next one."),
		terms:    counter("usherd_leader_takeovers_total", "Times that this replica has taken over the lead."),
		failed:   counter("usherd_leader_renewals_failed_total", "Times that the lead could not be renewed; some in a row, and it is lost."),
		replicas: gauge("usherd_replicas", "Replicas that serve the store, as far as this one knows."),
		differs:  gauge("usherd_replica_revision_differs", "1 while this replica has another configuration than the one that leads."),
	}
	m.replicas.Set(1)
	m.since = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "usherd_leader_renewal_age_seconds", Help: "How long ago the lead was renewed; 0 while another replica leads.",
	}, func() float64 {
		if age := m.renewed.Load(); age != nil {
			return (*age)()
		}
		return 0
	})
	return m
}

func (m *leadMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.leads, m.token, m.terms, m.failed, m.replicas, m.differs, m.since}
}

// renewal is told of each attempt to renew the lead.
func (m *leadMetrics) renewal(now func() time.Time) func(error) {
	return func(err error) {
		if err != nil {
			m.failed.Inc()
			return
		}
		m.renewedAt(now)
	}
}

func (m *leadMetrics) renewedAt(now func() time.Time) {
	at := now()
	age := func() float64 { return now().Sub(at).Seconds() }
	m.renewed.Store(&age)
}

func (m *leadMetrics) began(token int64, now func() time.Time) {
	m.leads.Set(1)
	m.token.Set(float64(token))
	m.terms.Inc()
	m.renewedAt(now)
}

// ledOnce takes back what is told by who leads only.
func (m *metrics) ledOnce() {
	m.lead.leads.Set(0)
	m.lead.token.Set(0)
	m.lead.renewed.Store(nil)
	m.next.Reset()
	m.following.Reset()
}
