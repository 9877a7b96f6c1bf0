package testserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/internal/testproc"
)

// Server is a running directory server. Its methods must not be called concurrently; the server itself
// may of course be used by any number of clients.
type Server struct {
	Kind      string // "slapd", "samba" or "389-ds"
	URL       string // ldap://address:port, with StartTLS
	LDAPSURL  string // ldaps://address:port
	LDAPIPath string // Unix socket, where asked for
	Host      string // name in the certificate, beside the address
	Realm     string // of Kerberos; only Samba has one
	KDC       string // address:port of the key distribution centre; only Samba has one
	Base      string // suffix

	AdminDN, AdminPassword     string // writes everything
	SyncDN, SyncPassword       string // reads everything, without limits
	LimitedDN, LimitedPassword string // slapd, 389-ds: at most 500 entries, 2000 in pages; Samba: an ordinary account

	CAFile string // PEM, for LDAPS and StartTLS
	Dir    string // where it keeps everything; removed after a test
	PID    int    // of the server's first process; another one after Restart, 0 while it does not run

	argv    []string
	env     []string
	proc    *testproc.Process
	release func() // gives an address back
}

const (
	startTimeout = 60 * time.Second // debug builds on a busy machine are slow; a start normally takes a second
	stopTimeout  = 10 * time.Second
	tick         = 20 * time.Millisecond // between two looks at a server that starts
)

// run starts the server's process and waits until the administrator can bind.
func (s *Server) run(ctx context.Context) error {
	p, err := testproc.Start(ctx, testproc.Command{Argv: s.argv, Env: s.env, Log: s.log()})
	if err != nil {
		return fmt.Errorf("testserver: start %s: %w", s.Kind, err)
	}
	s.proc, s.PID = p, p.PID
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-t.C:
		case <-p.Done():
			s.proc, s.PID = nil, 0
			return fmt.Errorf("testserver: %s ended while it started: %w; its last words: %s", s.Kind, p.Err(), s.lastWords())
		case <-ctx.Done():
			s.Stop()
			return fmt.Errorf("testserver: %s did not answer: %w; its last words: %s", s.Kind, errors.Join(ctx.Err(), err), s.lastWords())
		}
	}
}

// ready reports whether the server does its work: the administrator binds and sees the suffix.
func (s *Server) ready(ctx context.Context) error {
	c, err := s.Conn()
	if err != nil {
		return err
	}
	defer c.Close()
	if s.KDC != "" {
		d := net.Dialer{Timeout: time.Second}
		k, err := d.DialContext(ctx, "tcp", s.KDC)
		if err != nil {
			return err
		}
		return k.Close()
	}
	return nil
}

// Conn returns a new connection over LDAPS that is bound as the administrator. The caller closes it.
func (s *Server) Conn() (*ldap.Conn, error) {
	conf, err := s.TLSConfig()
	if err != nil {
		return nil, err
	}
	c, err := ldap.DialURL(s.LDAPSURL, ldap.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}), ldap.DialWithTLSConfig(conf))
	if err != nil {
		return nil, err
	}
	c.SetTimeout(startTimeout)
	if err := c.Bind(s.AdminDN, s.AdminPassword); err != nil {
		c.Close()
		return nil, err
	}
	r, err := c.Search(&ldap.SearchRequest{BaseDN: s.Base, Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: []string{"1.1"}})
	if err == nil && len(r.Entries) != 1 {
		err = fmt.Errorf("testserver: %s has no %s yet", s.Kind, s.Base)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// TLSConfig returns a configuration that trusts this server's CA and nothing else.
func (s *Server) TLSConfig() (*tls.Config, error) {
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("testserver: CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("testserver: %s holds no certificate", s.CAFile)
	}
	return &tls.Config{RootCAs: pool, ServerName: s.Host, MinVersion: tls.VersionTLS12}, nil
}

// Stop ends the server and all its processes in good order, by force after ten seconds. Data and address
// stay, for Restart. A server that does not run is left alone.
func (s *Server) Stop() {
	if s.proc != nil {
		s.proc.Stop(stopTimeout)
		s.proc, s.PID = nil, 0
	}
}

// Kill ends the server and all its processes at once, as a power failure would: with SIGKILL.
func (s *Server) Kill() {
	if s.proc != nil {
		s.proc.Kill()
		s.proc, s.PID = nil, 0
	}
}

// Close stops the server and gives up its address; it cannot be started again. Dir stays.
func (s *Server) Close() {
	s.Stop()
	if s.release != nil {
		s.release()
		s.release = nil
	}
}

// Restart stops the server if it runs and starts it again with its data, on the same address.
func (s *Server) Restart(ctx context.Context) error {
	if s.Dir == "" || s.argv == nil {
		return errors.New("testserver: restart: this server was never started")
	}
	s.Stop()
	return s.run(ctx)
}

// Freeze halts all processes of the server: connections stay open and nothing answers.
func (s *Server) Freeze() error { return s.signal(false) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() error { return s.signal(true) }

func (s *Server) signal(goOn bool) error {
	if s.proc == nil {
		return fmt.Errorf("testserver: %s does not run", s.Kind)
	}
	return s.proc.Pause(!goOn)
}

// Modify applies LDIF change records (RFC 2849 with changetype) as the administrator, by ldapmodify. It
// stops at the first one that the server refuses and returns the server's words.
func (s *Server) Modify(ctx context.Context, ldif string) error { return s.apply(ctx, ldif) }

// Add adds LDIF entries as the administrator, by ldapadd. It stops at the first one that is refused.
func (s *Server) Add(ctx context.Context, ldif string) error { return s.apply(ctx, ldif, "-a") }

func (s *Server) apply(ctx context.Context, ldif string, flags ...string) error {
	args := append([]string{"-x", "-H", s.LDAPSURL, "-D", s.AdminDN, "-w", s.AdminPassword}, flags...)
	cmd := exec.CommandContext(ctx, "ldapmodify", args...)
	cmd.Env = s.ClientEnv()
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("testserver: ldapmodify on %s: %w: %s", s.Kind, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// ClientEnv returns the environment for OpenLDAP's clients (ldapsearch and so on) to trust this server and
// to read no configuration of the machine.
func (s *Server) ClientEnv() []string {
	return append(os.Environ(), "LDAPCONF=/dev/null", "LDAPTLS_CACERT="+s.CAFile)
}

// lastWords returns the end of the server's log.
func (s *Server) lastWords() string { return testproc.LastWords(s.log()) }

func (s *Server) log() string { return filepath.Join(s.Dir, "server.log") }
