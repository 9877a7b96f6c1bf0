package scim_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/scim"
	"usherd/scim/auth"
)

// world is the door on a real store, with organizations acme and globex and a client in each.
type world struct {
	t      testing.TB
	db     *store.DB
	srv    *httptest.Server
	server *scim.Server
	provs  map[string]*provision.Provisioner
	orgs   []*scim.Organization
	tokens map[string]string // by ORG:SOURCE
	counts *prometheus.Registry
	logs   *observer.ObservedLogs
	closed bool // the store, by the test itself
	gate   *auth.Authenticator
	mu     sync.Mutex
	now    time.Time
}

// clock grows with each look, so that nothing happens at the same time.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

func newWorld(tb testing.TB, edit ...func(o *connector.Organization)) *world {
	tb.Helper()
	w := &world{
		t: tb, now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), tokens: map[string]string{}, provs: map[string]*provision.Provisioner{},
	}
	db, err := store.Open(tb.Context(), newstore.URL(tb), store.Options{Now: w.clock})
	if err != nil {
		tb.Fatal(err)
	}
	w.db = db
	w.gate = auth.New(auth.Options{Store: db, Now: w.clock})
	w.counts = prometheus.NewRegistry()
	observed, logs := observer.New(zap.DebugLevel)
	w.logs = logs
	w.server, err = scim.New(scim.Options{
		Store: db, Gate: w.gate, URL: "https://scim.test", Now: w.clock, Metrics: scim.NewMetrics(w.counts),
		Log: zaptest.NewLogger(tb, zaptest.Level(zap.ErrorLevel), zaptest.WrapOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
			return zapcore.NewTee(c, observed)
		}))),
	})
	if err != nil {
		tb.Fatal(err)
	}
	limits := map[auth.Source]auth.Limits{}
	for _, id := range []string{"acme", "globex"} {
		o := w.organization(id, edit)
		w.orgs = append(w.orgs, o)
		for source := range o.Clients {
			limits[auth.Source{Org: id, ID: source}] = auth.Limits{Rate: 1 << 20, Burst: 1 << 20, Concurrency: 64}
			w.tokens[id+":"+source] = w.token(id, source)
		}
	}
	w.gate.Replace(limits)
	w.replace()
	w.srv = httptest.NewServer(w.server)
	tb.Cleanup(func() {
		w.srv.Close()
		if w.closed {
			return
		}
		if problems, err := db.Verify(context.Background()); err != nil || len(problems) > 0 {
			tb.Errorf("the store breaks an invariant: %v %v", problems, err)
		}
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

// preset is compiled once: mappings are never changed.
var preset = sync.OnceValue(func() *mapping.Mapping {
	m, faults := mapping.Compile(mapping.Config{Preset: mapping.SCIM})
	if len(faults) > 0 {
		panic(faults)
	}
	return m
})

func (w *world) organization(id string, edit []func(o *connector.Organization)) *scim.Organization {
	w.t.Helper()
	o := &connector.Organization{
		ID: id, PartnerID: "P-1", DeleteAfter: 30 * 24 * time.Hour, GoneDeleteAfter: 7 * 24 * time.Hour,
		Packages: []connector.Package{{ID: "standard", Seats: connector.Unlimited}}, DefaultPackage: "standard", Matching: []string{"email", "userName"},
		Sources: []connector.SourceSettings{
			{ID: "dir", Kind: connector.Directory, FirstRun: connector.FirstRunApply, Fingerprint: connector.Hash{1}},
			{ID: "idp", Kind: connector.SCIM, Groups: true, Fingerprint: connector.Hash{2}},
			{ID: "second", Kind: connector.SCIM, Groups: true, Fingerprint: connector.Hash{3}},
		},
	}
	for _, f := range edit {
		f(o)
	}
	maps, clients := map[string]*mapping.Mapping{}, map[string]scim.Client{}
	for _, s := range o.Sources {
		maps[s.ID] = preset()
		if s.Kind == connector.SCIM {
			clients[s.ID] = scim.Client{Profile: scim.Auto}
		}
	}
	ctx := w.t.Context()
	if err := w.db.SetPackages(ctx, id, o.Packages); err != nil {
		w.t.Fatal(err)
	}
	if err := w.db.AddDomain(ctx, connector.Domain{Org: id, Name: "example.com", Token: "t", AddedAt: w.now, VerifiedAt: w.now}); err != nil {
		w.t.Fatal(err)
	}
	w.provs[id] = provision.New(provision.Options{Store: w.db, Org: o, Mappings: maps, Now: w.clock, SpoolDir: w.t.TempDir()})
	return &scim.Organization{Settings: o, Writer: w.provs[id], Clients: clients}
}

// replace takes over changed settings.
func (w *world) replace() {
	w.t.Helper()
	if err := w.server.Replace(w.orgs); err != nil {
		w.t.Fatal(err)
	}
}

// token makes a token for a client.
func (w *world) token(org, source string) string {
	w.t.Helper()
	secret, hash := connector.NewToken()
	if err := w.db.AddToken(w.t.Context(), connector.Token{
		ID: connector.NewID(w.now), Org: org, Source: source, Kind: connector.BearerToken, Hash: hash, Scopes: []string{connector.ScopeAll},
		CreatedAt: w.now, CreatedBy: "test",
	}); err != nil {
		w.t.Fatal(err)
	}
	return secret.Reveal()
}

// speak sets the profile of a client.
func (w *world) speak(token, profile string) {
	w.t.Helper()
	org, source, _ := strings.Cut(token, ":")
	for _, o := range w.orgs {
		if o.Settings.ID == org {
			o.Clients[source] = scim.Client{Profile: profile}
		}
	}
	w.replace()
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   string
}

// send makes a request of acme's client. The path is below v2/.
func (w *world) send(method, path, body string, header ...string) response {
	w.t.Helper()
	return w.sendAs("acme:idp", method, path, body, header...)
}

func (w *world) sendAs(token, method, path, body string, header ...string) response {
	w.t.Helper()
	r, err := w.trySend(token, method, path, body, header...)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// trySend is sendAs for goroutines, which must not end a test.
func (w *world) trySend(token, method, path, body string, header ...string) (response, error) {
	org, _, _ := strings.Cut(token, ":")
	secret := w.tokens[token]
	if secret == "" {
		secret = token
	}
	return w.request(org, secret, method, path, body, header...)
}

// request makes a request with a token as it is. A header Host is who the request says is asked.
func (w *world) request(org, secret, method, path, body string, header ...string) (response, error) {
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.srv.URL+"/scim/"+org+"/v2"+path, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := w.srv.Client().Do(r)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(b)}, err
}
