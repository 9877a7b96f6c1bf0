package console_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/console"
)

// idp is an OpenID provider that asks nobody for a password: whoever comes is signed in as claims say. It checks what a provider has
// to check: the client, its secret, the address of redirection, the code and PKCE.
type idp struct {
	t      *testing.T
	w      *world
	srv    *httptest.Server
	key    *rsa.PrivateKey
	alter  func(claims, header map[string]any) // of the next token
	claims map[string]any

	mu    sync.Mutex
	codes map[string]url.Values
}

const clientSecret = "the client's secret"

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newIDP(t *testing.T, w *world) *idp {
	t.Helper()
	p := &idp{t: t, w: w, key: rsaKey(), codes: map[string]url.Values{}, claims: map[string]any{
		"sub": "00u1", "preferred_username": "ann@acme.test", "groups": []string{"ops", "other"},
	}}
	mux := http.NewServeMux()
	p.srv = httptest.NewServer(mux)
	t.Cleanup(p.srv.Close)
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.srv.URL, "authorization_endpoint": p.srv.URL + "/authorize", "token_endpoint": p.srv.URL + "/token", "jwks_uri": p.srv.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		e := base64.RawURLEncoding
		answer(w, map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": e.EncodeToString(p.key.N.Bytes()), "e": e.EncodeToString(big.NewInt(int64(p.key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		id, word, _ := r.BasicAuth()
		p.mu.Lock()
		asked := p.codes[r.FormValue("code")]
		delete(p.codes, r.FormValue("code"))
		p.mu.Unlock()
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		if asked == nil || id != "usherd" || word != url.QueryEscape(clientSecret) || asked.Get("code_challenge") != challenge || asked.Get("redirect_uri") != r.FormValue("redirect_uri") {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]string{"error": "invalid_grant"})
			return
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.token(asked)})
	})
	w.set.Providers = []*console.Provider{{
		ID: "entra", Name: "Entra ID", Issuer: p.srv.URL, ClientID: "usherd", ClientSecret: connector.NewSecret(clientSecret), Scopes: []string{"profile"}, GroupsClaim: "groups",
		Roles:  []console.GroupRole{{Group: "ops", Grant: console.Grant{Role: connector.Operator, Organizations: []string{"acme"}}}, {Group: "audit", Grant: console.Grant{Role: connector.Auditor}}},
		Client: p.srv.Client(),
	}}
	w.server.Replace(w.set)
	return p
}

// token is an ID token for what was asked.
func (p *idp) token(asked url.Values) string {
	claims, header := map[string]any{
		"iss": p.srv.URL, "aud": "usherd", "exp": p.w.now.Add(time.Minute).Unix(), "iat": p.w.now.Unix(), "nonce": asked.Get("nonce"), "auth_time": p.w.now.Unix(),
	}, map[string]any{"alg": "RS256", "kid": "k1"}
	maps.Copy(claims, p.claims)
	if p.alter != nil {
		p.alter(claims, header)
	}
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			p.t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	if header["alg"] == "none" {
		sig = nil
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// authorize is what the provider does with the address to which a browser was sent: it gives the address to which it sends it back.
func (p *idp) authorize(to string) string {
	p.t.Helper()
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, p.srv.URL+"/authorize?") {
		p.t.Fatalf("%s %v", to, err)
	}
	q := u.Query()
	if q.Get("response_type") != "code" || q.Get("client_id") != "usherd" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || len(q.Get("state")) < 40 ||
		q.Get("scope") != "openid profile" || q.Get("redirect_uri") != address+"/login/entra/callback" {
		p.t.Errorf("%v", q)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[q.Get("nonce")] = q
	return "/login/entra/callback?" + url.Values{"code": {q.Get("nonce")}, "state": {q.Get("state")}}.Encode()
}

func TestSignInByOpenID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newIDP(t, w)
	b := w.browser()
	w.want(b.get("/login?next=%2Fusers"), http.StatusOK, "Sign in with Entra ID", "/admin/login/entra?next=%2Fusers")
	back := p.authorize(b.get("/login/entra?next=%2Fusers").to())
	if a := b.get(back); a.StatusCode != http.StatusSeeOther || a.to() != "/admin/users" {
		t.Fatalf("%d %s\n%s", a.StatusCode, a.to(), a.text)
	}
	w.want(b.get("/"), http.StatusOK, "ann@acme.test", "operator")
	w.want(b.get(back), http.StatusUnauthorized, "could not be signed in") // used
	all, err := w.db.Audit(t.Context(), connector.AuditQuery{Limit: 1})
	if err != nil || len(all) != 1 || all[0].Action != connector.AuditSignedIn || all[0].Actor.Name != "console:entra:ann@acme.test" {
		t.Errorf("%+v %v", all, err)
	}
	w.set.Providers[0].Roles = nil // taken out of the configuration
	w.want(b.get("/"), http.StatusForbidden, "You have no role here")
}

// Whatever is not for this client, this browser, this sign-in and this moment, or not signed, signs nobody in.
func TestHostileTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newIDP(t, w)
	for name, alter := range map[string]func(c, h map[string]any){
		"another nonce":        func(c, _ map[string]any) { c["nonce"] = "x" },
		"no nonce":             func(c, _ map[string]any) { delete(c, "nonce") },
		"another client":       func(c, _ map[string]any) { c["aud"] = "shop" },
		"several clients":      func(c, _ map[string]any) { c["aud"] = []string{"usherd", "shop"} },
		"authorized for other": func(c, _ map[string]any) { c["azp"] = "shop" },
		"another issuer":       func(c, _ map[string]any) { c["iss"] = "https://evil.test" },
		"over":                 func(c, _ map[string]any) { c["exp"] = w.now.Add(-time.Hour).Unix() },
		"not signed":           func(_, h map[string]any) { h["alg"] = "none" },
		"by a shared secret":   func(_, h map[string]any) { h["alg"] = "HS256" },
		"by an unknown key":    func(_, h map[string]any) { h["kid"] = "k2" },
	} {
		b := w.browser()
		p.alter = alter
		if a := b.get(p.authorize(b.get("/login/entra").to())); a.StatusCode != http.StatusUnauthorized || b.cookies["__Host-usherd"] != "" {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	p.alter = nil
	b := w.browser()
	back := p.authorize(b.get("/login/entra").to())
	if a := w.browser().get(back); a.StatusCode != http.StatusUnauthorized {
		t.Error("another browser goes on with the sign-in")
	}
	if a := b.get(strings.Replace(back, "state=", "state=x", 1)); a.StatusCode != http.StatusUnauthorized {
		t.Error("another state")
	}
	w.now = w.now.Add(11 * time.Minute)
	if a := b.get(back); a.StatusCode != http.StatusUnauthorized {
		t.Error("it has taken too long")
	}
	if a := b.get("/login/none"); a.StatusCode != http.StatusNotFound {
		t.Error(a.StatusCode)
	}
}

// To prove oneself again, the same person has to come back, and to have been asked for the password.
func TestFreshSignInByOpenID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newIDP(t, w)
	u := w.create("ann", connector.Inactive)
	b := w.browser()
	b.get(p.authorize(b.get("/login/entra").to()))
	w.now = w.now.Add(11 * time.Minute)
	a := b.get(b.get(path(u, "/delete")).to()[len("/admin"):])
	w.want(a, http.StatusOK, "Sign in again", "/admin/login/entra?next=")
	w.not(a, `name="password"`)
	again := func() answer {
		to := b.get("/login/entra?next=" + url.QueryEscape(path(u, "/delete"))).to()
		if !strings.Contains(to, "prompt=login") || !strings.Contains(to, "max_age=0") {
			t.Error(to)
		}
		return b.get(p.authorize(to))
	}
	p.alter = func(c, _ map[string]any) { c["sub"] = "00u2" }
	w.want(again(), http.StatusUnauthorized)
	p.alter = func(c, _ map[string]any) { c["auth_time"] = w.now.Add(-time.Hour).Unix() }
	w.want(again(), http.StatusUnauthorized)
	p.alter = nil
	if a := again(); a.to() != "/admin"+path(u, "/delete") {
		t.Fatalf("%d %s", a.StatusCode, a.to())
	}
	w.want(b.get(path(u, "/delete")), http.StatusOK, "Delete 1 person")
}

// A provider that is away says so, and is asked again when it is back.
func TestProviderIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newIDP(t, w)
	issuer := w.set.Providers[0].Issuer
	w.set.Providers[0].Issuer = "http://127.0.0.1:1"
	w.want(w.browser().get("/login/entra"), http.StatusBadGateway, "Entra ID does not answer")
	w.set.Providers[0].Issuer = issuer
	b := w.browser()
	if a := b.get(p.authorize(b.get("/login/entra").to())); a.StatusCode != http.StatusSeeOther {
		t.Error(a.StatusCode)
	}
}
