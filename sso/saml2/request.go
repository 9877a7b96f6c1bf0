package saml2

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// NewRequestID makes the id of a request: 160 random bits, which nobody can guess.
func NewRequestID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error (Go 1.24)
	return "_" + hex.EncodeToString(b[:])
}

// Request returns the address to which the browser goes to sign in (bindings 3.4, HTTP-Redirect). It is signed where
// there is a key. relay comes back with the response: letters, digits, - and _ only.
func (v *Verifier) Request(id, relay string, now time.Time) (string, error) {
	create := true
	request := saml.AuthnRequest{
		ID: id, Version: "2.0", IssueInstant: now.UTC(), Destination: v.IDP.SSOURL,
		Issuer:                      &saml.Issuer{Value: v.SP.EntityID},
		AssertionConsumerServiceURL: v.SP.ACS, ProtocolBinding: saml.HTTPPostBinding,
		NameIDPolicy: &saml.NameIDPolicy{AllowCreate: &create},
	}
	if v.NameIDFormat != "" {
		request.NameIDPolicy.Format = &v.NameIDFormat
	}
	var signer saml.ServiceProvider
	if len(v.SP.Keys) > 0 {
		signer.Key, signer.Certificate, signer.SignatureMethod = v.SP.Keys[0].Private, v.SP.Keys[0].Certificate, dsig.RSASHA256SignatureMethod
	}
	u, err := request.Redirect(relay, &signer)
	if err != nil {
		return "", fmt.Errorf("saml2: request: %w", err)
	}
	return u.String(), nil
}
