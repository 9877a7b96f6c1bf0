package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

// runFlags are those that plan and sync share.
type runFlags struct {
	org, source, person string
	lang, html          string
	full                bool
	output              outputFlag
}

func (f *runFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.org, "org", "", "organization (default: all)")
	cmd.Flags().StringVar(&f.source, "source", "", "source (default: all)")
	cmd.Flags().StringVar(&f.person, "person", "", "only this person: user name, e-mail, DN or anchor; shows every step")
	f.showFlags(cmd)
}

func (f *runFlags) showFlags(cmd *cobra.Command) {
	addLang(cmd, &f.lang, "language of the report")
	cmd.Flags().StringVar(&f.html, "html", "", "also write the report as one HTML page to this file")
	cmd.Flags().BoolVar(&f.full, "full", false, "name everybody, not only the first of each group")
	f.output.add(cmd, "text", "json", "csv", "html")
}

func (a *app) planCmd() *cobra.Command {
	var f runFlags
	var w whatIfFlags
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a sync would change, and change nothing", Args: noArgs,
		Long: `plan reads the directory and shows what a full sync would do to whom, and why. Nothing is changed.
The plan is kept as a run: carry out exactly this with usherd sync --plan RUN, which is refused when the
directory or the users have moved in the meantime.

With --with another configuration is tried on today's directory and users: who would gain or lose access, who
would be another one, which seats would run out. With --replay it is tried on what the directories have said in
the last days (or the one in force is). Nothing is kept of either, and the exit code is 0 whatever they show.`,
		Example: `  usherd plan
  usherd plan --source head-office -o html > plan.html
  usherd plan --person ann.lee@example.com
  usherd plan --with new.yaml
  usherd plan --with new.yaml --replay 30d`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case w.replay > 0:
				return a.planReplay(cmd.Context(), f, w)
			case w.with != "":
				return a.planWith(cmd.Context(), f, w)
			}
			return a.sync(cmd.Context(), f, connector.ModePreview, "", "")
		},
	}
	f.add(cmd)
	w.add(cmd)
	return cmd
}

func (a *app) syncCmd() *cobra.Command {
	var f runFlags
	var mode, plan, accept string
	cmd := &cobra.Command{
		Use: "sync", Short: "Bring the users in step with the directory now", Args: noArgs,
		Long: `sync reads the directory and does what has to be done. It asks before it takes much away: a first run,
changed settings and removals beyond the guard are held for approval (exit code 4).

With --mode changes only what has changed since the last run is asked for. Where the directory cannot tell, or
more than the guard allows would be removed, the whole directory is read instead, and the report says why.

Exit codes: 0 done; 1 error; 3 done, but some people failed; 4 held for approval; 78 the configuration is wrong.`,
		Example: `  usherd sync
  usherd sync --mode changes
  usherd sync --source head-office -o json
  usherd sync --person ann.lee@example.com
  usherd sync --plan 5a6b7c8d`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if m := connector.Mode(mode); m != connector.ModeFull && m != connector.ModeChanges {
				return usagef("--mode %s: the modes are: full, changes", mode)
			}
			if mode == string(connector.ModeChanges) && plan != "" {
				return usagef("--plan is carried out by a full run: leave --mode out")
			}
			if plan != "" && accept != "" {
				return usagef("--plan and --accept-groups: carry out the plan first, then accept what its report names")
			}
			return a.sync(cmd.Context(), f, connector.Mode(mode), plan, accept)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&mode, "mode", "full", "what to read: full, or changes: what has changed since the last run")
	_ = cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{"full", "changes"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&plan, "plan", "", "carry out exactly this plan or held run")
	cmd.Flags().StringVar(&accept, "accept-groups", "", "also change the groups as an earlier run would have: the digest that its report names")
	return cmd
}

// sync does one run for each source that the flags name; a source that fails does not stop the others.
func (a *app) sync(ctx context.Context, f runFlags, mode connector.Mode, plan, accept string) error {
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.close() //nolint:errcheck // nothing is unwritten: each transaction was durable when it ended
	if plan != "" {
		return a.carryOut(ctx, s, plan, connector.Part{}, f)
	}
	targets, err := s.directories(a.err, f.org, f.source)
	if err != nil {
		return err
	}
	if len(targets) > 1 && accept != "" {
		return usagef("--accept-groups is for one source: name it with --org and --source")
	}
	if mode == connector.ModePreview {
		if err := a.tellDifferences(ctx, s); err != nil {
			return err
		}
	}
	if len(targets) > 1 && f.output.value != "text" {
		return usagef("-o %s shows one run: name the source with --org and --source", f.output.value)
	}
	var all error
	for _, t := range targets {
		if f.person != "" {
			err = a.person(ctx, s, t, f, mode)
		} else {
			err = a.runTarget(ctx, s, t, f, provision.SyncRequest{Mode: mode, AcceptGroups: accept})
		}
		all = errors.Join(all, err)
		if ctx.Err() != nil {
			break
		}
	}
	return all
}

// runTarget does one run and shows its report.
func (a *app) runTarget(ctx context.Context, s *site, t target, f runFlags, req provision.SyncRequest) error {
	if req.Mode != connector.ModePreview {
		if err := s.adopt(ctx, a); err != nil {
			return err
		}
	}
	show, done := a.newProgress(t.org.Org.ID + "/" + t.id)
	req.Actor, req.Progress = actor(), show
	plan, err := s.runSource(ctx, a, t, req)
	done()
	return a.showPlan(s, plan, f, err)
}

// runSource does one run of a directory, or of a file, which is kept with what waits for approval.
func (s *site) runSource(ctx context.Context, a *app, t target, req provision.SyncRequest) (*provision.Plan, error) {
	req.Source, req.From, req.Revision = t.id, t.src, s.file.Revision
	if t.file != nil {
		req.From = t.fileSource(a)
	}
	plan, err := t.org.prov.Sync(ctx, req)
	if t.file != nil && plan != nil {
		err = errors.Join(err, s.keepFile(context.WithoutCancel(ctx), a, t.file, plan.Run))
	}
	return plan, err
}

// told reports whether the run knows of its error. One that does not could not be stored to its end, as
// on a full disk: its report would offer approvals that nobody can give.
func told(run *connector.Run, err error) bool {
	return err == nil || run.Error == err.Error() || errors.Is(err, context.Canceled) || connector.KindOf(err) == connector.Conflict
}

// worse remembers the gravest exit code of several runs.
func (a *app) worse(code int) {
	order := map[int]int{exitOK: 0, exitFailed: 1, exitHeld: 2, exitError: 3}
	if order[code] > order[a.code] {
		a.code = code
	}
}

// showRun shows a run with its people.
func (a *app) showRun(s *site, run *connector.Run, changes func() iter.Seq2[*connector.Change, error], f runFlags) error {
	return a.show(s, report.Report{Run: run, Changes: changes}, f)
}

// show writes the report in the form that the flags ask for.
func (a *app) show(s *site, r report.Report, f runFlags) error {
	var err error
	if r.Catalogue, err = s.catalogue(); err != nil {
		return err
	}
	r.Origin, r.Lang, r.Now = s.origin, f.lang, a.now()
	if f.html != "" {
		if err := writeFile(f.html, func(w io.Writer) error { return report.HTML(w, r) }); err != nil {
			return err
		}
	}
	switch f.output.value {
	case "json":
		return report.JSON(a.out, r)
	case "csv":
		return report.CSV(a.out, r)
	case "html":
		return report.HTML(a.out, r)
	}
	return report.Text(a.out, r, report.TextOptions{Width: a.width(), Color: a.color(), Full: f.full})
}

// origin tells reports from which line of the mapping an attribute comes.
func (s *site) origin(orgID, source, attribute string) (report.Origin, bool) {
	for _, o := range s.orgs {
		m := o.Mappings[source]
		if o.Org.ID != orgID || m == nil {
			continue
		}
		x, ok := m.Origin(attribute)
		return report.Origin{
			File: s.file.Path, Line: s.file.MappingLine(orgID, source, attribute),
			Expression: x.Expression, Attributes: x.Attributes,
		}, ok
	}
	return report.Origin{}, false
}

// person does one person and shows every step.
func (a *app) person(ctx context.Context, s *site, t target, f runFlags, mode connector.Mode) error {
	if mode != connector.ModePreview {
		if err := s.adopt(ctx, a); err != nil {
			return err
		}
	}
	p, err := t.org.prov.Person(ctx, provision.PersonRequest{
		Source: t.id, From: t.src, Key: f.person, Preview: mode == connector.ModePreview, Actor: actor(), Revision: s.file.Revision,
	})
	if err != nil {
		return err
	}
	a.worse(runCode(p.Run))
	if f.output.value == "text" {
		if _, err := fmt.Fprintf(a.out, "%s/%s: %s\n", t.org.Org.ID, t.id, f.person); err != nil {
			return err
		}
		tab := report.NewTable(a.out, a.width(), report.Column{}, report.Column{}, report.Column{Flex: true})
		for _, st := range p.Steps {
			mark := "ok"
			if !st.OK {
				mark = "--"
			}
			tab.Row("  "+mark, st.Name, st.Detail)
		}
		if err := tab.Flush(); err != nil || p.Change == nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	return a.showRun(s, p.Run, one(p.Change), f)
}

// one streams a single change, none when there is none.
func one(ch *connector.Change) func() iter.Seq2[*connector.Change, error] {
	return func() iter.Seq2[*connector.Change, error] {
		return func(yield func(*connector.Change, error) bool) {
			if ch != nil {
				yield(ch, nil)
			}
		}
	}
}
