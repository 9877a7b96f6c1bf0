package api

import "encoding/base64"

// Page is which part of a list is asked for.
type Page struct {
	Limit int    `query:"limit" doc:"How many at most." default:"100" minimum:"1" maximum:"500"`
	After string `query:"after" doc:"What the page before gave as next." maxLength:"2000"`
}

// place is After as the store has given it.
func (p Page) place() (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil {
		return "", invalid("query.after", "this is not what a page gave as next")
	}
	return string(text), nil
}

// cursor is a place in a list as programs have it; "" stays "".
func cursor(place string) string { return base64.RawURLEncoding.EncodeToString([]byte(place)) }
