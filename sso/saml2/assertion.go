package saml2

import (
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
)

const (
	bearer    = "urn:oasis:names:tc:SAML:2.0:cm:bearer" //nolint:gosec // no secret: the name of a method
	transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	// maxNameID is what core 8.3.7 allows of a persistent identifier, and more than an address has.
	maxNameID = 256
	// maxValues bounds the values of all attributes.
	maxValues = 2000
)

// reading is an assertion that is read, element by element.
type reading struct {
	v       *Verifier
	e       *etree.Element
	request string
	now     time.Time
	a       Assertion
}

// read makes an Assertion of the signed element.
func (v *Verifier) read(e *etree.Element, request string, now time.Time) (*Assertion, *Error) {
	r := &reading{v: v, e: e, request: request, now: now}
	for _, step := range []func() *Error{r.head, r.subject, r.conditions, r.statement, r.attributes} {
		if f := step(); f != nil {
			return nil, f
		}
	}
	return &r.a, nil
}

func invalid(format string, args ...any) *Error {
	return fault(Conditions, AssertionInvalid, format, args...)
}

// part returns the one element with that name, or the fault that there is none or several.
func part(e *etree.Element, tag string) (*etree.Element, *Error) {
	p, err := only(e, assertionNS, tag)
	if err != nil {
		return nil, invalid("%s", err)
	}
	if p == nil {
		return nil, invalid("%s has no %s", e.Tag, tag)
	}
	return p, nil
}

func (r *reading) head() *Error {
	if version := attr(r.e, "Version"); version != "2.0" {
		return fault(Conditions, ProtocolError, "the version of the assertion is %q, not 2.0", clip(version))
	}
	if r.a.ID = attr(r.e, "ID"); r.a.ID == "" || len(r.a.ID) > maxNameID {
		return invalid("the assertion has no ID, or one that is too long")
	}
	issuer, f := part(r.e, "Issuer")
	if f != nil {
		return f
	}
	if f := r.v.issuer(issuer); f != nil {
		return f
	}
	issued, err := instant(r.e, "IssueInstant")
	if err != nil || issued.IsZero() {
		return invalid("the assertion has no IssueInstant that can be read")
	}
	r.a.IssuedAt = issued
	return r.begun(issued, "IssueInstant")
}

// begun refuses what is of a time that has not come; zero is any time.
func (r *reading) begun(t time.Time, name string) *Error {
	if r.now.Add(r.v.Skew).Before(t) {
		return fault(Conditions, AssertionExpired, "%s is %s, and here it is %s", name, t.Format(time.RFC3339), r.now.UTC().Format(time.RFC3339))
	}
	return nil
}

// over refuses what has ended.
func (r *reading) over(t time.Time, name string) *Error {
	if !r.now.Add(-r.v.Skew).Before(t) {
		return fault(Conditions, AssertionExpired, "%s is %s, and here it is %s", name, t.Format(time.RFC3339), r.now.UTC().Format(time.RFC3339))
	}
	return nil
}

// window checks NotBefore and NotOnOrAfter of an element, and returns the latter; zero where it has none.
func (r *reading) window(e *etree.Element) (time.Time, *Error) {
	from, err := instant(e, "NotBefore")
	if err != nil {
		return time.Time{}, invalid("%s", err)
	}
	until, err := instant(e, "NotOnOrAfter")
	if err != nil {
		return time.Time{}, invalid("%s", err)
	}
	if f := r.begun(from, "NotBefore of "+e.Tag); f != nil {
		return until, f
	}
	if until.IsZero() {
		return until, nil
	}
	return until, r.over(until, "NotOnOrAfter of "+e.Tag)
}

// subject reads who it is, and asks for a confirmation by which a browser may bring it (profiles 4.1.4.2).
func (r *reading) subject() *Error {
	subject, f := part(r.e, "Subject")
	if f != nil {
		return f
	}
	if f := r.nameID(subject); f != nil {
		return f
	}
	confirmations := children(subject, assertionNS, "SubjectConfirmation")
	if len(confirmations) == 0 {
		return invalid("Subject has no SubjectConfirmation")
	}
	var first *Error
	confirmed := false
	for _, c := range confirmations {
		if attr(c, "Method") != bearer {
			continue
		}
		until, f := r.confirmation(c)
		if until.After(r.a.Until) { // whichever lets in now, another one could later
			r.a.Until = until
		}
		confirmed = confirmed || f == nil
		if first == nil {
			first = f
		}
	}
	switch {
	case confirmed:
		r.a.Request = r.request
		return nil
	case first == nil:
		return invalid("no SubjectConfirmation is of the method bearer")
	}
	return first
}

// confirmation checks one of the method bearer, and returns until when it is good, where it says so.
func (r *reading) confirmation(c *etree.Element) (time.Time, *Error) {
	data, f := part(c, "SubjectConfirmationData")
	if f != nil {
		return time.Time{}, f
	}
	until, f := r.window(data)
	switch recipient := attr(data, "Recipient"); {
	case recipient == "":
		return until, invalid("SubjectConfirmationData has no Recipient")
	case recipient != r.v.SP.ACS:
		return until, fault(Conditions, WrongRecipient, "the recipient is %q, and we are %s", clip(recipient), r.v.SP.ACS)
	case f != nil:
		return until, f
	case until.IsZero():
		return until, invalid("SubjectConfirmationData has no NotOnOrAfter")
	}
	return until, r.v.answers(attr(data, "InResponseTo"), r.request)
}

// nameID reads the NameID and whose it is.
func (r *reading) nameID(subject *etree.Element) *Error {
	id, err := only(subject, assertionNS, "NameID")
	if err != nil {
		return invalid("%s", err)
	}
	if id == nil {
		return fault(Conditions, UserNameMissing, "Subject has no NameID")
	}
	name, err := text(id)
	if err != nil {
		return invalid("%s", err)
	}
	if name == "" {
		return fault(Conditions, UserNameMissing, "the NameID is empty")
	}
	if len(name) > maxNameID {
		return invalid("the NameID is longer than %d bytes", maxNameID)
	}
	r.a.Subject, r.a.Format = name, attr(id, "Format")
	switch want := r.v.NameIDFormat; {
	case want != "" && r.a.Format != want:
		return fault(Conditions, WrongNameIDFormat, "the NameID has the format %q, and %s is configured", clip(r.a.Format), want)
	case r.a.Format == transient:
		return fault(Conditions, WrongNameIDFormat, "the NameID is transient: the person would be another one at each sign-in")
	}
	if q := attr(id, "SPNameQualifier"); q != "" && q != r.v.SP.EntityID {
		return fault(Conditions, NameQualifierMismatch, "SPNameQualifier is %q, and we are %s", clip(q), r.v.SP.EntityID)
	}
	if q := attr(id, "NameQualifier"); q != "" && q != r.v.IDP.EntityID {
		return fault(Conditions, NameQualifierMismatch, "NameQualifier is %q, and the identity provider is %s", clip(q), r.v.IDP.EntityID)
	}
	return nil
}

// conditions asks for an audience that is us, and refuses conditions that nobody here knows (core 2.5.1.1).
func (r *reading) conditions() *Error {
	c, f := part(r.e, "Conditions")
	if f != nil {
		return f
	}
	until, f := r.window(c)
	if f != nil {
		return f
	}
	if !until.IsZero() && until.Before(r.a.Until) {
		r.a.Until = until
	}
	restrictions := 0
	for _, e := range c.ChildElements() {
		switch {
		case is(e, assertionNS, "AudienceRestriction"):
			if restrictions++; !r.meant(e) {
				return invalid("the audience is another one than %s", r.v.SP.EntityID)
			}
		case is(e, assertionNS, "OneTimeUse"), is(e, assertionNS, "ProxyRestriction"):
		default:
			return invalid("the condition %s is not known", clip(e.Tag))
		}
	}
	if restrictions == 0 {
		return invalid("Conditions has no AudienceRestriction")
	}
	return nil
}

// meant reports whether we are one of the audiences of a restriction.
func (r *reading) meant(restriction *etree.Element) bool {
	return slices.ContainsFunc(children(restriction, assertionNS, "Audience"), func(e *etree.Element) bool {
		name, err := text(e)
		return err == nil && name == r.v.SP.EntityID
	})
}

// statement asks for one that says that the person has signed in.
func (r *reading) statement() *Error {
	list := children(r.e, assertionNS, "AuthnStatement")
	if len(list) == 0 {
		return invalid("Assertion has no AuthnStatement")
	}
	for _, s := range list {
		at, err := instant(s, "AuthnInstant")
		if err != nil || at.IsZero() {
			return invalid("AuthnStatement has no AuthnInstant that can be read")
		}
		if f := r.begun(at, "AuthnInstant"); f != nil {
			return f
		}
		until, err := instant(s, "SessionNotOnOrAfter")
		if err != nil {
			return invalid("%s", err)
		}
		if until.IsZero() {
			continue
		}
		if f := r.over(until, "SessionNotOnOrAfter"); f != nil {
			return f
		}
		if r.a.SessionUntil.IsZero() || until.Before(r.a.SessionUntil) {
			r.a.SessionUntil = until
		}
	}
	r.a.Session = attr(list[0], "SessionIndex")
	return nil
}

// attributes gathers what is said of the person. The same name in several elements is one attribute.
func (r *reading) attributes() *Error {
	values := 0
	for _, s := range children(r.e, assertionNS, "AttributeStatement") {
		if len(children(s, assertionNS, "EncryptedAttribute")) > 0 {
			return invalid("an attribute is encrypted by itself: encrypt the assertion instead")
		}
		for _, e := range children(s, assertionNS, "Attribute") {
			name := strings.TrimSpace(attr(e, "Name"))
			if name == "" || len(name) > maxNameID {
				return invalid("an attribute has no name, or one that is longer than %d bytes", maxNameID)
			}
			i := slices.IndexFunc(r.a.Attributes, func(a Attribute) bool { return a.Name == name })
			if i < 0 {
				i = len(r.a.Attributes)
				r.a.Attributes = append(r.a.Attributes, Attribute{Name: name, Friendly: attr(e, "FriendlyName")})
			}
			for _, x := range children(e, assertionNS, "AttributeValue") {
				if values++; values > maxValues {
					return invalid("there are more than %d values of attributes", maxValues)
				}
				value, err := attributeValue(x)
				if err != nil {
					return invalid("%s, in the attribute %s", err, clip(name))
				}
				if value != "" {
					r.a.Attributes[i].Values = append(r.a.Attributes[i].Values, value)
				}
			}
		}
	}
	return nil
}

// attributeValue is the text of a value. Some providers put the subject's identifier there as an element of its own
// (eduPersonTargetedID): its text is the value.
func attributeValue(e *etree.Element) (string, error) {
	if c := e.ChildElements(); len(c) == 1 && is(c[0], assertionNS, "NameID") {
		e = c[0]
	}
	return text(e)
}
