// Package schema is the one index of the attributes that usherd's SCIM service knows: what they are called, what
// their values look like, who may change them and when they are returned (RFC 7643 sections 2 and 7). Filters, paths,
// projection, PATCH, validation and discovery all ask it. It does no input or output, and what it returns is shared and
// never changed.
//
// Attributes of RFC 7643 are taken from elimity-com/scim; deviations lists where usherd does otherwise.
package schema
