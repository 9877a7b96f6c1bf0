package config_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/config"
	"usherd/connector"
)

func TestSourceWherePeopleSignIn(t *testing.T) {
	t.Parallel()
	f, err := config.Load("testdata/good/sso.yaml", options())
	if err != nil || len(f.Warnings) > 0 {
		t.Fatal(err, f)
	}
	base, _ := filepath.Abs("testdata/good")
	door := f.Config.SSO
	if door.URL != "https://sso.acme.test" || door.Keys[1].KeyFile != filepath.Join(base, "next.key") || len(door.TrustedNetworks()) != 1 {
		t.Errorf("%+v", door)
	}
	r, no := f.Organizations[0], false
	want := map[string]*config.SignOn{
		"corp": {
			SAML: config.SAML{
				MetadataFile: filepath.Join(base, "idp.xml"), EntityID: "https://idp.acme.test", Application: "https://app.acme.test/sign-in?a=1",
				NameIDFormat: "email", IDPInitiated: true, Create: &no,
			},
			NameIDFormat: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
		},
		"byhand": {
			SAML: config.SAML{
				EntityID: "https://idp2.acme.test", SSOURL: "https://idp2.acme.test/sso", Application: "https://app.acme.test/",
				CertificateFiles: []string{filepath.Join(base, "a.crt"), filepath.Join(base, "b.crt")},
				ClockSkew:        connector.Duration(2 * time.Minute), Keep: connector.Duration(30 * 24 * time.Hour),
			},
			ClockSkew: 2 * time.Minute, Keep: 30 * 24 * time.Hour,
		},
	}
	if diff := cmp.Diff(want, r.SignOns); diff != "" {
		t.Error(diff)
	}
	corp, byHand := r.Org.Source("corp"), r.Org.Source("byhand")
	if corp.Kind != connector.SignIn || !corp.OnlyKnown || byHand.OnlyKnown || corp.Package != "standard" || corp.Fingerprint == byHand.Fingerprint {
		t.Errorf("%+v %+v", corp, byHand)
	}
}

// The names under which identity providers send what is always required, each by itself.
func TestUsualNamesOfAttributes(t *testing.T) {
	t.Parallel()
	f, err := config.Load("testdata/good/sso.yaml", options())
	if err != nil {
		t.Fatal(err)
	}
	m := f.Organizations[0].Mappings["byhand"]
	for name, target := range map[string]string{
		"userName": connector.UserName, "uid": connector.UserName, "eduPersonPrincipalName": connector.UserName, "userPrincipalName": connector.UserName,
		"name": connector.UserName, "subject": connector.UserName, "givenName": connector.GivenName, "firstName": connector.GivenName,
		"sn": connector.FamilyName, "surname": connector.FamilyName, "lastName": connector.FamilyName, "familyName": connector.FamilyName,
		"mail": connector.Email, "email": connector.Email, "emailAddress": connector.Email,
	} {
		rec := &connector.Record{Attributes: []connector.Attribute{{Name: name, Values: [][]byte{[]byte("x@acme.test")}}}}
		if got := m.Map(rec); got.Profile.Get(target) != "x@acme.test" || len(got.Profile) != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNoDoorToSignIn(t *testing.T) {
	t.Parallel()
	f, err := config.Parse("usherd.yaml", []byte(`store: sqlite:usherd.db
organizations:
  - id: acme
    partner_id: "1"
    sources: [{ id: corp, saml: { metadata_file: idp.xml, application: "http://127.0.0.1/" } }]
`), options())
	if err != nil || len(f.Warnings) != 1 || f.Warnings[0].Message != "nobody can sign in: there is no sso block at the top of the file, which opens the door" {
		t.Error(err, f)
	}
}
