package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
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
- id: started
  partner_id: P-6
  sources: [{id: login, saml: {metadata_url: "IDP", application: "APP/sign-in", idp_initiated: true}}]
`

var ssoOrgs = []string{"acme", "sealed", "nopartner", "approval", "noseat", "started"}

// ssoPeople have accounts at the identity provider.
var ssoPeople = []idpserver.Person{
	{Name: "ann", NameID: "id-ann", Attributes: map[string]string{"uid": "ann", "givenName": "Ann", "sn": "Lee", "mail": "ann@acme.test", "updatetimestamp": "20261127"}},
	{Name: "bob", NameID: "id-bob", Attributes: map[string]string{"uid": "bob", "givenName": "Bob"}},
	{Name: "cid", NameID: "id-cid", Attributes: map[string]string{"givenName": "Cid", "sn": "Day", "mail": "cid@acme.test"}},
	{Name: "dan", NameID: "id-dan", Attributes: map[string]string{"uid": "dan", "sn": "Elm", "mail": "dan@acme.test"}},
	{Name: "eve", NameID: "id-eve", Attributes: map[string]string{"uid": "eve", "givenName": "Eve", "sn": "Fox", "mail": "eve@acme.test", "Member Status": "active"}},
	// Neither uid nor updatetimestamp is needed.
	{Name: "fay", NameID: "id-fay", Attributes: map[string]string{"eduPersonPrincipalName": "fay@acme.test", "givenName": "Fay", "sn": "Gum", "mail": "fay@acme.test"}},
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
	config string
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
	config := strings.NewReplacer("PORT", strconv.Itoa(ports[0]), "IDP", idp.Metadata, "APP", app.URL).Replace(ssoConfig)
	r.configure(config)
	app.api = base
	for _, org := range ssoOrgs {
		app.tokens = append(app.tokens, decode[struct{ Token string }](r, exitOK, "token", "create", "--org", org, "--source", "login", "-o", "json").Token)
		r.proveDomain(org, "acme.test")
	}
	s := &signInSite{rig: r, config: config, base: base, idp: strings.TrimSuffix(idp.Metadata, "saml2/idp/metadata.php")}
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
	s.signInAt(b, s.base+"/saml/"+org+"/login/login?return=/meetings?id=7", person)
}

// signInAt begins at an address that leads to the identity provider, or is one of it.
func (s *signInSite) signInAt(b *webdriver.Browser, address, person string) {
	s.t.Helper()
	b.Open(address)
	b.Type("input[name=username]", person)
	b.Type("input[name=password]", person+"\ue007") // Enter
	b.Leave(s.idp)
}

func TestSignInByARealIdentityProvider(t *testing.T) {
	t.Parallel()
	s := newSignInSite(t)
	driver := webdriver.Start(t)
	b := driver.Browser(t, true, "en")

	s.signIn(b, "acme", "ann")
	s.isIn(b, "ann of acme, active", "/meetings?id=7")
	s.signIn(b, "sealed", "ann") // the assertions are encrypted
	s.isIn(b, "ann of sealed, active", "/meetings?id=7")
	s.signInAt(b, s.idp+"saml2/idp/SSOService.php?RelayState=/start&spentityid="+url.QueryEscape(s.base+"/saml/started/login/metadata"), "ann")
	s.isIn(b, "ann of started, active", "/start")
	s.signIn(b, "acme", "fay")
	s.isIn(b, "fay@acme.test of acme, active", "/meetings?id=7")
	s.must(exitOK, "user", "deactivate", "ann", "--org", "acme")

	for _, c := range []struct{ name, org, person, reason, message, remedy string }{
		{"no partner ID", "nopartner", "ann", "partner_id_missing", "not completely set up", "Enter the partner ID"},
		{"deactivated", "acme", "ann", "account_inactive", "deactivated", "usherd user reactivate KEY"},
		{"waits for approval", "approval", "ann", "account_pending_approval", "waits for approval", "usherd user approve KEY"},
		{"required missing", "acme", "bob", "required_missing: Last Name, Email", "Last Name, Email", "Fill in what is missing at the source: Last Name, Email"},
		{"no user name", "acme", "cid", "required_missing: User Name", "User Name", "Fill in what is missing at the source: User Name"},
		{"no first name", "acme", "dan", "required_missing: First Name", "First Name", "Fill in what is missing at the source: First Name"},
		{"no seat", "noseat", "ann", "no_seat: standard", "All seats of the package standard are taken", "See who holds the seats of standard"},
		{"Member Status", "acme", "eve", "member_status_present: Member Status", "something that it must not send", "Remove the Member Status attribute from the assertion"},
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
		if c.org == "acme" && !strings.Contains(page, "mailto:help@acme.test") {
			t.Errorf("%s: no contact: %s", c.name, page)
		}
		b.Click("#copy")
		b.Await("#copy", "Copied")
		_, rest, _ := strings.Cut(copied, "Ref: ")
		ref, _, _ := strings.Cut(rest, ".")
		if shown := s.must(exitOK, "sso", "show", ref); !strings.Contains(shown, "refused") || !strings.Contains(shown, "what to do:") {
			t.Errorf("%s: usherd sso show %s: %s", c.name, ref, shown)
		}
		b.Forget()
	}
	s.withoutScript(driver)
	s.remedied(b)
	s.told()
}

// isIn asks the application who has come and where to, and ends what the browser knows of it.
func (s *signInSite) isIn(b *webdriver.Browser, who, place string) {
	s.t.Helper()
	if gotWho, gotPlace := b.Text("#who"), b.Text("#place"); gotWho != who || gotPlace != place {
		s.t.Fatalf("%q at %q, want %q at %q: %s", gotWho, gotPlace, who, place, b.Source())
	}
	b.Forget()
}

// remedied does what the pages have told administrators to do, and the people are in.
func (s *signInSite) remedied(b *webdriver.Browser) {
	s.t.Helper()
	s.must(exitOK, "user", "reactivate", "ann", "--org", "acme")
	s.must(exitOK, "user", "approve", "ann", "--org", "approval")
	s.configure(strings.NewReplacer("- id: nopartner\n", "- id: nopartner\n  partner_id: P-3\n", "seats: 0", "seats: 1").Replace(s.config))
	s.daemon.signal(syscall.SIGHUP)
	s.daemon.told("RELOADING=1") // which also makes room where the daemon has said often that it lives
	s.daemon.told("READY=1")
	s.daemon.log.await(s.t, "reloaded")
	for _, org := range []string{"acme", "approval", "nopartner", "noseat"} {
		s.signIn(b, org, "ann")
		s.isIn(b, "ann of "+org+", active", "/meetings?id=7")
	}
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
		"noseat ann 0 ", "nopartner ann 0 ", "approval ann 0 ", "acme ann 0 ",
		"nopartner  5 only_post_supported", "acme eve 31 member_status_present", "noseat ann 31 no_seat",
		"acme dan 31 required_missing", "acme cid@acme.test 31 required_missing", "acme bob 31 required_missing",
		"approval ann 31 account_pending_approval", "acme ann 31 account_inactive", "nopartner ann 31 partner_id_missing",
		"acme fay@acme.test 0 ", "started ann 0 ", "sealed ann 0 ", "acme ann 0 ",
	}
	for len(lines) > 0 && strings.HasSuffix(lines[len(lines)-1], "  11 idp_unreachable") { // those of awaitMetadata, the oldest
		lines = lines[:len(lines)-1]
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		s.t.Errorf("attempts:\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if text := s.must(exitOK, "sso", "attempts", "--failed", "--org", "acme"); strings.Count(text, "31 ") != 5 {
		s.t.Error(text)
	}
}
