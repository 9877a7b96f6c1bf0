package auth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/scim/auth"
)

func TestHeaderForms(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, k := f.token(nil)
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]struct {
		lines []string
		want  string // "" = accepted
	}{
		"bearer":          {[]string{"Bearer " + token}, ""},
		"any case":        {[]string{"bEARER   " + token + " "}, ""},
		"basic":           {[]string{basic("anybody:" + token)}, ""},
		"basic, no name":  {[]string{strings.Replace(basic(":"+token), "Basic", "BASIC", 1)}, ""},
		"token alone":     {[]string{token}, ""},
		"none":            {nil, `401 no_token: a token is missing: send the header Authorization: Bearer TOKEN [WWW-Authenticate: Bearer realm="usherd"]`},
		"empty":           {[]string{""}, "401 no_token"},
		"bearer of none":  {[]string{"Bearer "}, "401 no_token"},
		"two headers":     {[]string{"Bearer " + token, "Bearer " + token}, "401 no_token"},
		"other scheme":    {[]string{"Digest " + token}, "401 no_token"},
		"something alone": {[]string{"hunter2"}, "401 no_token"},
		"basic as user":   {[]string{basic(token + ":")}, "401 no_token"},
		"broken basic":    {[]string{"Basic %%%"}, "401 no_token"},
		"no token":        {[]string{"Bearer hunter2"}, `401 unknown_token: this is no token of usherd: one begins with usherd_scim_ or usherd_api_, and a part of it may be missing [WWW-Authenticate: Bearer realm="usherd", error="invalid_token"]`},
		"cut short":       {[]string{"Bearer " + token[:50]}, "401 unknown_token: this is no token"},
		"with a tail":     {[]string{"Bearer " + token + " x"}, "401 unknown_token: this is no token"},
	} {
		r := get("")
		r.Header["Authorization"] = c.lines
		client, err := f.auth.Authenticate(r, "acme")
		switch {
		case c.want != "":
			if err == nil || !strings.HasPrefix(answer(err), c.want) {
				t.Errorf("%s: got %s, want %s", name, answer(err), c.want)
			}
		case err != nil || client.Token != k.ID:
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhoMayCome(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	of := func(change func(*connector.Token)) string {
		token, _ := f.token(change)
		return token
	}
	live := of(nil)
	never := of(func(k *connector.Token) { k.EndsAt = time.Time{} })
	ended := of(func(k *connector.Token) { k.EndsAt = start.Add(-time.Hour) })
	revoked := of(func(k *connector.Token) { k.RevokedAt = start.Add(-48 * time.Hour) })
	secret := of(func(k *connector.Token) { k.Kind = connector.ClientSecret })
	access := of(func(k *connector.Token) { k.Kind, k.EndsAt = connector.AccessToken, start.Add(time.Minute) })
	reads := of(func(k *connector.Token) { k.Scopes = []string{connector.ScopeRead} })
	gone := of(func(k *connector.Token) { k.Source = "ping" })
	okta := of(func(k *connector.Token) { k.Source = "okta" })
	narrow := of(func(k *connector.Token) { k.Source, k.Networks = "okta", networks("192.0.2.0/28", "2001:db8::1/128") })
	endedElsewhere := of(func(k *connector.Token) { k.Org, k.EndsAt = "beta", start.Add(-time.Hour) })
	_, unknown := connector.NewToken()
	stranger, _ := connector.NewToken()
	_ = unknown
	const elsewhere = "404 other_organization: there is nothing at this address for this token: look at the organization in it"
	for _, c := range []struct{ name, method, path, org, token, from, want string }{
		{"live", "GET", "Users", "acme", live, "", ""},
		{"never ends", "DELETE", "Users/1", "acme", never, "", ""},
		{"access token", "POST", "Users", "acme", access, "", ""},
		{"unknown", "GET", "Users", "acme", stranger.Reveal(), "", `401 unknown_token: this token is not known here [WWW-Authenticate: Bearer realm="usherd", error="invalid_token"]`},
		{"ended", "GET", "Users", "acme", ended, "", "401 token_ended: token ended on 2026-11-01: make another one with usherd token create"},
		{"revoked", "GET", "Users", "acme", revoked, "", "401 token_revoked: token revoked on 2026-10-30: make another one with usherd token create"},
		{"secret", "GET", "Users", "acme", secret, "", "401 wrong_kind_of_token: this is a client secret: ask for an access token with it, and send that"},
		{"source gone", "GET", "Users", "acme", gone, "", "401 source_gone: the source of this token is not configured any more"},
		{"another organization", "GET", "Users", "beta", live, "", elsewhere},
		{"no organization", "GET", "Users", "nobody", live, "", elsewhere},
		{"ended, of another", "GET", "Users", "acme", endedElsewhere, "", elsewhere},
		{"reads", "GET", "Users", "acme", reads, "", ""},
		{"reads the head", "HEAD", "Users", "acme", reads, "", ""},
		{"searches", "POST", "Users/.search", "acme", reads, "", ""},
		{"searches everything", "POST", ".search/?", "acme", reads, "", ""},
		{"writes", "POST", "Users", "acme", reads, "", `403 scope: this token may only read: its scope is scim:read [WWW-Authenticate: Bearer realm="usherd", error="insufficient_scope", scope="scim"]`},
		{"writes by a search", "PATCH", "Users/.search", "acme", reads, "", "403 scope"},
		{"writes by a query", "POST", "Bulk?x=/.search", "acme", reads, "", "403 scope"},
		{"network of the source", "GET", "Users", "acme", okta, "192.0.2.200:1", ""},
		{"the same in IPv6", "GET", "Users", "acme", okta, "[2001:db8::2]:1", ""},
		{"mapped", "GET", "Users", "acme", okta, "[::ffff:192.0.2.1]:1", ""},
		{"foreign network", "GET", "Users", "acme", okta, "203.0.113.9:1", "403 network: requests of this client are not allowed from 203.0.113.9"},
		{"network of the token", "GET", "Users", "acme", narrow, "192.0.2.15:1", ""},
		{"outside of the token's", "GET", "Users", "acme", narrow, "192.0.2.16:1", "403 network"},
		{"no address", "GET", "Users", "acme", okta, "@", "403 network: requests of this client are not allowed from an address that the proxy does not tell"},
	} {
		r := request(c.method, "/scim/"+c.org+"/v2/"+c.path, c.token)
		if c.from != "" {
			r.RemoteAddr = c.from
		}
		client, err := f.auth.Authenticate(r, c.org)
		switch {
		case c.want != "":
			if err == nil || !strings.HasPrefix(answer(err), c.want) {
				t.Errorf("%s: got %s\nwant %s", c.name, answer(err), c.want)
			}
		case err != nil:
			t.Errorf("%s: %s", c.name, answer(err))
		case client.Org != "acme" || client.Name != "first" || !client.Address.IsValid():
			t.Errorf("%s: %+v", c.name, client)
		}
	}
}

func TestErrorNamesTheClientForTheLog(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, k := f.token(func(k *connector.Token) { k.EndsAt = start })
	_, err := f.auth.Authenticate(get(token), "acme")
	e, _ := errors.AsType[*auth.Error](err)
	if e == nil || e.Source != (auth.Source{Org: "acme", ID: "entra"}) || e.Token != k.ID {
		t.Errorf("%+v", e)
	}
}

func TestSecretsAndSignatures(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret, k := f.token(func(k *connector.Token) { k.Kind = connector.ClientSecret })
	token, _ := f.token(nil)
	c, err := f.auth.Secret(get(""), "acme", secret)
	f.ok(err)
	if c.Token != k.ID || c.Source != (auth.Source{Org: "acme", ID: "entra"}) || c.Kind != connector.ClientSecret {
		t.Errorf("%+v", c)
	}
	_, err = f.auth.Secret(get(""), "acme", token)
	f.refused(err, "401 wrong_kind_of_token: this is no client secret: make one with usherd token create --kind secret")
	_, err = f.auth.Secret(get(""), "beta", secret)
	f.refused(err, "404 ")

	c, err = f.auth.Vouched(get(""), auth.Source{Org: "acme", ID: "okta"})
	f.ok(err)
	leave, err := f.auth.Admit(t.Context(), c)
	f.ok(err)
	leave()
	_, err = f.auth.Vouched(get(""), auth.Source{Org: "acme", ID: "ping"})
	f.refused(err, "401 source_gone")
	r := get("")
	r.RemoteAddr = "203.0.113.9:1"
	_, err = f.auth.Vouched(r, auth.Source{Org: "acme", ID: "okta"})
	f.refused(err, "403 network")
}

// TestTokensAreNeverShown prints what a token has been through, in each way that fmt has.
func TestTokensAreNeverShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, change := range []func(*connector.Token){
		nil,
		func(k *connector.Token) { k.Org = "beta" },
		func(k *connector.Token) { k.EndsAt = start },
		func(k *connector.Token) { k.RevokedAt = start },
		func(k *connector.Token) { k.Kind = connector.ClientSecret },
		func(k *connector.Token) { k.Scopes = []string{connector.ScopeRead} },
		func(k *connector.Token) { k.Source = "ping" },
		func(k *connector.Token) { k.Networks = networks("203.0.113.0/24") },
	} {
		token, _ := f.token(change)
		for _, text := range []string{token, token + "x", token[:len(token)-2]} {
			client, err := f.auth.Authenticate(request("POST", "/scim/acme/v2/Users", text), "acme")
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				shown := fmt.Sprintf(verb+verb+verb, client, err, f.auth)
				if e, ok := errors.AsType[*auth.Error](err); ok {
					shown += fmt.Sprintf(verb, *e)
				}
				if strings.Contains(shown, token[len("usherd_scim_"):len(token)-6]) {
					t.Fatalf("the token is shown: %s", shown)
				}
			}
		}
	}
}

// TestHashIsCompared gives the store a row that is not the one asked for.
func TestHashIsCompared(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, k := f.token(nil)
	a := auth.New(auth.Options{Store: sameToken{f.store, k}, Sources: sources, Now: f.clock.now})
	stranger, _ := connector.NewToken()
	_, err := a.Authenticate(get(stranger.Reveal()), "acme")
	f.refused(err, "401 unknown_token")
}

func TestReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, _ := f.token(nil)
	_, err := f.auth.Authenticate(get(token), "acme")
	f.ok(err)
	f.auth.Replace(map[auth.Source]auth.Limits{{Org: "acme", ID: "entra"}: {Rate: 1, Burst: 1, Concurrency: 1, Networks: networks("203.0.113.0/24")}})
	_, err = f.auth.Authenticate(get(token), "acme")
	f.refused(err, "403 network")
	f.auth.Replace(nil)
	_, err = f.auth.Authenticate(get(token), "acme")
	f.refused(err, "401 source_gone")
	f.auth.Replace(sources)
	_, err = f.auth.Authenticate(get(token), "acme")
	f.ok(err)
}
