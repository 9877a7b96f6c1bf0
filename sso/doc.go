// Package sso is the door where people sign in by SAML 2.0. It sends a browser to the identity provider of an
// organization, checks what it comes back with (package saml2), hands the assertion in as a record, which may create or
// update the account, and sends the browser on to the application with a code, for which the application asks once who it
// is. Whoever is not let in is told by number why, and whom to ask; each attempt is kept with its steps.
//
// It writes no user itself and decides nothing about people; it shows no value that an identity provider has sent to
// anybody but the person whom it is about, and never what exactly was wrong with a forged assertion.
package sso
