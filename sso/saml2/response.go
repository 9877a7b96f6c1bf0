package saml2

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/beevik/etree"
)

// IDP is an identity provider as the configuration knows it.
type IDP struct {
	EntityID string
	SSOURL   string // where a sign-in begins, by HTTP-Redirect
	// Certificates are those that it may sign with: two while one is changed for the other.
	Certificates []*x509.Certificate
	Until        time.Time // when the metadata that says so ends; zero = it does not say
}

// SP is what we are to one identity provider.
type SP struct {
	EntityID string
	ACS      string // where responses are posted
	Keys     []Key  // the first one signs requests; each opens what was encrypted for it
}

// Key is one of our keys with its certificate.
type Key struct {
	Private     *rsa.PrivateKey
	Certificate *x509.Certificate
}

// Cache remembers which assertions were used.
type Cache interface {
	// Use marks an assertion as used until that time, and reports whether it was for the first time: of those who
	// use one at the same moment, one is first.
	Use(ctx context.Context, id string, until time.Time) (fresh bool, err error)
}

// Verifier checks the responses of one identity provider. It does not change and is safe for concurrent use.
type Verifier struct {
	IDP IDP
	SP  SP
	// NameIDFormat is the format that the subject must have; "" = any that names the person for good.
	NameIDFormat string
	// Unsolicited allows responses that nobody has asked for: sign-ins that begin at the identity provider.
	Unsolicited bool
	// Skew is by how much the clocks may differ.
	Skew  time.Duration
	Cache Cache
}

// Assertion is what a response says of a person, all of it signed and checked.
type Assertion struct {
	ID       string
	Subject  string // the NameID, without blanks around it
	Format   string // of the NameID; "" = not given
	Session  string // SessionIndex; "" = not given
	Request  string // that it answers; "" = it came unasked
	IssuedAt time.Time
	Until    time.Time // when it cannot be used any more, skew left out
	// SessionUntil is when the identity provider ends the session; zero = it does not say.
	SessionUntil time.Time
	Attributes   []Attribute // in the order in which they came, each name once
}

// Attribute is one attribute with its values.
type Attribute struct {
	Name     string
	Friendly string
	Values   []string
}

// Verify reads a response and returns its assertion. request is the id of the request that the browser came back for,
// "" where there is none. What is refused is a *Error; any other error is one of the Cache, and the response may be
// tried again.
func (v *Verifier) Verify(ctx context.Context, response []byte, request string, now time.Time) (*Assertion, error) {
	a, refused := v.check(response, request, now)
	if refused != nil {
		return nil, refused
	}
	fresh, err := v.Cache.Use(ctx, a.ID, a.Until.Add(v.Skew))
	if err != nil {
		return nil, fmt.Errorf("saml2: whether the assertion was used before cannot be told: %w", err)
	}
	if !fresh {
		return nil, fault(Replay, AssertionInvalid, "the assertion %s was used before", clip(a.ID))
	}
	return a, nil
}

// check is all of Verify but the question whether the assertion was used before.
func (v *Verifier) check(response []byte, request string, now time.Time) (*Assertion, *Error) {
	root, err := parse(response)
	if err != nil {
		return nil, fault(Received, ResponseInvalid, "%s", err)
	}
	if f := v.shape(root); f != nil {
		return nil, f
	}
	t, f := v.trusted(root, now)
	if f != nil {
		return nil, f
	}
	f = v.envelope(t, request, now)
	var a *Assertion
	if f == nil {
		a, f = v.read(t.assertion, request, now)
	}
	if f != nil {
		f.IssuedAt, _ = instant(t.assertion, "IssueInstant") // zero where it cannot be read
		return nil, f
	}
	return a, nil
}

// shape asks of a response that it is one, with one assertion, and with signatures only where they belong. It comes
// before everything else, so that no element can stand in a place from which it is read instead of the signed one.
func (v *Verifier) shape(root *etree.Element) *Error {
	if !is(root, protocolNS, "Response") {
		return fault(Received, ResponseInvalid, "it is no Response of SAML 2.0, but %s", clip(root.Tag))
	}
	if version := attr(root, "Version"); version != "2.0" {
		return fault(Received, ProtocolError, "its version is %q, not 2.0", clip(version))
	}
	if f := status(root); f != nil {
		return f
	}
	open, sealed := children(root, assertionNS, "Assertion"), children(root, assertionNS, "EncryptedAssertion")
	if n := len(open) + len(sealed); n != 1 {
		return fault(Received, AssertionInvalid, "it has %d assertions, one is expected", n)
	}
	return sole(root)
}

// sole refuses assertions and signatures in other places than where they belong: the assertion directly in the root,
// signatures directly in the root and in the assertion.
func sole(root *etree.Element) *Error {
	assertions, misplaced := 0, false
	everywhere(root, func(e *etree.Element) {
		switch e.Tag { // whatever its namespace: nothing of SAML is called so but these
		case "Assertion", "EncryptedAssertion":
			assertions++
		case "Response":
			misplaced = misplaced || e != root
		case "Signature":
			p := e.Parent()
			misplaced = misplaced || p != root && (!is(p, assertionNS, "Assertion") || p.Parent() != root)
		}
	})
	switch {
	case assertions > 1:
		return fault(Received, AssertionInvalid, "it has %d assertions, one is expected", assertions)
	case misplaced:
		return fault(Signature, SignatureInvalid, "a signature or a response stands where none belongs")
	}
	return nil
}

// status refuses a response by which the identity provider says that it has not signed anybody in.
func status(root *etree.Element) *Error {
	const success = "urn:oasis:names:tc:SAML:2.0:status:Success"
	s, err := only(root, protocolNS, "Status")
	if err != nil || s == nil {
		return fault(Received, ResponseInvalid, "it has no status, or several")
	}
	code, err := only(s, protocolNS, "StatusCode")
	if err != nil || code == nil {
		return fault(Received, ResponseInvalid, "its status has no code, or several")
	}
	value := attr(code, "Value")
	if value == success {
		return nil
	}
	if more := children(code, protocolNS, "StatusCode"); len(more) == 1 {
		if attr(more[0], "Value") == "urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy" {
			return fault(Received, WrongNameIDFormat, "the identity provider has no NameID of the format that it was asked for")
		}
		value += " " + attr(more[0], "Value")
	}
	return fault(Received, ProtocolError, "the identity provider has refused the sign-in: %s", clip(value))
}

// trust is what of a response the identity provider has said.
type trust struct {
	assertion *etree.Element // read from what is signed
	// envelope is the response around it; as it came where only the assertion is signed: then it may add to the
	// refusals, never to what is believed.
	envelope *etree.Element
	sealed   bool // the envelope is signed
	opened   bool // the assertion was encrypted
}

// trusted verifies the signatures that there are, of which one has to be.
func (v *Verifier) trusted(root *etree.Element, now time.Time) (*trust, *Error) {
	covered, f := v.signed(root, now)
	if f != nil {
		return nil, f
	}
	t := &trust{envelope: root}
	if covered != nil {
		t.envelope, t.sealed = covered, true
	}
	if list := children(t.envelope, assertionNS, "Assertion"); len(list) == 1 {
		t.assertion = list[0]
	} else if list := children(t.envelope, assertionNS, "EncryptedAssertion"); len(list) == 1 {
		if t.assertion, f = v.open(list[0], t.sealed); f != nil {
			return nil, f
		}
		t.opened = true
	} else {
		return nil, fault(Signature, SignatureInvalid, "the signature does not cover the assertion")
	}
	inner, f := v.signed(t.assertion, now)
	switch {
	case f != nil:
		return nil, f
	case inner != nil:
		t.assertion = inner
	case !t.sealed:
		return nil, fault(Signature, AssertionUnsigned, "neither the response nor the assertion is signed")
	}
	if !is(t.assertion, assertionNS, "Assertion") {
		return nil, fault(Signature, SignatureInvalid, "what is signed is no assertion")
	}
	return t, nil
}

// envelope checks what the response says around the assertion.
func (v *Verifier) envelope(t *trust, request string, now time.Time) *Error {
	root := t.envelope
	issuer, err := only(root, assertionNS, "Issuer")
	if err != nil {
		return fault(Conditions, ResponseInvalid, "%s", err)
	}
	switch {
	case issuer != nil:
		if f := v.issuer(issuer); f != nil {
			return f
		}
	case t.sealed || t.opened: // profiles 4.1.4.2
		return fault(Conditions, ResponseInvalid, "the response has no Issuer, which one that is signed or encrypted has to have")
	}
	destination := attr(root, "Destination")
	if destination != v.SP.ACS && (destination != "" || t.sealed) { // bindings 3.5.5.2: required where it is signed
		return fault(Conditions, WrongRecipient, "the destination of the response is %q, and we are %s", clip(destination), v.SP.ACS)
	}
	if attr(root, "ID") == "" {
		return fault(Conditions, ResponseInvalid, "the response has no ID")
	}
	issued, err := instant(root, "IssueInstant")
	if err != nil || issued.IsZero() {
		return fault(Conditions, ResponseInvalid, "the response has no IssueInstant that can be read")
	}
	if issued.After(now.Add(v.Skew)) {
		return fault(Conditions, AssertionExpired, "the response is of %s, which has not come", issued.Format(time.RFC3339))
	}
	return v.answers(attr(root, "InResponseTo"), request)
}

// answers compares the request that something answers with the one that is open.
func (v *Verifier) answers(answered, request string) *Error {
	switch {
	case answered != request && request == "":
		return fault(Conditions, InResponseToMismatch, "it answers the request %s, and no such request is open in this browser", clip(answered))
	case answered != request:
		return fault(Conditions, InResponseToMismatch, "it answers the request %q, and %s is open in this browser", clip(answered), request)
	case request == "" && !v.Unsolicited:
		return fault(Conditions, InResponseToMismatch, "nobody has asked for it, and sign-ins that begin at the identity provider are not allowed")
	}
	return nil
}

func (v *Verifier) issuer(e *etree.Element) *Error {
	name, err := text(e)
	if err != nil {
		return fault(Conditions, UntrustedIssuer, "%s", err)
	}
	if format := attr(e, "Format"); format != "" && format != "urn:oasis:names:tc:SAML:2.0:nameid-format:entity" {
		return fault(Conditions, UntrustedIssuer, "the issuer has the format %s", clip(format))
	}
	if name != v.IDP.EntityID {
		return fault(Conditions, UntrustedIssuer, "the issuer is %q, and the identity provider is %s", clip(name), v.IDP.EntityID)
	}
	return nil
}
