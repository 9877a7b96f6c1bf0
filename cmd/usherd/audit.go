package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/report"
)

func (a *app) auditCmd() *cobra.Command {
	var orgID, window string
	var n int
	var q connector.AuditQuery
	var o outputFlag
	cmd := &cobra.Command{
		Use: "audit", Short: "What people have done: decisions about users, runs, domains and tokens",
		Long: "Lists what administrators and programs with a token have done, by whatever door, latest first. Entries are written with the act\n" +
			"itself and kept for good. The entries of an organization are a chain: each holds the hash of the one before, so that nothing can be\n" +
			"changed or left out without \"usherd audit verify\" telling. What sources and identity providers bring is in \"usherd runs\" and\n" +
			"\"usherd user show\" instead.",
		Example: "  usherd audit\n  usherd audit --org acme --since 7d\n  usherd audit --actor cli: --action user.deactivated\n" +
			"  usherd audit --target 'user 0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f'\n  usherd audit -o csv > audit.csv",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if window != "" {
				var d connector.Duration
				if err := d.UnmarshalText([]byte(window)); err != nil {
					return usagef("--since %s: %s", window, err)
				}
				q.Since = a.now().Add(-time.Duration(d))
			}
			if err := limit(n); err != nil {
				return err
			}
			q.Limit = n
			return a.withStore(cmd.Context(), func(s *site) error { return a.showAudit(cmd.Context(), s, orgID, q, o) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&orgID, "org", "", "organization (default: all)")
	f.StringVar(&q.Actor, "actor", "", "only of whom the name begins so, such as cli: or api:")
	f.StringVar((*string)(&q.Action), "action", "", "only that, such as user.deactivated or token.created")
	f.StringVar(&q.Target, "target", "", "only what was done to that, as the list names it")
	f.StringVar(&window, "since", "", "only the last time, such as 1h or 7d")
	f.Int64Var(&q.Before, "before", 0, "only entries before that number: the next page")
	f.IntVar(&n, "limit", 50, "at most so many of each organization")
	o.add(cmd, "text", "json", "csv")
	cmd.AddCommand(a.auditVerifyCmd(), a.auditExportCmd())
	return cmd
}

// auditOrgs are the organizations that are meant: the one, or all that have entries, with "" for what concerns none.
func (s *site) auditOrgs(ctx context.Context, orgID string) ([]string, error) {
	if orgID == "" {
		orgs, err := s.db.AuditOrgs(ctx)
		return append([]string{""}, orgs...), err
	}
	o, err := s.org(orgID)
	if err != nil {
		return nil, err
	}
	return []string{o.Org.ID}, nil
}

func (a *app) showAudit(ctx context.Context, s *site, orgID string, q connector.AuditQuery, o outputFlag) error {
	orgs, err := s.auditOrgs(ctx, orgID)
	if err != nil {
		return err
	}
	var entries []connector.AuditEntry
	for _, id := range orgs {
		q.Org = id
		list, err := s.db.Audit(ctx, q)
		if err != nil {
			return err
		}
		entries = append(entries, list...)
	}
	slices.SortStableFunc(entries, func(x, y connector.AuditEntry) int { return cmp.Or(y.At.Compare(x.At), cmp.Compare(y.Seq, x.Seq)) })
	switch {
	case o.json():
		out := make([]api.AuditEntry, len(entries))
		for i := range entries {
			out[i] = api.NewAuditEntry(&entries[i])
		}
		return writeJSON(a.out, map[string]any{"entries": out})
	case o.value == "csv":
		return auditCSV(a.out, entries)
	case len(entries) == 0:
		fmt.Fprintln(a.out, "Nothing that was done fits.")
		return nil
	}
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "When"}, report.Column{Title: "Organization"}, report.Column{Title: "No.", Spare: true},
		report.Column{Title: "Who", Flex: true}, report.Column{Title: "What"}, report.Column{Title: "To what", Flex: true}, report.Column{Title: "Details", Flex: true})
	for i := range entries {
		e := &entries[i]
		tab.Row(e.At.Format(time.DateTime), dash(e.Org), strconv.FormatInt(e.Seq, 10), e.Actor.Name, string(e.Action), dash(e.Target), dash(auditDetails(e)))
	}
	return tab.Flush()
}

// auditDetails are details and reason in a line.
func auditDetails(e *connector.AuditEntry) string {
	parts := make([]string, 0, len(e.Details)+1)
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		if v := e.Details[name]; v != "" {
			parts = append(parts, name+": "+v)
		}
	}
	if e.Actor.Reason != "" {
		parts = append(parts, "reason: "+e.Actor.Reason)
	}
	return strings.Join(parts, "; ")
}

func auditCSV(w io.Writer, entries []connector.AuditEntry) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"at", "org", "seq", "actor", "address", "action", "target", "details", "ref", "hash"}); err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		row := []string{
			e.At.Format(time.RFC3339), e.Org, strconv.FormatInt(e.Seq, 10), e.Actor.Name, e.Actor.Address, string(e.Action), e.Target, auditDetails(e),
			e.Actor.Ref, e.Hash.String(),
		}
		for n := range row {
			row[n] = report.Unformula(row[n])
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func (a *app) auditVerifyCmd() *cobra.Command {
	var orgID, head string
	var o outputFlag
	cmd := &cobra.Command{
		Use: "verify", Short: "Follow the chains of the audit trail from their beginnings",
		Long: "Follows the chain of each organization and tells its number of entries and the hash of the last one. Keep that hash elsewhere now and\n" +
			"then: with --head it is looked for in the chain, which shows that nobody has made the trail anew since.",
		Example: "  usherd audit verify\n  usherd audit verify --org acme --head 5d3f…",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var known connector.AuditHash
			if head != "" {
				if orgID == "" {
					return usagef("--head is of one chain: name its organization by --org")
				}
				var err error
				if known, err = connector.ParseAuditHash(head); err != nil {
					return err
				}
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.verifyAudit(cmd.Context(), s, orgID, known, o) })
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&head, "head", "", "hash of an entry that was kept elsewhere: it must be in the chain")
	o.add(cmd, "text", "json")
	return cmd
}

var errAuditBroken = errors.New("the audit trail is not what was written")

func (a *app) verifyAudit(ctx context.Context, s *site, orgID string, known connector.AuditHash, o outputFlag) error {
	orgs, err := s.auditOrgs(ctx, orgID)
	if err != nil {
		return err
	}
	list, bad := []api.AuditCheck{}, false
	for _, id := range orgs {
		c, err := connector.CheckAudit(s.db.AuditChain(ctx, id), known)
		if err != nil {
			return err
		}
		if c.Entries == 0 && id == "" {
			continue
		}
		x := api.NewAuditCheck(id, c)
		bad = bad || x.Broken > 0 || x.Unknown
		list = append(list, x)
	}
	if o.json() {
		err = writeJSON(a.out, map[string]any{"chains": list})
	} else {
		a.auditChecks(list)
	}
	if err == nil && bad {
		err = &connector.Error{
			Kind: connector.Internal, Op: "audit", Err: errAuditBroken,
			Hint: "somebody has changed the store past usherd: compare it with a backup, or with an export of the trail",
		}
	}
	return err
}

func (a *app) auditChecks(list []api.AuditCheck) {
	if len(list) == 0 {
		fmt.Fprintln(a.out, "Nobody has done anything yet.")
	}
	for _, x := range list {
		name := cmp.Or(x.Org, "no organization")
		switch {
		case x.Broken > 0:
			fmt.Fprintf(a.out, "%s: entry %d was changed, or does not follow the one before\n", name, x.Broken)
		case x.Unknown:
			fmt.Fprintf(a.out, "%s: %s in an unbroken chain, which the given hash is not in: entries are gone, or the trail was made anew\n", name, entries(x.Entries))
		case x.Entries == 0:
			fmt.Fprintf(a.out, "%s: no entries\n", name)
		default:
			fmt.Fprintf(a.out, "%s: %s, unbroken. The last one is %s\n", name, entries(x.Entries), x.Head)
		}
	}
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.FormatInt(n, 10) + " entries"
}

func (a *app) auditExportCmd() *cobra.Command {
	var orgID string
	cmd := &cobra.Command{
		Use: "export", Short: "Write the audit trail of an organization in a form that can be checked elsewhere",
		Long: "Writes one JSON line for each entry, oldest first: \"entry\" is the text that \"hash\" is the SHA-256 of, and holds the hash of the\n" +
			"entry before: head -1 audit.jsonl | jq -j .entry | sha256sum",
		Example: "  usherd audit export --org acme > audit.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				o, err := s.org(orgID)
				if err != nil {
					return err
				}
				w := bufio.NewWriter(a.out)
				return errors.Join(connector.WriteAudit(w, s.db.AuditChain(cmd.Context(), o.Org.ID)), w.Flush())
			})
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (needed where there are several)")
	return cmd
}
