package api

import (
	"context"
	"net/http"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/connector/sources"
)

func (s *Server) retries() {
	route(s, operation{
		id: "retryFailure", method: http.MethodPost, path: "/failures/{ref}/retry", scope: connector.APIUsers, tag: failuresTag,
		summary: "Try a person who failed again, now", refuses: []int{http.StatusConflict},
		about: "The directory is asked for this one person, and everything is decided anew. Whom a source pushes, or a file has brought, cannot be asked for: a conflict that says what helps.",
	}, s.retryFailure)
	route(s, operation{
		id: "retryFailures", method: http.MethodPost, path: "/failures/retry", scope: connector.APIUsers, tag: failuresTag,
		summary: "Try again all who failed for one reason, a page at a time",
		about:   "Those of directories; the others are told as left out. Where a directory does not answer, the page ends there, and stopped says why.",
	}, s.retryFailures)
}

func (s *Server) people() {
	route(s, operation{
		id: "tryPerson", method: http.MethodPost, path: "/sources/{source}/person", scope: connector.APIRuns, tag: sourcesTag, asks: true,
		summary: "Ask a directory for one person, and show every step of what would become of it, or with apply does",
		about:   "What usherd plan --person and usherd sync --person show. Said twice, it is the same.",
	}, s.tryPerson)
}

// Retried is what came of trying somebody again.
type Retried struct {
	Ref     string `json:"ref"`
	Source  string `json:"source"`
	Subject string `json:"subject,omitempty"`
	Decided
	LeftOut string `json:"left_out,omitempty" doc:"Why nobody was asked."`
}

// Decided is what a directory and the rules have said of one person.
type Decided struct {
	Succeeds bool               `json:"succeeds" doc:"The person was found, and nothing refuses it."`
	Action   connector.Action   `json:"action,omitempty" doc:"Left out where nobody was found."`
	Steps    []provision.Step   `json:"steps" doc:"How far it went."`
	Failures []failure.Document `json:"failures,omitempty"`
	Run      string             `json:"run,omitempty" doc:"The run that it was; of a preview it is not kept."`
}

type retriedOutput struct{ Body Retried }

func (s *Server) retryFailure(ctx context.Context, c *call, in *refInput) (*retriedOutput, error) {
	item, err := s.o.Store.OpenItem(ctx, c.id(), in.Ref)
	if err != nil {
		return nil, err
	}
	if why := notAsked(c.org.Settings, item.Source); why != "" {
		return nil, newProblem(http.StatusConflict, "refused", why)
	}
	out, err := s.retry(ctx, c, &item)
	if err != nil {
		return nil, sourceFault(err)
	}
	return &retriedOutput{out}, nil
}

// notAsked says why a source cannot be asked for somebody, "" where it can.
func notAsked(o *connector.Organization, source string) string {
	if o.Template(source) != nil {
		return "this person activates the account: try the subscriber again"
	}
	src := o.Source(source)
	switch {
	case src == nil:
		return "the configuration has no source " + source + " any more: dismiss the failure"
	case src.Kind == connector.Directory:
		return ""
	case src.Kind.Brought():
		return "a file has brought this person: import it again"
	case src.Kind == connector.SignIn:
		return "this person is decided anew with the next sign-in"
	}
	return "this source pushes: see that it brings the person again"
}

func (s *Server) retry(ctx context.Context, c *call, item *connector.OpenItem) (Retried, error) {
	out := Retried{Ref: item.Ref, Source: item.Source, Subject: item.Subject}
	p, err := s.o.Runner.Person(ctx, c.id(), item.Source, provision.PersonRequest{Key: item.Key(), Actor: c.by()})
	if err != nil {
		return out, err
	}
	out.Decided = s.decided(c, p)
	return out, nil
}

// decided shows what a directory and the rules have said of one person.
func (s *Server) decided(c *call, p *provision.Person) Decided {
	out := Decided{Steps: append([]provision.Step{}, p.Steps...), Run: p.Run.ID.String()}
	if p.Change == nil {
		return out
	}
	out.Action, out.Succeeds = p.Change.Action, len(p.Change.Failures) == 0
	for _, f := range p.Change.Failures {
		out.Failures = append(out.Failures, s.catalogue.Document(f, c.lang))
	}
	return out
}

// ToLookFor is somebody who is looked for.
type ToLookFor struct {
	Person string `json:"person" doc:"User name, e-mail, DN or anchor." minLength:"1" maxLength:"1000"`
	Apply  bool   `json:"apply,omitempty" doc:"Write what is decided; left out, nothing is changed."`
}

type personInput struct {
	SourcePath
	Body ToLookFor
}

// DecidedPerson is what became of somebody, or would.
type DecidedPerson struct {
	Decided
	Changes []connector.FieldChange `json:"changes" doc:"Of attributes and state."`
	Entry   *FoundEntry             `json:"entry,omitempty" doc:"What the directory has; left out where nobody was found."`
}

// FoundEntry is an entry that was found, and what the mapping makes of it.
type FoundEntry struct {
	DN      string            `json:"dn"`
	Anchor  string            `json:"anchor" doc:"What never changes of it, such as its objectGUID."`
	Mapping []MappedAttribute `json:"mapping"`
}

type personOutput struct{ Body DecidedPerson }

func (s *Server) tryPerson(ctx context.Context, c *call, in *personInput) (*personOutput, error) {
	p, err := s.o.Runner.Person(ctx, c.id(), in.Source, provision.PersonRequest{Key: in.Body.Person, Preview: !in.Body.Apply, Actor: c.by()})
	if err != nil {
		return nil, sourceFault(err)
	}
	out := &personOutput{DecidedPerson{Decided: s.decided(c, p), Changes: []connector.FieldChange{}}}
	if p.Change != nil {
		out.Body.Changes = append(out.Body.Changes, p.Change.Fields...)
	}
	if x := c.org.Sources[in.Source]; p.Record != nil && x != nil && x.Mapping != nil {
		list := sources.AttributesOf(c.org.Settings, x.Mapping, p.Record, &p.Mapped)
		out.Body.Entry = &FoundEntry{p.Record.DN, p.Record.Anchor.String(), mappedAttributes(list)}
	}
	return out, nil
}

type retryAllInput struct {
	OrgPath
	Body struct {
		Reason connector.Reason `json:"reason" doc:"Such as required_missing." minLength:"1" maxLength:"64"`
		Source string           `json:"source,omitempty" doc:"Only this one." maxLength:"32"`
		After  string           `json:"after,omitempty" doc:"What the page before gave as next." maxLength:"2000"`
		Limit  int              `json:"limit,omitempty" doc:"How many at most." default:"50" minimum:"1" maximum:"50"`
	}
}

// RetriedPage is what came of a page of failures.
type RetriedPage struct {
	Retried []Retried `json:"retried"`
	Next    string    `json:"next,omitempty" doc:"Where the next page begins; left out after the last."`
	Stopped string    `json:"stopped,omitempty" doc:"Why the page ends before its end."`
}

type retriedPageOutput struct{ Body RetriedPage }

func (s *Server) retryFailures(ctx context.Context, c *call, in *retryAllInput) (*retriedPageOutput, error) {
	after, err := Page{After: in.Body.After}.place()
	if err != nil {
		return nil, invalid("body.after", "this is not what a page gave as next")
	}
	items, next, err := s.o.Store.OpenItems(ctx, connector.ItemQuery{Org: c.id(), Source: in.Body.Source, Reason: in.Body.Reason, After: after, Limit: in.Body.Limit})
	if err != nil {
		return nil, err
	}
	out := &retriedPageOutput{RetriedPage{Retried: []Retried{}, Next: cursor(next)}}
	for i := range items {
		item := &items[i]
		if why := notAsked(c.org.Settings, item.Source); why != "" {
			out.Body.Retried = append(out.Body.Retried, Retried{Ref: item.Ref, Source: item.Source, Subject: item.Subject, Decided: Decided{Steps: []provision.Step{}}, LeftOut: why})
			continue
		}
		r, err := s.retry(ctx, c, item)
		if err != nil {
			out.Body.Next, out.Body.Stopped = "", s.problem(ctx, err).Detail
			return out, nil
		}
		out.Body.Retried = append(out.Body.Retried, r)
	}
	return out, nil
}
