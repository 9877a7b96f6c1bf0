package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/scim/auth"
)

// The whole way: a secret, an access token, what it opens and for how long.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	secret, id := d.secret(nil)
	r := post("acme", form())
	r.SetBasicAuth("acme%2Fokta", url.QueryEscape(secret))
	a := d.do(r)
	token, _ := a.body["access_token"].(string)
	delete(a.body, "access_token")
	want := map[string]any{"token_type": "Bearer", "expires_in": 300.0, "scope": "scim"}
	if diff := cmp.Diff(want, a.body); a.status != http.StatusOK || diff != "" {
		t.Fatalf("%d %s", a.status, diff)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, ok := connector.HashToken(token); !ok {
		t.Errorf("%q is no token", token)
	}
	hash, _ := connector.HashToken(token)
	k, err := d.db.TokenByHash(t.Context(), hash)
	if err != nil || k.Kind != connector.AccessToken || k.Parent != id || k.Source != "okta" || !k.EndsAt.Equal(start.Add(5*time.Minute)) {
		t.Errorf("%+v, %v", k, err)
	}
	for _, c := range []struct {
		method, org string
		want        int
	}{{"GET", "acme", 200}, {"POST", "acme", 200}, {"GET", "other", 404}, {"GET", "nowhere", 404}} {
		if got := d.opens(c.method, c.org, token); got != c.want {
			t.Errorf("%s %s: %d", c.method, c.org, got)
		}
	}
	if got := d.opens("GET", "acme", secret); got != http.StatusUnauthorized {
		t.Errorf("the secret itself opens the door: %d", got)
	}
	if a := d.do(post("acme", form("client_id", "okta", "client_secret", token))); a.status != http.StatusUnauthorized {
		t.Errorf("an access token gives an access token: %d", a.status)
	}
	d.now.Store(299)
	if got := d.opens("GET", "acme", token); got != 200 {
		t.Errorf("it has ended early: %d", got)
	}
	d.now.Store(300)
	if got := d.opens("GET", "acme", token); got != http.StatusUnauthorized {
		t.Errorf("it has not ended: %d", got)
	}
}

// Every form of a client_id, and every way to send a secret.
func TestSecretsInEveryForm(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	secret, _ := d.secret(nil)
	basic := func(id, secret string) *http.Request {
		r := post("acme", form())
		r.SetBasicAuth(id, secret)
		return r
	}
	twice := basic("okta", secret)
	twice.Header.Add("Authorization", twice.Header.Get("Authorization"))
	bearer := post("acme", form())
	bearer.Header.Set("Authorization", "Bearer "+secret)
	both := post("acme", form("client_secret", secret, "client_id", "okta"))
	both.SetBasicAuth("okta", secret)
	same, differs := post("acme", form("client_id", "okta")), post("acme", form("client_id", "entra"))
	same.SetBasicAuth("okta", secret)
	differs.SetBasicAuth("okta", secret)
	query := httptest.NewRequest(http.MethodPost, "/scim/acme/oauth/token?client_id=okta&client_secret="+secret, strings.NewReader("grant_type=client_credentials"))
	query.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, c := range map[string]struct {
		r    *http.Request
		want string // error; "" = a token
	}{
		"basic, encoded":                   {basic("acme%2Fokta", secret), ""},
		"basic, not encoded":               {basic("acme/okta", secret), ""},
		"basic, the source alone":          {basic("okta", secret), ""},
		"body":                             {post("acme", form("client_id", "acme/okta", "client_secret", secret)), ""},
		"body, the source alone":           {post("acme", form("client_id", "okta", "client_secret", secret)), ""},
		"basic, client_id in the body":     {same, ""},
		"another client_id in the body":    {differs, invalidRequest},
		"another source":                   {basic("entra", secret), invalidClient},
		"a source that is not there":       {basic("nobody", secret), invalidClient},
		"an organization of others":        {basic("other/okta", secret), invalidClient},
		"no client_id":                     {post("acme", form("client_secret", secret)), invalidClient},
		"the address of others":            {post("other", form("client_id", "okta", "client_secret", secret)), invalidClient},
		"an address that is not there":     {post("nowhere", form("client_id", "okta", "client_secret", secret)), invalidClient},
		"another secret":                   {basic("okta", "hunter2"), invalidClient},
		"no secret":                        {post("acme", form("client_id", "okta")), invalidClient},
		"nothing":                          {post("acme", form()), invalidClient},
		"basic that cannot be decoded":     {basic("okta", "%zz"), invalidClient},
		"two headers":                      {twice, invalidClient},
		"a bearer token":                   {bearer, invalidClient},
		"two ways":                         {both, invalidRequest},
		"in the address":                   {query, invalidClient},
		"an assertion without its type":    {post("acme", form("client_assertion", "x")), invalidRequest},
		"an assertion that is none":        {post("acme", jwt("x")), invalidClient},
		"an assertion beside a secret":     {post("acme", jwt("x", "client_secret", secret)), invalidRequest},
		"another grant":                    {post("acme", url.Values{"grant_type": {"password"}, "client_secret": {secret}}), unsupported},
		"no grant":                         {post("acme", url.Values{"client_id": {"okta"}, "client_secret": {secret}}), invalidRequest},
		"a grant twice":                    {post("acme", form("grant_type", "client_credentials")), invalidRequest},
		"an empty parameter is none":       {post("acme", form("client_id", "okta", "client_secret", secret, "client_assertion", "", "scope", "")), ""},
		"a parameter that nobody knows":    {post("acme", form("client_id", "okta", "client_secret", secret, "resource", "x")), ""},
		"a scope of others":                {post("acme", form("client_id", "okta", "client_secret", secret, "scope", "openid")), invalidScope},
		"a scope of others beside its own": {post("acme", form("client_id", "okta", "client_secret", secret, "scope", "scim openid")), invalidScope},
	} {
		a := d.do(c.r)
		code, _ := a.body["error"].(string)
		status := map[string]int{"": 200, invalidClient: 401}[c.want]
		if status == 0 {
			status = 400
		}
		if code != c.want || a.status != status || (a.header.Get("WWW-Authenticate") != "") != (status == 401) || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %v", name, a.status, a.body, a.header)
		}
		detail, _ := a.body["error_description"].(string)
		if strings.Contains(detail, secret) || strings.ContainsAny(detail, "\"\\") || c.want != "" && detail == "" {
			t.Errorf("%s: %q", name, detail)
		}
	}
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	long := post("acme", form("client_secret", strings.Repeat("x", bodyBytes)))
	plain := httptest.NewRequest(http.MethodPost, "/scim/acme/oauth/token", strings.NewReader(`{"grant_type":"client_credentials"}`))
	plain.Header.Set("Content-Type", "application/json")
	broken := post("acme", form())
	broken.Body = io.NopCloser(strings.NewReader("grant_type=%zz"))
	get := httptest.NewRequest(http.MethodGet, "/scim/acme/oauth/token", nil)
	for name, c := range map[string]struct {
		r      *http.Request
		status int
	}{"a long body": {long, 400}, "JSON": {plain, 400}, "a broken body": {broken, 400}, "GET": {get, 405}} {
		if a := d.do(c.r); a.status != c.status || a.body["error"] != invalidRequest || c.status == 405 && a.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d %v %v", name, a.status, a.body, a.header)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	all, _ := d.secret(nil)
	read, _ := d.secret(func(k *connector.Token) { k.Scopes = []string{connector.ScopeRead} })
	for _, c := range []struct{ secret, scope, want string }{
		{all, "", "scim"},
		{all, "scim", "scim"},
		{all, "scim:read", "scim:read"},
		{all, "scim scim:read", "scim"},
		{all, "scim:read scim:read", "scim:read"},
		{read, "", "scim:read"},
		{read, "scim:read", "scim:read"},
		{read, "scim", invalidScope},
		{read, "scim:read scim", invalidScope},
	} {
		a := d.do(post("acme", form("client_id", "okta", "client_secret", c.secret, "scope", c.scope)))
		if a.body["scope"] != c.want && a.body["error"] != c.want {
			t.Errorf("%q: %v, want %s", c.scope, a.body, c.want)
		}
		if token, ok := a.body["access_token"].(string); ok {
			if wrote := d.opens("POST", "acme", token); (wrote == 200) != (c.want == "scim") || d.opens("GET", "acme", token) != 200 {
				t.Errorf("%q: a write is answered %d", c.scope, wrote)
			}
		}
	}
}

// Signed assertions instead of a secret: each once, each for its own client.
func TestSignedAssertions(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	assert := func(pair, alg string, claims map[string]any) string {
		return sign(alg, pair, `{"alg":"`+alg+`"}`, goodClaims(claims))
	}
	alone := map[string]any{"iss": "entra", "sub": "entra", "jti": "alone", "aud": testIssuer}
	foreign := map[string]any{"iss": "other/entra", "sub": "other/entra", "jti": "x", "aud": "https://scim.example.com/scim/other/oauth/token"}
	unkeyed := map[string]any{"iss": "okta", "sub": "okta", "jti": "y"}
	fenced := map[string]any{"iss": "fenced", "sub": "fenced", "jti": "z"}
	first := assert("ec", "ES256", nil)
	for _, c := range []struct {
		name string
		org  string
		form url.Values
		want string
	}{
		{"the first time", "acme", jwt(first), ""},
		{"the second time", "acme", jwt(first), invalidClient},
		{"another with the same jti", "acme", jwt(assert("rsa", "PS256", nil)), invalidClient},
		{"another one", "acme", jwt(assert("rsa", "RS256", map[string]any{"jti": "2"}), "client_id", testClient), ""},
		{"by the source alone, to the issuer", "acme", jwt(assert("ed", "EdDSA", alone)), ""},
		{"another client_id", "acme", jwt(assert("ed", "EdDSA", map[string]any{"jti": "3"}), "client_id", "entra"), invalidClient},
		{"a scope that is none", "acme", jwt(assert("ed", "EdDSA", map[string]any{"jti": "4"}), "scope", "x"), invalidScope},
		{"the same, with a scope", "acme", jwt(assert("ed", "EdDSA", map[string]any{"jti": "4"}), "scope", "scim:read"), ""},
		{"an organization of others", "acme", jwt(assert("rsa", "RS256", foreign)), invalidClient},
		{"there", "other", jwt(assert("rsa", "RS256", foreign)), ""},
		{"an audience of others", "other", jwt(assert("rsa", "RS256", map[string]any{"iss": "entra", "sub": "entra", "jti": "5"})), invalidClient},
		{"a key of others", "other", jwt(assert("ec", "ES256", map[string]any{"iss": "entra", "sub": "entra", "jti": "6", "aud": "https://scim.example.com/scim/other"})), invalidClient},
		{"a client without keys", "acme", jwt(assert("ec", "ES256", unkeyed)), invalidClient},
		{"another network", "acme", jwt(assert("ec", "ES256", fenced)), invalidClient},
		{"no client at all", "acme", jwt(assert("ec", "ES256", map[string]any{"iss": "/", "sub": "/"})), invalidClient},
	} {
		a := d.do(post(c.org, c.form))
		code, _ := a.body["error"].(string)
		if code != c.want {
			t.Errorf("%s: %d %v", c.name, a.status, a.body)
		}
		if token, ok := a.body["access_token"].(string); ok && d.opens("GET", c.org, token) != 200 {
			t.Errorf("%s: the token opens nothing", c.name)
		}
	}
	if d.mu.Lock(); !slices.Contains(d.seen, auth.Source{Org: "acme", ID: "fenced"}) || slices.Contains(d.seen, auth.Source{Org: "acme", ID: "okta"}) {
		t.Errorf("seen: %v", d.seen)
	}
	d.mu.Unlock()
}

// Of many who send one assertion at once, one gets a token; and a restart makes it no younger.
func TestReplays(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	token := sign("EdDSA", "ed", `{"alg":"EdDSA"}`, goodClaims(nil))
	var given atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if d.do(post("acme", jwt(token))).status == 200 {
				given.Add(1)
			}
		})
	}
	wg.Wait()
	if given.Load() != 1 {
		t.Errorf("%d tokens for one assertion", given.Load())
	}
	for _, at := range []int64{0, 5 * 60, 6*60 - 1, 6 * 60} { // it is over after five minutes, and the clocks differ by one at most
		d.now.Store(at)
		if err := d.db.DropAssertions(t.Context(), d.at()); err != nil {
			t.Fatal(err)
		}
		again := New(Options{Store: d.db, Gate: d.gate, URL: d.server.o.URL, Now: d.at})
		again.Replace(*d.server.clients.Load())
		w := httptest.NewRecorder()
		r := post("acme", jwt(token))
		r.SetPathValue("org", "acme")
		again.token(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("after %d s: %d %s", at, w.Code, w.Body)
		}
	}
}

// What a secret may not, its access tokens may not either; and they end with it.
func TestAccessTokensGoNoFurther(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	secret, id := d.secret(func(k *connector.Token) {
		k.Networks, k.EndsAt = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, start.Add(time.Minute)
	})
	a := d.do(post("acme", form("client_id", "okta", "client_secret", secret)))
	token, _ := a.body["access_token"].(string)
	if a.body["expires_in"] != 60.0 || d.opens("GET", "acme", token) != 200 {
		t.Fatal(a.body)
	}
	r := httptest.NewRequest(http.MethodGet, "/scim/acme/v2/Users", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.RemoteAddr = "198.51.100.1:1"
	if got := d.do(r).status; got != http.StatusForbidden {
		t.Errorf("from another network: %d", got)
	}
	if err := d.db.RevokeToken(t.Context(), id, "test", d.at()); err != nil {
		t.Fatal(err)
	}
	d.now.Store(1)
	if got := d.opens("GET", "acme", token); got != http.StatusUnauthorized {
		t.Errorf("the secret is revoked: %d", got)
	}
	a = d.do(post("acme", form("client_id", "okta", "client_secret", secret)))
	if a.status != http.StatusUnauthorized || !strings.Contains(fmt.Sprint(a.body["error_description"]), "revoked") {
		t.Errorf("%d %v", a.status, a.body)
	}
}

// A client that wants a token for each request, and one who guesses, are told to wait.
func TestFloods(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	secret, _ := d.secret(nil)
	given := 0
	for range 100 {
		a := d.do(post("acme", form("client_id", "okta", "client_secret", secret)))
		if a.status == 200 {
			given++
		} else if a.status != 429 || a.body["error"] != unavailable || a.header.Get("Retry-After") == "" {
			t.Fatal(a)
		}
	}
	if given != 60 {
		t.Errorf("%d tokens at once", given)
	}
	d.now.Store(10)
	if a := d.do(post("acme", form("client_id", "okta", "client_secret", secret))); a.status != 200 {
		t.Errorf("ten seconds later: %v", a)
	}
	guess := func() reply {
		return d.do(post("acme", jwt(sign("EdDSA", "ed", `{"alg":"EdDSA"}`, goodClaims(map[string]any{"aud": "x"})))))
	}
	refused := 0
	for range 150 {
		if guess().status == 429 {
			refused++
		}
	}
	if refused != 50 {
		t.Errorf("%d of 150 guesses were held up", refused)
	}
	d.now.Store(40) // the address has cooled down: the client comes from there, too
	prove := func(jti string, want int) {
		t.Helper()
		token := sign("EdDSA", "ed", `{"alg":"EdDSA"}`, goodClaims(map[string]any{"jti": jti}))
		if a := d.do(post("acme", jwt(token))); a.status != want {
			t.Errorf("%s: %v", jti, a)
		}
	}
	prove("a", 200)
	for range 300 {
		guess()
	}
	prove("b", 200) // it is not held up by who has the same address
}

// broken is a store that is not there.
type broken struct{ Store }

func (broken) AddToken(context.Context, connector.Token) error {
	return errors.New("disk full at /var")
}

func TestFaultsOfOursAreNotTold(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	secret, _ := d.secret(nil)
	d.server.o.Store = broken{d.db}
	a := d.do(post("acme", form("client_id", "okta", "client_secret", secret)))
	if a.status != 500 || a.body["error"] != serverError || strings.Contains(fmt.Sprint(a.body), "disk") {
		t.Errorf("%d %v", a.status, a.body)
	}
}

// RFC 8414: where a client finds what it needs, and that all of it is so.
func TestMetadata(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	get := func(path string) reply { return d.do(httptest.NewRequest(http.MethodGet, path, nil)) }
	a := get("/.well-known/oauth-authorization-server/scim/acme")
	want := map[string]any{
		"issuer": testIssuer, "token_endpoint": testEndpoint, "grant_types_supported": []any{"client_credentials"},
		"scopes_supported":                                 []any{"scim", "scim:read"},
		"token_endpoint_auth_methods_supported":            []any{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []any{"RS256", "PS256", "ES256", "EdDSA", "Ed25519"},
		"response_types_supported":                         []any{},
	}
	if diff := cmp.Diff(want, a.body); a.status != 200 || diff != "" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", a.status, diff)
	}
	for _, alg := range want["token_endpoint_auth_signing_alg_values_supported"].([]any) {
		if _, ok := algorithms[alg.(string)]; !ok {
			t.Errorf("%s is told and not there", alg)
		}
	}
	if len(algorithms) != 5 {
		t.Error("an algorithm is not told")
	}
	for _, path := range []string{"/", "/scim/", "/scim/a/b", "/scim/ACME", "/scim/acme/", "/acme", "/scim/" + strings.Repeat("a", 101)} {
		if a := get("/.well-known/oauth-authorization-server" + path); a.status != 404 || a.body["error"] == nil {
			t.Errorf("%s: %d %v", path, a.status, a.body)
		}
	}
	if a := d.do(httptest.NewRequest(http.MethodPost, "/.well-known/oauth-authorization-server/scim/acme", nil)); a.status != 405 || a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("%d %v", a.status, a.header)
	}
	deep := New(Options{Store: d.db, Gate: d.gate, URL: "https://example.com/idm", Now: d.at})
	for _, path := range []string{"/idm/scim/acme", "/scim/acme"} { // with the path of the issuer, and as a proxy may leave it
		w := httptest.NewRecorder()
		deep.metadata(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server"+path, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"issuer":"https://example.com/idm/scim/acme"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// FuzzToken: whatever is sent, the answer is one of RFC 6749, and nobody without a secret gets a token.
func FuzzToken(f *testing.F) {
	f.Add("grant_type=client_credentials&client_id=okta&client_secret=usherd_scim_x", "")
	f.Add("grant_type=client_credentials", "Basic "+base64.StdEncoding.EncodeToString([]byte("acme%2Fokta:x")))
	f.Add(jwt(sign("EdDSA", "ed", `{"alg":"EdDSA"}`, goodClaims(map[string]any{"exp": 1}))).Encode(), "")
	db, err := store.Open(f.Context(), newstore.URL(f), store.Options{Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	entra := auth.Source{Org: "acme", ID: "entra"}
	now := func() time.Time { return start }
	s := New(Options{Store: db, Now: now, URL: "https://scim.example.com", Gate: auth.New(auth.Options{
		Store: db, Now: now, Sources: map[auth.Source]auth.Limits{entra: {Rate: 1e9, Burst: 1e9, Concurrency: 9}},
	})})
	s.Replace(map[auth.Source]Client{entra: {Keys: allKeys(f)}})
	f.Fuzz(func(t *testing.T, body, authorization string) {
		r := httptest.NewRequest(http.MethodPost, "/scim/acme/oauth/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		r.SetPathValue("org", "acme")
		w := httptest.NewRecorder()
		s.token(w, r)
		var a map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code < 400 || w.Code >= 500 || a["error"] == "" || a["error_description"] == "" {
			t.Fatalf("%q %q: %d %s", body, authorization, w.Code, w.Body)
		}
	})
}
