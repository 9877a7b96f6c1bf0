package auth

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

// Source names a source that pushes: one client of one organization.
type Source struct{ Org, ID string }

// Limits are what the configuration allows a client.
type Limits struct {
	Networks    []netip.Prefix // that it may come from; none = everywhere
	Rate, Burst int            // requests a second for long, and at once
	Concurrency int            // requests at a time
}

// Options are what an Authenticator needs.
type Options struct {
	Store   Store
	Sources map[Source]Limits
	// Trusted are the proxies whose X-Forwarded-For is believed.
	Trusted []netip.Prefix
	// Total is how many requests are worked on at a time, of all clients; default 64.
	Total int
	Now   func() time.Time
}

// Authenticator says who sends a request. All methods are safe for concurrent use.
type Authenticator struct {
	o       Options
	cache   *cache
	gate    *gate
	guesses guesses
}

// New makes an Authenticator; Serve must run beside it.
func New(o Options) *Authenticator {
	if o.Total <= 0 {
		o.Total = defaultTotal
	}
	a := &Authenticator{o: o, cache: newCache(o.Store), gate: &gate{total: o.Total}}
	a.Replace(o.Sources)
	return a
}

// Replace puts other sources and limits in force, as after a reload. A token of a source that is not among them opens
// nothing any more.
func (a *Authenticator) Replace(sources map[Source]Limits) { a.gate.replace(sources) }

// Share says among how many processes that serve the same clients their limits are shared out: each lets a client
// do one part of what it may, but one request at a time at least. It is 1 at first, and less counts as 1.
func (a *Authenticator) Share(parts int) {
	parts = min(max(parts, 1), maxParts)
	a.gate.split(parts)
	a.guesses.split(parts)
}

// Client is who sends a request.
type Client struct {
	Source
	Token  connector.ID // zero for one that has proven itself without, see Vouched
	Name   string       // of the token
	Kind   connector.TokenKind
	Scopes []string
	// Networks and EndsAt are those of the token: what is given out for it goes no further.
	Networks []netip.Prefix
	EndsAt   time.Time
	Address  netip.Addr // where it comes from; not valid where a proxy tells nonsense

	lane *lane
}

// Address is where a request comes from, through proxies that are trusted; not valid where that cannot be told.
func (a *Authenticator) Address(r *http.Request) netip.Addr { return clientAddress(r, a.o.Trusted) }

// Authenticate says who sends r, by a token as bearer (RFC 6750) or as the password of Basic, and that it may do so:
// the token is live, of the organization that the path names, from an allowed network, and of a scope that covers the
// method. Everything but GET, HEAD, OPTIONS and POST to a path that ends in /.search writes.
//
// An organization that is not the token's is answered like one that does not exist. The error is an *Error.
func (a *Authenticator) Authenticate(r *http.Request, org string) (*Client, error) {
	text, ok := bearer(r)
	if !ok {
		return nil, unauthorized(ReasonMissing, "a token is missing: send the header Authorization: Bearer TOKEN")
	}
	c, refusal := a.client(r, org, text, connector.BearerToken, connector.AccessToken)
	if refusal == nil && writes(r) && !mayWrite(c.Scopes) {
		refusal = &Error{
			Status: http.StatusForbidden, Reason: ReasonScope, Detail: "this token may only read: its scope is " + strings.Join(c.Scopes, " "),
			Challenge: challenge + `, error="insufficient_scope", scope="` + connector.ScopeAll + `"`, Source: c.Source, Token: c.Token,
		}
	}
	if refusal != nil {
		return nil, refusal
	}
	return c, nil
}

// Secret says who holds a client secret, by the same rules; scopes are for whoever gives out tokens for it.
func (a *Authenticator) Secret(r *http.Request, org, secret string) (*Client, error) {
	c, refusal := a.client(r, org, secret, connector.ClientSecret)
	if refusal != nil {
		return nil, refusal
	}
	return c, nil
}

// Holder says who sends r by a token of that kind as bearer, by the same rules; scopes are for the caller.
func (a *Authenticator) Holder(r *http.Request, org string, kind connector.TokenKind) (*Client, error) {
	text, ok := bearer(r)
	if !ok {
		return nil, unauthorized(ReasonMissing, "a token is missing: send the header Authorization: Bearer TOKEN")
	}
	c, refusal := a.client(r, org, text, kind)
	if refusal != nil {
		return nil, refusal
	}
	return c, nil
}

// Vouched is the client of a source that has proven itself without a token, as by a signature. Only its network is
// looked at. A source that does not push is an *Error of status 401.
func (a *Authenticator) Vouched(r *http.Request, source Source) (*Client, error) {
	lane := a.gate.lane(source)
	if lane == nil {
		return nil, unauthorized(ReasonGone, "there is no such client")
	}
	c := &Client{Source: source, Scopes: connector.Scopes(), Address: clientAddress(r, a.o.Trusted), lane: lane}
	if refusal := a.network(c, nil); refusal != nil {
		return nil, refusal
	}
	lane.vouched.Store(&c.Address)
	return c, nil
}

// Try asks whether whoever sends r may try to prove without a token that it is that source: the error is an *Error of
// status 429 when too many attempts from its address have failed. From where the source has come last it may always:
// behind a proxy that nobody trusts, all have one address. Failed counts one that has failed.
func (a *Authenticator) Try(r *http.Request, source Source) error {
	address := clientAddress(r, a.o.Trusted)
	if l := a.gate.lane(source); l != nil {
		if last := l.vouched.Load(); last != nil && *last == address {
			return nil
		}
	}
	if wait := a.guesses.wait(address, a.o.Now()); wait > 0 {
		return later(http.StatusTooManyRequests, ReasonGuessing, wait, "too many attempts from this address have failed: wait")
	}
	return nil
}

// Failed counts an attempt that has failed, see Try.
func (a *Authenticator) Failed(r *http.Request) {
	a.guesses.count(clientAddress(r, a.o.Trusted), a.o.Now())
}

// Issue asks whether the client may have another access token. Each is a row that is kept for a day: the error is an
// *Error of status 429 when it wants them faster than tokens that live for minutes are used up.
func (a *Authenticator) Issue(c *Client) error {
	if refusal := a.gate.issue(c.lane, a.o.Now()); refusal != nil {
		refusal.Source, refusal.Token = c.Source, c.Token
		return refusal
	}
	return nil
}

// Serve writes when tokens were used last, each minute and when ctx ends, and returns then. What cannot be written is
// handed to failed and tried again.
func (a *Authenticator) Serve(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := a.cache.write(end, a.o.Now()); err != nil {
				failed(err)
			}
			return
		case <-tick.C:
			if err := a.cache.write(ctx, a.o.Now()); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}

// client checks a token of one of these kinds.
func (a *Authenticator) client(r *http.Request, org, text string, kinds ...connector.TokenKind) (*Client, *Error) {
	address, now := clientAddress(r, a.o.Trusted), a.o.Now()
	k, refusal := a.token(r.Context(), text, address, now)
	if refusal != nil {
		return nil, refusal
	}
	t := k.token
	c := &Client{
		Source: Source{t.Org, t.Source}, Token: t.ID, Name: t.Name, Kind: t.Kind, Scopes: t.Scopes, Networks: t.Networks, EndsAt: t.EndsAt, Address: address,
		lane: a.gate.lane(Source{t.Org, t.Source}),
	}
	if refusal = a.may(c, t, org, kinds, now); refusal != nil {
		refusal.Source, refusal.Token = c.Source, c.Token
		return nil, refusal
	}
	k.used.Store(now.UnixNano())
	return c, nil
}

// token finds a token by its text. The hash is what is compared: how long that takes says nothing of any token.
func (a *Authenticator) token(ctx context.Context, text string, address netip.Addr, now time.Time) (*known, *Error) {
	hash, ok := connector.HashToken(text)
	if !ok {
		return nil, unauthorized(ReasonUnknown, "this is no token of usherd: one begins with usherd_scim_ or usherd_api_, and a part of it may be missing")
	}
	k, err := a.cache.get(ctx, hash, now)
	if err == nil && k == nil {
		if wait := a.guesses.wait(address, now); wait > 0 {
			return nil, later(http.StatusTooManyRequests, ReasonGuessing, wait, "too many unknown tokens came from this address: wait")
		}
		k, err = a.cache.ask(ctx, hash)
	}
	switch {
	case connector.KindOf(err) == connector.NotFound:
		a.guesses.count(address, now)
		return nil, unauthorized(ReasonUnknown, "this token is not known here")
	case err != nil:
		e := later(http.StatusServiceUnavailable, ReasonStore, time.Second, "tokens cannot be checked at the moment: try again")
		e.Err = err
		return nil, e
	case subtle.ConstantTimeCompare(k.token.Hash[:], hash[:]) != 1:
		return nil, unauthorized(ReasonUnknown, "this token is not known here")
	}
	return k, nil
}

// may says why a client with that token may not do what it wants. Whose organization it is comes first: to others the
// path does not exist, whatever stands there and however the token is.
func (a *Authenticator) may(c *Client, t *connector.Token, org string, kinds []connector.TokenKind, now time.Time) *Error {
	if t.Org != org {
		return &Error{Status: http.StatusNotFound, Reason: ReasonOrganization, Detail: "there is nothing at this address for this token: look at the organization in it"}
	}
	switch t.StandingAt(now) {
	case connector.TokenRevoked:
		return unauthorized(ReasonRevoked, "token revoked on "+day(t.RevokedAt)+": make another one with usherd token create")
	case connector.TokenEnded:
		return unauthorized(ReasonEnded, "token ended on "+day(t.EndsAt)+": make another one with usherd token create")
	case connector.TokenLive, connector.TokenEnds:
	}
	if !slices.Contains(kinds, t.Kind) {
		return unauthorized(ReasonKind, wrongKind(t.Kind, kinds))
	}
	if c.lane == nil {
		return unauthorized(ReasonGone, "the source of this token is not configured any more")
	}
	return a.network(c, t.Networks)
}

func (a *Authenticator) network(c *Client, more []netip.Prefix) *Error {
	for _, networks := range [...][]netip.Prefix{c.lane.limits.Load().Networks, more} {
		if len(networks) > 0 && !within(c.Address, networks) {
			return &Error{
				Status: http.StatusForbidden, Reason: ReasonNetwork, Source: c.Source, Token: c.Token,
				Detail: "requests of this client are not allowed from " + shown(c.Address),
			}
		}
	}
	return nil
}

func shown(a netip.Addr) string {
	if !a.IsValid() {
		return "an address that the proxy does not tell"
	}
	return a.String()
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func wrongKind(k connector.TokenKind, wanted []connector.TokenKind) string {
	switch {
	case k == connector.APIToken:
		return "this token is for the API: make one for the source with usherd token create --source"
	case slices.Contains(wanted, connector.APIToken):
		return "this token is one of a source, not for the API: make one with usherd token create --api"
	case k == connector.ClientSecret:
		return "this is a client secret: ask for an access token with it, and send that"
	}
	return "this is no client secret: make one with usherd token create --kind secret"
}
