package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

func (a *app) claimList(orgID *string) *cobra.Command {
	var o outputFlag
	var status string
	var q connector.ClaimQuery
	cmd := &cobra.Command{
		Use: "list", Short: "List the claims of an organization, latest first", Args: noArgs,
		Example: "  usherd claim list --org acme --status open\n  usherd claim list --org globex --lost",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if status != "" && !slices.Contains(connector.ClaimStatuses(), connector.ClaimStatus(status)) {
				return usagef("%q is no status: %s", status, wordsOf(connector.ClaimStatuses()))
			}
			if err := limit(q.Limit); err != nil {
				return err
			}
			return a.withClaims(cmd.Context(), *orgID, func(s *site, org *org) error {
				q.Org, q.Status = org.Org.ID, connector.ClaimStatus(status)
				return a.listClaims(cmd.Context(), s, q, o)
			})
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "only this status: "+wordsOf(connector.ClaimStatuses()))
	cmd.Flags().BoolVar(&q.Lost, "lost", false, "those that other organizations have made of its users")
	cmd.Flags().IntVar(&q.Limit, "limit", 100, "how many; 0 = all")
	o.add(cmd, "text", "json")
	return cmd
}

func (a *app) listClaims(ctx context.Context, s *site, q connector.ClaimQuery, o outputFlag) error {
	list := []api.Claim{}
	more, err := pages(q.Limit, func(_ string, limit int) (page []connector.Claim, next string, err error) {
		q.Limit = limit + 1
		if page, err = s.db.Claims(ctx, q); err == nil && len(page) > limit {
			page, q.Before = page[:limit], page[limit-1].ID
			next = q.Before.String()
		}
		return page, next, err
	}, func(c connector.Claim) error {
		list = append(list, api.NewClaim(&c, a.now(), q.Lost))
		return nil
	})
	if err != nil {
		return err
	}
	if o.json() {
		return writeJSON(a.out, map[string]any{"claims": list})
	}
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Email", Flex: true}, report.Column{Title: "Status"}, report.Column{Title: "Claimed"},
		report.Column{Title: "Until"}, report.Column{Title: "Choice"}, report.Column{Title: "Id"})
	for i := range list {
		c := &list[i]
		tab.Row(c.Email, string(c.Status), date(c.At), date(c.Until), string(c.Choice), c.ID)
	}
	if err := a.endTable(tab, "no such claims"); err != nil {
		return err
	}
	a.tellMore(more)
	return nil
}

// findClaim returns a claim of the organization by its id.
func (s *site) findClaim(ctx context.Context, o *org, text string) (*connector.Claim, error) {
	id, err := connector.ParseID(text)
	if err != nil {
		return nil, usagef("%q is no claim: %s; see them with: usherd claim list", text, err)
	}
	return s.db.Claim(ctx, o.Org.ID, id)
}

func (a *app) claimShow(orgID *string) *cobra.Command {
	var o outputFlag
	cmd := &cobra.Command{
		Use: "show CLAIM", Short: "Show one claim", Args: exactArgs("the id of the claim"),
		Example: "  usherd claim show 0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClaims(cmd.Context(), *orgID, func(s *site, org *org) error {
				c, err := s.findClaim(cmd.Context(), org, args[0])
				if err != nil {
					return err
				}
				if o.json() {
					return writeJSON(a.out, api.NewClaim(c, a.now(), false))
				}
				return a.tellClaim(c)
			})
		},
	}
	o.add(cmd, "text", "json")
	return cmd
}

func (a *app) tellClaim(c *connector.Claim) error {
	fmt.Fprintf(a.out, "%s: claimed by %s at %s, was %s\n", c.Email, c.Actor, date(c.At), c.Was)
	switch c.Status {
	case connector.ClaimOpen:
		fmt.Fprintf(a.out, "open: %s left, until %s; then the data goes along\n", plural(c.DaysLeft(a.now()), "day"), date(c.Until))
	case connector.ClaimDecided:
		fmt.Fprintf(a.out, "decided at %s by %s: %s\n", date(c.DecidedAt), c.DecidedBy, c.Choice)
	case connector.ClaimExpired:
		fmt.Fprintf(a.out, "nobody decided until %s: the data went along\n", date(c.Until))
	case connector.ClaimEnded:
		fmt.Fprintf(a.out, "ended at %s without a decision: the user was deleted, or claimed by another organization\n", date(c.DecidedAt))
	case connector.ClaimCancelled:
		fmt.Fprintf(a.out, "cancelled at %s: %s\n", date(c.DecidedAt), c.DecidedBy)
	}
	_, err := fmt.Fprintf(a.out, "user %s, before that %s\n", c.User, c.FromUser)
	return err
}

func (a *app) claimRemind(orgID *string) *cobra.Command {
	return &cobra.Command{
		Use: "remind CLAIM", Short: "Send the person the mail with the link again", Args: exactArgs("the id of the claim"),
		Long: `remind is for people who have not decided yet; the daemon reminds them by itself 7 days, 3 days and 1 day before the end. A
mail that is less than an hour old is not sent again.`,
		Example: "  usherd claim remind 0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClaims(cmd.Context(), *orgID, func(s *site, org *org) error {
				c, err := s.findClaim(cmd.Context(), org, args[0])
				if err == nil {
					c, err = s.claims.RemindClaim(cmd.Context(), org.Org.ID, c.ID)
				}
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "%s is reminded: %s left\n", c.Email, plural(c.DaysLeft(a.now()), "day"))
				return err
			})
		},
	}
}

func (a *app) claimDecide(orgID *string) *cobra.Command {
	var choice string
	cmd := &cobra.Command{
		Use: "decide CLAIM --choice move|delete", Short: "End a claim in the person's place", Args: exactArgs("the id of the claim"),
		Long: `decide is for people who cannot use the link that they got by mail. To keep the old account under another address
that address has to be proved, so only the person can choose that, in the portal.`,
		Example: "  usherd claim decide 0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f --choice move",
		RunE: func(cmd *cobra.Command, args []string) error {
			if choice != string(connector.ClaimMove) && choice != string(connector.ClaimDelete) {
				return usagef("--choice %q: say move or delete", choice)
			}
			return a.withClaims(cmd.Context(), *orgID, func(s *site, org *org) error {
				c, err := s.findClaim(cmd.Context(), org, args[0])
				if err == nil {
					c, _, err = s.claims.DecideClaim(cmd.Context(), provision.ClaimDecision{
						Org: org.Org.ID, Claim: c.ID, Choice: connector.ClaimChoice(choice), Actor: actor(),
					})
				}
				if err != nil {
					return err
				}
				return a.tellClaim(c)
			})
		},
	}
	cmd.Flags().StringVar(&choice, "choice", "", "what becomes of the old account's data: move | delete")
	return cmd
}
