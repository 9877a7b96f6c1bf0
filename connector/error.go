package connector

import "errors"

// Kind says what sort of accident an Error is; commands choose their exit code by it, HTTP faces
// their status.
type Kind int

// The kinds of accidents.
const (
	Internal    Kind = iota // a fault of usherd or its store
	NotFound                // what was named does not exist
	Invalid                 // the caller asked for something that makes no sense
	Conflict                // what was decided on has moved in the meantime
	Unavailable             // a server or file cannot be reached now; trying again may help
	Refused                 // a server or a rule says no; trying again does not help
	Held                    // done as far as allowed; the rest waits for approval
	Incomplete              // an answer was cut short; nothing may be removed because of it
	Denied                  // a server does not accept the account: to ask again soon could lock it
)

// Error is an accident: something that went wrong around a person, never the refusal of one (that is
// a Failure). Op is the operation in the caller's words, such as `ldapsync: bind`; Hint, where there is
// one, says what to do.
type Error struct {
	Kind Kind
	Op   string
	Err  error
	Hint string
}

// Error gives "op: cause"; the hint is shown apart from it.
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first Error in err's chain, Internal where there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// HintOf returns the first hint in err's chain.
func HintOf(err error) string {
	var e *Error
	for errors.As(err, &e) {
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}

// Fault is one thing wrong with a configuration. Path leads to the key from the value that was
// checked, as in "bind.password" or "servers[1]"; Offset is the place inside that value where it has
// one (an expression), in bytes. Message says what is wrong and what to write instead.
type Fault struct { //nolint:errname // the word of configurations; it is an error only where one is looked for
	Path    string
	Offset  int
	Message string
}

// Error gives path and message, so that a Fault can be returned where only one is looked for.
func (f Fault) Error() string { return f.Path + ": " + f.Message }
