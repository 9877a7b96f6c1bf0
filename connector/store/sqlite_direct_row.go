package store

import (
	"database/sql"
	"fmt"
	"math"
	"reflect"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"usherd/connector"
)

// directRow is the row at which a statement stands.
type directRow struct {
	c    *directConn
	stmt uintptr
	last []string // the texts that columns had in a former row: organization, source, state and the like stay the same
}

// Scan implements row for what columns of the store hold. What it gives are copies.
func (r *directRow) Scan(dest ...any) error {
	if len(dest) != len(r.last) {
		return fmt.Errorf("%d places for %d columns", len(dest), len(r.last))
	}
	for i, d := range dest {
		if err := r.column(i, d); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// column reads one column. The types in the first part are those of most columns of users; what is there of others is
// handed to their own Scan.
func (r *directRow) column(i int, dest any) error {
	kind := sqlite3.Xsqlite3_column_type(r.c.tls, r.stmt, int32(i)) //nolint:gosec // SQLite has 2,000 columns
	switch kind {
	case sqlite3.SQLITE_INTEGER:
		return r.integer(sqlite3.Xsqlite3_column_int64(r.c.tls, r.stmt, int32(i)), dest) //nolint:gosec // "
	case sqlite3.SQLITE_TEXT:
		return r.text(i, dest)
	case sqlite3.SQLITE_BLOB:
		return r.blob(i, dest)
	case sqlite3.SQLITE_NULL:
		if s, ok := dest.(sql.Scanner); ok {
			return s.Scan(nil)
		}
	}
	return fmt.Errorf("%T does not hold a value of type %d", dest, kind)
}

func (r *directRow) integer(n int64, dest any) error {
	switch d := dest.(type) {
	case *timeColumn:
		*d = timeColumn(timeOf(n))
	case *int64:
		*d = n
	case *int:
		*d = int(n)
	case *bool:
		*d = n != 0
	case *uint32:
		if n < 0 || n > math.MaxUint32 {
			return fmt.Errorf("%d is out of range", n)
		}
		*d = uint32(n)
	case sql.Scanner:
		return d.Scan(n)
	default:
		return fmt.Errorf("%T does not hold a number", dest)
	}
	return nil
}

func (r *directRow) text(i int, dest any) error {
	b := r.bytes(i)
	if string(b) != r.last[i] {
		r.last[i] = string(b)
	}
	text := r.last[i]
	switch d := dest.(type) {
	case *string:
		*d = text
	case *optionalText:
		*d = optionalText(text)
	case sql.Scanner:
		return d.Scan(text)
	default:
		to := reflect.ValueOf(dest).Elem()
		if to.Kind() != reflect.String {
			return fmt.Errorf("%T does not hold a text", dest)
		}
		to.SetString(text)
	}
	return nil
}

func (r *directRow) blob(i int, dest any) (err error) {
	b := r.bytes(i)
	switch d := dest.(type) {
	case *idColumn:
		if len(b) != len(d) {
			return fmt.Errorf("%d bytes are no id", len(b))
		}
		copy(d[:], b)
	case *profileColumn:
		var p connector.Profile
		p, err = parseProfile(b)
		*d = profileColumn(p)
	case *optionalAnchor:
		*d = optionalAnchor(anchorOf(b))
	case *anchorColumn:
		*d = anchorColumn(anchorOf(b))
	case sql.Scanner:
		return d.Scan(append([]byte{}, b...))
	default:
		return fmt.Errorf("%T does not hold bytes", dest)
	}
	return err
}

// bytes are those of a text or blob, where SQLite has them: until it goes on.
func (r *directRow) bytes(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(r.c.tls, r.stmt, int32(i))  //nolint:gosec // "
	n := sqlite3.Xsqlite3_column_bytes(r.c.tls, r.stmt, int32(i)) //nolint:gosec // "
	if p == 0 || n == 0 {
		return nil
	}
	return libc.GoBytes(p, int(n))
}
