package saml2

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
)

// maxMetadata is how large the metadata of an identity provider may be; those of a federation have many megabytes, and
// one of them is asked for instead.
const maxMetadata = 4 << 20

// ErrNoCertificate is for an identity provider whom nobody could believe.
var ErrNoCertificate = errors.New("there is no certificate that signs")

// Metadata is our description of ourselves (XML) for the identity provider: where responses go, and our certificates.
func (v *Verifier) Metadata() ([]byte, error) {
	doc := etree.NewDocument()
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	e := doc.CreateElement("md:EntityDescriptor")
	e.CreateAttr("xmlns:md", "urn:oasis:names:tc:SAML:2.0:metadata")
	e.CreateAttr("xmlns:ds", signatureNS)
	e.CreateAttr("entityID", v.SP.EntityID)
	sp := e.CreateElement("md:SPSSODescriptor")
	sp.CreateAttr("protocolSupportEnumeration", protocolNS)
	sp.CreateAttr("AuthnRequestsSigned", strconv.FormatBool(len(v.SP.Keys) > 0))
	sp.CreateAttr("WantAssertionsSigned", "true")
	for i, k := range v.SP.Keys {
		if i == 0 {
			describe(sp, "signing", k)
		}
		describe(sp, "encryption", k)
	}
	for _, k := range v.SP.Keys[min(1, len(v.SP.Keys)):] { // the next one, before it signs
		describe(sp, "signing", k)
	}
	if v.NameIDFormat != "" {
		sp.CreateElement("md:NameIDFormat").SetText(v.NameIDFormat)
	}
	acs := sp.CreateElement("md:AssertionConsumerService")
	acs.CreateAttr("Binding", saml.HTTPPostBinding)
	acs.CreateAttr("Location", v.SP.ACS)
	acs.CreateAttr("index", "0")
	acs.CreateAttr("isDefault", "true")
	doc.Indent(2)
	return doc.WriteToBytes()
}

func describe(sp *etree.Element, use string, k Key) {
	d := sp.CreateElement("md:KeyDescriptor")
	d.CreateAttr("use", use)
	data := d.CreateElement("ds:KeyInfo").CreateElement("ds:X509Data")
	data.CreateElement("ds:X509Certificate").SetText(base64.StdEncoding.EncodeToString(k.Certificate.Raw))
	if use == "encryption" {
		for _, m := range []string{"http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes128-gcm", oaepSHA1} {
			d.CreateElement("md:EncryptionMethod").CreateAttr("Algorithm", m)
		}
	}
}

// ReadMetadata reads what an identity provider says of itself. entityID names one of several; "" is the only one.
func ReadMetadata(doc []byte, entityID string) (IDP, error) {
	if err := (&scanner{ids: map[string]bool{}, most: maxMetadata, lenient: true}).scan(doc); err != nil {
		return IDP{}, fmt.Errorf("the metadata cannot be read: %w", err)
	}
	var all []saml.EntityDescriptor
	var one saml.EntityDescriptor
	var until time.Time
	if err := xml.Unmarshal(doc, &one); err == nil {
		all = []saml.EntityDescriptor{one}
	} else {
		var list saml.EntitiesDescriptor
		if xml.Unmarshal(doc, &list) != nil {
			return IDP{}, fmt.Errorf("the metadata cannot be read: %w", err)
		}
		if all = list.EntityDescriptors; list.ValidUntil != nil {
			until = *list.ValidUntil
		}
	}
	all = slices.DeleteFunc(all, func(e saml.EntityDescriptor) bool {
		return len(e.IDPSSODescriptors) == 0 || entityID != "" && e.EntityID != entityID
	})
	switch {
	case len(all) == 0 && entityID != "":
		return IDP{}, fmt.Errorf("the metadata describes no identity provider %s", clip(entityID))
	case len(all) == 0:
		return IDP{}, errors.New("the metadata describes no identity provider (IDPSSODescriptor)")
	case len(all) > 1:
		return IDP{}, fmt.Errorf("the metadata describes %d identity providers: name one by entity_id", len(all))
	}
	return described(&all[0], until)
}

// described reads one of what ends then at the latest.
func described(e *saml.EntityDescriptor, until time.Time) (IDP, error) {
	idp := IDP{EntityID: e.EntityID, Until: sooner(until, e.ValidUntil)}
	for _, d := range e.IDPSSODescriptors {
		if d.ValidUntil != nil {
			idp.Until = sooner(idp.Until, *d.ValidUntil)
		}
		for _, s := range d.SingleSignOnServices {
			if s.Binding == saml.HTTPRedirectBinding && idp.SSOURL == "" {
				idp.SSOURL = s.Location
			}
		}
		for _, k := range d.KeyDescriptors {
			if k.Use == "encryption" {
				continue
			}
			for _, data := range k.KeyInfo.X509Data.X509Certificates {
				raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data.Data), ""))
				if err != nil {
					return IDP{}, errors.New("a certificate in the metadata is not base64")
				}
				if err := idp.add(raw); err != nil {
					return IDP{}, err
				}
			}
		}
	}
	switch {
	case idp.EntityID == "":
		return IDP{}, errors.New("the metadata has no entityID")
	case idp.SSOURL == "":
		return IDP{}, errors.New("the metadata names no sign-in address for HTTP-Redirect (SingleSignOnService)")
	case len(idp.Certificates) == 0:
		return IDP{}, fmt.Errorf("%w: the metadata has no KeyDescriptor with one", ErrNoCertificate)
	}
	return idp, nil
}

// sooner is the first of two ends; zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// add takes a certificate (DER), once.
func (i *IDP) add(raw []byte) error {
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		return fmt.Errorf("a certificate of the identity provider cannot be read: %w", err)
	}
	if !slices.ContainsFunc(i.Certificates, c.Equal) {
		i.Certificates = append(i.Certificates, c)
	}
	return nil
}

// ReadCertificates reads certificates in PEM, one after the other.
func ReadCertificates(text []byte) ([]*x509.Certificate, error) {
	var idp IDP
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if text = rest; block.Type != "CERTIFICATE" {
			continue
		}
		if err := idp.add(block.Bytes); err != nil {
			return nil, err
		}
	}
	if len(idp.Certificates) == 0 {
		return nil, fmt.Errorf("%w: no -----BEGIN CERTIFICATE----- is in it", ErrNoCertificate)
	}
	return idp.Certificates, nil
}
