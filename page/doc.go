// Package page is what the pages of all doors have in common that people see without signing in: the frame around them with
// the organization's name, the choice of language, style and script, the card that tells a failure, the headers that keep a
// page to itself, and limits of how often an address may ask. A page is complete without the script.
//
// It knows no store and decides nothing; what a page says comes from the door whose it is.
package page
