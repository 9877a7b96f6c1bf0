package saml2

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// What a signature may be made with. SHA-1 is in none of them: forged certificates and documents have been made with it.
var (
	signatureMethods = []string{
		dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod,
		dsig.ECDSASHA256SignatureMethod, dsig.ECDSASHA384SignatureMethod, dsig.ECDSASHA512SignatureMethod,
	}
	digestMethods = []string{
		"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512",
	}
	canonicalMethods = []string{
		string(dsig.CanonicalXML10ExclusiveAlgorithmId), string(dsig.CanonicalXML10ExclusiveWithCommentsAlgorithmId),
	}
	enveloped     = string(dsig.EnvelopedSignatureAltorithmId)
	errIncomplete = errors.New("the signature has no SignedInfo, or no SignatureValue")
)

// signed verifies the signature directly below e, which covers e and nothing else, and returns what it covers: read
// from the bytes whose digest was signed. The element is nil where there is no signature.
func (v *Verifier) signed(e *etree.Element, now time.Time) (*etree.Element, *Error) {
	signature, err := only(e, signatureNS, "Signature")
	if err != nil {
		return nil, fault(Signature, SignatureInvalid, "%s", err)
	}
	if signature == nil {
		return nil, nil
	}
	if err := wellFormed(signature, attr(e, "ID")); err != nil {
		return nil, fault(Signature, SignatureInvalid, "%s", err)
	}
	if len(v.IDP.Certificates) == 0 {
		return nil, fault(Signature, NoCertificate, "no certificate of the identity provider is configured")
	}
	named := namedCertificate(signature)
	// Whoever signs names the certificate, if at all, for information only: which keys count is configured.
	bare := detached(e)
	for _, s := range children(bare, signatureNS, "Signature") {
		for _, k := range children(s, signatureNS, "KeyInfo") {
			s.RemoveChild(k)
		}
	}
	expired := false
	for _, c := range v.IDP.Certificates {
		covered := validate(bare, c, c.NotBefore) // whether the certificate is of today is told apart below
		switch {
		case covered == nil:
		case now.Before(c.NotBefore) || now.After(c.NotAfter):
			expired = true
		default:
			return covered, nil
		}
	}
	switch {
	case expired:
		return nil, fault(Signature, CertificateExpired, "it is signed with a certificate whose time is over, or has not come")
	case named != nil && !slices.ContainsFunc(v.IDP.Certificates, named.Equal):
		return nil, fault(Signature, CertificateMismatch, "it is signed with a certificate that is not configured: %s, valid until %s",
			clip(named.Subject.String()), named.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil, fault(Signature, SignatureInvalid, "the signature does not fit what it signs, or none of the %d configured certificates has made it", len(v.IDP.Certificates))
}

// detached copies an element with the declarations of namespaces that stand above it.
func detached(e *etree.Element) *etree.Element {
	c := e.Copy()
	for p := e.Parent(); p != nil; p = p.Parent() {
		for _, a := range p.Attr {
			declares := a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns"
			if declares && c.SelectAttr(a.FullKey()) == nil {
				c.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
	return c
}

// wellFormed asks of a signature that it has one reference, to its parent, and methods that are safe.
func wellFormed(signature *etree.Element, id string) error {
	if id == "" {
		return errors.New("what is signed has no ID")
	}
	info, err := only(signature, signatureNS, "SignedInfo")
	if err != nil || info == nil {
		return errors.Join(err, errIncomplete)
	}
	if value, err := only(signature, signatureNS, "SignatureValue"); err != nil || value == nil {
		return errors.Join(err, errIncomplete)
	}
	if keys := children(signature, signatureNS, "KeyInfo"); len(keys) > 1 || len(signature.ChildElements()) != 2+len(keys) {
		return errors.New("the signature has other parts than SignedInfo, SignatureValue and KeyInfo")
	}
	references := children(info, signatureNS, "Reference")
	if len(references) != 1 || len(info.ChildElements()) != 3 {
		return fmt.Errorf("the signature has %d references: one is expected, to the element that it stands in", len(references))
	}
	if uri := attr(references[0], "URI"); uri != "#"+id {
		return fmt.Errorf("the signature refers to %q and stands in the element %q", clip(uri), clip(id))
	}
	if err := method(info, "CanonicalizationMethod", canonicalMethods); err != nil {
		return err
	}
	if err := method(info, "SignatureMethod", signatureMethods); err != nil {
		return err
	}
	if err := method(references[0], "DigestMethod", digestMethods); err != nil {
		return err
	}
	return transforms(references[0])
}

func method(e *etree.Element, tag string, allowed []string) error {
	m, err := only(e, signatureNS, tag)
	if err != nil || m == nil {
		return errors.Join(err, fmt.Errorf("the signature has no %s", tag))
	}
	if a := attr(m, "Algorithm"); !slices.Contains(allowed, a) {
		return fmt.Errorf("the signature is made with %s %s, which is not accepted", tag, clip(a))
	}
	return nil
}

// transforms asks for the enveloped signature and exclusive canonical form, once each.
func transforms(reference *etree.Element) error {
	list, err := only(reference, signatureNS, "Transforms")
	if err != nil || list == nil {
		return errors.Join(err, errors.New("the signature has no Transforms"))
	}
	envelopes, forms := 0, 0
	for _, t := range list.ChildElements() {
		switch a := attr(t, "Algorithm"); {
		case a == enveloped:
			envelopes++
		case slices.Contains(canonicalMethods, a):
			forms++
		default:
			return fmt.Errorf("the signature has the transform %s, which is not accepted", clip(a))
		}
	}
	if envelopes != 1 || forms != 1 {
		return errors.New("the signature is not an enveloped one in exclusive canonical form")
	}
	return nil
}

// namedCertificate is the one that the signature carries, nil where there is none that can be read.
func namedCertificate(signature *etree.Element) (c *x509.Certificate) {
	everywhere(signature, func(e *etree.Element) {
		if c != nil || !is(e, signatureNS, "X509Certificate") {
			return
		}
		if raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.Text()), "")); err == nil {
			c, _ = x509.ParseCertificate(raw)
		}
	})
	return c
}

// validate returns what the signature covers, nil where the certificate has not made it. A panic of the library is a
// signature that cannot be read.
func validate(e *etree.Element, c *x509.Certificate, at time.Time) (covered *etree.Element) {
	defer func() {
		if recover() != nil {
			covered = nil
		}
	}()
	x := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{c}})
	x.Clock = dsig.NewFakeClockAt(at)
	covered, err := x.Validate(e)
	if err != nil {
		return nil
	}
	return covered
}
