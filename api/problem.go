package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/failure"
)

// Problem is a refusal as it is answered (RFC 9457).
type Problem struct { //nolint:errname // the word of RFC 9457
	Type    string            `json:"type" doc:"What sort of problem it is: urn:usherd:problem: and the reason." example:"urn:usherd:problem:no_seat"`
	Title   string            `json:"title" doc:"The sort of problem in words." example:"Auto account update failed (32)"`
	Status  int               `json:"status" doc:"The status of the answer." example:"409"`
	Detail  string            `json:"detail,omitempty" doc:"What is wrong here, in a sentence."`
	Reason  string            `json:"reason" doc:"A slug that never changes." example:"no_seat"`
	Code    int               `json:"code,omitempty" doc:"The number of the failure, where a rule about a person refuses." example:"32"`
	Ref     string            `json:"ref,omitempty" doc:"What to quote to the administrator; the log has it too." example:"7K2M-9QXA"`
	Failure *failure.Document `json:"failure,omitempty" doc:"All there is to say of the failure of a person."`
	Contact *Contact          `json:"contact,omitempty" doc:"Whom the person can ask."`
	Errors  []Fault           `json:"errors,omitempty" doc:"What is wrong with the request, by place."`
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	Location string `json:"location" doc:"Where it is." example:"body.package"`
	Message  string `json:"message" doc:"What is wrong with it."`
}

// Contact is whom people of the organization ask.
type Contact struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	URL   string `json:"url,omitempty"`
}

// contact is that of the organization, nil where it has given none.
func (c *call) contact() *Contact {
	if c.org.Settings.Contact.IsZero() {
		return nil
	}
	x := Contact(c.org.Settings.Contact)
	return &x
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (*Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

func newProblem(status int, reason, detail string) *Problem {
	return &Problem{Type: "urn:usherd:problem:" + reason, Title: http.StatusText(status), Status: status, Detail: detail, Reason: reason}
}

// write answers with the problem, where huma does not.
func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// useProblems has huma tell what is wrong with a request in our form. Its hook is global, and set once.
var useProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		p := newProblem(status, reasonOf(status), detail)
		for _, err := range errs {
			var x huma.ErrorDetailer
			switch {
			case err == nil:
			case errors.As(err, &x): // its value is not repeated: it may be a secret
				p.Errors = append(p.Errors, Fault{x.ErrorDetail().Location, x.ErrorDetail().Message})
			default:
				p.Errors = append(p.Errors, Fault{Message: err.Error()})
			}
		}
		return p
	}
})

// reasonOf is the slug of a status that has one reason here.
func reasonOf(status int) string {
	switch status {
	case http.StatusRequestTimeout:
		return "too_slow"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "media_type"
	}
	return "invalid_request"
}

// invalid is what is wrong with one place of a request.
func invalid(location, message string) *Problem {
	p := newProblem(http.StatusUnprocessableEntity, "invalid_request", "validation failed")
	p.Errors = []Fault{{location, message}}
	return p
}

// kinds say how accidents are answered. What is wrong with us is not told, but for its reference.
var kinds = map[connector.Kind]struct {
	status int
	reason string
}{
	connector.NotFound: {http.StatusNotFound, "not_found"},
	connector.Invalid:  {http.StatusUnprocessableEntity, "invalid_request"},
	connector.Conflict: {http.StatusConflict, "conflict"},
	connector.Refused:  {http.StatusConflict, "refused"},
	connector.Held:     {http.StatusConflict, "held"},
}

// problem makes of an error what is answered.
func (s *Server) problem(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if errors.Is(err, connector.ErrMoved) {
		return newProblem(http.StatusConflict, "conflict", "the user keeps being changed by others: try again")
	}
	if k, ok := kinds[connector.KindOf(err)]; ok {
		detail := err.Error()
		if e, ok := errors.AsType[*connector.Error](err); ok {
			detail = e.Err.Error()
		}
		return newProblem(k.status, k.reason, detail)
	}
	return s.accident(ctx, err)
}

// accident is what went wrong with us: it is in the log, under the reference that is answered.
func (s *Server) accident(ctx context.Context, err error, more ...zap.Field) *Problem {
	p := newProblem(http.StatusInternalServerError, "internal", "an error of ours: see the log")
	if k := connector.KindOf(err); k == connector.Unavailable || k == connector.Incomplete || k == connector.Denied {
		p = newProblem(http.StatusServiceUnavailable, "unavailable", "this cannot be answered at the moment: try again")
	}
	p.Ref = connector.NewRef("api", connector.NewID(s.now()).String())
	if ctx.Err() == nil {
		s.o.Log.Error("a request of a program could not be answered", append(more, zap.String("ref", p.Ref), zap.Error(err))...)
	}
	return p
}

// refusal is a rule about a person that says no.
func (s *Server) refusal(c *call, status int, f connector.Failure) *Problem {
	doc := s.catalogue.Document(f, c.lang)
	p := newProblem(status, doc.Reason, doc.Message)
	p.Title, p.Code, p.Ref, p.Failure = doc.Title, doc.Code, doc.Ref, &doc
	return p
}

// refused is a change that was decided and not made, nil for all others.
func (s *Server) refused(c *call, ch *connector.Change) *Problem {
	if len(ch.Failures) == 0 {
		return nil
	}
	return s.refusal(c, http.StatusConflict, ch.Failures[0])
}

// unclean finds a text in parameters or a body that no store takes: one that is no UTF-8, or has a NUL in it.
func unclean(in any) *Problem {
	if !clean(reflect.ValueOf(in)) {
		return invalid("request", "a text is no UTF-8, or has the character U+0000 in it")
	}
	return nil
}

func clean(v reflect.Value) bool {
	switch v.Kind() { //nolint:exhaustive // the others hold no text
	case reflect.String:
		return utf8.ValidString(v.String()) && !strings.ContainsRune(v.String(), 0)
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || clean(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			if !clean(field) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 { // raw bytes are for whoever asked for them
			return true
		}
		for i := range v.Len() {
			if !clean(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for at := v.MapRange(); at.Next(); {
			if !clean(at.Key()) || !clean(at.Value()) {
				return false
			}
		}
	default:
	}
	return true
}
