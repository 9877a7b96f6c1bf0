// Package oauth gives SCIM clients short-lived access tokens for their credentials (RFC 6749 section 4.4): a secret,
// or a JWT that they have signed (RFC 7523), and says in metadata where (RFC 8414). It knows no people and serves no
// SCIM; what the tokens open is said by package auth.
package oauth
