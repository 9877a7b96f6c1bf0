package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/clients"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/connector/sources"
	"usherd/connector/subscribers"
	"usherd/connector/system"
	"usherd/console/chart"
	"usherd/console/password"
	"usherd/page"
)

//go:embed layout pages static style texts
var files embed.FS

// pages are the pages, texts and static files, which are the same for each server of a process: they are read once.
var pages = sync.OnceValues(func() (*page.Set, error) {
	set, err := page.Load(files)
	if err != nil {
		return nil, err
	}
	return set, oneStyle(set)
})

// Store is what the console reads, and where it keeps sessions and the audit log. store.DB is one. Each page names what it needs
// in a part of its own.
type Store interface {
	SessionStore
	OverviewStore
	RevisionStore
	SystemStore
	UserStore
	SelectionStore
	RunStore
	FailureStore
	ReportStore
	SubscriberStore
	AuditStore
	TokenStore
	SeatStore
	ClientStore
	ClaimStore
	SignInStore
	SearchStore
}

// Runner does what takes longer than an answer. Each method returns when the run stands in the store, and its work goes on.
type Runner interface {
	Directories
	// Sync starts a run of a source that can be read: ModeFull, ModeChanges or ModePreview.
	Sync(ctx context.Context, org, source string, mode connector.Mode, actor string) (connector.ID, error)
	// AcceptGroups starts a full run that changes the groups as an earlier run would have, of whose report the digest is.
	AcceptGroups(ctx context.Context, org, source, digest, actor string) (connector.ID, error)
	// Approve carries out what a run holds, or a part of it; first says that another administrator has to approve it too.
	Approve(ctx context.Context, held *connector.Run, part connector.Part, actor string) (id connector.ID, first bool, err error)
	// Rollback plans to put back what a run did, and with Apply does it.
	Rollback(ctx context.Context, org string, req provision.RollbackRequest) (connector.ID, error)
	// Retry asks a directory for one person again, by user name, e-mail, DN or anchor, and decides anew.
	Retry(ctx context.Context, org, source, key, actor string) (*provision.Person, error)
	// Progress is how far a run of this process is; ok is false where that is not known.
	Progress(run connector.ID) (x provision.Progress, ok bool)
}

// Organization is one customer as the configuration in force has it.
type Organization struct {
	Settings *connector.Organization
	Writer   Writer
	Domains  Domains
	Sources  map[string]*sources.Source  // by id
	Clients  map[string]clients.Settings // the sources that push by SCIM
	Claims   Claims
	SignOns  map[string]*sources.SignOn // the sources by which people sign in
	// TokenAddress is where a token is good, "" where there is no such door.
	TokenAddress func(*connector.Token) string
}

// Settings are what comes from the configuration in force.
type Settings struct {
	Organizations []*Organization
	Admins        []Admin
	Providers     []*Provider
	Activation    subscribers.Activation
	Revision      string // of the file
}

// Options are what a Server works with.
type Options struct {
	Store   Store
	Runner  Runner
	Program system.Program // nil = there is no daemon to ask, in tests of pages that do not
	Metrics *Metrics       // nil = nothing is counted
	URL     string         // the public address without a slash at its end
	Version string         // of the program
	Secret  []byte         // that all replicas share: keys of forms are made with it
	// Quirk says what a leniency towards a SCIM client is, by its id; "" where that is not known.
	Quirk func(id string) string
	// Address is where a request comes from, through proxies that are trusted; "" = that cannot be told.
	Address func(*http.Request) string
	Now     func() time.Time
	Log     *zap.Logger
	// Go does what takes longer than an answer, until the program stops, which ends the context: then the work leaves off where it is.
	// nil = it is done before the answer.
	Go func(work func(stop context.Context))
}

// Server serves the console. It is safe for concurrent use.
type Server struct {
	o         Options
	catalogue *failure.Catalogue
	pages     *page.Set
	mux       *http.ServeMux
	handler   http.Handler // the mux behind what all requests go through
	settings  atomic.Pointer[Settings]
	public    *url.URL // as browsers see it
	path      string   // of the public address; "" = none
	secure    bool     // browsers reach it by https
	limits    page.Limits
	nobody    string        // hash of a password that nobody has
	hashing   chan struct{} // one place for each password that is checked at a time
	routes    []route
	bodies    []body
	lists     []listWords
	counts    map[string]count
	watch     watch
}

// New returns a Server without organizations: Replace gives them.
func New(o Options) (*Server, error) {
	cat, err := failure.New()
	if err != nil {
		return nil, err
	}
	set, err := pages()
	if err != nil {
		return nil, err
	}
	public, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, pages: set, mux: http.NewServeMux(), public: public, path: public.EscapedPath(), secure: public.Scheme == "https",
		nobody: password.Nobody(), hashing: make(chan struct{}, hashesAtATime), counts: map[string]count{},
	}
	s.catalogue = cat.WithKinds(s.kind)
	s.Replace(&Settings{})
	s.register()
	protect := http.NewCrossOriginProtection()
	protect.SetDenyHandler(http.HandlerFunc(s.foreign))
	s.handler = protect.Handler(s.mux)
	return s, nil
}

// oneStyle puts all style into the one file that pages ask for: what is for some pages only stands in style/NAME.css.
func oneStyle(set *page.Set) error {
	set.Append("console.css", chart.CSS)
	names, err := fs.Glob(files, "style/*.css")
	for _, name := range names {
		text, wrong := files.ReadFile(name)
		err = errors.Join(err, wrong)
		set.Append("console.css", string(text))
	}
	return err
}

// register registers all routes. Each page has a line here, and a file of its own.
func (s *Server) register() {
	s.mux.HandleFunc("GET /assets/{file}", s.pages.Static)
	s.body("notice", notice{})
	s.signIns()
	s.preferences()
	s.overview()
	s.runs()
	s.approvals()
	s.failures()
	s.provisioning()
	s.users()
	s.selections()
	s.fields()
	s.claims()
	s.domains()
	s.seats()
	s.sources()
	s.scim()
	s.sso()
	s.templates()
	s.organizations()
	s.tokens()
	s.errors()
	s.audit()
	s.reports()
	s.configuration()
	s.system()
	s.search()
	s.help()
	s.mux.HandleFunc("/", s.open((*visit).nowhere))
}

// body is what a page is made of, by the name of its template.
type body struct {
	name string
	body any
}

// body says with which struct a template is shown, so that a test can hold the two against each other.
func (s *Server) body(name string, of any) { s.bodies = append(s.bodies, body{name, of}) }

// Share says among how many replicas the limits of addresses are shared out.
func (s *Server) Share(replicas int) { s.limits.Share(replicas) }

// Replace takes over another configuration; requests that go on end with the former.
func (s *Server) Replace(set *Settings) {
	s.settings.Store(set)
}

// kind is that of a source, as the configuration in force has it.
func (s *Server) kind(org, source string) connector.SourceKind {
	for _, o := range s.settings.Load().Organizations {
		if o.Settings.ID == org {
			if x := o.Settings.Source(source); x != nil {
				return x.Kind
			}
		}
	}
	return ""
}

// contentPolicy is that of page.Headers, and lets the script ask for parts of pages.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// addressRate is how often one address may ask for anything.
var addressRate = page.Rate{PerSecond: 20, Burst: 300}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	page.Headers(h, s.secure)
	h.Set("Content-Security-Policy", contentPolicy)
	id := connector.NewID(s.o.Now()).String()
	h.Set("X-Request-Id", id)
	page.Remember(w, r, s.path+"/", s.secure)
	began, a := s.o.Now(), &answer{ResponseWriter: w}
	w = a
	defer func() { s.o.Metrics.answered(r.Pattern, a.status, s.o.Now().Sub(began)) }()
	defer func() { //nolint:contextcheck // a visit asks under the context of its request
		if what := recover(); what != nil {
			s.broke(w, r, what)
		}
	}()
	if !s.limits.Take(page.Network(s.o.Address(r)), addressRate, s.o.Now()) {
		h.Set("Retry-After", "10")
		http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	s.handler.ServeHTTP(w, r)
}

// maxForm bounds what is posted.
const maxForm = 256 << 10

// broke answers a request at which the program has failed.
func (s *Server) broke(w http.ResponseWriter, r *http.Request, what any) {
	if err, ok := what.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(what)
	}
	v := s.visit(w, r)
	v.accident("panic", fmt.Errorf("panic: %v\n%s", what, debug.Stack()))
}

// foreign answers a form that another site has sent.
func (s *Server) foreign(w http.ResponseWriter, r *http.Request) {
	v := s.visit(w, r)
	v.say(http.StatusForbidden, "console.foreign", nil) //nolint:contextcheck // a visit asks under the context of its request
}
