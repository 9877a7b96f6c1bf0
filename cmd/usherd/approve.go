package main

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

// partFlags choose people of a hold.
type partFlags struct {
	only, except []string
	action       string
}

// heldActions are what can wait for approval.
var heldActions = []string{
	string(connector.Created), string(connector.Updated), string(connector.Reactivated), string(connector.Deactivated), string(connector.Removed),
}

func (p *partFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&p.only, "only", nil, "only these people: KEY[,KEY...]; a DN, which has commas of its own, needs an --only for itself")
	cmd.Flags().StringArrayVar(&p.except, "except", nil, "all but these people")
	cmd.Flags().StringVar(&p.action, "only-action", "", "only who would be: "+strings.Join(heldActions, " | "))
	_ = cmd.RegisterFlagCompletionFunc("only-action", cobra.FixedCompletions(heldActions, cobra.ShellCompDirectiveNoFileComp))
}

// part is what the flags ask for.
func (p *partFlags) part() (connector.Part, error) {
	ask := connector.Part{Only: splitKeys(p.only), Except: splitKeys(p.except), Action: connector.Action(p.action)}
	switch {
	case len(p.only) > 0 && len(p.except) > 0:
		return ask, usagef("say either --only or --except")
	case len(p.only) > 0 && len(ask.Only) == 0 || len(p.except) > 0 && len(ask.Except) == 0:
		return ask, usagef("--only and --except name people: user name, e-mail, DN or anchor")
	case p.action != "" && len(p.only) > 0:
		return ask, usagef("say either --only or --only-action")
	}
	for _, a := range heldActions {
		if p.action == a || p.action == "" {
			return ask, nil
		}
	}
	return ask, usagef("--only-action %s: one of %s", p.action, strings.Join(heldActions, ", "))
}

// splitKeys takes lists apart at their commas, but for DNs.
func splitKeys(values []string) []string {
	var keys []string
	for _, v := range values {
		parts := []string{v}
		if comma, equals := strings.Index(v, ","), strings.Index(v, "="); equals < 0 || comma < equals {
			parts = strings.Split(v, ",")
		}
		for _, k := range parts {
			if k = strings.TrimSpace(k); k != "" {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func (a *app) approveCmd() *cobra.Command {
	var f runFlags
	var p partFlags
	cmd := &cobra.Command{
		Use: "approve RUN", Short: "Carry out what a run holds", Args: exactArgs("the held run: its id, the last characters of it, or last"),
		Long: `approve reads the directory again and carries out what the run holds, if that is still exactly what was
shown. When the directory or the users have moved, nothing is done and the new plan is shown instead. Of an
import it reads the file as it was shown, which is kept for it. For a rollback nothing is read.

With --only, --except or --only-action it carries out that part. The rest stays held, under the run that
approve does, for as long as it would have been (exit code 4). A KEY is a user name, e-mail, DN or anchor as
the report names it.

Where the organization asks for two administrators (second_approver), the first approve is only noted
(exit code 4); the same command of another one carries it out.`,
		Example: `  usherd approve 5a6b7c8d
  usherd approve 5a6b7c8d --except ann.lee,bob@example.com
  usherd approve 5a6b7c8d --only 'CN=Ann Lee,OU=Sales,DC=example,DC=com'
  usherd approve last --only-action deactivated`,
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			ask, err := p.part()
			if err != nil {
				return err
			}
			return a.withSite(cmd.Context(), func(s *site) error { return a.carryOut(cmd.Context(), s, args[0], ask, f) })
		},
	}
	p.add(cmd)
	f.showFlags(cmd)
	return cmd
}

// approval is what it takes to carry out a held run or a preview, or a part of what is held.
type approval struct {
	held  *connector.Run
	org   *org
	part  *provision.Choice
	first bool   // another administrator has to approve it too
	t     target // what is read again; of a rollback nothing is
}

// approval finds what is to be carried out; an error says why nothing can.
func (s *site) approval(ctx context.Context, held *connector.Run, ask connector.Part, actor string) (x approval, err error) {
	x.held = held
	if x.org, err = s.organization(held.Org); err != nil {
		return x, err
	}
	if x.part, err = provision.Choose(held, s.db.RunChanges(ctx, held.ID), ask); err != nil {
		return x, err
	}
	if x.first, err = x.org.prov.CheckApproval(held, x.part, actor); err != nil || x.first || held.Mode == connector.ModeRollback {
		return x, err
	}
	x.t = target{org: x.org, id: held.Source, src: x.org.sources[held.Source]}
	if x.org.Importers[held.Source] != nil {
		x.t.file, err = s.runFile(ctx, held)
	} else if x.t.src == nil {
		err = &connector.Error{Kind: connector.Conflict, Op: "approve", Err: fmt.Errorf("the configuration has no source %s any more", held.Source)}
	}
	return x, err
}

// carryOut applies a held run or a preview, or a part of what is held.
func (a *app) carryOut(ctx context.Context, s *site, id string, ask connector.Part, f runFlags) error {
	held, o, err := s.findHeld(ctx, id)
	if err != nil {
		return err
	}
	x, err := s.approval(ctx, held, ask, actor())
	switch {
	case err != nil:
		return err
	case x.first:
		return a.approveFirst(ctx, s, o, held, x.part, f)
	case held.Mode == connector.ModeRollback:
		return a.rollback(ctx, s, o, f, provision.RollbackRequest{Approve: held, Part: x.part})
	}
	return a.runTarget(ctx, s, x.t, f, provision.SyncRequest{Mode: connector.ModeFull, Approve: held, Part: x.part})
}

// approveFirst notes the first of two approvals and says who comes next.
func (a *app) approveFirst(ctx context.Context, s *site, o *org, held *connector.Run, part *provision.Choice, f runFlags) error {
	run, err := o.prov.ApproveFirst(ctx, held, part, actor())
	if err != nil {
		return err
	}
	a.worse(exitHeld)
	if f.output.value != "text" {
		return a.showRun(s, run, func() iter.Seq2[*connector.Change, error] { return s.db.RunChanges(ctx, run.ID) }, f)
	}
	what, id := "", run.ID.Short()
	if p := run.Hold.First.Part; p != nil {
		what = fmt.Sprintf(", %d of %d people", p.People, p.Of)
	}
	_, err = fmt.Fprintf(a.out, "run %s: approved by %s%s; nothing is carried out yet\nanother administrator must run: usherd approve %s%s\n",
		id, run.Hold.First.By, what, id, report.PartFlags(run.Hold.First.Part))
	return err
}
