package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"usherd/connector"
)

func emptyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.db")
	if err := createFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func newDirect(t *testing.T) *directConn {
	t.Helper()
	c, err := openDirect(emptyFile(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// one asks for one row.
func (c *directConn) one(q string, args []any, dest ...any) error {
	return c.ask(q, args, func(r row) error { return r.Scan(dest...) })
}

func TestDirectConnectionGivesWhatItIsHanded(t *testing.T) {
	t.Parallel()
	c := newDirect(t)
	long := strings.Repeat("ü", 10_000)
	for range 2 { // the second time by the kept statement
		var text, empty string
		var state connector.State
		var small int
		var large int64
		var yes bool
		var id idColumn
		var none optionalText
		var anchor optionalAnchor
		want := connector.ID{1, 15: 2}
		args := []any{long, "", connector.Active, -7, int64(1) << 60, true, want[:], nil, anchorBlob(connector.Anchor{Kind: connector.TextAnchor, Raw: "x"})}
		err := c.one(`SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?`, args, &text, &empty, &state, &small, &large, &yes, &id, &none, &anchor)
		if err != nil {
			t.Fatal(err)
		}
		if text != long || empty != "" || state != connector.Active || small != -7 || large != 1<<60 || !yes || connector.ID(id) != want || none != "" || anchor.Raw != "x" {
			t.Error(len(text), empty, state, small, large, yes, id, none, anchor)
		}
	}
	var kind string
	if err := c.one(`SELECT typeof(?)`, []any{[]byte(nil)}, &kind); err != nil || kind != "null" {
		t.Error(kind, err)
	}
}

// What was read belongs to the caller: a later row does not change it.
func TestDirectRowsAreCopies(t *testing.T) {
	t.Parallel()
	c := newDirect(t)
	var all []string
	err := c.ask(`WITH n (x) AS (VALUES ('one'), ('two'), ('two')) SELECT x FROM n`, nil, func(r row) error {
		var s string
		defer func() { all = append(all, s) }()
		return r.Scan(&s)
	})
	if err != nil || strings.Join(all, " ") != "one two two" {
		t.Error(all, err)
	}
}

func TestDirectConnectionTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	c := newDirect(t)
	var n int64
	var id idColumn
	for name, err := range map[string]error{
		"no table":    c.one(`SELECT x FROM nowhere`, nil, &n),
		"type":        c.one(`SELECT 'x'`, nil, &n),
		"NULL":        c.one(`SELECT NULL`, nil, &n),
		"columns":     c.one(`SELECT 1, 2`, nil, &n),
		"arguments":   c.one(`SELECT 1`, []any{1}, &n),
		"argument":    c.one(`SELECT ?`, []any{struct{}{}}, &n),
		"short id":    c.one(`SELECT x'00'`, nil, &id),
		"at run time": c.one(`SELECT abs(-9223372036854775808)`, nil, &n),
		"write":       c.one(`CREATE TABLE t (x)`, nil),
	} {
		if err == nil {
			t.Error(name, "is no error")
		}
	}
	if err := c.one(`SELECT 1`, nil, &n); err != nil || n != 1 || c.broken {
		t.Error(n, err, c.broken)
	}
}

// A page that the disk does not give any more is an error of one request: not the end of the process.
func TestPartOfTheFileThatIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	if mapped() == 0 {
		return
	}
	path := emptyFile(t)
	w, err := openDirect(path)
	if err != nil {
		t.Fatal(err)
	}
	err = w.script(`PRAGMA query_only = 0; PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, x BLOB);
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t SELECT i, zeroblob(3000) FROM n; PRAGMA wal_checkpoint(TRUNCATE)`)
	if err != nil {
		t.Fatal(err)
	}
	p := newSQLitePool(&pool{}, path, 1)
	look := func(id int) (n int64, err error) {
		err = p.short(t.Context(), `SELECT length(x) + unicode(hex(x)) FROM t WHERE id = ?`, []any{id}, func(r row) error { return r.Scan(&n) })
		return n, err
	}
	if n, err := look(990); err != nil || n != 3048 {
		t.Fatal(n, err)
	}
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	_, err = look(990)
	if e, ok := errors.AsType[*directError](err); !ok || e.code != sqlite3.SQLITE_IOERR {
		t.Errorf("%v", err)
	}
	if c := <-p.free; c != nil {
		t.Error("the connection is used again")
	}
	p.free <- nil
	if err := errors.Join(p.close(), w.close()); err != nil {
		t.Log(err) // the file is damaged
	}
}
