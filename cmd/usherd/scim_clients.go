package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/clients"
	"usherd/connector/report"
	"usherd/scim"
)

func (a *app) scimClientsCmd() *cobra.Command {
	var o outputFlag
	var orgID string
	cmd := &cobra.Command{
		Use: "clients", Short: "Show how each identity provider is: dialect, requests, errors, ends of its tokens", Args: noArgs,
		Long: `clients shows for each source that pushes which dialect is in force and why, when it asked last, how many of its
requests of the last 24 hours were answered with an error, when its tokens end, and which leniencies (quirks) it
has needed how often: what it sends that the standard does not say.`,
		Example: "  usherd scim clients\n  usherd scim clients --org acme -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				targets, err := s.clients(orgID, "")
				if err != nil {
					return err
				}
				list := make([]clients.Client, len(targets))
				for i, t := range targets {
					if list[i], err = s.clientStanding(cmd.Context(), t, a.now()); err != nil {
						return err
					}
				}
				if o.json() {
					return writeJSON(a.out, map[string]any{"clients": list})
				}
				return a.showClients(list)
			})
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	o.add(cmd, "text", "json")
	return cmd
}

func (s *site) clientStanding(ctx context.Context, t target, now time.Time) (clients.Client, error) {
	return clients.Of(ctx, s.db, t.org.Org.ID, t.id, clientSettings(t.org.Clients[t.id]), now)
}

func clientSettings(c *config.Client) clients.Settings {
	return clients.Settings{Profile: c.Profile, KeepLog: c.KeepLog, LogBodies: c.LogBodies, Rate: c.Rate, Burst: c.Burst, Concurrency: c.Concurrency}
}

func (a *app) showClients(list []clients.Client) error {
	columns := []report.Column{
		{Title: "Client", Flex: true},
		{Title: "Dialect"},
		{Title: "Last request"},
		{Title: "Status", Right: true},
		{Title: "24 h", Right: true},
		{Title: "Errors", Right: true},
		{Title: "Quirks", Right: true},
		{Title: "Tokens", Flex: true},
	}
	tab := report.NewTable(a.out, a.width(), columns...)
	for _, j := range list {
		status := "-"
		if j.LastStatus > 0 {
			status = strconv.Itoa(j.LastStatus)
		}
		tab.Row(j.Org+"/"+j.Source, j.Profile, moment(j.Last), status, strconv.Itoa(j.Requests), strconv.Itoa(j.Errors), strconv.Itoa(len(j.Quirks)), tokensInShort(j.Tokens))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for i := range list {
		if err := a.showClient(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// tokensInShort says how many tokens open the door, and when the first of them ends.
func tokensInShort(tokens []clients.ClientToken) string {
	live := 0
	var first *time.Time
	for _, k := range tokens {
		if k.Standing == connector.TokenEnded {
			continue
		}
		if live++; k.Ends != nil && (first == nil || k.Ends.Before(*first)) {
			first = k.Ends
		}
	}
	switch {
	case live == 0:
		return "none"
	case first == nil:
		return strconv.Itoa(live)
	}
	return fmt.Sprintf("%d, until %s", live, date(*first))
}

// showClient tells what does not fit in a row.
func (a *app) showClient(j *clients.Client) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s/%s\n  dialect %s: %s\n", j.Org, j.Source, j.Profile, printable(j.Why))
	switch {
	case j.Keeps == connector.Duration(0).String():
		b.WriteString("  its requests are not logged: set scim.log.keep of the source\n")
	case j.Bodies:
		b.WriteString("  its requests are logged with their bodies\n")
	}
	for _, k := range j.Tokens {
		fmt.Fprintf(&b, "  %s %s %s: %s\n", k.Kind, k.ID[len(k.ID)-8:], printable(dash(k.Name)), tokenStanding(k))
	}
	if len(j.Tokens) == 0 {
		b.WriteString("  no token: make one with usherd token create\n")
	}
	if _, err := a.out.Write([]byte(b.String())); err != nil || len(j.Quirks) == 0 {
		return err
	}
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "  Quirk"}, report.Column{Title: "Times", Right: true}, report.Column{Title: "Last"}, report.Column{Title: "What", Flex: true})
	for _, q := range j.Quirks {
		tab.Row("  "+q.Quirk, strconv.FormatInt(q.Count, 10), date(q.Last), scim.Quirk(q.Quirk))
	}
	return tab.Flush()
}

func tokenStanding(k clients.ClientToken) string {
	used := ", used last " + moment(k.LastUsed)
	if k.LastUsed == nil {
		used = ", never used"
	}
	switch {
	case k.Ends == nil:
		return "never ends" + used
	case k.Standing == connector.TokenEnded:
		return "ended " + date(*k.Ends) + used
	case k.Standing == connector.TokenEnds:
		return "ends soon, " + date(*k.Ends) + used
	}
	return "ends " + date(*k.Ends) + used
}
