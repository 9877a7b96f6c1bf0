// Package page is what the pages of all doors have in common: templates and texts, the frame around pages that people see without
// signing in, with the organization's name, the choice of language, static files by what is in them, the card that tells a failure, the
// headers that keep a page to itself, and limits of how often an address may ask. A page is complete without the script.
//
// It knows no store and decides nothing; what a page says comes from the door whose it is.
package page
