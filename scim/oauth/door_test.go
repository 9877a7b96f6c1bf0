package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/scim/auth"
)

// door is a token endpoint on a real store, with two clients of one organization and one of another.
type door struct {
	*testing.T
	db     *store.DB
	gate   *auth.Authenticator
	server *Server
	mux    *http.ServeMux
	now    atomic.Int64 // seconds after start

	mu   sync.Mutex
	seen []auth.Source
}

func (d *door) at() time.Time { return start.Add(time.Duration(d.now.Load()) * time.Second) }

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{T: t, mux: http.NewServeMux()}
	var err error
	if d.db, err = store.Open(t.Context(), newstore.URL(t), store.Options{Now: d.at}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.db.Close(); err != nil {
			t.Error(err)
		}
	})
	limits := auth.Limits{Rate: 1000, Burst: 1000, Concurrency: 16}
	fenced := limits
	fenced.Networks = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	entra, okta, other := auth.Source{Org: "acme", ID: "entra"}, auth.Source{Org: "acme", ID: "okta"}, auth.Source{Org: "other", ID: "entra"}
	sources := map[auth.Source]auth.Limits{entra: limits, okta: limits, other: limits, {Org: "acme", ID: "fenced"}: fenced}
	d.gate = auth.New(auth.Options{Store: d.db, Sources: sources, Now: d.at})
	d.server = New(Options{
		Store: d.db, Gate: d.gate, URL: "https://scim.example.com", Now: d.at,
		Seen: func(_ *http.Request, client auth.Source, _ netip.Addr) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.seen = append(d.seen, client)
		},
	})
	keys := allKeys(t)
	d.server.Replace(map[auth.Source]Client{
		entra: {Keys: keys, Lifetime: 10 * time.Minute}, okta: {Lifetime: 5 * time.Minute}, other: {Keys: keys[:1]}, {Org: "acme", ID: "fenced"}: {Keys: keys},
	})
	d.server.Routes(d.mux)
	d.mux.HandleFunc("/scim/{org}/v2/Users", func(w http.ResponseWriter, r *http.Request) {
		if _, err := d.gate.Authenticate(r, r.PathValue("org")); err != nil {
			e, _ := errors.AsType[*auth.Error](err)
			e.Header(w.Header())
			w.WriteHeader(e.Status)
		}
	})
	return d
}

// secret makes a client secret of okta.
func (d *door) secret(change func(*connector.Token)) (string, connector.ID) {
	d.Helper()
	text, hash := connector.NewToken()
	k := connector.Token{
		ID: connector.NewID(d.at()), Org: "acme", Source: "okta", Kind: connector.ClientSecret, Hash: hash, Scopes: []string{connector.ScopeAll}, CreatedAt: d.at(),
	}
	if change != nil {
		change(&k)
	}
	if err := d.db.AddToken(d.Context(), k); err != nil {
		d.Fatal(err)
	}
	return text.Reveal(), k.ID
}

// reply is an answer of the token endpoint.
type reply struct {
	status int
	header http.Header
	body   map[string]any
}

func (d *door) do(r *http.Request) reply {
	d.Helper()
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
			d.Fatalf("%s: %v", w.Body, err)
		}
	}
	return out
}

func post(org string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://scim.example.com/scim/"+org+"/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func form(pairs ...string) url.Values {
	f := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

// jwt is a form with an assertion.
func jwt(token string, more ...string) url.Values {
	return form(append([]string{"client_assertion_type", assertionType, "client_assertion", token}, more...)...)
}

// opens says what the resource side answers to an access token.
func (d *door) opens(method, org, token string) int {
	d.Helper()
	r := httptest.NewRequest(method, "https://scim.example.com/scim/"+org+"/v2/Users", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return d.do(r).status
}
