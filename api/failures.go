package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
)

const failuresTag = "Failures"

func (s *Server) failures() {
	route(s, operation{
		id: "listFailures", method: http.MethodGet, path: "/failures", scope: connector.APIRead, tag: failuresTag, summary: "List who has no account or no update, and why",
		about: "Open items, first seen first: each stays until the same person succeeds or somebody dismisses it.",
	}, s.listFailures)
	route(s, operation{
		id: "getFailure", method: http.MethodGet, path: "/failures/{ref}", scope: connector.APIRead, tag: failuresTag, summary: "Show one open item",
	}, s.getFailure)
	route(s, operation{
		id: "dismissFailure", method: http.MethodDelete, path: "/failures/{ref}", scope: connector.APIUsers, tag: failuresTag, summary: "Close an open item",
		about: "It comes back when the same person fails again.", status: http.StatusNoContent,
	}, s.dismiss)
	route(s, operation{
		id: "dismissFailures", method: http.MethodPost, path: "/failures/dismiss", scope: connector.APIUsers, tag: failuresTag, summary: "Close many open items",
		about: "Each in the order of the list, as the operation for one does it: one that is not open has its problem in the answer, and stops nobody else. For more than 500 send several requests.",
	}, s.dismissMany)
	route(s, operation{
		id: "listErrors", method: http.MethodGet, path: "/errors", scope: connector.APIRead, tag: failuresTag, summary: "List all numbers of failures with their reasons",
	}, s.listErrors)
	route(s, operation{
		id: "getError", method: http.MethodGet, path: "/errors/{code}", scope: connector.APIRead, tag: failuresTag, summary: "Tell what a number means and what to do",
	}, s.getError)
}

// OpenItem is a failure that lasts.
type OpenItem struct {
	failure.Document
	DN        string    `json:"dn,omitempty"`
	Anchor    string    `json:"anchor,omitempty"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Count     int       `json:"count"`
	LastRun   string    `json:"last_run,omitempty"`
}

// NewOpenItem is the form in which the API and the command line show an open item.
func NewOpenItem(cat *failure.Catalogue, i *connector.OpenItem, lang string) OpenItem {
	return OpenItem{cat.Document(i.Failure, lang), i.DN, i.Anchor.String(), i.FirstSeen, i.LastSeen, i.Count, i.LastRun.String()}
}

type listFailuresInput struct {
	OrgPath
	Page
	Source string           `query:"source" doc:"Only this source." maxLength:"32"`
	Code   int              `query:"code" doc:"Only this number, such as 31; 0 = any." minimum:"0" maximum:"99"`
	Reason connector.Reason `query:"reason" doc:"Only this reason, such as no_seat." maxLength:"64"`
	Search string           `query:"search" doc:"Part of the user name or e-mail, in any case." maxLength:"320"`
}

// Failures is a page of open items.
type Failures struct {
	Failures []OpenItem `json:"failures"`
	Next     string     `json:"next,omitempty" doc:"Where the next page begins; left out after the last."`
}

type failuresOutput struct{ Body Failures }

func (s *Server) listFailures(ctx context.Context, c *call, in *listFailuresInput) (*failuresOutput, error) {
	after, err := in.place()
	if err != nil {
		return nil, err
	}
	items, next, err := s.o.Store.OpenItems(ctx, connector.ItemQuery{
		Org: c.id(), Source: in.Source, Code: connector.Code(in.Code), Reason: in.Reason, Subject: in.Search, After: after, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := &failuresOutput{Failures{Failures: make([]OpenItem, len(items)), Next: cursor(next)}}
	for i := range items {
		out.Body.Failures[i] = NewOpenItem(s.catalogue, &items[i], c.lang)
	}
	return out, nil
}

type refInput struct {
	OrgPath
	Ref string `path:"ref" doc:"The reference of the failure." maxLength:"20" example:"7K2M-9QXA"`
}

type failureOutput struct{ Body OpenItem }

func (s *Server) getFailure(ctx context.Context, c *call, in *refInput) (*failureOutput, error) {
	item, err := s.o.Store.OpenItem(ctx, c.id(), in.Ref)
	if err != nil {
		return nil, err
	}
	return &failureOutput{NewOpenItem(s.catalogue, &item, c.lang)}, nil
}

func (s *Server) dismiss(ctx context.Context, c *call, in *refInput) (*struct{}, error) {
	return nil, s.o.Store.Dismiss(ctx, c.id(), in.Ref)
}

type dismissManyInput struct {
	OrgPath
	Body struct {
		Failures []string `json:"failures" doc:"Their references." minItems:"1" maxItems:"500"`
		Reason   string   `json:"reason,omitempty" doc:"One line for the audit log." maxLength:"500" pattern:"^[^\\x00-\\x1f\\x7f]*$"`
	}
}

// DismissedFailure is what became of one of many open items.
type DismissedFailure struct {
	Ref     string   `json:"ref" doc:"As the request names it."`
	Closed  bool     `json:"closed" doc:"False where it was not open."`
	Problem *Problem `json:"problem,omitempty" doc:"What would have been answered about this one alone."`
}

type dismissedOutput struct {
	Body struct {
		Failures []DismissedFailure `json:"failures" doc:"In the order of the request."`
	}
}

func (s *Server) dismissMany(ctx context.Context, c *call, in *dismissManyInput) (*dismissedOutput, error) {
	actor := connector.ActorOf(ctx)
	actor.Reason = in.Body.Reason
	acting, out := connector.Acting(ctx, actor), &dismissedOutput{}
	for _, ref := range in.Body.Failures {
		x := DismissedFailure{Ref: ref}
		switch err := s.o.Store.Dismiss(acting, c.id(), ref); {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			x.Problem = s.problem(ctx, err)
		default:
			x.Closed = true
		}
		out.Body.Failures = append(out.Body.Failures, x)
	}
	return out, nil
}

// ErrorCode is one number of the catalogue.
type ErrorCode struct {
	Code    int                `json:"code"`
	Title   string             `json:"title"`
	Reasons []connector.Reason `json:"reasons"`
}

// ErrorCodes are all of them.
type ErrorCodes struct {
	Errors []ErrorCode `json:"errors"`
}

type errorsOutput struct{ Body ErrorCodes }

func (s *Server) listErrors(_ context.Context, c *call, _ *OrgPath) (*errorsOutput, error) {
	out := &errorsOutput{}
	for _, e := range s.catalogue.Codes(c.lang) {
		out.Body.Errors = append(out.Body.Errors, ErrorCode{int(e.Code), e.Title, e.Reasons})
	}
	return out, nil
}

// ErrorDescription is all that the catalogue says of one number.
type ErrorDescription struct {
	Code    int           `json:"code"`
	Title   string        `json:"title"`
	Reasons []ErrorReason `json:"reasons"`
	Never   []string      `json:"never_worked,omitempty" doc:"What to look at when the account has never worked."`
	Before  []string      `json:"worked_before,omitempty" doc:"What to look at when it has."`
}

// ErrorReason is one reason of a number.
type ErrorReason struct {
	Reason  connector.Reason `json:"reason"`
	When    string           `json:"when"`
	Message string           `json:"message" doc:"For the person."`
	Remedy  []string         `json:"remedy" doc:"Steps for the administrator."`
}

type codeInput struct {
	OrgPath
	Code int `path:"code" doc:"The number." minimum:"1" maximum:"99"`
}

type errorOutput struct{ Body ErrorDescription }

func (s *Server) getError(_ context.Context, c *call, in *codeInput) (*errorOutput, error) {
	d, ok := s.catalogue.Describe(connector.Code(in.Code), c.lang)
	if !ok {
		return nil, newProblem(http.StatusNotFound, "not_found", "there is no failure with this number")
	}
	out := &errorOutput{ErrorDescription{Code: int(d.Code), Title: d.Title, Never: d.Never, Before: d.Before}}
	for _, r := range d.Reasons {
		out.Body.Reasons = append(out.Body.Reasons, ErrorReason{r.Reason, r.When, r.Message, r.Remedy})
	}
	return out, nil
}
