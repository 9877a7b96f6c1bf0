package wording_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/ldapsync"
	"usherd/ldapsync/ldaptest"
)

// values are what stands between the sentences of a directory: names, addresses, numbers, words of Go and of the server.
var values = regexp.MustCompile(`^(ldaps?://.*|127\.0\.0\.1(:\d+)?|dial tcp 127.*|read tcp .*|(CN|DC|OU)=.*|simple .*|dc1\.example\.test|".*"|[A-Za-z_]+|\(.*\)|TLS 1\.\d)$`)

// A real connection test against a directory in each of its moods is told without English sentences.
func TestAConnectionTestHasForms(t *testing.T) {
	t.Parallel()
	s, err := ldaptest.Start(ldaptest.Options{Accounts: []ldaptest.Account{{Names: []string{"reader@example.test"}, Password: "word"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Populate(ldaptest.PeopleOptions{People: 20}); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(c *ldapsync.Config){
		"all well":        func(*ldapsync.Config) {},
		"wrong password":  func(c *ldapsync.Config) { c.Bind.Password = connector.NewSecret("other") },
		"wrong base":      func(c *ldapsync.Config) { c.Bases = []string{"OU=Nowhere,DC=example,DC=test"} },
		"wrong filter":    func(c *ldapsync.Config) { c.Filter = "(sn=nobody at all)" },
		"wrong type":      func(c *ldapsync.Config) { c.Type, c.Filter = ldapsync.OpenLDAP, "(sn=nobody)" },
		"wrong authority": func(c *ldapsync.Config) { c.TLS.CAFile = "" },
		"no TLS there":    func(c *ldapsync.Config) { c.Servers = []string{strings.Replace(s.URL(), "ldap:", "ldaps:", 1)} },
		"nobody listens":  func(c *ldapsync.Config) { c.Servers = []string{"ldaps://127.0.0.1:1", "ldaps://127.0.0.1:2"} },
		"no canary":       func(c *ldapsync.Config) { c.Canaries = []string{"CN=nobody,DC=example,DC=test"} },
		"no groups":       func(c *ldapsync.Config) { c.GroupBases, c.GroupFilter = c.Bases, "(cn=nothing)" },
		"no scope":        func(c *ldapsync.Config) { c.Groups = []string{"CN=nobody,DC=example,DC=test"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ldapsync.Config{
				Type: ldapsync.ActiveDirectory, Servers: []string{s.LDAPSURL()}, TLS: ldapsync.TLS{CAFile: ca}, Bases: []string{"DC=example,DC=test"},
				Bind:           ldapsync.Bind{User: "reader@example.test", Password: connector.NewSecret("word")},
				ConnectTimeout: connector.Duration(10 * time.Second), ReadTimeout: connector.Duration(20 * time.Second),
			}
			edit(&c)
			checkForms(t, c)
		})
	}
}

func checkForms(t *testing.T, c ldapsync.Config) {
	t.Helper()
	src, err := ldapsync.New(ldapsync.Options{Config: c, Attributes: []string{"sAMAccountName", "sn", "mail"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	words := load(t)
	steps := 0
	hear := func(text string) {
		for _, piece := range words.Rest(text) {
			if speak(piece) && !values.MatchString(strings.TrimSpace(piece)) {
				t.Errorf("there is no form for %q in %q", piece, text)
			}
		}
	}
	_ = src.Check(t.Context(), func(s ldapsync.Step) { // its faults are those of its steps
		steps++
		for part := range strings.SplitSeq(s.Detail, "; ") {
			hear(part)
		}
		if s.Err != nil {
			hear(s.Err.Error())
			hear(connector.HintOf(s.Err))
		}
	})
	if steps == 0 {
		t.Error("nothing was tried")
	}
}
