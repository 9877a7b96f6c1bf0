package saml2_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dsig "github.com/russellhaering/goxmldsig"

	"usherd/sso/saml2"
)

var ann = &saml2.Assertion{
	ID: "_a1", Subject: "ann@example.com", Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", Session: "_s1", Request: request,
	IssuedAt: at, Until: at.Add(5 * time.Minute), SessionUntil: at.Add(8 * time.Hour),
	Attributes: []saml2.Attribute{
		{Name: "mail", Values: []string{"ann@example.com"}}, {Name: "groups", Values: []string{"staff", "all & sundry"}},
	},
}

func TestGoodResponses(t *testing.T) {
	t.Parallel()
	k := allKeys()
	everything := []string{"Assertion", "Response"}
	for name, response := range map[string]string{
		"assertion signed":    signed(good),
		"response signed":     signedWith(good, k.first, dsig.RSASHA256SignatureMethod, "Response"),
		"both signed":         signedWith(good, k.first, dsig.RSASHA256SignatureMethod, everything...),
		"second certificate":  signedWith(good, k.second, dsig.RSASHA512SignatureMethod, "Assertion"),
		"ecdsa":               signedWith(good, k.curve, dsig.ECDSASHA256SignatureMethod, "Assertion"),
		"no KeyInfo":          withoutKeyInfo(signed(good)),
		"sealed":              sealed(signed(good), how{}, k.ours.cert),
		"sealed with AES-128": sealed(signed(good), how{block: xmlenc11 + "aes128-gcm"}, k.ours.cert),
		"sealed with SHA-256": sealed(signed(good), how{
			digest: `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>`, hash: crypto.SHA256,
		}, k.ours.cert),
		"sealed with SHA-256 and a mask by it": sealed(signed(good), how{
			wrap: xmlenc11 + "rsa-oaep", hash: crypto.SHA256, mgf: crypto.SHA256, digest: `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>`,
			mask: `<x:MGF xmlns:x="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/>`,
		}, k.ours.cert),
		"sealed with CBC in a signed response": signedWith(sealed(good, how{block: xmlenc + "aes256-cbc"}, k.ours.cert),
			k.first, dsig.RSASHA256SignatureMethod, "Response"),
		"no destination, which a response that is not signed need not have": edited(` Destination="`+acs+`"`, ``),
		"declaration": `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + signed(good) + "\n",
		"several confirmations, of which one is good": edited(`<saml:SubjectConfirmation `,
			`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"/><saml:SubjectConfirmation `),
		"another audience beside ours":         edited(`<saml:Audience>`, `<saml:Audience>https://other.example.net</saml:Audience><saml:Audience>`),
		"a condition that is always true here": edited(`</saml:Conditions>`, `<saml:OneTimeUse/></saml:Conditions>`),
		"within the skew":                      edited(`NotBefore="2026-11-27T11:59:30Z"`, `NotBefore="2026-11-27T12:01:59Z"`),
		"blanks around":                        edited(`>ann@example.com</saml:NameID>`, "> ann@example.com\n</saml:NameID>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := verify(t, verifier(), response)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(ann, a); d != "" {
				t.Error(d)
			}
		})
	}
}

func withoutKeyInfo(text string) string {
	root := parse(text)
	s := find(root, "Signature")
	s.RemoveChild(find(s, "KeyInfo"))
	return write(root)
}

func TestIDPInitiated(t *testing.T) {
	t.Parallel()
	unasked := signed(strings.ReplaceAll(good, ` InResponseTo="`+request+`"`, ``))
	v := verifier()
	var f *saml2.Error
	if _, err := v.Verify(t.Context(), []byte(unasked), "", at); !errors.As(err, &f) || f.Code != saml2.InResponseToMismatch {
		t.Errorf("not allowed: %v", err)
	}
	v.Unsolicited = true
	if a, err := v.Verify(t.Context(), []byte(unasked), "", at); err != nil || a.Request != "" {
		t.Errorf("allowed: %v %v", a, err)
	}
	// A response to somebody's request is none that came unasked.
	for _, response := range []string{signed(good), edited(` InResponseTo="`+request+`"><saml:Issuer>`, `><saml:Issuer>`)} {
		if _, err := v.Verify(t.Context(), []byte(response), "", at); !errors.As(err, &f) || f.Code != saml2.InResponseToMismatch {
			t.Errorf("a response to another browser's request: %v", err)
		}
	}
	if _, err := verify(t, v, unasked); !errors.As(err, &f) || f.Code != saml2.InResponseToMismatch {
		t.Errorf("an unasked response while a request is open: %v", err)
	}
}

func TestAnAssertionIsUsedOnce(t *testing.T) {
	t.Parallel()
	v := verifier()
	if _, err := verify(t, v, signed(good)); err != nil {
		t.Fatal(err)
	}
	until := v.Cache.(*used).ids["_a1"]
	if want := at.Add(7 * time.Minute); !until.Equal(want) {
		t.Errorf("remembered until %s, want %s", until, want)
	}
	var f *saml2.Error
	if _, err := verify(t, v, signedWith(good, allKeys().second, dsig.RSASHA256SignatureMethod, "Assertion")); !errors.As(err, &f) || f.Step != saml2.Replay {
		t.Errorf("the same assertion, signed again: %v", err)
	}
	v.Cache = &used{fail: true}
	if _, err := verify(t, v, signed(good)); err == nil || errors.As(err, &f) {
		t.Errorf("a store that is away is no fault of the response: %v", err)
	}
}

// Of several confirmations each can be the one that lets somebody in, the last one also when the others are over.
func TestAnAssertionIsRememberedAsLongAsItCouldBeUsed(t *testing.T) {
	t.Parallel()
	v := verifier()
	one := write(find(parse(good), "SubjectConfirmation"))
	text := replaced("</saml:Subject>", strings.Replace(one, "12:05:00Z", "13:00:00Z", 1)+"</saml:Subject>")
	twice := signed(strings.Replace(text, `NotOnOrAfter="2026-11-27T12:05:00Z"><saml:Aud`, `><saml:Aud`, 1))
	if _, err := verify(t, v, twice); err != nil {
		t.Fatal(err)
	}
	if until, want := v.Cache.(*used).ids["_a1"], at.Add(62*time.Minute); !until.Equal(want) {
		t.Errorf("remembered until %s, want %s", until, want)
	}
}

func TestRollover(t *testing.T) {
	t.Parallel()
	k := allKeys()
	v := verifier()
	v.IDP.Certificates = []*x509.Certificate{k.first.cert}
	second := signedWith(good, k.second, dsig.RSASHA256SignatureMethod, "Assertion")
	var f *saml2.Error
	if _, err := verify(t, v, second); !errors.As(err, &f) || f.Code != saml2.CertificateMismatch || !strings.Contains(f.Detail, "CN=second") {
		t.Errorf("before: %v", err)
	}
	v.IDP.Certificates = append(v.IDP.Certificates, k.second.cert)
	if _, err := verify(t, v, second); err != nil {
		t.Errorf("after: %v", err)
	}
}

// While a key of ours is changed for another, what was sealed for either opens.
func TestRolloverOfOurKey(t *testing.T) {
	t.Parallel()
	k := allKeys()
	next := saml2.Key{Private: k.second.key.(*rsa.PrivateKey), Certificate: k.second.cert}
	forOld, forNext := sealed(signed(good), how{}, k.ours.cert), sealed(signed(good), how{}, k.second.cert)
	both := verifier()
	both.SP.Keys = append(both.SP.Keys, next)
	again := *both
	again.Cache = &used{}
	only := verifier()
	only.SP.Keys = []saml2.Key{next}
	for name, c := range map[string]struct {
		v        *saml2.Verifier
		response string
		opens    bool
	}{
		"before, for the next": {verifier(), forNext, false}, "both, for the old": {both, forOld, true}, "both, for the next": {&again, forNext, true},
		"after, for the old": {only, forOld, false}, "after, for the next": {only, forNext, true},
	} {
		var f *saml2.Error
		if _, err := verify(t, c.v, c.response); (err == nil) != c.opens || err != nil && (!errors.As(err, &f) || f.Code != saml2.AssertionInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	v := verifier()
	address, err := v.Request("_1", "relay", at)
	if err != nil || !strings.HasPrefix(address, "https://idp.example.org/sso?SAMLRequest=") ||
		!strings.Contains(address, "&RelayState=relay&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256&Signature=") {
		t.Errorf("%s %v", address, err)
	}
	v.SP.Keys = nil
	if address, err = v.Request("_1", "relay", at); err != nil || strings.Contains(address, "Signature") {
		t.Errorf("%s %v", address, err)
	}
	if a, b := saml2.NewRequestID(), saml2.NewRequestID(); a == b || len(a) != 41 {
		t.Error(a, b)
	}
}
