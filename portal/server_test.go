package portal_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"usherd/connector/failure"
)

func TestProblemPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(w.get("/problem/31?org=acme&reason=no_seat&ref=7K2M-9QXA"), http.StatusOK,
		"<h1>Auto account creation failed (31)</h1>", "Ref: 7K2M-9QXA", "help@acme.test", "no_seat", "Acme", `href="/usherd/static/page.`)
	w.want(w.get("/problem/18?lang=sv"), http.StatusOK, "Ditt konto är inaktiverat. Kontakta din systemadministratör", "IT-avdelning", `<html lang="sv">`)
	a := w.get("/problem/31?org=nobody&reason=%3Cscript%3E&ref=%3Cscript%3E")
	w.want(a, http.StatusOK, "(31)</h1>")
	if strings.Contains(a.text, "<script>") || strings.Contains(a.text, "<details>") {
		t.Error(a.text)
	}
	for _, code := range []string{"0", "33", "-1", "x", "99999999999999999999"} {
		w.want(w.get("/problem/"+code), http.StatusNotFound, "There is no such page")
	}
}

func TestPagesKeepToThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, target := range []string{"/", "/problem/18", "/static/page.x.css", "/nothing"} {
		a := w.get(target)
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Strict-Transport-Security": "max-age=", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if !strings.HasPrefix(a.Header.Get(header), want) {
				t.Errorf("%s: %s: %q", target, header, a.Header.Get(header))
			}
		}
	}
	for name, media := range map[string]string{"page.x.css": "text/css", "copy.x.js": "text/javascript"} {
		if a := w.get("/static/" + name); a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), media) {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Content-Type"))
		}
	}
	w.want(w.get("/static/..%2fpage.go"), http.StatusNotFound)
}

// Another site cannot have a browser post here.
func TestOtherSitesCannotPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"} {
		r := httptest.NewRequest(http.MethodPost, "/problem/18", nil)
		r.Header.Set(header, value)
		w.want(w.ask(r), http.StatusForbidden)
	}
}

func TestPagesInAllLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[string]bool{}
	for _, lang := range failure.Languages() {
		a := w.get("/nothing?lang=" + lang)
		w.want(a, http.StatusNotFound, `<html lang="`+lang+`">`)
		if a.Header.Get("Set-Cookie") == "" {
			t.Error("the choice is not remembered")
		}
		_, title, _ := strings.Cut(a.text, "<h1>")
		title, _, _ = strings.Cut(title, "</h1>")
		if seen[title] || title == "" {
			t.Errorf("%s: %q", lang, title)
		}
		seen[title] = true
	}
}
