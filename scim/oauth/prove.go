package oauth

import (
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"usherd/scim/auth"
)

// proof is a client that has proven who it is.
type proof struct {
	client    *auth.Client
	assertion assertion // zero where it has a secret
}

// readForm reads the parameters, each of which may stand once (RFC 6749 section 3.2); an empty one is none. What
// stands in the address is not looked at: secrets do not belong there.
func readForm(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	if r.Method != http.MethodPost {
		return nil, &refusal{
			status: http.StatusMethodNotAllowed, code: invalidRequest, detail: "the token endpoint is asked with POST",
			header: http.Header{"Allow": {http.MethodPost}},
		}
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return nil, refuse(invalidRequest, "send the parameters as application/x-www-form-urlencoded")
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyBytes)
	if err := r.ParseForm(); err != nil {
		return nil, refuse(invalidRequest, "the body is no form, or too large")
	}
	form := map[string]string{}
	for name, values := range r.PostForm {
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
		if len(values) > 1 {
			return nil, refuse(invalidRequest, "a parameter stands twice in the body")
		}
		if len(values) == 1 {
			form[name] = values[0]
		}
	}
	return form, nil
}

// prove finds out who the client is. It may show that in one way only (RFC 6749 section 2.3).
func (s *Server) prove(r *http.Request, form map[string]string) (proof, error) {
	ways := 0
	for _, used := range [...]bool{len(r.Header["Authorization"]) > 0, form["client_secret"] != "", form["client_assertion"] != ""} {
		if used {
			ways++
		}
	}
	switch {
	case ways == 0:
		return proof{}, refuse(invalidClient, "the client does not say who it is: send client_id and client_secret, or a signed client_assertion")
	case ways > 1:
		return proof{}, refuse(invalidRequest, "the client says who it is in more than one way: use one")
	case form["client_assertion"] != "":
		return s.signed(r, form)
	}
	id, secret := form["client_id"], form["client_secret"]
	if secret == "" {
		var ok bool
		if id, secret, ok = basic(r); !ok {
			return proof{}, refuse(invalidClient, "Authorization is not Basic with client_id and client_secret, each URL-encoded")
		}
		if given := form["client_id"]; given != "" && given != id {
			return proof{}, refuse(invalidRequest, "client_id is another one in the header than in the body")
		}
	}
	return s.secret(r, id, secret)
}

// basic reads client_secret_basic: both halves are URL-encoded before they are joined (RFC 6749 section 2.3.1).
func basic(r *http.Request) (id, secret string, ok bool) {
	if len(r.Header["Authorization"]) != 1 {
		return "", "", false
	}
	id, secret, ok = r.BasicAuth()
	id, errID := url.QueryUnescape(id)
	secret, errSecret := url.QueryUnescape(secret)
	return id, secret, ok && errID == nil && errSecret == nil
}

// secret is a client with a client secret.
func (s *Server) secret(r *http.Request, id, secret string) (proof, error) {
	org := r.PathValue("org")
	c, err := s.o.Gate.Secret(r, org, secret)
	if err != nil {
		return proof{}, err
	}
	if source, ok := sourceOf(org, id); !ok || source != c.Source {
		s.o.Gate.Failed(r)
		return proof{}, refuse(invalidClient, "client_id and client_secret do not belong together: client_id is ORGANIZATION/SOURCE")
	}
	s.seen(r, c.Source, c.Address)
	return proof{client: c}, nil
}

// signed is a client with an assertion that it has signed (RFC 7523 section 2.2).
func (s *Server) signed(r *http.Request, form map[string]string) (proof, error) {
	if form["client_assertion_type"] != assertionType {
		return proof{}, refuse(invalidRequest, "client_assertion_type must be "+assertionType)
	}
	org, token := r.PathValue("org"), form["client_assertion"]
	_, _, claims, _, err := split(token)
	if err != nil {
		return proof{}, refuse(invalidClient, err.Error())
	}
	var id string // who it says that it is, until the signature has shown it
	if !text(claims["iss"], &id) || form["client_id"] != "" && form["client_id"] != id {
		return proof{}, refuse(invalidClient, "iss must be the client_id")
	}
	source, ok := sourceOf(org, id)
	keys := s.client(source).Keys
	if !ok || len(keys) == 0 {
		return proof{}, refuse(invalidClient, "there is no such client with keys at this address: client_id is ORGANIZATION/SOURCE, and the source needs oauth.keys_file")
	}
	if err := s.o.Gate.Try(r, source); err != nil { // a signature is the dearest that a stranger can have checked
		return proof{}, err
	}
	a, err := verify(token, keys, id, []string{s.endpoint(org), s.issuer(org)}, s.o.Now())
	if err != nil {
		s.o.Gate.Failed(r)
		return proof{}, refuse(invalidClient, err.Error())
	}
	c, err := s.o.Gate.Vouched(r, source)
	if err != nil {
		return proof{}, err
	}
	s.seen(r, source, c.Address)
	return proof{client: c, assertion: a}, nil
}

func (s *Server) seen(r *http.Request, client auth.Source, address netip.Addr) {
	if s.o.Seen != nil {
		s.o.Seen(r, client, address)
	}
}

// sourceOf reads a client_id: ORGANIZATION/SOURCE, or SOURCE alone, since the address names the organization.
func sourceOf(org, id string) (auth.Source, bool) {
	before, after, both := strings.Cut(id, "/")
	if !both {
		return auth.Source{Org: org, ID: id}, id != ""
	}
	return auth.Source{Org: org, ID: after}, before == org && after != ""
}
