package api

import (
	"context"
	"io"
	"iter"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/report"
)

const runsTag = "Runs"

func (s *Server) runs() {
	s.runStarts()
	s.runLists()
	route(s, operation{
		id: "getRunReport", method: http.MethodGet, path: "/runs/{run}", scope: connector.APIRead, tag: runsTag, streams: true, summary: "Show the report of a run with everybody in it",
		media: []string{"application/json", csvType, htmlType},
		about: "The document of usherd report RUN -o json, or a table of its people as CSV, or a page for people; sent while it is read: of a large run it is large.",
	}, s.getReport)
	route(s, operation{
		id: "rejectRun", method: http.MethodPost, path: "/runs/{run}/reject", scope: connector.APIRuns, tag: runsTag, summary: "Refuse what a run holds",
		about: "Nothing of it is done.", status: http.StatusNoContent, refuses: []int{http.StatusConflict},
	}, s.rejectRun)
}

// Runner does what takes longer than an answer. Each method returns when the run stands in the store, and its work goes on.
type Runner interface {
	// Sync starts a run of a source that can be read: ModeFull, ModeChanges or ModePreview.
	Sync(ctx context.Context, org, source string, mode connector.Mode, actor string) (connector.ID, error)
	// AcceptGroups starts a full run that changes the groups as an earlier run would have, of whose report the digest is.
	AcceptGroups(ctx context.Context, org, source, digest, actor string) (connector.ID, error)
	// Import starts a run of a file.
	Import(ctx context.Context, r ImportRequest) (connector.ID, error)
	// Approve carries out what a run holds, or a part of it; first says that another administrator has to approve it too.
	Approve(ctx context.Context, held *connector.Run, part connector.Part, actor string) (id connector.ID, first bool, err error)
	// Rollback plans to put back what a run did, and with Apply does it.
	Rollback(ctx context.Context, org string, req provision.RollbackRequest) (connector.ID, error)
	// Person asks a directory for one person and decides. Of the request it takes Key, Preview and Actor.
	Person(ctx context.Context, org, source string, req provision.PersonRequest) (*provision.Person, error)
	// Progress is how far a run of this process is; ok is false where that is not known.
	Progress(run connector.ID) (x provision.Progress, ok bool)
	// Sources tells how the sources of an organization are.
	Sources(ctx context.Context, org string) ([]connector.SourceStanding, error)
	// Check walks the way to the server of a source, and tells of each step as it ends; ok is false where it does not lead there.
	Check(ctx context.Context, org, source string, tell func(connector.CheckStep)) (ok bool, err error)
	// Browse asks a directory for the entries right below one.
	Browse(ctx context.Context, org, source string, q connector.BrowseRequest) (connector.BrowsePage, error)
	// Clients tells how those of them are that push by SCIM.
	Clients(ctx context.Context, org string) ([]Client, error)
}

func (s *Server) runStarts() {
	conflict := []int{http.StatusConflict}
	route(s, operation{
		id: "startRun", method: http.MethodPost, path: "/runs", scope: connector.APIRuns, tag: runsTag, summary: "Start a run of a directory",
		about: "202 names the run, whose report tells how it goes on. A run of the same source that goes on is a conflict.", status: http.StatusAccepted, refuses: conflict,
	}, s.startRun)
	route(s, operation{
		id: "approveRun", method: http.MethodPost, path: "/runs/{run}/approve", scope: connector.APIRuns, tag: runsTag, summary: "Carry out what a run holds",
		about:  "Exactly what was shown is done, and nothing where the directory or the users have moved. With only, except or action it is that part; the rest stays held, under the run that this one starts. Where the organization asks for two administrators, the first is noted.",
		status: http.StatusAccepted, refuses: conflict,
	}, s.approveRun)
	route(s, operation{
		id: "rollBackRun", method: http.MethodPost, path: "/runs/{run}/rollback", scope: connector.APIRuns, tag: runsTag, summary: "Put back what a run did",
		about: "The plan is kept for approval, or with apply done at once.", status: http.StatusAccepted, refuses: conflict,
	}, s.rollBackRun)
}

// RunRequest is a run to start.
type RunRequest struct {
	Source string         `json:"source" doc:"The directory." maxLength:"32" example:"office"`
	Mode   connector.Mode `json:"mode,omitempty" doc:"What to read; preview changes nothing, and can be approved." enum:"full,changes,preview" default:"full"`
	// AcceptGroups is for a full run.
	AcceptGroups string `json:"accept_groups,omitempty" doc:"Also change the groups as an earlier run would have: the digest that its report names. Of a full run." maxLength:"128"`
}

// RunStarted is a run that goes on.
type RunStarted struct {
	Run   string `json:"run" doc:"Its id." format:"uuid"`
	First bool   `json:"first_approval,omitempty" doc:"Nothing is done until another administrator approves too."`
}

type startInput struct {
	OrgPath
	Body RunRequest
}

type startOutput struct {
	Location string `header:"Location" doc:"Where the report is."`
	Body     RunStarted
}

func started(c *call, id connector.ID, first bool, err error) (*startOutput, error) {
	if err != nil {
		return nil, err
	}
	return &startOutput{c.at("/runs/" + id.String()), RunStarted{id.String(), first}}, nil
}

func (s *Server) startRun(ctx context.Context, c *call, in *startInput) (*startOutput, error) {
	b := &in.Body
	switch {
	case b.AcceptGroups == "":
		id, err := s.o.Runner.Sync(ctx, c.id(), b.Source, b.Mode, c.by())
		return started(c, id, false, err)
	case b.Mode != connector.ModeFull:
		return nil, invalid("body.accept_groups", "only a full run accepts groups")
	}
	id, err := s.o.Runner.AcceptGroups(ctx, c.id(), b.Source, b.AcceptGroups, c.by())
	return started(c, id, false, err)
}

type approveInput struct {
	RunPath
	Body *ApproveRequest
}

// ApproveRequest chooses a part of what a run holds: who is named by only, or everybody but except, of these who would be action.
type ApproveRequest struct {
	Only   []string         `json:"only,omitempty" doc:"Only these people: user name, e-mail, DN or anchor as the report names them." maxItems:"1000"`
	Except []string         `json:"except,omitempty" doc:"All but these people." maxItems:"1000"`
	Action connector.Action `json:"action,omitempty" doc:"Only who would be that." enum:"created,updated,reactivated,deactivated,deleted"`
}

func (s *Server) approveRun(ctx context.Context, c *call, in *approveInput) (*startOutput, error) {
	run, err := s.run(ctx, c, &in.RunPath)
	if err == nil {
		err = c.org.Writer.CheckHold(run)
	}
	if err != nil {
		return nil, err
	}
	var part connector.Part
	if b := in.Body; b != nil {
		part = connector.Part{Only: b.Only, Except: b.Except, Action: b.Action}
	}
	switch {
	case len(part.Only) > 0 && len(part.Except) > 0:
		return nil, invalid("body.except", "say either only or except")
	case len(part.Only) > 0 && part.Action != "":
		return nil, invalid("body.action", "say either only or action")
	}
	id, first, err := s.o.Runner.Approve(ctx, run, part, c.by())
	return started(c, id, first, err)
}

type rollbackInput struct {
	RunPath
	Body *RollbackRequest
}

// RollbackRequest says how to put back what a run did.
type RollbackRequest struct {
	Apply bool     `json:"apply,omitempty" doc:"At once, without approval."`
	Users []string `json:"users,omitempty" doc:"Only these users, and no group: id, user name, e-mail or anchor." maxItems:"1000"`
}

func (s *Server) rollBackRun(ctx context.Context, c *call, in *rollbackInput) (*startOutput, error) {
	run, err := s.run(ctx, c, &in.RunPath)
	if err != nil {
		return nil, err
	}
	req := provision.RollbackRequest{Run: run.ID, Actor: c.by()}
	if in.Body != nil {
		req.Apply = in.Body.Apply
		if req.People, err = s.ids(ctx, c, in.Body.Users); err != nil {
			return nil, err
		}
	}
	id, err := s.o.Runner.Rollback(ctx, c.id(), req)
	return started(c, id, false, err)
}

// RunPath names a run.
type RunPath struct {
	OrgPath
	Run string `path:"run" doc:"The id of the run." format:"uuid"`
}

// run returns the run that a path names.
func (s *Server) run(ctx context.Context, c *call, in *RunPath) (*connector.Run, error) {
	nowhere := newProblem(http.StatusNotFound, "not_found", "there is no such run")
	id, err := connector.ParseID(in.Run)
	if err != nil {
		return nil, nowhere
	}
	run, err := s.o.Store.Run(ctx, id)
	if connector.KindOf(err) == connector.NotFound || err == nil && run.Org != c.id() {
		return nil, nowhere
	}
	return run, err
}

const (
	csvType  = "text/csv; charset=utf-8"
	htmlType = "text/html; charset=utf-8"
)

type reportInput struct {
	RunPath
	Format string `query:"format" doc:"csv has a row for each person, html is a page without scripts in the language of Accept-Language. That one of these was taken along stands in the audit trail." enum:"json,csv,html" default:"json"`
}

// reportForms are the forms of a report, by format.
var reportForms = map[string]struct {
	mime  string
	write func(w io.Writer, r report.Report) error
}{"json": {"application/json", report.JSON}, "csv": {csvType, report.CSV}, "html": {htmlType, report.HTML}}

func (s *Server) getReport(ctx context.Context, c *call, in *reportInput) (*huma.StreamResponse, error) {
	run, err := s.run(ctx, c, &in.RunPath)
	if err != nil {
		return nil, err
	}
	back, err := s.o.Store.Rollbacks(ctx, run)
	if err != nil {
		return nil, err
	}
	r := report.Report{
		Run: run, UndoneBy: report.Undone(back)[run.ID], Now: s.now(), Lang: c.lang, Catalogue: s.catalogue,
		Changes: func() iter.Seq2[*connector.Change, error] { return s.o.Store.RunChanges(ctx, run.ID) },
	}
	form, file := reportForms[in.Format], "report."+in.Format
	if in.Format != "json" { // that is how one looks at a run, as it goes on too
		if err := s.exported(ctx, c, "run "+run.ID.String(), file); err != nil {
			return nil, err
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", form.mime)
		if in.Format != "json" {
			hc.SetHeader("Content-Disposition", `attachment; filename="run_`+c.id()+"_"+run.ID.Short()+"_"+file+`"`)
		}
		if err := form.write(hc.BodyWriter(), r); err != nil {
			s.cut(ctx, err)
		}
	}}, nil
}

// exported keeps in the audit trail that a program has taken a file along.
func (s *Server) exported(ctx context.Context, c *call, target, file string) error {
	return s.o.Store.Write(ctx, func(tx connector.Tx) error {
		return tx.PutAudit(ctx, connector.Exported(c.id(), connector.ActorOf(ctx), target, file, s.now()))
	})
}

// cut ends an answer of which a part is sent already, so that nobody takes it for the whole.
func (s *Server) cut(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.o.Log.Error("an answer to a program was cut short", zap.Error(err))
	}
	panic(http.ErrAbortHandler)
}

func (s *Server) rejectRun(ctx context.Context, c *call, in *RunPath) (*struct{}, error) {
	run, err := s.run(ctx, c, in)
	if err == nil {
		err = c.org.Writer.CheckHold(run)
	}
	if err != nil {
		return nil, err
	}
	return nil, c.org.Writer.Reject(ctx, run, c.by())
}
