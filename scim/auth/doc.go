// Package auth says who sends a request to the SCIM door, by token, network and organization, and lets each client do
// as much at a time as is fair to the others. It knows neither SCIM nor people, and never shows a token.
package auth
