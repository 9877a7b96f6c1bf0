package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/report"
)

// sourceJSON is one source of `usherd sources -o json`, as the API has it too.
type sourceJSON struct {
	connector.SourceStanding
	held *connector.Run // that blocks the source
}

func (a *app) sourcesCmd() *cobra.Command {
	var o outputFlag
	var orgID string
	cmd := &cobra.Command{
		Use: "sources", Short: "Show how each source is: read when, followed how, failing since when", Args: noArgs,
		Long: `sources shows for each source when it was last read in full, how its changes are followed, and whether it
fails. A source that has failed three times in a row, or that refuses the service account, is in quarantine: it is
tried again by itself, less and less often, and at once after a change of the configuration or by usherd sync.`,
		Example: "  usherd sources\n  usherd sources -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				if err := s.knows(orgID, ""); err != nil {
					return err
				}
				list, err := s.sourceList(cmd.Context(), orgID, a.now())
				if err != nil {
					return err
				}
				leader, err := s.leader(cmd.Context())
				if err != nil {
					return err
				}
				if o.json() {
					return writeJSON(a.out, sourcesJSON{list, leader})
				}
				return errors.Join(a.showSources(list), a.showLeader(leader))
			})
		},
	}
	cmd.Flags().StringVar(&orgID, "org", "", "organization (default: all)")
	o.add(cmd, "text", "json")
	return cmd
}

// sourcesJSON is what `usherd sources -o json` prints.
type sourcesJSON struct {
	Sources []sourceJSON `json:"sources"`
	Leader  string       `json:"leader,omitempty"` // the replica that reads them, where there may be several
}

// leader is the replica that reads sources by itself, "" where none does or there is one daemon only.
func (s *site) leader(ctx context.Context) (string, error) {
	if !sharedStore(s.file.Config.Store) {
		return "", nil
	}
	return leaderOf(ctx, s.db)
}

func (a *app) showLeader(leader string) error {
	if leader == "" {
		return nil
	}
	_, err := fmt.Fprintf(a.out, "\nled by %s\n", leader)
	return err
}

// sourceList tells of the sources of one organization, or of all.
func (s *site) sourceList(ctx context.Context, orgID string, now time.Time) ([]sourceJSON, error) {
	list := []sourceJSON{}
	for _, o := range s.orgs {
		if orgID != "" && orgID != o.Org.ID {
			continue
		}
		for _, settings := range o.Org.Sources {
			one, err := s.sourceStanding(ctx, target{org: o, id: settings.ID, src: o.sources[settings.ID]}, now)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
	}
	return list, nil
}

func (s *site) sourceStanding(ctx context.Context, t target, now time.Time) (sourceJSON, error) {
	if t.pushes() {
		return sourceJSON{SourceStanding: connector.SourceStanding{Org: t.org.Org.ID, Source: t.id, Type: string(t.org.Org.Source(t.id).Kind), Status: t.comes()}}, nil
	}
	j := sourceJSON{SourceStanding: connector.SourceStanding{
		Org: t.org.Org.ID, Source: t.id, Type: string(t.org.Directories[t.id].Config.Type), Status: "ok", Follows: follows(t.org.Changes[t.id]),
	}}
	state, err := s.db.SourceState(ctx, j.Org, t.id)
	if err != nil {
		return j, err
	}
	j.People, j.LastFull = state.Entries, when(state.LastOK)
	runs, err := s.db.Runs(ctx, connector.RunFilter{Org: j.Org, Source: t.id, Limit: lookBack})
	if err != nil {
		return j, err
	}
	for _, r := range runs {
		switch {
		case r.Mode == connector.ModeChanges && j.LastChanges == nil && r.Result == connector.ResultOK:
			j.LastChanges, j.Mechanism = when(r.Finished), r.Mechanism
		case r.Mode == connector.ModeFull && j.Missed == nil:
			j.Missed = r.Missed
		}
	}
	if state.LastOK.IsZero() {
		j.Status = "never_run"
	}
	if err := s.holdStanding(ctx, t, now, &j); err != nil {
		return j, err
	}
	trouble, err := s.trouble(ctx, t)
	if trouble.Error != "" {
		j.Status, j.Failures, j.Error, j.Hint = "failing", trouble.Failures, trouble.Error, trouble.Hint
		j.Since, j.NextTry = when(trouble.Since), when(trouble.Next)
	}
	if trouble.Quarantined() {
		j.Status = "quarantined"
	}
	return j, err
}

// holdStanding tells what waits for approval.
func (s *site) holdStanding(ctx context.Context, t target, now time.Time, j *sourceJSON) error {
	held, err := s.lastHeld(ctx, t, now)
	if err != nil || held == nil {
		return err
	}
	j.Held, j.HeldWhy = held.ID.String(), held.Hold.Reason
	if j.held, err = s.blocked(ctx, t, now); j.held != nil {
		j.Status, j.Held, j.HeldWhy = "waits_for_approval", j.held.ID.String(), j.held.Hold.Reason
	}
	return err
}

// follows says how changes are followed.
func follows(c config.Changes) string {
	switch {
	case c.Live:
		return "live"
	case c.Every > 0:
		return "every " + connector.Duration(c.Every).String()
	}
	return ""
}

func (a *app) showSources(list []sourceJSON) error {
	columns := []report.Column{
		{Title: "Source", Flex: true},
		{Title: "Status", Flex: true},
		{Title: "Follows"},
		{Title: "Last full"},
		{Title: "Last change"},
		{Title: "Entries", Right: true},
		{Title: "Missed", Right: true},
	}
	const entries = 5 // its place
	when := moment
	if a.narrow() {
		columns = slices.Delete(columns, entries, entries+1)
		when = func(t *time.Time) string {
			return strings.TrimPrefix(moment(t), strconv.Itoa(a.now().UTC().Year())+"-")
		}
	}
	tab := report.NewTable(a.out, a.width(), columns...)
	for _, j := range list {
		missed := "-"
		if j.Missed != nil {
			missed = strconv.Itoa(*j.Missed)
		}
		row := []string{j.Org + "/" + j.Source, statusWords[j.Status], dash(j.Follows), when(j.LastFull), when(j.LastChanges), strconv.Itoa(j.People), missed}
		if a.narrow() {
			row = slices.Delete(row, entries, entries+1)
		}
		tab.Row(row...)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for _, j := range list {
		a.showStanding(j)
	}
	return nil
}

// showStanding says what is wrong with a source, and what to do.
func (a *app) showStanding(j sourceJSON) {
	if j.Error != "" {
		fmt.Fprintf(a.out, "\n%s/%s: %s\n", j.Org, j.Source, printable(j.Error))
		if j.Failures > 0 {
			fmt.Fprintf(a.out, "  failed %s since %s, tried again at %s\n", times(j.Failures), moment(j.Since), moment(j.NextTry))
		} else {
			fmt.Fprintf(a.out, "  failed since %s when somebody asked for a run\n", moment(j.Since))
		}
		if j.Hint != "" {
			fmt.Fprintf(a.out, "  what to do: %s\n", j.Hint)
		}
	}
	if j.Held != "" {
		what, short := "something of the last full run", j.Held[len(j.Held)-8:]
		if j.held != nil {
			what = "what changed settings do"
		}
		if j.held != nil && j.held.Hold.Whole {
			what = "everything"
		}
		fmt.Fprintf(a.out, "\n%s/%s: %s waits for approval: %s\n  what to do: look with usherd report %s, then usherd approve %s or usherd reject %s\n",
			j.Org, j.Source, what, printable(j.HeldWhy), short, short, short)
	}
}

var statusWords = map[string]string{
	"never_run": "never read", "ok": "ok", "failing": "failing", "quarantined": "in quarantine", "waits_for_approval": "waits for approval",
	"pushes": "pushes by itself", "signs in": "people sign in", "activates": "people activate", "imports": "reads files",
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return date(*t)
}
