package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/policy"
	"usherd/connector/report"
)

func (a *app) domainCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "domain", Short: "Verify the mail domains of an organization, and claim them",
		Long: `People on a verified domain become active with their first sync, others stay not verified until they prove
their address. A proof is a TXT record in the domain's zone; the daemon looks for it every day.`,
		Args: noSuchCommand, RunE: showHelp,
	}
	var orgID string
	cmd.PersistentFlags().StringVar(&orgID, "org", "", "organization (may be left out when there is only one)")
	name := exactArgs("the domain, such as example.com")
	cmd.AddCommand(
		a.domainSub("add DOMAIN", "Add a domain and show the TXT record that proves it", name, &orgID, a.domainAdd),
		a.domainList(&orgID),
		a.domainPreview(&orgID),
		a.domainSub("check DOMAIN", "Look for the TXT record now", name, &orgID, a.domainCheck),
		a.domainSub("claim DOMAIN", "Keep all other organizations from creating users with a verified domain", name, &orgID, a.domainClaim),
		a.domainSub("release DOMAIN", "End a claim", name, &orgID, a.domainRelease),
		a.domainSub("remove DOMAIN", "Forget a domain", name, &orgID, a.domainRemove),
	)
	return cmd
}

type domainDo func(ctx context.Context, s *site, o *org, name policy.Name) error

// domainSub is a command about one domain of one organization.
func (a *app) domainSub(use, short string, args cobra.PositionalArgs, orgID *string, do domainDo) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use: use, Short: short, Args: args, Example: "  usherd domain " + verb + " example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := policy.ParseDomain(args[0])
			if err != nil {
				return usagef("%s", err)
			}
			return a.withStore(cmd.Context(), func(s *site) error {
				o, err := s.org(*orgID)
				if err != nil {
					return err
				}
				return do(cmd.Context(), s, o, name)
			})
		},
	}
}

func (a *app) domainAdd(ctx context.Context, s *site, o *org, name policy.Name) error {
	d, err := o.domains.Add(ctx, name)
	if err != nil {
		return err
	}
	if name.PrivateSuffix {
		fmt.Fprintf(a.err, "usherd: %s is a name under which others may register their own: be sure that it is yours alone\n", name.Unicode)
	}
	_, err = fmt.Fprintf(a.out, `%s is added, not verified yet. Put this record into its zone:

  %s.  TXT  "%s"

then: usherd domain check %s%s
`, name.Unicode, d.Name, domains.Record(d.Token), name.Unicode, s.orgFlag(o.Org.ID))
	return err
}

func (a *app) domainCheck(ctx context.Context, _ *site, o *org, name policy.Name) error {
	d, err := o.domains.Find(ctx, name)
	if err != nil {
		return err
	}
	out, err := o.domains.Check(ctx, d)
	if err != nil {
		return err
	}
	if out.Finding == domains.Proven {
		fmt.Fprintf(a.out, "%s is verified.\n", name.Unicode)
		if out.Again > 0 {
			fmt.Fprintf(a.out, "%d people are decided again with the next sync: those who are enabled become active.\n", out.Again)
		}
		return nil
	}
	if !out.KeptUntil.IsZero() {
		fmt.Fprintf(a.err, "usherd: it stays verified until %s\n", out.KeptUntil.Format(time.RFC3339))
	}
	return &connector.Error{Kind: connector.Refused, Op: name.Unicode, Err: fmt.Errorf("not verified: %s", out.Detail), Hint: out.Next}
}

func (a *app) domainClaim(ctx context.Context, _ *site, o *org, name policy.Name) error {
	e, err := o.domains.Claim(ctx, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s is claimed: no other organization can create users with it\n", name.Unicode)
	if e.Elsewhere > 0 {
		_, err = fmt.Fprintf(a.out, "Users of other organizations on it, who stay where they are: %d\n", e.Elsewhere)
	}
	return err
}

func (a *app) domainRelease(ctx context.Context, _ *site, o *org, name policy.Name) error {
	claimed, err := o.domains.Release(ctx, name)
	if err != nil {
		return err
	}
	words := "is not claimed any more"
	if !claimed {
		words = "is not claimed: nothing to do"
	}
	_, err = fmt.Fprintf(a.out, "%s %s\n", name.Unicode, words)
	return err
}

func (a *app) domainRemove(ctx context.Context, _ *site, o *org, name policy.Name) error {
	if err := o.domains.Remove(ctx, name); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s is removed; users keep their states, new ones start as not verified\n", name.Unicode)
	return err
}

func (a *app) domainList(orgID *string) *cobra.Command {
	var o outputFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the domains with their standing", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				all, err := s.db.Domains(cmd.Context(), *orgID)
				if err == nil && len(all) == 0 {
					err = s.knows(*orgID, "")
				}
				if err != nil {
					return err
				}
				if o.json() {
					list := []api.Domain{}
					for i := range all {
						list = append(list, api.NewDomain(&all[i]))
					}
					return writeJSON(a.out, map[string]any{"domains": list})
				}
				tab := report.NewTable(a.out, 0, report.Column{Title: "Organization"}, report.Column{Title: "Domain"},
					report.Column{Title: "Standing"}, report.Column{Title: "Checked"}, report.Column{Title: "TXT record or last error", Flex: true})
				for _, d := range all {
					note := domains.Record(d.Token)
					if d.LastError != "" {
						note = d.LastError
					}
					tab.Row(d.Org, d.Name, domainStanding(d), date(d.CheckedAt), note)
				}
				return a.endTable(tab, "no domains: add one with usherd domain add DOMAIN")
			})
		},
	}
	o.add(cmd, "text", "json")
	return cmd
}

func domainStanding(d connector.Domain) string {
	switch {
	case !d.Verified():
		return "not verified"
	case !d.FailingSince.IsZero():
		return "verified, failing since " + date(d.FailingSince)
	case d.Claimed:
		return "verified, claimed"
	}
	return "verified"
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
