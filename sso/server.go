package sso

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/page"
	"usherd/sso/saml2"
)

// Writer takes what an identity provider says of a person. provision.Provisioner is one.
type Writer interface {
	Push(ctx context.Context, p provision.Push) (*connector.Change, error)
}

// Store is what the door keeps, and reads of users.
type Store interface {
	Users(ctx context.Context, org string, ids []connector.ID) ([]*connector.User, error)
	UseAssertion(ctx context.Context, org, source string, hash []byte, until time.Time) (fresh bool, err error)
	PutTicket(ctx context.Context, k connector.Ticket) error
	TakeTicket(ctx context.Context, org, source string, kind connector.TicketKind, hash connector.TokenHash, now time.Time) (connector.Ticket, bool, error)
	PutAttempt(ctx context.Context, a connector.Attempt) error
}

// Gate says for which identity provider of an organization an application asks: by the token that it sends.
type Gate interface {
	Application(r *http.Request, org string) (source string, denied *Denied)
	// Address is where a request comes from, through proxies that are trusted; "" = that cannot be told.
	Address(r *http.Request) string
}

// Denied is why an application is not answered.
type Denied struct {
	Status int
	Detail string
	Header http.Header // to be added to the answer
}

// Organization is one customer as the configuration in force has it.
type Organization struct {
	Settings  *connector.Organization
	Writer    Writer
	Providers map[string]*Provider // by source
}

// Provider is one identity provider by which people of an organization sign in.
type Provider struct {
	// Known returns how the identity provider is known now. A code that is not 0 is why it is not: the configuration
	// cannot be loaded (9), or the identity provider, which describes itself, cannot be reached (11).
	Known        func() (saml2.IDP, connector.Code)
	Application  string // where browsers go then
	NameIDFormat string // "" = any but transient
	Unsolicited  bool   // sign-ins may begin at the identity provider
	Skew         time.Duration
	Keep         bool // attempts are kept
}

// Options are what a Server works with.
type Options struct {
	Store   Store
	Gate    Gate
	URL     string // the public address without a slash at its end
	Keys    []saml2.Key
	Now     func() time.Time
	Log     *zap.Logger
	Metrics *Metrics
}

// Server serves sign-ins for all organizations. It is safe for concurrent use.
type Server struct {
	o         Options
	catalogue *failure.Catalogue
	pages     *page.Set
	mux       *http.ServeMux
	orgs      atomic.Pointer[map[string]*Organization]
	path      string // of the public address, as browsers see it; "" = none
	secure    bool   // browsers reach it by https
	limits    page.Limits
}

// New returns a Server without organizations: Replace gives them.
func New(o Options) (*Server, error) {
	cat, err := failure.New()
	if err != nil {
		return nil, err
	}
	p, err := pages()
	if err != nil {
		return nil, err
	}
	public, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, catalogue: cat.OfKind(connector.SignIn), pages: p, mux: http.NewServeMux(), path: public.EscapedPath(), secure: public.Scheme == "https"}
	s.Replace(nil)
	s.mux.HandleFunc("GET /saml/{org}/{idp}/metadata", s.at((*visit).metadata))
	s.mux.HandleFunc("GET /saml/{org}/{idp}/login", s.at((*visit).login))
	s.mux.HandleFunc("/saml/{org}/{idp}/acs", s.at((*visit).acs))
	s.mux.HandleFunc("POST /api/v1/orgs/{org}/sign-in/exchange", s.exchange)
	s.mux.HandleFunc("GET /saml/static/{file}", s.pages.Static)
	return s, nil
}

// Share says among how many replicas the limits of addresses are shared out.
func (s *Server) Share(replicas int) { s.limits.Share(replicas) }

// Replace takes over the organizations of another configuration; requests that go on end with the former.
func (s *Server) Replace(list []*Organization) {
	orgs := make(map[string]*Organization, len(list))
	for _, o := range list {
		orgs[o.Settings.ID] = o
	}
	s.orgs.Store(&orgs)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page.Headers(w.Header(), s.secure)
	s.mux.ServeHTTP(w, r)
}

// visit is one request at the door of one identity provider.
type visit struct {
	s        *Server
	w        http.ResponseWriter
	r        *http.Request
	org      *Organization
	source   string
	provider *Provider
	trail    trail
	busy     bool // what came was one too many at a time
}

// at finds the identity provider that the path names. An organization that does not exist is answered like one
// without single sign-on.
func (s *Server) at(serve func(*visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{s: s, w: w, r: r, source: r.PathValue("idp")}
		v.trail.began = s.o.Now()
		if o := (*s.orgs.Load())[r.PathValue("org")]; o != nil && o.Providers[v.source] != nil {
			v.org, v.provider = o, o.Providers[v.source]
		}
		if v.provider == nil {
			v.fail(http.StatusNotFound, v.failure(connector.CodeSSONot, "there is no such identity provider"))
			return
		}
		serve(v)
	}
}

// path is that of this identity provider's door, and base its address.
func (v *visit) path() string { return "/saml/" + v.org.Settings.ID + "/" + v.source }

func (v *visit) base() string { return v.s.o.URL + v.path() }

// verifier is how the identity provider is believed. A code that is not 0 is why it is not known.
func (v *visit) verifier() (*saml2.Verifier, connector.Code) {
	idp, code := v.provider.Known()
	return &saml2.Verifier{
		IDP: idp, SP: saml2.SP{EntityID: v.base() + "/metadata", ACS: v.base() + "/acs", Keys: v.s.o.Keys},
		NameIDFormat: v.provider.NameIDFormat, Unsolicited: v.provider.Unsolicited, Skew: v.provider.Skew, Cache: v,
	}, code
}

// Use implements saml2.Cache on the store.
func (v *visit) Use(ctx context.Context, id string, until time.Time) (bool, error) {
	hash := hashOf("saml\x00" + id)
	return v.s.o.Store.UseAssertion(ctx, v.org.Settings.ID, v.source, hash[:], until)
}

// metadata describes us to the identity provider.
func (v *visit) metadata() {
	verifier, _ := v.verifier() // which of the two is set up first is theirs
	doc, err := verifier.Metadata()
	if err != nil {
		v.accident("metadata", err)
		return
	}
	v.w.Header().Set("Content-Type", "application/samlmetadata+xml")
	_, _ = v.w.Write(doc)
}

// failure is that of a code with one reason, at this door.
func (v *visit) failure(code connector.Code, detail string) connector.Failure {
	f := failure.SignInFailure(code)
	f.Detail = detail
	return v.placed(f)
}

// placed fills in where and when a failure was.
func (v *visit) placed(f connector.Failure) connector.Failure {
	if v.org != nil {
		f.Org, f.Source = v.org.Settings.ID, v.source
	}
	if f.At.IsZero() {
		f.At = v.s.o.Now()
	}
	if f.Ref == "" {
		f.Ref = connector.NewRef(f.Org, f.Source, v.trail.identify(f.At).String(), string(f.Reason))
	}
	return f
}

// accident answers what went wrong with us; it is told in the log, under the reference that the page shows.
func (v *visit) accident(what string, err error) {
	v.fail(http.StatusServiceUnavailable, v.broken(what, err))
}

// mishap is an accident that ends an attempt.
func (v *visit) mishap(what string, err error) {
	f := v.broken(what, err)
	v.trail.refuse(v.trail.next(), "an error of ours: see the log")
	v.keep(&f)
	if !v.shown() {
		v.fail(http.StatusServiceUnavailable, f)
	}
}

func (v *visit) broken(what string, err error) connector.Failure {
	f := v.failure(9, "")
	if !errors.Is(err, context.Canceled) {
		v.s.o.Log.Error("a sign-in could not be carried out", zap.String("what", what), zap.String("source", f.Org+"/"+f.Source),
			zap.String("ref", f.Ref), zap.Error(err))
	}
	return f
}
