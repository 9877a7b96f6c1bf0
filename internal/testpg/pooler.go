package testpg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"usherd/internal/testproc"
)

// Pooler is a PgBouncer before a server. It hands connections on after each transaction. Its methods must not be called
// concurrently.
type Pooler struct {
	dir     string // of its files and socket
	server  *Server
	process *testproc.Process
}

var poolerNeeds = testproc.Needs{Server: "PgBouncer", Packages: "pgbouncer", Programs: []string{"pgbouncer"}}

// poolerPort is of the socket's name only.
const poolerPort = 6432

// Pooler starts a PgBouncer in transaction mode before the server and ends it with the test. It has no more than the given
// number of connections to each database, for whatever number of clients.
func (s *Server) Pooler(tb testing.TB, connections int) *Pooler {
	tb.Helper()
	poolerNeeds.Demand(tb)
	dir, remove, err := folder()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(remove)
	p := &Pooler{dir: dir, server: s}
	err = p.configure(connections)
	if err == nil {
		err = p.run(tb.Context())
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.process.Stop(stopTimeout)
		if tb.Failed() {
			tb.Logf("the last words of PgBouncer: %s", testproc.LastWords(p.log()))
		}
	})
	return p
}

func (p *Pooler) configuration() string { return filepath.Join(p.dir, "pgbouncer.ini") }
func (p *Pooler) log() string           { return filepath.Join(p.dir, "pgbouncer.log") }

func (p *Pooler) configure(connections int) error {
	users := filepath.Join(p.dir, "users.txt")
	text := fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
pool_mode = transaction
default_pool_size = %d
max_client_conn = 1000
server_idle_timeout = 2
server_login_retry = 1
unix_socket_dir = %s
listen_port = %d
auth_type = trust
auth_file = %s
`, p.server.Dir, p.server.Port, connections, p.dir, poolerPort, users)
	return errors.Join(os.WriteFile(p.configuration(), []byte(text), 0o600), os.WriteFile(users, []byte(`"`+role+`" ""`+"\n"), 0o600), give(p.dir, p.server.user))
}

func (p *Pooler) run(ctx context.Context) (err error) {
	p.process, err = testproc.Start(ctx, testproc.Command{
		Argv: []string{testproc.Program("pgbouncer"), p.configuration()}, Env: []string{"LC_ALL=C"}, Dir: p.dir, Log: p.log(), User: p.server.user,
		Interrupt: true,
	})
	if err != nil {
		return fmt.Errorf("testpg: start PgBouncer: %w", err)
	}
	if err := awaitPooler(ctx, p.process, filepath.Join(p.dir, ".s.PGSQL."+strconv.Itoa(poolerPort))); err != nil {
		p.process.Kill()
		return fmt.Errorf("testpg: PgBouncer: %w; its last words: %s", err, testproc.LastWords(p.log()))
	}
	return nil
}

// Restart kills the pooler, with all connections that lead through it, and starts it again.
func (p *Pooler) Restart(ctx context.Context) error {
	p.process.Kill()
	return p.run(ctx)
}

func awaitPooler(ctx context.Context, p *testproc.Process, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err == nil {
			return c.Close()
		}
		select {
		case <-time.After(tick):
		case <-p.Done():
			return p.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// URL returns the URL of a database of the server by way of the pooler, whose parameters are added to those that lead there.
func (p *Pooler) URL(database string, parameters url.Values) (string, error) {
	u, err := url.Parse(database)
	if err != nil {
		return "", err
	}
	q := url.Values{"host": {p.dir}, "port": {strconv.Itoa(poolerPort)}}
	maps.Copy(q, parameters)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
