package oauth

import (
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/scim/auth"
)

const (
	grantType     = "client_credentials"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	bodyBytes     = 16 << 10
	usualLife     = 10 * time.Minute
)

// refusal is an error response of RFC 6749 section 5.2.
type refusal struct {
	status int
	code   string
	detail string
	header http.Header
	err    error // what went wrong with us; for the log
}

func (e *refusal) Error() string { return e.code + ": " + e.detail }

func refuse(code, detail string) *refusal {
	status := http.StatusBadRequest
	if code == invalidClient {
		status = http.StatusUnauthorized
	}
	return &refusal{status: status, code: code, detail: detail}
}

// The codes of RFC 6749 section 5.2; temporarily_unavailable is that of section 4.1.2.1, for which 5.2 has none.
const (
	invalidRequest = "invalid_request"
	invalidClient  = "invalid_client"
	unsupported    = "unsupported_grant_type"
	invalidScope   = "invalid_scope"
	unavailable    = "temporarily_unavailable"
	serverError    = "server_error"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	answer, err := s.grant(w, r)
	if err == nil {
		write(w, http.StatusOK, answer)
		return
	}
	if known, ok := errors.AsType[*auth.Error](err); ok && known.Source != (auth.Source{}) {
		s.seen(r, known.Source, netip.Addr{})
	}
	e := told(err)
	if e.err != nil {
		s.o.Log.Error("no access token could be given out", zap.String("org", r.PathValue("org")), zap.Error(e.err))
	}
	maps.Copy(h, e.header)
	if e.status == http.StatusUnauthorized { // RFC 6749 section 5.2, RFC 9110 section 15.5.2
		h.Set("WWW-Authenticate", `Basic realm="usherd", charset="UTF-8"`)
	}
	write(w, e.status, map[string]string{"error": e.code, "error_description": plain(e.detail)})
}

// told turns any error into an answer. Who a client could not prove to be is all one to RFC 6749.
func told(err error) *refusal {
	if e, ok := errors.AsType[*refusal](err); ok {
		return e
	}
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		return &refusal{status: http.StatusInternalServerError, code: serverError, detail: "something is wrong with usherd: see its log", err: err}
	}
	if e.Status != http.StatusTooManyRequests && e.Status != http.StatusServiceUnavailable {
		return refuse(invalidClient, e.Detail)
	}
	out := &refusal{status: e.Status, code: unavailable, detail: e.Detail, header: http.Header{}, err: e.Err}
	e.Header(out.header)
	return out
}

// plain keeps what RFC 6749 section 5.2 allows in a description.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < 0x20 || r > 0x7e || r == '\\':
			return '?'
		}
		return r
	}, s)
}

// grant checks a request and gives out a token.
func (s *Server) grant(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	form, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	switch form["grant_type"] {
	case grantType:
	case "":
		return nil, refuse(invalidRequest, "grant_type is missing: it is client_credentials")
	default:
		return nil, refuse(unsupported, "the only grant_type here is client_credentials")
	}
	p, err := s.prove(r, form)
	if err != nil {
		return nil, err
	}
	scopes, err := grantedScopes(form["scope"], p.client.Scopes)
	if err != nil {
		return nil, err
	}
	leave, err := s.o.Gate.Admit(r.Context(), p.client)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := s.o.Gate.Issue(p.client); err != nil {
		return nil, err
	}
	if err := s.useOnce(r, p); err != nil {
		return nil, err
	}
	return s.issue(r, p, scopes)
}

// useOnce refuses an assertion that was used before. It is the last check, so that whoever is told to wait may use
// it again.
func (s *Server) useOnce(r *http.Request, p proof) error {
	if p.assertion.id == "" {
		return nil
	}
	hash := sha256.Sum256([]byte(p.assertion.id))
	fresh, err := s.o.Store.UseAssertion(r.Context(), p.client.Org, p.client.ID, hash[:], p.assertion.end.Add(clockSkew))
	if err == nil && !fresh {
		err = refuse(invalidClient, "the assertion was used before: sign one with a jti of its own for each request")
	}
	return err
}

// issue makes the access token.
func (s *Server) issue(r *http.Request, p proof, scopes []string) (map[string]any, error) {
	now := s.o.Now().UTC()
	life := s.client(p.client.Source).Lifetime
	if life <= 0 {
		life = usualLife
	}
	ends := now.Add(life)
	if !p.client.EndsAt.IsZero() && p.client.EndsAt.Before(ends) {
		ends = p.client.EndsAt
	}
	secret, hash := connector.NewToken()
	err := s.o.Store.AddToken(r.Context(), connector.Token{
		ID: connector.NewID(now), Org: p.client.Org, Source: p.client.ID, Kind: connector.AccessToken, Hash: hash, Scopes: scopes,
		Networks: p.client.Networks, Parent: p.client.Token, CreatedAt: now, CreatedBy: "oauth", EndsAt: ends,
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"access_token": secret.Reveal(), "token_type": "Bearer", "expires_in": int(ends.Sub(now) / time.Second), "scope": strings.Join(scopes, " "),
	}, nil
}

// grantedScopes are those of the token: what is asked for, of what the client may have; all of that when it asks
// for nothing (RFC 6749 section 3.3).
func grantedScopes(asked string, may []string) ([]string, error) {
	all := slices.Contains(may, connector.ScopeAll)
	want := strings.Fields(asked)
	for _, w := range want {
		switch {
		case !slices.Contains(connector.Scopes(), w):
			return nil, refuse(invalidScope, "there is no such scope: ask for "+strings.Join(connector.Scopes(), " or "))
		case w == connector.ScopeAll && !all:
			return nil, refuse(invalidScope, "this client may only have "+strings.Join(may, " "))
		}
	}
	if all && (len(want) == 0 || slices.Contains(want, connector.ScopeAll)) {
		return []string{connector.ScopeAll}, nil
	}
	return []string{connector.ScopeRead}, nil
}
