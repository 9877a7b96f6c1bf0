package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

// itemJSON is an open item, as the API has it too.
type itemJSON = api.OpenItem

func (a *app) failuresCmd() *cobra.Command {
	var o outputFlag
	var orgID, source, reason, search, dismiss, lang string
	var most, code int
	cmd := &cobra.Command{
		Use: "failures", Short: "List who has no account or no update, and why", Args: noArgs,
		Long: `failures lists the open items: each stays until the same person succeeds or you dismiss it. What each reason
means and what to do: usherd errors 31.`,
		Example: "  usherd failures\n  usherd failures --reason required_missing -o json\n  usherd failures --dismiss 7KQ2-M4ZT",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := limit(most); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error {
				if dismiss != "" {
					return s.dismiss(cmd, orgID, dismiss)
				}
				return a.listFailures(cmd, s, connector.ItemQuery{Org: orgID, Source: source, Code: connector.Code(code), Reason: connector.Reason(reason), Subject: search}, most, lang, o)
			})
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&source, "source", "", "source (default: all)")
	cmd.Flags().IntVar(&code, "code", 0, "only this number, such as 31")
	cmd.Flags().StringVar(&reason, "reason", "", "only this reason, such as no_seat")
	cmd.Flags().StringVar(&search, "search", "", "part of the user name or e-mail")
	cmd.Flags().StringVar(&dismiss, "dismiss", "", "close the item with this reference")
	addLang(cmd, &lang, "language of the texts")
	cmd.Flags().IntVar(&most, "limit", 200, "how many; 0 = all")
	o.add(cmd, "text", "json")
	return cmd
}

func (s *site) dismiss(cmd *cobra.Command, orgID, ref string) error {
	o, err := s.org(orgID)
	if err != nil {
		return err
	}
	err = s.db.Dismiss(cmd.Context(), o.Org.ID, ref)
	if connector.KindOf(err) == connector.NotFound {
		err = &connector.Error{
			Kind: connector.NotFound, Op: "failures", Err: fmt.Errorf("there is no open item %s in organization %s", ref, o.Org.ID),
			Hint: "see them with: usherd failures",
		}
	}
	return err
}

func (a *app) listFailures(cmd *cobra.Command, s *site, q connector.ItemQuery, limit int, lang string, o outputFlag) error {
	var items []connector.OpenItem
	for _, org := range s.orgs {
		if q.Org != "" && q.Org != org.Org.ID {
			continue
		}
		query := q
		query.Org = org.Org.ID
		for {
			if limit > 0 {
				query.Limit = min(limit-len(items), 1000)
			}
			page, next, err := s.db.OpenItems(cmd.Context(), query)
			if err != nil {
				return err
			}
			items = append(items, page...)
			if next == "" || limit > 0 && len(items) >= limit {
				break
			}
			query.After = next
		}
		if limit > 0 && len(items) >= limit {
			break
		}
	}
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	if len(items) == 0 {
		if err := s.knowsItems(cat, q); err != nil {
			return err
		}
	}
	if o.json() {
		list := []itemJSON{}
		for i := range items {
			list = append(list, api.NewOpenItem(cat, &items[i], lang))
		}
		return writeJSON(a.out, map[string]any{"failures": list})
	}
	if len(items) == 0 {
		_, err := a.err.Write([]byte("nobody fails\n"))
		return err
	}
	return a.tableOfItems(items, cat, lang)
}

// tableOfItems writes open items; where there is little room, who it is matters more than since when.
func (a *app) tableOfItems(items []connector.OpenItem, cat *failure.Catalogue, lang string) error {
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Ref"}, report.Column{Title: "Person", Flex: true},
		report.Column{Title: "Code", Right: true}, report.Column{Title: "Reason"}, report.Column{Title: "Since", Spare: true},
		report.Column{Title: "Seen", Right: true, Spare: true}, report.Column{Title: "What", Flex: true})
	for _, i := range items {
		tab.Row(i.Ref, i.Subject, strconv.Itoa(int(i.Code)), string(i.Reason), date(i.FirstSeen), strconv.Itoa(i.Count), what(cat, i.Failure, lang))
	}
	return tab.Flush()
}

// knowsItems refuses to say "nobody" where the question has a slip of the pen.
func (s *site) knowsItems(cat *failure.Catalogue, q connector.ItemQuery) error {
	if q.Reason != "" {
		if err := knowsReason(cat, q.Reason); err != nil {
			return err
		}
	}
	if q.Code != 0 && !slices.ContainsFunc(cat.Codes(""), func(e failure.Entry) bool { return e.Code == q.Code }) {
		return usagef("there is no code %d; see them with: usherd errors", q.Code)
	}
	return s.knows(q.Org, q.Source)
}

func knowsReason(cat *failure.Catalogue, r connector.Reason) error {
	if !slices.ContainsFunc(cat.Codes(""), func(e failure.Entry) bool { return slices.Contains(e.Reasons, r) }) {
		return usagef("there is no reason %q; see them with: usherd errors", r)
	}
	return nil
}

// what says in a few words what is wrong: the fields, the package, the domain or the detail.
func what(cat *failure.Catalogue, f connector.Failure, lang string) string {
	labels := make([]string, len(f.Fields))
	for i, name := range f.Fields {
		labels[i] = cat.Label(name, lang)
	}
	parts := []string{strings.Join(labels, ", "), f.Package, f.Domain, f.Detail}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}
