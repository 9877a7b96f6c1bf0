package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
)

const oauthConfig = `listen: 127.0.0.1:0
store: sqlite:$DIR/usherd.db
scim: {listen: "127.0.0.1:0", url: "https://scim.acme.test"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: unlimited}]
  package: standard
  sources:
  - id: entra
    scim: {oauth: {keys_file: $DIR/keys.json, token_lifetime: 5m}}
  - id: okta
    scim: {}
`

// signedAssertion is what an identity provider sends of itself.
func signedAssertion(key ed25519.PrivateKey, client, audience, jti string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(`{"alg":"EdDSA","typ":"JWT","kid":"k"}`)) + "." + b64(fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":%q,"jti":%q,"exp":%d}`,
		client, client, audience, jti, time.Now().Add(5*time.Minute).Unix()))
	return text + "." + b64(ed25519.Sign(key, []byte(text)))
}

// An identity provider finds the token endpoint by the metadata, signs who it is, and pushes with what it gets; a
// second one does with a secret. The log says what they have asked, and a key set that is broken changes nothing.
func TestAccessTokensOfTheDaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthConfig)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(r.dir, "keys.json")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	put(good)
	secret := decode[struct{ Token string }](r, exitOK, "token", "create", "--source", "okta", "--kind", "secret", "-o", "json").Token
	d := r.daemon(t)
	door := d.door()

	var meta struct {
		Issuer        string
		TokenEndpoint string `json:"token_endpoint"`
	}
	talk(t, http.MethodGet, door+"/.well-known/oauth-authorization-server/scim/acme", "", nil, http.StatusOK, &meta)
	endpoint := door + strings.TrimPrefix(meta.TokenEndpoint, "https://scim.acme.test")
	var got struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Error       string
	}
	signed := func(jti string) url.Values {
		return url.Values{
			"grant_type": {"client_credentials"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion": {signedAssertion(private, "acme/entra", meta.Issuer, jti)},
		}
	}
	first := signed("1")
	talk(t, http.MethodPost, endpoint, "", first, http.StatusOK, &got)
	if got.ExpiresIn != 300 {
		t.Errorf("it lives for %d s", got.ExpiresIn)
	}
	var list struct{ TotalResults int }
	talk(t, http.MethodGet, door+"/scim/acme/v2/Users", got.AccessToken, nil, http.StatusOK, &list)
	talk(t, http.MethodPost, endpoint, "", first, http.StatusUnauthorized, &got)
	if got.Error != "invalid_client" {
		t.Errorf("a replay: %s", got.Error)
	}
	byName := url.Values{"grant_type": {"client_credentials"}, "client_id": {"acme/okta"}, "client_secret": {secret}, "scope": {"scim:read"}}
	talk(t, http.MethodPost, endpoint, "", byName, http.StatusOK, &got)
	talk(t, http.MethodGet, door+"/scim/acme/v2/Groups", got.AccessToken, nil, http.StatusOK, &list)
	talk(t, http.MethodDelete, door+"/scim/acme/v2/Groups/x", got.AccessToken, nil, http.StatusForbidden, nil)

	put(`{"keys":[]}`)
	d.signal(syscall.SIGHUP)
	d.log.await(t, "the new configuration is refused, the old one stays in force")
	talk(t, http.MethodPost, endpoint, "", signed("2"), http.StatusOK, &got)
	d.end()

	rows := decode[struct{ Requests []api.Request }](r, exitOK, "scim", "log", "-o", "json").Requests
	var told []string
	for _, q := range rows {
		told = append(told, fmt.Sprintf("%s %s %s %d", q.Source, q.Method, strings.TrimPrefix(q.Path, "/scim/acme"), q.Status))
	}
	want := []string{
		"entra POST /oauth/token 200", "okta DELETE /v2/Groups/x 403", "okta GET /v2/Groups 200", "okta POST /oauth/token 200",
		"entra POST /oauth/token 401", "entra GET /v2/Users 200", "entra POST /oauth/token 200",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log:\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	clients := decode[struct{ Clients []api.Client }](r, exitOK, "scim", "clients", "-o", "json").Clients
	if len(clients) != 2 || clients[0].Requests != 4 || clients[0].Errors != 1 || len(clients[1].Tokens) != 1 || clients[1].Tokens[0].Kind != connector.ClientSecret {
		t.Errorf("the clients: %+v", clients)
	}
	log := fmt.Sprint(d.log.all)
	for _, hidden := range []string{secret, got.AccessToken, first.Get("client_assertion")} {
		if strings.Contains(log, hidden) {
			t.Error("a secret stands in the log")
		}
	}
}

// door is the address where the daemon serves SCIM; it may have told so before it was ready, or after.
func (d *serving) door() string {
	d.t.Helper()
	d.log.mu.Lock()
	d.log.read = 0
	d.log.mu.Unlock()
	return "http://" + d.log.await(d.t, "scim listens")["listen"].(string)
}

// talk sends a request and reads what comes back.
func talk(t *testing.T, method, address, token string, form url.Values, status int, into any) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(a.Body); err != nil || a.StatusCode != status {
		t.Fatalf("%s %s: %d, want %d, %v: %s", method, address, a.StatusCode, status, err, &body)
	}
	if into != nil {
		if err := json.Unmarshal(body.Bytes(), into); err != nil {
			t.Fatalf("%s: %v", &body, err)
		}
	}
}
