package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

const consolePassword = "a password for tests only"

// passwordHash is what the command prints for a password that is piped into it.
func (r *rig) passwordHash(password string, want int) string {
	r.t.Helper()
	var out, errs bytes.Buffer
	a := r.app(&out, &errs)
	a.in = strings.NewReader(password + "\n")
	if code := a.run(r.t.Context(), []string{"console", "password"}); code != want {
		r.t.Fatalf("%d: %s", code, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// administrator is a browser at the console of the daemon.
type administrator struct {
	t      *testing.T
	url    string
	client *http.Client
}

func newAdministrator(t *testing.T, url string) *administrator {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &administrator{t, url, &http.Client{Jar: jar}}
}

// send sends a request and reads the page that comes at last, which has to be of that status.
func (x *administrator) send(status int, method, path string, form url.Values) string {
	x.t.Helper()
	r, err := http.NewRequestWithContext(x.t.Context(), method, x.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		x.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := x.client.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		x.t.Fatalf("%s %s: %s, want %d, %v\n%s", method, path, answer.Status, status, err, text)
	}
	return string(text)
}

var formKey = regexp.MustCompile(`name="key" value="([^"]+)"`)

// do sends the form of a page.
func (x *administrator) do(status int, path string, form url.Values) string {
	x.t.Helper()
	form.Set("key", formKey.FindStringSubmatch(x.send(http.StatusOK, http.MethodGet, path, nil))[1])
	return x.send(status, http.MethodPost, path, form)
}

func (x *administrator) signIn(name string) {
	x.t.Helper()
	x.send(http.StatusOK, http.MethodPost, "/login", url.Values{"name": {name}, "password": {consolePassword}})
}

// An administrator signs in to the console of a daemon, finds somebody whom a directory has brought, and takes the access away; the
// audit trail tells who it was. A reload gives another one a role, and takes it away.
func TestConsoleOfADaemon(t *testing.T) {
	t.Parallel()
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 30)
	config := oneSource(patient(block))
	r := newRig(t, config)
	hash := r.passwordHash(consolePassword, exitOK)
	r.passwordHash("short", exitUsage)
	withConsole := func(role string) string {
		return strings.Replace(config, "organizations:", `console:
  listen: 127.0.0.1:0
  url: http://127.0.0.1:1
  admins:
  - {name: root, password_hash: "`+hash+`", role: owner}
  - {name: ann, password_hash: "`+hash+`", role: `+role+`}
organizations:`, 1)
	}
	r.configure(withConsole("auditor"))
	r.must(exitOK, "sync", "-q")
	d := r.daemon(t)
	base := "http://" + d.log.find(t, "console listens")["listen"].(string)
	root, ann := newAdministrator(t, base), newAdministrator(t, base)
	root.signIn("root")
	var one userJSON
	for _, one = range r.users() {
	}
	if page := root.send(http.StatusOK, http.MethodGet, "/users?q="+url.QueryEscape(one.UserName), nil); !strings.Contains(page, "/users/"+one.ID) {
		t.Fatalf("%s is not found in\n%s", one.UserName, page)
	}
	ann.signIn("ann")
	ann.send(http.StatusForbidden, http.MethodGet, "/users/"+one.ID+"/deactivate", nil)
	if page := root.do(http.StatusOK, "/users/"+one.ID+"/deactivate", url.Values{"reason": {"left"}}); !strings.Contains(page, "is deactivated") {
		t.Error(page)
	}
	if got := r.show(one.UserName); got.State != connector.Inactive {
		t.Error(got.State)
	}
	if trail := r.must(exitOK, "audit"); !strings.Contains(trail, "console:root") || !strings.Contains(trail, "user.deactivated") {
		t.Error(trail)
	}
	r.configure(withConsole("operator"))
	r.must(exitOK, "reload")
	ann.do(http.StatusOK, "/users/"+one.ID+"/reactivate", url.Values{})
	r.configure(config)
	r.must(exitOK, "reload")
	ann.send(http.StatusForbidden, http.MethodGet, "/", nil)
	d.end()
	r.verify()
}
