// Package filter reads the filters and attribute paths of RFC 7644 (sections 3.4.2.2 and 3.5.2), checks them against
// the schema, decides whether a resource matches, and finds what of a filter the store can answer by an index. It
// does no input or output.
//
// The form that all of it works on is the AST of scim2/filter-parser; that package's own parser recurses without limit
// and costs a thousand times as much, so it serves as an oracle in tests only.
package filter
