package console_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/system"
	"usherd/connector/system/systemtest"
)

func (p *program) Configuration() system.Configuration { return systemtest.Configuration(p.file) }

func (p *program) Differences(older, newer connector.Revision) ([]system.Difference, error) {
	return systemtest.Differences(older, newer)
}

const configText = `store: sqlite:usherd.db
console:
  url: http://127.0.0.1:9475
  admins:
  - name: "=cmd <b>root</b>"
    password_hash: $argon2id$v=19$m=65536,t=3,p=2$HASH1AAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    role: owner
organizations:
- id: acme
  partner_id: "1"
  sources:
  - id: office
    directory:
      type: openldap
      servers: [ldaps://ldap.acme.test]
      bind:
        user: cn=reader,dc=acme
        password: {file: word}
      bases: [dc=acme]
    guard: {percent: 5}
- id: other
  partner_id: "of others"
  sources:
  - id: elsewhere
    scim: {}
`

// parsed is a configuration with its secret beside it.
func parsed(t *testing.T) *config.File {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "word"), []byte("a secret word"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := config.Parse(filepath.Join(dir, "usherd.yaml"), []byte(configText), config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What is in force is shown with its place, and what opens something is not. Who is of one organization sees that one only.
func TestConfigurationIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &program{is: system.Standing{Leads: true}, file: parsed(t)}
	w.set.Revision, p.is.Disk.Revision = p.file.Revision, p.file.Revision
	w.daemon(p)
	b := w.as("root")
	a := b.get("/config")
	w.want(a, http.StatusOK, "the same as in force", p.file.Revision, "usherd check -c", "usherd.yaml:14", `[ldaps://ldap.acme.test]`, "[hidden] {file: word}", "[hidden]",
		"&lt;b&gt;root", "<code>organizations[acme].sources[office]</code>", "<code>guard.percent</code>", "30d", ">default<", "sqlite:usherd.db")
	w.not(a, "a secret word", "HASH", "of others", "elsewhere", "<b>root")
	w.want(b.get("/config?org=other"), http.StatusOK, "of others", "sqlite:usherd.db")
	a = b.get("/config?written=1&key=LDAP")
	w.want(a, http.StatusOK, "ldaps://ldap.acme.test")
	w.not(a, "guard.percent", ">default<")
	w.want(b.get("/config?key=nothing"), http.StatusOK, "No key fits")
	a = w.as("auditor").get("/config")
	w.want(a, http.StatusOK, "You see your organization", "ldaps://ldap.acme.test")
	w.not(a, "sqlite:usherd.db", "root", "elsewhere", "of others")
}

// The file on disk is told with every fault, or with what it would change.
func TestConfigurationOnDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &program{is: system.Standing{Leads: true}, file: parsed(t)}
	p.is.Disk = system.Disk{Path: "/etc/usherd.yaml", Faults: []system.Fault{
		{File: "/etc/usherd.yaml", Line: 3, Column: 7, Path: "console.url", Message: "<i>no</i> address"}, {File: "/etc/usherd.yaml", Line: 9, Column: 1, Message: "fault two"},
	}}
	w.daemon(p)
	b := w.as("root")
	a := b.get("/config")
	w.want(a, http.StatusOK, "has faults", "usherd.yaml:3:7", "&lt;i&gt;no&lt;/i&gt; address", "usherd.yaml:9:1", "fault two", "Copy error text", `class="banners"`)
	w.not(w.as("owner").get("/config"), "fault two", "usherd.yaml:3")
	p.is.Disk = system.Disk{Path: "/etc/usherd.yaml", Revision: "another", Differences: []system.Difference{
		{Kind: "changed", Path: "organizations[acme].sources[office].guard.percent", Line: 20, Before: "5", After: "9"},
		{Kind: "added", Path: "organizations[other].sources[new]", Line: 30},
	}}
	w.now = w.now.Add(time.Minute)
	a = w.as("owner").get("/config")
	w.want(a, http.StatusOK, "differs from what is in force", "guard.percent", "<del><bdi>5</bdi></del>", "<bdi>office</bdi>", "usherd.yaml:20")
	w.not(a, "sources[new]")
}

func TestRevisionsAreListedAndCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.daemon(&program{is: system.Standing{Leads: true}})
	b := w.as("root")
	w.want(b.get("/config/revisions"), http.StatusOK, "Nothing was loaded yet")
	put := func(id, text string) {
		t.Helper()
		if err := w.db.PutRevision(t.Context(), connector.Revision{ID: id, At: w.now, Text: text}); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Hour)
	}
	put("broken", "nothing: known")
	put("first", configText)
	put("second", strings.NewReplacer("percent: 5", "percent: 7", "HASH1", "HASH2", "of others", "2").Replace(configText))
	w.set.Revision = "second"
	b = w.as("root")
	w.want(b.get("/config/revisions"), http.StatusOK, "second", "in force", "a=first&amp;b=second", "a=broken&amp;b=first")
	a := b.get("/config/diff?a=first&b=second")
	w.want(a, http.StatusOK, "<del><bdi>5</bdi></del>", "<ins><bdi>7</bdi></ins>", "organizations[acme].sources[office].guard.percent", "another secret")
	w.not(a, "HASH", "of others")
	a = w.as("helpdesk").get("/config/diff?a=first&b=second")
	w.want(a, http.StatusOK, "guard.percent")
	w.not(a, "password_hash", "of others")
	w.want(b.get("/config/diff?a=first&b=first"), http.StatusOK, "They say the same")
	w.want(b.get("/config/diff"), http.StatusOK, "Name two revisions")
	w.want(b.get("/config/diff?a=nowhere&b=%3Cb%3E"), http.StatusNotFound, "there is no revision nowhere", "&lt;b&gt;")
	w.want(b.get("/config/diff?a=broken&b=first"), http.StatusConflict, "faults for this version")
	w.want(b.get("/config/revisions?after=eA"), http.StatusConflict)
	for i := range 60 {
		put("r"+strings.Repeat("x", i), "x")
	}
	b = w.as("root")
	a = b.get("/config/revisions")
	w.want(a, http.StatusOK, `rel="next"`)
	next := strings.ReplaceAll(a.text[strings.Index(a.text, `rel="next" href="`)+len(`rel="next" href="/admin`):], "&amp;", "&")
	w.want(b.get(next[:strings.IndexByte(next, '"')]), http.StatusOK, "second", "First page")
}
