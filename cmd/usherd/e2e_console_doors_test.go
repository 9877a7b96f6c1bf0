package main

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"usherd/internal/testproc"
)

// doorsConfig has a source that pushes, and one by which people sign in. PORT is that of the door for them, HASH of a password.
const doorsConfig = `listen: 127.0.0.1:0
store: sqlite:$DIR/usherd.db
scim: {listen: "127.0.0.1:0", url: "https://scim.acme.test"}
sso: {listen: "127.0.0.1:PORT", url: "http://127.0.0.1:PORT"}
console:
  listen: 127.0.0.1:0
  url: http://127.0.0.1:1
  admins:
  - {name: root, password_hash: "HASH", role: owner}
  - {name: audit, password_hash: "HASH", role: auditor}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: unlimited}]
  package: standard
  sources:
  - id: okta
    scim: {log: {bodies: true}}
  - id: login
    saml: {entity_id: "https://idp.acme.test/", sso_url: "https://idp.acme.test/sso", certificate_files: [$DIR/idp/server.crt], application: "https://app.acme.test/"}
`

var madeToken = regexp.MustCompile(`usherd_scim_[0-9A-Za-z]{49}`)

// An owner makes a token in the console of a daemon, by which an identity provider pushes; what it asked is found there, and what was
// refused at the door for sign-in too. Another token takes its place, and the first opens nothing any more.
func TestConsoleTellsOfTheDoors(t *testing.T) {
	t.Parallel()
	ports, err := testproc.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(ports[0])
	r := newRig(t, strings.NewReplacer("PORT", port, "HASH", "").Replace(doorsConfig))
	if err := testproc.WriteCertificate(filepath.Join(r.dir, "idp"), "idp.acme.test", "127.0.0.1", true); err != nil {
		t.Fatal(err)
	}
	r.configure(strings.NewReplacer("PORT", port, "HASH", r.passwordHash(consolePassword, exitOK)).Replace(doorsConfig))
	d := r.daemon(t)
	base := "http://" + d.log.find(t, "console listens")["listen"].(string)
	root, auditor := newAdministrator(t, base), newAdministrator(t, base)
	root.signIn("root")
	auditor.signIn("audit")
	has := func(page string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Errorf("there is no %q in\n%s", text, page)
			}
		}
	}
	has(root.do(http.StatusUnprocessableEntity, "/tokens/new?for=okta", url.Values{"kind": {"token"}, "expires": {"soon"}}), "Choose how long it lives")
	page := root.do(http.StatusOK, "/tokens/new?for=okta", url.Values{"kind": {"token"}, "scope": {"scim"}, "expires": {"90d"}, "name": {"Okta"}})
	has(page, "https://scim.acme.test/scim/acme/v2")
	token := madeToken.FindString(page)
	talk(t, http.MethodGet, d.door()+"/scim/acme/v2/Users?filter=userName+eq+%22ann@acme.test%22", token, nil, http.StatusOK, nil)
	talk(t, http.MethodGet, d.door()+"/scim/acme/v2/Users/nobody", token, nil, http.StatusNotFound, nil)
	id := regexp.MustCompile(`/scim/requests/([0-9a-f-]{36})`)
	var one string
	until(t, "the log tells of the request", func() bool { // it is written a moment after each answer
		m := id.FindStringSubmatch(root.send(http.StatusOK, http.MethodGet, "/scim/requests?client=okta&status=404", nil))
		if m != nil {
			one = m[0]
		}
		return m != nil
	})
	has(root.send(http.StatusOK, http.MethodGet, one, nil), "GET /Users/nobody", "Copy error text", "&#34;status&#34;: &#34;404&#34;")
	has(root.send(http.StatusOK, http.MethodGet, "/scim/clients/okta", nil), "with bodies", "Okta", "ann@acme.test", ">404<")
	if page := auditor.send(http.StatusOK, http.MethodGet, "/scim/requests", nil); strings.Contains(page, "ann@") {
		t.Error("an auditor sees whom the client looked for")
	}
	auditor.send(http.StatusForbidden, http.MethodGet, "/tokens", nil)

	talk(t, http.MethodGet, "http://127.0.0.1:"+port+"/saml/acme/login/acs", "", nil, http.StatusMethodNotAllowed, nil)
	has(root.send(http.StatusOK, http.MethodGet, "/sso/idps/login", nil), "People can sign in", "http://127.0.0.1:"+port+"/saml/acme/login/acs", "https://idp.acme.test/", "idp.acme.test", "Refused (")
	has(root.do(http.StatusOK, "/sso/idps/login/test", url.Values{}), "Identity provider", "Signing certificate")
	attempt := regexp.MustCompile(`/sso/attempts/[0-9a-f-]{36}`).FindString(root.send(http.StatusOK, http.MethodGet, "/sso/attempts?result=refused", nil))
	has(root.send(http.StatusOK, http.MethodGet, attempt, nil), "Received", "Not reached", "Copy error text")

	old := regexp.MustCompile(`/tokens/[0-9a-f-]{36}/rotate`).FindString(root.send(http.StatusOK, http.MethodGet, "/tokens", nil))
	next := madeToken.FindString(root.do(http.StatusOK, old, url.Values{"choice": {"0s"}}))
	talk(t, http.MethodGet, d.door()+"/scim/acme/v2/Users", next, nil, http.StatusOK, nil)
	until(t, "the first token opens nothing", func() bool { return answers(t, d.door()+"/scim/acme/v2/Users", token) == http.StatusUnauthorized })
	has(root.send(http.StatusOK, http.MethodGet, "/audit/export.csv?action=token.created", nil), "replaces: ", "console:root")
	d.end()
	r.verify()
}

// answers is the status with which a door answers a token.
func answers(t *testing.T, address, token string) int {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	return a.StatusCode
}
