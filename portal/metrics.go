package portal

import (
	"github.com/prometheus/client_golang/prometheus"

	"usherd/connector"
)

// Metrics count what people do who activate themselves. A nil Metrics counts nothing.
type Metrics struct {
	activations *prometheus.CounterVec
}

// The steps of an activation.
const (
	stepAsked     = "asked"     // the form was sent
	stepActivated = "activated" // by a link, with an account at its end
	stepWaits     = "waits"     // by a link; the account is one of another organization, and is claimed first
	stepRefused   = "refused"   // by a link, for the reason that is told
)

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{activations: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usherd_activations_total",
		Help: "Steps of people who activate themselves at the portal: asked, activated, waits, refused, with the reason of a refusal.",
	}, []string{"org", "step", "reason"})}
	r.MustRegister(m.activations)
	return m
}

// know has the counts of an organization begin at 0, so that the first of each is an increase.
func (m *Metrics) know(org string, reasons []connector.Reason) {
	if m == nil {
		return
	}
	for _, step := range []string{stepAsked, stepActivated, stepWaits} {
		m.activations.WithLabelValues(org, step, "")
	}
	for _, reason := range reasons {
		m.activations.WithLabelValues(org, stepRefused, string(reason))
	}
}

func (m *Metrics) asked(org string) {
	if m != nil {
		m.activations.WithLabelValues(org, stepAsked, "").Inc()
	}
}

// used counts what the use of a link has come to.
func (m *Metrics) used(s *connector.Subscriber) {
	if m == nil {
		return
	}
	step, reason := stepWaits, connector.Reason("")
	switch {
	case s.Status == connector.Provisioned:
		step = stepActivated
	case s.Failure != nil:
		step, reason = stepRefused, s.Failure.Reason
	}
	m.activations.WithLabelValues(s.Org, step, string(reason)).Inc()
}
