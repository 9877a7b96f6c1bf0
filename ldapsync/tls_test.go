package ldapsync

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/ldapsync/testserver"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.key = newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Lab CA"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.file = writePEM(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// issue makes a certificate for 127.0.0.1 and localhost.
func (a *authority) issue(name string, until time.Time) tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tlsServer plays answers over TLS to everybody who comes.
func tlsServer(t *testing.T, config *tls.Config, answers ...answer) (url string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go play(c, nil, answers...)
		}
	}()
	return "ldaps://" + l.Addr().String()
}

func TestCertificateFaultsSayWhatToSet(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	good := ca.issue("dc1.lab.test", time.Unix(1<<32, 0))
	for _, tc := range []struct {
		name       string
		config     *tls.Config
		text, hint string
	}{
		{
			"expired", &tls.Config{Certificates: []tls.Certificate{ca.issue("dc1.lab.test", time.Unix(86400, 0))}},
			"certificate has expired", "renew it on the server",
		},
		{
			"old TLS", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS11},
			"protocol version", "newer version",
		},
		{
			"client certificate wanted", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert},
			"certificate required", "tls.cert_file",
		},
		{
			"client certificate wanted, TLS 1.2", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12},
			"handshake", "tls.cert_file",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := &Config{
				Servers: []string{tlsServer(t, tc.config, bindMsg(0, ""))}, TLS: TLS{CAFile: ca.file},
				Bind: Bind{User: "x", Password: connector.NewSecret("hunter2!")},
			}
			_, err := dial(t.Context(), options(c, nil))
			if connector.KindOf(err) != connector.Refused || !strings.Contains(err.Error(), tc.text) || !strings.Contains(connector.HintOf(err), tc.hint) {
				t.Errorf("%v\nhint: %s", err, connector.HintOf(err))
			}
		})
	}
}

func TestOtherPortThanTheSchemeSaysIsToldFirst(t *testing.T) {
	t.Parallel()
	s := testserver.Slapd(t, testserver.SlapdOptions{})
	_, plain, _ := strings.Cut(s.URL, "://")
	_, secure, _ := strings.Cut(s.LDAPSURL, "://")
	for _, tc := range []struct {
		server string
		tls    TLS
		hint   string
	}{
		{"ldaps://" + plain, TLS{CAFile: s.CAFile}, "the server ended the connection in the TLS handshake: the port may speak without TLS (ldaps:// is for port 636;"},
		{"ldap://" + secure, TLS{CAFile: s.CAFile, StartTLS: true}, "the port may speak TLS from the start: then write ldaps://"},
	} {
		c := slapdConfig(s)
		c.Servers, c.TLS = []string{tc.server}, tc.tls
		_, err := dial(t.Context(), options(c, nil))
		if err == nil || !strings.HasPrefix(connector.HintOf(err), tc.hint) {
			t.Errorf("%s: %v\nhint: %s", tc.server, err, connector.HintOf(err))
		}
	}
}

func TestExternalBindShowsTheClientCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	client := ca.issue("usherd", time.Unix(1<<32, 0))
	der, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	url := tlsServer(t, &tls.Config{
		Certificates: []tls.Certificate{ca.issue("dc1.lab.test", time.Unix(1<<32, 0))},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}, append([]answer{bindMsg(0, "")}, twoPages()...)...)
	nc := dialT(t, &Config{
		Servers: []string{url}, Bind: Bind{Method: BindExternal},
		TLS: TLS{
			CAFile: ca.file, CertFile: writePEM(t, "client.pem", "CERTIFICATE", client.Certificate[0]),
			KeyFile: writePEM(t, "client.key", "PRIVATE KEY", der),
		},
	})
	if end, err := nc.search(t.Context(), people, func(*entry) error { return nil }); err != nil || !end.Complete {
		t.Errorf("%+v %v", end, err)
	}
}

func TestStartTLSRefusedOrPoisoned(t *testing.T) {
	t.Parallel()
	extended := func(code int) answer {
		return func(id int) []byte { return envelope(id, resultOp(24, code, "")) }
	}
	for _, tc := range []struct {
		name   string
		answer answer
		kind   connector.Kind
		want   string
		hint   string
	}{
		{"refused", extended(2), connector.Refused, "protocol error (code 2)", "offers no StartTLS"},
		{"unavailable", extended(52), connector.Unavailable, "code 52", "later"},
		{"text behind the answer", func(id int) []byte { return join(extended(0)(id), bindMsg(0, "")(2)) }, -1, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := dialScript(t.Context(), &Config{TLS: TLS{StartTLS: true}}, nil, tc.answer)
			if err == nil || tc.kind >= 0 && connector.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) || !strings.Contains(connector.HintOf(err), tc.hint) {
				t.Errorf("%v\nhint: %s", err, connector.HintOf(err))
			}
		})
	}
}
