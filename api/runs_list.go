package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/runs"
)

func (s *Server) runLists() {
	route(s, operation{
		id: "listRuns", method: http.MethodGet, path: "/runs", scope: connector.APIRead, tag: runsTag, summary: "List the runs, the latest first where sort does not say otherwise",
		about: "Each is a report without its people, as usherd runs -o json has it. For a page 500 runs are looked at at most: where few fit it is short, or empty, and has a next all the same.",
	}, s.listRuns)
	route(s, operation{
		id: "compareRuns", method: http.MethodGet, path: "/runs/compare", scope: connector.APIRead, tag: runsTag, summary: "Compare two runs",
		about: "The reports of both without their people, and page by page the people whose outcome differs. Some hundred people are looked at for a page: where few differ it is short, or empty, and has a next all the same.",
	}, s.compareRuns)
}

type listRunsInput struct {
	OrgPath
	Limit    int                  `query:"limit" doc:"How many at most." default:"20" minimum:"1" maximum:"500"`
	Source   string               `query:"source" doc:"Only this source." maxLength:"32"`
	Before   string               `query:"before" doc:"Only runs that come behind this one: next of the page before." format:"uuid"`
	Sort     string               `query:"sort" doc:"By when they started: the latest first, or with started the first one." enum:"started,-started" default:"-started"`
	From     time.Time            `query:"from" doc:"Only runs that ended at that time or later; the one that ended last comes first." format:"date-time"`
	Until    time.Time            `query:"until" doc:"Only runs that ended before that time; the one that ended last comes first." format:"date-time"`
	Trigger  runs.Trigger         `query:"trigger" doc:"Only runs that were started by that." enum:"schedule,live,manual,api"`
	Mode     connector.Mode       `query:"mode" doc:"Only runs that read that." enum:"full,changes,preview,person,grace,rollback"`
	Result   connector.Result     `query:"result" doc:"Only runs that ended so, or go on." enum:"running,ok,partial,held,failed,cancelled"`
	Decision connector.HoldStatus `query:"decision" doc:"Only runs that held something of which this became." enum:"open,approved,rejected,expired,superseded"`
	Changes  int                  `query:"changes" doc:"Only runs that changed so many people, at least." minimum:"0"`
	Loud     bool                 `query:"loud" doc:"Leave out runs that went well and had nothing to do."`
}

// Runs is a page of runs.
type Runs struct {
	Runs []json.RawMessage `json:"runs" doc:"Reports without people."`
	Next string            `json:"next,omitempty" doc:"before of the next page; left out after the last."`
}

type runsOutput struct{ Body Runs }

func (s *Server) listRuns(ctx context.Context, c *call, in *listRunsInput) (*runsOutput, error) {
	choice := &runs.Choice{
		RunFilter: connector.RunFilter{Org: c.id(), Source: in.Source, From: in.From, Until: in.Until, Oldest: in.Sort == "started", Limit: in.Limit},
		Trigger:   in.Trigger, Mode: in.Mode, Result: in.Result, Decision: in.Decision, Changes: in.Changes, Loud: in.Loud,
	}
	if err := before(&choice.Before, in.Before); err != nil {
		return nil, err
	}
	page, err := runs.List(ctx, s.o.Store, choice, s.now())
	if err != nil {
		return nil, err
	}
	out := &runsOutput{Runs{Runs: []json.RawMessage{}}}
	if !page.Next.IsZero() {
		out.Body.Next = page.Next.String()
	}
	for _, run := range page.Runs {
		doc, err := s.head(c, run)
		if err != nil {
			return nil, err
		}
		out.Body.Runs = append(out.Body.Runs, doc)
	}
	return out, nil
}

type compareInput struct {
	OrgPath
	A string `query:"a" doc:"The id of one run." format:"uuid" required:"true"`
	B string `query:"b" doc:"The id of the other run." format:"uuid" required:"true"`
	Page
}

// Comparison is what differs between two runs.
type Comparison struct {
	A          json.RawMessage `json:"a" doc:"The report of one without its people."`
	B          json.RawMessage `json:"b"`
	SameSource bool            `json:"same_source" doc:"Of two sources people are the same by their accounts."`
	SameConfig bool            `json:"same_configuration" doc:"Both ran under one revision of the configuration."`
	Comparable bool            `json:"comparable" doc:"false: one was stored by an older usherd, and its people cannot be compared."`
	People     []ComparedRun   `json:"people" doc:"Whose outcome differs."`
	Next       string          `json:"next,omitempty" doc:"after of the next page; left out after the last."`
}

// ComparedRun is a person whose outcome differs.
type ComparedRun struct {
	Person string      `json:"person"`
	User   string      `json:"user_id,omitempty"`
	A      *RunOutcome `json:"a,omitempty" doc:"Left out where the person stayed as it was, or was not there."`
	B      *RunOutcome `json:"b,omitempty"`
}

// RunOutcome is what became of a person in a run.
type RunOutcome struct {
	Action  connector.Action     `json:"action"`
	Held    bool                 `json:"held,omitempty" doc:"It waits for approval and was not done."`
	Skip    connector.SkipReason `json:"skip,omitempty"`
	Reasons []connector.Reason   `json:"reasons,omitempty" doc:"Why it failed."`
}

type comparisonOutput struct{ Body Comparison }

func (s *Server) compareRuns(ctx context.Context, c *call, in *compareInput) (*comparisonOutput, error) {
	a, err := s.run(ctx, c, &RunPath{in.OrgPath, in.A})
	if err != nil {
		return nil, err
	}
	b, err := s.run(ctx, c, &RunPath{in.OrgPath, in.B})
	if err != nil {
		return nil, err
	}
	after, err := in.place()
	if err != nil {
		return nil, err
	}
	d, err := runs.Compare(ctx, s.o.Store, a, b, after, in.Limit)
	if err != nil {
		if connector.KindOf(err) == connector.Invalid {
			err = invalid("query.after", "this is not what a page gave as next")
		}
		return nil, err
	}
	out := &comparisonOutput{Comparison{SameSource: a.Source == b.Source, SameConfig: a.Revision == b.Revision, Comparable: !d.Old, People: []ComparedRun{}}}
	if out.Body.A, err = s.head(c, a); err != nil {
		return nil, err
	}
	if out.Body.B, err = s.head(c, b); err != nil {
		return nil, err
	}
	for i := range d.People {
		p := &d.People[i]
		x := ComparedRun{Person: p.Subject, A: runOutcome(p.A), B: runOutcome(p.B)}
		if p.User != nil {
			x.Person, x.User = p.User.Profile.Subject(), p.User.ID.String()
		}
		out.Body.People = append(out.Body.People, x)
	}
	if d.Next != "" {
		out.Body.Next = cursor(d.Next)
	}
	return out, nil
}

func runOutcome(o *runs.Outcome) *RunOutcome {
	if o == nil {
		return nil
	}
	return &RunOutcome{o.Action, o.Held, o.Skip, o.Reasons}
}
