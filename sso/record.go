package sso

import (
	"context"
	"fmt"
	"strings"

	"usherd/connector"
	"usherd/sso/saml2"
)

// shortNames are the names that attributes have in LDAP, by the object identifiers and claims under which identity
// providers send them.
var shortNames = map[string]string{
	"urn:oid:0.9.2342.19200300.100.1.1": "uid", "urn:oid:0.9.2342.19200300.100.1.3": "mail",
	"urn:oid:2.5.4.3": "cn", "urn:oid:2.5.4.4": "sn", "urn:oid:2.5.4.42": "givenName", "urn:oid:2.5.4.12": "title",
	"urn:oid:2.5.4.20": "telephoneNumber", "urn:oid:2.5.4.10": "o", "urn:oid:2.5.4.11": "ou",
	"urn:oid:2.16.840.1.113730.3.1.241": "displayName", "urn:oid:2.16.840.1.113730.3.1.3": "employeeNumber",
	"urn:oid:2.16.840.1.113730.3.1.39": "preferredLanguage", "urn:oid:1.3.6.1.4.1.5923.1.1.1.6": "eduPersonPrincipalName",
	claims + "emailaddress": "mail", claims + "givenname": "givenName", claims + "surname": "sn", claims + "name": "userName",
	claims + "upn": "userPrincipalName",
	"http://schemas.microsoft.com/identity/claims/displayname": "displayName",
}

const claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

// Formats of names that are made for people: such a name may be a user name.
const (
	emailFormat       = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	unspecifiedFormat = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
)

// record is what the assertion says of the person, under the names that it came with and, where it has one, the short
// name too. Whether the account is enabled an assertion does not say.
func record(a *saml2.Assertion) *connector.Record {
	rec := &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: a.Subject}}
	add := func(name string, values []string) {
		for i := range rec.Attributes {
			if strings.EqualFold(rec.Attributes[i].Name, name) {
				return // the first one counts
			}
		}
		attribute := connector.Attribute{Name: name}
		for _, v := range values {
			attribute.Values = append(attribute.Values, []byte(v))
		}
		rec.Attributes = append(rec.Attributes, attribute)
	}
	for _, x := range a.Attributes {
		add(x.Name, x.Values)
	}
	for _, x := range a.Attributes {
		if short := shortNames[x.Name]; short != "" {
			add(short, x.Values)
		}
	}
	for _, x := range a.Attributes {
		if x.Friendly != "" {
			add(x.Friendly, x.Values)
		}
	}
	if a.Format == emailFormat || a.Format == unspecifiedFormat || a.Format == "" {
		add("subject", []string{a.Subject})
	}
	if a.Format == emailFormat {
		add("mail", []string{a.Subject})
	}
	return rec
}

// maxNames is how many bytes of the names of attributes are noted.
const maxNames = 800

// names are those of the attributes, for the steps of an attempt: their values are nobody's business.
func names(a *saml2.Assertion) string {
	var b strings.Builder
	for i, x := range a.Attributes {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.Len()+len(x.Name) > maxNames {
			fmt.Fprintf(&b, "and %d more", len(a.Attributes)-i)
			break
		}
		b.WriteString(x.Name)
	}
	return b.String()
}

// always hands in a record that rests on nothing in the store.
func always(rec *connector.Record) func(context.Context, connector.Reader) (*connector.Record, error) {
	return func(context.Context, connector.Reader) (*connector.Record, error) { return rec, nil }
}
