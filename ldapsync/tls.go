package ldapsync

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// startTLS is the extended operation of RFC 4511 section 4.14.
const startTLS = "1.3.6.1.4.1.1466.20037"

// secure puts TLS over the socket, or makes sure that it may do without.
func (o *dialOptions) secure(ctx context.Context, t target, raw net.Conn) (net.Conn, error) {
	if t.network == "unix" {
		return raw, nil
	}
	if !t.tls && !o.Config.TLS.StartTLS {
		if o.Config.TLS.InsecureCleartextForTests && local(raw.RemoteAddr()) {
			return raw, nil
		}
		return nil, invalid("ldapsync: connect "+t.url, "the connection would not be encrypted",
			"use ldaps://, or tls.start_tls: true")
	}
	var c *tls.Conn
	err := o.step("tls", t.url, func() (string, error) {
		config, err := tlsConfig(o.Config.TLS, t.host)
		if err != nil {
			return "", err
		}
		if !t.tls {
			if err := o.startTLS(ctx, t, raw); err != nil {
				return "", o.inTime(ctx, "start TLS", t, err)
			}
		}
		c = tls.Client(raw, config)
		if err := c.HandshakeContext(ctx); err != nil {
			return "", o.inTime(ctx, "tls", t, tlsError(t, config.ServerName, err))
		}
		state := c.ConnectionState()
		return tls.VersionName(state.Version) + ", " + describe(state.PeerCertificates), nil
	})
	return c, err
}

// local reports whether bytes to a never leave this machine.
func local(a net.Addr) bool {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.IsLoopback()
	}
	return a.Network() == "pipe" || a.Network() == "unix"
}

// startTLS asks for TLS. The handshake is ours: go-ldap's would be out of reach of ctx and would keep the
// keys to itself.
func (o *dialOptions) startTLS(ctx context.Context, t target, raw net.Conn) error {
	err := with(ctx, raw, raw, func(l *ldap.Conn) error {
		_, err := l.Extended(ldap.NewExtendedRequest(startTLS, nil))
		return err
	})
	if err == nil {
		return nil
	}
	e := answerError("ldapsync: start TLS "+t.url, err)
	switch code, ok := resultCode(e); {
	case !ok:
		e.Hint = "the port may speak TLS from the start: then write ldaps:// (port 636); ldap:// with tls.start_tls: true is for port 389. " +
			"Else look in the server's log"
	case e.Kind != connector.Unavailable:
		e.Hint = fmt.Sprintf("the server offers no StartTLS (code %d): give it a certificate, or use ldaps://", code)
	}
	return e
}

// tlsConfig builds the client side of TLS for a server of that name.
func tlsConfig(c TLS, host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: orText(c.ServerName, host)}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, &connector.Error{
				Kind: connector.Invalid, Op: "ldapsync: tls.ca_file", Err: err,
				Hint: "name a PEM file with the certificate of the authority, readable for usherd",
			}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, invalid("ldapsync: tls.ca_file "+c.CAFile, "there is no certificate in PEM form in it",
				"convert it: openssl x509 -inform DER -in ca.cer -out ca.pem")
		}
	}
	if c.CertFile != "" || c.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, &connector.Error{
				Kind: connector.Invalid, Op: "ldapsync: tls.cert_file", Err: err,
				Hint: "cert_file and key_file are PEM files of one client certificate and its key, readable for usherd",
			}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// ports tells the two ways of TLS apart.
const ports = "ldaps:// is for port 636; for port 389 write ldap:// and set tls.start_tls: true"

// tlsError says what is wrong with the server's certificate, who issued it, and what to set.
func tlsError(t target, name string, err error) error {
	e := &connector.Error{Kind: connector.Unavailable, Op: "ldapsync: tls " + t.url, Err: err}
	var (
		cut     *net.OpError
		bad     *tls.CertificateVerificationError
		header  tls.RecordHeaderError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &header):
		e.Kind = connector.Refused
		e.Hint = "the server does not speak TLS on this port: " + ports
		return e
	case isAlert(err):
		e.Kind = connector.Refused
		e.Hint = "the server refuses our side of TLS: it may want a client certificate (tls.cert_file) or a newer version"
		return e
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &cut):
		e.Hint = "the server ended the connection in the TLS handshake: "
		if t.tls {
			e.Hint += "the port may speak without TLS (" + ports + "); or the server "
		} else {
			e.Hint += "it "
		}
		e.Hint += "may have no certificate, or want another version of TLS"
		return e
	case !errors.As(err, &bad):
		return e
	}
	e.Kind = connector.Refused
	e.Err = fmt.Errorf("%w; the server showed %s", bad.Err, describe(bad.UnverifiedCertificates))
	switch leaf := first(bad.UnverifiedCertificates); {
	case errors.As(err, &host):
		e.Hint = fmt.Sprintf("the certificate is not for %q but for %s: use that name in servers, or set tls.server_name to it",
			name, orText(strings.Join(names(leaf), ", "), "no name at all"))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Hint = "the certificate is out of its time of validity: renew it on the server, and check this machine's clock"
	case errors.As(err, &unknown):
		e.Hint = "set tls.ca_file to the certificate of the authority that issued it: " + issuer(bad.UnverifiedCertificates)
	default:
		e.Hint = "replace the server's certificate, or set tls.ca_file to the authority's"
	}
	return e
}

// isAlert reports whether the server ended TLS, and not we.
func isAlert(err error) bool {
	var e *net.OpError
	return errors.As(err, &e) && e.Op == "remote error"
}

func first(chain []*x509.Certificate) *x509.Certificate {
	if len(chain) == 0 {
		return &x509.Certificate{}
	}
	return chain[0]
}

// issuer names the authority at the end of what the server showed.
func issuer(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return "unknown"
	}
	return chain[len(chain)-1].Issuer.String()
}

// names lists what a certificate is for.
func names(c *x509.Certificate) []string {
	list := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	return list[:min(len(list), 10)]
}

// describe tells a chain: subject, issuer and end of each certificate.
func describe(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return "no certificate"
	}
	parts := make([]string, 0, len(chain))
	for i, c := range chain[:min(len(chain), 10)] {
		s := fmt.Sprintf("certificate %d: %s", i+1, c.Subject)
		if i == 0 {
			s += fmt.Sprintf(" (for %s)", orText(strings.Join(names(c), ", "), "no name"))
		}
		parts = append(parts, fmt.Sprintf("%s, issued by %s, valid until %s", s, c.Issuer, c.NotAfter.UTC().Format(time.DateOnly)))
	}
	return clean(strings.Join(parts, "; "), 2000)
}
