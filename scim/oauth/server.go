package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/scim/auth"
)

// Store keeps access tokens and the assertions that were used. A store of usherd is one.
type Store interface {
	// AddToken adds a token that is not there yet.
	AddToken(ctx context.Context, k connector.Token) error
	// UseAssertion marks an assertion as used until it is over, and reports whether it was not used before.
	UseAssertion(ctx context.Context, org, source string, hash []byte, until time.Time) (fresh bool, err error)
}

// Gate knows the clients. auth.Authenticator is one.
type Gate interface {
	Secret(r *http.Request, org, secret string) (*auth.Client, error)
	Vouched(r *http.Request, source auth.Source) (*auth.Client, error)
	Try(r *http.Request, source auth.Source) error
	Failed(r *http.Request)
	Admit(ctx context.Context, c *auth.Client) (leave func(), err error)
	Issue(c *auth.Client) error
}

// Client is how a source that pushes may get access tokens.
type Client struct {
	Keys     []Key         // it signs with one of them; none = it has a secret
	Lifetime time.Duration // of its access tokens; 0 = ten minutes
}

// Options are what a Server works with.
type Options struct {
	Store Store
	Gate  Gate
	// URL is the public address of the door without a slash at its end: issuer and token endpoint begin with it.
	URL string
	Now func() time.Time
	Log *zap.Logger // nil = silent
	// Seen is told of a client once it has proven who it is, with the address that it comes from, or was refused
	// although it is known, without; nil = nobody.
	Seen func(r *http.Request, client auth.Source, address netip.Addr)
}

// Server answers at the token endpoint of each organization, and its metadata. It is safe for concurrent use.
type Server struct {
	o       Options
	path    string // of URL
	clients atomic.Pointer[map[auth.Source]Client]
}

// New returns a Server without clients: Replace gives them.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	s := &Server{o: o}
	if u, err := url.Parse(o.URL); err == nil {
		s.path = strings.TrimRight(u.Path, "/")
	}
	s.Replace(nil)
	return s
}

// Replace takes over the clients of another configuration.
func (s *Server) Replace(clients map[auth.Source]Client) { s.clients.Store(&clients) }

func (s *Server) client(id auth.Source) Client { return (*s.clients.Load())[id] }

const wellKnown = "/.well-known/oauth-authorization-server"

// Routes registers the server's addresses.
func (s *Server) Routes(mux *http.ServeMux) {
	mux.HandleFunc("/scim/{org}/oauth/token", s.token)
	mux.HandleFunc(wellKnown+"/", s.metadata)
}

// issuer is the authorization server of one organization.
func (s *Server) issuer(org string) string { return s.o.URL + "/scim/" + org }

func (s *Server) endpoint(org string) string { return s.issuer(org) + "/oauth/token" }

// metadata answers with what RFC 8414 section 2 asks for. It is the same for each organization but for its name, and
// says nothing of which there are.
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		write(w, http.StatusMethodNotAllowed, map[string]any{"error": "invalid_request", "error_description": "metadata is read with GET"})
		return
	}
	// RFC 8414 section 3.1: the path of the issuer stands behind the well-known one. A proxy in front may take the
	// path of the public address away.
	rest := strings.TrimPrefix(r.URL.Path, wellKnown)
	if own, ok := strings.CutPrefix(rest, s.path); ok {
		rest = own
	}
	org, ok := strings.CutPrefix(rest, "/scim/")
	if !ok || !isName(org) {
		write(w, http.StatusNotFound, map[string]any{"error": "invalid_request", "error_description": "there is no issuer of that name: it ends in /scim/ORGANIZATION"})
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	write(w, http.StatusOK, map[string]any{
		"issuer":                                s.issuer(org),
		"token_endpoint":                        s.endpoint(org),
		"grant_types_supported":                 []string{grantType},
		"scopes_supported":                      connector.Scopes(),
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "PS256", "ES256", "EdDSA", "Ed25519"},
		// It must be there, and there is no authorization endpoint that would answer with anything.
		"response_types_supported": []string{},
	})
}

// isName reports whether s could be the id of an organization.
func isName(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// write answers with a JSON document.
func write(w http.ResponseWriter, status int, doc any) {
	body, err := json.Marshal(doc)
	if err != nil { // texts and numbers only
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
