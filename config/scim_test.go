package config_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/policy"
)

func TestSourceThatPushes(t *testing.T) {
	t.Parallel()
	f, err := config.Load("testdata/good/scim.yaml", options())
	if err != nil || len(f.Warnings) > 0 {
		t.Fatal(err, f)
	}
	base, _ := filepath.Abs("testdata/good")
	door := f.Config.SCIM
	if door.Listen != "127.0.0.1:0" || door.URL != "https://scim.acme.test" || door.TLS.CertFile != filepath.Join(base, "scim.crt") {
		t.Errorf("%+v", door)
	}
	same := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if diff := cmp.Diff([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}, door.TrustedNetworks(), same); diff != "" {
		t.Error(diff)
	}
	r := f.Organizations[0]
	want := map[string]*config.Client{
		"entra": {
			Profile: "entra", Networks: []netip.Prefix{netip.MustParsePrefix("20.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")},
			Rate: 5, Burst: 20, Concurrency: 2, LogBodies: true, KeysFile: filepath.Join(base, "entra-jwks.json"), TokenLifetime: 5 * time.Minute,
		},
		"okta": {Profile: "auto", Rate: 50, Burst: 200, Concurrency: 16, KeepLog: 30 * 24 * time.Hour, TokenLifetime: 10 * time.Minute},
	}
	if diff := cmp.Diff(want, r.Clients, same); diff != "" {
		t.Error(diff)
	}
	s := r.Org.Source("entra")
	if s.Kind != connector.SCIM || !s.Groups || s.Package != "standard" || s.Guard != policy.Unguarded() || s.Fingerprint == r.Org.Source("okta").Fingerprint {
		t.Errorf("%+v", s)
	}
	if len(r.Directories)+len(r.Schedules)+len(r.Changes) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestPushedAttributesKeepTheirNames maps a record that has a value for every attribute of a profile.
func TestPushedAttributesKeepTheirNames(t *testing.T) {
	t.Parallel()
	f, err := config.Load("testdata/good/scim.yaml", options())
	if err != nil {
		t.Fatal(err)
	}
	m := f.Organizations[0].Mappings["entra"]
	want, r := connector.Profile{}, &connector.Record{}
	for _, a := range connector.Attributes() {
		if o, ok := m.Origin(a.Name); !ok || o.Expression != a.Name {
			t.Errorf("%s comes from %q", a.Name, o.Expression)
		}
		switch {
		case a.Name == "department":
			want[a.Name] = []string{"Guests"}
		case a.Type == connector.TextType && a.Multi:
			want[a.Name] = []string{"one of " + a.Name, "two of " + a.Name}
		case a.Type == connector.TextType:
			want[a.Name] = []string{"some " + a.Name}
		default:
			continue
		}
		var values [][]byte
		for _, v := range want[a.Name] {
			values = append(values, []byte(v))
		}
		r.Attributes = append(r.Attributes, connector.Attribute{Name: a.Name, Values: values})
	}
	mapped := m.Map(r)
	if len(mapped.Faults) > 0 || mapped.Package != "guest" {
		t.Errorf("%+v", mapped)
	}
	if diff := cmp.Diff(want, mapped.Profile); diff != "" {
		t.Error(diff)
	}
}

func TestProxyThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	const text = `store: sqlite:usherd.db
scim: { listen: 0.0.0.0:9471, url: "https://scim.acme.test", behind_proxy: true }
organizations:
- id: acme
  partner_id: P-1
  sources:
  - { id: entra, scim: { networks: [192.0.2.0/24] } }
  - { id: okta, scim: {} }
`
	f, err := config.Parse("usherd.yaml", []byte(text), options())
	if err != nil || len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0].String(), "usherd.yaml:7:36: organizations[0].sources[0].scim.networks: the door stands behind a proxy") {
		t.Fatal(err, f)
	}
}

// TestClosedDoorIsNoFault: taking the door away must not ask for taking its sources away, which would deactivate
// their people.
func TestClosedDoorIsNoFault(t *testing.T) {
	t.Parallel()
	text := "store: sqlite:usherd.db\norganizations:\n- id: acme\n  partner_id: P-1\n  sources:\n  - id: entra\n    scim: {}\n"
	f, err := config.Parse("usherd.yaml", []byte(text), options())
	if err != nil || len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0].String(), "usherd.yaml:7:11: organizations[0].sources[0].scim: nobody can push") {
		t.Fatal(err, f)
	}
}
