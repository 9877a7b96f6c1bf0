// Package connector holds the nouns of usherd (what a record, a profile, a user, a link, a run and a
// failure are) and the rules that follow from them alone. It imports nothing but the standard
// library, does no input or output and reads no clock: time is always given.
//
// The way of one person through the house is
//
//	Record -> mapping -> Profile -> policy -> lifecycle -> Change -> store
//
// and every door (directory, SCIM, sign-in, portal, administrator) walks it.
package connector
