package notify

import (
	"github.com/prometheus/client_golang/prometheus"

	"usherd/connector"
)

// Metrics count mails. One that is nil counts nothing.
type Metrics struct {
	sent, failed *prometheus.CounterVec
}

func (m *Metrics) countSent(kind connector.MailKind) {
	if m != nil {
		m.sent.WithLabelValues(string(kind)).Inc()
	}
}

func (m *Metrics) countFailed(kind connector.MailKind) {
	if m != nil {
		m.failed.WithLabelValues(string(kind)).Inc()
	}
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	kind := []string{"kind"}
	m := &Metrics{
		sent:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "usherd_mail_sent_total", Help: "Mails that the server has taken."}, kind),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "usherd_mail_failed_total", Help: "Mails that were given up."}, kind),
	}
	r.MustRegister(m.sent, m.failed)
	return m
}
