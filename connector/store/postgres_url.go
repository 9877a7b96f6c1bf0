package store

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"usherd/connector"
)

// pgSchemes begin the URL of every store on PostgreSQL.
var pgSchemes = []string{"postgres://", "postgresql://"}

func isPostgres(storeURL string) bool {
	return strings.HasPrefix(storeURL, pgSchemes[0]) || strings.HasPrefix(storeURL, pgSchemes[1])
}

// pgURL is what the URL of a store on PostgreSQL says.
type pgURL struct {
	config  *pgx.ConnConfig
	shown   string // without password and parameters
	readers int    // connections that read
	pooled  bool   // behind a pooler that hands connections on after each transaction
}

// The limits, by the names that PostgreSQL has for them: each may stand in the URL as well.
var (
	pgBoth = map[string]string{
		"application_name": "usherd",
		// Each statement is to use an index, as on SQLite: figures of a table that grows are old, and a plan from when it
		// was small would read all of it for each person.
		"enable_seqscan": "off", "jit": "off",
		// The server finds out that a process is gone by itself.
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "tcp_user_timeout": "25000",
	}
	pgWriter = map[string]string{
		"idle_in_transaction_session_timeout": "10000", // a frozen process gives the lock of the writer up
		"lock_timeout":                        "5000",
	}
	pgReader = map[string]string{
		"default_transaction_read_only": "on",
		"statement_timeout":             "600000",
	}
)

const (
	answerTimeout  = 60 // seconds; see parsePostgres
	connectTimeout = 5 * time.Second
)

// parsePostgres reads postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?PARAMETERS], whose parameters are those of libpq,
// settings of the server, default_query_exec_mode, and two of our own: pool_max_conns is how many connections read,
// answer_timeout after how many seconds without a word about a statement a server is taken for frozen. No error tells
// the password.
func parsePostgres(storeURL string) (*pgURL, error) {
	bad := func(format string, args ...any) error {
		return &connector.Error{
			Kind: connector.Invalid, Op: "store", Err: fmt.Errorf(format, args...),
			Hint: "write postgres://USER@HOST:5432/DATABASE?sslmode=verify-full",
		}
	}
	config, err := pgx.ParseConfig(storeURL)
	if err != nil {
		return nil, bad("the URL of the database cannot be read (%s)", cause(err))
	}
	u := &pgURL{config: config, readers: max(4, 2*runtime.NumCPU()), shown: ShownURL(storeURL)}
	silence := answerTimeout
	for name, n := range map[string]*int{"pool_max_conns": &u.readers, "answer_timeout": &silence} {
		text, ok := config.RuntimeParams[name]
		if !ok {
			continue
		}
		delete(config.RuntimeParams, name) // the server knows nothing of it
		if *n, err = strconv.Atoi(text); err != nil || *n < 1 {
			return nil, bad("%s is %q, and not a number from 1 on", name, text)
		}
	}
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary // of several hosts, the one that takes writes
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	u.pooled = config.DefaultQueryExecMode == pgx.QueryExecModeExec || config.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &watched{Conn: c, silence: time.Duration(silence) * time.Second}, nil
	}
	return u, nil
}

// cause is what is wrong with a URL, without the URL and what could be a piece of its password.
func cause(err error) string {
	text := err.Error()
	text = strings.TrimPrefix(text[strings.LastIndexByte(text, '`')+1:], ": ")
	if strings.HasPrefix(text, "failed to parse as URL") {
		return "it is no URL: in names and passwords, write %40 for @, %2F for / and so on"
	}
	return text
}

// ShownURL is the URL of a store as messages may show it: that of PostgreSQL without password and parameters.
func ShownURL(storeURL string) string {
	if !isPostgres(storeURL) {
		return storeURL
	}
	scheme, rest, _ := strings.Cut(storeURL, "://")
	rest, _, _ = strings.Cut(rest, "?")
	user := ""
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, _, _ = strings.Cut(rest[:i], ":")
		user, rest = user+"@", rest[i+1:]
	}
	return scheme + "://" + user + rest
}

// writer opens connections for the session that writes.
func (u *pgURL) writer() pgConnector { return u.connector(pgBoth, pgWriter) }

// reader opens connections that can only read.
func (u *pgURL) reader() pgConnector { return u.connector(pgBoth, pgReader) }

func (u *pgURL) connector(settings ...map[string]string) pgConnector {
	config := u.config.Copy()
	for _, list := range settings {
		for name, value := range list {
			if _, given := config.RuntimeParams[name]; !given && !u.pooled {
				config.RuntimeParams[name] = value
			}
		}
	}
	return pgConnector{stdlib.GetConnector(*config, stdlib.OptionAfterConnect(checkServer))}
}

// checkServer refuses a server that cannot keep what a store writes.
func checkServer(_ context.Context, c *pgx.Conn) error {
	if e := c.PgConn().ParameterStatus("server_encoding"); e != "UTF8" {
		return &connector.Error{
			Kind: connector.Refused, Op: "store", Err: fmt.Errorf("the encoding of the database is %s", e),
			Hint: "make another one: CREATE DATABASE name OWNER account ENCODING 'UTF8' TEMPLATE template0",
		}
	}
	return nil
}

// locals are the settings of a transaction that writes where those of the connection cannot be had.
func (u *pgURL) locals() string {
	var b strings.Builder
	if u.pooled {
		for name, value := range pgWriter {
			fmt.Fprintf(&b, "; SET LOCAL %s = %s", name, value)
		}
		b.WriteString("; SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
	}
	return b.String()
}

// watched is a connection that ends when the other side is silent for too long.
type watched struct {
	net.Conn
	silence time.Duration
	timer   *time.Timer
}

// Read implements net.Conn.
func (c *watched) Read(b []byte) (int, error) {
	if c.timer == nil {
		c.timer = time.AfterFunc(c.silence, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	} else {
		c.timer.Reset(c.silence)
	}
	defer c.timer.Stop()
	return c.Conn.Read(b)
}
