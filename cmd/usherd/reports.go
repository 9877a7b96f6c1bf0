package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/notice"
	"usherd/connector/report"
)

func (a *app) reportsCmd() *cobra.Command {
	var o outputFlag
	var orgID, state, to, before string
	var n int
	cmd := &cobra.Command{
		Use: "reports", Short: "Show what administrators were told, by mail and by webhooks",
		Long: `reports shows what the recipients and webhooks of the block reports were told, or will be, the latest first, with what
webhooks answered. Webhooks that fail are tried again by themselves, with growing pauses, for more than a day; what has
failed is tried again by usherd reports retry. A mail counts as sent when it is in the outbox: see usherd mail. Reports
that are done are kept for 30 days.`,
		Example: "  usherd reports\n  usherd reports --to chat --state failed -o json\n  usherd reports test --to chat\n  usherd reports retry --all",
		Args:    noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := connector.DeliveryQuery{Org: orgID, State: connector.DeliveryState(state), Target: to, Limit: n}
			if state != "" && !slices.Contains(connector.DeliveryStates(), q.State) {
				return usagef("--state %q: waiting, failed or sent", state)
			}
			if err := q.Before.UnmarshalText([]byte(before)); err != nil {
				return usagef("--before: %v", err)
			}
			if err := limit(n); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.showReports(cmd.Context(), s, q, o) })
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&state, "state", "", "waiting, failed or sent (default: all)")
	cmd.Flags().StringVar(&to, "to", "", "recipient or webhook, as the configuration calls it")
	cmd.Flags().StringVar(&before, "before", "", "only older ones than the report with this id: the next page")
	cmd.Flags().IntVar(&n, "limit", 50, "at most so many")
	o.add(cmd, "text", "json")
	cmd.AddCommand(a.reportsTestCmd(), a.reportsRetryCmd())
	return cmd
}

func (a *app) showReports(ctx context.Context, s *site, q connector.DeliveryQuery, o outputFlag) error {
	if q.Org != "" {
		if _, err := s.org(q.Org); err != nil {
			return err
		}
	}
	list, err := s.db.Deliveries(ctx, q)
	if err != nil {
		return err
	}
	if o.json() {
		out := make([]api.Report, len(list))
		for i := range list {
			out[i] = api.NewReport(&list[i])
		}
		return writeJSON(a.out, map[string]any{"reports": out})
	}
	if len(list) == 0 {
		if _, err := fmt.Fprintln(a.out, "nobody was told anything"); err != nil {
			return err
		}
	} else if err := a.reportTable(list); err != nil {
		return err
	}
	if len(s.file.Config.Reports.Targets()) == 0 {
		fmt.Fprintln(a.err, "warning: the configuration has no reports block with recipients or webhooks: nobody is told")
	}
	return nil
}

func (a *app) reportTable(list []connector.Delivery) error {
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Report"}, report.Column{Title: "Organization", Spare: true}, report.Column{Title: "Event"},
		report.Column{Title: "To", Flex: true}, report.Column{Title: "State"}, report.Column{Title: "At", Spare: true}, report.Column{Title: "Tries", Spare: true},
		report.Column{Title: "Answer", Flex: true, Spare: true})
	for i := range list {
		d := &list[i]
		text := d.Answer
		if d.Code != 0 {
			text = strconv.Itoa(d.Code) + " " + text
		}
		if !d.Mail.IsZero() {
			text = "mail " + d.Mail.String()
		}
		kind := string(d.Notice.Kind)
		if d.Notice.Data.Test {
			kind += " (test)"
		}
		tab.Row(d.ID.String(), d.Notice.Org, kind, d.Target, string(d.State), d.Notice.At.UTC().Format(time.DateTime), strconv.Itoa(d.Attempts), dash(text))
	}
	return tab.Flush()
}

func (a *app) reportsTestCmd() *cobra.Command {
	var orgID, to string
	cmd := &cobra.Command{
		Use: "test --to NAME", Short: "Send one report of each event to a recipient or webhook", Args: noArgs,
		Long: `test puts one report of each event that a recipient or webhook wants on its way to it, marked as a test: a daemon sends
them within seconds. Nothing of what they tell has happened.`,
		Example: "  usherd reports test --to it-desk\n  usherd reports test --to chat --org acme",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return usagef("--to NAME: say which recipient or webhook of the configuration")
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.testReports(cmd.Context(), s, orgID, to) })
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: the first one of which it is told)")
	cmd.Flags().StringVar(&to, "to", "", "recipient or webhook, as the configuration calls it")
	return cmd
}

func (a *app) testReports(ctx context.Context, s *site, orgID, to string) error {
	settings := s.reports()
	i := slices.IndexFunc(settings.Targets, func(t notice.Target) bool { return t.Name == to })
	if i < 0 {
		return &connector.Error{
			Kind: connector.NotFound, Op: "reports test", Err: fmt.Errorf("the configuration has no recipient or webhook %q", to), Hint: "see reports.recipients and reports.webhooks",
		}
	}
	t := &settings.Targets[i]
	if orgID == "" {
		orgID = settings.Organizations[0]
		if t.Organizations != nil {
			orgID = t.Organizations[0]
		}
	}
	if _, err := s.org(orgID); err != nil {
		return err
	}
	if t.Organizations != nil && !slices.Contains(t.Organizations, orgID) {
		return usagef("--org %s: %s is not told of it", orgID, to)
	}
	n, now := 0, a.now()
	err := s.db.Write(ctx, func(tx connector.Tx) (err error) {
		if n, err = notice.Test(ctx, tx, t, orgID, now); err != nil {
			return err
		}
		return tx.PutAudit(ctx, connector.AuditEntry{
			Org: orgID, At: now, Actor: connector.ActorOf(ctx), Action: connector.AuditReportTested, Target: "recipient " + to,
			Details: map[string]string{"reports": strconv.Itoa(n)},
		})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s to %s on the way; see what becomes of them with: usherd reports --to %s\n", plural(n, "report"), to, to)
	return err
}

func (a *app) reportsRetryCmd() *cobra.Command {
	return a.retryCmd("reports", "report", func(ctx context.Context, s *site, orgID string, ids []string) (int, error) {
		return s.retryReports(ctx, orgID, ids, a.now())
	})
}

// retryReports has the reports with these ids tried again, or without ids all that have failed.
func (s *site) retryReports(ctx context.Context, orgID string, ids []string, now time.Time) (retried int, err error) {
	if orgID != "" {
		if _, err := s.org(orgID); err != nil {
			return 0, err
		}
	}
	if len(ids) == 0 {
		for _, o := range s.orgs {
			if orgID != "" && o.Org.ID != orgID {
				continue
			}
			n, err := s.db.RetryDeliveries(ctx, o.Org.ID, now)
			if retried += n; err != nil {
				return retried, err
			}
		}
		return retried, nil
	}
	for _, text := range ids {
		id, err := connector.ParseID(text)
		if err != nil {
			return retried, usagef("%q: %v", text, err)
		}
		d, ok, err := s.db.Delivery(ctx, id)
		if ok = ok && (orgID == "" || d.Notice.Org == orgID); err == nil && ok {
			ok, err = s.db.RetryDelivery(ctx, d.Notice.Org, id, now)
		}
		if err != nil {
			return retried, err
		}
		if !ok {
			return retried, &connector.Error{
				Kind: connector.NotFound, Op: "reports retry", Err: fmt.Errorf("no report %s waits or has failed", text), Hint: "see them with: usherd reports",
			}
		}
		retried++
	}
	return retried, nil
}
