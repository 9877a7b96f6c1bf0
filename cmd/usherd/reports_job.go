package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"usherd/connector/notice"
)

// keepReports is how long reports are kept that have arrived, or were given up.
const keepReports = 30 * 24 * time.Hour

// newReporter puts together who tells administrators while this daemon leads.
func (d *daemon) newReporter() *notice.Reporter {
	return notice.New(notice.Options{
		Store: d.site.db, Settings: func() notice.Settings { return d.current().reports() },
		Conditions: func(ctx context.Context) ([]notice.Condition, error) { return d.conditions(ctx, d.current()) },
		Now:        d.app.now, Log: d.log, Metrics: notice.NewMetrics(d.metrics.registry),
	})
}

// reports are who is told of what.
func (s *site) reports() notice.Settings {
	out := notice.Settings{Targets: s.file.Config.Reports.Targets()}
	for _, o := range s.orgs {
		out.Organizations = append(out.Organizations, o.Org.ID)
	}
	if c := s.file.Config.Console; c != nil {
		out.Console = c.URL
	}
	return out
}

// forgetReports drops reports that are done.
func (d *daemon) forgetReports(ctx context.Context, s *site) error {
	n, err := s.db.DropDeliveries(ctx, d.app.now().Add(-keepReports))
	if n > 0 {
		d.log.Info("old reports forgotten", zap.Int("reports", n))
	}
	return err
}
