package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What kept a subscriber from an account is looked at again as soon as another configuration is in force, by a reload or a start, and not at
// the next full hour.
func TestSubscribersAreTriedAgain(t *testing.T) {
	t.Parallel()
	config := `store: sqlite:$DIR/usherd.db
listen: 127.0.0.1:0
organizations:
- id: acme
  packages: [{id: standard, seats: 3}]
  package: standard
  contact: {email: help@acme.test}
  templates: [{id: phones}]
  sources: [{id: idp, scim: {}}]
scim: {listen: "127.0.0.1:0", url: "http://127.0.0.1:2"}
`
	r := newRig(t, config)
	d := r.daemon(t)
	list := filepath.Join(t.TempDir(), "lines.csv")
	if err := os.WriteFile(list, []byte("subscriber_id,email,givenName,familyName\nline1,ann@acme.test,Ann,Lee\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	told := r.must(exitFailed, "subscribers", "announce", list)
	if !strings.Contains(told, "line1: Auto account creation failed (31): ") || !strings.Contains(told, "(partner_id_missing)") {
		t.Fatal(told)
	}
	r.configure(strings.Replace(config, "- id: acme\n", "- id: acme\n  partner_id: P-1\n", 1))
	r.must(exitOK, "reload")
	if line := d.log.await(t, "subscribers provisioned whose trouble has gone"); line["subscribers"] != 1.0 {
		t.Error(line)
	}
	if text := r.must(exitOK, "subscribers", "list"); !strings.Contains(text, "provision") || strings.Contains(text, "partner_id_missing") {
		t.Error(text)
	}
	d.end()
	r.configure(config)
	if err := os.WriteFile(list, []byte("subscriber_id,email,givenName,familyName\nline2,bob@acme.test,Bob,Lee\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must(exitFailed, "subscribers", "announce", list)
	r.configure(strings.Replace(config, "- id: acme\n", "- id: acme\n  partner_id: P-1\n", 1))
	d = r.daemon(t)
	if line := d.log.await(t, "subscribers provisioned whose trouble has gone"); line["subscribers"] != 1.0 {
		t.Error(line)
	}
	d.end()
}
