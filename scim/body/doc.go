// Package body reads the JSON of a request into maps, and refuses what two readers could take for two
// different things: a key given twice, also in another case (SCIM's names have none), text after the end,
// text that is not UTF-8. Its cost is linear in the length of the text, and its depth is bounded.
//
// It never looks at what a key means, and never reads from a connection: how long a body may be is decided
// by who reads it.
//
// Answers go the other way by a Sink: what is rendered is said once, part by part, and becomes bytes, or a map where it
// is looked at or changed before.
package body
