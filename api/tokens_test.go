package api_test

import (
	"net/http"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
)

// A token makes others that can do no more than itself, sees when they were used, and ends them.
func TestTokensByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.orgs["acme"].Sources = append(w.orgs["acme"].Sources, connector.SourceSettings{ID: "hq", Kind: connector.Directory})
	})
	c := w.client("acme", connector.APIRead, connector.APITokens)
	const path = "/orgs/acme/tokens"
	create := func(body any) *api.CreatedToken {
		t.Helper()
		r := c.want(http.StatusCreated, http.MethodPost, path, body)
		k := read[api.CreatedToken](w, r)
		if r.Header.Get("Location") != "/api/v1"+path+"/"+k.ID || r.Header.Get("Cache-Control") != "no-store" {
			t.Error(r.Header)
		}
		return k
	}
	made := create(map[string]any{"name": "shop", "expires": "30d", "networks": []string{"127.0.0.0/8"}})
	if made.Kind != connector.APIToken || len(made.Scopes) != 1 || made.Scopes[0] != connector.APIRead || made.Standing != connector.TokenEnds || !made.EndsAt.Equal(w.now().Add(30*24*time.Hour)) {
		t.Errorf("%+v", made)
	}
	child := &client{w, made.Secret, http.Header{}}
	child.want(http.StatusOK, http.MethodGet, "/orgs/acme/users", nil)
	child.refused(http.StatusForbidden, "scope", http.MethodGet, path, nil)
	create(map[string]any{"scopes": []string{"tokens", "tokens", "read"}, "expires": "never"})
	for _, body := range []any{map[string]any{"scopes": []string{"read", "users"}}, map[string]any{"source": "idp"}} {
		c.refused(http.StatusForbidden, "more_than_own", http.MethodPost, path, body)
	}
	for place, body := range map[string]any{
		"body.scopes": map[string]any{"scopes": []string{"everything"}}, "body.kind": map[string]any{"kind": "secret"}, "body.source": map[string]any{"source": "hq"},
		"body.expires": map[string]any{"expires": "10s"}, "body.networks": map[string]any{"networks": []string{"here"}}, "body.name": map[string]any{"name": "a\nb"},
	} {
		if p := c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, path, body); p.Errors[0].Location != place {
			t.Errorf("%s: %+v", place, p.Errors)
		}
	}
	powerful := w.client("acme", connector.APITokens, connector.APIUsers)
	for kind, body := range map[connector.TokenKind]any{connector.BearerToken: map[string]any{"source": "idp"}, connector.ClientSecret: map[string]any{"source": "idp", "kind": "secret", "scopes": []string{"scim:read"}}} {
		k := read[api.CreatedToken](w, powerful.want(http.StatusCreated, http.MethodPost, path, body))
		if k.Kind != kind || k.Source != "idp" || !k.Pushes {
			t.Errorf("%+v", k)
		}
	}
	if got := get[api.TokenList](c, path+"?source=idp"); len(got.Tokens) != 2 {
		t.Errorf("%+v", got)
	}

	rotate := path + "/" + made.ID + "/rotate"
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, rotate, map[string]any{"overlap": "91d"})
	next := read[api.CreatedToken](w, c.want(http.StatusCreated, http.MethodPost, rotate, map[string]any{"overlap": "1d"}))
	if next.Name != "shop" || next.ID == made.ID || len(next.Networks) != 1 || !next.EndsAt.Equal(w.now().Add(30*24*time.Hour)) {
		t.Errorf("%+v", next)
	}
	for _, k := range get[api.TokenList](c, path).Tokens {
		if k.ID == made.ID && !k.EndsAt.Equal(w.now().Add(24*time.Hour)) {
			t.Errorf("%+v", k)
		}
	}
	(&client{w, next.Secret, http.Header{}}).want(http.StatusOK, http.MethodGet, "/orgs/acme/users", nil)
	c.refused(http.StatusForbidden, "more_than_own", http.MethodPost, path+"/"+get[api.TokenList](c, path+"?source=idp").Tokens[0].ID+"/rotate", map[string]any{})
	w.client("beta", connector.APITokens).refused(http.StatusNotFound, "not_found", http.MethodPost, "/orgs/beta/tokens/"+made.ID+"/rotate", map[string]any{})
	for range 2 {
		c.want(http.StatusNoContent, http.MethodDelete, path+"/"+made.ID, nil)
	}
	c.refused(http.StatusConflict, "conflict", http.MethodPost, rotate, map[string]any{})
	w.at.Add((2 * time.Second).Microseconds())
	child.want(http.StatusUnauthorized, http.MethodGet, "/orgs/acme/users", nil)
	live, all := get[api.TokenList](c, path), get[api.TokenList](c, path+"?all=true")
	if len(all.Tokens) != len(live.Tokens)+1 {
		t.Errorf("%d of %d", len(live.Tokens), len(all.Tokens))
	}
	w.client("beta").refused(http.StatusNotFound, "not_found", http.MethodDelete, "/orgs/beta/tokens/"+made.ID, nil)
}

// What is asked for twice under one key is made once, and its secret can be read again by nobody else.
func TestATokenIsMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APITokens, connector.APIRead).with("Idempotency-Key", "k")
	first := read[api.CreatedToken](w, c.want(http.StatusCreated, http.MethodPost, "/orgs/acme/tokens", map[string]any{}))
	again := read[api.CreatedToken](w, c.want(http.StatusCreated, http.MethodPost, "/orgs/acme/tokens", map[string]any{}))
	if again.Secret != first.Secret || again.ID != first.ID || first.Secret == "" {
		t.Errorf("%+v %+v", first.Token, again.Token)
	}
}
