package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/config"
)

const twoSources = `store: sqlite:usherd.db
organizations:
  - id: acme
    partner_id: "10293"
    approval: true
    packages: [{ id: standard, seats: 500 }, { id: old, seats: 5 }]
    sources:
      - id: ad
        directory:
          type: active_directory
          servers: [ldaps://dc1.acme.test]
          bind: { user: usherd@acme.test, password: { env: BIND } }
          bases: ["OU=People,DC=acme,DC=test"]
        mapping: { attributes: { email: mail, fax: } }
      - id: unix
        directory:
          type: openldap
          servers: [ldaps://ldap.acme.test]
          bind: { user: cn=usherd, password: { env: UNIX } }
          bases: ["ou=people,dc=acme,dc=test"]
`

func parse(t *testing.T, text, secret string) *config.File {
	t.Helper()
	f, err := config.Parse("usherd.yaml", []byte(text), config.LoadOptions{Env: func(string) (string, bool) { return secret, true }})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func differences(list []config.Difference) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.String()
	}
	return out
}

func TestDiff(t *testing.T) {
	t.Parallel()
	at := strings.Index(twoSources, "      - id: ad\n")
	unix := strings.Index(twoSources, "      - id: unix\n")
	swapped := twoSources[:at] + twoSources[unix:] + twoSources[at:unix]
	for name, c := range map[string]struct {
		edit func(string) string
		want []string
	}{
		"nothing": {func(s string) string { return s }, nil},
		"comments": {func(s string) string {
			return "# new\n" + strings.ReplaceAll(s, "[ldaps://dc1.acme.test]", `["ldaps://dc1.acme.test"] # why`)
		}, nil},
		"order of keys": {func(s string) string {
			return strings.Replace(s, "{ id: standard, seats: 500 }", "{ seats: 500, id: standard }", 1)
		}, nil},
		"value": {
			func(s string) string { return strings.Replace(s, "seats: 500", "seats: 600", 1) },
			[]string{"changed organizations[acme].packages[standard].seats: 500 -> 600 (line 6)"},
		},
		"list": {
			func(s string) string {
				return strings.Replace(s, "[ldaps://dc1.acme.test]", "[ldaps://dc1.acme.test, ldaps://dc2.acme.test]", 1)
			},
			[]string{"changed organizations[acme].sources[ad].directory.servers: [ldaps://dc1.acme.test] -> [ldaps://dc1.acme.test, ldaps://dc2.acme.test] (line 11)"},
		},
		"key": {
			func(s string) string { return strings.Replace(s, "approval: true", "name: Acme", 1) },
			[]string{"added organizations[acme].name: Acme (line 5)", "removed organizations[acme].approval: true (was line 5)"},
		},
		"package": {
			func(s string) string { return strings.Replace(s, "id: old", "id: new", 1) },
			[]string{"added organizations[acme].packages[new] (line 6)", "removed organizations[acme].packages[old] (was line 6)"},
		},
		"source": {func(s string) string { return s[:unix] }, []string{"removed organizations[acme].sources[unix] (was line 15)"}},
		"order": {
			func(string) string { return swapped },
			[]string{"changed organizations[acme].sources (order): ad, unix -> unix, ad (line 8)"},
		},
		"place of a secret": {
			func(s string) string { return strings.Replace(s, "env: UNIX", "env: LDAP", 1) },
			[]string{"changed organizations[acme].sources[unix].directory.bind.password: {env: UNIX} -> {env: LDAP} (line 19)"},
		},
		"organization": {
			func(s string) string { return s + "  - { id: beta, partner_id: 2 }\n" },
			[]string{"added organizations[beta] (line 21)"},
		},
	} {
		got := differences(config.Diff(parse(t, twoSources, hunter), parse(t, c.edit(twoSources), hunter)))
		if diff := cmp.Diff(append([]string{}, c.want...), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDiffTellsAnotherSecretButNotWhich(t *testing.T) {
	t.Parallel()
	got := fmt.Sprintf("%+v", config.Diff(parse(t, twoSources, "old-"+hunter), parse(t, twoSources, "new-"+hunter)))
	if !strings.Contains(got, "sources[ad].directory.bind.password: another secret in {env: BIND}") || strings.Contains(got, hunter) {
		t.Error(got)
	}
}

func TestDiffFromNothing(t *testing.T) {
	t.Parallel()
	got := differences(config.Diff(nil, parse(t, twoSources, hunter)))
	want := []string{"added store: sqlite:usherd.db (line 1)", "added organizations[acme] (line 3)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Items of a list that have no id go by their names, or by their places: each is compared with itself.
func TestDiffOfItemsWithoutIDs(t *testing.T) {
	t.Parallel()
	const hash = `"$argon2id$v=19$m=65536,t=3,p=2$c29tZXNhbHRzb21lc2FsdA$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"`
	console := "console:\n  url: http://127.0.0.1:9475\n  admins:\n  - { name: ann, role: owner, password_hash: " + hash + " }\n  - { name: bob, role: auditor, password_hash: " + hash + " }\n"
	f := parse(t, console+twoSources, "x")
	if got := differences(config.Diff(f, f)); len(got) > 0 {
		t.Error(got)
	}
	got := differences(config.Diff(f, parse(t, strings.Replace(console, "auditor", "helpdesk", 1)+twoSources, "x")))
	if len(got) != 1 || !strings.Contains(got[0], "console.admins[bob].role") {
		t.Error(got)
	}
}
