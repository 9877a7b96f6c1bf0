package smtpserver

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"testing"
	"time"

	"usherd/internal/testproc"
)

//go:embed server.py
var script []byte

// python is Debian's, which sees the packages of Debian.
const python = "/usr/bin/python3"

var needs = testproc.Needs{
	Server: "aiosmtpd", Files: []string{python, "/usr/lib/python3/dist-packages/aiosmtpd/smtp.py"}, Packages: "python3-aiosmtpd",
}

// The recipients that are answered in another way than by taking the mail; their domain is any.
const (
	Nobody = "nobody" // 550 at RCPT
	Grey   = "grey"   // 450 at RCPT the first time
	Full   = "full"   // 552 after DATA
	Cut    = "cut"    // the connection is cut before the mail is taken, the first time
	Lost   = "lost"   // the connection is cut after the mail is taken and before the 250, the first time
	Slow   = "slow"   // the 250 takes Options.Slow
	// Refused is a sender: 550 at MAIL.
	Refused = "refused"
)

// Options are how the server is.
type Options struct {
	TLS            string // starttls, implicit or none
	User, Password string // of the one account; "" = none is needed
	Slow           time.Duration
	Port           int // 0 = a free one
}

// Server is a running mail server.
type Server struct {
	Addr   string // host:port
	Port   int
	CAFile string // of its certificate

	tb      testing.TB
	dir     string
	process *testproc.Process
}

// Start starts a mail server for one test and ends it with the test.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	needs.Demand(tb)
	if o.Port == 0 {
		ports, err := testproc.FreePorts(1)
		if err != nil {
			tb.Fatal(err)
		}
		o.Port = ports[0]
	}
	s := &Server{tb: tb, dir: tb.TempDir(), Port: o.Port, Addr: fmt.Sprintf("127.0.0.1:%d", o.Port)}
	s.CAFile = filepath.Join(s.dir, "ca.crt")
	if err := s.write(o); err != nil {
		tb.Fatal(err)
	}
	log := filepath.Join(s.dir, "log")
	var err error
	s.process, err = testproc.Start(tb.Context(), testproc.Command{Argv: []string{python, filepath.Join(s.dir, "server.py"), filepath.Join(s.dir, "conf.json")}, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Stop()
		if tb.Failed() {
			tb.Logf("the last words of aiosmtpd: %s", testproc.LastWords(log))
		}
	})
	s.await(log)
	return s
}

// Stop ends the server before the test ends.
func (s *Server) Stop() { s.process.Stop(5 * time.Second) }

func (s *Server) write(o Options) error {
	if err := testproc.WriteCertificate(s.dir, "mx.test", "127.0.0.1", true); err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{
		"port": s.Port, "dir": s.dir, "tls": o.TLS, "user": o.User, "password": o.Password, "slow": o.Slow.Seconds(),
		"cert": filepath.Join(s.dir, "server.crt"), "key": filepath.Join(s.dir, "server.key"),
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "conf.json"), text, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "server.py"), script, 0o600)
}

// await waits until it takes connections.
func (s *Server) await(log string) {
	s.tb.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := (&net.Dialer{}).DialContext(s.tb.Context(), "tcp", s.Addr); err == nil {
			_ = c.Close() // it is there
			return
		}
		select {
		case <-deadline.C:
			s.tb.Fatalf("aiosmtpd does not listen: %s", testproc.LastWords(log))
		case <-s.process.Done():
			s.tb.Fatalf("aiosmtpd has ended: %s", testproc.LastWords(log))
		case <-tick.C:
		}
	}
}

// Mails are those that it has taken, in order. X-Envelope-To is the recipient of each.
func (s *Server) Mails() []*mail.Message {
	s.tb.Helper()
	names, err := filepath.Glob(filepath.Join(s.dir, "*.eml")) // sorted
	if err != nil {
		s.tb.Fatal(err)
	}
	list := make([]*mail.Message, 0, len(names))
	for _, name := range names {
		text, err := os.ReadFile(name) //nolint:gosec // of our own folder
		if err != nil {
			s.tb.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			s.tb.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}
