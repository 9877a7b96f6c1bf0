package scim

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what clients ask for. A nil Metrics counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	quirks   *prometheus.CounterVec
	lost     prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_scim_requests_total", Help: "Requests of clients that push, by method and status.",
		}, []string{"org", "source", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usherd_scim_request_seconds", Help: "How long requests of clients that push took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"org", "source", "method"}),
		quirks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_scim_quirks_total", Help: "What clients sent in a dialect, by quirk.",
		}, []string{"org", "source", "quirk"}),
	}
	m.lost = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "usherd_scim_log_lost_total", Help: "Rows of the request log that were dropped because the store did not take them in time.",
	})
	r.MustRegister(m.requests, m.seconds, m.quirks, m.lost)
	return m
}

// Lost counts rows of the request log that were dropped.
func (m *Metrics) Lost(rows int) { m.lost.Add(float64(rows)) }

func (m *Metrics) observe(x *exchange, a *answer) {
	if m == nil || x.source == "" { // whoever is not let in makes no series
		return
	}
	method := "other" // whatever a client makes up is one series
	switch x.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		method = x.r.Method
	}
	org := x.org.Settings.ID
	m.requests.WithLabelValues(org, x.source, method, strconv.Itoa(a.status)).Inc()
	m.seconds.WithLabelValues(org, x.source, method).Observe(x.s.o.Now().Sub(x.notes.began).Seconds())
	for _, q := range x.notes.quirks {
		m.quirks.WithLabelValues(org, x.source, q).Inc()
	}
}
