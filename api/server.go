package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/sources"
	"usherd/connector/subscribers"
	"usherd/connector/system"
)

const (
	root    = "/api/v1"
	orgRoot = root + "/orgs/{org}"
	// docPath is where the document is that describes everything here.
	docPath = root + "/openapi.json"
)

// Gate says who sends a request.
type Gate interface {
	// Enter lets in whoever has a token of that organization, as much at a time as is fair. The caller calls leave when
	// the request is answered; it is nil when the request is denied.
	Enter(r *http.Request, org string) (c Caller, leave func(), denied *Denied)
}

// Caller is who sends a request.
type Caller struct {
	Token  connector.ID
	Scopes []string // connector.APIScopes
}

// Denied is why a request is not answered.
type Denied struct {
	Status int
	Reason string // a slug
	Detail string
	Header http.Header // to be added to the answer
}

// Organization is one customer as the configuration in force has it.
type Organization struct {
	Settings    *connector.Organization
	Writer      Writer
	Claims      Claims // between it and the others
	Subscribers Subscribers
	Domains     Domains
	OwnLink     func(*connector.Subscriber) string // a subscriber's own way to the portal; nil = there is no portal
	Sources     map[string]*sources.Source         // by id
	SignOns     map[string]*sources.SignOn         // the sources by which people sign in
	Activation  subscribers.Activation
}

// Options are what a Server works with.
type Options struct {
	Store   Store
	Gate    Gate
	Runner  Runner
	Program system.Program
	Version string // of the program
	Now     func() time.Time
	Log     *zap.Logger
	Metrics *Metrics
	// Stop ends streams of events when it is closed; nil = never.
	Stop <-chan struct{}
}

// Server answers programs of all organizations. It is safe for concurrent use.
type Server struct {
	o         Options
	catalogue *failure.Catalogue
	api       huma.API
	mux       *http.ServeMux
	document  []byte
	files     chan struct{} // places for files that come
	streams   streams
	orgs      atomic.Pointer[map[string]*Organization]
}

// New returns a Server without organizations: Replace gives them.
func New(o Options) (*Server, error) {
	cat, err := failure.New()
	if err != nil {
		return nil, err
	}
	useProblems()
	s := &Server{o: o, mux: http.NewServeMux(), files: make(chan struct{}, filesAtATime)}
	s.catalogue = cat.WithKinds(s.kind)
	s.api = humago.New(s.mux, settings())
	s.api.UseMiddleware(s.enter)
	s.organization()
	s.users()
	s.explanations()
	s.checks()
	s.changes()
	s.many()
	s.signIns()
	s.failures()
	s.runs()
	s.claims()
	s.subscribers()
	s.templates()
	s.domains()
	s.sources()
	s.directories()
	s.identityProviders()
	s.imports()
	s.events()
	s.retries()
	s.people()
	s.mails()
	s.reports()
	s.groups()
	s.tokens()
	s.audit()
	s.attempts()
	s.clients()
	s.configuration()
	s.system()
	s.counts()
	if s.document, err = json.MarshalIndent(s.api.OpenAPI(), "", "  "); err != nil {
		return nil, fmt.Errorf("api: the document: %w", err)
	}
	s.mux.HandleFunc("GET "+docPath, s.serveDocument)
	s.mux.HandleFunc("/", s.nowhere)
	s.Replace(nil)
	return s, nil
}

// Document is the OpenAPI 3.1 document of everything here, as it is served.
func Document() ([]byte, error) {
	s, err := New(Options{})
	if err != nil {
		return nil, err
	}
	return s.document, nil
}

// settings are huma's without its pages, which load scripts from elsewhere, and without $schema in each body.
func settings() huma.Config {
	c := huma.DefaultConfig("usherd", "1")
	c.DocsPath, c.OpenAPIPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.RejectUnknownQueryParameters = true
	c.Info.Description = about
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{tokenScheme: {
		Type: "http", Scheme: "bearer",
		Description: "A token that `usherd token create --api` has made. Each operation names the scope that the token needs; no scope contains another one.",
	}}
	return c
}

// Replace takes over the organizations of another configuration; requests that go on end with the former.
func (s *Server) Replace(list []*Organization) {
	orgs := make(map[string]*Organization, len(list))
	for _, o := range list {
		orgs[o.Settings.ID] = o
	}
	s.orgs.Store(&orgs)
}

// kind is that of a source, as the configuration in force has it.
func (s *Server) kind(org, source string) connector.SourceKind {
	o := (*s.orgs.Load())[org]
	if o == nil {
		return ""
	}
	if settings := o.Settings.Source(source); settings != nil {
		return settings.Kind
	}
	return ""
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began, out := s.now(), &answer{ResponseWriter: w}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	defer func() {
		if what := recover(); what != nil {
			s.broke(out, r, what)
		}
		_, pattern := s.mux.Handler(r)
		s.o.Metrics.answered(pattern, out.status, s.now().Sub(began))
	}()
	s.mux.ServeHTTP(out, r)
}

func (s *Server) now() time.Time { return s.o.Now() }

// broke answers a request at which the program has failed. A client that has gone is told nothing.
func (s *Server) broke(w *answer, r *http.Request, what any) {
	if err, ok := what.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(what)
	}
	if r.Context().Err() != nil {
		return
	}
	p := s.accident(context.WithoutCancel(r.Context()), fmt.Errorf("panic: %v", what), zap.ByteString("stack", debug.Stack()))
	if w.status == 0 {
		p.write(w)
	}
}

// answer remembers the status of what is answered.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (s *Server) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(s.document)
}

// nowhere answers what no operation does: 405 where another method would do.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		newProblem(http.StatusNotFound, "not_found", "there is nothing at this address").write(w)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "this address takes "+strings.Join(allowed, ", ")).write(w)
}

const about = `Users, sign-ins, approvals, failures, seats and runs of one organization.

**Tokens.** Send ` + "`Authorization: Bearer TOKEN`" + ` with a token that ` + "`usherd token create --api`" + ` has made. It opens one organization; every
other one is answered like one that does not exist.

**Refusals** are ` + "`application/problem+json`" + ` (RFC 9457). ` + "`reason`" + ` is a slug that never changes. Where a rule about a person refuses, ` + "`code`" + `
is the number of the failure, the same at every door, ` + "`ref`" + ` what the person can quote, and ` + "`failure`" + ` all there is to say, in the language
of ` + "`Accept-Language`" + ` (en, pt-BR, sv, pl).

**Lists** come in pages: ` + "`next`" + ` of one is ` + "`after`" + ` of the one that follows; without ` + "`next`" + ` it was the last.

**Unchanged.** Answers to GET have an ` + "`ETag`" + `: send it as ` + "`If-None-Match`" + `, and 304 says that nothing has changed. That of a user, sent as ` + "`If-Match`" + ` with a change,
has it refused (412) where the user has been changed since.

**Once.** Give a POST that changes something an ` + "`Idempotency-Key`" + ` of its own, and send it again with the same key when you got no answer: it is
carried out once, and for 24 hours each repetition gets the first answer, with ` + "`Idempotency-Replayed: true`" + `. Another request under the same key is
refused (422 ` + "`key_used`" + `), one that is being carried out is a conflict (409 ` + "`in_progress`" + `). Answers of 500 and above are not kept. What has a key is carried
out to its end even when its client goes.`
