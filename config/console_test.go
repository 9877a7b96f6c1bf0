package config_test

import (
	"strings"
	"testing"

	"usherd/config"
)

// A console where nobody can sign in, or a provider whose people may do nothing, is doubted, and defaults are filled in.
func TestConsole(t *testing.T) {
	t.Parallel()
	load := func(block string) *config.File {
		f, err := config.Parse("usherd.yaml", []byte("store: sqlite:usherd.db\nconsole: "+block+"\norganizations: [{id: acme, partner_id: \"1\", sources: [{id: entra, scim: {}}]}]\n"), config.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	doubted := func(f *config.File, text string) {
		t.Helper()
		for _, w := range f.Warnings {
			if strings.Contains(w.String(), text) {
				return
			}
		}
		t.Errorf("%q is not among %v", text, f.Warnings)
	}
	f := load(`{url: "http://127.0.0.1:9475"}`)
	doubted(f, "nobody can sign in")
	if c := f.Config.Console; c.Listen != "127.0.0.1:9475" {
		t.Errorf("%+v", c)
	}
	f = load(`{url: "https://usherd.acme.test/", oidc: [{id: entra, issuer: "https://login.test", client_id: usherd}]}`)
	doubted(f, "may do anything")
	if c := f.Config.Console; c.URL != "https://usherd.acme.test" || c.OIDC[0].Name != "entra" || c.OIDC[0].GroupsClaim != "groups" || strings.Join(c.OIDC[0].Scopes, " ") != "profile email" {
		t.Errorf("%+v", c)
	}
}
