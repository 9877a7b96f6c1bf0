package ldaptest

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
	"sync/atomic"
	"time"
)

// Certificate is what the server shows as its own.
type Certificate int32

// The certificates: a good one for localhost, 127.0.0.1 and dc1.example.test; one for another name; one that
// has expired.
const (
	GoodCertificate Certificate = iota
	WrongNameCertificate
	ExpiredCertificate
)

// pki is an authority with its certificates. They hold from 1990 to 2090, so that a test's clock does not
// matter.
type pki struct {
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	server [3]tls.Certificate
	use    atomic.Int32
	serial atomic.Int64
}

func date(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }

func newPKI() (*pki, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p := &pki{key: key}
	ca := p.template("ldaptest authority", 2090)
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	good := []string{"localhost", "dc1.example.test"}
	for i, o := range []struct {
		names []string
		until int
	}{{good, 2090}, {[]string{"other.example.test"}, 2090}, {good, 1999}} {
		c := p.template(o.names[0], o.until)
		c.DNSNames = o.names
		if len(o.names) > 1 {
			c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		}
		if p.server[i], err = p.issue(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *pki) template(name string, until int) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(p.serial.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: date(1990), NotAfter: date(until), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (p *pki) issue(c *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, c, p.ca, key.Public(), p.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// config asks for a client certificate and verifies one that comes.
func (p *pki) config() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(p.ca)
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &p.server[p.use.Load()], nil },
	}
}

// CA is the certificate of the authority that signs the server's, in PEM. It is made new at each start.
func (s *Server) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.pki.ca.Raw})
}

// SetCertificate chooses the certificate for handshakes from now on.
func (s *Server) SetCertificate(c Certificate) { s.pki.use.Store(int32(c)) }

// ClientCertificate issues a certificate with which name, an account's, can bind by SASL EXTERNAL.
func (s *Server) ClientCertificate(name string) (tls.Certificate, error) {
	return s.pki.issue(s.pki.template(name, 2090))
}
