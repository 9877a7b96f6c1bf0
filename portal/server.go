package portal

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/page"
)

//go:embed pages texts
var files embed.FS

// pages are the pages, texts and static files, which are the same for each server of a process: they are read once.
var pages = sync.OnceValues(func() (*page.Set, error) { return page.Load(files) })

// Store is what the portal reads, and where mails are written that somebody has asked for.
type Store interface {
	MailLink(ctx context.Context, org string, id connector.ID) (connector.MailLink, error)
	Claim(ctx context.Context, org string, id connector.ID) (*connector.Claim, error)
	UsersByKey(ctx context.Context, org string, keys []connector.UserKey) ([]*connector.User, error)
	Write(ctx context.Context, f func(connector.Tx) error) error
}

// People writes users. provision.Provisioner is one.
type People interface {
	ProveEmail(ctx context.Context, link connector.ID) (provision.Proof, error)
}

// Organization is one customer as the configuration in force has it.
type Organization struct {
	Settings    *connector.Organization
	Claims      Claims // between it and the others
	People      People
	Activations Activations // nil = there are none
}

// Options are what a Server works with.
type Options struct {
	Store Store
	Links connector.LinkKey
	URL   string // the public address without a slash at its end
	// Address is where a request comes from, through proxies that are trusted; "" = that cannot be told.
	Address func(*http.Request) string
	Now     func() time.Time
	Log     *zap.Logger
	Metrics *Metrics // nil = none
}

// Server serves the portal of all organizations. It is safe for concurrent use.
type Server struct {
	o         Options
	catalogue *failure.Catalogue
	pages     *page.Set
	mux       *http.ServeMux
	handler   http.Handler // the mux behind what all requests go through
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
	set, err := pages()
	if err != nil {
		return nil, err
	}
	public, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, catalogue: cat.OfKind(connector.Template), pages: set, mux: http.NewServeMux(), path: public.EscapedPath(), secure: public.Scheme == "https"}
	s.Replace(nil)
	s.routes()
	s.handler = http.NewCrossOriginProtection().Handler(s.mux)
	return s, nil
}

// routes are all of the portal's.
func (s *Server) routes() {
	s.mux.HandleFunc("GET /static/{file}", s.pages.Static)
	s.mux.HandleFunc("GET /problem/{code}", s.at((*visit).problem))
	s.claims()
	s.invitations()
	s.accounts()
	s.activations()
	s.mux.HandleFunc("/", s.at((*visit).nowhere))
}

// Share says among how many replicas the limits of addresses are shared out.
func (s *Server) Share(replicas int) { s.limits.Share(replicas) }

// Replace takes over the organizations of another configuration; requests that go on end with the former.
func (s *Server) Replace(list []*Organization) {
	orgs := make(map[string]*Organization, len(list))
	for _, o := range list {
		orgs[o.Settings.ID] = o
		if len(o.Settings.Templates) > 0 {
			s.o.Metrics.know(o.Settings.ID, failure.Reasons(connector.CodeCreation))
		}
	}
	s.orgs.Store(&orgs)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page.Headers(w.Header(), s.secure)
	page.Remember(w, r, s.path+"/", s.secure)
	s.handler.ServeHTTP(w, r)
}

// visit is one request.
type visit struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	org  *Organization // nil = none is named
	lang string
}

// at begins a visit of a page that need not belong to an organization.
func (s *Server) at(serve func(*visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { serve(s.visit(w, r, r.URL.Query().Get("org"))) }
}

// of begins a visit of a page of the organization that {org} in the path names. There is no page of one that there is not.
func (s *Server) of(serve func(*visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r, r.PathValue("org"))
		if v.org == nil {
			v.nowhere()
			return
		}
		serve(v)
	}
}

func (s *Server) visit(w http.ResponseWriter, r *http.Request, org string) *visit {
	v := &visit{s: s, w: w, r: r, org: (*s.orgs.Load())[org]}
	if v.org != nil {
		v.lang = page.Language(r, v.org.Settings.Languages)
	} else {
		v.lang = page.Language(r, nil)
	}
	return v
}

// t is a text of the portal in the language of the visit.
func (v *visit) t(key string, data any) string { return v.s.pages.Text(v.lang, key, data) }

// contact is whom the people of the organization ask.
func (v *visit) contact() connector.Contact {
	if v.org == nil {
		return connector.Contact{}
	}
	return v.org.Settings.Contact
}

// help is contact as pages show it.
func (v *visit) help() page.Help { return v.s.pages.Help(v.s.catalogue, v.contact(), v.lang) }

// show answers with a page.
func (v *visit) show(status int, name string, body any) {
	view := page.View{Lang: v.lang, Static: v.s.path + "/static", Body: body}
	if v.org != nil {
		view.Organization = v.org.Settings.Name
	}
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead { // what was posted cannot be asked for again
		view.Choices = page.Choices(v.r, v.lang)
	}
	text, err := v.s.pages.Render(name, view)
	if err != nil {
		v.s.o.Log.Error("a page of the portal could not be made", zap.String("page", name), zap.Error(err))
		http.Error(v.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Language, Cookie")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(text) //nolint:gosec // html/template has escaped it
}

// seeOther sends the browser on to a path of the portal, by GET.
func (v *visit) seeOther(path string) {
	http.Redirect(v.w, v.r, v.s.path+path, http.StatusSeeOther) //nolint:gosec // a path of ours
}

// notice is a page that says something, and where it goes on.
type notice struct {
	page.Help // whom to ask
	Title     string
	Messages  []string
	Next      string // address; "" = nowhere
	NextText  string
	Copy      string // what is copied and told to who helps; "" = nothing
}

// say answers with a notice whose texts are AREA.KEY.title and AREA.KEY.message.
func (v *visit) say(status int, key string, data any) { v.tell(status, v.notice(key, data)) }

func (v *visit) notice(key string, data any) notice {
	return notice{Help: v.help(), Title: v.t(key+".title", data), Messages: []string{v.t(key+".message", data)}}
}

func (v *visit) tell(status int, n notice) { v.show(status, "notice", n) }

// nowhere answers what there is no page for.
func (v *visit) nowhere() { v.say(http.StatusNotFound, "portal.nowhere", nil) }

// onward has a notice lead to the application, where the organization says where that is.
func (v *visit) onward(n notice) notice {
	if a := v.org.Settings.Application; a != "" {
		n.Next, n.NextText = a, v.t("portal.onward", nil)
	}
	return n
}

// accident answers what went wrong with us; it is told in the log, under the reference that the page shows.
func (v *visit) accident(what string, err error) {
	now := v.s.o.Now()
	org := ""
	if v.org != nil {
		org = v.org.Settings.ID
	}
	ref := connector.NewRef(org, connector.NewID(now).String())
	if !errors.Is(err, context.Canceled) {
		v.s.o.Log.Error("a page of the portal could not be answered", zap.String("what", what), zap.String("org", org), zap.String("ref", ref), zap.Error(err))
	}
	n := v.notice("portal.accident", nil)
	n.Copy = ref + "\n" + now.UTC().Format(time.DateTime+"Z")
	v.tell(http.StatusServiceUnavailable, n)
}

// maxForm bounds what is posted.
const maxForm = 16 << 10

// form reads what was posted, and answers where that is no form.
func (v *visit) form() (url.Values, bool) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		v.say(http.StatusBadRequest, "portal.nowhere", nil)
		return nil, false
	}
	return v.r.PostForm, true
}

// addressRate is how often one address may do one thing that costs something.
var addressRate = page.Rate{PerSecond: 0.5, Burst: 30}

// welcome takes one of what the address may do, and answers where there is none left.
func (v *visit) welcome(what string) bool {
	return v.allowed(what+" "+page.Network(v.s.o.Address(v.r)), addressRate)
}

// allowed takes one of what there is under a key, and answers where there is none left.
func (v *visit) allowed(key string, rate page.Rate) bool {
	if v.s.limits.Take(key, rate, v.s.o.Now()) {
		return true
	}
	v.w.Header().Set("Retry-After", "60")
	v.say(http.StatusTooManyRequests, "portal.often", nil)
	return false
}
