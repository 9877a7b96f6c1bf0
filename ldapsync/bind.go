package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// credentials is the service account, checked.
type credentials struct {
	method   BindMethod
	user     string
	password string
	kerberos *ticketSource // for BindKerberos
}

// credentials checks the bind block before any server is asked.
func (o *dialOptions) credentials() (credentials, error) {
	b := o.Config.Bind
	c := credentials{method: b.Method, user: b.User, password: b.Password.Reveal()}
	if c.method == "" {
		c.method = BindSimple
	}
	const op = "ldapsync: bind"
	switch c.method {
	case BindSimple:
		if c.user == "" {
			return c, invalid(op, "no user", "set bind.user to a UPN, DOMAIN\\user or a DN")
		}
		if c.password == "" {
			// RFC 4513 section 5.1.2: a name with an empty password is an anonymous bind that succeeds.
			return c, invalid(op, "an empty password", "set bind.password")
		}
	case BindExternal:
	case BindKerberos:
		var err error
		c.kerberos, err = newTicketSource(b)
		return c, err
	default:
		return c, invalid(op, fmt.Sprintf("unknown method %q", c.method), "set bind.method to simple, external or kerberos")
	}
	return c, nil
}

// close forgets what was obtained with the credentials.
func (c *credentials) close() {
	if c.kerberos != nil {
		c.kerberos.close()
	}
}

// lost reports whether they cannot be used for another server: all servers share the KDCs.
func (c *credentials) lost() bool { return c.kerberos != nil && c.kerberos.lost }

// bind proves who we are. Kerberos needs a ticket first, which is a step of its own.
func (o *dialOptions) bind(ctx context.Context, t target, nc, raw net.Conn, cred credentials) error {
	spn := ""
	if cred.method == BindKerberos {
		var err error
		if spn, err = o.ticket(ctx, t, cred.kerberos); err != nil {
			return err
		}
	}
	return o.step("bind", t.url, func() (string, error) {
		err := with(ctx, nc, raw, func(l *ldap.Conn) error {
			switch cred.method {
			case BindExternal:
				return l.ExternalBind()
			case BindKerberos:
				return l.GSSAPIBind(cred.kerberos.gssapi(), spn, "")
			case BindSimple:
			}
			return l.Bind(cred.user, cred.password)
		})
		if err != nil {
			e := answerError("ldapsync: bind "+t.url, err)
			e.Err = hide(e.Err, cred.password)
			return "", o.inTime(ctx, "bind", t, e)
		}
		return strings.TrimSpace(string(cred.method) + " " + cred.user), nil
	})
}

// answerError turns what `with` returns into an error of ours.
func answerError(op string, err error) *connector.Error {
	var answer *ldap.Error
	if errors.As(err, &answer) && !clientCode(answer.ResultCode) {
		return serverError(op, answer.ResultCode, answer.Err.Error())
	}
	e := &connector.Error{Kind: connector.Unavailable, Op: op, Err: err}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Err = fmt.Errorf("the server closed the connection: %w", err)
		e.Hint = "look in the server's log; a port for TLS closes connections without it"
	case isAlert(err):
		// With TLS 1.3 a refused client certificate shows only here.
		e.Kind = connector.Refused
		e.Hint = "the server refuses our side of TLS: check tls.cert_file and tls.key_file"
	case errors.Is(err, errMalformed):
		e.Hint = "what answers there does not speak LDAP, or wants TLS: check servers"
	}
	return e
}

// concernsAccount reports whether err is about the service account and not about the server.
func concernsAccount(err error) bool {
	code, ok := resultCode(err)
	var k *kerberosError
	return ok && code == ldap.LDAPResultInvalidCredentials || errors.As(err, &k) && k.account
}

// hide makes sure that a server that repeats the password does not get it into a log.
func hide(err error, password string) error {
	if len(password) < 4 || !strings.Contains(err.Error(), password) {
		return err
	}
	if e, ok := errors.AsType[*resultError](err); ok {
		return &resultError{Code: e.Code, Text: strings.ReplaceAll(e.Text, password, connector.Secret{}.String())}
	}
	return errors.New(strings.ReplaceAll(err.Error(), password, connector.Secret{}.String()))
}
