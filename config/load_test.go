package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/config"
	"usherd/connector"
)

const minimal = "testdata/good/minimal.yaml"

func TestMinimal(t *testing.T) {
	t.Parallel()
	f, err := config.Load(minimal, options())
	if err != nil || len(f.Warnings) != 0 {
		t.Fatal(err, f)
	}
	if len(f.Revision) != 12 || f.Path != minimal {
		t.Errorf("revision %q of %q", f.Revision, f.Path)
	}
	r := f.Organizations[0]
	base, _ := filepath.Abs("testdata/good")
	if want := "sqlite:" + filepath.Join(base, "usherd.db"); f.Config.Store != want || f.Config.Listen != "127.0.0.1:9470" {
		t.Errorf("store %s, listen %s", f.Config.Store, f.Config.Listen)
	}
	o := r.Org
	if o.Name != "acme" || o.DeleteAfter != 30*24*time.Hour || o.GoneDeleteAfter != 7*24*time.Hour || !o.ReevaluateOnDomainVerified {
		t.Errorf("%+v", o)
	}
	if diff := cmp.Diff([]string{"email", "userName"}, o.Matching); diff != "" {
		t.Error(diff)
	}
	s := o.Source("ad")
	want := connector.Guard{Min: 10, Percent: 5, AttributePercent: 50, ExpiresAfter: connector.Duration(24 * time.Hour)}
	if s.Guard != want || s.FirstRun != connector.FirstRunPreview || s.Kind != connector.Directory || s.Fingerprint == (connector.Hash{}) {
		t.Errorf("%+v", s)
	}
	if r.Mappings["ad"] == nil || r.Schedules["ad"] != nil || len(r.Directories["ad"].Attributes) == 0 {
		t.Errorf("%+v", r)
	}
	if got := r.Directories["ad"].Config.Bind.Password.Reveal(); got != hunter {
		t.Errorf("password %q", got)
	}
}

// TestValuesStayAsWritten is about 0123, +46701234567, 1.10, yes, null and paths.
func TestValuesStayAsWritten(t *testing.T) {
	t.Parallel()
	f, err := config.Load("testdata/good/as-written.yaml", options())
	if err != nil {
		t.Fatal(err)
	}
	r := f.Organizations[0]
	o, d := r.Org, r.Directories["ad"].Config
	got := []string{
		o.Name, o.PartnerID, o.Contact.Name, o.Contact.Phone, o.DeleteAfter.String(), o.Packages[0].ID, o.Packages[0].Name,
		d.Bind.User, strings.Join(d.Disabled.Values, " "), strings.Join(o.Matching, " "),
	}
	want := []string{"yes", "0123", "", "+46701234567", "36h0m0s", "2024", "1.10", `ACME\usherd`, "no 0 null-ish", "email userName"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if o.Packages[0].Seats != connector.Unlimited || o.Source("ad").Guard.Min != 10 || o.Source("ad").Guard.Percent != 2.5 {
		t.Errorf("%+v", o)
	}
	base, _ := filepath.Abs("testdata/good")
	if f.Config.Store != "sqlite:"+filepath.Join(base, "data", "usherd.db") || d.TLS.CAFile != filepath.Join(base, "certs", "ca.pem") {
		t.Errorf("store %s, CA %s", f.Config.Store, d.TLS.CAFile)
	}
	for target, rule := range map[string]bool{"fax": false, "title": false, "email": true, "custom.shoe.size": true, "department": true} {
		if _, ok := r.Mappings["ad"].Origin(target); ok != rule {
			t.Errorf("%s has a rule: %v", target, ok)
		}
	}
}

func TestMappingLineAndPosition(t *testing.T) {
	t.Parallel()
	f, err := config.Load("testdata/good/as-written.yaml", options())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Split(string(f.Text), "\n")
	line := func(start string) int {
		for i, l := range text {
			if strings.HasPrefix(strings.TrimSpace(l), start) {
				return i + 1
			}
		}
		return 0
	}
	for attribute, want := range map[string]int{"email": line("email:"), "custom.shoe.size": line("custom.shoe"), "fax": line("fax:"), "department": 0} {
		if got := f.MappingLine("acme", "ad", attribute); got != want {
			t.Errorf("%s: line %d, want %d", attribute, got, want)
		}
	}
	if f.MappingLine("acme", "nobody", "email") != 0 || f.MappingLine("other", "ad", "email") != 0 {
		t.Error("a line of a source that is not there")
	}
	for path, want := range map[string][2]int{
		"store":                                          {3, 8},
		"organizations[0].sources[0].guard":              {line("min:"), 11},
		"organizations[0].sources[0].guard.min":          {line("min:"), 11},
		"organizations[0].sources[0].guard.nothing":      {line("min:"), 11},
		"organizations[0].contact.phone":                 {line("phone:"), 14},
		"nothing[3].at.all":                              {2, 1},
		"organizations[0].sources[0].directory.bases[0]": {line("bases:"), 19},
	} {
		if l, c := f.Position(path); l != want[0] || c != want[1] {
			t.Errorf("%s: %d:%d, want %v", path, l, c, want)
		}
	}
}

func TestWindowsText(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(minimal)
	if err != nil {
		t.Fatal(err)
	}
	windows := "\ufeff" + strings.ReplaceAll(string(text), "\n", "\r\n")
	f, err := config.Parse(minimal, []byte(windows), options())
	if err != nil || f.Organizations[0].Org.ID != "acme" {
		t.Fatal(err)
	}
}

func TestFileItself(t *testing.T) {
	t.Parallel()
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), options()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(large, options())
	if err == nil || !strings.HasSuffix(err.Error(), "large.yaml:1:1: the file is larger than 4 MiB: that is no configuration") {
		t.Errorf("error %v", err)
	}
	if _, err := config.Load(t.TempDir(), options()); err == nil {
		t.Error("a folder is no configuration")
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	_, err := config.Parse("x.yaml", []byte(b.String()), options())
	var faults config.Faults
	if !errors.As(err, &faults) || len(faults) != 200 {
		t.Errorf("%d faults", len(faults))
	}
}

// TestSecrets gets one from each place.
func TestSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"plain": hunter + "\n", "windows": "\ufeff" + hunter + "\r\nmore\r\n", "bare": hunter} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(minimal)
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.CredentialsDir = dir
	for _, form := range []string{"{ file: plain }", "{ file: windows }", "{ file: " + filepath.Join(dir, "bare") + " }", "{ env: BIND }", "{ credential: plain }"} {
		f, err := config.Parse(filepath.Join(dir, "usherd.yaml"), []byte(strings.Replace(string(text), "{ env: BIND }", form, 1)), o)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if got := f.Organizations[0].Directories["ad"].Config.Bind.Password.Reveal(); got != hunter || len(f.Warnings) != 0 {
			t.Errorf("%s: %q, warnings %v", form, got, f.Warnings)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			for _, v := range []any{f.Config, *f, f.Organizations[0].Directories["ad"], f.Config.Organizations} {
				if s := fmt.Sprintf(verb, v); strings.Contains(s, "hunter2") || strings.Contains(s, fmt.Sprintf("%x", hunter)) {
					t.Errorf("%s with %s shows the secret", form, verb)
				}
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "open"), []byte(hunter), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil { // whatever the umask
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"    partner_id: \"10293\"\n", "",
		"{ env: UNIX }", "{ file: open }",
		"type: openldap", "type: active_directory",
		"[ldaps://ldap.acme.test]", "[ldaps://dc9.acme.test, LDAPS://dc1.acme.test/]",
		"ou=people,dc=acme,dc=test", "ou=People,DC=ACME,dc=test",
	).Replace(twoSources) + "        mapping: { attributes: { userName: , memberStatus: status } }\n        guard: { percent: 0.05 }\n  - id: beta\n    partner_id: 1\n"
	text = strings.Replace(text, "email: mail, fax:", "userName:", 1)
	f, err := config.Parse(filepath.Join(dir, "usherd.yaml"), []byte(text), options())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range f.Warnings {
		got = append(got, strings.ReplaceAll(w.String(), dir+string(filepath.Separator), ""))
	}
	want := []string{
		"usherd.yaml:3:5: organizations[0].partner_id: there is no partner_id: until there is one, nobody can be created or updated (failure 31 partner_id_missing)",
		"usherd.yaml:7:7: organizations[0].sources: no mapping has a rule for userName, which is required: nobody can be created",
		"usherd.yaml:16:11: organizations[0].sources[1].directory: the source in line 7 reads the same people of the same server: remove one, or give each its own bases or filter",
		"usherd.yaml:18:54: organizations[0].sources[1].directory.bind.password.file: everybody on this machine can read open: chmod 0600 it, owned by the account of usherd",
		"usherd.yaml:20:60: organizations[0].sources[1].mapping.attributes.memberStatus: whoever has a value of it is refused (failure 31 member_status_present): remove the rule",
		"usherd.yaml:21:27: organizations[0].sources[1].guard.percent: this is 0.05 percent: write 5 for 5 percent",
		"usherd.yaml:22:5: organizations[1].sources: there are no sources: nobody comes into this organization",
	}
	if runtime.GOOS == "windows" { // file modes say nothing there
		want = append(want[:3], want[4:]...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestFingerprint changes with whatever decides who is meant and how, and with nothing else.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	of := func(edit ...string) connector.Hash {
		return parse(t, strings.NewReplacer(edit...).Replace(twoSources), hunter).Organizations[0].Org.Source("ad").Fingerprint
	}
	first := of()
	for _, same := range [][]string{{"dc1.acme.test", "dc2.acme.test"}, {"approval: true", "approval: false"}, {"dc=acme,dc=test", "dc=acme,dc=example"}} {
		if of(same...) != first {
			t.Errorf("%v made another fingerprint", same)
		}
	}
	for _, other := range [][]string{{"OU=People", "OU=Staff"}, {"email: mail", "email: lower(mail)"}, {"- id: ad\n", "- id: ad\n        package: old\n"}} {
		if of(other...) == first {
			t.Errorf("%v made no other fingerprint", other)
		}
	}
}
