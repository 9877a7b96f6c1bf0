// Package scim is the door for identity providers that push: a SCIM 2.0 service provider (RFC 7643, 7644, 9865) for
// each organization under /scim/ORGANIZATION/v2/. It authenticates, reads what a dialect means, and hands records to
// package provision, which decides; what it shows it reads from the store. A client is a source of one organization
// and sees nothing of any other.
//
// One request goes: limits, route, token, organization, client, profile, decoding, normalising, validating, the
// record, provision, rendering. See scim/CONFORMANCE.md for what it promises.
package scim
