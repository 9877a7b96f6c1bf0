package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	if a := b.get("/users?q=ann"); a.StatusCode != http.StatusSeeOther || a.to() != "/admin/login?next=%2Fusers%3Fq%3Dann" {
		t.Fatalf("%d %s", a.StatusCode, a.to())
	}
	w.want(b.get("/login?next=%2Fusers"), http.StatusOK, `name="password"`, `value="/users"`)
	a := b.send(http.MethodPost, "/login", url.Values{"name": {"owner"}, "password": {secret}, "next": {"/users?q=ann"}}, nil)
	if a.StatusCode != http.StatusSeeOther || a.to() != "/admin/users?q=ann" {
		t.Fatalf("%d %s", a.StatusCode, a.to())
	}
	c := a.Cookies()[0]
	if c.Name != "__Host-usherd" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("%+v", c)
	}
	w.want(b.get("/"), http.StatusOK, "Overview", "owner", "Acme Ltd")
	value := b.cookies["__Host-usherd"]
	if a := b.post("/users/x/deactivate", nil); a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusNotFound {
		t.Error(a.StatusCode)
	}
	if a := b.logout(); a.to() != "/admin/login" {
		t.Errorf("%d %s", a.StatusCode, a.to())
	}
	b.cookies["__Host-usherd"] = value // somebody has kept it
	if a := b.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Error("a session outlives its end")
	}
}

// Signing in, failing to, and signing out stand in the audit log, and so does what was done, with who, from where and why.
func TestDeedsAreAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.create("ann", connector.Active)
	w.browser().signIn("owner", "wrong wrong wrong")
	b := w.as("owner")
	b.post(path(u, "/deactivate"), url.Values{"reason": {"left"}})
	b.logout()
	entries := func(org string) (list []string) {
		all, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: org, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range slices.Backward(all) {
			list = append(list, fmt.Sprintf("%s %s %s %s %s", e.Actor.Name, e.Actor.Address, e.Action, e.Target, e.Actor.Reason))
		}
		return list
	}
	want := []string{
		"console 192.0.2.1 sign_in.failed administrator owner ", "console:owner 192.0.2.1 signed_in administrator owner ",
		"console:owner 192.0.2.1 signed_out administrator owner ",
	}
	if got := entries(""); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	want = []string{"test  user.created user " + u.ID.String() + " ", "console:owner 192.0.2.1 user.deactivated user " + u.ID.String() + " left"}
	if got := entries("acme"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// logout uses the form that each page has.
func (b *browser) logout() answer {
	b.w.t.Helper()
	m := keyForm.FindStringSubmatch(b.get("/").text)
	return b.send(http.MethodPost, "/logout", url.Values{"key": {m[1]}}, nil)
}

// Nobody is led elsewhere by what stands in an address.
func TestNextStaysInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, next := range []string{"https://evil.test/", "//evil.test", `/\evil.test`, "javascript:alert(1)", "evil", "", "/%2f/evil.test"} {
		a := w.browser().send(http.MethodPost, "/login", url.Values{"name": {"owner"}, "password": {secret}, "next": {next}}, nil)
		if u, err := url.Parse(a.to()); err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(a.to(), "/admin/") {
			t.Errorf("%q leads to %q", next, a.to())
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("owner")
	for range 23 { // twelve hours, used each half hour but a minute
		w.now = w.now.Add(29 * time.Minute)
		w.want(b.get("/"), http.StatusOK)
	}
	w.now = w.now.Add(60 * time.Minute)
	if a := b.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Error("a session outlives twelve hours")
	}
	b = w.as("owner")
	w.now = w.now.Add(30 * time.Minute)
	if a := b.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Error("a session outlives half an hour of silence")
	}
	b = w.as("helpdesk")
	w.set.Admins = w.set.Admins[:1]
	w.server.Replace(w.set)
	w.want(b.get("/"), http.StatusForbidden, "You have no role here")
	if err := w.db.DropSessions(t.Context(), w.now.Add(13*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if a := b.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Error(a.StatusCode)
	}
}

// A wrong name, a wrong password and too many tries are answered alike, and the lock holds for the right password too.
func TestSignInIsLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	first := b.signIn("nobody", secret)
	w.want(first, http.StatusUnauthorized, "Name or password is wrong")
	for range 10 {
		a := b.signIn("owner", "wrong wrong wrong")
		if a.StatusCode != first.StatusCode || strings.ReplaceAll(a.text, "owner", "nobody") != first.text {
			t.Fatal("a wrong password is told apart from a wrong name")
		}
	}
	a := b.signIn("owner", secret)
	if a.StatusCode != first.StatusCode || strings.ReplaceAll(a.text, "owner", "nobody") != first.text {
		t.Fatal("a locked name is told apart")
	}
	b.from = "198.51.100.7"
	if a := b.signIn("owner", secret); a.StatusCode != http.StatusUnauthorized {
		t.Error("the lock is of an address only")
	}
	if a := b.signIn("root", secret); a.StatusCode != http.StatusSeeOther {
		t.Error("the lock is of everybody")
	}
	w.now = w.now.Add(15*time.Minute + time.Second)
	if a := w.browser().signIn("owner", secret); a.StatusCode != http.StatusSeeOther {
		t.Error("the lock does not end")
	}
}

// An address that tries many names is stopped too.
func TestAddressIsLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	for i := range 30 {
		b.signIn(strings.Repeat("x", i+1), "wrong wrong wrong")
	}
	if a := b.signIn("root", secret); a.StatusCode != http.StatusUnauthorized {
		t.Error(a.StatusCode)
	}
	b.from = "198.51.100.7"
	if a := b.signIn("root", secret); a.StatusCode != http.StatusSeeOther {
		t.Error(a.StatusCode)
	}
}

func TestFormsAreGoodOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.create("ann", connector.Active)
	b := w.as("owner")
	target := path(u, "/deactivate")
	key := keyForm.FindStringSubmatch(b.get(target).text)[1]
	send := func(b *browser, key string, header http.Header) answer {
		return b.send(http.MethodPost, target, url.Values{"key": {key}, "reason": {"left"}}, header)
	}
	other := w.as("root")
	w.want(send(other, key, nil), http.StatusForbidden, "not from your session")
	w.want(send(b, "", nil), http.StatusForbidden)
	w.want(send(b, key[:10], nil), http.StatusForbidden)
	w.want(send(b, key, http.Header{"Sec-Fetch-Site": {"cross-site"}}), http.StatusForbidden, "another site")
	if w.user("ann").State != connector.Active {
		t.Fatal("it was done")
	}
	if a := send(b, key, nil); a.StatusCode != http.StatusSeeOther || w.user("ann").State != connector.Inactive {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	if got := w.user("ann").DeactivatedReason; got != "left" {
		t.Error(got)
	}
	w.want(send(b, key, nil), http.StatusConflict, "sent already")
	a := b.get(path(u, ""))
	w.want(a, http.StatusOK, `role="status"`, "Given ann is deactivated.")
	w.not(b.get(path(u, "")), `role="status"`)
	key = keyForm.FindStringSubmatch(b.get(path(u, "/reactivate")).text)[1]
	for range 3 {
		w.now = w.now.Add(25 * time.Minute)
		b.get("/")
	}
	w.want(b.send(http.MethodPost, path(u, "/reactivate"), url.Values{"key": {key}}, nil), http.StatusForbidden, "too old")
}

// What is dangerous asks for a sign-in that is not old.
func TestFreshSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.create("ann", connector.Active)
	b := w.as("owner")
	b.post(path(u, "/deactivate"), nil)
	w.now = w.now.Add(11 * time.Minute)
	a := b.get(path(u, "/delete"))
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/admin/reauth?next=") {
		t.Fatalf("%d %s", a.StatusCode, a.to())
	}
	before := b.cookies["__Host-usherd"]
	w.want(b.post("/reauth", url.Values{"password": {"wrong wrong wrong"}}), http.StatusUnauthorized)
	if a := b.post("/reauth", url.Values{"password": {secret}, "next": {path(u, "/delete")}}); a.to() != "/admin"+path(u, "/delete") {
		t.Fatalf("%d %s", a.StatusCode, a.to())
	}
	if b.cookies["__Host-usherd"] == before {
		t.Error("the session is the same")
	}
	w.want(b.get(path(u, "/delete")), http.StatusOK, "Delete 1 person")
	if a := b.post(path(u, "/delete"), nil); a.to() != "/admin/users" {
		t.Errorf("%d %s\n%s", a.StatusCode, a.to(), a.text)
	}
}

func TestPagesKeepToThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("owner")
	for _, target := range []string{"/", "/login", "/users", "/nothing"} {
		h := b.get(target).Header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Strict-Transport-Security": "max-age=", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if !strings.HasPrefix(h.Get(name), want) {
				t.Errorf("%s: %s: %q", target, name, h.Get(name))
			}
		}
		if len(h.Get("X-Request-Id")) != 36 {
			t.Error(h)
		}
	}
	w.want(b.get("/nothing"), http.StatusNotFound, "no such page")
	w.not(b.get("/"), " style=", " onclick=", "<script>")
}

// With several organizations, each link says which one it is about.
func TestOrganizations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("ann", connector.Active)
	b := w.as("root")
	w.want(b.get("/users"), http.StatusOK, "Given ann", `<option value="other">Other Inc</option>`, "org=acme")
	a := b.get("/users?org=other&lang=en")
	w.want(a, http.StatusOK, "There is nobody here", "/admin/?org=other")
	w.not(a, "Given ann")
	w.want(b.get("/users?org=none"), http.StatusNotFound)
	one := w.as("helpdesk")
	w.not(one.get("/users"), "org=", "Other Inc")
	w.want(one.get("/users?org=other"), http.StatusNotFound)
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("owner")
	w.want(b.get("/?lang=pl"), http.StatusOK, `<html lang="pl">`, "Przegląd")
	w.want(b.get("/users"), http.StatusOK, `<html lang="pl">`)
	key := keyForm.FindStringSubmatch(b.get("/").text)[1]
	if a := b.send(http.MethodPost, "/preferences", url.Values{"key": {key}, "theme": {"dark"}, "next": {"/admin/users?q=x"}}, nil); a.to() != "/admin/users?q=x" {
		t.Error(a.to())
	}
	w.want(b.get("/"), http.StatusOK, `data-theme="dark"`)
}
