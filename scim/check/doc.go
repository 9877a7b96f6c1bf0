// Package check asks a SCIM 2.0 service whether it does what RFC 7643, RFC 7644 and RFC 9865 say, case by case, as a
// client that knows only what the service tells of itself. It makes users and groups with a random prefix in their
// names and deletes everything that it made. It never asks for, keeps or shows people who were there before, and
// never shows the token.
package check
