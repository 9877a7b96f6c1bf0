package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"usherd/connector"
)

func TestErrorsOfPostgres(t *testing.T) {
	t.Parallel()
	server := func(code string) error { return fmt.Errorf("x: %w", &pgconn.PgError{Code: code, Message: "m"}) }
	for _, test := range []struct {
		err              error
		passes, collides bool
		kind             connector.Kind
		hint             string // "" = none is known
	}{
		{server("57P01"), true, false, connector.Unavailable, "goes on by itself"},
		{server("57P02"), true, false, connector.Unavailable, "goes on by itself"},
		{server("57P03"), true, false, connector.Unavailable, "goes on by itself"},
		{server("08006"), true, false, connector.Unavailable, "goes on by itself"},
		{server("25P03"), true, false, connector.Internal, ""},
		{server("25006"), true, false, connector.Unavailable, "takes no writes"},
		{server("40001"), false, true, connector.Unavailable, "try again"},
		{server("40P01"), false, true, connector.Unavailable, "try again"},
		{server("53100"), false, false, connector.Unavailable, "make room"},
		{server("53200"), false, false, connector.Unavailable, "out of memory"},
		{server("53300"), false, false, connector.Unavailable, "max_connections"},
		{server("42501"), false, false, connector.Refused, "GRANT"},
		{server("28P01"), false, false, connector.Denied, "store_password"},
		{server("28000"), false, false, connector.Denied, "pg_hba.conf"},
		{server("3D000"), false, false, connector.Refused, "CREATE DATABASE"},
		{server("3F000"), false, false, connector.Refused, "search_path"},
		{server("55P03"), false, false, connector.Unavailable, "another process"},
		{server("57014"), false, false, connector.Unavailable, "statement_timeout"},
		{server("54000"), false, false, connector.Invalid, "too long"},
		{server("XX001"), false, false, connector.Internal, "damaged"},
		{server("58030"), false, false, connector.Unavailable, "disk or system"},
		{server("42601"), false, false, connector.Internal, ""},
		{server("23505"), false, false, connector.Internal, ""},
		{fmt.Errorf("x: %w", io.ErrUnexpectedEOF), true, false, connector.Unavailable, "goes on by itself"},
		{fmt.Errorf("x: %w", syscall.ECONNREFUSED), true, false, connector.Unavailable, "goes on by itself"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true, false, connector.Unavailable, "goes on by itself"},
		{fmt.Errorf("x: %w", pgconn.ErrConnClosed), true, false, connector.Unavailable, "goes on by itself"},
		{fmt.Errorf("x: %w", pgconn.ErrStandbyConnection), true, false, connector.Unavailable, "takes no writes"},
		{sql.ErrConnDone, true, false, connector.Unavailable, "goes on by itself"},
		{&net.DNSError{Name: "db.invalid", IsNotFound: true}, false, false, connector.Unavailable, "name of the server"},
		{context.DeadlineExceeded, false, false, connector.Internal, ""},
		{context.Canceled, false, false, connector.Internal, ""},
		{errors.New("something else"), false, false, connector.Internal, ""},
	} {
		if got := passing(test.err); got != test.passes {
			t.Errorf("%v: passing %v", test.err, got)
		}
		if got := collides(test.err); got != test.collides {
			t.Errorf("%v: collides %v", test.err, got)
		}
		err := wrap("test", test.err)
		if hint := connector.HintOf(err); connector.KindOf(err) != test.kind || (hint == "") != (test.hint == "") || !strings.Contains(hint, test.hint) {
			t.Errorf("%v: kind %d, hint %q", test.err, connector.KindOf(err), hint)
		}
	}
}

func TestTextsForPostgres(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]string{
		"SELECT a FROM t WHERE b = ? AND c IN (?,?)":                       "SELECT a FROM t WHERE b = $1 AND c IN ($2,$3)",
		"SELECT '?', 'it' FROM t WHERE b = ? LIMIT 0 + ?":                  "SELECT '?', 'it' FROM t WHERE b = $1 LIMIT 0 + $2",
		"SELECT 1 WHERE instr(folded, ?) > 0":                              "SELECT 1 WHERE pg_catalog.position(folded, $1) > 0",
		"SELECT 1 WHERE instr(CAST(k.value AS BLOB), ?) > 0":               "SELECT 1 WHERE pg_catalog.position(convert_to(k.value, 'UTF8'), $1) > 0",
		"SELECT coalesce(l.anchor, CAST('' AS BLOB)) = ?":                  "SELECT coalesce(l.anchor, convert_to('', 'UTF8')) = $1",
		"SELECT 'e ' || lower(hex(e.id)) || ' (' || n || ')'":              "SELECT 'e ' || encode(e.id, 'hex') || ' (' || n || ')'",
		"SELECT 1 FROM json_each(?) s CROSS JOIN links k":                  "SELECT 1 FROM json_array_elements_text($1) s CROSS JOIN links k",
		"SELECT 1 WHERE +u.id IN (SELECT 1) AND n + 1 > 2 AND (+g.id = ?)": "SELECT 1 WHERE u.id IN (SELECT 1) AND n + 1 > 2 AND (g.id = $1)",
		"VALUES (" + sqlNow + " + ?)":                                      "VALUES (" + pgNow + " + $1)",
	} {
		if got := pgText(q); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", q, got, want)
		}
	}
}

func TestURLsOfPostgres(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ url, shown, bad string }{
		{"postgres://usherd:hunter2@db.example/usherd?sslmode=disable", "postgres://usherd@db.example/usherd", ""},
		{"postgresql://usherd@a.example:5432,b.example:5433/usherd?password=hunter2&sslmode=disable", "postgresql://usherd@a.example:5432,b.example:5433/usherd", ""},
		{"postgres:///usherd?host=/run/postgresql", "postgres:///usherd", ""},
		{"postgres://usherd@db.example/usherd?pool_max_conns=7&answer_timeout=9", "postgres://usherd@db.example/usherd", ""},
		{"postgres://usherd@db.example/usherd?pool_max_conns=no", "postgres://usherd@db.example/usherd", "not a number"},
		{"postgres://usherd@db.example/usherd?answer_timeout=0", "postgres://usherd@db.example/usherd", "not a number"},
		{"postgres://usherd:hunter2@db.example/usherd?sslmode=perhaps", "postgres://usherd@db.example/usherd", "sslmode"},
		{"postgres://usherd:hunter2/x@db.example/usherd", "postgres://usherd@db.example/usherd", "invalid port"},
		{"postgres://usherd:hunter2%zz@db.example/usherd", "postgres://usherd@db.example/usherd", "%40"},
		{"sqlite:/var/lib/usherd.db", "sqlite:/var/lib/usherd.db", "-"},
	} {
		if got := ShownURL(test.url); got != test.shown {
			t.Errorf("%s is shown as %s", test.url, got)
		}
		if test.bad == "-" {
			continue
		}
		u, err := parsePostgres(test.url)
		if (err == nil) != (test.bad == "") || err != nil && !strings.Contains(err.Error(), test.bad) {
			t.Errorf("%s: %v", test.url, err)
		}
		if err != nil && (strings.Contains(err.Error()+connector.HintOf(err), "hunter2") || connector.KindOf(err) != connector.Invalid) {
			t.Errorf("%s: %v, hint %q", test.url, err, connector.HintOf(err))
		}
		if err == nil && strings.Contains(test.url, "pool_max_conns") && (u.readers != 7 || u.config.RuntimeParams["pool_max_conns"] != "") {
			t.Errorf("%s: %d connections, %v", test.url, u.readers, u.config.RuntimeParams)
		}
	}
}

func TestTextsThatPostgresCannotKeep(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "ä\U0010FFFF": "ä\U0010FFFF", "a\x00b": "a\uFFFDb", "a\xffb\x00": "a\uFFFDb\uFFFD"} {
		if got := cleanText(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}
