package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/report"
)

func (a *app) ssoCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "sso", Short: "See who has tried to sign in, and how far it went",
		Args: noSuchCommand, RunE: showHelp,
	}
	cmd.AddCommand(a.ssoAttemptsCmd(), a.ssoShowCmd())
	return cmd
}

// attemptFlags are those of `usherd sso attempts`.
type attemptFlags struct {
	o                   outputFlag
	org, source, person string
	window              string
	failed              bool
	limit               int
}

func (a *app) ssoAttemptsCmd() *cobra.Command {
	var f attemptFlags
	cmd := &cobra.Command{
		Use: "attempts", Short: "Show who has tried to sign in, the latest first", Args: noArgs,
		Long: `attempts shows who has tried to sign in by SAML, and by which number somebody was refused. The steps of one are shown by
usherd sso show ID. They are kept as long as saml.keep of the source says.`,
		Example: "  usherd sso attempts\n  usherd sso attempts --failed --since 1d\n  usherd sso attempts --person ann@example.com -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := limit(f.limit); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error { return a.ssoAttempts(cmd.Context(), s, &f) })
		},
	}
	cmd.Flags().StringVar(&f.org, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&f.source, "source", "", "source (default: all)")
	cmd.Flags().StringVar(&f.person, "person", "", "only of this person: user name or e-mail")
	cmd.Flags().StringVar(&f.window, "since", "", "only the last time, such as 1h or 7d")
	cmd.Flags().BoolVar(&f.failed, "failed", false, "only those that were refused")
	cmd.Flags().IntVar(&f.limit, "limit", 50, "how many; 0 = all")
	f.o.add(cmd, "text", "json")
	return cmd
}

func (a *app) ssoAttempts(ctx context.Context, s *site, f *attemptFlags) error {
	if err := s.knows(f.org, f.source); err != nil {
		return err
	}
	q := connector.AttemptQuery{Source: f.source, Person: f.person, Failed: f.failed}
	if f.window != "" {
		var d connector.Duration
		if err := d.UnmarshalText([]byte(f.window)); err != nil {
			return usagef("--since %s: %s", f.window, err)
		}
		q.Since = a.now().Add(-time.Duration(d))
	}
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	list, err := s.attempts(ctx, f.org, q, f.limit)
	if err != nil {
		return err
	}
	if f.o.json() {
		out := make([]api.Attempt, len(list))
		for i := range list {
			out[i] = api.NewAttempt(&list[i], cat, "en")
		}
		return writeJSON(a.out, map[string]any{"attempts": out})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.err, "no such attempts are kept")
		return err
	}
	tab := report.NewTable(a.out, a.width(),
		report.Column{Title: "Time"}, report.Column{Title: "Source", Flex: true}, report.Column{Title: "Person", Flex: true},
		report.Column{Title: "Result", Flex: true}, report.Column{Title: "Ref"}, report.Column{Title: "Id"})
	for i := range list {
		x := &list[i]
		tab.Row(a.second(x.At), x.Org+"/"+x.Source, x.Person, result(x), x.Ref, x.ID.Short())
	}
	return tab.Flush()
}

func result(x *connector.Attempt) string {
	switch {
	case x.Test != nil && x.Code == 0:
		return "test: would be signed in"
	case x.Test != nil:
		return fmt.Sprintf("test: %d %s", x.Code, x.Reason)
	case x.Code == 0:
		return "signed in"
	}
	return fmt.Sprintf("%d %s", x.Code, x.Reason)
}

// attempts reads those of one organization, or of all, the latest first; limit 0 is all.
func (s *site) attempts(ctx context.Context, orgID string, q connector.AttemptQuery, limit int) ([]connector.Attempt, error) {
	var list []connector.Attempt
	for _, o := range s.orgs {
		if orgID != "" && orgID != o.Org.ID {
			continue
		}
		q.Org, q.Before = o.Org.ID, connector.ID{}
		for n := 0; limit == 0 || n < limit; {
			q.Limit = logPage
			if limit > 0 {
				q.Limit = min(limit-n, logPage)
			}
			page, err := s.db.Attempts(ctx, q)
			if err != nil {
				return nil, err
			}
			list = append(list, page...)
			if n += len(page); len(page) < q.Limit {
				break
			}
			q.Before = page[len(page)-1].ID
		}
	}
	slices.SortFunc(list, func(a, b connector.Attempt) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	if limit > 0 {
		list = list[:min(limit, len(list))]
	}
	return list, nil
}

func (a *app) ssoShowCmd() *cobra.Command {
	var o outputFlag
	var orgID string
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show the steps of one attempt to sign in, and what to do", Args: exactArgs("the attempt's id, at least its last characters, or its reference"),
		Example: "  usherd sso show 7c1f03aa\n  usherd sso show 7KQ2-M4ZT -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				cat, err := s.catalogue()
				if err != nil {
					return err
				}
				x, err := s.findAttempt(cmd.Context(), orgID, args[0])
				if err != nil {
					return err
				}
				if o.json() {
					return writeJSON(a.out, api.NewAttemptDetail(x, cat, "en"))
				}
				return a.showAttempt(x, cat)
			})
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	o.add(cmd, "text", "json")
	return cmd
}

// findAttempt finds one by id, by the end of it, or by the reference that the person was shown: the latest with it.
func (s *site) findAttempt(ctx context.Context, orgID, text string) (*connector.Attempt, error) {
	if err := s.knows(orgID, ""); err != nil {
		return nil, err
	}
	id, err := connector.ParseID(text)
	exact := err == nil
	for _, o := range s.orgs {
		if orgID != "" && orgID != o.Org.ID {
			continue
		}
		if exact {
			x, ok, err := s.db.Attempt(ctx, o.Org.ID, id)
			if ok || err != nil {
				return &x, err
			}
			continue
		}
		x, err := s.attemptNamed(ctx, o.Org.ID, text)
		if x != nil || err != nil {
			return x, err
		}
	}
	return nil, &connector.Error{
		Kind: connector.NotFound, Op: "sso", Err: fmt.Errorf("there is no attempt %q", text), Hint: "see them with: usherd sso attempts",
	}
}

// attemptNamed finds the latest by the reference that the person was shown, which an index has; else by the last characters of the id, for
// which what is kept is looked through, page by page.
func (s *site) attemptNamed(ctx context.Context, orgID, text string) (*connector.Attempt, error) {
	if text == "" { // which asks for any
		return nil, nil
	}
	list, err := s.db.Attempts(ctx, connector.AttemptQuery{Org: orgID, Ref: text, Limit: 1})
	if err != nil || len(list) > 0 {
		return latest(list), err
	}
	end := strings.ToLower(text)
	if len(end) < shortID || strings.Trim(end, "0123456789abcdef-") != "" {
		return nil, nil
	}
	for q := (connector.AttemptQuery{Org: orgID, Limit: logPage}); ; {
		page, err := s.db.Attempts(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if strings.HasSuffix(page[i].ID.String(), end) {
				return &page[i], nil
			}
		}
		if len(page) < logPage {
			return nil, nil
		}
		q.Before = page[len(page)-1].ID
	}
}

// shortID is how many characters of an id are enough to name something.
const shortID = 4

// latest is the first of a list, nil of none.
func latest(list []connector.Attempt) *connector.Attempt {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// showAttempt writes one for people.
func (a *app) showAttempt(x *connector.Attempt, cat *failure.Catalogue) error {
	var b strings.Builder
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", label, printable(value))
		}
	}
	line("attempt", x.ID.String())
	line("time", a.second(x.At)+", "+took(x.Took))
	line("source", x.Org+"/"+x.Source)
	line("person", x.Person)
	line("user", x.User.String())
	line("from", x.Remote)
	if skew, known := x.Skew(); known {
		line("clock", skewText(skew))
	}
	if x.Test != nil {
		line("test", "by "+x.Test.By+": nobody was signed in, and nothing has changed")
	}
	if x.Code == 0 {
		line("result", result(x))
	} else {
		line("result", fmt.Sprintf("%s: %s", cat.Title(x.Code, "en"), x.Reason))
		line("ref", x.Ref)
	}
	b.WriteString("\n")
	for _, s := range x.Steps {
		fmt.Fprintf(&b, "  %-8s %-11s %s\n", s.Result, s.Name, printable(s.Detail))
	}
	if x.Test != nil {
		if err := writeTried(&b, x.Test); err != nil {
			return err
		}
	}
	if x.Code != 0 {
		b.WriteString("\nwhat to do:\n")
		for i, r := range cat.Text(connector.Failure{Code: x.Code, Reason: x.Reason, Org: x.Org, Source: x.Source}, "en").Remedy {
			fmt.Fprintf(&b, "  %d. %s\n", i+1, r)
		}
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// skewText says how the clocks of an attempt stood to each other.
func skewText(skew time.Duration) string {
	if skew < 0 {
		return "the identity provider's is ahead by " + (-skew).String() + " or more"
	}
	return "the response came " + skew.String() + " after it was issued, by the identity provider's"
}

// forgetAttempts drops what was kept of sign-ins for longer than their sources want.
func (d *daemon) forgetAttempts(ctx context.Context, s *site) error {
	now := d.app.now()
	all := errors.Join(s.db.DropTickets(ctx, now), s.db.DropSessions(ctx, now))
	orgs, err := s.db.AttemptOrgs(ctx)
	all = errors.Join(all, err)
	for _, orgID := range orgs {
		sources, err := s.db.AttemptSources(ctx, orgID)
		all = errors.Join(all, err)
		for _, source := range sources {
			keep := keepOrphans
			if o, err := s.org(orgID); err == nil && o.SignOns[source] != nil {
				keep = o.SignOns[source].Keep
			}
			n, err := s.db.DropAttempts(ctx, orgID, source, now.Add(-keep))
			all = errors.Join(all, err)
			if n > 0 {
				d.log.Info("old attempts to sign in forgotten", zap.String("org", orgID), zap.String("source", source), zap.Int("attempts", n))
			}
		}
	}
	return all
}

// writeTried tells what came in a test, and what would have changed.
func writeTried(b *strings.Builder, x *connector.AttemptTest) error {
	fmt.Fprintf(b, "\nwhat came of %s:\n", printable(cmp.Or(x.Subject, "somebody without a name")))
	for _, a := range x.Attributes {
		fmt.Fprintf(b, "  %s = %s\n", printable(a.Name), printable(strings.Join(a.Values, "; ")))
	}
	if x.Left > 0 {
		fmt.Fprintf(b, "  and %d more attributes\n", x.Left)
	}
	if len(x.Fields) > 0 {
		b.WriteString("\nwhat would have changed:\n")
	}
	for _, f := range x.Fields {
		line, err := report.Field(f, "")
		if err != nil {
			return err
		}
		b.WriteString("  " + line + "\n")
	}
	return nil
}
