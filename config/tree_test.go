package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usherd/config"
)

const treeText = `store: sqlite:usherd.db
console:
  url: http://127.0.0.1:9475
  admins:
  - name: root
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
    mapping:
      attributes:
        title: [title, employeeType]
`

func load(t *testing.T, text, word string) *config.File {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "word"), []byte(word), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := config.Parse(filepath.Join(dir, "usherd.yaml"), []byte(text), config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Each key has its line, or is a default; what opens something is not shown.
func TestTree(t *testing.T) {
	t.Parallel()
	f := load(t, treeText, "secret word")
	all := map[string]config.Value{}
	for _, v := range f.Tree() {
		all[v.Path] = v
		if strings.Contains(v.Text, "secret word") || strings.Contains(v.Text, "HASH") {
			t.Errorf("%+v", v)
		}
		if v.Text == "" {
			t.Errorf("%s has no value", v.Path)
		}
	}
	const source = "organizations[acme].sources[office]."
	for path, want := range map[string]config.Value{
		"store":                                   {Text: "sqlite:usherd.db", Line: 1},
		"listen":                                  {Text: "127.0.0.1:9470"},
		"console.admins[root].password_hash":      {Text: "[hidden]", Line: 6},
		source + "directory.bind.password":        {Text: "[hidden] {file: word}", Line: 18},
		source + "directory.servers":              {Text: "[ldaps://ldap.acme.test]", Line: 15},
		source + "mapping.attributes.title":       {Text: "[title, employeeType]", Line: 22},
		"organizations[acme].delete_after":        {Text: "30d"},
		source + "guard.percent":                  {Text: "5"},
		"log.level":                               {Text: "info"},
		"organizations[acme].inactive_holds_seat": {Text: "false"},
	} {
		want.Path = path
		if all[path] != want {
			t.Errorf("%+v, want %+v", all[path], want)
		}
	}
	if v, there := all["portal.behind_proxy"]; there {
		t.Errorf("a door that there is none of: %+v", v)
	}
}

// Another password of an administrator is a difference, and is not shown.
func TestDifferencesShowNoHash(t *testing.T) {
	t.Parallel()
	old, new := load(t, treeText, "a"), load(t, strings.Replace(treeText, "HASH1", "HASH2", 1), "b")
	list := config.Diff(old, new)
	if len(list) != 2 {
		t.Fatal(list)
	}
	for _, d := range list {
		if s := d.String(); strings.Contains(s, "HASH") || !strings.Contains(s, "another secret") {
			t.Error(s)
		}
	}
}
