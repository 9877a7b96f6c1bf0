// Package api is the door of programs: users, sign-ins, approvals, failures, seats and runs of one organization, by tokens
// with scopes, as JSON over HTTP. The document that describes it (OpenAPI 3.1) is made of the Go types here.
//
// Each resource is a file with its operations, which are told to the server by route. The door decides nothing about
// people: it asks the store, and changes through the organization's Writer, as the command line does.
package api
