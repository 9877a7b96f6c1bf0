package main

import (
	"context"
	"errors"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
	"usherd/connector/store"
)

// planReplay does the runs of the last days again under a configuration, and compares what would have come of
// them with the users of today. It asks no directory.
func (a *app) planReplay(ctx context.Context, f runFlags, w whatIfFlags) error {
	if err := w.check(f); err != nil {
		return err
	}
	old, err := a.loadWith(config.LoadOptions{NoSecrets: true})
	file := old
	if err == nil && w.with != "" {
		file, err = a.loadFile(w.with, config.LoadOptions{NoSecrets: true})
	}
	if err != nil {
		return err
	}
	return a.with(ctx, old, func(s *site) error {
		n := &site{file: file, db: s.db}
		if err := n.build(a); err != nil {
			return err
		}
		if err := n.knows(f.org, ""); err != nil {
			return err
		}
		out := report.Replay{
			With: file.Path, Revision: file.Revision, Since: a.now().Add(-time.Duration(w.replay)).UTC(), Organizations: []report.OrgReplay{},
		}
		for _, o := range n.orgs {
			if f.org != "" && f.org != o.Org.ID {
				continue
			}
			r, err := a.orgReplay(ctx, s, o, out.Since)
			if err != nil {
				return err
			}
			out.Organizations = append(out.Organizations, *r)
		}
		if f.output.json() {
			return writeJSON(a.out, out)
		}
		return out.Text(a.out, f.lang, report.TextOptions{Width: a.width(), Color: a.color()})
	})
}

// orgReplay replays one organization in a store that is thrown away.
func (a *app) orgReplay(ctx context.Context, old *site, o *org, since time.Time) (_ *report.OrgReplay, err error) {
	db := old.db
	clock := &provision.Clock{}
	scratch, remove, err := scratchStore(ctx, db, o, clock)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	show, done := a.newProgress(o.Org.ID)
	defer done()
	out := &report.OrgReplay{Org: o.Org.ID, Runs: []report.ReplayedRun{}, Blank: []string{}}
	sources, err := provision.Replay(ctx, provision.ReplayOptions{
		Store: scratch, Clock: clock, Org: o.Org, Mappings: o.Mappings, Since: since, Progress: show,
		Records: func(ctx context.Context, source string) iter.Seq2[connector.StoredRecord, error] {
			return db.Records(ctx, o.Org.ID, source, since)
		},
	}, func(step *provision.ReplayStep) error {
		run, err := replayedRun(ctx, db, step)
		out.Runs = append(out.Runs, run)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		out.Base += s.Base
		if missing := blank(old.reads(o.Org.ID, s.Source), o.Mappings[s.Source].Attributes(), s.Names); len(missing) > 0 {
			out.Blank = append(out.Blank, s.Source+": "+strings.Join(missing, ", "))
		}
	}
	return out, compareWithToday(ctx, db, scratch, o, out)
}

// reads are the attributes that the mapping of a source reads.
func (s *site) reads(orgID, source string) []string {
	if o := s.has(orgID); o != nil && o.Mappings[source] != nil {
		return o.Mappings[source].Attributes()
	}
	return nil
}

// blank are the attributes that only the new mapping reads and of which no record has a value: it was never
// asked for. Where there are no records at all, that says nothing.
func blank(old, reads []string, known map[string]bool) (out []string) {
	folded := map[string]bool{}
	for _, name := range slices.AppendSeq(slices.Clone(old), maps.Keys(known)) {
		folded[connector.Fold(name)] = true
	}
	for _, name := range reads {
		if len(known) > 0 && !folded[connector.Fold(name)] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// scratchStore is an empty store with the packages of an organization, and the domains as they stand today:
// of others only that they hold theirs.
func scratchStore(ctx context.Context, db *store.DB, o *org, clock *provision.Clock) (_ *store.DB, remove func() error, err error) {
	dir, err := os.MkdirTemp("", "usherd-replay-")
	if err != nil {
		return nil, nil, err
	}
	scratch, err := store.Open(ctx, "sqlite:"+filepath.ToSlash(filepath.Join(dir, "usherd.db")), store.Options{Now: clock.Now})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	remove = func() error { return errors.Join(scratch.Close(), os.RemoveAll(dir)) }
	list, err := db.Domains(ctx, "")
	for _, d := range list {
		d.Token = ""
		if err == nil {
			err = scratch.AddDomain(ctx, d)
		}
		if err == nil && d.Claimed {
			err = scratch.ClaimDomain(ctx, d.Org, d.Name, clock.Now())
		}
	}
	if err == nil {
		err = scratch.SetPackages(ctx, o.Org.ID, o.Org.Packages)
	}
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return scratch, remove, nil
}

// replayedRun is what a run came to then, and would have come to.
func replayedRun(ctx context.Context, db *store.DB, step *provision.ReplayStep) (report.ReplayedRun, error) {
	out := report.ReplayedRun{Runs: len(step.Runs), Source: step.Source, At: step.At.UTC(), Records: step.Records}
	if len(step.Runs) > 0 {
		out.Run = step.Runs[0].String()
	}
	out.Now.Result = connector.ResultOK
	if step.Plan != nil {
		run := step.Plan.Run
		out.Now = outcome(run)
		for ch, err := range step.Plan.Changes() {
			if err != nil {
				return out, err
			}
			for _, f := range ch.Failures {
				if out.Now.Refused == nil {
					out.Now.Refused = map[connector.Reason]int{}
				}
				out.Now.Refused[f.Reason]++
			}
		}
	}
	for _, id := range step.Runs {
		then, err := pastOutcome(ctx, db, id)
		if err != nil {
			return out, err
		}
		if then == nil {
			continue
		}
		if out.Then == nil {
			out.Then = &report.Outcome{Result: then.Result, Hold: then.Hold, Refusal: then.Refusal}
		}
		out.Then.Counts = sum(out.Then.Counts, then.Counts)
	}
	return out, nil
}

func outcome(run *connector.Run) report.Outcome {
	o := report.Outcome{Result: run.Result, Counts: run.Counts}
	if run.Hold != nil {
		o.Hold = run.Hold.Reason
	}
	if run.Result == connector.ResultFailed {
		o.Refusal = run.Error
	}
	return o
}

// pastOutcome is what a run came to; of one that is not kept any more, the changes that it made.
func pastOutcome(ctx context.Context, db *store.DB, id connector.ID) (*report.Outcome, error) {
	run, err := db.Run(ctx, id)
	if err == nil {
		o := outcome(run)
		return &o, nil
	}
	if connector.KindOf(err) != connector.NotFound {
		return nil, err
	}
	var out *report.Outcome
	for ch, err := range db.RunChanges(ctx, id) {
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = &report.Outcome{}
		}
		out.Counts.Add(ch)
	}
	return out, nil
}

func sum(a, b connector.Counts) connector.Counts {
	return connector.Counts{
		Created: a.Created + b.Created, Updated: a.Updated + b.Updated, Reactivated: a.Reactivated + b.Reactivated,
		Deactivated: a.Deactivated + b.Deactivated, Deleted: a.Deleted + b.Deleted, Unchanged: a.Unchanged + b.Unchanged,
		Skipped: a.Skipped + b.Skipped, Failed: a.Failed + b.Failed, Held: a.Held + b.Held,
	}
}

// compareWithToday tells who is another one today than after the replay.
func compareWithToday(ctx context.Context, today, then *store.DB, o *org, out *report.OrgReplay) error {
	err := provision.Compare(ctx, o.Org, today, then, func(a, b *connector.User) error {
		if a != nil && (a.PackageFixed || a.DeactivatedBy == connector.ByAdministrator) {
			out.ByHand++
		}
		out.People.Compare(a, b)
		return nil
	})
	if err != nil {
		return err
	}
	out.People.Finish()
	before, err := today.Seats(ctx, o.Org.ID)
	if err != nil {
		return err
	}
	after, err := then.Seats(ctx, o.Org.ID)
	out.Seats = out.People.Seats(before, o.Org.Packages)
	for i := range out.Seats {
		s := &out.Seats[i]
		s.UsedAfter = 0
		for _, c := range after {
			if c.Package == s.Package {
				s.UsedAfter, s.Refused = c.Used, c.Waiting
			}
		}
	}
	return err
}
