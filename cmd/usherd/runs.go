package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/report"
)

func (a *app) runsCmd() *cobra.Command {
	var o outputFlag
	var q connector.RunFilter
	var lang string
	cmd := &cobra.Command{
		Use: "runs", Short: "List the last runs", Args: noArgs,
		Example: "  usherd runs\n  usherd runs --source head-office --limit 5 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := limit(q.Limit); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *site) error {
				runs, err := s.db.Runs(cmd.Context(), q)
				if err == nil && len(runs) == 0 {
					err = s.knows(q.Org, q.Source)
				}
				if err != nil {
					return err
				}
				// A run has its id when it is planned, and sources are planned beside each other.
				slices.SortStableFunc(runs, func(a, b *connector.Run) int { return b.Started.Compare(a.Started) })
				if o.json() {
					return a.runsJSON(s, runs)
				}
				return report.Runs(a.out, runs, lang, report.TextOptions{Width: a.width(), Color: a.color(), Now: a.now()})
			})
		},
	}
	cmd.Flags().StringVar(&q.Org, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&q.Source, "source", "", "source (default: all)")
	cmd.Flags().IntVar(&q.Limit, "limit", 20, "how many; 0 = all, at most 1000")
	addLang(cmd, &lang, "language")
	o.add(cmd, "text", "json")
	return cmd
}

// runsJSON writes the heads of the runs as one document.
func (a *app) runsJSON(s *site, runs []*connector.Run) error {
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	docs := make([]json.RawMessage, 0, len(runs))
	undone := report.Undone(runs)
	for _, run := range runs {
		var b bytes.Buffer
		if err := report.JSON(&b, report.Report{Run: run, Now: a.now(), UndoneBy: undone[run.ID], Catalogue: cat}); err != nil {
			return err
		}
		docs = append(docs, b.Bytes())
	}
	return writeJSON(a.out, map[string]any{"runs": docs})
}

func (a *app) reportCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "report RUN", Short: "Show the report of a run", Args: exactArgs("the run: its id, the last characters of it, or last"),
		Example:           "  usherd report last\n  usherd report 5a6b7c8d -o html > report.html",
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				run, _, err := s.findRun(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				back, err := s.db.Rollbacks(cmd.Context(), run)
				if err != nil {
					return err
				}
				people := func() iter.Seq2[*connector.Change, error] { return s.db.RunChanges(cmd.Context(), run.ID) }
				return a.show(s, report.Report{Run: run, Changes: people, UndoneBy: report.Undone(back)[run.ID]}, f)
			})
		},
	}
	f.showFlags(cmd)
	return cmd
}

// findHeld returns a run that waits; "last" is the last one that has held anything.
func (s *site) findHeld(ctx context.Context, id string) (*connector.Run, *org, error) {
	if id == "last" {
		runs, err := s.db.Runs(ctx, connector.RunFilter{Limit: 100})
		if err != nil {
			return nil, nil, err
		}
		for _, run := range runs {
			if o, err := s.org(run.Org); err == nil && run.Hold != nil {
				return run, o, o.prov.CheckHold(run)
			}
		}
	}
	run, o, err := s.findRun(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	return run, o, o.prov.CheckHold(run)
}

func (a *app) rejectCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reject RUN", Short: "Refuse what a run holds", Args: exactArgs("the held run: its id, the last characters of it, or last"),
		Long:              "reject drops what a run holds: nothing of it is done. What still is so is held again by the next run.",
		Example:           "  usherd reject 5a6b7c8d\n  usherd reject last",
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				run, o, err := s.findHeld(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := o.prov.Reject(cmd.Context(), run, actor()); err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.out, "run %s: rejected, nothing of it was changed\n", run.ID.Short())
				if !run.Hold.Rest.IsZero() {
					_, err = fmt.Fprintln(a.out, "the next run decides again: whom no source may ever deactivate belongs under protected in the configuration")
				}
				return err
			})
		},
	}
	return cmd
}

// completeRuns offers the last runs to the shell.
func (a *app) completeRuns(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words := []string{"last"}
	_ = a.withStore(cmd.Context(), func(s *site) error {
		runs, err := s.db.Runs(cmd.Context(), connector.RunFilter{Limit: 20})
		for _, r := range runs {
			words = append(words, fmt.Sprintf("%s\t%s/%s %s %s", r.ID.Short(), r.Org, r.Source, r.Result, r.Started.Format("2006-01-02 15:04")))
		}
		return err
	})
	return words, cobra.ShellCompDirectiveNoFileComp
}

// withSite opens the site for one command that asks a directory.
func (a *app) withSite(ctx context.Context, do func(*site) error) error {
	file, err := a.load()
	if err != nil {
		return err
	}
	return a.with(ctx, file, do)
}

// withStore opens the site for one command that only looks into the store or changes what stands there:
// it needs no secrets.
func (a *app) withStore(ctx context.Context, do func(*site) error) error {
	file, err := a.loadWith(config.LoadOptions{NoSecrets: true})
	if err != nil {
		return err
	}
	return a.with(ctx, file, do)
}

func (a *app) with(ctx context.Context, file *config.File, do func(*site) error) (err error) {
	s, err := a.openFile(ctx, file, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return do(s)
}
