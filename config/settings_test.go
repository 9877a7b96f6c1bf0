package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/config"
)

func TestSettingsOfASource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "usherd.yaml")
	text := `store: sqlite:usherd.db
organizations:
- id: acme
  partner_id: "1"
  sources:
  - id: office
    directory:
      type: openldap
      servers: [ldaps://ldap.acme.test, ldaps://ldap2.acme.test]
      bind:
        user: cn=reader,dc=acme
        password: {file: word}
      bases:
      - dc=acme
    mapping:
      attributes:
        title: [title, employeeType]
    group_packages:
    - {group: "cn=vip,dc=acme", package: standard}
  - id: idp
    scim: {}
  packages:
  - {id: standard, seats: 5}
`
	for name, content := range map[string]string{"usherd.yaml": text, "word": "hush-hush"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := config.Load(path, config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Setting{
		{"id", "office", 6},
		{"directory.type", "openldap", 8},
		{"directory.servers", "[ldaps://ldap.acme.test, ldaps://ldap2.acme.test]", 9},
		{"directory.bind.user", "cn=reader,dc=acme", 11},
		{"directory.bind.password", "{file: word}", 12},
		{"directory.bases", "[dc=acme]", 14},
		{"mapping.attributes.title", "[title, employeeType]", 17},
		{"group_packages[1].group", "cn=vip,dc=acme", 19},
		{"group_packages[1].package", "standard", 19},
	}
	if diff := cmp.Diff(want, f.SourceSettings("acme", "office")); diff != "" {
		t.Error(diff)
	}
	if got := f.SourceSettings("acme", "nowhere"); got != nil {
		t.Error(got)
	}
}
