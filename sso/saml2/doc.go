// Package saml2 is what of SAML 2.0 a service provider needs: it reads a response of an identity provider and gives
// either an assertion of which every statement was signed, checked and not used before, or a fault with the code under
// which people know it. It makes the request that begins a sign-in, and reads and writes metadata.
//
// It asks for every element that has to be there: what libraries let pass by its absence is refused here. Structure
// comes before cryptography: a response has exactly one assertion and signatures only where they belong, so there is
// nothing to wrap; and what is read is read from the bytes that the signature covers, never from what came.
//
// The package keeps no state, asks no clock and opens no connection; whether an assertion was used before it asks by a port.
package saml2
