package console

import (
	"context"
	"html/template"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/report"
	"usherd/console/chart"
)

// RunStore is what the pages about runs read.
type RunStore interface {
	Run(ctx context.Context, id connector.ID) (*connector.Run, error)
	Rollbacks(ctx context.Context, run *connector.Run) ([]*connector.Run, error)
	RunEvents(ctx context.Context, org string, run, before connector.ID, limit int) ([]connector.Event, error)
	Outcomes(ctx context.Context, run, after connector.ID, limit int) ([]connector.Outcome, error)
	RunChanges(ctx context.Context, run connector.ID) iter.Seq2[*connector.Change, error]
	Users(ctx context.Context, org string, ids []connector.ID) ([]*connector.User, error)
}

// RunWriter decides about what runs hold. provision.Provisioner is one.
type RunWriter interface {
	// CheckHold is an error where nobody can decide about the run any more.
	CheckHold(run *connector.Run) error
	Reject(ctx context.Context, run *connector.Run, by string) error
}

func (s *Server) runs() {
	s.page("/runs", see, (*visit).runs)
	s.body("runs", runsPage{})
	s.action("/runs/start", need{permission: run}, (*visit).askStart, (*visit).doStart)
	s.page("/runs/{run}", see, (*visit).run)
	s.body("run", runPage{})
	s.page("/runs/{run}/export/{file}", inClear, (*visit).exportRun)
	s.action("/runs/{run}/approve", need{permission: decide, fresh: true}, (*visit).askApprove, (*visit).doApprove)
	s.body("approve", approvePage{})
	s.action("/runs/{run}/reject", need{permission: decide}, (*visit).askReject, (*visit).doReject)
	s.action("/runs/{run}/rollback", need{permission: decide, fresh: true}, (*visit).askRollback, (*visit).doRollback)
}

// runsPage is the list of runs.
type runsPage struct {
	Source, Result   string
	Quiet            bool // runs that changed nobody are shown, too
	Sources, Results []option
	Start            string // address; "" = this administrator starts none
	Rows             []runRow
	Hidden           int // runs without changes between those that are shown
	ShowAll          string
	Strip, Durations template.HTML
	Pager            pager
}

// runRow is one run.
type runRow struct {
	runLine
	Source, Mode, Actor string
	Result              pill
}

func (v *visit) runs() {
	p := runsPage{Source: v.query("source"), Result: v.query("result"), Quiet: v.query("quiet") == "1"}
	for _, s := range v.org.Settings.Sources {
		p.Sources = append(p.Sources, option{s.ID, s.ID, s.ID == p.Source})
	}
	for _, r := range []connector.Result{
		connector.ResultOK, connector.ResultPartial, connector.ResultHeld, connector.ResultFailed, connector.ResultCancelled, connector.ResultRunning,
	} {
		p.Results = append(p.Results, option{string(r), v.t("words.result."+string(r), nil), string(r) == p.Result})
	}
	if v.may(run) {
		p.Start = v.link("/runs/start")
	}
	err := v.fillRuns(&p)
	if err == nil && v.query("after") == "" {
		err = v.drawRuns(&p)
	}
	if err != nil {
		v.accident("runs", err)
		return
	}
	v.show(http.StatusOK, "runs", frame{Title: v.t("nav.runs", nil), State: v.t("runs.state", nil)}, p)
}

// fillRuns reads a page of runs, the latest first.
func (v *visit) fillRuns(p *runsPage) error {
	from, err := v.afterID()
	if err != nil {
		return err
	}
	next, err := scan(from, func(from connector.ID, limit int) ([]*connector.Run, error) {
		return v.s.o.Store.Runs(v.r.Context(), connector.RunFilter{Org: v.id(), Source: p.Source, Before: from, Limit: limit})
	}, func(r *connector.Run) (connector.ID, bool) {
		fits := p.fits(r)
		if fits {
			p.Rows = append(p.Rows, v.runRow(r))
		}
		return r.ID, fits
	})
	if err != nil {
		return err
	}
	p.Pager, p.ShowAll = v.pager(next, len(p.Rows)), v.with("quiet", "1")
	return nil
}

// fits reports whether the filters show a run. Hidden counts those that have changed nobody.
func (p *runsPage) fits(r *connector.Run) bool {
	if p.Result != "" {
		return string(r.Result) == p.Result
	}
	quiet := r.Result == connector.ResultOK && r.Counts.Changed() == 0 && r.Counts.Failed == 0 && r.Groups == connector.GroupCounts{}
	if quiet && !p.Quiet {
		p.Hidden++
		return false
	}
	return true
}

// drawRuns draws the last runs: how they ended, and how long they took.
func (v *visit) drawRuns(p *runsPage) error {
	list, err := v.s.o.Store.Runs(v.r.Context(), connector.RunFilter{Org: v.id(), Source: p.Source, Limit: stripLength})
	if err != nil || len(list) < 2 {
		return err
	}
	if p.Strip, err = v.strip(list).HTML(); err != nil {
		return err
	}
	l := &chart.Lines{Last: true}
	for i := range list {
		if r := list[len(list)-1-i]; !r.Finished.IsZero() {
			l.Values = append(l.Values, r.Finished.Sub(r.Started).Seconds())
		}
	}
	line, highest := chart.Line(l)
	f := frame{v: v}
	took := f.Took(time.Duration(highest * float64(time.Second)))
	line.Summary, line.Top = v.t("runs.durations", map[string]string{"Most": took}), took
	p.Durations, err = line.HTML()
	return err
}

func (v *visit) runRow(r *connector.Run) runRow {
	f := frame{v: v}
	return runRow{*v.runLine(r), r.Source, report.Word(v.lang, "mode", string(r.Mode)), v.actorName(r.Actor), f.ResultPill(r.Result)}
}

// actorName is who started something, as people call it.
func (v *visit) actorName(actor string) string {
	switch actor {
	case connector.ActorSchedule, connector.ActorLive:
		return v.t("runs.by."+actor, nil)
	}
	return actor
}

// askStart offers all sources that can be read, with what to read.
func (v *visit) askStart() {
	c := confirm{Effect: []string{v.t("runs.start.effect", nil)}, Button: v.t("runs.start.button", nil), Back: v.link("/runs")}
	for _, s := range v.org.Settings.Sources {
		if s.Kind != connector.Directory {
			continue
		}
		for _, m := range []connector.Mode{connector.ModePreview, connector.ModeFull, connector.ModeChanges} {
			x := choice{Value: s.ID + " " + string(m), Text: s.ID + " · " + report.Word(v.lang, "mode", string(m)), Note: v.t("runs.start."+string(m), nil)}
			x.Chosen = x.Value == v.query("what") || v.query("what") == "" && len(c.Choices) == 0
			c.Choices = append(c.Choices, x)
		}
	}
	if len(c.Choices) == 0 {
		c.Button, c.Fault = "", v.t("runs.start.none", nil)
	}
	v.show(http.StatusOK, "confirm", frame{Title: v.t("runs.start.title", nil), Crumbs: v.runsCrumb()}, c)
}

func (v *visit) runsCrumb() []crumb { return []crumb{{v.t("nav.runs", nil), v.link("/runs")}} }

func (v *visit) doStart() {
	source, mode, _ := strings.Cut(v.value("choice"), " ")
	id, err := v.s.o.Runner.Sync(v.r.Context(), v.id(), source, connector.Mode(mode), v.session.Actor())
	v.begun("runs.start.done", id, err)
}

// begun leads to a run that was started.
func (v *visit) begun(text string, id connector.ID, err error) {
	if err != nil {
		v.accident("run", err)
		return
	}
	v.done(v.link("/runs/"+id.String()), "good", text, nil)
}

// theRun is the run that the path names, and answers where there is none.
func (v *visit) theRun() (*connector.Run, bool) {
	id, err := connector.ParseID(v.r.PathValue("run"))
	if err != nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return nil, false
	}
	r, err := v.s.o.Store.Run(v.r.Context(), id)
	switch {
	case err != nil:
		v.accident("run", err)
		return nil, false
	case r.Org != v.id():
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return nil, false
	}
	return r, true
}

// exports are the forms in which a whole report is taken along.
var exports = map[string]struct {
	mime  string
	write func(w io.Writer, r report.Report) error
}{
	"report.csv":  {"text/csv; charset=utf-8", report.CSV},
	"report.json": {"application/json", report.JSON},
	"report.html": {"text/html; charset=utf-8", report.HTML},
}

// exportRun sends a whole report, while it is read.
func (v *visit) exportRun() {
	r, ok := v.theRun()
	if !ok {
		return
	}
	form, known := exports[v.r.PathValue("file")]
	if !known {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	back, err := v.s.o.Store.Rollbacks(v.r.Context(), r)
	if err != nil {
		v.accident("export", err)
		return
	}
	if err := v.exported("run "+r.ID.String(), v.r.PathValue("file")); err != nil {
		v.accident("export", err)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", form.mime)
	h.Set("Content-Disposition", `attachment; filename="run_`+v.id()+"_"+r.ID.Short()+"_"+v.r.PathValue("file")+`"`)
	err = form.write(v.w, report.Report{
		Run: r, UndoneBy: report.Undone(back)[r.ID], Now: v.now, Lang: v.lang, Catalogue: v.s.catalogue,
		Changes: func() iter.Seq2[*connector.Change, error] { return v.s.o.Store.RunChanges(v.r.Context(), r.ID) },
	})
	if err != nil {
		v.logError("export", err)
		panic(http.ErrAbortHandler) // so that nobody takes the part for the whole
	}
}

// exported keeps in the audit log that somebody has taken data along.
func (v *visit) exported(target, file string) error {
	return v.s.o.Store.Write(v.r.Context(), func(tx connector.Tx) error {
		return tx.PutAudit(v.r.Context(), connector.AuditEntry{
			Org: v.id(), At: v.now, Actor: v.actor(""), Action: connector.AuditExported, Target: target, Details: map[string]string{"file": file},
		})
	})
}
