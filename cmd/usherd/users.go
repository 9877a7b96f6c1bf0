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
	var state string
	var inactive bool
	var due dueFlag
	cmd := &cobra.Command{
		Use: "users", Short: "List users", Args: due.args,
		Example: "  usherd users --state not_verified\n  usherd users --search lee\n  usherd users --inactive -o json\n  usherd users --pending\n  usherd users --due 7d",
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
			q.State = connector.State(state)
			if cmd.Flags().Changed("due") {
				if q.State != "" || q.Pending || q.Search != "" || q.Package != "" {
					return usagef("--due is a list of its own: leave out --state, --inactive, --pending, --search and --package")
				}
				within, err := due.within(args)
				if err != nil {
					return err
				}
				return a.withStore(cmd.Context(), func(s *site) error { return a.listDue(cmd.Context(), s, q, within, o) })
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.listUsers(cmd.Context(), s, q, o) })
		},
	}
	cmd.Flags().StringVar(&q.Org, "org", "", "organization (may be left out when there is only one)")
	cmd.Flags().StringVar(&state, "state", "", "only this state: "+joinStates())
	cmd.Flags().BoolVar(&inactive, "inactive", false, "only deactivated users")
	cmd.Flags().BoolVar(&q.Pending, "pending", false, "only users who wait for approval")
	due.add(cmd)
	cmd.Flags().StringVar(&q.Search, "search", "", "beginning of user name, e-mail or a name")
	cmd.Flags().StringVar(&q.Package, "package", "", "only this package")
	cmd.Flags().IntVar(&q.Limit, "limit", 100, "how many; 0 = all")
	o.add(cmd, "text", "json")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(strings.Split(joinStates(), ", "), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

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
			return a.withStore(cmd.Context(), func(s *site) error { return a.listUsers(cmd.Context(), s, q, o) })
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

// listUsers pages through the store, so that "all" needs no more memory than one page.
func (a *app) listUsers(ctx context.Context, s *site, q connector.UserQuery, o outputFlag) error {
	org, err := s.org(q.Org)
	if err != nil {
		return err
	}
	q.Org = org.Org.ID
	return a.pageUsers(q.Limit, a.userSink(o), o, func(after string, limit int) ([]*connector.User, string, error) {
		q.After, q.Limit = after, limit
		return s.db.ListUsers(ctx, q)
	})
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
