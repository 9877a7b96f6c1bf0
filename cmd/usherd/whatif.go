package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

// whatIfFlags choose another configuration, and the time on which it is tried.
type whatIfFlags struct {
	with   string
	replay daysFlag
}

func (w *whatIfFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.with, "with", "", "try this configuration on the store of the one in force")
	cmd.Flags().Var(&w.replay, "replay", "try it on what the directories have said in this time, such as 30d")
}

// daysFlag is a duration that may be given in days.
type daysFlag connector.Duration

// String, Set and Type make it a flag value.
func (d *daysFlag) String() string {
	if *d == 0 {
		return ""
	}
	return connector.Duration(*d).String()
}

// Set refuses what is no duration, and none at all.
func (d *daysFlag) Set(s string) error {
	if err := (*connector.Duration)(d).UnmarshalText([]byte(s)); err != nil {
		return usagef("%q: %s", s, err)
	}
	if *d == 0 {
		return usagef("%q is no time: write one such as 30d", s)
	}
	return nil
}

// Type names the value in the help.
func (d *daysFlag) Type() string { return "time" }

// check refuses flags that say nothing to a comparison.
func (w *whatIfFlags) check(f runFlags) error {
	switch {
	case f.person != "":
		return usagef("--person shows one person of the directory as it is: leave out --with and --replay, or name the new file with -c")
	case f.html != "" || f.output.value != "text" && !f.output.json():
		return usagef("--with and --replay show text or json")
	case w.replay > 0 && f.source != "":
		return usagef("--replay takes all sources of an organization together: leave out --source")
	}
	return nil
}

// planWith tells what another configuration would mean for the directory and the users of today.
func (a *app) planWith(ctx context.Context, f runFlags, w whatIfFlags) error {
	if err := w.check(f); err != nil {
		return err
	}
	old, err := a.loadWith(config.LoadOptions{NoSecrets: true})
	if err != nil {
		return err
	}
	file, err := a.loadFile(w.with, config.LoadOptions{})
	if err != nil {
		return err
	}
	return a.with(ctx, old, func(s *site) error {
		n := &site{file: file, db: s.db}
		defer n.hangUp()
		if err := n.build(a); err != nil {
			return err
		}
		both := &site{file: file, db: s.db, orgs: slices.Concat(n.orgs, s.orgs)}
		if err := both.knows(f.org, f.source); err != nil {
			return err
		}
		out, err := a.whatIf(ctx, s, n, f)
		if err != nil {
			return err
		}
		if f.output.json() {
			return writeJSON(a.out, out)
		}
		return out.Text(a.out, f.lang, report.TextOptions{Width: a.width(), Color: a.color()})
	})
}

// whatIf compares organization by organization.
func (a *app) whatIf(ctx context.Context, old, n *site, f runFlags) (*report.WhatIf, error) {
	out := &report.WhatIf{With: n.file.Path, Revision: n.file.Revision, Configuration: []string{}, Organizations: []report.OrgEffect{}}
	list, err := differences(old.file, n.file)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		out.Configuration = append(out.Configuration, d.String())
	}
	for _, o := range n.orgs {
		if f.org != "" && f.org != o.Org.ID {
			continue
		}
		e, err := a.orgEffect(ctx, old, o, f)
		if err != nil {
			return nil, err
		}
		out.Organizations = append(out.Organizations, *e)
	}
	for _, o := range old.orgs {
		if n.has(o.Org.ID) != nil || f.org != "" && f.org != o.Org.ID {
			continue
		}
		users, err := liveUsers(ctx, old, o.Org.ID)
		if err != nil {
			return nil, err
		}
		out.Organizations = append(out.Organizations, report.OrgEffect{
			Org: o.Org.ID, Change: dropped, Users: users, Seats: []report.SeatEffect{}, Sources: []report.SourceEffect{},
		})
	}
	return out, nil
}

// differences compares with a file that was read without its secrets.
func differences(old, file *config.File) ([]config.Difference, error) {
	bare, err := config.Parse(file.Path, file.Text, config.LoadOptions{NoSecrets: true})
	if err != nil {
		return nil, err
	}
	return config.Diff(old, bare), nil
}

// What becomes of a source or an organization; reports have a word for each.
const (
	stays   = "stays"
	added   = "added"
	dropped = "dropped"
)

func (s *site) has(orgID string) *org {
	for _, o := range s.orgs {
		if o.Org.ID == orgID {
			return o
		}
	}
	return nil
}

// orgEffect plans each source of one organization under its new rules.
func (a *app) orgEffect(ctx context.Context, old *site, o *org, f runFlags) (*report.OrgEffect, error) {
	was := old.has(o.Org.ID)
	e := &report.OrgEffect{Org: o.Org.ID, Change: stays, Sources: []report.SourceEffect{}}
	if was == nil {
		e.Change = added
	}
	var err error
	if e.Users, err = liveUsers(ctx, old, o.Org.ID); err != nil {
		return nil, err
	}
	for i := range o.Org.Sources {
		settings := &o.Org.Sources[i]
		if f.source != "" && f.source != settings.ID {
			continue
		}
		if settings.Kind != connector.Directory {
			fmt.Fprintf(a.err, "%s/%s %s; on what it has pushed the configuration can be tried with --replay\n", o.Org.ID, settings.ID, byItself(settings.Kind))
			continue
		}
		source, err := a.sourceEffect(ctx, old, o, settings, &e.People)
		if err != nil {
			return nil, err
		}
		if was == nil || was.Org.Source(settings.ID) == nil {
			source.Change = added
		}
		e.Sources = append(e.Sources, *source)
	}
	if was != nil {
		for i := range was.Org.Sources {
			id := was.Org.Sources[i].ID
			if o.Org.Source(id) != nil || f.source != "" && f.source != id {
				continue
			}
			n, err := provision.Orphans(ctx, old.db, o.Org, id)
			if err != nil {
				return nil, err
			}
			e.Sources = append(e.Sources, report.SourceEffect{Source: id, Change: dropped, Without: n})
		}
	}
	seats, err := old.db.Seats(ctx, o.Org.ID)
	e.People.Finish()
	e.Seats = e.People.Seats(seats, o.Org.Packages)
	return e, err
}

// sourceEffect adds to people what a run of one source would do. It writes nothing, not even a run.
func (a *app) sourceEffect(ctx context.Context, old *site, o *org, settings *connector.SourceSettings, people *report.Effect) (*report.SourceEffect, error) {
	e := &report.SourceEffect{Source: settings.ID, Change: stays}
	state, err := old.db.SourceState(ctx, o.Org.ID, settings.ID)
	if err != nil {
		return nil, err
	}
	e.Looked = settings.FirstRun == connector.FirstRunPreview && state.Fingerprint != settings.Fingerprint
	show, done := a.newProgress(o.Org.ID + "/" + settings.ID)
	plan, err := o.prov.WhatIf(ctx, provision.PlanRequest{Source: settings.ID, From: o.sources[settings.ID], Progress: show})
	done()
	if connector.KindOf(err) == connector.Incomplete {
		e.Refusal = err.Error()
		return e, nil
	}
	if err != nil {
		return nil, err
	}
	defer plan.Close() //nolint:errcheck // temporary files
	e.Entries, e.Counts, e.Partial = plan.Run.Entries, plan.Run.Counts, plan.Run.Error
	if plan.Run.Hold != nil {
		e.Hold = plan.Run.Hold.Reason
	}
	people.Unchanged += plan.Run.Counts.Unchanged
	for ch, err := range plan.Changes() {
		if err != nil {
			return nil, err
		}
		people.Add(ch)
	}
	return e, nil
}

// liveUsers is how many users an organization has.
func liveUsers(ctx context.Context, s *site, orgID string) (n int, err error) {
	counts, err := s.db.CountUsers(ctx, orgID)
	for state, c := range counts {
		if state.Live() {
			n += c
		}
	}
	return n, err
}

// maxTold bounds how many differences a preview names.
const maxTold = 20

// tellDifferences says in what a configuration that is only looked at differs from the one in force.
func (a *app) tellDifferences(ctx context.Context, s *site) error {
	last, err := s.db.Revisions(ctx, 1)
	if err != nil || a.quiet || len(last) == 0 || last[0].ID == s.file.Revision {
		return err
	}
	old, err := config.Parse(s.file.Path, []byte(last[0].Text), config.LoadOptions{NoSecrets: true})
	if err != nil {
		return nil //nolint:nilerr // an older usherd took what this one does not
	}
	list, err := differences(old, s.file)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "this configuration is not the one in force (revision %s); what differs:\n", last[0].ID)
	for _, d := range list[:min(len(list), maxTold)] {
		fmt.Fprintf(a.err, "  %s\n", d)
	}
	return nil
}
