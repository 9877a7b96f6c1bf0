package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"usherd/connector"
)

// subscriberCounts counts the subscribers of organizations with templates, when it is asked.
type subscriberCounts struct {
	daemon      *daemon
	subscribers *prometheus.Desc
}

func newSubscriberCounts(d *daemon) *subscriberCounts {
	return &subscriberCounts{d, prometheus.NewDesc("usherd_subscribers", "Subscribers by status.", []string{"org", "status"}, nil)}
}

// Describe implements prometheus.Collector.
func (x *subscriberCounts) Describe(c chan<- *prometheus.Desc) { c <- x.subscribers }

// Collect implements prometheus.Collector.
func (x *subscriberCounts) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	s := x.daemon.current()
	for _, o := range s.orgs {
		if len(o.Org.Templates) == 0 {
			continue
		}
		counts, err := s.db.CountSubscribers(ctx, o.Org.ID, "")
		if err != nil {
			c <- prometheus.NewInvalidMetric(x.subscribers, err)
			return
		}
		for _, status := range connector.SubscriberStatuses() {
			c <- prometheus.MustNewConstMetric(x.subscribers, prometheus.GaugeValue, float64(counts[status]), o.Org.ID, string(status))
		}
	}
}
