package main

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/notify/smtpserver"
	"usherd/internal/testproc"
	"usherd/internal/webdriver"
)

// activationSite is the configuration of a portal with a template whose addresses are not believed, and a real mail server.
type activationSite struct {
	*rig
	smtp *smtpserver.Server
	base string // of the portal
}

func newActivationSite(t *testing.T, seats int) *activationSite {
	t.Helper()
	ports, err := testproc.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	s := &activationSite{smtp: smtpserver.Start(t, smtpserver.Options{TLS: "none"}), base: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	s.rig = newRig(t, fmt.Sprintf(`store: sqlite:$DIR/usherd.db
listen: 127.0.0.1:0
portal: {listen: "127.0.0.1:%d", url: "%s", trusted_proxies: [127.0.0.1]}
api: {listen: "127.0.0.1:0", url: "http://127.0.0.1:1"}
mail: {server: "%s", tls: none, from: "Acme accounts <accounts@acme.test>", rate: 6000}
organizations:
- id: acme
  name: Acme
  partner_id: P-1
  contact: {name: Help Desk, email: help@acme.test}
  packages: [{id: standard, seats: %d}]
  package: standard
  templates: [{id: phones, name: Phones, untrusted_email: true}]
`, ports[0], s.base, s.smtp.Addr, seats))
	return s
}

// announce tells of subscribers line1, line2 and so on, and returns the way of each to the portal.
func (s *activationSite) announce(n int) []string {
	s.t.Helper()
	var list strings.Builder
	list.WriteString("subscriber_id,familyName\n")
	for i := range n {
		fmt.Fprintf(&list, "line%d,Lee\n", i+1)
	}
	if err := os.WriteFile(s.dir+"/lines.csv", []byte(list.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.must(exitOK, "subscribers", "announce", "--org", "acme", s.dir+"/lines.csv")
	ways := regexp.MustCompile(`http://[^\s,"]+key=[^\s,"]+`).FindAllString(s.must(exitOK, "subscribers", "export", "--org", "acme", "--links"), -1)
	if len(ways) != n {
		s.t.Fatalf("%d subscribers, and %q", n, ways)
	}
	return ways
}

var activationLink = regexp.MustCompile(`http://\S+/activation/acme/[0-9A-Za-z]{43}`)

// linkTo is the link in the plain text of the last mail to an address; "" = there is none yet.
func (s *activationSite) linkTo(address string) (link string) {
	for _, m := range s.smtp.Mails() {
		if m.Header.Get("X-Envelope-To") != address {
			continue
		}
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil {
			s.t.Error(err)
			return ""
		}
		part, err := multipart.NewReader(m.Body, params["boundary"]).NextRawPart()
		if err != nil {
			s.t.Error(err)
			return ""
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			s.t.Error(err)
			return ""
		}
		link = activationLink.FindString(string(text))
	}
	return link
}

// From the way that a subscriber is handed out, through a mail that a real server has taken, to an account and a first sign-in, in a real
// browser that runs no script.
func TestActivationFromEndToEnd(t *testing.T) {
	t.Parallel()
	s := newActivationSite(t, 1)
	d := s.daemon(t)
	way := s.announce(1)[0]
	b := webdriver.Start(t).Browser(t, false, "en")
	b.Open(way)
	b.Type("#email", "ann@home.test")
	b.Type("#field-givenName", "Ann")
	b.Type("#field-familyName", "Lee")
	b.Click("button.act")
	b.Await("h1", "Look into your mail")
	s.until("the mail has come", func() bool { return s.linkTo("ann@home.test") != "" })
	link := s.linkTo("ann@home.test")
	b.Open(link)
	if got := b.Text(".message"); !strings.Contains(got, "ann@home.test") || len(s.users()) != 0 {
		t.Fatalf("%q, %v", got, s.users())
	}
	b.Click("button.act")
	b.Await("h1", "Your account is ready")
	if u := s.users()["ann@home.test"]; u.State != connector.Verified {
		t.Errorf("%+v", u)
	}
	b.Open(link) // once more
	b.Await("h1", "Your account is ready")
	b.Open(link[:len(link)-1] + "_")
	b.Await("h1", "This link is not complete")
	token := decode[newTokenJSON](s.rig, exitOK, "token", "create", "--org", "acme", "--api", "--scope", "sign-in", "-o", "json").Token
	s.until("the API listens", func() bool { return len(d.log.lines("api listens")) > 0 }) // before "ready" or after it
	api := d.log.lines("api listens")[0]["listen"].(string)
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+api+"/api/v1/orgs/acme/sign-in", strings.NewReader(`{"user":"ann@home.test","signed_in":true}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(a.Body)
	a.Body.Close()
	if u := s.users()["ann@home.test"]; u.State != connector.Active {
		t.Errorf("%+v after %s %s", u, a.Status, text)
	}
	for _, want := range []string{
		`usherd_activations_total{org="acme",reason="",step="asked"} 1`, `usherd_activations_total{org="acme",reason="",step="activated"} 1`,
		`usherd_activations_total{org="acme",reason="no_seat",step="refused"} 0`, `usherd_subscribers{org="acme",status="provisioned"} 1`,
		`usherd_subscribers{org="acme",status="error"} 0`, `usherd_mail_sent_total{kind="activation"} 1`,
	} {
		if !strings.Contains(d.get("/metrics", http.StatusOK), want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	d.end()
}
