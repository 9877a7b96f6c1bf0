package api_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/provision"
)

var update = flag.Bool("update", false, "write golden files anew")

// provisionBy is what somebody at a terminal does to a user.
func provisionBy(user connector.ID) provision.Command {
	return provision.Command{User: user, Actor: "cli:test"}
}

// document is as much of the OpenAPI document as the tests look at.
type document struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string                     `json:"operationId"`
		Security    []map[string][]string      `json:"security"`
		Responses   map[string]json.RawMessage `json:"responses"`
	} `json:"paths"`
}

func readDocument(t *testing.T) document {
	t.Helper()
	text, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDocumentIsFresh holds openapi.json against the Go types.
func TestDocumentIsFresh(t *testing.T) {
	t.Parallel()
	got, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("openapi.json is not as the types say (-want +got); go test -update writes it anew:\n%s", diff)
	}
}

// Everybody may read the document, and nothing else.
func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	stranger := &client{w: w}
	r := stranger.want(http.StatusOK, http.MethodGet, "/openapi.json", nil)
	if want, err := api.Document(); err != nil || string(r.body) != string(want) || r.Header.Get("Content-Type") != "application/openapi+json" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	stranger.refused(http.StatusNotFound, "not_found", http.MethodGet, "/docs", nil)
	stranger.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/everything", nil)
	if r := stranger.do(http.MethodPut, "/orgs/acme/users", nil); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != http.MethodGet {
		t.Errorf("%s %s", r.Status, r.Header)
	}
}

// at fills in the parameters of a path with what nobody has.
func at(path string) string {
	path = strings.TrimPrefix(path, "/api/v1")
	path = strings.ReplaceAll(path, "{org}", "acme")
	for strings.Contains(path, "{") {
		from, to := strings.Index(path, "{"), strings.Index(path, "}")
		path = path[:from] + "00000000-0000-7000-8000-000000000000" + path[to+1:]
	}
	return path
}

// Each scope opens the operations that name it and no others; without a token, or with that of another organization, none.
func TestEachScopeOpensItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	clients := map[string]*client{}
	for _, scope := range connector.APIScopes() {
		clients[scope] = w.client("acme", scope)
	}
	other, stranger, n := w.client("beta"), &client{w: w}, 0
	for path, methods := range readDocument(t).Paths {
		for method, op := range methods {
			if len(op.Security) == 0 {
				continue
			}
			needs := op.Security[0]["token"][0]
			method = strings.ToUpper(method)
			for scope, c := range clients {
				r := c.do(method, at(path), "{}")
				denied := r.StatusCode == http.StatusForbidden && strings.Contains(string(r.body), `"reason":"scope"`)
				if denied == (scope == needs) || r.StatusCode >= 500 {
					t.Errorf("%s %s with scope %s: %s, it needs %s\n%s", method, path, scope, r.Status, needs, r.body)
				}
				if denied && !strings.Contains(r.Header.Get("WWW-Authenticate"), `scope="`+needs+`"`) {
					t.Errorf("%s %s: %s", method, path, r.Header)
				}
				n++
			}
			other.refused(http.StatusNotFound, "other_organization", method, at(path), "{}")
			p := stranger.refused(http.StatusUnauthorized, "no_token", method, at(path), "{}")
			if p.Code != 0 {
				t.Errorf("%+v", p)
			}
		}
	}
	if n < len(clients) {
		t.Errorf("only %d were tried", n)
	}
}

// What is wrong is told by place, and never repeated.
func TestWrongRequestsAreToldByPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme")
	for path, location := range map[string]string{
		"/orgs/acme/users?limit=0":                              "query.limit",
		"/orgs/acme/users?limit=1000000":                        "query.limit",
		"/orgs/acme/users?limit=x":                              "query.limit",
		"/orgs/acme/users?state=asleep":                         "query.state",
		"/orgs/acme/users?after=%21%21":                         "query.after",
		"/orgs/acme/users?secret=hunter2":                       "query.secret",
		"/orgs/acme/users?search=a%00b":                         "request",
		"/orgs/acme/users?search=%ff":                           "request",
		"/orgs/acme/users/%00":                                  "request",
		"/orgs/acme/users?search=" + long(400):                  "query.search",
		"/orgs/acme/users/" + long(600):                         "path.user",
		"/orgs/acme/users/x/history?after=-1":                   "query.after",
		"/orgs/acme/users/x/history?after=99999999999999999999": "query.after",
	} {
		p := c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, path, nil)
		if len(p.Errors) == 0 || p.Errors[0].Location != location {
			t.Errorf("%s: %+v", path, p.Errors)
		}
		for _, e := range p.Errors {
			if strings.Contains(e.Message, "hunter2") || len(e.Message) > 200 {
				t.Errorf("%s: %s", path, e.Message)
			}
		}
	}
	// A place that is well-formed and was never given.
	for _, after := range []string{"e30", "bnVsbA", "eyJrIjo5OTl9", "W10", "eyJrIjoxLCJ2IjoiXHUwMDAwIn0"} {
		if r := c.do(http.MethodGet, "/orgs/acme/users?after="+after, nil); r.StatusCode >= 500 {
			t.Errorf("%s: %s %s", after, r.Status, r.body)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }
