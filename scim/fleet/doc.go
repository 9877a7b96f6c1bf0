// Package fleet plays identity providers that push to a SCIM service provider, for tests: Microsoft Entra in both of
// its dialects, Okta and authentik. Each has a company whose people and groups change at random, and asks as the product
// does: what it looks for, in which form it says what has changed, what it takes for an answer, what it does when there
// is none. Answers get lost, requests come twice, connections break, the service provider is killed; what the company
// is, by its seed, is what must be there in the end. Production code never imports it.
package fleet
