package testpg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/internal/testproc"
)

// Options say what a server is to be like. With the zero value it listens on a Unix socket only and does
// without fsync: what it has acknowledged survives its own death, not the machine's.
type Options struct {
	TCP      bool              // listens on a port of 127.0.0.1 too, and URLs go there
	TLS      bool              // as TCP, and only with TLS; see Server.CAFile
	Password string            // over TCP the role needs this password (SCRAM); empty: none
	Durable  bool              // fsync and full_page_writes, for measurements
	Disk     int64             // bytes: the data lie on a file system of this size, 96 MiB at least; needs root
	Settings map[string]string // more lines of postgresql.conf, as they stand there: {"work_mem": "'8MB'"}
}

// Server is a running PostgreSQL. Its methods must not be called concurrently unless they say so; the server
// itself may of course be used by any number of clients.
type Server struct {
	Dir      string // where it keeps everything: its socket, and its data in data
	Port     int    // of the socket's name, and on 127.0.0.1 with TCP
	PID      int    // of the first process; another one after Restart, 0 while it does not run
	CAFile   string // PEM; with TLS
	Programs string // folder of PostgreSQL's programs, such as psql and pg_dump

	o        Options
	user     *testproc.User
	proc     *testproc.Process
	unmount  func() error
	isShared bool
}

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
	tick         = 5 * time.Millisecond // between two looks at a server that starts
)

// StartIn starts a server in dir, which is made when missing and must not hold another one; a short path,
// since it holds a Unix socket. The context limits the start only. The caller ends the server with Close.
// The error is a *testproc.MissingError when PostgreSQL is not installed or Disk cannot be had.
func StartIn(ctx context.Context, dir string, o Options) (*Server, error) {
	s, err := newServer(dir, o)
	if err != nil {
		return nil, err
	}
	if err = data(ctx, s.Programs, s.user, s.data()); err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newServer prepares everything but the data.
func newServer(dir string, o Options) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, o: o, Programs: bin}
	s.o.TCP = o.TCP || o.TLS
	if s.user, err = testproc.Another("postgres", "nobody"); err != nil {
		return nil, &testproc.MissingError{Server: "PostgreSQL", Reason: "does not run as root: " + err.Error()}
	}
	if err := os.MkdirAll(s.data(), 0o700); err != nil {
		return nil, err
	}
	if o.Disk > 0 {
		if s.unmount, err = smallDisk(s.data(), o.Disk); err != nil {
			return nil, err
		}
	}
	if o.TLS {
		if err := s.writeCertificate(); err != nil {
			return nil, err
		}
	}
	return s, give(dir, s.user)
}

func (s *Server) writeCertificate() error {
	dir := filepath.Join(s.Dir, "tls")
	s.CAFile = filepath.Join(dir, "ca.crt")
	return testproc.WriteCertificate(dir, "localhost", "127.0.0.1", false)
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }
func (s *Server) log() string  { return filepath.Join(s.Dir, "server.log") }

// begin starts a server whose data are there for the first time.
func (s *Server) begin(ctx context.Context) (err error) {
	for range 4 { // somebody may take a port between our look and the server's
		if s.Port, err = port(s.o.TCP); err != nil {
			return err
		}
		if err := s.configure(); err != nil {
			return err
		}
		if err = s.run(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil || s.o.Password == "" || s.standby() {
		return err
	}
	_, err = s.SQL(ctx, "postgres", "ALTER ROLE "+role+" PASSWORD '"+strings.ReplaceAll(s.o.Password, "'", "''")+"'")
	return err
}

func port(tcp bool) (int, error) {
	if !tcp {
		return 5432, nil // of the socket's name only
	}
	ports, err := testproc.FreePorts(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// configure writes postgresql.conf and pg_hba.conf.
func (s *Server) configure() error {
	onOff := map[bool]string{true: "on", false: "off"}
	set := map[string]string{
		"unix_socket_directories": "'" + s.Dir + "'", "listen_addresses": "''", "port": strconv.Itoa(s.Port),
		"fsync": onOff[s.o.Durable], "full_page_writes": onOff[s.o.Durable], "wal_sync_method": "fdatasync",
		"max_connections": "300", "shared_buffers": "'64MB'", "autovacuum": "off", "wal_level": "replica", "max_wal_senders": "8",
		"wal_log_hints": "on", "dynamic_shared_memory_type": "mmap", // nothing outside the folder is left after kill -9
		"log_line_prefix": "'%m [%p] %d '", "timezone": "'Europe/Berlin'", // not UTC: a time without a zone is a mistake to find
	}
	if s.o.TCP {
		set["listen_addresses"] = "'127.0.0.1'"
	}
	if s.o.TLS {
		set["ssl"], set["ssl_cert_file"] = "on", "'"+filepath.Join(s.Dir, "tls", "server.crt")+"'"
		set["ssl_key_file"] = "'" + filepath.Join(s.Dir, "tls", "server.key") + "'"
	}
	maps.Copy(set, s.o.Settings)
	var conf strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(&conf, "%s = %s\n", name, set[name])
	}
	host, method := "host", "trust"
	if s.o.TLS {
		host = "hostssl"
	}
	if s.o.Password != "" {
		method = "scram-sha-256"
	}
	hba := fmt.Sprintf("local all all trust\nlocal replication all trust\n%s all %s 127.0.0.1/32 %s\n", host, role, method)
	for name, text := range map[string]string{"postgresql.conf": conf.String(), "pg_hba.conf": hba} {
		if err := os.WriteFile(filepath.Join(s.data(), name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return give(s.data(), s.user)
}

// run starts the process and waits until it takes connections.
func (s *Server) run(ctx context.Context) error {
	p, err := testproc.Start(ctx, testproc.Command{
		Argv: []string{filepath.Join(s.Programs, "postgres"), "-D", s.data()}, Env: []string{"LC_ALL=C"}, Log: s.log(),
		Dir: s.Dir, User: s.user, Interrupt: true, // SIGTERM would wait for the clients
	})
	if err != nil {
		return fmt.Errorf("testpg: start: %w", err)
	}
	s.proc, s.PID = p, p.PID
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	t := time.NewTicker(tick)
	defer t.Stop()
	for !s.ready() {
		select {
		case <-t.C:
		case <-p.Done():
			s.proc, s.PID = nil, 0
			return fmt.Errorf("testpg: the server ended while it started: %w; its last words: %s", p.Err(), s.lastWords())
		case <-ctx.Done():
			s.Stop()
			return fmt.Errorf("testpg: the server is not ready: %w; its last words: %s", ctx.Err(), s.lastWords())
		}
	}
	return nil
}

// ready reports whether the process that runs now says so in the eighth line of its file.
func (s *Server) ready() bool {
	b, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	lines := strings.Split(string(b), "\n")
	if err != nil || len(lines) < 8 || lines[0] != strconv.Itoa(s.PID) {
		return false
	}
	return strings.TrimSpace(lines[7]) == "ready"
}

func (s *Server) lastWords() string { return testproc.LastWords(s.log()) }

// Stop ends the server in good order and disconnects its clients. Data and port stay, for Restart. A server
// that does not run is left alone.
func (s *Server) Stop() {
	if s.proc != nil {
		s.proc.Stop(stopTimeout)
		s.proc, s.PID = nil, 0
	}
}

// Kill ends all processes of the server at once, with SIGKILL. What it had acknowledged is there after
// Restart.
func (s *Server) Kill() {
	if s.proc != nil {
		s.proc.Kill()
		s.proc, s.PID = nil, 0
	}
}

// Restart stops the server if it runs and starts it again with its data, on the same port.
func (s *Server) Restart(ctx context.Context) error {
	s.Stop()
	return s.run(ctx)
}

// Close ends the server; it cannot be started again. Dir stays.
func (s *Server) Close() {
	s.Stop()
	forgetMemory(filepath.Join(s.data(), "postmaster.pid"))
	if s.unmount != nil {
		_ = s.unmount() // the folder it is in is removed with all the rest
		s.unmount = nil
	}
}

// Freeze halts all processes of the server: connections stay open and nothing answers.
func (s *Server) Freeze() error { return s.pause(true) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() error { return s.pause(false) }

func (s *Server) pause(halt bool) error {
	if s.proc == nil {
		return errors.New("testpg: the server does not run")
	}
	return s.proc.Pause(halt)
}
