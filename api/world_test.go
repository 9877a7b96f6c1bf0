package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/domains/dnstest"
	"usherd/connector/failure"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/sources"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/subscribers"
	"usherd/scim/auth"
)

// gate is the real one, as the daemon has it.
type gate struct{ *auth.Authenticator }

func (g gate) Enter(r *http.Request, org string) (api.Caller, func(), *api.Denied) {
	c, err := g.Holder(r, org, connector.APIToken)
	if err == nil {
		var leave func()
		if leave, err = g.Admit(r.Context(), c); err == nil {
			return api.Caller{Token: c.Token, Scopes: c.Scopes}, leave, nil
		}
	}
	denied := &api.Denied{Status: http.StatusServiceUnavailable, Header: http.Header{}}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		denied.Status, denied.Reason, denied.Detail = e.Status, string(e.Reason), e.Detail
		e.Header(denied.Header)
	}
	return api.Caller{}, nil, denied
}

// world is two organizations with one source each, on a real store behind a real server.
type world struct {
	testing.TB
	db    *store.DB
	provs map[string]*provision.Provisioner
	orgs  map[string]*connector.Organization
	gate  *auth.Authenticator
	api   *api.Server
	dns   *dnstest.Server // nil = nobody answers
	runs  *idle
	// machine is the daemon that is asked; one about which nothing is known where a test says nothing.
	machine    *machine
	activation subscribers.Activation

	runner api.Runner // nil = runs
	// sources and signOns are of both organizations.
	sources map[string]*sources.Source
	signOns map[string]*sources.SignOn
	stop    chan struct{} // ends streams
	url     string
	logs    *observer.ObservedLogs
	at      atomic.Int64
}

// idle is a Runner in a process that does nothing by itself: runs and directories are tried at the daemon, in cmd/usherd.
type idle struct {
	api.Runner
	progress sync.Map // by run
	retried  func(key string) (*provision.Person, error)
	check    func(tell func(connector.CheckStep)) (bool, error)
	browse   func(q connector.BrowseRequest) (connector.BrowsePage, error)
}

func (r *idle) Check(_ context.Context, _, _ string, tell func(connector.CheckStep)) (bool, error) {
	return r.check(tell)
}

func (r *idle) Browse(_ context.Context, _, _ string, q connector.BrowseRequest) (connector.BrowsePage, error) {
	return r.browse(q)
}

func (r *idle) Sources(_ context.Context, org string) ([]connector.SourceStanding, error) {
	return []connector.SourceStanding{{Org: org, Source: "idp", Type: "scim", Status: "pushes"}}, nil
}

func (r *idle) Clients(context.Context, string) ([]api.Client, error) { return []api.Client{}, nil }

func (r *idle) Progress(run connector.ID) (provision.Progress, bool) {
	x, ok := r.progress.Load(run)
	if !ok {
		return provision.Progress{}, false
	}
	p, ok := x.(provision.Progress)
	return p, ok
}

func (r *idle) Person(_ context.Context, _, _ string, req provision.PersonRequest) (*provision.Person, error) {
	return r.retried(req.Key)
}

func (w *world) now() time.Time { return time.UnixMicro(w.at.Load()).UTC() }

func newWorld(tb testing.TB, edit func(*world)) *world {
	tb.Helper()
	w := &world{TB: tb, runs: &idle{}, machine: &machine{}, stop: make(chan struct{}), provs: map[string]*provision.Provisioner{}, orgs: map[string]*connector.Organization{}}
	w.at.Store(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC).UnixMicro())
	db, err := store.Open(tb.Context(), newstore.URL(tb), store.Options{Now: w.now})
	w.ok(err)
	w.db = db
	tb.Cleanup(func() {
		faults, err := db.Verify(context.Background())
		if err != nil || len(faults) > 0 {
			tb.Errorf("the store breaks an invariant: %v %v", faults, err)
		}
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	for _, id := range []string{"acme", "beta"} {
		w.orgs[id] = &connector.Organization{
			ID: id, Name: id, PartnerID: "P-1", Contact: connector.Contact{Name: "IT help desk", Email: "help@" + id + ".test"}, Languages: []string{"en"},
			Packages: []connector.Package{{ID: "standard", Seats: 3}, {ID: "guest", Seats: connector.Unlimited}}, DefaultPackage: "standard",
			DeleteAfter: 30 * 24 * time.Hour, GoneDeleteAfter: 7 * 24 * time.Hour,
			Sources: []connector.SourceSettings{{ID: "idp", Kind: connector.SCIM, Fingerprint: connector.Hash{1}}},
		}
	}
	if edit != nil {
		edit(w)
	}
	w.start()
	return w
}

// start puts server, gate and organizations together.
func (w *world) start() {
	w.Helper()
	limits := map[auth.Source]auth.Limits{}
	var list []*api.Organization
	for id, o := range w.orgs {
		m, faults := mapping.Compile(mapping.Config{Preset: mapping.SCIM})
		if len(faults) > 0 {
			w.Fatal(faults)
		}
		w.ok(w.db.SetPackages(w.Context(), id, o.Packages))
		w.ok(w.db.AddDomain(w.Context(), connector.Domain{Org: id, Name: id + ".test", Token: "t", AddedAt: w.now(), VerifiedAt: w.now()}))
		mappings := map[string]*mapping.Mapping{}
		for _, s := range o.Sources {
			mappings[s.ID] = m
		}
		w.provs[id] = provision.New(provision.Options{Store: w.db, Org: o, Mappings: mappings, Now: w.now, SpoolDir: w.TempDir()})
		limits[auth.Source{Org: id}] = auth.Limits{Rate: 100_000, Burst: 100_000, Concurrency: 64}
		list = append(list, &api.Organization{Settings: o, Writer: w.provs[id], Subscribers: w.provs[id], Sources: w.sources, SignOns: w.signOns})
	}
	for _, o := range list {
		o.Domains, o.Activation = w.keeper(o.Settings.ID), w.activation
		o.Claims = provision.NewClaims(w.db, slices.Collect(maps.Values(w.provs))...)
	}
	core, logs := observer.New(zap.ErrorLevel)
	w.logs = logs
	w.gate = auth.New(auth.Options{Store: w.db, Sources: limits, Total: 128, Now: w.now})
	var err error
	var runner api.Runner = w.runs
	if w.runner != nil {
		runner = w.runner
	}
	w.api, err = api.New(api.Options{Store: w.db, Gate: gate{w.gate}, Runner: runner, Program: w.machine, Version: "v0", Now: w.now, Log: zap.New(core), Stop: w.stop})
	w.ok(err)
	w.api.Replace(list)
	server := httptest.NewServer(w.api)
	w.Cleanup(server.Close)
	w.url = server.URL
}

// keeper looks after the domains of an organization; the name server is that of the world.
func (w *world) keeper(org string) *domains.Keeper {
	k := &domains.Keeper{Store: w.db, Org: w.orgs[org], Now: w.now, Verified: w.provs[org].DomainVerified, Resolver: domains.NewResolver("127.0.0.1:1")}
	if w.dns != nil {
		k.Resolver = domains.NewResolver(w.dns.Addr())
	}
	for id := range w.orgs {
		if id != org {
			k.Others = append(k.Others, id)
		}
	}
	return k
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// record is what the organization's source says of somebody.
func record(org, name string, edit func(*connector.Record)) *connector.Record {
	r := &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name}, Enabled: connector.EnabledYes}
	for _, a := range [][2]string{{"userName", name}, {"givenName", "Ann"}, {"familyName", name}, {"email", name + "@" + org + ".test"}} {
		r.Attributes = append(r.Attributes, connector.Attribute{Name: a[0], Values: [][]byte{[]byte(a[1])}})
	}
	if edit != nil {
		edit(r)
	}
	return r
}

// person has the organization's source bring somebody.
func (w *world) person(org, name string, edit func(*connector.Record)) *connector.User {
	w.Helper()
	ch, err := w.provs[org].Submit(w.Context(), "idp", record(org, name, edit), connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
	w.ok(err)
	if ch.After == nil {
		w.Fatalf("%s: %+v", name, ch)
	}
	return ch.After
}

// token makes one with these scopes, all where none is named.
func (w *world) token(org string, scopes ...string) string {
	w.Helper()
	if len(scopes) == 0 {
		scopes = connector.APIScopes()
	}
	secret, hash := connector.NewAPIToken()
	w.ok(w.db.AddToken(w.Context(), connector.Token{
		ID: connector.NewID(w.now()), Org: org, Kind: connector.APIToken, Hash: hash, Scopes: scopes, CreatedAt: w.now(), CreatedBy: "cli:ann",
	}))
	return secret.Reveal()
}

// client sends requests with one token.
type client struct {
	w     *world
	token string
	head  http.Header
}

func (w *world) client(org string, scopes ...string) *client {
	w.Helper()
	return &client{w, w.token(org, scopes...), http.Header{}}
}

// with adds a header.
func (c *client) with(name, value string) *client {
	head := c.head.Clone()
	head.Set(name, value)
	return &client{c.w, c.token, head}
}

// reply is an answer, read.
type reply struct {
	*http.Response
	body []byte
}

// do asks; what is no text is sent as JSON. The path begins below the version.
func (c *client) do(method, path string, body any) *reply {
	c.w.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		c.w.ok(err)
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(c.w.Context(), method, c.w.url+"/api/v1"+path, content)
	c.w.ok(err)
	maps.Copy(r.Header, c.head)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if content != nil && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	c.w.ok(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	c.w.ok(err)
	return &reply{resp, text}
}

// problem is one as the tests read it: an api.Problem is an error, and nobody looks at each.
type problem struct {
	Type, Title, Detail, Reason, Ref string
	Status, Code                     int
	Failure                          *failure.Document
	Contact                          *api.Contact
	Errors                           []api.Fault
}

// want asks and expects a status.
func (c *client) want(status int, method, path string, body any) *reply {
	c.w.Helper()
	r := c.do(method, path, body)
	if r.StatusCode != status {
		c.w.Fatalf("%s %s: %s, want %d\n%s", method, path, r.Status, status, r.body)
	}
	return r
}

// refused asks and expects a problem of that reason.
func (c *client) refused(status int, reason, method, path string, body any) *problem {
	c.w.Helper()
	r := c.want(status, method, path, body)
	p := read[problem](c.w, r)
	if p.Reason != reason || p.Status != status || p.Type != "urn:usherd:problem:"+reason || r.Header.Get("Content-Type") != "application/problem+json" {
		c.w.Fatalf("%s %s: want %s\n%s", method, path, reason, r.body)
	}
	return p
}

func read[T any](w *world, r *reply) *T {
	w.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		w.Fatalf("%v in %s", err, r.body)
	}
	return &v
}

// get asks for what has to be there.
func get[T any](c *client, path string, args ...any) *T {
	c.w.Helper()
	return read[T](c.w, c.want(http.StatusOK, http.MethodGet, fmt.Sprintf(path, args...), nil))
}
