package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/internal/testproc"
	"usherd/internal/webdriver"
	"usherd/sso/idpserver"
)

// ssoConfig has an organization for each cause of failure that is one of the organization. PORT, IDP and APP are
// addresses.
const ssoConfig = `listen: 127.0.0.1:0
store: sqlite:$DIR/usherd.db
sso:
  listen: 127.0.0.1:PORT
  url: http://127.0.0.1:PORT
  keys: [{cert_file: $DIR/sp/server.crt, key_file: $DIR/sp/server.key}]
organizations:
- id: acme
  partner_id: P-1
  contact: {name: IT help desk, email: help@acme.test, phone: "+46 8 123"}
  packages: [{id: standard, seats: 10}]
  package: standard
  sources: [{id: login, saml: {metadata_url: "IDP", application: "APP/sign-in"}}]
- id: sealed
  partner_id: P-2
  sources: [{id: login, saml: {metadata_url: "IDP", application: "APP/sign-in"}}]
- id: nopartner
  contact: {email: help@acme.test}
  sources: [{id: login, saml: {metadata_url: "IDP", application: "APP/sign-in"}}]
- id: approval
  partner_id: P-4
  approval: true
  sources: [{id: login, saml: {metadata_url: "IDP", application: "APP/sign-in"}}]
- id: noseat
  partner_id: P-5
  packages: [{id: standard, seats: 0}]
  package: standard
  sources: [{id: login, saml: {metadata_url: "IDP", application: "APP/sign-in"}}]
`

var ssoOrgs = []string{"acme", "sealed", "nopartner", "approval", "noseat"}

// ssoPeople have accounts at the identity provider.
var ssoPeople = []idpserver.Person{
	{Name: "ann", NameID: "id-ann", Attributes: map[string]string{"uid": "ann", "givenName": "Ann", "sn": "Lee", "mail": "ann@acme.test", "updatetimestamp": "20261127"}},
	{Name: "bob", NameID: "id-bob", Attributes: map[string]string{"uid": "bob", "givenName": "Bob"}},
	{Name: "eve", NameID: "id-eve", Attributes: map[string]string{"uid": "eve", "givenName": "Eve", "sn": "Fox", "mail": "eve@acme.test", "Member Status": "active"}},
}

// clientApp is an application to which people come when they have signed in: it asks who they are, and says so.
type clientApp struct {
	*httptest.Server
	mu     sync.Mutex
	api    string
	tokens []string // of each organization, tried one after the other
}

func newClientApp(t *testing.T) *clientApp {
	t.Helper()
	p := &clientApp{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path != "/sign-in" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `<h1 id="who">%s</h1><p id="place">%s</p>`, html.EscapeString(p.ask(r)), html.EscapeString(r.URL.Query().Get("return")))
	}))
	t.Cleanup(p.Close)
	return p
}

// ask exchanges the code.
func (p *clientApp) ask(r *http.Request) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, _ := json.Marshal(map[string]string{"code": r.URL.Query().Get("code")})
	for i, token := range p.tokens {
		q, err := http.NewRequestWithContext(r.Context(), http.MethodPost, p.api+"/api/v1/orgs/"+ssoOrgs[i]+"/sign-in/exchange", bytes.NewReader(body))
		if err != nil {
			return err.Error()
		}
		q.Header.Set("Authorization", "Bearer "+token)
		q.Header.Set("Content-Type", "application/json")
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			return err.Error()
		}
		var in struct {
			Org  string `json:"org"`
			User struct {
				UserName string `json:"user_name"`
				State    string `json:"state"`
			} `json:"user"`
		}
		err = json.NewDecoder(a.Body).Decode(&in)
		a.Body.Close()
		if a.StatusCode == http.StatusOK && err == nil {
			return in.User.UserName + " of " + in.Org + ", " + in.User.State
		}
	}
	return "nobody"
}

// signInSite is a daemon with a real identity provider and an application.
type signInSite struct {
	*rig
	daemon *serving
	base   string
	idp    string // how addresses of the identity provider begin
}

func newSignInSite(t *testing.T) *signInSite {
	t.Helper()
	ports, err := testproc.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	base, app := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), newClientApp(t)
	r := newRig(t, "")
	if err := testproc.WriteCertificate(filepath.Join(r.dir, "sp"), "sso.acme.test", "127.0.0.1", true); err != nil {
		t.Fatal(err)
	}
	var services []idpserver.Service
	for _, org := range ssoOrgs {
		at := base + "/saml/" + org + "/login/"
		services = append(services, idpserver.Service{
			EntityID: at + "metadata", ACS: at + "acs", Certificate: filepath.Join(r.dir, "sp", "server.crt"), Encrypt: org == "sealed",
		})
	}
	idp := idpserver.Start(t, idpserver.Options{People: ssoPeople, Services: services})
	r.configure(strings.NewReplacer("PORT", strconv.Itoa(ports[0]), "IDP", idp.Metadata, "APP", app.URL).Replace(ssoConfig))
	app.api = base
	for _, org := range ssoOrgs {
		app.tokens = append(app.tokens, decode[struct{ Token string }](r, exitOK, "token", "create", "--org", org, "--source", "login", "-o", "json").Token)
		r.proveDomain(org, "acme.test")
	}
	s := &signInSite{rig: r, base: base, idp: strings.TrimSuffix(idp.Metadata, "saml2/idp/metadata.php")}
	s.daemon = r.daemon(t)
	s.awaitMetadata()
	return s
}

// proveDomain has a domain verified, as DNS would.
func (r *rig) proveDomain(org, name string) {
	r.t.Helper()
	now := time.Now()
	r.withStore(func(db *store.DB) {
		if err := db.AddDomain(r.t.Context(), connector.Domain{Org: org, Name: name, Token: "t", AddedAt: now, VerifiedAt: now}); err != nil {
			r.t.Fatal(err)
		}
	})
}

// awaitMetadata waits until the daemon has read what the identity provider says of itself, for each organization.
func (s *signInSite) awaitMetadata() {
	s.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for left := ssoOrgs; len(left) > 0; {
		a, err := client.Get(s.base + "/saml/" + left[0] + "/login/login")
		if err == nil {
			a.Body.Close()
			if a.StatusCode == http.StatusSeeOther {
				left = left[1:]
				continue
			}
		}
		select {
		case <-deadline.C:
			s.t.Fatal("the metadata of the identity provider is not read", err)
		case <-tick.C:
		}
	}
}

// signIn goes the whole way in a browser that knows nobody yet.
func (s *signInSite) signIn(b *webdriver.Browser, org, person string) {
	s.t.Helper()
	b.Open(s.base + "/saml/" + org + "/login/login?return=/meetings?id=7")
	b.Type("input[name=username]", person)
	b.Type("input[name=password]", person+"\ue007") // Enter
	b.Leave(s.idp)
}

func TestSignInByARealIdentityProvider(t *testing.T) {
	t.Parallel()
	s := newSignInSite(t)
	driver := webdriver.Start(t)
	b := driver.Browser(t, true, "en")

	for _, org := range []string{"acme", "sealed"} { // the assertions of the second are encrypted
		s.signIn(b, org, "ann")
		if who, place := b.Text("#who"), b.Text("#place"); who != "ann of "+org+", active" || place != "/meetings?id=7" {
			t.Fatalf("%s: %q at %q: %s", org, who, place, b.Source())
		}
		b.Forget()
	}
	s.must(exitOK, "user", "deactivate", "ann", "--org", "acme")

	for _, c := range []struct{ name, org, person, reason, message, remedy string }{
		{"no partner ID", "nopartner", "ann", "partner_id_missing", "", "Enter the partner ID"},
		{"deactivated", "acme", "ann", "account_inactive", "deactivated", "usherd user reactivate KEY"},
		{"waits for approval", "approval", "ann", "account_pending_approval", "waits for approval", "usherd user approve KEY"},
		{"required missing", "acme", "bob", "required_missing: Last Name, Email", "Last Name, Email", "Last Name, Email"},
		{"no seat", "noseat", "ann", "no_seat: standard", "", "seat"},
		{"Member Status", "acme", "eve", "member_status_present: Member Status", "", "Member Status"},
	} {
		s.signIn(b, c.org, c.person)
		page := b.Source()
		if title := b.Text("h1"); title != "Auto account creation failed (31)" {
			t.Errorf("%s: %q\n%s", c.name, title, page)
			continue
		}
		copied := b.Property("#error", "value")
		if !strings.HasPrefix(copied, "Error: Auto account creation failed (31). Reason: "+c.reason+". Ref: ") || !strings.Contains(b.Text(".message"), c.message) {
			t.Errorf("%s: %q, %q", c.name, copied, b.Text(".message"))
		}
		b.Click("summary")
		if remedy := b.Text(".remedy"); !strings.Contains(remedy, c.remedy) {
			t.Errorf("%s: what to do: %q", c.name, remedy)
		}
		if checklist := b.Text("details"); !strings.Contains(checklist, "The account has never worked") || !strings.Contains(checklist, "Are there free seats?") {
			t.Errorf("%s: %q", c.name, checklist)
		}
		if c.org == "acme" && (!strings.Contains(page, "mailto:help@acme.test") || !b.Shown("#copy")) {
			t.Errorf("%s: no contact, or no button: %s", c.name, page)
		}
		_, rest, _ := strings.Cut(copied, "Ref: ")
		ref, _, _ := strings.Cut(rest, ".")
		if shown := s.must(exitOK, "sso", "show", ref); !strings.Contains(shown, "refused") || !strings.Contains(shown, "what to do:") {
			t.Errorf("%s: usherd sso show %s: %s", c.name, ref, shown)
		}
		b.Forget()
	}
	s.withoutScript(driver)
	s.told()
}

// withoutScript looks at the page in Portuguese in a browser without JavaScript: whoever has no button to copy sees the
// text. (SimpleSAMLphp hides the button of its own page from such a browser, so it cannot be gone through.)
func (s *signInSite) withoutScript(driver *webdriver.Driver) {
	s.t.Helper()
	b := driver.Browser(s.t, false, "pt-BR")
	b.Open(s.base + "/saml/nopartner/login/acs")
	if title := b.Text("h1"); !strings.HasSuffix(title, "(5)") || !strings.Contains(b.Source(), "Quem pode ajudar") {
		s.t.Errorf("%q: %s", title, b.Source())
	}
	if b.Shown("#copy") || !strings.Contains(b.Property("#error", "value"), "only_post_supported") {
		s.t.Error(b.Source())
	}
}

// told asks what is kept of all that.
func (s *signInSite) told() {
	s.t.Helper()
	type attempt struct {
		Org, Person, Reason string
		Code                int
		Steps               []connector.AttemptStep
	}
	list := decode[struct{ Attempts []attempt }](s.rig, exitOK, "sso", "attempts", "-o", "json").Attempts
	var lines []string
	for _, a := range list {
		lines = append(lines, fmt.Sprintf("%s %s %d %s", a.Org, a.Person, a.Code, a.Reason))
	}
	want := []string{
		"nopartner  5 only_post_supported", "acme eve 31 member_status_present", "noseat ann 31 no_seat", "acme bob 31 required_missing",
		"approval ann 31 account_pending_approval", "acme ann 31 account_inactive", "nopartner ann 31 partner_id_missing", "sealed ann 0 ", "acme ann 0 ",
	}
	for len(lines) > 0 && strings.HasSuffix(lines[len(lines)-1], "  11 idp_unreachable") { // those of awaitMetadata, the oldest
		lines = lines[:len(lines)-1]
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		s.t.Errorf("attempts:\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if text := s.must(exitOK, "sso", "attempts", "--failed", "--org", "acme"); strings.Count(text, "31 ") != 3 {
		s.t.Error(text)
	}
}
