package saml2_test

import (
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"usherd/sso/saml2"
)

func encoded(p pair) string { return base64.StdEncoding.EncodeToString(p.cert.Raw) }

// idpMetadata describes an identity provider with these certificates.
func idpMetadata(list ...pair) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><!-- made by hand --><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + idpID +
		`"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">`)
	for _, p := range list {
		b.WriteString(`<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>` + encoded(p) +
			`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`)
	}
	b.WriteString(`<md:KeyDescriptor use="encryption"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>eA==` +
		`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>` +
		`<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.org/post"/>` +
		`<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.org/sso"/>` +
		`</md:IDPSSODescriptor></md:EntityDescriptor>`)
	return b.String()
}

func TestReadMetadata(t *testing.T) {
	t.Parallel()
	k := allKeys()
	one := idpMetadata(k.first, k.second)
	other := strings.Replace(one, idpID, "https://other.example.org", 1)
	strip := func(s string) string {
		return strings.NewReplacer(`<?xml version="1.0"?>`, "", "<!-- made by hand -->", "").Replace(s)
	}
	federation := `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">` + strip(other) + strip(one) + `</md:EntitiesDescriptor>`
	for _, c := range []struct{ name, doc, entity, fault string }{
		{"one", one, "", ""},
		{"one, by name", one, idpID, ""},
		{"of a federation", federation, idpID, ""},
		{"two of a federation", federation, "", "describes 2 identity providers"},
		{"none of that name", federation, "https://x", "describes no identity provider https://x"},
		{"a service provider", strings.ReplaceAll(one, "IDPSSODescriptor", "SPSSODescriptor"), "", "describes no identity provider"},
		{"no address", strings.Replace(one, "HTTP-Redirect", "SOAP", 1), "", "names no sign-in address"},
		{"no certificate", idpMetadata(), "", "no certificate that signs"},
		{"a broken certificate", strings.Replace(one, encoded(k.first), "eA==", 1), "", "certificate of the identity provider cannot be read"},
		{"no base64", strings.Replace(one, encoded(k.first), "!", 1), "", "not base64"},
		{"a document type", `<!DOCTYPE x>` + strip(one), "", "document type"},
		{"no XML", "hello", "", "cannot be read"},
		{"a page", "<html></html>", "", "cannot be read"},
	} {
		idp, err := saml2.ReadMetadata([]byte(c.doc), c.entity)
		switch {
		case c.fault == "" && (err != nil || idp.EntityID != idpID || idp.SSOURL != "https://idp.example.org/sso" || len(idp.Certificates) != 2):
			t.Errorf("%s: %+v %v", c.name, idp, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: %v, want %s", c.name, err, c.fault)
		}
	}
}

// The metadata of a federation, of one of its members and of a role end with the first of them.
func TestMetadataEnds(t *testing.T) {
	t.Parallel()
	one := strings.NewReplacer(`<?xml version="1.0"?>`, "", "<!-- made by hand -->", "").Replace(idpMetadata(allKeys().first))
	until := func(tag, day string) string { return "<md:" + tag + ` validUntil="2026-12-` + day + `T00:00:00Z"` }
	entity := strings.Replace(one, "<md:EntityDescriptor", until("EntityDescriptor", "03"), 1)
	federation := func(doc string) string {
		return until("EntitiesDescriptor", "05") + ` xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">` + doc + `</md:EntitiesDescriptor>`
	}
	for day, doc := range map[int]string{
		0: one, 3: federation(entity), 5: federation(one), 2: strings.Replace(entity, "<md:IDPSSODescriptor", until("IDPSSODescriptor", "02"), 1),
	} {
		idp, err := saml2.ReadMetadata([]byte(doc), "")
		if err != nil || day == 0 && !idp.Until.IsZero() || day > 0 && !idp.Until.Equal(time.Date(2026, 12, day, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%d: %s %v", day, idp.Until, err)
		}
	}
}

func TestReadCertificates(t *testing.T) {
	t.Parallel()
	block := func(p pair) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}))
	}
	k := allKeys()
	list, err := saml2.ReadCertificates([]byte("first\n" + block(k.first) + block(k.second) + block(k.first)))
	if err != nil || len(list) != 2 {
		t.Errorf("%d %v", len(list), err)
	}
	for _, text := range []string{"", "hello", strings.Replace(block(k.first), "MI", "XX", 1)} {
		if _, err := saml2.ReadCertificates([]byte(text)); err == nil {
			t.Errorf("%.30q was read", text)
		}
	}
}

// What we say of ourselves can be read as such, with both keys while one is changed for the other.
func TestMetadata(t *testing.T) {
	t.Parallel()
	v := verifier()
	v.NameIDFormat = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	v.SP.Keys = append(v.SP.Keys, saml2.Key{Certificate: allKeys().second.cert})
	doc, err := v.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc)
	for part, n := range map[string]int{
		`entityID="` + spID + `"`: 1, `Location="` + acs + `"`: 1, `use="signing"`: 2, `use="encryption"`: 2, encoded(allKeys().ours): 2, encoded(allKeys().second): 2,
		`WantAssertionsSigned="true"`: 1, `AuthnRequestsSigned="true"`: 1, `aes256-gcm`: 2, "nameid-format:persistent": 1,
	} {
		if got := strings.Count(text, part); got != n {
			t.Errorf("%s is there %d times, want %d", part, got, n)
		}
	}
	v.SP.Keys = nil
	if doc, err = v.Metadata(); err != nil || strings.Contains(string(doc), "KeyDescriptor") || !strings.Contains(string(doc), `AuthnRequestsSigned="false"`) {
		t.Errorf("%s %v", doc, err)
	}
}
