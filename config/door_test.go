package config_test

import (
	"testing"

	"usherd/config"
)

// The address without a slash at its end, and the ports that are used where none is named.
func TestDoorsOfProgramsAndPeople(t *testing.T) {
	t.Parallel()
	f, err := config.Parse("usherd.yaml", []byte(`store: sqlite:usherd.db
api: { url: "https://api.acme.test/", behind_proxy: true, trusted_proxies: [192.0.2.1] }
portal: { url: "http://127.0.0.1:9474" }
organizations: [{ id: acme, partner_id: "1", sources: [{ id: entra, scim: {} }] }]
`), options())
	if err != nil {
		t.Fatal(err)
	}
	a, p := f.Config.API, f.Config.Portal
	if a.URL != "https://api.acme.test" || a.Listen != "127.0.0.1:9473" || len(a.TrustedNetworks()) != 1 || p.Listen != "127.0.0.1:9474" || p.TrustedNetworks() != nil {
		t.Errorf("%+v %+v", a, p)
	}
}
