// Package oauth gives SCIM clients short-lived access tokens for their credentials (RFC 6749 section 4.4): a secret,
// or a JWT that they have signed (RFC 7523). It knows no people and serves no SCIM.
package oauth
