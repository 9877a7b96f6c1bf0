package scim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/scim/auth"
	"usherd/scim/dialect"
	"usherd/scim/patch"
	"usherd/scim/requestlog"
	"usherd/scim/schema"
)

// mediaType is what every answer is (RFC 7644 section 3.1).
const mediaType = "application/scim+json"

// Writer takes what clients push.
type Writer interface {
	Push(ctx context.Context, p provision.Push) (*connector.Change, error)
	PushGroup(ctx context.Context, p provision.GroupPush) (*connector.GroupChange, error)
}

// Organization is one customer as the configuration in force has it.
type Organization struct {
	Settings *connector.Organization
	Writer   Writer
	Clients  map[string]Client // by source
}

// Client is how the configuration wants a source that pushes to be served.
type Client struct {
	Profile   string // of package dialect, or Auto
	Known     string // the one that it was recognised to speak before the daemon was started; "" = none
	KeepLog   bool   // its requests are logged
	LogBodies bool   // with what was sent and answered
}

// Gate lets clients in, by turns. auth.Authenticator is one.
type Gate interface {
	Authenticate(r *http.Request, org string) (*auth.Client, error)
	Arrive(c *auth.Client) (*auth.Visit, error)
}

// Options are what a Server works with.
type Options struct {
	Store connector.Reader
	Gate  Gate
	// URL is the public address without a slash at its end; locations begin with it.
	URL string
	Now func() time.Time
	Log *zap.Logger
	// Recognised is told of the dialect that a client turns out to speak, and by what; nil = nobody.
	Recognised func(client auth.Source, profile, why string)
	Metrics    *Metrics
	// CursorKey seals cursors; servers that have the same go on with each other's lists. Nil = nobody else has it, and a
	// restart ends them.
	CursorKey []byte
	// Shared says that other processes serve the same store. Where a page by index ended is remembered only where it is not:
	// the page after it may be asked of another process, which would go on from where an earlier list ended.
	Shared bool
	// Bodies is how many bytes of large bodies are in memory at a time, of all clients; 0 = 256 MiB.
	Bodies int64
}

// Server serves SCIM for all organizations. It is safe for concurrent use.
type Server struct {
	o         Options
	catalogue *failure.Catalogue
	orgs      atomic.Pointer[map[string]*organization]
	places    *places
	bodies    *budget
	spoken    sync.Map // auth.Source -> *spoken: the dialects that were recognised
	cursors   *cursors
}

type organization struct {
	*Organization
	base      string // URL of v2/
	discovery *discovery
}

// New returns a Server without organizations: Replace gives them.
func New(o Options) (*Server, error) {
	cat, err := failure.New()
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, catalogue: cat.OfKind(connector.SCIM), places: newPlaces(o), bodies: newBudget(o.Bodies), cursors: newCursors(o.CursorKey, o.Now)}
	return s, s.Replace(nil)
}

// Replace takes over the organizations of another configuration; requests that go on end with the former.
func (s *Server) Replace(list []*Organization) error {
	orgs := make(map[string]*organization, len(list))
	for _, o := range list {
		base := s.o.URL + "/scim/" + o.Settings.ID + "/v2/"
		d, err := newDiscovery(base)
		if err != nil {
			return err
		}
		orgs[o.Settings.ID] = &organization{o, base, d}
	}
	s.orgs.Store(&orgs)
	return nil
}

// exchange is one request on its way through the door.
type exchange struct {
	s       *Server
	r       *http.Request
	org     *organization
	source  string // of the client
	client  Client
	profile dialect.Profile
	notes   *notes
	visit   *auth.Visit // nil before the client is known
	body    *metered    // nil where none is read
	sent    []byte      // the body
	begun   bool        // the answer is on its way
}

// notes are what the log and the metrics keep of a request.
type notes struct {
	began   time.Time
	quirks  []string
	unknown []string // members that are nobody here, as they were sent
	person  string
	user    connector.ID
	typ     string // scimType
	ref     string
	stored  bool // what the request asked for was written
}

// answer is what a request comes to.
type answer struct {
	status   int
	body     []byte                // "" = none
	render   func(o *outlet) error // writes the body, nil where body is it
	etag     string
	location string
	header   map[string]string
}

// ServeHTTP implements http.Handler. The path begins with /scim/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, r: r, notes: &notes{began: s.o.Now()}}
	defer x.leave()
	defer x.rescue(w)    //nolint:contextcheck // all of them go by the request's own
	a, err := x.serve(w) //nolint:contextcheck // "
	if err != nil {
		a = x.refused(err)
	}
	x.answer(w, a) //nolint:contextcheck // "
}

// serve finds out who asks for what, and does it.
func (x *exchange) serve(w http.ResponseWriter) (*answer, error) {
	org, rest, err := split(x.r.URL.Path)
	if err != nil {
		return nil, err
	}
	if err := x.enter(org); err != nil {
		return nil, err
	}
	if err := acceptable(x.r.Header.Get("Accept")); err != nil {
		return nil, err
	}
	op, err := route(x.r.Method, rest)
	if err != nil {
		return nil, err
	}
	if op.limit > 0 {
		if err := x.receive(w, op.limit); err != nil {
			return nil, err
		}
	}
	if err := x.visit.Work(x.r.Context()); err != nil {
		return nil, err
	}
	return op.do(x)
}

// leave ends the visit when the answer is written, and makes room for other bodies.
func (x *exchange) leave() {
	if x.visit != nil {
		x.visit.Leave()
	}
	if x.body != nil {
		x.s.bodies.giveBack(x.body.client, x.body.taken)
	}
}

// enter finds out who the client is, and lets it in.
func (x *exchange) enter(org string) error {
	who, err := x.s.o.Gate.Authenticate(x.r, org)
	if refused, ok := errors.AsType[*auth.Error](err); ok && refused.Source.Org == org { // a client that is known all the same
		x.known(refused.Source)
	}
	if err != nil {
		return err
	}
	if who.Org != org || !x.known(who.Source) {
		return refuse(http.StatusNotFound, "", "there is nothing for this token at this address")
	}
	if who.Address.IsValid() {
		requestlog.From(x.r.Context()).Remote(who.Address.String())
	}
	x.recognise(nil)
	x.visit, err = x.s.o.Gate.Arrive(who)
	return err
}

// known notes whose request it is; false where the configuration has no such client.
func (x *exchange) known(client auth.Source) bool {
	x.org = (*x.s.orgs.Load())[client.Org]
	if x.org == nil {
		return false
	}
	c, ok := x.org.Clients[client.ID]
	x.source, x.client = client.ID, c
	requestlog.From(x.r.Context()).Client(client.Org, client.ID, c.KeepLog, c.LogBodies)
	return ok
}

// split takes /scim/ORG/v2/REST apart.
func split(path string) (org, rest string, err error) {
	path = strings.TrimPrefix(path, "/scim/")
	org, path, _ = strings.Cut(path, "/")
	version, rest, _ := strings.Cut(path, "/")
	switch {
	case org == "" || version == "":
		return "", "", notFound("SCIM is served under /scim/ORGANIZATION/v2/")
	case version == "v1" || version == "v1.1":
		return "", "", refuse(http.StatusBadRequest, invalidVers, "usherd speaks SCIM 2.0: set the address of the client to …/v2")
	case version != "v2":
		return "", "", notFound("SCIM is served under /scim/ORGANIZATION/v2/")
	}
	return org, strings.TrimSuffix(rest, "/"), nil
}

// acceptable refuses a client that cannot read what every answer is.
func acceptable(accept string) error {
	if accept == "" {
		return nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		t, params, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(t)) {
		case "*/*", "application/*", mediaType, "application/json":
			if !unwanted(params) {
				return nil
			}
		}
	}
	return refuse(http.StatusNotAcceptable, "", "every answer is "+mediaType+": accept that, application/json or */*")
}

// unwanted reports whether the parameters of a media range have the weight 0 (RFC 9110 section 12.4.2).
func unwanted(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			return err == nil && q == 0
		}
	}
	return false
}

// refused is the answer for an error. What is not meant for clients is a fault of ours: its words go to the log only.
func (x *exchange) refused(err error) *answer {
	e, ok := told(err)
	switch {
	case ok:
	case x.r.Context().Err() != nil: // nobody waits for the answer
		e = refuse(http.StatusServiceUnavailable, "", "the client has gone")
	default:
		ref := connector.NewRef(x.r.URL.Path, x.notes.began.String(), err.Error())
		x.s.o.Log.Error("scim request failed", zap.String("ref", ref), zap.String("method", x.r.Method), zap.String("path", x.r.URL.Path),
			zap.String("source", x.source), zap.Error(err))
		e = accident(err, ref, x.notes.stored)
		x.notes.ref = ref
	}
	if e.Failure != nil {
		x.notes.ref = e.Failure.Ref
	}
	x.notes.typ = e.Type
	body, err := json.Marshal(e.document())
	if err != nil {
		body = []byte(`{"schemas":["` + errorURN + `"],"status":"500","detail":"the error cannot be written"}`)
	}
	return &answer{status: e.Status, body: body, header: e.Header}
}

// told turns an error that is meant for clients into ours.
func told(err error) (*Error, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, true
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "", "the body is larger than "+strconv.FormatInt(e.Limit, 10)+" bytes: send less at once"), true
	}
	if e, ok := errors.AsType[*patch.Error](err); ok {
		return refuse(e.Status, e.ScimType, e.Error()), true
	}
	e, ok := errors.AsType[*auth.Error](err)
	if ok = ok && e.Err == nil; !ok {
		return nil, false
	}
	h := http.Header{}
	e.Header(h)
	out := refuse(e.Status, "", e.Detail)
	out.Header = map[string]string{}
	for name := range h {
		out.Header[name] = h.Get(name)
	}
	return out, true
}

// notModified reports whether the client has this version already (RFC 9110 section 13.1.2).
func (x *exchange) notModified(a *answer) bool {
	if a.etag == "" || a.status != http.StatusOK || x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return false
	}
	list := x.r.Header.Values("If-None-Match")
	return len(list) > 0 && matches(strings.Join(list, ","), a.etag)
}

// head writes status and headers; length is that of the body, -1 where it is not known yet.
func (x *exchange) head(w http.ResponseWriter, a *answer, length int) {
	if x.visit != nil {
		x.visit.Rest() // whoever reads slowly does so in its own time
	}
	x.begun = true
	h := w.Header()
	for name, value := range a.header {
		h.Set(name, value)
	}
	if a.location != "" {
		h["Location"] = []string{a.location}
	}
	if a.etag != "" {
		h["Etag"] = []string{a.etag}
	}
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	if length != 0 {
		h["Content-Type"] = ourType
	}
	if length > 0 {
		h["Content-Length"] = []string{strconv.Itoa(length)}
	}
	w.WriteHeader(a.status)
}

// Headers that all answers share are made once; nobody changes them in place.
var noStore, noSniff, ourType = []string{"no-store"}, []string{"nosniff"}, []string{mediaType}

// write sends an answer that is there as a whole.
func (x *exchange) write(w http.ResponseWriter, a *answer) {
	x.head(w, a, len(a.body))
	if x.r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // a client that has gone needs no answer
	}
}

// finish hands the notes to the log and the metrics.
func (x *exchange) finish(a *answer) {
	n := x.notes
	log := requestlog.From(x.r.Context())
	log.About(n.person, n.user)
	log.Dialect(x.profile.Name, n.quirks...)
	if a.status >= http.StatusBadRequest {
		log.Failed(n.typ, n.ref)
	}
	x.s.o.Metrics.observe(x, a)
}

// rescue keeps a fault of one request from the others. Where its answer is on its way already, it ends there.
func (x *exchange) rescue(w http.ResponseWriter) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		panic(v)
	}
	x.s.o.Log.Error("scim request panicked", zap.Any("panic", v), zap.String("path", x.r.URL.Path), zap.Stack("stack"))
	a := x.refused(errPanic)
	if x.begun {
		x.finish(a)
		panic(http.ErrAbortHandler)
	}
	x.answer(w, a)
}

var errPanic = errors.New("the request panicked")

// kindOf is the type of resources at an endpoint.
func kindOf(endpoint string) *schema.Type {
	for _, t := range schema.Types() {
		if t.Endpoint == "/"+endpoint {
			return t
		}
	}
	return nil
}
