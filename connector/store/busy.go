package store

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"usherd/connector"
)

// isBusy reports whether somebody else holds the file.
func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// busy gives "somebody else holds the file" its kind and a hint.
func busy(err error) error {
	if isBusy(err) {
		return &connector.Error{
			Kind: connector.Unavailable, Op: "store", Err: err,
			Hint: "another process is writing to the store for a long time: try again",
		}
	}
	return err
}
