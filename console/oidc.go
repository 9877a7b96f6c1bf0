package console

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"usherd/connector"
)

// Provider is an OpenID provider by which administrators sign in. It is found out about when somebody wants to sign in by it, so
// that one that is away keeps nothing else from starting. It is safe for concurrent use.
type Provider struct {
	ID, Name     string
	Issuer       string
	ClientID     string
	ClientSecret connector.Secret
	Scopes       []string // beside openid
	GroupsClaim  string
	Roles        []GroupRole
	Client       *http.Client // by which the provider is reached

	mu    sync.Mutex
	known *oidc.Provider // nil = not yet
}

// GroupRole gives a role to a group of a provider.
type GroupRole struct {
	Group string
	Grant
}

const (
	loginFor     = 10 * time.Minute // from the way to the provider until the way back
	askFor       = 15 * time.Second // how long we wait for the provider
	maxGroups    = 500              // of one person that are kept
	maxGroupName = 256
	loginCookie  = "usherd-login"
)

// underway is a sign-in that has gone to a provider. It is kept by the browser, in a cookie that no other site can set or read.
type underway struct {
	Provider string    `json:"p"`
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // of PKCE
	Next     string    `json:"t"`
	Until    time.Time `json:"u"`
	Again    bool      `json:"a,omitempty"` // somebody who is signed in proves it again
}

// discover reads how the provider describes itself, once.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil {
		return p.known, nil
	}
	// What is found out asks for keys later, too: by our client, and under no request's context.
	known, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.Client), p.Issuer)
	if err == nil {
		p.known = known
	}
	return known, err
}

// oauth is how we ask the provider.
func (p *Provider) oauth(known *oidc.Provider, base string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(), Endpoint: known.Endpoint(), RedirectURL: base + "/login/" + p.ID + "/callback",
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...),
	}
}

// provider is the one that the path names, nil where there is none.
func (v *visit) provider() *Provider {
	i := slices.IndexFunc(v.set.Providers, func(p *Provider) bool { return p.ID == v.r.PathValue("provider") })
	if i < 0 {
		return nil
	}
	return v.set.Providers[i]
}

func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error (Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// goToProvider sends the browser to a provider.
func (v *visit) goToProvider() {
	p := v.provider()
	if p == nil {
		v.nowhere()
		return
	}
	if !v.recognise() {
		return
	}
	known, err := p.discover(v.r.Context())
	if err != nil {
		v.unreachable(p, err)
		return
	}
	u := underway{
		Provider: p.ID, State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Next: inside(v.query("next")), Until: v.now.Add(loginFor),
		Again: v.session != nil,
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(u.Nonce), oauth2.S256ChallengeOption(u.Verifier)}
	if u.Again {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	text, _ := json.Marshal(u) // texts and a time: it never fails
	v.s.setCookie(v.w, loginCookie, base64.RawURLEncoding.EncodeToString(text), int(loginFor/time.Second))
	http.Redirect(v.w, v.r, p.oauth(known, v.s.o.URL).AuthCodeURL(u.State, options...), http.StatusSeeOther) //nolint:gosec // where the configured provider says
}

// unreachable tells that a provider does not answer as it should.
func (v *visit) unreachable(p *Provider, err error) {
	v.s.o.Log.Warn("an OpenID provider cannot be asked", zap.String("provider", p.ID), zap.String("issuer", p.Issuer), zap.Error(err))
	v.say(http.StatusBadGateway, "login.unreachable", map[string]string{"Name": p.Name})
}

// returned takes the browser back from a provider.
func (v *visit) returned() {
	p := v.provider()
	if p == nil {
		v.nowhere()
		return
	}
	if !v.recognise() {
		return
	}
	u, err := v.underway(p)
	if err != nil {
		v.unproven(p, err)
		return
	}
	v.s.setCookie(v.w, loginCookie, "", -1)
	ctx, cancel := context.WithTimeout(oidc.ClientContext(v.r.Context(), p.Client), askFor)
	defer cancel()
	s, err := v.identify(ctx, p, u)
	if err != nil {
		v.unproven(p, err)
		return
	}
	v.signIn(s, u.Next)
}

// underway is the sign-in that the browser comes back from.
func (v *visit) underway(p *Provider) (u underway, err error) {
	text, err := base64.RawURLEncoding.DecodeString(v.cookie(loginCookie))
	if err != nil || json.Unmarshal(text, &u) != nil || u.State == "" {
		return u, errors.New("this browser has begun no sign-in")
	}
	switch {
	case u.Provider != p.ID:
		return u, errors.New("it was begun at another provider")
	case v.query("state") != u.State:
		return u, errors.New("the state is another one")
	case !v.now.Before(u.Until):
		return u, errors.New("it has taken too long")
	case v.query("error") != "":
		return u, fmt.Errorf("the provider says %q: %q", v.query("error"), v.query("error_description"))
	}
	return u, nil
}

// unproven tells that somebody could not be signed in; why stands in the log and the audit log.
func (v *visit) unproven(p *Provider, err error) {
	v.s.o.Log.Warn("an administrator could not be signed in", zap.String("provider", p.ID), zap.String("address", v.s.o.Address(v.r)), zap.Error(err))
	v.say(http.StatusUnauthorized, "login.unproven", map[string]string{"Name": p.Name})
}

// claims are what we read of an ID token.
type claims struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	User     string `json:"preferred_username"`
	AuthTime int64  `json:"auth_time"`
	AZP      string `json:"azp"`
}

// identify changes the code for an ID token, and says who it is about.
func (v *visit) identify(ctx context.Context, p *Provider, u underway) (s connector.Session, err error) {
	known, err := p.discover(ctx)
	if err != nil {
		return s, err
	}
	token, err := p.oauth(known, v.s.o.URL).Exchange(ctx, v.query("code"), oauth2.VerifierOption(u.Verifier))
	if err != nil {
		return s, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := known.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID, Now: v.s.o.Now}).Verify(ctx, raw)
	if err != nil {
		return s, err
	}
	var c claims
	var all map[string]any
	if err := errors.Join(id.Claims(&c), id.Claims(&all)); err != nil {
		return s, err
	}
	switch {
	case id.Nonce != u.Nonce:
		return s, errors.New("the nonce is another one")
	case len(id.Audience) > 1 && c.AZP != p.ClientID, c.AZP != "" && c.AZP != p.ClientID:
		return s, errors.New("the token was given out to another client")
	case u.Again && (v.session == nil || v.session.Provider != p.ID || v.session.Subject != id.Subject):
		return s, errors.New("somebody else has signed in than before")
	case u.Again && v.now.Sub(time.Unix(c.AuthTime, 0)) > freshFor:
		return s, errors.New("the provider has not asked for the person's password again (auth_time)")
	}
	s = connector.Session{Provider: p.ID, Subject: id.Subject, Name: id.Subject, Groups: groupsOf(all[p.GroupsClaim])}
	for _, name := range []string{c.User, c.Email, c.Name} {
		if name != "" {
			s.Name = clip(name)
			break
		}
	}
	return s, nil
}

// groupsOf reads a claim of groups: a list of texts, or one text.
func groupsOf(claim any) []string {
	list, _ := claim.([]any)
	if one, ok := claim.(string); ok {
		list = []any{one}
	}
	groups := []string{}
	for _, g := range list {
		if name, ok := g.(string); ok && len(name) <= maxGroupName && len(groups) < maxGroups {
			groups = append(groups, name)
		}
	}
	return groups
}

// loginAddress is where the way to a provider begins.
func (v *visit) loginAddress(p *Provider, next string) string {
	return v.s.path + "/login/" + p.ID + "?" + url.Values{"next": {next}}.Encode()
}
