package auth

import (
	"net/http"
	"slices"
	"strings"

	"usherd/connector"
)

// bearer returns what Authorization says: Bearer TOKEN, Basic with the token as the password, or the token alone, as
// clients send it whose administrator pastes the whole header.
func bearer(r *http.Request) (token string, ok bool) {
	lines := r.Header["Authorization"]
	if len(lines) != 1 {
		return "", false // two could mean two clients
	}
	line := strings.TrimSpace(lines[0])
	scheme, rest, two := strings.Cut(line, " ")
	switch {
	case two && strings.EqualFold(scheme, "Bearer"):
		rest = strings.TrimSpace(rest)
		return rest, rest != ""
	case two && strings.EqualFold(scheme, "Basic"):
		_, password, ok := r.BasicAuth()
		return password, ok && password != ""
	case two:
		return "", false
	}
	_, ok = connector.HashToken(line)
	return line, ok
}

// writes reports whether a request may change something. What is not known to read only writes.
func writes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	case http.MethodPost:
		return !strings.HasSuffix(strings.TrimRight(r.URL.Path, "/"), "/.search")
	}
	return true
}

func mayWrite(scopes []string) bool { return slices.Contains(scopes, connector.ScopeAll) }
