package store

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"usherd/connector"
)

// busy turns "somebody else holds the file" into an error that says so.
func busy(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY {
		return &connector.Error{
			Kind: connector.Unavailable, Err: err,
			Hint: "another process is writing to the store for a long time: try again",
		}
	}
	return err
}
