package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/scim/auth"
)

var start = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)

// clock is the time of a test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// counted is the real store, with what it was asked.
type counted struct {
	*store.DB
	mu       sync.Mutex
	byHash   int
	revision int
	asked    func() // called between the question for a token and its answer
	broken   error
}

func (c *counted) TokenByHash(ctx context.Context, hash connector.TokenHash) (*connector.Token, error) {
	c.mu.Lock()
	c.byHash++
	asked, broken := c.asked, c.broken
	c.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	k, err := c.DB.TokenByHash(ctx, hash)
	if asked != nil {
		asked()
	}
	return k, err
}

func (c *counted) TokenRevision(ctx context.Context) (int64, error) {
	c.mu.Lock()
	c.revision++
	broken := c.broken
	c.mu.Unlock()
	if broken != nil {
		return 0, broken
	}
	return c.DB.TokenRevision(ctx)
}

func (c *counted) questions() (byHash, revision int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byHash, c.revision
}

type fixture struct {
	testing.TB
	url   string // of the store
	store *counted
	clock *clock
	auth  *auth.Authenticator
}

var sources = map[auth.Source]auth.Limits{
	{Org: "acme", ID: "entra"}: {Rate: 1000, Burst: 4000, Concurrency: 2},
	{Org: "acme", ID: "okta"}:  {Rate: 10, Burst: 20, Concurrency: 2, Networks: networks("192.0.2.0/24", "2001:db8::/32")},
	{Org: "beta", ID: "entra"}: {Rate: 1000, Burst: 4000, Concurrency: 2},
}

func networks(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func newFixture(tb testing.TB) *fixture {
	tb.Helper()
	f := &fixture{TB: tb, url: newstore.URL(tb), clock: &clock{at: start}}
	f.store = &counted{DB: f.open()}
	f.auth = auth.New(auth.Options{Store: f.store, Sources: sources, Trusted: networks("10.0.0.0/8"), Now: f.clock.now})
	return f
}

// open opens the store, as another process would.
func (f *fixture) open() *store.DB {
	f.Helper()
	db, err := store.Open(f.Context(), f.url, store.Options{Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	return db
}

// token adds one for acme/entra that lives for a day, changed by change.
func (f *fixture) token(change func(*connector.Token)) (text string, k connector.Token) {
	f.Helper()
	secret, hash := connector.NewToken()
	k = connector.Token{
		ID: connector.NewID(start), Org: "acme", Source: "entra", Kind: connector.BearerToken, Hash: hash, Name: "first",
		Scopes: []string{connector.ScopeAll}, CreatedAt: start, CreatedBy: "cli:ann", EndsAt: start.Add(24 * time.Hour),
	}
	if change != nil {
		change(&k)
	}
	if err := f.store.AddToken(f.Context(), k); err != nil {
		f.Fatal(err)
	}
	if !k.RevokedAt.IsZero() {
		if err := f.store.RevokeToken(f.Context(), k.ID, "cli:ann", k.RevokedAt); err != nil {
			f.Fatal(err)
		}
	}
	return secret.Reveal(), k
}

func request(method, target, token string) *http.Request {
	r := httptest.NewRequest(method, target, http.NoBody)
	r.RemoteAddr = "192.0.2.7:4711"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func get(token string) *http.Request { return request("GET", "/scim/acme/v2/Users", token) }

// answer is an error in one line, with the headers that it asks for.
func answer(err error) string {
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		return fmt.Sprint("no *Error: ", err)
	}
	h := http.Header{}
	e.Header(h)
	var out strings.Builder
	fmt.Fprintf(&out, "%d %s: %s", e.Status, e.Reason, e.Detail)
	for _, name := range []string{"WWW-Authenticate", "Retry-After"} {
		if v := h.Get(name); v != "" {
			fmt.Fprintf(&out, " [%s: %s]", name, v)
		}
	}
	return out.String()
}

func (f *fixture) refused(err error, want string) {
	f.Helper()
	if err == nil || !strings.HasPrefix(answer(err), want) {
		f.Errorf("got %s\nwant %s", answer(err), want)
	}
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(answer(err))
	}
}
