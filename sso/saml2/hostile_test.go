package saml2_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"usherd/connector"
	"usherd/sso/saml2"
)

// evil is an assertion for somebody else that nobody has signed.
func evil() *etree.Element {
	e := parse(strings.ReplaceAll(goodAssertion, "ann@example.com", "boss@example.com"))
	e.CreateAttr("ID", "_evil")
	return e
}

// wrapped builds a response by rearranging one whose assertion, or which itself, is well signed.
func wrapped(what string, f func(root, assertion *etree.Element)) string {
	root := parse(signedWith(good, allKeys().first, dsig.RSASHA256SignatureMethod, what))
	f(root, find(root, "Assertion"))
	return write(root)
}

// take removes an element from where it stands and returns it.
func take(e *etree.Element) *etree.Element {
	e.Parent().RemoveChild(e)
	return e
}

// wrapping are the forms of signature wrapping of Somorovsky et al., "On Breaking SAML" (2012), and some more.
func wrapping() map[string]string {
	original := func(root *etree.Element) *etree.Element {
		c := root.Copy()
		c.RemoveChild(find(c, "Signature"))
		return c
	}
	return map[string]string{
		"XSW1: the signed response in the signature of another": wrapped("Response", func(root, _ *etree.Element) {
			inner := original(root)
			root.CreateAttr("ID", "_evil")
			find(root, "Assertion").CreateAttr("ID", "_evil2")
			find(root, "NameID").SetText("boss@example.com")
			find(root, "Signature").AddChild(inner)
		}),
		"XSW2: the signed response before the signature of another": wrapped("Response", func(root, _ *etree.Element) {
			inner := original(root)
			root.CreateAttr("ID", "_evil")
			find(root, "Assertion").CreateAttr("ID", "_evil2")
			find(root, "NameID").SetText("boss@example.com")
			root.InsertChildAt(1, inner)
		}),
		"XSW3: an assertion before the signed one": wrapped("Assertion", func(root, a *etree.Element) {
			root.InsertChildAt(a.Index(), evil())
		}),
		"XSW4: the signed assertion in another": wrapped("Assertion", func(root, a *etree.Element) {
			e := evil()
			e.AddChild(take(a))
			root.AddChild(e)
		}),
		"XSW5: the signature in a changed copy": wrapped("Assertion", func(root, a *etree.Element) {
			c := a.Copy()
			c.RemoveChild(find(c, "Signature"))
			a.CreateAttr("ID", "_evil")
			find(a, "NameID").SetText("boss@example.com")
			root.AddChild(c)
		}),
		"XSW6: the signed assertion in the signature of a copy": wrapped("Assertion", func(_, a *etree.Element) {
			c := a.Copy()
			c.RemoveChild(find(c, "Signature"))
			a.CreateAttr("ID", "_evil")
			find(a, "NameID").SetText("boss@example.com")
			find(a, "Signature").AddChild(c)
		}),
		"XSW7: the signed assertion in Extensions": wrapped("Assertion", func(root, a *etree.Element) {
			x := etree.NewElement("samlp:Extensions")
			x.AddChild(take(a))
			root.AddChild(x)
			root.AddChild(evil())
		}),
		"XSW8: the signed assertion in an Object": wrapped("Assertion", func(root, a *etree.Element) {
			s := take(find(a, "Signature"))
			x := etree.NewElement("ds:Object")
			x.AddChild(take(a))
			s.AddChild(x)
			e := evil()
			e.InsertChildAt(1, s)
			root.AddChild(e)
		}),
		"the signature of the assertion moved to the response": wrapped("Assertion", func(root, a *etree.Element) {
			root.InsertChildAt(1, take(find(a, "Signature")))
			find(a, "NameID").SetText("boss@example.com")
		}),
		"an assertion of the same name in another namespace": wrapped("Assertion", func(root, a *etree.Element) {
			e := evil()
			e.CreateAttr("xmlns:saml", "urn:example:other")
			root.InsertChildAt(a.Index(), e)
		}),
		"the signature of another assertion": wrapped("Assertion", func(root, a *etree.Element) {
			e := evil()
			e.InsertChildAt(1, take(find(a, "Signature")))
			take(a)
			root.AddChild(e)
		}),
		"two signatures in the assertion": wrapped("Assertion", func(_, a *etree.Element) {
			a.InsertChildAt(1, find(a, "Signature").Copy())
		}),
		"a reference to everything": wrapped("Assertion", func(_, a *etree.Element) { find(a, "Reference").CreateAttr("URI", "") }),
		"two references": wrapped("Assertion", func(_, a *etree.Element) {
			find(a, "SignedInfo").AddChild(find(a, "Reference").Copy())
		}),
		"a transform by XSLT": wrapped("Assertion", func(_, a *etree.Element) {
			find(a, "Transforms").CreateElement("ds:Transform").CreateAttr("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")
		}),
	}
}

// hostileCase is a response and the code that it is refused with.
type hostileCase struct {
	code     connector.Code
	response string
}

func without(tag string) string {
	root := parse(good)
	take(find(root, tag))
	return signed(write(root))
}

func hostile() map[string]hostileCase {
	k := allKeys()
	deep := strings.Repeat("<x>", 100_000)
	bomb := `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	conditions := find(parse(good), "Conditions")
	cases := map[string]hostileCase{
		"nothing":              {saml2.ResponseInvalid, ""},
		"no XML":               {saml2.ResponseInvalid, "SAMLResponse"},
		"cut":                  {saml2.ResponseInvalid, signed(good)[:2000]},
		"two roots":            {saml2.ResponseInvalid, signed(good) + signed(good)},
		"text behind":          {saml2.ResponseInvalid, signed(good) + "x"},
		"huge":                 {saml2.ResponseInvalid, strings.Replace(signed(good), "<saml:Issuer>", strings.Repeat(" ", saml2.MaxBytes)+"<saml:Issuer>", 1)},
		"deep":                 {saml2.ResponseInvalid, deep},
		"deep inside":          {saml2.ResponseInvalid, strings.Replace(signed(good), "<samlp:Status>", deep[:300]+strings.Repeat("</x>", 100)+"<samlp:Status>", 1)},
		"many elements":        {saml2.ResponseInvalid, strings.Replace(signed(good), "<samlp:Status>", strings.Repeat("<x/>", 10_000)+"<samlp:Status>", 1)},
		"many attributes":      {saml2.ResponseInvalid, strings.Replace(signed(good), `Version="2.0"`, manyAttributes()+` Version="2.0"`, 1)},
		"document type":        {saml2.ResponseInvalid, `<!DOCTYPE Response SYSTEM "http://127.0.0.1/x.dtd">` + signed(good)},
		"entity bomb":          {saml2.ResponseInvalid, bomb + strings.Replace(signed(good), "ann@example.com", "&c;", 1)},
		"external entity":      {saml2.ResponseInvalid, `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + strings.Replace(signed(good), "ann@example.com", "&x;", 1)},
		"unknown entity":       {saml2.ResponseInvalid, strings.Replace(signed(good), "ann@example.com", "&nbsp;", 1)},
		"processing":           {saml2.ResponseInvalid, strings.Replace(signed(good), "<samlp:Status>", "<?php x?><samlp:Status>", 1)},
		"another charset":      {saml2.ResponseInvalid, `<?xml version="1.0" encoding="UTF-7"?>` + signed(good)},
		"comment in NameID":    {saml2.ResponseInvalid, strings.Replace(edited("ann@example.com</saml:NameID>", "ann@example.com.evil.org</saml:NameID>"), "com.evil", "com<!---->.evil", 1)},
		"comment in attribute": {saml2.ResponseInvalid, strings.Replace(signed(good), `xs:string">ann@`, `xs:string">ann<!--x-->@`, 1)},
		"duplicate ids":        {saml2.ResponseInvalid, strings.Replace(signed(good), "<samlp:Status>", `<samlp:Status ID="_a1">`, 1)},
		"attribute twice":      {saml2.ResponseInvalid, strings.Replace(signed(good), `ID="_a1"`, `ID="_a1" ID="_a2"`, 1)},
		"no response":          {saml2.ResponseInvalid, signed(goodAssertion)},
		"response of SAML 1.1": {saml2.ResponseInvalid, strings.ReplaceAll(good, "SAML:2.0:protocol", "SAML:1.0:protocol")},
		"element in NameID":    {saml2.AssertionInvalid, edited("ann@example.com</saml:NameID>", "ann@example.com<x/>.evil.org</saml:NameID>")},

		"another version":        {saml2.ProtocolError, edited(`ID="_r1" Version="2.0"`, `ID="_r1" Version="1.1"`)},
		"assertion of version 1": {saml2.ProtocolError, edited(`ID="_a1" Version="2.0"`, `ID="_a1" Version="1.1"`)},
		"refused there":          {saml2.ProtocolError, edited("status:Success", "status:Responder")},
		"no such name there":     {saml2.WrongNameIDFormat, edited(`Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`, `Value="urn:oasis:names:tc:SAML:2.0:status:Requester"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy"/></samlp:StatusCode>`)},
		"no status":              {saml2.ResponseInvalid, without("Status")},
		"two status codes":       {saml2.ResponseInvalid, edited("<samlp:Status>", `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`)},
		"no assertion":           {saml2.AssertionInvalid, strings.Replace(good, goodAssertion, "", 1)},
		"two assertions":         {saml2.AssertionInvalid, strings.Replace(signed(good), "</samlp:Response>", strings.Replace(goodAssertion, "_a1", "_a2", 1)+"</samlp:Response>", 1)},

		"unsigned":            {saml2.AssertionUnsigned, good},
		"wrong key":           {saml2.CertificateMismatch, signedWith(good, k.stranger, dsig.RSASHA256SignatureMethod, "Assertion")},
		"wrong key, unnamed":  {saml2.SignatureInvalid, withoutKeyInfo(signedWith(good, k.stranger, dsig.RSASHA256SignatureMethod, "Assertion"))},
		"wrong key, our name": {saml2.SignatureInvalid, misnamed()},
		"certificate expired": {saml2.CertificateExpired, signedWith(good, k.old, dsig.RSASHA256SignatureMethod, "Assertion")},
		"SHA-1":               {saml2.SignatureInvalid, signedWith(good, k.first, dsig.RSASHA1SignatureMethod, "Assertion")},
		"ECDSA with SHA-1":    {saml2.SignatureInvalid, signedWith(good, k.curve, dsig.ECDSASHA1SignatureMethod, "Assertion")},
		"HMAC by certificate": {saml2.SignatureInvalid, strings.Replace(signed(good), dsig.RSASHA256SignatureMethod, "http://www.w3.org/2000/09/xmldsig#hmac-sha1", 1)},
		"changed":             {saml2.SignatureInvalid, strings.ReplaceAll(signed(good), ">ann@", ">boss@")},
		"one of two changed": {saml2.SignatureInvalid, strings.Replace(signedWith(good, k.first, dsig.RSASHA256SignatureMethod, "Assertion", "Response"),
			`Destination="https`, `Destination=" https`, 1)},

		"other issuer":               {saml2.UntrustedIssuer, edited("<saml:Issuer>"+idpID, "<saml:Issuer>https://evil.example.org")},
		"other issuer inside":        {saml2.UntrustedIssuer, signed(replaced(goodAssertion, strings.Replace(goodAssertion, idpID, "https://evil.example.org", 1)))},
		"issuer of another format":   {saml2.UntrustedIssuer, edited("<saml:Issuer>", `<saml:Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">`)},
		"signed by nobody":           {saml2.ResponseInvalid, signedWith(replaced("<saml:Issuer>"+idpID+"</saml:Issuer><samlp", "<samlp"), k.first, dsig.RSASHA256SignatureMethod, "Response")},
		"sealed by nobody":           {saml2.ResponseInvalid, sealed(signed(replaced("<saml:Issuer>"+idpID+"</saml:Issuer><samlp", "<samlp")), how{}, k.ours.cert)},
		"no issuer inside":           {saml2.AssertionInvalid, signed(replaced(goodAssertion, strings.Replace(goodAssertion, "<saml:Issuer>"+idpID+"</saml:Issuer>", "<saml:X/>", 1)))},
		"no id":                      {saml2.SignatureInvalid, strings.Replace(signed(good), ` ID="_a1"`, "", 1)},
		"no issue instant":           {saml2.AssertionInvalid, edited(`ID="_a1" Version="2.0" IssueInstant="2026-11-27T12:00:00Z"`, `ID="_a1" Version="2.0"`)},
		"no id of the response":      {saml2.ResponseInvalid, edited(` ID="_r1"`, "")},
		"no instant of the response": {saml2.ResponseInvalid, edited(` IssueInstant="2026-11-27T12:00:00Z"`, "")},
		"response of tomorrow":       {saml2.AssertionExpired, edited(`IssueInstant="2026-11-27T12`, `IssueInstant="2026-11-28T12`)},
		"assertion of tomorrow":      {saml2.AssertionExpired, edited(`ID="_a1" Version="2.0" IssueInstant="2026-11-27`, `ID="_a1" Version="2.0" IssueInstant="2026-11-28`)},

		"no subject":            {saml2.AssertionInvalid, without("Subject")},
		"no NameID":             {saml2.UserNameMissing, without("NameID")},
		"empty NameID":          {saml2.UserNameMissing, edited(">ann@example.com</saml:NameID>", "> </saml:NameID>")},
		"long NameID":           {saml2.AssertionInvalid, edited(">ann@example.com</saml:NameID>", ">"+strings.Repeat("a", 300)+"</saml:NameID>")},
		"transient NameID":      {saml2.WrongNameIDFormat, edited("nameid-format:persistent", "nameid-format:transient")},
		"NameID of another SP":  {saml2.NameQualifierMismatch, edited(`SPNameQualifier="`+spID, `SPNameQualifier="https://other.example.net`)},
		"NameID of another IdP": {saml2.NameQualifierMismatch, edited(`<saml:NameID `, `<saml:NameID NameQualifier="https://evil.example.org" `)},
		"no confirmation":       {saml2.AssertionInvalid, without("SubjectConfirmation")},
		"no confirmation data":  {saml2.AssertionInvalid, without("SubjectConfirmationData")},
		"holder of key":         {saml2.AssertionInvalid, edited("cm:bearer", "cm:holder-of-key")},
		"no recipient":          {saml2.AssertionInvalid, edited(`Recipient="`+acs+`" `, "")},
		"wrong recipient":       {saml2.WrongRecipient, edited(`Recipient="`+acs, `Recipient="https://sso.example.com/saml/other/corp/acs`)},
		"no end":                {saml2.AssertionInvalid, edited(`NotOnOrAfter="2026-11-27T12:05:00Z" Recipient`, "Recipient")},
		"ended":                 {saml2.AssertionExpired, edited(`NotOnOrAfter="2026-11-27T12:05:00Z" Recipient`, `NotOnOrAfter="2026-11-27T11:58:00Z" Recipient`)},
		"end that is no time":   {saml2.AssertionInvalid, edited(`NotOnOrAfter="2026-11-27T12:05:00Z" Recipient`, `NotOnOrAfter="soon" Recipient`)},
		"other request":         {saml2.InResponseToMismatch, edited(`InResponseTo="`+request+`"><saml:Issuer>`, `InResponseTo="_other"><saml:Issuer>`)},
		"other request inside":  {saml2.InResponseToMismatch, edited(`InResponseTo="`+request+`"/>`, `InResponseTo="_other"/>`)},
		"no request inside":     {saml2.InResponseToMismatch, edited(` InResponseTo="`+request+`"/>`, `/>`)},
		"unasked":               {saml2.InResponseToMismatch, signed(strings.ReplaceAll(good, ` InResponseTo="`+request+`"`, ""))},

		"no conditions":        {saml2.AssertionInvalid, without("Conditions")},
		"two conditions":       {saml2.AssertionInvalid, edited("<saml:AuthnStatement", write(conditions)+"<saml:AuthnStatement")},
		"no audience":          {saml2.AssertionInvalid, without("AudienceRestriction")},
		"empty audience":       {saml2.AssertionInvalid, without("Audience")},
		"other audience":       {saml2.AssertionInvalid, edited("<saml:Audience>"+spID, "<saml:Audience>https://sso.example.com/saml/other/corp/metadata")},
		"two restrictions":     {saml2.AssertionInvalid, edited("</saml:Conditions>", "<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction></saml:Conditions>")},
		"unknown condition":    {saml2.AssertionInvalid, edited("</saml:Conditions>", "<saml:Condition/></saml:Conditions>")},
		"expired":              {saml2.AssertionExpired, edited(`NotOnOrAfter="2026-11-27T12:05:00Z"><saml:Aud`, `NotOnOrAfter="2026-11-27T11:00:00Z"><saml:Aud`)},
		"not yet":              {saml2.AssertionExpired, edited(`NotBefore="2026-11-27T11:59:30Z"`, `NotBefore="2026-11-27T12:02:01Z"`)},
		"session over":         {saml2.AssertionExpired, edited(`SessionNotOnOrAfter="2026-11-27T20`, `SessionNotOnOrAfter="2026-11-27T10`)},
		"no authentication":    {saml2.AssertionInvalid, without("AuthnStatement")},
		"authenticated when":   {saml2.AssertionInvalid, edited(` AuthnInstant="2026-11-27T11:59:00Z"`, "")},
		"other destination":    {saml2.WrongRecipient, edited(`Destination="`+acs, `Destination="https://sso.example.com/saml/other/corp/acs`)},
		"signed, to nobody":    {saml2.WrongRecipient, signedWith(replaced(` Destination="`+acs+`"`, ""), k.first, dsig.RSASHA256SignatureMethod, "Response")},
		"nameless attribute":   {saml2.AssertionInvalid, edited(`Name="mail" `, "")},
		"tree in an attribute": {saml2.AssertionInvalid, edited(`<saml:AttributeValue>staff`, `<saml:AttributeValue>st<b/>aff`)},
		"encrypted attribute":  {saml2.AssertionInvalid, edited(`</saml:AttributeStatement>`, `<saml:EncryptedAttribute/></saml:AttributeStatement>`)},
		"many values":          {saml2.AssertionInvalid, edited(`<saml:AttributeValue>staff`, strings.Repeat(`<saml:AttributeValue>x</saml:AttributeValue>`, 3000)+`<saml:AttributeValue>staff`)},

		"sealed, unsigned":        {saml2.AssertionUnsigned, sealed(good, how{}, k.ours.cert)},
		"sealed for others":       {saml2.AssertionInvalid, sealed(signed(good), how{}, k.stranger.cert)},
		"sealed by the old way":   {saml2.AssertionInvalid, sealed(signed(good), how{wrap: xmlenc + "rsa-1_5"}, k.ours.cert)},
		"sealed with CBC":         {saml2.AssertionInvalid, sealed(signed(good), how{block: xmlenc + "aes256-cbc"}, k.ours.cert)},
		"sealed with triple DES":  {saml2.AssertionInvalid, sealed(signed(good), how{block: xmlenc + "tripledes-cbc"}, k.ours.cert)},
		"sealed and empty":        {saml2.AssertionInvalid, replaced(goodAssertion, "<saml:EncryptedAssertion/>")},
		"sealed and no assertion": {saml2.AssertionInvalid, sealed(replaced(goodAssertion, `<x:Assertion xmlns:x="urn:x"/>`), how{}, k.ours.cert)},
	}
	for name, response := range wrapping() {
		code := saml2.AssertionInvalid
		if !strings.HasPrefix(name, "XSW") {
			code = saml2.SignatureInvalid
		}
		cases[name] = hostileCase{code, response}
	}
	cases["an assertion of the same name in another namespace"] = hostileCase{saml2.AssertionInvalid, cases["an assertion of the same name in another namespace"].response}
	return cases
}

func manyAttributes() string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `a%d="" `, i)
	}
	return b.String()
}

// misnamed is signed by a stranger who puts a certificate of ours beside it.
func misnamed() string {
	root := parse(signedWith(good, allKeys().stranger, dsig.RSASHA256SignatureMethod, "Assertion"))
	find(root, "X509Certificate").SetText(base64.StdEncoding.EncodeToString(allKeys().first.cert.Raw))
	return write(root)
}

func TestHostileResponses(t *testing.T) {
	t.Parallel()
	cases := hostile()
	if len(cases) < 100 {
		t.Errorf("%d cases", len(cases))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			a, err := verify(t, v, c.response)
			var f *saml2.Error
			if !errors.As(err, &f) {
				t.Fatalf("%+v %v", a, err)
			}
			if f.Code != c.code || f.Detail == "" || len(f.Detail) > 600 {
				t.Errorf("%v, want code %d", f, c.code)
			}
			if len(v.Cache.(*used).ids) > 0 {
				t.Error("what is refused was marked as used")
			}
		})
	}
}

// Whoever has no certificate for an identity provider trusts nobody.
func TestNoCertificates(t *testing.T) {
	t.Parallel()
	v := verifier()
	v.IDP.Certificates = nil
	var f *saml2.Error
	if _, err := verify(t, v, signed(good)); !errors.As(err, &f) || f.Code != saml2.NoCertificate {
		t.Error(err)
	}
	v = verifier()
	v.NameIDFormat = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	if _, err := verify(t, v, signed(good)); !errors.As(err, &f) || f.Code != saml2.WrongNameIDFormat {
		t.Error(err)
	}
}
