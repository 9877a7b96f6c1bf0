package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/provision"
)

func (a *app) inviteCmd() *cobra.Command {
	var o outputFlag
	var orgID string
	var all bool
	var perMinute int
	again := connector.Duration(24 * time.Hour)
	cmd := &cobra.Command{
		Use: "invite KEY… | --all-not-verified", Short: "Send invitations: links by which people prove their address",
		Long: `invite writes invitations into the outbox, from where the daemon that leads sends them. Whoever uses the link of one has proven
the address and becomes verified. A link works once, for 7 days; older ones of the same person go on working. Somebody who
is not not_verified, or waits for approval, is left out. With --all-not-verified those are left out too who were invited
within --again-after, so that the command can be repeated; people who are named are always invited.`,
		Example: "  usherd invite ann@example.com\n  usherd invite --org acme --all-not-verified --rate 60\n  usherd invite --org acme --all-not-verified --again-after 7d",
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usagef("name the users, or write --all-not-verified")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if perMinute < 0 {
				return usagef("--rate %d: a number of mails a minute, or 0 for all at once", perMinute)
			}
			req := provision.InviteRequest{PerSecond: float64(perMinute) / 60}
			if all {
				req.Again = time.Duration(again)
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.invite(cmd.Context(), s, orgID, args, req, o) })
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (may be left out when there is only one)")
	cmd.Flags().BoolVar(&all, "all-not-verified", false, "everybody who is not_verified")
	cmd.Flags().IntVar(&perMinute, "rate", 0, "mails that become due in a minute (default: all at once, as fast as mail.rate sends them)")
	cmd.Flags().TextVar(&again, "again-after", again, "leave out who was invited within this `time`, such as 12h or 7d; 0s leaves nobody out")
	o.add(cmd, "text", "json")
	return cmd
}

// invite invites the users of these keys, or, without any, all that are not_verified.
func (a *app) invite(ctx context.Context, s *site, orgID string, keys []string, req provision.InviteRequest, o outputFlag) error {
	x, err := s.org(orgID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		u, err := s.findUser(ctx, x, key)
		if err != nil {
			return err
		}
		req.Users = append(req.Users, u.ID)
	}
	sum, err := x.prov.Invite(ctx, req)
	if err != nil {
		return err
	}
	if len(keys) > 0 && sum.Invited < len(keys) {
		a.worse(exitFailed)
	}
	if o.json() {
		return writeJSON(a.out, map[string]any{
			"org": x.Org.ID, "invited": sum.Invited, "left_out_recent": sum.Recent, "left_out_others": sum.Others, "mail_configured": s.file.Config.Mail != nil,
		})
	}
	fmt.Fprintf(a.out, "%s written into the outbox\n", plural(sum.Invited, "invitation"))
	if sum.Recent > 0 {
		fmt.Fprintf(a.out, "left out: %s invited within %s\n", plural(sum.Recent, "user"), connector.Duration(req.Again))
	}
	if sum.Others > 0 {
		fmt.Fprintf(a.out, "left out: %s not not_verified, without an address, or waiting for approval\n", plural(sum.Others, "user"))
	}
	if sum.Invited > 0 && s.file.Config.Mail == nil {
		fmt.Fprintln(a.err, "warning: the configuration has no mail block: nothing is sent, the mails wait")
	}
	return nil
}
