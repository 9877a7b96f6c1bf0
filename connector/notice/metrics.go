package notice

import (
	"github.com/prometheus/client_golang/prometheus"

	"usherd/connector"
)

// Metrics count deliveries. One that is nil counts nothing.
type Metrics struct{ sent *prometheus.CounterVec }

// The results of attempts to deliver.
const (
	sent   = "sent"
	failed = "failed" // given up
	again  = "again"  // tried again later
)

func (m *Metrics) count(channel connector.Channel, ok bool, n int) {
	result := failed
	if ok {
		result = sent
	}
	m.add(channel, result, n)
}

func (m *Metrics) add(channel connector.Channel, result string, n int) {
	if m != nil {
		m.sent.WithLabelValues(string(channel), result).Add(float64(n))
	}
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usherd_reports_sent_total", Help: "Reports to administrators by way (mail: written into the outbox; webhook) and result: sent, again (tried again later), failed (given up).",
	}, []string{"kind", "result"})}
	for _, channel := range []connector.Channel{connector.ByMail, connector.ByWebhook} {
		for _, result := range []string{sent, failed, again} {
			m.sent.WithLabelValues(string(channel), result) // from 0 on, so that the first one is an increase
		}
	}
	r.MustRegister(m.sent)
	return m
}
