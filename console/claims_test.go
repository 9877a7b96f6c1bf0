package console_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// elsewhere makes users of the other organization, with addresses at example.com, which acme has verified.
func (w *world) elsewhere(names ...string) {
	w.t.Helper()
	ctx := w.t.Context()
	if list, err := w.db.Domains(ctx, "acme"); err != nil || len(list) == 0 {
		d := connector.Domain{Org: "acme", Name: "example.com", Token: "t", AddedAt: w.now}
		if err := w.db.AddDomain(ctx, d); err != nil {
			w.t.Fatal(err)
		}
		d.VerifiedAt, d.CheckedAt = w.now, w.now
		if err := w.db.PutDomain(ctx, d); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, name := range names {
		w.now = w.now.Add(time.Second)
		u := &connector.User{ID: connector.NewID(w.now), Org: "other", State: connector.Verified, CreatedAt: w.now, UpdatedAt: w.now, Version: 1, Profile: connector.Profile{}}
		u.Profile.Set(connector.UserName, name)
		u.Profile.Set(connector.Email, name+"@example.com")
		u.Profile.Set(connector.GivenName, "Given")
		u.Profile.Set(connector.FamilyName, name)
		ch := &connector.Change{Action: connector.Created, Org: "other", Subject: name, After: u, Fields: connector.Diff(nil, u), Transitions: []connector.Transition{{To: u.State, Signal: "created"}}}
		err := w.db.Write(ctx, func(tx connector.Tx) error {
			errs, err := tx.Save(ctx, []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, w.now)
			if err == nil {
				err = errs[0]
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// upload sends the form of a page with a file in it.
func (b *browser) upload(target, name, text string, form url.Values) answer {
	b.w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	form.Set("key", keyForm.FindStringSubmatch(b.get(target).text)[1])
	for k := range form {
		_ = m.WriteField(k, form.Get(k))
	}
	part, err := m.CreateFormFile("file", name)
	if err != nil {
		b.w.t.Fatal(err)
	}
	_, _ = part.Write([]byte(text))
	if err := m.Close(); err != nil {
		b.w.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, target, &body)
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-From", b.from)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.w.server.ServeHTTP(rec, r)
	return answer{rec.Result(), rec.Body.String()}
}

var hiddenUser = regexp.MustCompile(`name="user" value="([^"]+)"`)

// claimAll claims everybody whom a preview says can be claimed.
func (b *browser) claimAll(preview answer) answer {
	b.w.t.Helper()
	form := url.Values{"go": {"1"}, "key": {keyForm.FindStringSubmatch(preview.text)[1]}}
	for _, m := range hiddenUser.FindAllStringSubmatch(preview.text, -1) {
		form.Add("user", m[1])
	}
	return b.send(http.MethodPost, "/claims/start", form, nil)
}

var claimLink = regexp.MustCompile(`href="/admin(/claims/[0-9a-f-]{36})"`)

func TestClaimsFromCandidatesToTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.DefaultPackage = "standard" // of which there are three
	b := w.as("operator")
	w.want(b.get("/claims"), http.StatusOK, "No claims wait for an answer", "Claim people…")
	w.want(b.get("/claims/candidates"), http.StatusOK, "has verified no domain")
	w.elsewhere("ann", "bob", "cem", "dan")
	a := b.get("/claims/candidates")
	w.want(a, http.StatusOK, "ann@example.com", "Can be claimed", `type="checkbox" name="user"`, `<option value="example.com">`)
	w.not(a, "Other Inc")
	w.want(b.get("/claims/candidates?domain=sub.example.com"), http.StatusOK, "No user of another organization")
	w.want(b.get("/claims/candidates?domain=beta.test"), http.StatusConflict, "has not verified")

	w.want(b.post("/claims/start", url.Values{"names": {" , "}}), http.StatusUnprocessableEntity, "Name at least one address")
	w.want(b.post("/claims/start", url.Values{"names": {"ann@example.com"}, "package": {"none"}}), http.StatusUnprocessableEntity, "there is no package", "ann@example.com")
	w.want(b.upload("/claims/start", "people.csv", "name\nAnn\n", url.Values{}), http.StatusUnprocessableEntity, "has to be id or email")
	w.want(b.upload("/claims/start", "people.csv", "email\n"+strings.Repeat("x@example.com\n", 251), url.Values{}), http.StatusUnprocessableEntity, "more than 250")
	preview := b.upload("/claims/start", "people.csv", "Name;Email\nAnn;ann@example.com\nBob;bob@example.com\nCem;cem@example.com\nDan;dan@example.com\n",
		url.Values{"names": {"<b>x</b>@example.com\neve@elsewhere.test"}})
	w.want(preview, http.StatusOK, "Claim 3 people", "no_seat", "nobody_to_claim", "domain_not_verified", "&lt;b&gt;x&lt;/b&gt;@example.com")
	if list, err := w.db.Claims(t.Context(), connector.ClaimQuery{Org: "acme"}); err != nil || len(list) > 0 {
		t.Errorf("a preview has claimed: %v %v", list, err)
	}
	w.want(b.claimAll(preview), http.StatusSeeOther)
	a = b.get("/claims?status=open")
	w.want(a, http.StatusOK, "3 of 3 are claimed", "Waits for an answer", "14 days left", "No source of this organization knows the person yet", "console:operator", `<span class="count">3</span>`)
	w.want(b.claimAll(preview), http.StatusConflict, "already") // the key was used
	if u := w.user("ann"); u.State != connector.ClaimPending {
		t.Error(u.State)
	}
	w.want(w.as("root").get("/claims?org=other&lost=1&lang=en"), http.StatusOK, "ann@example.com", "Acme Ltd")

	one := claimLink.FindStringSubmatch(a.text)[1]
	w.want(b.get(one), http.StatusOK, "A claim cannot be withdrawn", "Remind…", "Decide in the person", "Verified")
	w.want(b.post(one+"/remind", nil), http.StatusConflict, "less than an hour ago")
	w.now = w.now.Add(time.Hour)
	b = w.as("operator")
	w.want(b.post(one+"/remind", nil), http.StatusSeeOther)
	w.want(b.get(one), http.StatusOK, "is reminded.")
	w.want(b.post(one+"/decide", url.Values{"choice": {"keep"}}), http.StatusSeeOther)
	w.want(b.get(one), http.StatusOK, "Waits for an answer")
	w.want(b.post(one+"/decide", url.Values{"choice": {"delete"}}), http.StatusSeeOther)
	a = b.get(one)
	w.want(a, http.StatusOK, "is decided.", "Decided", "The data is deleted", "console:operator")
	w.not(a, "Remind…")
	w.want(b.get(one+"/decide"), http.StatusOK, "Nothing is open any more")
	w.want(b.post(one+"/decide", url.Values{"choice": {"move"}}), http.StatusConflict, "nothing is open any more")
	w.want(b.get("/claims?status=ended"), http.StatusOK, "No claim fits.")
	w.want(b.get("/claims/nonsense"), http.StatusNotFound)

	for _, path := range []string{"/claims/start", "/claims/candidates", one + "/decide"} {
		w.want(w.as("auditor").get(path), http.StatusForbidden)
	}
	w.not(w.as("auditor").get("/claims"), "ann@", "Claim people…")
}

func TestClaimsAreListedByPageAndExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.DefaultPackage = "guest"
	var names []string
	for n := range 52 {
		names = append(names, fmt.Sprintf("p%02d", n))
	}
	w.elsewhere(append(names, "=cmd")...)
	b := w.as("owner")
	w.want(b.get("/claims/candidates"), http.StatusOK, `rel="next"`)
	w.want(b.get(nextPage(t, b.get("/claims/candidates"))), http.StatusOK, "p51@example.com")
	var text []string
	for _, n := range append(names, "=cmd") {
		text = append(text, n+"@example.com")
	}
	preview := b.post("/claims/start", url.Values{"names": {strings.Join(text, "\n")}})
	w.want(preview, http.StatusOK, "Claim 53 people")
	w.want(b.claimAll(preview), http.StatusSeeOther)
	first := b.get("/claims?status=open")
	if got := len(claimLink.FindAllString(first.text, -1)); got != 50 {
		t.Error(got)
	}
	if got := len(claimLink.FindAllString(b.get(nextPage(t, first)).text, -1)); got != 3 {
		t.Error(got)
	}
	a := b.get("/claims/export.csv?status=open")
	rows, err := csv.NewReader(strings.NewReader(a.text)).ReadAll()
	if err != nil || len(rows) != 54 || rows[1][1] != "'=cmd@example.com" || rows[1][2] != "open" || rows[1][3] != "console:owner" {
		t.Errorf("%v %q", err, rows)
	}
	if rows, err = csv.NewReader(strings.NewReader(b.get("/claims/export.csv?status=decided").text)).ReadAll(); err != nil || len(rows) != 1 {
		t.Errorf("%v %q", err, rows)
	}
	w.not(w.as("auditor").get("/claims/export.csv"), "p00@")
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditExported})
	if err != nil || len(entries) != 3 {
		t.Errorf("%v %+v", err, entries)
	}
}

func TestClaimsInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.DefaultPackage = "standard"
	w.elsewhere("ann", "bob", "cem", "dan", strings.Repeat("wolfeschlegelsteinhausenbergerdorff", 2))
	srv := w.listens()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		b := d.Browser(t, script, "en")
		enter(b, srv.URL, "/claims/candidates", "owner")
		if script {
			shoot(t, b, srv.URL, "/claims/candidates", "candidates")
			shoot(t, b, srv.URL, "/claims/start", "claim_start")
		}
		b.Open(srv.URL + "/claims/candidates")
		b.Click("tbody tr:first-child input")
		b.Click("main button.act:not(.filters button)")
		if got := b.Text("button.danger"); got != "Claim 1 person" {
			t.Fatal(got)
		}
		b.Click("button.danger")
		b.Await(".flash", "1 of 1 are claimed. Each got a mail with a link.")
		b.Open(srv.URL + "/claims/start")
		b.Type("#names", "bob@example.com nobody@example.com")
		b.Click("main button.act")
		b.Await("tbody tr:nth-child(2) th", "nobody@example.com")
		if script {
			shoot(t, b, srv.URL, "/claims", "claims")
			b.Open(srv.URL + "/claims")
			b.Click("tbody a")
			address := strings.TrimPrefix(b.Address(), srv.URL)
			shoot(t, b, srv.URL, address, "claim")
			shoot(t, b, srv.URL, address+"/decide", "decide")
		}
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}
