package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/page"
)

func request(target, cookie, accept string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "usherd-lang", Value: cookie})
	}
	if accept != "" {
		r.Header.Set("Accept-Language", accept)
	}
	return r
}

// ?lang= comes before what was chosen before, that before what the browser asks for, and that before the organization.
func TestLanguageOfAPage(t *testing.T) {
	t.Parallel()
	org := []string{"pl", "en"}
	for _, c := range []struct{ target, cookie, accept, want string }{
		{"/?lang=sv", "pt-BR", "en", "sv"},
		{"/?lang=PT-br", "", "", "pt-BR"},
		{"/?lang=xx", "pt-BR", "en", "pt-BR"},
		{"/", "nonsense", "sv-FI,en;q=0.5", "sv"},
		{"/", "", "da", "pl"},
		{"/", "", "da,sv;q=0.5", "sv"},
		{"/", "", "", "pl"},
	} {
		if got := page.Language(request(c.target, c.cookie, c.accept), org); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := page.Language(request("/", "", ""), nil); got != "en" {
		t.Error(got)
	}
}

func TestLanguageIsRemembered(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{"/?lang=sv": "sv", "/?lang=xx": "", "/": ""} {
		w := httptest.NewRecorder()
		page.Remember(w, request(target, "", ""), "/usherd/", true)
		got := ""
		for _, c := range w.Result().Cookies() {
			if got = c.Value; c.Path != "/usherd/" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
				t.Errorf("%+v", c)
			}
		}
		if got != want {
			t.Errorf("%s: %q", target, got)
		}
	}
}

func TestChoicesKeepTheQuery(t *testing.T) {
	t.Parallel()
	list := page.Choices(request("/x?a=1&lang=en&b=%26", "", ""), "sv")
	if len(list) != len(failure.Languages()) {
		t.Fatal(list)
	}
	for _, c := range list {
		if c.Current != (c.Tag == "sv") || c.Address != "?a=1&b=%26&lang="+c.Tag || c.Name == "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestPagesAreEscapedAndComplete(t *testing.T) {
	t.Parallel()
	texts := fstest.MapFS{"pages/x.html": {Data: []byte(`{{define "title"}}{{.T "own.hi"}}{{end}}{{define "main"}}{{template "failure" .Body}}{{.N "own.days" 5}}{{end}}`)}}
	for _, lang := range failure.Languages() {
		texts["texts/own/"+lang+".json"] = &fstest.MapFile{Data: []byte(`{"hi":"Hi ` + lang + `","days":{"one":"one","few":"few","many":"many","other":"{{.PluralCount}} other"}}`)}
	}
	set, err := page.Load(texts)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := failure.New()
	if err != nil {
		t.Fatal(err)
	}
	f := connector.Failure{Code: 31, Reason: connector.NoSeat, Package: `<b>"gold"`, Ref: "7K2M-9QXA", At: time.Unix(0, 0)}
	card := set.Failure(cat, f, []connector.Failure{{Code: 31, Reason: connector.AccountPendingApproval}}, connector.Contact{URL: "javascript:alert(1)"}, "pl")
	text, err := set.Render("x", page.View{Lang: "pl", Organization: "<Acme>", Static: "/s", Body: card, Choices: page.Choices(request("/", "", ""), "pl")})
	if err != nil {
		t.Fatal(err)
	}
	html := string(text)
	for _, want := range []string{
		`<html lang="pl">`, "<title>Hi pl</title>", "&lt;Acme&gt;", "many", `href="/s/` + set.Asset("page.css") + `"`, "7K2M-9QXA", "#ZgotmplZ", "Kopiuj tekst", `hreflang="sv"`,
		"1970-01-01 00:00:00Z",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("there is no %s in\n%s", want, html)
		}
	}
	if strings.Contains(html, "<b>") || strings.Contains(html, `href="javascript`) {
		t.Errorf("not escaped:\n%s", html)
	}
	if _, err := set.Render("y", page.View{}); err == nil {
		t.Error("a page that there is not")
	}
	delete(texts, "texts/own/sv.json")
	if _, err := page.Load(texts); err == nil {
		t.Error("a language is missing")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	var l page.Limits
	now, rate := time.Unix(1000, 0), page.Rate{PerSecond: 1, Burst: 2}
	take := func(key string, want bool) {
		t.Helper()
		if l.Take(key, rate, now) != want {
			t.Errorf("%s: %v", key, !want)
		}
	}
	take("a", true)
	take("a", true)
	take("a", false)
	take("b", true)
	now = now.Add(time.Second)
	take("a", true)
	take("a", false)
	now = now.Add(-time.Hour)
	take("a", false)
	if page.Network("2001:db8::1") != page.Network("2001:db8::2") || page.Network("2001:db8::1") == page.Network("2001:db8:0:1::1") || page.Network("192.0.2.1") != "192.0.2.1" {
		t.Error("networks")
	}
}

// However many processes answer, all together let through what one would.
func TestLimitsAreSharedOut(t *testing.T) {
	t.Parallel()
	rate := page.Rate{PerSecond: 2, Burst: 12}
	for _, replicas := range []int{0, 1, 2, 3, 4} {
		all := make([]page.Limits, max(replicas, 1))
		now, passed := time.Unix(1000, 0), 0
		for i := range all {
			all[i].Share(replicas)
			for range 20 {
				if all[i].Take("a", rate, now) {
					passed++
				}
			}
		}
		now = now.Add(2 * time.Second)
		later := 0
		for i := range all {
			for range 20 {
				if all[i].Take("a", rate, now) {
					later++
				}
			}
		}
		if passed != 12 || later > 4 || later < 4-len(all)+1 {
			t.Errorf("%d replicas: %d at once, %d in two seconds", replicas, passed, later)
		}
	}
	var l page.Limits // one that is shared from then on has no more than its part
	now := time.Unix(1000, 0)
	l.Take("a", rate, now)
	l.Share(6)
	for n, want := range []bool{true, true, false} {
		if l.Take("a", rate, now) != want {
			t.Errorf("%d after sharing: %v", n, !want)
		}
	}
	l.Share(100)
	if !l.Take("b", rate, now) || l.Take("b", rate, now) {
		t.Error("a small part is one request")
	}
}

// The name of a static file says what is in it: only by that name is it kept for good.
func TestStaticFilesAreNamedByWhatIsInThem(t *testing.T) {
	t.Parallel()
	set, err := page.Load(fstest.MapFS{"static/own.css": {Data: []byte("a{}")}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /s/{file}", set.Static)
	get := func(name string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, request("/s/"+name, "", ""))
		return w
	}
	before := set.Asset("own.css")
	if a := get(before); a.Code != http.StatusOK || !strings.Contains(a.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(a.Header().Get("Content-Type"), "text/css") {
		t.Errorf("%d %v", a.Code, a.Header())
	}
	set.Append("own.css", "b{}")
	if set.Asset("own.css") == before {
		t.Error("another text has the same name")
	}
	if a := get(before); a.Code != http.StatusOK || a.Header().Get("Cache-Control") != "" {
		t.Errorf("of another version: %d %v", a.Code, a.Header())
	}
	for _, name := range []string{"own.css", "other.abc.css", "page.go", "..%2fpage.html"} {
		if a := get(name); a.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, a.Code)
		}
	}
	if set.Asset("none.css") != "none.css" {
		t.Error("what there is not has another name")
	}
}
