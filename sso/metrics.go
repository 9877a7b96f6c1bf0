package sso

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"usherd/connector"
)

// Metrics count sign-ins. A nil Metrics counts nothing.
type Metrics struct {
	attempts  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	throttled *prometheus.CounterVec
	skew      *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_sso_sign_ins_total", Help: "Attempts to sign in, by the number of the failure; 0 = signed in.",
		}, []string{"org", "source", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usherd_sso_sign_in_seconds", Help: "How long responses of identity providers took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"org", "source"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_sso_throttled_total", Help: "Requests that were not looked at because too many came at a time.",
		}, []string{"org", "source"}),
	}
	m.skew = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "usherd_sso_clock_skew_seconds",
		Help: "Our clock, less the time at which the latest signed response says that it was issued: a little above 0 is its way, below 0 the identity provider's clock is ahead.",
	}, []string{"org", "source"})
	r.MustRegister(m.attempts, m.seconds, m.throttled, m.skew)
	return m
}

func (m *Metrics) attempt(a connector.Attempt) {
	if m == nil {
		return
	}
	m.attempts.WithLabelValues(a.Org, a.Source, strconv.Itoa(int(a.Code))).Inc()
	m.seconds.WithLabelValues(a.Org, a.Source).Observe(a.Took.Seconds())
	if skew, ok := a.Skew(); ok {
		m.skew.WithLabelValues(a.Org, a.Source).Set(skew.Seconds())
	}
}

func (m *Metrics) throttle(org, source string) {
	if m != nil {
		m.throttled.WithLabelValues(org, source).Inc()
	}
}
