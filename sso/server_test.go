package sso_test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/sso"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := w.browser()
	request, relay := b.login("?return=/meetings?id=7")
	a := b.post(w.response(ann, request), relay)
	code := w.codeOf(a)
	if to, _ := url.Parse(a.Header.Get("Location")); to.Query().Get("return") != "/meetings?id=7" {
		t.Error(to)
	}
	status, body := w.exchange(code, "corp")
	user, _ := body["user"].(map[string]any)
	if status != http.StatusOK || user["user_name"] != "ann" || user["state"] != "active" || user["package"] != "standard" ||
		body["return"] != "/meetings?id=7" || fmt.Sprint(user["attributes"].(map[string]any)["email"]) != "[ann@acme.test]" {
		t.Errorf("%d %v", status, body)
	}
	if status, _ := w.exchange(code, "corp"); status != http.StatusNotFound {
		t.Errorf("the code a second time: %d", status)
	}
	list := w.attempts()
	if len(list) != 1 || list[0].Code != 0 || list[0].Person != "ann" || list[0].User.String() != user["id"] || list[0].Remote != "192.0.2.7" {
		t.Fatalf("%+v", list)
	}
	if skew, known := list[0].Skew(); !known || skew != 0 {
		t.Errorf("%s %t", skew, known)
	}
	var names []string
	for _, s := range list[0].Steps {
		names = append(names, s.Name+" "+s.Result)
		if strings.Contains(s.Detail, "ann@") || strings.Contains(s.Detail, "e-0001") {
			t.Errorf("a value is in the step %+v", s)
		}
	}
	if got := strings.Join(names, ", "); got != "received ok, signature ok, conditions ok, replay ok, attributes ok, match ok, rules ok, seat ok, created ok" {
		t.Error(got)
	}
	// Again: the same account, which changes with what is said of it.
	w.codeOf(w.signIn(ann.with("title", "Chief")))
	if u := w.user("ann"); u.Profile.Get("title") != "Chief" || u.ID.String() != user["id"] {
		t.Errorf("%+v", u)
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, c := range []struct {
		name, token string
		after       time.Duration
		status      int
	}{
		{"without a token", "", 0, http.StatusUnauthorized},
		{"with the token of another identity provider", "scim", 0, http.StatusNotFound},
		{"too late", "corp", time.Minute, http.StatusNotFound},
	} {
		code := w.codeOf(w.signIn(ann))
		w.now = w.now.Add(c.after)
		if status, body := w.exchange(code, c.token); status != c.status || body["detail"] == "" {
			t.Errorf("%s: %d %v", c.name, status, body)
		}
	}
	if status, _ := w.exchange(strings.Repeat("A", 43), "corp"); status != http.StatusNotFound {
		t.Errorf("a guess: %d", status)
	}
	if status, _ := w.exchange("short", "corp"); status != http.StatusBadRequest {
		t.Errorf("no code: %d", status)
	}
	// Whoever is deactivated between the two is not in.
	code := w.codeOf(w.signIn(ann))
	if _, err := w.prov.Deactivate(t.Context(), provision.Command{User: w.user("ann").ID, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	status, body := w.exchange(code, "corp")
	if f, _ := body["failure"].(map[string]any); status != http.StatusForbidden || f["code"] != 18.0 || f["reason"] != "account_deactivated" {
		t.Errorf("%d %v", status, body)
	}
}

// Each cause of 31, and what else keeps people out, by number, reason and step.
func TestRefusals(t *testing.T) {
	t.Parallel()
	deactivated := func(w *world) {
		w.codeOf(w.signIn(ann))
		if _, err := w.prov.Deactivate(w.t.Context(), provision.Command{User: w.user("ann").ID, Actor: "admin"}); err != nil {
			w.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		edit   func(*world)
		before func(*world)
		person person
		code   connector.Code
		reason connector.Reason
		step   string
		shown  string // on the page
	}{
		"no partner ID":        {edit: func(w *world) { w.org.PartnerID = "" }, code: 31, reason: connector.PartnerIDMissing, step: "rules", shown: "partner_id"},
		"deactivated":          {before: deactivated, code: 31, reason: connector.AccountInactive, step: "rules", shown: "usherd user reactivate"},
		"waits for approval":   {edit: func(w *world) { w.org.Approval = true }, code: 31, reason: connector.AccountPendingApproval, step: "created", shown: "waits for approval"},
		"required missing":     {person: ann.with("sn", "").with("mail", ""), code: 31, reason: connector.RequiredMissing, step: "rules", shown: "Last Name, Email"},
		"no user name":         {person: ann.with("uid", ""), code: 31, reason: connector.RequiredMissing, step: "rules", shown: "User Name"},
		"no seat":              {edit: func(w *world) { w.org.Packages[0].Seats = 0 }, code: 31, reason: connector.NoSeat, step: "seat", shown: "standard"},
		"member status":        {person: ann.with("Member Status", "active"), code: 31, reason: connector.MemberStatusPresent, step: "rules", shown: "Member Status"},
		"member status, later": {before: func(w *world) { w.codeOf(w.signIn(ann)) }, person: ann.with("memberStatus", "1"), code: 32, reason: connector.MemberStatusPresent, step: "rules", shown: "update failed (32)"},
		"not verified":         {person: ann.with("mail", "ann@elsewhere.test"), code: 31, reason: connector.AccountNotVerified, step: "created", shown: "has not been confirmed"},
		"unknown": {
			edit: func(w *world) { w.org.Sources[0].OnlyKnown = true }, code: 3, reason: connector.NoAccount, step: "rules", shown: "No account found (3)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.edit)
			if c.before != nil {
				c.before(w)
			}
			p := c.person
			if p == nil {
				p = ann
			}
			a := w.signIn(p)
			page := a.text
			if a.StatusCode != http.StatusForbidden || !strings.Contains(page, fmt.Sprintf("(%d)</h1>", c.code)) || !strings.Contains(page, c.shown) ||
				!strings.Contains(page, "help@acme.test") || strings.Contains(page, "<script>") {
				t.Errorf("%d %s", a.StatusCode, page)
			}
			got := w.attempts()[0]
			if got.Code != c.code || got.Reason != c.reason || !strings.Contains(page, got.Ref) {
				t.Errorf("%+v", got)
			}
			for _, s := range got.Steps {
				if (s.Result == "refused") != (s.Name == c.step) {
					t.Errorf("%+v", got.Steps)
				}
			}
		})
	}
}

// What is wrong with what came, rather than with the account.
func TestAssertionLevel(t *testing.T) {
	t.Parallel()
	form := func(body, media string) func(*browser) *answer {
		return func(b *browser) *answer {
			r := httptest.NewRequest(http.MethodPost, "/saml/acme/corp/acs", strings.NewReader(body))
			r.Header.Set("Content-Type", media)
			return b.do(r)
		}
	}
	const urlencoded = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		code   connector.Code
		status int
		do     func(b *browser) *answer
	}{
		"by GET":      {5, http.StatusMethodNotAllowed, func(b *browser) *answer { return b.get("/saml/acme/corp/acs?SAMLResponse=x") }},
		"no form":     {6, http.StatusBadRequest, form("{}", "application/json")},
		"empty":       {6, http.StatusBadRequest, form("", urlencoded)},
		"twice":       {6, http.StatusBadRequest, form("SAMLResponse=eA==&SAMLResponse=eA==", urlencoded)},
		"no base64":   {6, http.StatusBadRequest, form("SAMLResponse=!", urlencoded)},
		"huge":        {6, http.StatusBadRequest, form("SAMLResponse="+strings.Repeat("A", 3<<20), urlencoded)},
		"no response": {29, http.StatusForbidden, form("SAMLResponse=eA==", urlencoded)},
		"another browser": {28, http.StatusForbidden, func(b *browser) *answer {
			request, relay := b.w.browser().login("")
			b.login("")
			return b.post(b.w.response(ann, request), relay)
		}},
		"a request that is over": {28, http.StatusForbidden, func(b *browser) *answer {
			request, relay := b.login("")
			b.w.now = b.w.now.Add(31 * time.Minute)
			return b.post(b.w.response(ann, request), relay)
		}},
		"a request twice": {28, http.StatusForbidden, func(b *browser) *answer {
			request, relay := b.login("")
			b.post(b.w.response(ann, request), relay)
			return b.post(b.w.response(ann, request), relay)
		}},
		"a request of no one": {28, http.StatusForbidden, func(b *browser) *answer { return b.post(b.w.response(ann, "_1"), strings.Repeat("A", 43)) }},
		"unasked":             {28, http.StatusForbidden, func(b *browser) *answer { return b.post(b.w.response(ann, ""), "") }},
		"unasked, while one is open": {28, http.StatusForbidden, func(b *browser) *answer {
			_, relay := b.login("")
			return b.post(b.w.response(ann, ""), relay)
		}},
		"changed": {23, http.StatusForbidden, func(b *browser) *answer {
			request, relay := b.login("")
			return b.post(strings.ReplaceAll(b.w.response(ann, request), ">ann<", ">boss<"), relay)
		}},
		"not reachable":       {11, http.StatusServiceUnavailable, func(b *browser) *answer { b.w.code = 11; return b.get("/saml/acme/corp/login") }},
		"not known":           {9, http.StatusServiceUnavailable, func(b *browser) *answer { b.w.code = 9; return b.post("x", "") }},
		"no SSO":              {7, http.StatusNotFound, func(b *browser) *answer { return b.get("/saml/other/corp/login") }},
		"no organization":     {7, http.StatusNotFound, func(b *browser) *answer { return b.get("/saml/nobody/corp/metadata") }},
		"to another site":     {30, http.StatusBadRequest, func(b *browser) *answer { return b.get("/saml/acme/corp/login?return=//evil.test") }},
		"to another site (2)": {30, http.StatusBadRequest, func(b *browser) *answer { return b.get("/saml/acme/corp/login?return=https://evil.test/") }},
		"to another site (3)": {30, http.StatusBadRequest, func(b *browser) *answer { return b.get(`/saml/acme/corp/login?return=/%5Cevil.test`) }},
		"to another site (4)": {30, http.StatusBadRequest, func(b *browser) *answer { return b.get(`/saml/acme/corp/login?return=/%09/evil.test`) }},
		"to a script":         {30, http.StatusBadRequest, func(b *browser) *answer { return b.get(`/saml/acme/corp/login?return=javascript:alert(1)`) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			a := c.do(w.browser())
			page := a.text
			if a.StatusCode != c.status || !strings.Contains(page, fmt.Sprintf("(%d)</h1>", c.code)) {
				t.Errorf("%d %s", a.StatusCode, page)
			}
			if n, _, err := w.db.ListUsers(t.Context(), connector.UserQuery{Org: "acme"}); err != nil || len(n) > 1 || len(n) == 1 && name != "a request twice" {
				t.Errorf("an account was made: %v %v", n, err)
			}
		})
	}
}

// How the clocks stand is kept of what was signed, and of what was refused for it above all; of what anybody could have sent, nothing is.
func TestClocksAreCompared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		later time.Duration // that our clock says when the response comes
		code  connector.Code
		edit  func(response string) string
		known bool
	}{
		"as it comes":      {1500 * time.Millisecond, 0, nil, true},
		"theirs is behind": {20 * time.Minute, 19, nil, true},
		"theirs is ahead":  {-10 * time.Minute, 19, nil, true},
		"forged":           {0, 23, func(s string) string { return strings.ReplaceAll(s, ">ann<", ">boss<") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, metrics := newWorld(t, nil), prometheus.NewRegistry()
			w.serve(sso.Options{Store: w.db, URL: address, Metrics: sso.NewMetrics(metrics)})
			b := w.browser()
			request, relay := b.login("")
			response := w.response(ann, request)
			if c.edit != nil {
				response = c.edit(response)
			}
			w.now = w.now.Add(c.later)
			b.post(response, relay)
			list := w.attempts()
			if len(list) == 0 || list[0].Code != c.code {
				t.Fatalf("%+v", list)
			}
			if skew, known := list[0].Skew(); known != c.known || skew != c.later {
				t.Errorf("%s %t", skew, known)
			}
			gauge, err := metrics.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var told []float64
			for _, f := range gauge {
				if f.GetName() == "usherd_sso_clock_skew_seconds" {
					told = append(told, f.GetMetric()[0].GetGauge().GetValue())
				}
			}
			if c.known != (len(told) == 1 && told[0] == c.later.Seconds()) {
				t.Errorf("the metric says %v", told)
			}
		})
	}
}

func TestIDPInitiatedWhereAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.provider.Unsolicited = true })
	for relay, place := range map[string]string{"": "", "/start": "/start", "https://evil.test/": "", "//evil.test": ""} {
		a := w.browser().post(w.response(ann, ""), relay)
		w.codeOf(a)
		if to, _ := url.Parse(a.Header.Get("Location")); to.Query().Get("return") != place {
			t.Errorf("%q leads to %s", relay, to)
		}
	}
	// An assertion that was used is used.
	again := w.response(ann, "")
	w.codeOf(w.browser().post(again, ""))
	if a := w.browser().post(again, ""); a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, "(13)</h1>") {
		t.Error(a.StatusCode)
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.org.PartnerID, w.org.Languages = "", []string{"sv"} })
	ask := func(accept, language string) (*answer, string) {
		b := w.browser()
		request, relay := b.login("")
		b.header = http.Header{"Accept": {accept}}
		if language != "" {
			b.header.Set("Accept-Language", language)
		}
		a := b.post(w.response(ann, request), relay)
		return a, a.text
	}
	_, body := ask("application/xml", "")
	var f struct {
		XMLName   xml.Name `xml:"federatedSSO"`
		Status    string   `xml:"status"`
		ErrorCode int      `xml:"errorcode"`
		Reason    string   `xml:"reason"`
	}
	if err := xml.Unmarshal([]byte(body), &f); err != nil || f.Status != "FAILURE" || f.ErrorCode != 31 || f.Reason != "partner_id_missing" {
		t.Errorf("%v %s", err, body)
	}
	var a *answer
	if a, body = ask("application/json", ""); a.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"code":31`) {
		t.Error(body)
	}
	for language, want := range map[string]string{
		"": "Det gick inte att skapa kontot automatiskt (31)", "de-DE,de;q=0.9": "Vem kan hjälpa till", "de,pl;q=0.8,en;q=0.7": "Automatyczne utworzenie konta", "pl": "Kto może pomóc", "pt": "A criação automática de conta falhou (31)", "en-GB,en": "Auto account creation failed (31)",
	} {
		if a, body = ask("text/html,application/xhtml+xml,application/xml;q=0.9", language); !strings.Contains(body, want) {
			t.Errorf("%s: %s", language, body)
		}
	}
	if csp := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none';") || a.Header.Get("Cache-Control") != "no-store" {
		t.Error(a.Header)
	}
	for name, media := range map[string]string{"page.x.css": "text/css", "copy.x.js": "text/javascript"} {
		if a := w.browser().get("/saml/static/" + name); a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), media) {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Content-Type"))
		}
	}
	if a := w.browser().get("/saml/static/..%2fpage.html"); a.StatusCode != http.StatusNotFound {
		t.Error(a.StatusCode)
	}
	if a := w.browser().get("/saml/acme/corp/metadata"); !strings.Contains(a.text, `entityID="`+door+`/metadata"`) {
		t.Error("no metadata")
	}
}

// What comes from strangers is kept slowly, so that nobody fills the store.
func TestStrangersFillNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for range 300 {
		w.browser().post("x", "")
	}
	if n := len(w.attempts()); n != 100 {
		t.Errorf("%d attempts", n)
	}
	w.codeOf(w.signIn(ann))
	if n := len(w.attempts()); n != 101 {
		t.Errorf("%d attempts: one that is signed is kept always", n)
	}
}

// Whoever is refused for several reasons is told all of them, with one reference, and administrators the cause of each.
func TestSeveralReasons(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	page := w.signIn(ann.with("Member Status", "active").with("sn", "").with("mail", "ann")).text
	if n := strings.Count(page, "Ref: "); n != 1 {
		t.Errorf("%d references", n)
	}
	for _, want := range []string{
		"Reason: member_status_present: Member Status. Ref: ", "Reason: required_missing: Last Name.\n", "Reason: email_invalid: Email.\n",
		`<p class="cause">The record carries a Member Status attribute`, `<p class="cause">A required attribute is empty.`, "<li>Fill in what is missing at the source: Last Name.</li>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q: %s", want, page)
		}
	}
}

// A response for one organization opens no other, although both trust the same identity provider.
func TestOtherOrganizationsAreOtherDoors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.provider.Unsolicited = true })
	other := *w.org
	other.ID = "other"
	w.server.Replace([]*sso.Organization{
		{Settings: w.org, Writer: w.prov, Providers: map[string]*sso.Provider{"corp": w.provider}},
		{Settings: &other, Writer: w.prov, Providers: map[string]*sso.Provider{"corp": w.provider}},
	})
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(w.response(ann, "")))}}
	post := func(org string) *answer {
		r := httptest.NewRequest(http.MethodPost, "/saml/"+org+"/corp/acs", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.browser().do(r)
	}
	if a := post("other"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, "(14)</h1>") {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	w.codeOf(post("acme"))
}

// Of all processes that are sent a response at the same moment, one lets the person in, and of those that are sent its
// code one answers.
func TestOnceInAllReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.provider.Unsolicited = true })
	replicas := []*sso.Server{w.server}
	for range 2 {
		db, err := store.Open(t.Context(), w.url, store.Options{Now: func() time.Time { return w.now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		w.serve(sso.Options{Store: db, URL: address})
		replicas = append(replicas, w.server)
	}
	everywhere := func(ask func(*sso.Server) *answer) (good []*answer) {
		all := make(chan *answer, 12)
		for i := range cap(all) {
			go func() { all <- ask(replicas[i%len(replicas)]) }()
		}
		for range cap(all) {
			if a := <-all; a.StatusCode < http.StatusBadRequest {
				good = append(good, a)
			}
		}
		return good
	}
	send := func(s *sso.Server, path, media, body string) *answer {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		r.Header.Set("Authorization", "Bearer corp")
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		return &answer{rec.Code, rec.Header(), rec.Body.String()}
	}
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(w.response(ann, "")))}}.Encode()
	in := everywhere(func(s *sso.Server) *answer {
		return send(s, "/saml/acme/corp/acs", "application/x-www-form-urlencoded", form)
	})
	if len(in) != 1 {
		t.Fatalf("%d of 12 are in", len(in))
	}
	code := w.codeOf(in[0])
	told := everywhere(func(s *sso.Server) *answer {
		return send(s, "/api/v1/orgs/acme/sign-in/exchange", "application/json", `{"code":"`+code+`"}`)
	})
	if len(told) != 1 {
		t.Errorf("%d of 12 are told who it is", len(told))
	}
}
