package store

import (
	"errors"
	"fmt"

	"usherd/connector"
)

func invalid(op, format string, args ...any) error {
	return &connector.Error{Kind: connector.Invalid, Op: "store: " + op, Err: fmt.Errorf(format, args...)}
}

func notFound(op, format string, args ...any) error {
	return &connector.Error{Kind: connector.NotFound, Op: "store: " + op, Err: fmt.Errorf(format, args...)}
}

func conflict(op, format string, args ...any) error {
	return &connector.Error{Kind: connector.Conflict, Op: "store: " + op, Err: fmt.Errorf(format, args...)}
}

var errClosed = &connector.Error{Kind: connector.Unavailable, Op: "store", Err: errors.New("the store is closed")}

// textClosed is what database/sql says of what is read after Close; it has no error to compare with.
const textClosed = "sql: database is closed"

var (
	errHeldElsewhere = errors.New("it is held by somebody else")
	errNotVerified   = errors.New("the domain is not verified")
)

// remedy is what helps against an error of a database or of the disk.
type remedy struct {
	kind connector.Kind
	hint string
}

// explain gives an error of a database or of the disk its kind and a hint, where one is known and the error has
// none yet; the text stays.
func explain(err error) error {
	if _, ok := errors.AsType[*connector.Error](err); ok {
		return err
	}
	if err.Error() == textClosed {
		return errClosed
	}
	for _, remedyOf := range [...]func(error) (remedy, bool){sqliteRemedy, pgRemedy} {
		if r, ok := remedyOf(err); ok {
			return &connector.Error{Kind: r.kind, Err: err, Hint: r.hint}
		}
	}
	return err
}
