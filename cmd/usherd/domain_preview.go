package main

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/policy"
	"usherd/connector/report"
)

// movedShown is how many people a preview names; -o json names all.
const movedShown = 20

func (a *app) domainPreview(orgID *string) *cobra.Command {
	var out outputFlag
	cmd := a.domainSub("preview DOMAIN", "Show what the proof of a domain would do to whom, and its claim", exactArgs("the domain, such as example.com"), orgID,
		func(ctx context.Context, _ *site, o *org, name policy.Name) error {
			return a.showEffect(ctx, o, name, out.json())
		})
	cmd.Long = `preview counts the users on a domain by state, names who would become verified or active by its proof, and says
how many users of other organizations are on it, who would be refused as new ones there if it were claimed. It
changes nothing, and the domain need not be added.`
	cmd.Example = "  usherd domain preview example.com\n  usherd domain preview example.com -o json"
	out.add(cmd, "text", "json")
	return cmd
}

func (a *app) showEffect(ctx context.Context, o *org, name policy.Name, asJSON bool) error {
	most := movedShown
	if asJSON {
		most = math.MaxInt
	}
	e, err := api.PreviewDomain(ctx, o.domains, o.Org.ID, name, most)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.out, e)
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
	if err := tab.Flush(); err != nil || len(e.People) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	tab = report.NewTable(a.out, a.width(), report.Column{Title: "User name"}, report.Column{Title: "Email", Flex: true}, report.Column{Title: "State"}, report.Column{Title: "Becomes"})
	for _, p := range e.People {
		tab.Row(p.UserName, p.Email, string(p.State), string(p.Becomes))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	if more := e.Verified + e.Active - len(e.People); more > 0 {
		_, err = fmt.Fprintf(a.out, "and %d more: -o json names all\n", more)
	}
	return err
}
