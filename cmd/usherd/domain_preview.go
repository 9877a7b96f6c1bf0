package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/policy"
	"usherd/connector/report"
)

// movedShown is how many people a preview names; -o json names all.
const movedShown = 20

// domainEffectJSON is the stable form of a preview.
type domainEffectJSON struct {
	Org    string `json:"org"`
	Domain string `json:"domain"`
	domains.Effect
	People []movedJSON `json:"people"`
}

type movedJSON struct {
	ID       string          `json:"id"`
	UserName string          `json:"user_name"`
	Email    string          `json:"email"`
	State    connector.State `json:"state"`
	Becomes  connector.State `json:"becomes"`
}

func (a *app) domainPreview(orgID *string) *cobra.Command {
	var out outputFlag
	cmd := &cobra.Command{
		Use: "preview DOMAIN", Short: "Show what the proof of a domain would do to whom, and its claim", Args: exactArgs("the domain, such as example.com"),
		Long: `preview counts the users on a domain by state, names who would become verified or active by its proof, and says
how many users of other organizations are on it, who would be refused as new ones there if it were claimed. It
changes nothing, and the domain need not be added.`,
		Example: "  usherd domain preview example.com\n  usherd domain preview example.com -o json",
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
				return a.showEffect(cmd.Context(), s, o, name, out.json())
			})
		},
	}
	out.add(cmd, "text", "json")
	return cmd
}

// effect counts what a domain means for an organization; yield gets everybody whom its proof would move.
func (s *site) effect(ctx context.Context, o *org, name policy.Name, yield func(domains.Moved) error) (domains.Effect, error) {
	var others []string
	for _, x := range s.orgs {
		if x != o {
			others = append(others, x.Org.ID)
		}
	}
	return domains.Preview(ctx, s.db, o.Org, others, name.ASCII, yield)
}

func (a *app) showEffect(ctx context.Context, s *site, o *org, name policy.Name, asJSON bool) error {
	people := []movedJSON{}
	e, err := s.effect(ctx, o, name, func(m domains.Moved) error {
		if u := m.User; asJSON || len(people) < movedShown {
			people = append(people, movedJSON{u.ID.String(), u.UserName(), u.Profile.Get(connector.Email), u.State, m.Becomes})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.out, domainEffectJSON{o.Org.ID, name.ASCII, e, people})
	}
	fmt.Fprintf(a.out, "%s, for %s\n\n", name.Unicode, o.Org.ID)
	tab := report.NewTable(a.out, a.width(), report.Column{}, report.Column{Right: true}, report.Column{Flex: true})
	for _, st := range connector.States() {
		if n := e.Users[st]; n > 0 {
			tab.Row("  "+string(st), strconv.Itoa(n), "")
		}
	}
	tab.Row("  become verified", strconv.Itoa(e.Verified), "at once, when the domain is proven")
	tab.Row("  become active", strconv.Itoa(e.Active), "with the next run of the directory that has them as enabled")
	tab.Row("  elsewhere", strconv.Itoa(e.Elsewhere), "users of other organizations: a claim leaves them, and refuses new ones there")
	if err := tab.Flush(); err != nil || len(people) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	tab = report.NewTable(a.out, a.width(), report.Column{Title: "User name"}, report.Column{Title: "Email", Flex: true}, report.Column{Title: "State"}, report.Column{Title: "Becomes"})
	for _, p := range people {
		tab.Row(p.UserName, p.Email, string(p.State), string(p.Becomes))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	if more := e.Verified + e.Active - len(people); more > 0 {
		_, err = fmt.Fprintf(a.out, "and %d more: -o json names all\n", more)
	}
	return err
}
