package saml2

import (
	"fmt"
	"time"

	"usherd/connector"
)

// Step is a part of the way of a response, in the order in which they are gone.
type Step string

// The steps of this package.
const (
	Received   Step = "received"   // it is a response that can be read
	Signature  Step = "signature"  // it is signed by the identity provider
	Conditions Step = "conditions" // it is for us, for now, and for this request
	Replay     Step = "replay"     // it was not used before
)

// Steps are all of them, in order.
func Steps() []Step { return []Step{Received, Signature, Conditions, Replay} }

// The codes of faults, which are those of the catalogue of failures.
const (
	ProtocolError         connector.Code = 1
	UserNameMissing       connector.Code = 2
	NoCertificate         connector.Code = 4
	CertificateMismatch   connector.Code = 8
	NameQualifierMismatch connector.Code = 10
	AssertionInvalid      connector.Code = 13
	WrongRecipient        connector.Code = 14
	CertificateExpired    connector.Code = 15
	AssertionExpired      connector.Code = 19
	AssertionUnsigned     connector.Code = 20
	SignatureInvalid      connector.Code = 23
	UntrustedIssuer       connector.Code = 24
	WrongNameIDFormat     connector.Code = 25
	InResponseToMismatch  connector.Code = 28
	ResponseInvalid       connector.Code = 29
)

// mostNamed is how many bytes of a value a detail quotes.
const mostNamed = 200

// Error is why a response is refused.
type Error struct {
	Code   connector.Code
	Step   Step
	Detail string // one sentence of fact in English, for administrators
	// IssuedAt is when the assertion says that it was issued, of one that was signed and refused for its conditions; zero = not known.
	IssuedAt time.Time
}

// Error returns code and detail.
func (f *Error) Error() string { return fmt.Sprintf("saml2: %s (%d): %s", f.Step, f.Code, f.Detail) }

func fault(step Step, code connector.Code, format string, args ...any) *Error {
	return &Error{Code: code, Step: step, Detail: fmt.Sprintf(format, args...)}
}

// clip bounds a value that came from outside before it is quoted.
func clip(s string) string {
	if len(s) > mostNamed {
		return s[:mostNamed] + "…"
	}
	return s
}
