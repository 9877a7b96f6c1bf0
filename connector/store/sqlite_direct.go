package store

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// directConn is a connection of its own to SQLite that only reads: without the locks that others make between goroutines, as one
// has it at a time, and with nothing made for a row but what the row holds.
type directConn struct {
	tls    *libc.TLS
	db     uintptr
	stmts  map[string]*directStmt
	memory uintptr // of SQLite's side, for what it is handed
	size   int
	args   []driver.Value
	broken bool
}

type directStmt struct {
	handle uintptr
	row    directRow
}

// mapped is how much of the file a connection sees without reading it: pages are looked at where the system has them.
// Windows does not let a file become smaller while somebody sees it so.
func mapped() int {
	if runtime.GOOS == "windows" {
		return 0
	}
	return 1 << 30
}

func openDirect(path string) (_ *directConn, err error) {
	c := &directConn{tls: libc.NewTLS(), stmts: map[string]*directStmt{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if err := c.reserve(256); err != nil {
		return nil, err
	}
	name, err := libc.CString(path)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, name)
	const flags = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_NOMUTEX | sqlite3.SQLITE_OPEN_EXRESCODE
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, c.memory, flags, 0)
	c.db = c.pointer()
	if err := c.fault(rc); err != nil {
		return nil, err
	}
	return c, c.script(fmt.Sprintf("PRAGMA busy_timeout = 10000; PRAGMA query_only = 1; PRAGMA mmap_size = %d", mapped()))
}

// pointer is what SQLite has put to the beginning of the memory.
func (c *directConn) pointer() uintptr {
	return uintptr(binary.NativeEndian.Uint64(libc.GoBytes(c.memory, 8)))
}

// reserve makes room for what SQLite is handed. What was there is gone.
func (c *directConn) reserve(n int) error {
	if n <= c.size {
		return nil
	}
	n = max(n, 2*c.size)
	p, err := libc.CString(string(make([]byte, n)))
	if err != nil {
		return err
	}
	libc.Xfree(c.tls, c.memory)
	c.memory, c.size = p, n
	return nil
}

func (c *directConn) script(text string) error {
	p, err := libc.CString(text)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, p)
	return c.fault(sqlite3.Xsqlite3_exec(c.tls, c.db, p, 0, 0, 0))
}

func (c *directConn) stmt(q string) (*directStmt, error) {
	if st, ok := c.stmts[q]; ok {
		return st, nil
	}
	p, err := libc.CString(q)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, p)
	rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, p, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, c.memory, 0)
	if err := c.fault(rc); err != nil {
		return nil, err
	}
	st := &directStmt{handle: c.pointer()}
	n := int(sqlite3.Xsqlite3_column_count(c.tls, st.handle))
	st.row = directRow{c: c, stmt: st.handle, last: make([]string, n)}
	c.stmts[q] = st
	return st, nil
}

// ask runs a kept statement. The file is looked at where the system has it in memory, and what cannot be read there
// comes as a fault of the processor: such a connection is given up, and not used for anything any more.
func (c *directConn) ask(q string, args []any, scan func(r row) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	done := false
	defer func() {
		if done {
			return
		}
		c.broken = true
		v := recover() // nil where the goroutine ends
		fault, ok := v.(interface {
			error
			Addr() uintptr
		})
		switch {
		case v == nil:
			return
		case !ok:
			panic(v)
		}
		err = &directError{sqlite3.SQLITE_IOERR, "a part of the file cannot be read: " + fault.Error()}
	}()
	err = c.run(q, args, scan)
	done = true
	return err
}

func (c *directConn) run(q string, args []any, scan func(r row) error) (err error) {
	st, err := c.stmt(q)
	if err != nil {
		return err
	}
	defer func() {
		rc := sqlite3.Xsqlite3_reset(c.tls, st.handle) // tells of step again
		if err == nil {
			err = c.fault(rc)
		}
		sqlite3.Xsqlite3_clear_bindings(c.tls, st.handle)
	}()
	if err := c.bind(st.handle, args); err != nil {
		return err
	}
	for {
		switch rc := sqlite3.Xsqlite3_step(c.tls, st.handle); rc {
		case sqlite3.SQLITE_ROW:
			if err := scan(&st.row); err != nil {
				return err
			}
		case sqlite3.SQLITE_DONE:
			return nil
		default:
			return c.fault(rc)
		}
	}
}

// bind hands the arguments over: texts and bytes lie in the memory until the statement has run.
func (c *directConn) bind(stmt uintptr, args []any) error {
	c.args = c.args[:0]
	need := 0
	for _, a := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return err
		}
		switch v := v.(type) {
		case string:
			need += len(v)
		case []byte:
			need += len(v)
		}
		c.args = append(c.args, v)
	}
	defer clear(c.args)
	if err := c.reserve(need); err != nil {
		return err
	}
	memory, used := libc.GoBytes(c.memory, c.size), 0
	for i, a := range c.args {
		var rc int32
		at, n := c.memory+uintptr(used), int32(i+1)
		switch a := a.(type) {
		case string:
			used += copy(memory[used:], a)
			rc = sqlite3.Xsqlite3_bind_text(c.tls, stmt, n, at, int32(len(a)), 0) //nolint:gosec // SQLite takes 1 GB
		case []byte:
			used += copy(memory[used:], a)
			if rc = sqlite3.Xsqlite3_bind_blob(c.tls, stmt, n, at, int32(len(a)), 0); a == nil { //nolint:gosec // "
				rc = sqlite3.Xsqlite3_bind_null(c.tls, stmt, n)
			}
		case int64:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, stmt, n, a)
		case bool:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, stmt, n, flag(a))
		case nil:
			rc = sqlite3.Xsqlite3_bind_null(c.tls, stmt, n)
		default:
			return fmt.Errorf("argument %d: %T is no value of SQLite", n, a)
		}
		if err := c.fault(rc); err != nil {
			return err
		}
	}
	return nil
}

// fault is the error that a result code of the connection is, with what SQLite says of it.
func (c *directConn) fault(rc int32) error {
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	text := libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))
	if c.db != 0 {
		if more := libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db)); more != text {
			text += ": " + more
		}
	}
	return &directError{int(rc), text}
}

func (c *directConn) close() error {
	for _, st := range c.stmts {
		sqlite3.Xsqlite3_finalize(c.tls, st.handle) // tells of the last step again
	}
	err := c.fault(sqlite3.Xsqlite3_close_v2(c.tls, c.db))
	libc.Xfree(c.tls, c.memory)
	c.tls.Close()
	return err
}

// directError is a result code of SQLite, as sqlite.Error is of the driver.
type directError struct {
	code int
	text string
}

func (e *directError) Error() string { return fmt.Sprintf("%s (%d)", e.text, e.code) }
