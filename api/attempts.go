package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
)

// AttemptStore is what the door reads of sign-ins by SAML. store.DB is one.
type AttemptStore interface {
	Attempts(ctx context.Context, q connector.AttemptQuery) ([]connector.Attempt, error)
	Attempt(ctx context.Context, org string, id connector.ID) (connector.Attempt, bool, error)
	CountAttempts(ctx context.Context, org, source string, since time.Time, most int) (connector.AttemptCounts, error)
}

func (s *Server) attempts() {
	route(s, operation{
		id: "listSignIns", method: http.MethodGet, path: "/sign-ins", scope: connector.APIRead, tag: signInTag, summary: "List who has tried to sign in by SAML, the latest first",
		about: "Each with its steps, as long as saml.keep of the source says. With code, reason or result=in, some thousand attempts are looked at for a page: where few fit it is short, or empty, and has a next all the same.",
	}, s.listAttempts)
	route(s, operation{
		id: "getSignIn", method: http.MethodGet, path: "/sign-ins/{attempt}", scope: connector.APIRead, tag: signInTag, summary: "Show one attempt to sign in, and what to do",
	}, s.getAttempt)
}

// Attempt is one attempt to sign in.
type Attempt struct {
	ID       string                  `json:"id"`
	At       time.Time               `json:"at"`
	Org      string                  `json:"org"`
	Source   string                  `json:"source"`
	Code     int                     `json:"code" doc:"0: the person is in."`
	Reason   string                  `json:"reason,omitempty"`
	Title    string                  `json:"title,omitempty"`
	Person   string                  `json:"person,omitempty"`
	User     string                  `json:"user_id,omitempty"`
	Ref      string                  `json:"ref,omitempty" doc:"What the person was shown."`
	Remote   string                  `json:"remote,omitempty"`
	Duration float64                 `json:"duration_ms"`
	Steps    []connector.AttemptStep `json:"steps"`
	Test     bool                    `json:"test,omitempty" doc:"An administrator tried what would happen: nobody signed in, and nothing changed."`
}

// NewAttempt is the form in which the API and the command line show an attempt.
func NewAttempt(x *connector.Attempt, cat *failure.Catalogue, lang string) Attempt {
	j := Attempt{
		ID: x.ID.String(), At: x.At.UTC(), Org: x.Org, Source: x.Source, Code: int(x.Code), Reason: string(x.Reason), Person: x.Person,
		User: x.User.String(), Ref: x.Ref, Remote: x.Remote, Duration: milliseconds(x.Took), Steps: x.Steps,
		Test: x.Test != nil,
	}
	if x.Code != 0 {
		j.Title = cat.Title(x.Code, lang)
	}
	return j
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

type listAttemptsInput struct {
	OrgPath
	Source string           `query:"source" doc:"Only this source." maxLength:"32"`
	Person string           `query:"person" doc:"Only of this person: user name or e-mail." maxLength:"320"`
	Ref    string           `query:"ref" doc:"Only the one of which a person was shown this reference; person is not asked for beside it." maxLength:"20" example:"7K2M-9QXA"`
	Result string           `query:"result" doc:"Only who is in, or who was refused." enum:"in,refused"`
	Code   int              `query:"code" doc:"Only those that were refused with this number, such as 31; 0 = any." minimum:"0" maximum:"99"`
	Reason connector.Reason `query:"reason" doc:"Only those that were refused for this reason, such as no_seat." maxLength:"64"`
	Failed bool             `query:"failed" doc:"The same as result=refused."`
	Since  time.Time        `query:"since" doc:"Only from then on." format:"date-time"`
	Before string           `query:"before" doc:"Only older ones than this: next of the page before." format:"uuid"`
	Limit  int              `query:"limit" doc:"How many at most." default:"50" minimum:"1" maximum:"500"`
}

// Attempts is a page of attempts.
type Attempts struct {
	Attempts []Attempt `json:"attempts"`
	Next     string    `json:"next,omitempty" doc:"before of the next page; left out after the last."`
}

type attemptsOutput struct{ Body Attempts }

func (s *Server) listAttempts(ctx context.Context, c *call, in *listAttemptsInput) (*attemptsOutput, error) {
	q := connector.AttemptChoice{Code: connector.Code(in.Code), Reason: in.Reason, In: in.Result == "in"}
	q.AttemptQuery = connector.AttemptQuery{
		Org: c.id(), Source: in.Source, Person: in.Person, Ref: in.Ref, Failed: in.Failed || in.Result == "refused" || in.Code > 0 || in.Reason != "", Since: in.Since,
	}
	var from connector.ID
	if err := before(&from, in.Before); err != nil {
		return nil, err
	}
	out := &attemptsOutput{Attempts{Attempts: []Attempt{}}}
	next, more, err := connector.Sift(in.Limit, from, func(from connector.ID, limit int) ([]connector.Attempt, error) {
		q.Before, q.Limit = from, limit
		return s.o.Store.Attempts(ctx, q.AttemptQuery)
	}, func(x connector.Attempt) (connector.ID, bool) {
		fits := q.Fits(&x)
		if fits {
			out.Body.Attempts = append(out.Body.Attempts, NewAttempt(&x, s.catalogue, c.lang))
		}
		return x.ID, fits
	})
	if more {
		out.Body.Next = next.String()
	}
	return out, err
}

// AttemptDetail is an attempt with what to do about it.
type AttemptDetail struct {
	Attempt
	Remedy []string `json:"remedy,omitempty" doc:"Steps for the administrator, of one that was refused."`
	Tried  *Tried   `json:"tried,omitempty" doc:"Of a test: what came, and what would have changed."`
}

// Tried is what was seen of a sign-in that was tried.
type Tried struct {
	By         string                    `json:"by" doc:"Who had it tried."`
	Subject    string                    `json:"subject,omitempty" doc:"What the identity provider calls the person."`
	Attributes []connector.SaidAttribute `json:"attributes,omitempty" doc:"As it has sent them, in their order."`
	Left       int                       `json:"attributes_left_out,omitempty" doc:"For which there was no room."`
	Fields     []connector.FieldChange   `json:"fields,omitempty" doc:"What would have changed of the account."`
}

type attemptPath struct {
	OrgPath
	Attempt string `path:"attempt" format:"uuid"`
}

type attemptOutput struct{ Body AttemptDetail }

func (s *Server) getAttempt(ctx context.Context, c *call, in *attemptPath) (*attemptOutput, error) {
	id, err := connector.ParseID(in.Attempt)
	if err != nil {
		return nil, invalid("path.attempt", err.Error())
	}
	x, ok, err := s.o.Store.Attempt(ctx, c.id(), id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, newProblem(http.StatusNotFound, "not_found", "no such attempt is kept")
	}
	return &attemptOutput{NewAttemptDetail(&x, s.catalogue, c.lang)}, nil
}

// NewAttemptDetail is the form in which the API and the command line show all of one attempt.
func NewAttemptDetail(x *connector.Attempt, cat *failure.Catalogue, lang string) AttemptDetail {
	j := AttemptDetail{Attempt: NewAttempt(x, cat, lang)}
	if x.Code != 0 {
		j.Remedy = cat.Text(connector.Failure{Code: x.Code, Reason: x.Reason, Org: x.Org, Source: x.Source}, lang).Remedy
	}
	if x.Test != nil {
		tried := Tried(*x.Test)
		j.Tried = &tried
	}
	return j
}
