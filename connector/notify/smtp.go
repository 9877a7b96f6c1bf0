package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"usherd/connector"
)

// smtpTimeout bounds the greeting with all that belongs to it, and each mail.
const smtpTimeout = 60 * time.Second

// SMTP is a mail server. It is safe for concurrent use.
type SMTP struct {
	config  Config
	host    string
	port    int
	roots   *x509.CertPool // nil = the machine's
	timeout time.Duration
}

// NewSMTP returns the mail server of a configuration that has been checked. The certificates are read here.
func NewSMTP(c Config) (*SMTP, error) {
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, invalid("server", err)
	}
	s := &SMTP{config: c, host: host, timeout: smtpTimeout}
	if s.port, err = strconv.Atoi(port); err != nil {
		return nil, invalid("server", err)
	}
	if c.CAFile == "" {
		return s, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, invalid("ca_file", err)
	}
	if s.roots = x509.NewCertPool(); !s.roots.AppendCertsFromPEM(pem) {
		return nil, invalid("ca_file", errors.New("the file holds no certificate (PEM)"))
	}
	return s, nil
}

func invalid(key string, err error) error {
	return &connector.Error{Kind: connector.Invalid, Op: "mail", Err: err, Hint: "see mail." + key + " in the configuration"}
}

// session is one connection to the server.
type session struct {
	client *mail.Client
	smtp   *smtp.Client
	end    func() // of the connection
}

// dial connects, greets, and proves who we are.
func (s *SMTP) dial(ctx context.Context) (*session, error) {
	var mu sync.Mutex
	var conn net.Conn
	hang := func() {
		mu.Lock()
		defer mu.Unlock()
		if conn != nil {
			_ = conn.Close() // go-mail leaves it open when the greeting fails, and does not ask the context again
		}
	}
	stop := context.AfterFunc(ctx, hang)
	end := func() { stop(); hang() }
	options := []mail.Option{
		mail.WithPort(s.port), mail.WithTimeout(s.timeout), mail.WithTLSConfig(s.tls()), mail.WithTLSPolicy(mail.TLSMandatory), mail.WithoutNoop(),
		mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := s.connect(ctx, network, address)
			mu.Lock()
			defer mu.Unlock()
			conn = c
			return c, err
		}),
	}
	if s.config.TLS == NoTLS || s.config.TLS == Implicit { // in TLS already
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if s.config.Hello != "" {
		options = append(options, mail.WithHELO(s.config.Hello))
	}
	if s.config.User != "" {
		options = append(options, mail.WithUsername(s.config.User), mail.WithPassword(s.config.Password.Reveal()), mail.WithOpportunisticSMTPAuth(
			mail.SMTPAuthSCRAMSHA256PLUS, mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthCramMD5))
	}
	client, err := mail.NewClient(s.host, options...)
	if err != nil {
		end()
		return nil, invalid("server", err)
	}
	greeted, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		end()
		return nil, s.unreachable(err)
	}
	return &session{client, greeted, end}, nil
}

func (s *SMTP) tls() *tls.Config {
	return &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

func (s *SMTP) connect(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 20 * time.Second}
	if s.config.TLS == Implicit {
		return (&tls.Dialer{NetDialer: dialer, Config: s.tls()}).DialContext(ctx, network, address)
	}
	return dialer.DialContext(ctx, network, address)
}

// unreachable is why there is no session, with what helps.
func (s *SMTP) unreachable(err error) error {
	e := &connector.Error{Kind: connector.Unavailable, Op: "mail: " + s.config.Server, Err: errors.New(s.masked(err.Error()))}
	text := err.Error()
	switch {
	case strings.Contains(text, "AUTH failed"):
		e.Kind, e.Hint = connector.Denied, "the server does not take the account: see mail.user and mail.password"
	case strings.Contains(text, "does not support SMTP AUTH"), strings.Contains(text, "AUTH"):
		e.Kind, e.Hint = connector.Refused, "the server does not let us say who we are: remove mail.user, or see whether it is the port for clients (587 or 465)"
	case strings.Contains(text, "x509"), strings.Contains(text, "tls:"):
		e.Kind, e.Hint = connector.Refused, "the server's certificate is not believed, or it does not speak TLS there: see mail.ca_file, mail.tls and the port in mail.server"
	case strings.Contains(text, "STARTTLS"):
		e.Kind, e.Hint = connector.Refused, "the server does not know STARTTLS there: write tls: implicit with port 465, or ask its administrator"
	default:
		e.Hint = "see whether mail.server is right and can be reached from here"
	}
	return e
}

// masked takes the password out of words that go anywhere, should a server repeat it.
func (s *SMTP) masked(text string) string {
	if p := s.config.Password.Reveal(); p != "" {
		text = strings.ReplaceAll(text, p, "[hidden]")
	}
	return text
}

// Check says whether the server takes us: it connects, proves who we are, and sends nothing.
func (s *SMTP) Check(ctx context.Context) error {
	x, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer x.end()
	if err := x.client.CloseWithSMTPClient(x.smtp); err != nil {
		return s.unreachable(err)
	}
	return nil
}

// answer is what became of an attempt to send one mail.
type answer struct {
	sent  bool
	final bool // trying again does not help
	ours  bool // it is not about this mail: the server does not take any of ours now
	lost  bool // the connection is of no use any more
	code  int  // of the server; 0 = it did not answer
	words string
}

// send sends one mail in a session.
func (s *SMTP) send(x *session, m *mail.Msg) answer {
	err := x.client.SendWithSMTPClient(x.smtp, m)
	if m.IsDelivered() { // what fails afterwards is not about it
		return answer{sent: true, code: 250, words: clip(m.ServerResponse()), lost: err != nil}
	}
	var e *mail.SendError
	if !errors.As(err, &e) {
		return answer{lost: true, words: clip(s.masked(fmt.Sprint(err)))}
	}
	a := answer{code: e.ErrorCode(), words: clip(s.masked(wordsOf(e)))}
	switch {
	case e.Reason == mail.ErrGetSender || e.Reason == mail.ErrGetRcpts || e.Reason == mail.ErrNoUnencoded:
		a.final = true
	case a.code == 0 || a.code == 421:
		a.lost = true
	case e.Reason == mail.ErrSMTPMailFrom && a.code >= 500:
		a.ours = true
	case a.code >= 500:
		a.final = true
	}
	return a
}

// wordsOf is what the server has said, or the fault on the way to it, without what go-mail adds of the mail.
func wordsOf(e *mail.SendError) string {
	text, _, _ := strings.Cut(e.Error(), ", affected ")
	if code := strconv.Itoa(e.ErrorCode()); e.ErrorCode() != 0 {
		if i := strings.Index(text, ": "+code); i >= 0 {
			text = strings.TrimSpace(text[i+len(": "+code):])
		}
	}
	return text
}

// clip makes one line of a server's words, and bounds it.
func clip(text string) string {
	const most = 500
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
