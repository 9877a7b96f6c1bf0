// Package requestlog keeps what SCIM clients ask and get: it gathers one row for each request, masks secrets, and
// writes rows in batches beside the requests. It never makes a request wait, and never keeps a password or token.
package requestlog
