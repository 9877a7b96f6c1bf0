package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/connector/report"
)

func (a *app) userExplainCmd(orgID *string) *cobra.Command {
	var o outputFlag
	var at string
	var fresh bool
	cmd := &cobra.Command{
		Use: "explain KEY", Short: "Tell why a user is as it is, or was: each value, each step, what would have to change", Args: key,
		Long: `explain tells of one user: each attribute with the source, the source's attribute and the line of the mapping
that it comes from; each step of its state with the cause; why it is in this state and has this package; what
is wrong; and what would have to happen for another state. Nothing is changed.`,
		Example: `  usherd user explain ann.lee
  usherd user explain ann.lee --fresh
  usherd user explain ann.lee --at 2026-11-01
  usherd user explain ann.lee --at 3d -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := provision.ExplainRequest{}
			if fresh && at != "" {
				return usagef("--fresh asks what the directory says now, --at is about the past: give one of them")
			}
			if at != "" {
				var err error
				if req.At, err = pastInstant(at, a.now()); err != nil {
					return err
				}
			}
			with := a.withStore
			if fresh {
				with = a.withSite
			}
			return with(cmd.Context(), func(s *site) error { return a.explainUser(cmd.Context(), s, *orgID, args[0], fresh, req, o) })
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "as it was then: a date (its end, in UTC), an instant (RFC 3339) or how long ago (3d, 12h)")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "ask the directory for the record as it is now")
	o.add(cmd, "text", "json")
	return cmd
}

// pastInstant reads a date, an instant or a duration ago. A date is its last moment; today is now, which is the
// zero time.
func pastInstant(text string, now time.Time) (time.Time, error) {
	at, ok := parseInstant(text, now)
	switch {
	case !ok:
		return at, usagef("--at %s: a date (2026-11-01), an instant (2026-11-01T08:00:00Z) or how long ago (3d)", text)
	case at.After(now):
		return at, usagef("--at %s: that is still to come", text)
	}
	return at, nil
}

func parseInstant(text string, now time.Time) (time.Time, bool) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		end := day.AddDate(0, 0, 1)
		if !now.Before(day) && now.Before(end) {
			return time.Time{}, true
		}
		return end.Add(-time.Nanosecond), true
	}
	var ago connector.Duration
	if ago.UnmarshalText([]byte(text)) == nil {
		return now.Add(-time.Duration(ago)), true
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04Z", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func (a *app) explainUser(ctx context.Context, s *site, orgID, name string, fresh bool, req provision.ExplainRequest, out outputFlag) error {
	o, err := s.org(orgID)
	if err != nil {
		return err
	}
	u, err := s.findUser(ctx, o, name)
	if err != nil {
		return err
	}
	catalogue, err := s.catalogue()
	if err != nil {
		return err
	}
	req.User = u.ID
	if req.Say, err = report.Explain(failure.Languages()[0]); err != nil {
		return err
	}
	req.Place = func(source, attribute string) (string, int) {
		return s.file.Path, s.file.MappingLine(o.Org.ID, source, attribute)
	}
	req.Words = func(f connector.Failure) (string, []string) {
		text := catalogue.TextWithContact(f, o.Org.Contact, failure.Languages()[0])
		return text.Title, text.Remedy
	}
	if fresh {
		req.Fresh = map[string]connector.Source{}
		for id, src := range o.sources {
			req.Fresh[id] = src
		}
	}
	e, err := o.prov.Explain(ctx, req)
	if err != nil {
		return err
	}
	if len(s.orgs) > 1 {
		nameOrg(e)
	}
	if out.json() {
		return writeJSON(a.out, e)
	}
	return a.showExplanation(e)
}

// nameOrg completes the commands of an explanation where there are several organizations.
func nameOrg(e *provision.Explanation) {
	for _, w := range e.Ways {
		for _, step := range w.Steps {
			for i := range step.Either {
				if c := &step.Either[i].Command; *c != "" {
					*c = fmt.Sprintf("%s --org %s", *c, e.Org)
				}
			}
		}
	}
}
