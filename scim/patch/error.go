package patch

import (
	"fmt"
	"net/http"
	"strings"
)

// The scimTypes of RFC 7644 table 9 that this package gives.
const (
	InvalidFilter = "invalidFilter"
	InvalidPath   = "invalidPath"
	InvalidSyntax = "invalidSyntax"
	InvalidValue  = "invalidValue"
	Mutability    = "mutability"
	NoTarget      = "noTarget"
)

// Error is why a request is refused as a whole. Nothing of it has been done.
type Error struct {
	Status   int    // 400, or 413 for a message with too many operations
	ScimType string // "" with 413
	Op       int    // index of the operation at fault; -1: the message itself
	Path     string // of the operation, or the key of its value; "" where there is none
	Detail   string // what is wrong and what to do; never a value that was sent
}

// Error names the operation by its index, which counts from 0 as in JSON, and its path.
func (e *Error) Error() string {
	switch {
	case e.Op < 0:
		return e.Detail
	case e.Path == "":
		return fmt.Sprintf("Operations[%d]: %s", e.Op, e.Detail)
	}
	return fmt.Sprintf("Operations[%d], path %s: %s", e.Op, e.Path, e.Detail)
}

func refuse(scimType, detail string) *Error {
	return &Error{Status: http.StatusBadRequest, ScimType: scimType, Op: -1, Detail: detail}
}

func refusef(scimType, format string, a ...any) *Error {
	return refuse(scimType, fmt.Sprintf(format, a...))
}

// maxShown bounds how much of a path or name that a client sent is shown to it again.
const maxShown = 120

// Shown cuts a text that a client sent to what a message may repeat.
func Shown(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}
