// Package patch applies a PATCH (RFC 7644 section 3.5.2) or a PUT (section 3.5.1) to a resource. It is pure: the
// resource that is handed in is never changed, and what comes back shares nothing with it or with the request that
// the caller could notice.
//
// Two things are not as the RFC has them, so that nothing is lost that a client did not name. The members of a group
// are never part of a resource here: what a request says of them comes back as edits, which the store makes row by
// row, whatever the size of the group. And what clients mean by a few dangerous forms, such as removing members without
// naming any, is asked of Rules, which the dialect of the client fills.
//
// A request is taken as the normaliser of scim/dialect leaves it: names of the message in canonical spelling, values of
// the right type. null, "", [], {} and absence stay five different things: null unassigns (on members it is
// ignored, on what is required refused), [] empties, {} changes nothing, "" is a value.
package patch
