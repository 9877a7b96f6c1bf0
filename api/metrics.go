package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usherd/connector"
)

// Metrics count requests of programs. A nil Metrics counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refusals *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_api_requests_total", Help: "Requests of programs, by what was asked for and by status.",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usherd_api_request_seconds", Help: "How long requests of programs took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"operation"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_api_sign_ins_refused_total", Help: "Sign-ins and new passwords that applications asked for and that were refused, by the number of the failure.",
		}, []string{"org", "code"}),
	}
	r.MustRegister(m.requests, m.seconds, m.refusals)
	return m
}

// answered counts a request by the pattern of its operation, such as "GET /api/v1/orgs/{org}/users".
func (m *Metrics) answered(pattern string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(pattern, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(pattern).Observe(took.Seconds())
}

// refused counts somebody who may not sign in.
func (m *Metrics) refused(org string, code connector.Code) {
	if m == nil {
		return
	}
	m.refusals.WithLabelValues(org, strconv.Itoa(int(code))).Inc()
}
