package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
)

const scimTag = "SCIM"

// RequestStore is what the door reads of the requests of SCIM clients. store.DB is one.
type RequestStore interface {
	Requests(ctx context.Context, q connector.RequestQuery) ([]connector.Request, error)
	Request(ctx context.Context, org string, id connector.ID) (r connector.Request, ok bool, err error)
}

func (s *Server) clients() {
	route(s, operation{
		id: "listClients", method: http.MethodGet, path: "/scim/clients", scope: connector.APIRead, tag: scimTag,
		summary: "Show how each identity provider that pushes is: dialect, requests, errors, ends of its tokens",
	}, s.listClients)
	route(s, operation{
		id: "listRequests", method: http.MethodGet, path: "/scim/requests", scope: connector.APIRead, tag: scimTag,
		summary: "List what identity providers have asked, and what they were answered, the latest first",
		about:   "Secrets were masked before anything was stored. Bodies are stored for sources with scim.log.bodies only, and shown with bodies only. With method, some thousand requests are looked at for a page: where few fit it is short, or empty, and has a next all the same.",
	}, s.listRequests)
	route(s, operation{
		id: "getRequest", method: http.MethodGet, path: "/scim/requests/{request}", scope: connector.APIRead, tag: scimTag, summary: "Show one request of an identity provider, with its bodies where they are stored",
	}, s.getRequest)
}

type requestPath struct {
	OrgPath
	Request string `path:"request" format:"uuid"`
}

type requestOutput struct{ Body Request }

func (s *Server) getRequest(ctx context.Context, c *call, in *requestPath) (*requestOutput, error) {
	id, err := connector.ParseID(in.Request)
	if err != nil {
		return nil, invalid("path.request", err.Error())
	}
	r, ok, err := s.o.Store.Request(ctx, c.id(), id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, newProblem(http.StatusNotFound, "not_found", "no such request is kept")
	}
	return &requestOutput{NewRequest(&r)}, nil
}

// Client is how a source that pushes is.
type Client = clients.Client

// Clients are all of an organization.
type Clients struct {
	Clients []Client `json:"clients"`
}

type clientsOutput struct{ Body Clients }

func (s *Server) listClients(ctx context.Context, c *call, _ *OrgPath) (*clientsOutput, error) {
	list, err := s.o.Runner.Clients(ctx, c.id())
	return &clientsOutput{Clients{list}}, err
}

// Request is one request of an identity provider, as the log has it.
type Request struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Org      string    `json:"org"`
	Source   string    `json:"source"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Query    string    `json:"query,omitempty"`
	Status   int       `json:"status"`
	ScimType string    `json:"scim_type,omitempty"`
	Person   string    `json:"person,omitempty"`
	User     string    `json:"user_id,omitempty"`
	Duration float64   `json:"duration_ms"`
	Profile  string    `json:"profile,omitempty"`
	Quirks   []string  `json:"quirks,omitempty"`
	Ref      string    `json:"ref,omitempty"`
	BytesIn  int64     `json:"bytes_in"`
	BytesOut int64     `json:"bytes_out"`
	Remote   string    `json:"remote,omitempty"`
	Asked    *string   `json:"request_body,omitempty" doc:"Cut and masked: not always JSON."`
	Answered *string   `json:"response_body,omitempty" doc:"The same."`
}

// NewRequest is the form in which the API and the command line show a request.
func NewRequest(r *connector.Request) Request {
	return Request{
		ID: r.ID.String(), At: r.At, Org: r.Org, Source: r.Source, Method: r.Method, Path: r.Path, Query: r.Query, Status: r.Status,
		ScimType: r.ScimType, Person: r.Person, User: r.User.String(), Duration: milliseconds(r.Duration), Profile: r.Profile,
		Quirks: r.Quirks, Ref: r.Ref, BytesIn: r.BytesIn, BytesOut: r.BytesOut, Remote: r.Remote, Asked: text(r.Asked), Answered: text(r.Answered),
	}
}

// text is a body, nil for none.
func text(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

type listRequestsInput struct {
	OrgPath
	Source string    `query:"source" doc:"Only this source." maxLength:"32"`
	Person string    `query:"person" doc:"Only about this person: user name, e-mail or id." maxLength:"320"`
	Status string    `query:"status" doc:"Only answers with this status, of this class, or of these classes." pattern:"^([1-5]([0-9][0-9]|xx)|4xx-5xx)$" example:"4xx"`
	Method string    `query:"method" doc:"Only this method." enum:"GET,POST,PUT,PATCH,DELETE"`
	Since  time.Time `query:"since" doc:"Only from then on." format:"date-time"`
	Before string    `query:"before" doc:"Only older ones than this: next of the page before." format:"uuid"`
	Bodies bool      `query:"bodies" doc:"With the bodies, where they are stored."`
	Limit  int       `query:"limit" doc:"How many at most." default:"50" minimum:"1" maximum:"500"`
}

// Requests is a page of requests.
type Requests struct {
	Requests []Request `json:"requests"`
	Next     string    `json:"next,omitempty" doc:"before of the next page; left out after the last."`
}

type requestsOutput struct{ Body Requests }

func (s *Server) listRequests(ctx context.Context, c *call, in *listRequestsInput) (*requestsOutput, error) {
	q := connector.RequestChoice{Method: in.Method}
	q.RequestQuery = connector.RequestQuery{Org: c.id(), Source: in.Source, Since: in.Since, Bodies: in.Bodies}
	var from connector.ID
	if err := before(&from, in.Before); err != nil {
		return nil, err
	}
	if in.Status != "" {
		q.Status = statusBounds(in.Status)
	}
	if err := q.About(ctx, s.o.Store, in.Person); err != nil {
		return nil, err
	}
	out := &requestsOutput{Requests{Requests: []Request{}}}
	next, more, err := connector.Sift(in.Limit, from, func(from connector.ID, limit int) ([]connector.Request, error) {
		q.Before, q.Limit = from, limit
		return s.o.Store.Requests(ctx, q.RequestQuery)
	}, func(r connector.Request) (connector.ID, bool) {
		fits := q.Fits(&r)
		if fits {
			out.Body.Requests = append(out.Body.Requests, NewRequest(&r))
		}
		return r.ID, fits
	})
	if more {
		out.Body.Next = next.String()
	}
	return out, err
}

// statusBounds reads 409, 4xx or 4xx-5xx, which the document has checked.
func statusBounds(text string) [2]int {
	if text == "4xx-5xx" {
		return [2]int{400, 599}
	}
	if n, err := strconv.Atoi(text); err == nil {
		return [2]int{n, n}
	}
	class := int(text[0]-'0') * 100
	return [2]int{class, class + 99}
}
