package main

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"usherd/api"
)

// keepAccess is how long access tokens that have ended are kept: whoever still sends one is told so.
const keepAccess = 24 * time.Hour

// housekeeping does what time alone asks for: holds expire, grace periods end, people are reminded of claims, old runs go.
func (d *daemon) housekeeping(ctx context.Context, s *site) error {
	var all error
	for _, o := range s.orgs {
		n, err := o.prov.ExpireHolds(ctx)
		if n > 0 {
			d.log.Warn("nobody decided in time", zap.String("org", o.Org.ID), zap.Int("expired", n), zap.String("what_to_do", "usherd runs --org "+o.Org.ID))
		}
		all = errors.Join(all, err, d.endGrace(ctx, s, o))
	}
	all = errors.Join(all, d.retrySubscribers(ctx, s), d.endClaims(ctx, s))
	_, err := s.db.Prune(ctx, d.app.now().Add(-keepOutcomes))
	_, late := s.db.DropTokens(ctx, d.app.now().Add(-keepAccess))
	_, files := s.db.DropRunFiles(ctx, d.app.now())
	answers := s.db.DropAnswers(ctx, d.app.now().Add(-api.KeepAnswers))
	return errors.Join(all, err, late, files, answers, s.db.DropLeases(ctx, presence), d.forgetRequests(ctx, s), d.forgetAttempts(ctx, s), d.forgetMails(ctx, s), d.forgetReports(ctx, s), d.offerSeats(ctx, s), d.metrics.refresh(ctx, s))
}

// retrySubscribers tries those again who may have lost what kept them from an account.
func (d *daemon) retrySubscribers(ctx context.Context, s *site) error {
	return s.retrySubscribers(ctx, func(o *org, n int) {
		d.log.Info("subscribers provisioned whose trouble has gone", zap.String("org", o.Org.ID), zap.Int("subscribers", n))
	})
}

const (
	// keepOrphans is how long the requests of clients are kept that the configuration does not have any more.
	keepOrphans = 30 * 24 * time.Hour
	// keepQuirks is how long a client is known for a leniency that it does not need any more.
	keepQuirks = 90 * 24 * time.Hour
)

// forgetRequests drops what the log has kept for longer than its clients want.
func (d *daemon) forgetRequests(ctx context.Context, s *site) error {
	now := d.app.now()
	all := errors.Join(s.db.DropAssertions(ctx, now), s.db.DropQuirks(ctx, now.Add(-keepQuirks)))
	orgs, err := s.db.RequestOrgs(ctx)
	all = errors.Join(all, err)
	for _, orgID := range orgs {
		sources, err := s.db.RequestClients(ctx, orgID)
		all = errors.Join(all, err)
		for _, source := range sources {
			n, err := s.db.DropRequests(ctx, orgID, source, now.Add(-s.keepsRequests(orgID, source)))
			all = errors.Join(all, err)
			if n > 0 {
				d.log.Info("old requests forgotten", zap.String("org", orgID), zap.String("source", source), zap.Int("requests", n))
			}
		}
	}
	return all
}

// keepsRequests says how long the requests of a client are kept.
func (s *site) keepsRequests(orgID, source string) time.Duration {
	for _, o := range s.orgs {
		if c := o.Clients[source]; o.Org.ID == orgID && c != nil {
			return c.KeepLog
		}
	}
	return keepOrphans
}

// endGrace deletes whose grace period is over, so that it does not take a full run to do it.
func (d *daemon) endGrace(ctx context.Context, s *site, o *org) error {
	var all error
	for _, src := range o.Org.Sources {
		run, err := o.prov.EndGrace(ctx, src.ID, s.file.Revision)
		all = errors.Join(all, err)
		if run != nil && told(run, err) {
			d.metrics.ended(run)
			d.tell(run)
		}
	}
	n, err := o.prov.EndGraceUnlinked(ctx)
	if n > 0 {
		d.log.Info("users of no source deleted", zap.String("org", o.Org.ID), zap.Int("deleted", n))
	}
	return errors.Join(all, err)
}

// endClaims reminds people of claims, and ends those where they have not decided in time or that nobody could decide.
func (d *daemon) endClaims(ctx context.Context, s *site) error {
	done, err := s.claims.ExpireClaims(ctx)
	if done.Reminded+done.Expired+done.Cancelled > 0 {
		d.log.Info("claims", zap.Int("reminded", done.Reminded), zap.Int("ended_by_time", done.Expired), zap.Int("cancelled", done.Cancelled))
	}
	if done.Blocked > 0 {
		d.log.Warn("claims of organizations that are gone cannot be cancelled: the accounts have no seat or no name where they were",
			zap.Int("claims", done.Blocked), zap.String("what_to_do", "see them with usherd claim list --org ORG --lost --status open, free a seat or a name there; it is tried again every hour"))
	}
	return err
}
