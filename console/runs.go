package console

import (
	"context"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/report"
	"usherd/connector/runs"
)

// RunStore is what the pages about runs read.
type RunStore interface {
	Run(ctx context.Context, id connector.ID) (*connector.Run, error)
	Rollbacks(ctx context.Context, run *connector.Run) ([]*connector.Run, error)
	RunDays(ctx context.Context, org, source string, since time.Time) ([]connector.RunDay, error)
	runs.Comparer
	RunChanges(ctx context.Context, run connector.ID) iter.Seq2[*connector.Change, error]
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
	s.page("/runs/export.csv", export, (*visit).exportRuns)
	s.page("/runs/compare", see, (*visit).compareRuns)
	s.body("runs_compare", comparePage{})
	s.action("/runs/start", need{permission: run}, (*visit).askStart, (*visit).doStart)
	s.page("/runs/{run}", see, (*visit).run)
	s.body("run", runPage{})
	s.page("/runs/{run}/export/{file}", inClear, (*visit).exportRun)
	s.action("/runs/{run}/approve", need{permission: decide, fresh: true}, (*visit).askApprove, (*visit).doApprove)
	s.body("approve", approvePage{})
	s.action("/runs/{run}/reject", need{permission: decide}, (*visit).askReject, (*visit).doReject)
	s.action("/runs/{run}/groups", need{permission: decide, fresh: true}, (*visit).askGroups, (*visit).doGroups)
	s.action("/runs/{run}/rollback", need{permission: decide, fresh: true}, (*visit).askRollback, (*visit).doRollback)
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
func (v *visit) theRun() (*connector.Run, bool) { return v.runOf(v.r.PathValue("run")) }

// runOf is the run of the organization with that id, and answers where there is none.
func (v *visit) runOf(text string) (*connector.Run, bool) {
	id, err := connector.ParseID(text)
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
		return tx.PutAudit(v.r.Context(), connector.Exported(v.id(), v.actor(""), target, file, v.now))
	})
}
