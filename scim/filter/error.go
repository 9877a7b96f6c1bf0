package filter

import "strconv"

// Error is why a filter or path cannot be used, in words for the client: what is wrong and what would be right.
// It is a scimType invalidFilter for a filter and invalidPath for a path.
type Error struct {
	Message   string
	Attribute string // at fault; "" where none is. One that is not known is as the client wrote it
	Offset    int    // characters before the place; -1 where only the meaning is wrong
	Sensitive bool   // the filter asks for a value that nobody may see: scimType sensitive if it stood in a URL
}

// Error gives the message, with the place where there is one.
func (e *Error) Error() string {
	if e.Offset < 0 {
		return e.Message
	}
	return "at character " + strconv.Itoa(e.Offset+1) + ": " + e.Message
}
