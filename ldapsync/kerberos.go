package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/go-ldap/ldap/v3/gssapi"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"usherd/connector"
)

const defaultKrb5Conf = "/etc/krb5.conf"

// ticketSource gets Kerberos tickets for the service account. It is used for one dial.
type ticketSource struct {
	client *client.Client
	lost   bool // a question to a KDC was given up and may still run: the client must be left alone
}

// newTicketSource reads krb5.conf and keytab and talks to nobody.
func newTicketSource(b Bind) (*ticketSource, error) {
	const op = "ldapsync: bind"
	user, realm, _ := strings.Cut(b.User, "@")
	realm = strings.ToUpper(realm)
	if b.Realm != "" {
		realm = b.Realm
	}
	if user == "" {
		return nil, invalid(op, "no user", "set bind.user to the principal, as in svc-usherd@EXAMPLE.COM")
	}
	conf, err := krb5Config(b.Krb5Conf, realm)
	if err != nil {
		return nil, err
	}
	if realm == "" {
		realm = conf.LibDefaults.DefaultRealm
	}
	if realm == "" {
		return nil, invalid(op, "no Kerberos realm", "set bind.realm, usually the Active Directory domain in capitals")
	}
	// Active Directory's KDC answers FAST negotiation in a way that gokrb5 rejects.
	settings := client.DisablePAFXFAST(true)
	switch {
	case b.Keytab != "":
		kt, err := keytab.Load(b.Keytab)
		if err != nil {
			return nil, &connector.Error{
				Kind: connector.Invalid, Op: op, Err: fmt.Errorf("bind.keytab %s: %w", b.Keytab, err),
				Hint: "name a keytab of the principal, readable for usherd: ktpass or samba-tool domain exportkeytab makes one",
			}
		}
		return &ticketSource{client: client.NewWithKeytab(user, realm, kt, conf, settings)}, nil
	case b.Password.IsZero():
		return nil, invalid(op, "neither password nor keytab", "set bind.password or bind.keytab")
	}
	return &ticketSource{client: client.NewWithPassword(user, realm, b.Password.Reveal(), conf, settings)}, nil
}

// krb5Config reads the file. Without one, as on Windows, DNS knows the KDCs of an Active Directory.
func krb5Config(path, realm string) (*config.Config, error) {
	conf, err := config.Load(orText(path, defaultKrb5Conf))
	if err == nil {
		return conf, nil
	}
	if path == "" && realm != "" {
		if _, e := os.Stat(defaultKrb5Conf); errors.Is(e, fs.ErrNotExist) {
			// TCP, as tickets with many groups do not fit into a datagram.
			return config.NewFromString("[libdefaults]\n default_realm = " + realm +
				"\n dns_lookup_kdc = true\n udp_preference_limit = 1\n")
		}
	}
	return nil, &connector.Error{
		Kind: connector.Invalid, Op: "ldapsync: bind", Err: fmt.Errorf("bind.krb5_conf: %w", err),
		Hint: "name a krb5.conf that is readable for usherd and has the realm's KDCs",
	}
}

func (s *ticketSource) gssapi() *gssapi.Client { return &gssapi.Client{Client: s.client} }

func (s *ticketSource) close() {
	if !s.lost {
		s.client.Destroy()
	}
}

// get obtains the ticket for spn or gives up when ctx ends. gokrb5 knows no context, but bounds each
// exchange with a KDC by five seconds itself, so that what was given up ends soon after.
func (s *ticketSource) get(ctx context.Context, spn string) error {
	done := make(chan error)
	go func() {
		_, _, err := s.client.GetServiceTicket(spn)
		select {
		case done <- err:
		case <-ctx.Done():
			s.client.Destroy()
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		s.lost = true
		return ctx.Err()
	}
}

// ticket gets the ticket for a server, which the bind then finds in the client's cache.
func (o *dialOptions) ticket(ctx context.Context, t target, s *ticketSource) (spn string, err error) {
	host := orText(o.Config.TLS.ServerName, t.host)
	spn = "ldap/" + host
	err = o.step("kerberos", t.url, func() (string, error) {
		if t.network != "tcp" || net.ParseIP(host) != nil {
			return "", invalid("ldapsync: kerberos "+t.url, "Kerberos knows servers by name only",
				"name the server by its host name, or set tls.server_name")
		}
		switch err := s.get(ctx, spn); {
		case ctx.Err() != nil:
			s.lost = true // if only by a moment
			return "", o.inTime(ctx, "kerberos", t, ctx.Err())
		case err != nil:
			return "", ticketError(t, err)
		}
		return "ticket for " + spn, nil
	})
	return spn, err
}

// kerberosError is a refusal of the KDC, or silence of all KDCs.
type kerberosError struct {
	text    string
	account bool // it is about the service account, not about one server
}

func (e *kerberosError) Error() string { return e.text }

// kdcReasons are the KDC's answers worth a text of their own, RFC 4120 section 7.5.9.
var kdcReasons = []struct {
	code    string
	account bool
	hint    string
}{
	{"KDC_ERR_PREAUTH_FAILED", true, "wrong password or outdated keytab: check bind.password or make bind.keytab anew"},
	{"KDC_ERR_C_PRINCIPAL_UNKNOWN", true, "the KDC does not know bind.user in this realm"},
	{"KDC_ERR_CLIENT_REVOKED", true, "the service account is disabled, expired or locked"},
	{"KDC_ERR_KEY_EXPIRED", true, "the service account's password has expired"},
	{"client password/keytab incorrect", true, "wrong password or outdated keytab: check bind.password or make bind.keytab anew"},
	{"KDC_ERR_S_PRINCIPAL_UNKNOWN", false, "the KDC does not know this server name: use the name under which it joined the domain"},
	{"KDC_ERR_ETYPE_NOSUPP", false, "no common encryption type: allow AES for the service account (msDS-SupportedEncryptionTypes)"},
	{"KRB_AP_ERR_SKEW", false, "the clocks of this machine and of the domain differ by more than five minutes"},
}

func ticketError(t target, err error) error {
	e := &kerberosError{text: clean(err.Error(), 500)}
	out := &connector.Error{
		Kind: connector.Unavailable, Op: "ldapsync: kerberos " + t.url, Err: e,
		Hint: "check that the realm's KDCs can be reached (port 88): krb5.conf, or SRV _kerberos._tcp in DNS",
	}
	for _, r := range kdcReasons {
		if strings.Contains(e.text, r.code) {
			e.account, out.Kind, out.Hint = r.account, connector.Refused, r.hint
			if r.account {
				out.Kind = connector.Denied
			}
			break
		}
	}
	return out
}
