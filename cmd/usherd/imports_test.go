package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is the architecture as a table: which packages of ours a package may import. Imports point to
// connector, and doors never import each other.
var allowed = map[string][]string{
	"connector":                        {},
	"connector/mapping":                {"connector"},
	"connector/policy":                 {"connector"},
	"connector/lifecycle":              {"connector"},
	"connector/store":                  {"connector"},
	"connector/store/storetest":        {"connector"},
	"connector/store/newstore":         {"connector/store", "internal/testpg"},
	"connector/failure":                {"connector"},
	"connector/schedule":               {"connector"},
	"connector/lease":                  {"connector"},
	"connector/domains":                {"connector", "connector/policy"},
	"connector/domains/dnstest":        {},
	"connector/provision":              {"connector", "connector/lease", "connector/mapping", "connector/policy", "connector/lifecycle"},
	"connector/notify":                 {"connector", "connector/failure", "connector/policy", "connector/wording"},
	"connector/notice":                 {"connector"},
	"connector/notify/smtpserver":      {"internal/testproc"},
	"connector/wording":                {"connector", "connector/failure"},
	"connector/report":                 {"connector", "connector/failure", "connector/wording"},
	"connector/csvtable":               {"connector"},
	"connector/runs":                   {"connector"},
	"connector/clients":                {"connector"},
	"connector/system":                 {"connector"},
	"connector/system/systemtest":      {"config", "connector", "connector/system"},
	"connector/sources":                {"connector", "connector/mapping", "connector/policy", "connector/schedule"},
	"connector/subscribers":            {"connector", "connector/csvtable", "connector/failure", "connector/policy", "connector/report"},
	"scim/body":                        {},
	"scim/dialect":                     {"scim/body", "scim/filter", "scim/patch", "scim/schema"},
	"scim/patch":                       {"scim/filter", "scim/schema"},
	"scim":                             {"connector", "connector/failure", "connector/provision", "scim/auth", "scim/body", "scim/dialect", "scim/filter", "scim/patch", "scim/requestlog", "scim/resource", "scim/schema"},
	"scim/fleet":                       {},
	"scim/schema":                      {},
	"scim/check":                       {},
	"scim/resource":                    {"connector", "scim/body", "scim/schema"},
	"scim/filter":                      {"connector", "scim/schema"},
	"ldapsync":                         {"connector"},
	"csvfile":                          {"connector", "connector/csvtable"},
	"ldapsync/ldaptest":                {},
	"ldapsync/testserver":              {"ldapsync/testserver/ldifgen", "internal/testproc"},
	"ldapsync/testserver/ldifgen":      {},
	"ldapsync/testserver/changescript": {},
	"page":                             {"connector", "connector/failure"},
	"sso":                              {"connector", "connector/failure", "connector/provision", "page", "sso/saml2"},
	"portal":                           {"connector", "connector/failure", "connector/policy", "connector/provision", "page"},
	"console/chart":                    {},
	"sso/saml2":                        {"connector"},
	"sso/idpserver":                    {"internal/testproc"},
	"internal/webdriver":               {"internal/testproc"},
	"api":                              {"connector", "connector/clients", "connector/domains", "connector/failure", "connector/policy", "connector/provision", "connector/report", "connector/runs", "connector/schedule", "connector/sources", "connector/subscribers", "connector/system"},
	"console":                          {"connector", "console/chart", "connector/clients", "connector/csvtable", "connector/domains", "connector/failure", "connector/lifecycle", "connector/mapping", "connector/policy", "connector/provision", "connector/report", "connector/runs", "connector/schedule", "connector/sources", "connector/subscribers", "connector/system", "connector/wording", "console/password", "page"},
	"console/password":                 {},
	"scim/auth":                        {"connector"},
	"scim/oauth":                       {"connector", "scim/auth"},
	"scim/requestlog":                  {"connector"},
	"config":                           {"connector", "connector/mapping", "connector/notice", "connector/notify", "connector/policy", "connector/schedule", "console/password", "ldapsync"},
	"internal/bench":                   {"config", "connector", "connector/domains", "connector/provision", "connector/sources", "connector/store", "connector/store/storetest", "console", "console/password", "internal/testpg", "ldapsync/ldaptest", "ldapsync/testserver", "ldapsync/testserver/ldifgen"},
	"internal/gotest":                  {},
	"internal/testproc":                {},
	"internal/testpg":                  {"internal/testproc"},
	"cmd/usherd":                       {"*"},
}

// soleUsers says which packages of ours may import a module; packages below them may too.
var soleUsers = map[string][]string{
	"github.com/go-ldap/ldap/v3":       {"ldapsync"},
	"github.com/go-asn1-ber/asn1-ber":  {"ldapsync"},
	"github.com/jcmturner":             {"ldapsync"},
	"github.com/robfig/cron":           {"connector/schedule"},
	"modernc.org/sqlite":               {"connector/store"},
	"modernc.org/libc":                 {"connector/store"},
	"github.com/jackc/pgx/v5":          {"connector/store"},
	"github.com/expr-lang/expr":        {"connector/mapping"},
	"go.yaml.in/yaml":                  {"config"},
	"github.com/nicksnyder/go-i18n/v2": {"connector/failure"},
	"github.com/wneessen/go-mail":      {"connector/notify"},
	"github.com/spf13/cobra":           {"cmd/usherd"},
	"github.com/elimity-com/scim":      {"scim"},
	"github.com/crewjam/saml":          {"sso/saml2"},
	"github.com/russellhaering":        {"sso/saml2"},
	"github.com/beevik/etree":          {"sso/saml2"},
	"github.com/scim2/filter-parser":   {"scim"},
	"github.com/danielgtaylor/huma/v2": {"api"},
	"golang.org/x/crypto":              {"console/password"},
	"github.com/coreos/go-oidc":        {"console"},
	"golang.org/x/oauth2":              {"console"},
	"golang.org/x/term":                {"cmd/usherd"},
}

const module = "usherd"

type goPackage struct {
	ImportPath, Doc string
	Imports         []string
}

// packages returns what `go list` says of every package of the module. Go's test cache does not see what
// it read: run with -count=1.
func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Doc", module+"/...").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		seen[name] = true
		if p.Doc == "" {
			t.Errorf("%s has no package comment", name)
		}
		may, ok := allowed[name]
		if !ok {
			t.Errorf("%s is not in the table: say there what it may import", name)
			continue
		}
		for _, i := range p.Imports {
			if fault := forbidden(name, i, may); fault != "" {
				t.Error(fault)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("%s is in the table and does not exist", name)
		}
	}
}

// forbidden says what is wrong with an import, or "".
func forbidden(name, imported string, may []string) string {
	if own, ok := strings.CutPrefix(imported, module+"/"); ok {
		if !slices.Contains(may, own) && !slices.Contains(may, "*") {
			return name + " imports " + own + ", which the architecture does not allow"
		}
		return ""
	}
	for mod, users := range soleUsers {
		if within(imported, mod) && !slices.ContainsFunc(users, func(u string) bool { return within(name, u) }) {
			return name + " imports " + imported + ", which only " + strings.Join(users, ", ") + " may"
		}
	}
	return ""
}

// within reports whether path is prefix or below it.
func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func TestForbiddenImportIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, imported string
		fault          bool
	}{
		{"ldapsync", "usherd/connector", false},
		{"ldapsync", "usherd/connector/store", true},
		{"connector", "net/url", false},
		{"connector/policy", "github.com/go-ldap/ldap/v3", true},
		{"ldapsync/testserver", "github.com/go-ldap/ldap/v3", false},
		{"ldapsync", "github.com/go-ldap/ldap/v3/gssapi", false},
		{"ldapsync", "modernc.org/sqlite", true},
		{"connector/store", "modernc.org/sqlite/lib", false},
		{"cmd/usherd", "usherd/connector/store", false},
		{"cmd/usherd", "go.yaml.in/yaml/v3", true},
	} {
		if got := forbidden(c.name, c.imported, allowed[c.name]); (got != "") != c.fault {
			t.Errorf("%s imports %s: %q, want a fault: %v", c.name, c.imported, got, c.fault)
		}
	}
}
