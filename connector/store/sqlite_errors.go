package store

import (
	"errors"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"usherd/connector"
)

// primary is the first byte of SQLite's result code, 0 where the error is none of SQLite's.
func primary(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	if e, ok := errors.AsType[*directError](err); ok {
		return e.code & 0xff
	}
	return 0
}

// isBusy reports whether somebody else holds the file.
func isBusy(err error) bool { return primary(err) == sqlite3.SQLITE_BUSY }

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

var sqliteRemedies = map[int]remedy{
	sqlite3.SQLITE_FULL: {connector.Unavailable, "make room on the disk that holds the store, then try again; what was written before is whole"},
	sqlite3.SQLITE_NOTADB: {
		connector.Invalid,
		"correct store in the configuration; if that is where the store was, something has overwritten it: move the file away, then usherd restore FILE",
	},
	sqlite3.SQLITE_CORRUPT:  {connector.Internal, "the store is damaged: stop usherd, then usherd restore FILE with the last backup"},
	sqlite3.SQLITE_CANTOPEN: {connector.Unavailable, "the account that runs usherd must be able to read and write the file, and to make files in its folder"},
	sqlite3.SQLITE_READONLY: {connector.Unavailable, "the account that runs usherd must be able to write the file and its folder"},
}

func sqliteRemedy(err error) (remedy, bool) {
	code := primary(err)
	if errors.Is(err, syscall.ENOSPC) {
		code = sqlite3.SQLITE_FULL
	}
	r, ok := sqliteRemedies[code]
	return r, ok
}
