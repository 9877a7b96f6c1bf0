package ldapsync

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// resultError is an answer of the server other than success.
type resultError struct {
	Code uint16
	Text string // the server's own words
}

func (e *resultError) Error() string {
	name := ldap.LDAPResultCodeMap[e.Code]
	if name == "" {
		name = "unknown result"
	}
	s := fmt.Sprintf("%s (code %d)", strings.ToLower(name), e.Code)
	if why := bindReasons[bindData(e)]; why.text != "" {
		s += ": " + why.text
	}
	if e.Text != "" {
		s += ": the server says " + quote(e.Text)
	}
	return s
}

// resultCode returns the LDAP result code in err's chain.
func resultCode(err error) (uint16, bool) {
	var e *resultError
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code, true
}

// serverError makes the error for a result code other than 0, with what can be done about it.
func serverError(op string, code uint16, text string) *connector.Error {
	e := &resultError{Code: code, Text: clean(text, 300)}
	kind, hint := meaning(e)
	return &connector.Error{Kind: kind, Op: op, Err: e, Hint: hint}
}

// checkBind is what to do about a password that is refused.
const checkBind = "check bind.user and bind.password; it is tried again by itself only after an hour, so that the account is not locked; at once after usherd reload, or by usherd sync"

// meaning is directories' result codes in our kinds.
func meaning(e *resultError) (connector.Kind, string) {
	if e.Code == ldap.LDAPResultInvalidCredentials {
		if why, ok := bindReasons[bindData(e)]; ok {
			return connector.Denied, why.hint
		}
		return connector.Denied, checkBind
	}
	if e.Code == ldap.LDAPResultOperationsError && strings.Contains(e.Text, "000004DC") {
		return connector.Refused, "Active Directory answers only after a bind: check bind.method and bind.user"
	}
	if m, ok := meanings[e.Code]; ok {
		return m.kind, m.hint
	}
	return connector.Refused, ""
}

var meanings = map[uint16]struct {
	kind connector.Kind
	hint string
}{
	ldap.LDAPResultOperationsError:        {connector.Refused, "look for the cause in the server's log"},
	ldap.LDAPResultProtocolError:          {connector.Refused, "the server does not understand the request: check that it is an LDAP version 3 server"},
	ldap.LDAPResultTimeLimitExceeded:      {connector.Unavailable, "the server took too long: try again, or raise its time limit"},
	ldap.LDAPResultAuthMethodNotSupported: {connector.Refused, "the server does not allow this bind.method: choose another"},
	ldap.LDAPResultStrongAuthRequired: {
		connector.Refused,
		"the server wants TLS or signing: use ldaps:// or tls.start_tls: true",
	},
	ldap.LDAPResultConfidentialityRequired: {connector.Refused, "the server wants TLS: use ldaps:// or tls.start_tls: true"},
	ldap.LDAPResultReferral: {
		connector.Invalid,
		"this server does not hold the base: correct bases, or name a server that holds it; referrals are never followed",
	},
	ldap.LDAPResultUnavailableCriticalExtension: {connector.Refused, "the server does not support a control that the request needs: check type"},
	ldap.LDAPResultInappropriateMatching:        {connector.Invalid, "the filter compares an attribute in a way that it does not support: correct filter"},
	ldap.LDAPResultNoSuchObject: {
		connector.NotFound,
		"check the DN; the same answer comes when the service account may not read there",
	},
	ldap.LDAPResultInvalidDNSyntax:             {connector.Invalid, "this is not a DN: correct it, as in OU=People,DC=example,DC=com"},
	ldap.LDAPResultInappropriateAuthentication: {connector.Refused, "this account cannot bind in this way: check bind.user and bind.method"},
	ldap.LDAPResultInsufficientAccessRights:    {connector.Refused, "give the service account the right to read there"},
	ldap.LDAPResultBusy:                        {connector.Unavailable, "the server is busy: it is tried again later"},
	ldap.LDAPResultUnavailable:                 {connector.Unavailable, "the server is not available: it is tried again later"},
	ldap.LDAPResultUnwillingToPerform:          {connector.Refused, "the server refuses by its own rules: its log says which"},
	ldap.LDAPResultOther:                       {connector.Unavailable, "an internal error of the server: look in its log"},
	ldap.LDAPResultSyncRefreshRequired:         {connector.Conflict, "the cursor is too old: read in full"},
}

type bindReason struct{ text, hint string }

// bindReasons are the codes behind `data` in the text of Active Directory's and Samba's result 49.
var bindReasons = map[string]bindReason{
	"525":      {"no such user", "check bind.user: a UPN, DOMAIN\\user or a DN"},
	"52e":      {"wrong password, or no such user", checkBind},
	"52f":      {"an account restriction", "check the service account's restrictions (Protected Users, smart card, NTLM policy)"},
	"530":      {"the account may not sign in at this hour", "lift the logon hours of the service account"},
	"531":      {"the account may not sign in from this machine", "add this machine to the service account's Log On To list"},
	"532":      {"the password has expired", "set a new password for the service account and let it never expire"},
	"533":      {"the account is disabled", "enable the service account"},
	"568":      {"the account is in too many groups", "take the service account out of groups"},
	"701":      {"the account has expired", "extend the service account's expiry date"},
	"773":      {"the password must be changed first", "change the service account's password, or clear that it must be"},
	"775":      {"the account is locked", "unlock the service account, and find out who used a wrong password"},
	"80090346": {"channel binding is required", "bind with bind.method: simple over TLS, or set LdapEnforceChannelBinding to 1 on the domain controllers"},
}

// bindData returns what follows `data` in a text such as
// "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563".
func bindData(e *resultError) string {
	if e.Code != ldap.LDAPResultInvalidCredentials {
		return ""
	}
	if strings.HasPrefix(e.Text, "80090346") {
		return "80090346"
	}
	_, rest, ok := strings.Cut(e.Text, "data ")
	if !ok {
		return ""
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return !unicode.Is(unicode.ASCII_Hex_Digit, r) })
	if end >= 0 {
		rest = rest[:end]
	}
	return strings.ToLower(rest)
}

// clean makes a server's text fit for a log line: no control characters (Active Directory ends texts
// with a NUL), no endless length.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), limit)], ""))
	return strings.TrimSpace(s)
}

func quote(s string) string { return `"` + s + `"` }
