package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/report"
)

// memberJSON is the stable form of a member, as the API has it too.
type memberJSON struct {
	api.Member
	fullName string
}

func newMemberJSON(m *connector.GroupMember) memberJSON {
	j := memberJSON{Member: api.NewMember(m)}
	if m.User != nil {
		j.fullName = fullName(m.User.Profile)
	}
	return j
}

func (a *app) groupsCmd() *cobra.Command {
	var o outputFlag
	var q connector.GroupQuery
	cmd := &cobra.Command{
		Use: "groups", Short: "List groups", Args: noArgs,
		Long:    `groups lists the groups that a source brings whose directory block has group_bases.`,
		Example: "  usherd groups --search sales\n  usherd groups --source head-office --limit 0 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := limit(q.Limit); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.listGroups(cmd.Context(), s, q, o) })
		},
	}
	cmd.Flags().StringVar(&q.Org, "org", "", "organization (may be left out when there is only one)")
	cmd.Flags().StringVar(&q.Source, "source", "", "only this source")
	cmd.Flags().StringVar(&q.Search, "search", "", "beginning of the name")
	cmd.Flags().IntVar(&q.Limit, "limit", 100, "how many; 0 = all")
	o.add(cmd, "text", "json")
	return cmd
}

// listGroups pages through the store, so that "all" needs no more memory than one page.
func (a *app) listGroups(ctx context.Context, s *site, q connector.GroupQuery, o outputFlag) error {
	org, err := s.org(q.Org)
	if err != nil {
		return err
	}
	if err := s.knows(org.Org.ID, q.Source); err != nil {
		return err
	}
	q.Org = org.Org.ID
	most := q.Limit
	q.Limit = userPage
	groups := func(yield func(connector.Group, error) bool) {
		for {
			page, next, err := s.db.Groups(ctx, q)
			if err != nil {
				yield(connector.Group{}, err)
				return
			}
			for _, g := range page {
				if !yield(g, nil) {
					return
				}
			}
			if q.After = next; next == "" {
				return
			}
		}
	}
	if o.json() {
		return writeList(a.out, `{"groups":[`, first(groups, most, nil), func(g connector.Group) any { return api.NewGroup(&g) })
	}
	tab := report.NewTable(a.out, a.width(), report.Column{Title: "Name", Flex: true}, report.Column{Title: "Source"},
		report.Column{Title: "Members", Right: true}, report.Column{Title: "Changed"}, report.Column{Title: "DN", Flex: true})
	more := false
	for g, err := range first(groups, most, &more) {
		if err != nil {
			return err
		}
		tab.Row(g.Name, g.Source, strconv.Itoa(g.MemberCount), date(g.UpdatedAt), g.DN)
	}
	a.tellMore(more)
	return a.endTable(tab, "no groups")
}

func (a *app) tellMore(more bool) {
	if more {
		fmt.Fprintln(a.err, "there are more: see all with --limit 0")
	}
}

// first ends a sequence after some, 0 = never, and notes whether there was more.
func first[T any](seq iter.Seq2[T, error], most int, more *bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		for v, err := range seq {
			if n++; err == nil && most > 0 && n > most {
				if more != nil {
					*more = true
				}
				return
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

// writeList writes one document: its beginning, which ends in the bracket of a list, and the elements one by
// one.
func writeList[T any](w io.Writer, begin string, seq iter.Seq2[T, error], form func(T) any) error {
	if _, err := fmt.Fprintln(w, begin); err != nil {
		return err
	}
	comma := ""
	for v, err := range seq {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(w, comma); err != nil {
			return err
		}
		if err := writeLine(w, form(v)); err != nil {
			return err
		}
		comma = ","
	}
	_, err := fmt.Fprintln(w, "]}")
	return err
}

func (a *app) groupCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "group", Short: "Show one group", Long: "group shows one group, named by name, DN, id or anchor.",
		Args: noSuchCommand, RunE: showHelp,
	}
	var orgID string
	cmd.PersistentFlags().StringVar(&orgID, "org", "", "organization (may be left out when there is only one)")
	cmd.AddCommand(a.groupShowCmd(&orgID))
	return cmd
}

func (a *app) groupShowCmd(orgID *string) *cobra.Command {
	var o outputFlag
	var effective bool
	var most int
	cmd := &cobra.Command{
		Use: "show KEY", Short: "Show a group with its members", Args: exactArgs("the group: name, DN, id or anchor"),
		Long: `show shows a group with the members that its own list names and those whose primary group it is. Members that
are neither users nor groups here, such as contacts or people out of scope, are outside.`,
		Example: "  usherd group show Sales\n  usherd group show \"CN=Sales,OU=Groups,DC=acme,DC=test\" --effective",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := limit(most); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error {
				org, err := s.org(*orgID)
				if err != nil {
					return err
				}
				v, err := s.groupView(cmd.Context(), org, args[0], effective)
				if err != nil {
					return err
				}
				if o.json() {
					return a.groupDocument(v, most)
				}
				return a.showGroup(v, most)
			})
		},
	}
	cmd.Flags().BoolVar(&effective, "effective", false, "all users, also those who are in it through nested groups")
	cmd.Flags().IntVar(&most, "limit", 100, "how many members; 0 = all")
	o.add(cmd, "text", "json")
	return cmd
}

// groupView is what is shown of a group.
type groupView struct {
	group   *connector.Group
	counts  connector.MemberCounts
	members iter.Seq2[memberJSON, error]
}

func (s *site) groupView(ctx context.Context, o *org, key string, effective bool) (*groupView, error) {
	g, err := s.db.FindGroup(ctx, o.Org.ID, key)
	if connector.KindOf(err) == connector.NotFound && connector.HintOf(err) == "" {
		err = &connector.Error{
			Kind: connector.NotFound, Op: "group", Err: fmt.Errorf("there is no group %q in organization %s", key, o.Org.ID),
			Hint: "see them with: usherd groups --org " + o.Org.ID,
		}
	}
	if err != nil {
		return nil, err
	}
	v := &groupView{group: g}
	if v.counts, err = s.db.CountMembers(ctx, o.Org.ID, g.ID); err != nil {
		return nil, err
	}
	v.members = func(yield func(memberJSON, error) bool) {
		for m, err := range s.db.DirectMembers(ctx, o.Org.ID, g.ID) {
			if !yield(newMemberJSON(&m), err) {
				return
			}
		}
	}
	if effective {
		v.members = func(yield func(memberJSON, error) bool) {
			for u, err := range s.db.EffectiveMembers(ctx, o.Org.ID, g.ID) {
				if !yield(newMemberJSON(&connector.GroupMember{User: u}), err) {
					return
				}
			}
		}
	}
	return v, nil
}

// groupDocument is what `group show -o json` prints.
func (a *app) groupDocument(v *groupView, most int) error {
	head := api.NewGroupDetail(v.group, v.counts)
	var line bytes.Buffer
	if err := writeLine(&line, head); err != nil {
		return err
	}
	return writeList(a.out, strings.TrimSuffix(line.String(), "}\n")+`,"members":[`, first(v.members, most, nil), func(m memberJSON) any { return m })
}

func (a *app) showGroup(v *groupView, most int) error {
	g := v.group
	fmt.Fprintf(a.out, "%s  %s\n", g.Name, g.Source)
	tab := report.NewTable(a.out, 0, report.Column{}, report.Column{})
	tab.Row("  id", g.ID.String())
	tab.Row("  dn", g.DN)
	tab.Row("  anchor", g.Anchor.String())
	if g.Description != "" {
		tab.Row("  description", g.Description)
	}
	tab.Row("  members", strconv.Itoa(g.MemberCount))
	tab.Row("  effective", fmt.Sprintf("%s, %s, %d outside", plural(v.counts.Users, "user"), plural(v.counts.Groups, "nested group"), v.counts.Outside))
	tab.Row("  changed", date(g.UpdatedAt))
	if err := tab.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "members")
	tab = report.NewTable(a.out, a.width(), report.Column{}, report.Column{Flex: true}, report.Column{}, report.Column{Flex: true})
	more := false
	for m, err := range first(v.members, most, &more) {
		if err != nil {
			return err
		}
		tab.Row(m.cells()...)
	}
	a.tellMore(more)
	return tab.Flush()
}

// cells are the columns of a member: kind, name, state, and who or where it is.
func (m *memberJSON) cells() []string {
	name, state, who := m.Name, string(m.State), m.DN
	if m.Kind == api.UserMember {
		who = m.fullName
	}
	if m.Primary {
		state += ", primary group"
	}
	return []string{"  " + m.Kind, name, state, who}
}
