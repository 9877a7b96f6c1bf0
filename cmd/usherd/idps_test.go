package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"usherd/config"
	"usherd/connector"
	"usherd/scim/auth"
)

// idpMetadata is that of an identity provider with one certificate, which ends then.
func idpMetadata(t *testing.T, ends time.Time) (metadata string, certificate []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.acme.test"><md:IDPSSODescriptor `+
		`protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`+
		`<ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService `+
		`Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.acme.test/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>`,
		base64.StdEncoding.EncodeToString(raw)), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

// siteOf is a configuration with one identity provider.
func siteOf(c *config.SignOn) *site {
	r := &config.Runtime{Org: &connector.Organization{ID: "acme"}, SignOns: map[string]*config.SignOn{"login": c}}
	return &site{orgs: []*org{{Runtime: r}}}
}

// Metadata by URL is read when it can be, outlives an identity provider that does not answer, and a reload.
func TestMetadataByURL(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	doc, _ := idpMetadata(t, now.AddDate(0, 0, 20))
	var status atomic.Int32
	var broken atomic.Bool
	status.Store(http.StatusServiceUnavailable)
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		if broken.Load() {
			_, _ = w.Write([]byte(doc[:200]))
			return
		}
		_, _ = w.Write([]byte(doc))
	}))
	defer idp.Close()
	core, logs := observer.New(zap.InfoLevel)
	x := newIDPs(nil, func() time.Time { return now }, zap.New(core))
	key := auth.Source{Org: "acme", ID: "login"}
	known := func(want connector.Code) {
		t.Helper()
		if is, code := x.known(key)(); code != want || code == 0 && is.EntityID != "https://idp.acme.test" {
			t.Errorf("%+v %d, want %d", is, code, want)
		}
	}
	known(9) // nothing is configured
	x.replace(siteOf(&config.SignOn{SAML: config.SAML{MetadataURL: idp.URL}}))
	known(11)
	if wait := x.fetchDue(t.Context()); wait != metadataRetry {
		t.Errorf("it is asked again after %s", wait)
	}
	known(11)
	status.Store(http.StatusOK)
	if wait := x.fetchDue(t.Context()); wait != metadataRetry {
		t.Errorf("it is asked too soon: %s", wait)
	}
	known(11)
	broken.Store(true) // it can be reached, and what it says of itself cannot be read
	now = now.Add(metadataRetry)
	x.fetchDue(t.Context())
	known(9)
	broken.Store(false)
	now = now.Add(metadataRetry)
	if wait := x.fetchDue(t.Context()); wait != metadataFresh {
		t.Errorf("it is read, and again after %s", wait)
	}
	known(0)
	if n := logs.FilterMessage("a certificate of an identity provider ends").Len(); n != 1 {
		t.Errorf("%d warnings of a certificate that ends in 20 days", n)
	}
	status.Store(http.StatusInternalServerError)
	now = now.Add(metadataFresh)
	x.fetchDue(t.Context())
	known(0)
	x.replace(siteOf(&config.SignOn{SAML: config.SAML{MetadataURL: idp.URL}, Keep: time.Hour}))
	known(0)
	x.replace(siteOf(&config.SignOn{SAML: config.SAML{MetadataURL: idp.URL + "/other"}}))
	known(11)
}

func TestIdentityProvidersByFile(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	doc, certificate := idpMetadata(t, now.AddDate(1, 0, 0))
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	unsigned := put("unsigned.xml", strings.Replace(doc, `use="signing"`, `use="encryption"`, 1))
	good, broken, cert := put("good.xml", doc), put("broken.xml", doc[:100]), put("idp.crt", string(certificate))
	byHand := config.SAML{EntityID: "https://idp.acme.test", SSOURL: "https://idp.acme.test/sso"}
	withCert, withOther := byHand, byHand
	withCert.CertificateFiles, withOther.CertificateFiles = []string{cert}, []string{good}
	for name, c := range map[string]struct {
		is   config.SAML
		code connector.Code
	}{
		"metadata":            {config.SAML{MetadataFile: good}, 0},
		"metadata, by name":   {config.SAML{MetadataFile: good, EntityID: "https://idp.acme.test"}, 0},
		"metadata of another": {config.SAML{MetadataFile: good, EntityID: "https://other.test"}, 9},
		"broken":              {config.SAML{MetadataFile: broken}, 9},
		"no file":             {config.SAML{MetadataFile: filepath.Join(dir, "none")}, 9},
		"by hand":             {withCert, 0},
		"no certificate":      {withOther, 4},
		"none in metadata":    {config.SAML{MetadataFile: unsigned}, 4},
	} {
		x := newIDPs(nil, func() time.Time { return now }, zap.NewNop())
		x.replace(siteOf(&config.SignOn{SAML: c.is}))
		if is, code := x.known(auth.Source{Org: "acme", ID: "login"})(); code != c.code || code == 0 && len(is.Certificates) != 1 {
			t.Errorf("%s: %+v %d", name, is, code)
		}
	}
}

// Whoever runs for months is told of what ends all the same, once a day.
func TestWhatEndsIsToldEachDay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	doc, _ := idpMetadata(t, now.AddDate(0, 0, 60))
	path := filepath.Join(t.TempDir(), "idp.xml")
	doc = strings.Replace(doc, "entityID", `validUntil="2027-01-16T12:00:00Z" entityID`, 1) // in 50 days
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	x := newIDPs(nil, func() time.Time { return now }, zap.New(core))
	x.replace(siteOf(&config.SignOn{SAML: config.SAML{MetadataFile: path}}))
	for _, c := range []struct {
		day                   int
		certificate, metadata int // warnings until then
	}{{0, 0, 0}, {19, 0, 0}, {21, 0, 1}, {31, 1, 2}, {32, 2, 3}} {
		now = time.Date(2026, 11, 27, 13, 0, 0, 0, time.UTC).AddDate(0, 0, c.day)
		for range 3 {
			if wait := x.fetchDue(t.Context()); wait > metadataFresh {
				t.Error(wait)
			}
			now = now.Add(time.Hour)
		}
		ends, over := logs.FilterMessage("a certificate of an identity provider ends").Len(), logs.FilterMessage("the metadata of an identity provider ends").Len()
		if ends != c.certificate || over != c.metadata {
			t.Errorf("day %d: %d warnings of the certificate, %d of the metadata", c.day, ends, over)
		}
	}
}
