package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/csvtable"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/connector/report"
)

func (a *app) claimCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "claim", Short: "Take users over from other organizations of this daemon",
		Long: `An organization may claim users of the other organizations whose e-mail is on a domain that it has verified. The
user is in the claiming organization at once (claim_pending) and has ended in the other one; the person has 14 days to say what becomes
of the old account: move its data, delete it, or keep the old account under another address. Without a word the data goes along.
The daemon looks every hour for whom it has to remind and whose time is over.

A claim cannot be withdrawn. What undoes it is claiming back, by an organization that has verified the domain too. Open claims of an
organization that leaves the configuration are cancelled within the hour: the person has the old account back, with its data.`,
		Args: noSuchCommand, RunE: showHelp,
	}
	var orgID string
	cmd.PersistentFlags().StringVar(&orgID, "org", "", "the organization that claims (may be left out when there is only one)")
	cmd.AddCommand(a.claimCandidates(&orgID),
		a.claimSome("preview", "Say who could be claimed and who could not, and change nothing", &orgID, (*provision.Claims).Preview),
		a.claimSome("start", "Claim users, at most 250 at once", &orgID, (*provision.Claims).Claim),
		a.claimList(&orgID), a.claimShow(&orgID), a.claimRemind(&orgID), a.claimDecide(&orgID))
	return cmd
}

func (a *app) claimCandidates(orgID *string) *cobra.Command {
	var o outputFlag
	var q provision.CandidateQuery
	cmd := &cobra.Command{
		Use: "candidates", Short: "List users of other organizations on domains that this one has verified", Args: noArgs,
		Long: `candidates shows of users of other organizations the e-mail, the state and since when they are there, and why
they cannot be claimed where that is so: see usherd errors 31.`,
		Example: "  usherd claim candidates --org acme\n  usherd claim candidates --org acme --domain sales.acme.com --limit 0 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := limit(q.Limit); err != nil {
				return err
			}
			return a.withClaims(cmd.Context(), *orgID, func(s *site, org *org) error {
				q.Org = org.Org.ID
				return a.listCandidates(cmd.Context(), s, q, o)
			})
		},
	}
	cmd.Flags().StringVar(&q.Domain, "domain", "", "only this domain and those below it")
	cmd.Flags().IntVar(&q.Limit, "limit", 100, "how many; 0 = all")
	o.add(cmd, "text", "json")
	return cmd
}

// withClaims does something for the organization that claims.
func (a *app) withClaims(ctx context.Context, orgID string, do func(s *site, o *org) error) error {
	return a.withStore(ctx, func(s *site) error {
		o, err := s.org(orgID)
		if err != nil {
			return err
		}
		return do(s, o)
	})
}

func (a *app) listCandidates(ctx context.Context, s *site, q provision.CandidateQuery, o outputFlag) error {
	var all []provision.ClaimResult
	left := q.Limit
	for {
		q.Limit = userPage
		if left > 0 {
			q.Limit = min(left, userPage)
		}
		page, next, err := s.claims.Candidates(ctx, q)
		if err != nil {
			return err
		}
		for _, c := range page {
			all = append(all, provision.ClaimResult{Candidate: c})
		}
		if left > 0 {
			if left -= len(page); left <= 0 {
				if next != "" && !o.json() {
					defer fmt.Fprintln(a.err, "there are more: see all with --limit 0")
				}
				next = ""
			}
		}
		if q.After = next; next == "" {
			return a.showClaimed(all, "candidates", "can be claimed", o)
		}
	}
}

// showClaimed shows people with what can become, or has become, of them.
func (a *app) showClaimed(list []provision.ClaimResult, name, well string, o outputFlag) error {
	cat, err := failure.New()
	if err != nil {
		return err
	}
	if o.json() {
		out := []api.Candidate{}
		for i := range list {
			out = append(out, api.NewCandidate(cat, &list[i], "en"))
		}
		return writeJSON(a.out, map[string]any{name: out})
	}
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Email", Flex: true}, report.Column{Title: "State"}, report.Column{Title: "Since"},
		report.Column{Title: "Result"}, report.Column{Title: "Id"})
	for _, r := range list {
		result := well
		switch {
		case len(r.Failures) > 0:
			var reasons []string
			for _, f := range r.Failures {
				reasons = append(reasons, string(f.Reason))
			}
			result = strings.Join(reasons, ", ")
		case r.Claim != nil:
			result = "claimed, " + plural(r.Claim.DaysLeft(r.Claim.At), "day") + " to decide"
		}
		id := r.User
		if r.Claim != nil {
			id = r.Claim.ID
		}
		tab.Row(r.Email, string(r.State), date(r.Since), result, id.String())
	}
	return tab.Flush()
}

type claimDo func(c *provision.Claims, ctx context.Context, req provision.ClaimRequest) ([]provision.ClaimResult, error)

// claimSome is a command about several users whom its arguments or a file name.
func (a *app) claimSome(use, short string, orgID *string, do claimDo) *cobra.Command {
	var o outputFlag
	var file string
	var req provision.ClaimRequest
	cmd := &cobra.Command{
		Use: use + " [ADDRESS | ID]... [--csv FILE]", Short: short,
		Example: "  usherd claim " + use + " --org acme ann.lee@acme.com bo@acme.com\n  usherd claim " + use + " --org acme --csv people.csv --package premium",
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				more, err := a.claimFile(file)
				if err != nil {
					return err
				}
				args = slices.Concat(args, more)
			}
			if len(args) == 0 {
				return usagef("name addresses or ids, or a file with --csv; see: %s --help", cmd.CommandPath())
			}
			req.Users, req.Emails = nil, nil
			for _, arg := range args {
				if id, err := connector.ParseID(arg); err == nil {
					req.Users = append(req.Users, id)
				} else {
					req.Emails = append(req.Emails, arg)
				}
			}
			return a.withClaims(cmd.Context(), *orgID, func(s *site, org *org) error {
				if err := s.adopt(cmd.Context(), a); err != nil {
					return err
				}
				req.Org, req.Actor = org.Org.ID, actor()
				list, err := do(s.claims, cmd.Context(), req)
				if err != nil {
					return err
				}
				if slices.ContainsFunc(list, func(r provision.ClaimResult) bool { return len(r.Failures) > 0 }) {
					a.worse(exitFailed)
				}
				return a.showClaimed(list, "users", "can be claimed", o)
			})
		},
	}
	cmd.Flags().StringVar(&file, "csv", "", "a file with a column email or id; - = standard input")
	cmd.Flags().StringVar(&req.Package, "package", "", "the package that they get (default: the organization's)")
	o.add(cmd, "text", "json")
	return cmd
}

// claimFile reads whom a file names.
func (a *app) claimFile(path string) ([]string, error) {
	if path == "-" {
		return claimNames(os.Stdin)
	}
	f, err := os.Open(path) //nolint:gosec // named by who runs the command
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	list, err := claimNames(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// claimNames takes the id, or where there is none the address, of each line.
func claimNames(r io.Reader) ([]string, error) {
	return csvtable.Column(r, provision.MaxClaims, "id", "email")
}
