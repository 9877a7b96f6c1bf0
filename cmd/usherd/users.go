package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/report"
)

// userJSON is the stable form of a user, as the API has it too.
type userJSON = api.User

func (a *app) usersCmd() *cobra.Command {
	var o outputFlag
	var q connector.UserQuery
	var state, reason string
	var inactive, active bool
	var due dueFlag
	cmd := &cobra.Command{
		Use: "users", Short: "List users", Args: due.args,
		Long: `users lists people by the filters that the console and the API have; of several, who fits all of them. A search finds by the beginning of
user name, e-mail, display name or employee number, in any case; a domain, whose e-mail address is on it or below it.`,
		Example: `  usherd users --state not_verified
  usherd users --search lee --active
  usherd users --source head-office --domain acme.com
  usherd users --failing --reason no_seat
  usherd users --inactive -o json
  usherd users --pending
  usherd users --leaving
  usherd users --due 7d`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if inactive {
				state = string(connector.Inactive)
			}
			if state != "" && !slices.Contains(connector.States(), connector.State(state)) {
				return usagef("%q is no state: %s", state, joinStates())
			}
			if err := limit(q.Limit); err != nil {
				return err
			}
			q.State, q.Reason = connector.State(state), connector.Reason(reason)
			if cmd.Flags().Changed("due") {
				if slices.ContainsFunc(userFilters, cmd.Flags().Changed) {
					return usagef("--due is a list of its own: leave out --%s", strings.Join(userFilters, ", --"))
				}
				within, err := due.within(args)
				if err != nil {
					return err
				}
				return a.withStore(cmd.Context(), func(s *site) error { return a.listDue(cmd.Context(), s, q, within, o) })
			}
			if active && (q.State == connector.Inactive || q.Leaving) {
				return usagef("--active leaves out who is deactivated: nobody is left of --inactive or --leaving")
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.listUsers(cmd.Context(), s, q, active, o) })
		},
	}
	cmd.Flags().StringVar(&q.Org, "org", "", "organization (may be left out when there is only one)")
	cmd.Flags().StringVar(&state, "state", "", "only this state: "+joinStates())
	cmd.Flags().BoolVar(&inactive, "inactive", false, "only deactivated users")
	cmd.Flags().BoolVar(&active, "active", false, "without deactivated users")
	cmd.Flags().BoolVar(&q.Pending, "pending", false, "only users who wait for approval")
	due.add(cmd)
	cmd.Flags().StringVar(&q.Search, "search", "", "beginning of user name, e-mail or a name")
	cmd.Flags().StringVar(&q.Package, "package", "", "only this package")
	cmd.Flags().StringVar(&q.Source, "source", "", "only users of whom this source has a record")
	cmd.Flags().StringVar(&q.Domain, "domain", "", "only users whose e-mail address is on this domain or below it")
	cmd.Flags().BoolVar(&q.Failing, "failing", false, "only users of whom a failure is open")
	cmd.Flags().StringVar(&reason, "reason", "", "only users of whom a failure with this reason is open, such as no_seat")
	cmd.Flags().BoolVar(&q.Leaving, "leaving", false, "only users whom the end of a grace period deletes, the next one first")
	cmd.Flags().IntVar(&q.Limit, "limit", 100, "how many; 0 = all")
	o.add(cmd, "text", "json")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(strings.Split(joinStates(), ", "), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// userFilters are the flags by which a list of people is narrowed down.
var userFilters = []string{"state", "inactive", "active", "pending", "search", "package", "source", "domain", "failing", "reason", "leaving"}

func (a *app) approvalsCmd() *cobra.Command {
	var o outputFlag
	q := connector.UserQuery{Pending: true}
	cmd := &cobra.Command{
		Use: "approvals", Short: "List users who wait for approval, the longest waiting first", Args: noArgs,
		Long: `approvals lists the users whom somebody has to approve before they can sign in; each holds a seat meanwhile. Approve one with
usherd user approve KEY, refuse one with usherd user reject KEY --reason WHY.`,
		Example: "  usherd approvals\n  usherd approvals --org acme -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := limit(q.Limit); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.listUsers(cmd.Context(), s, q, false, o) })
		},
	}
	cmd.Flags().StringVar(&q.Org, "org", "", "organization (may be left out when there is only one)")
	cmd.Flags().IntVar(&q.Limit, "limit", 100, "how many; 0 = all")
	o.add(cmd, "text", "json")
	return cmd
}

func joinStates() string { return wordsOf(connector.States()) }

// wordsOf are those of a list, for who reads them.
func wordsOf[T ~string](list []T) string {
	text := make([]string, len(list))
	for i, w := range list {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}

const userPage = 500

// listUsers pages through the store, so that "all" needs no more memory than one page. active leaves out who is deactivated.
func (a *app) listUsers(ctx context.Context, s *site, q connector.UserQuery, active bool, o outputFlag) error {
	org, err := s.org(q.Org)
	if err != nil {
		return err
	}
	if err := s.knowsFilters(ctx, org, &q); err != nil {
		return err
	}
	q.Org = org.Org.ID
	return a.pageUsers(q.Limit, a.userSink(o), o, func(after string, limit int) ([]*connector.User, string, error) {
		q.After, q.Limit = after, limit
		list, next, err := s.db.ListUsers(ctx, q)
		if active {
			list = slices.DeleteFunc(list, func(u *connector.User) bool { return u.State == connector.Inactive })
		}
		return list, next, err
	})
}

// knowsFilters refuses to say "nobody" where a filter has a slip of the pen. Of a source that the configuration has no more there may be people.
func (s *site) knowsFilters(ctx context.Context, o *org, q *connector.UserQuery) error {
	if q.Reason != "" {
		cat, err := s.catalogue()
		if err == nil {
			err = knowsReason(cat, q.Reason)
		}
		if err != nil {
			return err
		}
	}
	if q.Source == "" || o.Org.Source(q.Source) != nil {
		return nil
	}
	list, _, err := s.db.ListUsers(ctx, connector.UserQuery{Org: o.Org.ID, Source: q.Source, Limit: 1})
	if err != nil || len(list) > 0 {
		return err
	}
	return s.knows(o.Org.ID, q.Source)
}

// pageUsers writes the pages that ask gives, up to so many users; 0 = all.
func (a *app) pageUsers(limit int, sink userSink, o outputFlag, ask func(after string, limit int) ([]*connector.User, string, error)) error {
	more, err := pages(limit, ask, sink.row)
	if err != nil {
		return err
	}
	if err := sink.end(); err != nil {
		return err
	}
	if !o.json() {
		a.tellMore(more)
	}
	return nil
}

// pages hands over what the pages hold that ask gives, up to so many; 0 = all. It says whether there are more.
func pages[T any](left int, ask func(after string, limit int) (list []T, next string, err error), row func(T) error) (more bool, err error) {
	limited, after := left > 0, ""
	for {
		limit := userPage
		if limited {
			limit = min(left, userPage)
		}
		list, next, err := ask(after, limit)
		if err != nil {
			return false, err
		}
		for _, x := range list {
			if err := row(x); err != nil {
				return false, err
			}
		}
		if left -= len(list); next == "" || limited && left <= 0 {
			return next != "", nil
		}
		after = next
	}
}

// userSink writes users one by one.
type userSink struct {
	row func(*connector.User) error
	end func() error
}

func (a *app) userSink(o outputFlag) userSink {
	if !o.json() {
		tab := report.NewTable(a.out, a.width(), report.Column{Title: "User name", Flex: true}, report.Column{Title: "Name", Flex: true},
			report.Column{Title: "Email", Flex: true}, report.Column{Title: "State"}, report.Column{Title: "Package", Spare: true}, report.Column{Title: "Since", Spare: true})
		return userSink{func(u *connector.User) error {
			state := string(u.State)
			if u.PendingApproval {
				state += ", to be approved"
			}
			tab.Row(u.UserName(), fullName(u.Profile), u.Profile.Get(connector.Email), state, u.Package, date(u.CreatedAt))
			return nil
		}, func() error { return a.endTable(tab, "no such users") }}
	}
	return a.userJSONSink()
}

func (a *app) userJSONSink() userSink {
	first := true
	return userSink{func(u *connector.User) error {
		open := ",\n"
		if first {
			open, first = "{\"users\":[\n", false
		}
		_, err := fmt.Fprint(a.out, open)
		return errors.Join(err, writeLine(a.out, api.NewUser(u)))
	}, func() error {
		if first {
			fmt.Fprint(a.out, "{\"users\":[")
		}
		_, err := fmt.Fprintln(a.out, "]}")
		return err
	}}
}

func fullName(p connector.Profile) string {
	if n := p.Get(connector.DisplayName); n != "" {
		return n
	}
	return strings.TrimSpace(p.Get(connector.GivenName) + " " + p.Get(connector.FamilyName))
}
