package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"usherd/connector"
)

// sqlState is the code of an error that the server has told, "" where it is none.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// isTwice reports whether something is there already, as when two processes make the same table at once.
func isTwice(err error) bool {
	switch sqlState(err) {
	case "23505", "42P07", "42710":
		return true
	}
	return false
}

// collides reports whether the server has given up a transaction for the sake of another one.
func collides(err error) bool {
	code := sqlState(err)
	return code == "40001" || code == "40P01"
}

// isLocked reports whether somebody else has had the lock of the writer for too long.
func isLocked(err error) bool { return sqlState(err) == "55P03" }

// isPooler reports whether a pooler refuses settings that it was not told to expect.
func isPooler(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "08P01" && strings.Contains(e.Message, "startup parameter")
}

// passing reports whether the same may succeed soon on another connection: the server goes away or comes up, another
// one takes its place, or the network fails.
func passing(err error) bool {
	if code := sqlState(err); code != "" {
		switch code {
		case "57P01", "57P02", "57P03", "57P05", // ended by the administrator, by a crash; starting up; idle
			"25P03", // a transaction that stood still
			"25006": // read only: this one is a standby now
			return true
		}
		return strings.HasPrefix(code, "08") && !isPooler(err)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return false
	}
	var op *net.OpError
	return isGone(err) || errors.As(err, &op) || pgconn.Timeout(err)
}

// isGone reports whether a connection has ended, or leads to a standby.
func isGone(err error) bool {
	for _, e := range [...]error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn, sql.ErrConnDone, pgconn.ErrConnClosed, pgconn.ErrStandbyConnection,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED, syscall.ENOENT,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

const pgAway = "see whether the server runs and can be reached; nothing that was answered is lost, and usherd goes on by itself when it is back"

// pgStates are the remedies by SQLSTATE, those of two characters for a whole class.
var pgStates = map[string]remedy{
	"53100": {connector.Unavailable, "make room on the disk of the database server; what was written before is whole"},
	"53200": {connector.Unavailable, "the database server is out of memory: see its log"},
	"53300": {connector.Unavailable, "the server has no connection left: raise max_connections, or give usherd fewer by pool_max_conns in the URL"},
	"42501": {connector.Refused, "the account needs the right to make and use tables: GRANT CREATE, USAGE ON SCHEMA public, or make it the owner of the database"},
	"28P01": {connector.Denied, "correct the password: in store_password_file, in the file that PGPASSFILE names, or in the URL"},
	"28000": {connector.Denied, "the server does not let this account in: see user and sslmode in the URL, and pg_hba.conf"},
	"3D000": {connector.Refused, "make the database first: CREATE DATABASE name OWNER account ENCODING 'UTF8' TEMPLATE template0"},
	"3F000": {connector.Refused, "the account sees no schema that it may make tables in: set search_path for it, or GRANT CREATE, USAGE ON SCHEMA public"},
	"55P03": {connector.Unavailable, "another process is writing to the store for a long time: try again"},
	"57014": {connector.Unavailable, "the statement took longer than statement_timeout allows: the server may be overloaded"},
	"25006": {connector.Unavailable, "the server takes no writes: it is a standby, or default_transaction_read_only is set; name all servers of the cluster in the URL"},
	"42704": {connector.Invalid, "a setting in the URL is not known to this server: correct store"},
	"54000": {connector.Invalid, "a name, an externalId or a DN is too long: PostgreSQL can find no value by more than 2,700 bytes of it"},
	"XX001": {connector.Internal, "the database is damaged: stop usherd, and restore the database from a backup"},
	"XX002": {connector.Internal, "an index of the database is damaged: REINDEX DATABASE, then usherd verify"},
	"57":    {connector.Unavailable, pgAway},
	"08":    {connector.Unavailable, pgAway},
	"53":    {connector.Unavailable, "the database server has run out of something: see its log"},
	"40":    {connector.Unavailable, "others have changed the same at the same time, again and again: try again"},
	"58":    {connector.Unavailable, "the database server has trouble with its disk or system: see its log"},
}

// pgRemedy says what helps against an error of PostgreSQL or of the way to it.
func pgRemedy(err error) (remedy, bool) {
	if isPooler(err) {
		return remedy{connector.Refused, "there is a pooler before the database: add default_query_exec_mode=exec to the URL in store"}, true
	}
	if code := sqlState(err); code != "" {
		r, ok := pgStates[code]
		if !ok {
			r, ok = pgStates[code[:min(2, len(code))]]
		}
		return r, ok
	}
	var dns *net.DNSError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return remedy{connector.Unavailable, "correct the name of the server in store"}, true
	case errors.Is(err, pgconn.ErrStandbyConnection):
		return pgStates["25006"], true
	case errors.As(err, &connect) && strings.Contains(err.Error(), "tls"):
		return remedy{connector.Refused, "see sslmode, sslrootcert and the name of the server in store"}, true
	case errors.As(err, &connect), passing(err):
		return remedy{connector.Unavailable, pgAway}, true
	}
	return remedy{}, false
}
