package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/provision"
)

func (a *app) rollbackCmd() *cobra.Command {
	var f runFlags
	var people []string
	var yes bool
	cmd := &cobra.Command{
		Use: "rollback RUN", Short: "Put back what a run did to people and groups", Args: exactArgs("the run: its id, the last characters of it, or last"),
		Long: `rollback puts back what a run did to people: attributes, states, packages and seats; and to groups: names and
memberships. It shows the plan and keeps it for approval (exit code 4); --yes applies it at once. No directory
is read. last is the run that has changed somebody last.

What was changed since by others stays as it is, and so does whatever an administrator has touched; the report
says whom and what. The next run leaves these people alone until their record, the mapping or the scope
changes; groups become what the directory says again with the next full run. A rollback is a run itself: it
stands in the history, and can be rolled back.

Exit codes: 0 done; 1 error; 3 done, but some people were not put back; 4 held for approval.`,
		Example:           "  usherd rollback 5a6b7c8d\n  usherd rollback last --person ann.lee@example.com --yes",
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *site) error {
				run, o, err := s.findChanged(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				req := provision.RollbackRequest{Run: run.ID, Apply: yes}
				for _, name := range people {
					u, err := s.findUser(cmd.Context(), o, name)
					if err != nil {
						return err
					}
					req.People = append(req.People, u.ID)
				}
				return a.rollback(cmd.Context(), s, o, f, req)
			})
		},
	}
	cmd.Flags().StringArrayVar(&people, "person", nil, "only this person, and no group: user name, e-mail, id or anchor; may be given again")
	cmd.Flags().BoolVar(&yes, "yes", false, "apply it at once")
	f.showFlags(cmd)
	return cmd
}

// findChanged returns a run; "last" is the one that has changed somebody last. Plans and most full runs have
// not, and one of live changes goes on beside runs that began after it.
func (s *site) findChanged(ctx context.Context, id string) (*connector.Run, *org, error) {
	if id != "last" {
		return s.findRun(ctx, id)
	}
	runs, err := s.db.Runs(ctx, connector.RunFilter{Limit: 100})
	if err != nil {
		return nil, nil, err
	}
	var at time.Time
	for _, run := range runs {
		if _, err := s.org(run.Org); err != nil {
			continue // the configuration does not have it any more
		}
		events, err := s.db.RunEvents(ctx, run.Org, run.ID, connector.ID{}, 1)
		if err != nil {
			return nil, nil, err
		}
		if len(events) > 0 && events[0].At.After(at) {
			id, at = run.ID.String(), events[0].At
		}
	}
	return s.findRun(ctx, id)
}

// rollback puts back what a run did and shows the report.
func (a *app) rollback(ctx context.Context, s *site, o *org, f runFlags, req provision.RollbackRequest) error {
	if err := s.adopt(ctx, a); err != nil {
		return err
	}
	show, done := a.newProgress(o.Org.ID + "/rollback")
	req.Actor, req.Revision, req.Progress = actor(), s.file.Revision, show
	plan, err := o.prov.Rollback(ctx, req)
	done()
	return a.showPlan(s, plan, f, err)
}

// showPlan shows what a run did, or would do, and how it ended.
func (a *app) showPlan(s *site, plan *provision.Plan, f runFlags, err error) error {
	if plan == nil {
		return err
	}
	defer plan.Close() //nolint:errcheck // temporary files
	if !told(plan.Run, err) {
		return err
	}
	a.worse(runCode(plan.Run))
	if showErr := a.showRun(s, plan.Run, plan.Changes, f); showErr != nil {
		return showErr
	}
	if err != nil && (errors.Is(err, context.Canceled) || connector.KindOf(err) == connector.Conflict) {
		return err
	}
	return nil // the report has told it, the exit code says it
}
