package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/report"
)

func (a *app) mailCmd() *cobra.Command {
	var o outputFlag
	var orgID, state, to, before string
	var n int
	cmd := &cobra.Command{
		Use: "mail", Short: "Show the outbox: mails that wait, were sent, or have failed",
		Long: `mail shows the mails of the outbox, the latest first, with the words of the mail server. Those that wait are tried again by
themselves, with growing pauses, for three days; what has failed is tried again by usherd mail retry. Links are not
shown: what they open does not stand in the store. Mails that are done are kept for 30 days.`,
		Example: "  usherd mail\n  usherd mail --state failed -o json\n  usherd mail --to ann@example.com\n  usherd mail retry --all",
		Args:    noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := connector.MailQuery{State: connector.MailState(state), To: to, Limit: n}
			if state != "" && !slices.Contains(connector.MailStates(), q.State) {
				return usagef("--state %q: asked, waiting, failed or sent", state)
			}
			if err := q.Before.UnmarshalText([]byte(before)); err != nil {
				return usagef("--before: %v", err)
			}
			if err := limit(n); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.showMails(cmd.Context(), s, orgID, q, o) })
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&state, "state", "", "asked, waiting, failed or sent (default: all)")
	cmd.Flags().StringVar(&to, "to", "", "address that it is for")
	cmd.Flags().StringVar(&before, "before", "", "only older ones than the mail with this id: the next page")
	cmd.Flags().IntVar(&n, "limit", 50, "at most so many of each organization")
	o.add(cmd, "text", "json")
	cmd.AddCommand(a.mailRetryCmd())
	return cmd
}

// mailOrgs are the organizations that are meant: the one, or all that have mails.
func (s *site) mailOrgs(ctx context.Context, orgID string) ([]string, error) {
	if orgID == "" {
		return s.db.MailOrgs(ctx)
	}
	o, err := s.org(orgID)
	if err != nil {
		return nil, err
	}
	return []string{o.Org.ID}, nil
}

// mailCounts are how many mails of an organization are in each state.
func (s *site) mailCounts(ctx context.Context, orgID string) (map[connector.MailState]int, error) {
	counts := map[connector.MailState]int{}
	for _, state := range connector.MailStates() {
		n, err := s.db.CountMails(ctx, orgID, state)
		if err != nil {
			return nil, err
		}
		counts[state] = n
	}
	return counts, nil
}

func (a *app) showMails(ctx context.Context, s *site, orgID string, q connector.MailQuery, o outputFlag) error {
	orgs, err := s.mailOrgs(ctx, orgID)
	if err != nil {
		return err
	}
	mails, counts := []connector.Mail{}, map[string]map[connector.MailState]int{}
	for _, id := range orgs {
		q.Org = id
		list, err := s.db.Mails(ctx, q)
		if err != nil {
			return err
		}
		if counts[id], err = s.mailCounts(ctx, id); err != nil {
			return err
		}
		mails = append(mails, list...)
	}
	if o.json() {
		out := make([]api.Mail, len(mails))
		for i := range mails {
			out[i] = api.NewMail(&mails[i])
		}
		return writeJSON(a.out, map[string]any{"mails": out, "counts": counts})
	}
	if err := a.mailTable(mails); err != nil {
		return err
	}
	for _, id := range orgs {
		parts := make([]string, 0, 4)
		for _, state := range connector.MailStates() {
			if n := counts[id][state]; n > 0 {
				parts = append(parts, strconv.Itoa(n)+" "+string(state))
			}
		}
		fmt.Fprintf(a.out, "%s: %s\n", id, dash(strings.Join(parts, ", ")))
	}
	if len(orgs) == 0 {
		fmt.Fprintln(a.out, "the outbox is empty")
	}
	if s.file.Config.Mail == nil {
		fmt.Fprintln(a.err, "warning: the configuration has no mail block: nothing is sent")
	}
	return nil
}

func (a *app) mailTable(mails []connector.Mail) error {
	if len(mails) == 0 {
		return nil
	}
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Mail"}, report.Column{Title: "Organization", Spare: true}, report.Column{Title: "To", Flex: true},
		report.Column{Title: "Kind"}, report.Column{Title: "State"}, report.Column{Title: "Written", Spare: true}, report.Column{Title: "Tries", Spare: true}, report.Column{Title: "Answer", Flex: true, Spare: true})
	for i := range mails {
		m := &mails[i]
		text := m.Answer
		if m.Code != 0 {
			text = strconv.Itoa(m.Code) + " " + text
		}
		tab.Row(m.ID.String(), m.Org, m.To, string(m.Kind), string(m.State), m.At.UTC().Format(time.DateTime), strconv.Itoa(m.Attempts), dash(text))
	}
	return tab.Flush()
}

func (a *app) mailRetryCmd() *cobra.Command {
	return a.retryCmd("mail", "mail", func(ctx context.Context, s *site, orgID string, ids []string) (int, error) {
		orgs, err := s.mailOrgs(ctx, orgID)
		if err != nil {
			return 0, err
		}
		return s.retryMails(ctx, orgs, ids, a.now())
	})
}

// retryCmd, below a command, has things that are on their way to people, called by noun, tried again: those with these ids, or, without any, all that
// have failed.
func (a *app) retryCmd(command, noun string, retry func(ctx context.Context, s *site, orgID string, ids []string) (int, error)) *cobra.Command {
	var orgID string
	var all bool
	cmd := &cobra.Command{
		Use: "retry ID… | --all", Short: "Have " + noun + "s tried again now that have failed, or wait",
		Example: fmt.Sprintf("  usherd %s retry 0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f\n  usherd %s retry --org acme --all", command, command),
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usagef("name the %ss by their ids, or write --all for those that have failed", noun)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				n, err := retry(cmd.Context(), s, orgID, args)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "%s will be tried again\n", plural(n, noun))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	cmd.Flags().BoolVar(&all, "all", false, "all that have failed")
	return cmd
}

// retryMails has the mails with these ids tried again, or without ids all that have failed.
func (s *site) retryMails(ctx context.Context, orgs, ids []string, now time.Time) (retried int, err error) {
	if len(ids) == 0 {
		for _, org := range orgs {
			n, err := s.db.RetryMails(ctx, org, now)
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
		found := false
		for _, org := range orgs {
			ok, err := s.db.RetryMail(ctx, org, id, now)
			if err != nil {
				return retried, err
			}
			found = found || ok
		}
		if !found {
			return retried, &connector.Error{
				Kind: connector.NotFound, Op: "mail retry", Err: fmt.Errorf("no mail %s waits or has failed", text), Hint: "see them with: usherd mail",
			}
		}
		retried++
	}
	return retried, nil
}
