package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"usherd/internal/testproc"
)

// The door speaks TLS 1.3 and 1.2, the latter only with suites that have forward secrecy and authenticated encryption, and
// nothing older.
func TestTLSOfTheDoor(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"ecdsa", "rsa"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, strings.Replace(oauthConfig, `scim: {listen: "127.0.0.1:0", `, `scim: {listen: "127.0.0.1:0", tls: {cert_file: $DIR/server.crt, key_file: $DIR/server.key}, `, 1))
			if err := os.WriteFile(filepath.Join(r.dir, "keys.json"), []byte(`{"keys":[]}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := testproc.WriteCertificate(r.dir, "localhost", "127.0.0.1", key == "rsa"); err != nil {
				t.Fatal(err)
			}
			ca, err := os.ReadFile(filepath.Join(r.dir, "ca.crt"))
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(ca)
			address := strings.TrimPrefix(r.daemon(t).door(), "http://")
			// shake greets the door with one version, and one suite unless that is 1.3.
			shake := func(version, suite uint16) (tls.ConnectionState, error) {
				c := &tls.Config{RootCAs: roots, MinVersion: version, MaxVersion: version}
				if suite != 0 {
					c.CipherSuites = []uint16{suite}
				}
				conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", address)
				if err != nil {
					return tls.ConnectionState{}, err
				}
				defer conn.Close()
				return conn.(*tls.Conn).ConnectionState(), nil
			}
			if got, err := shake(tls.VersionTLS13, 0); err != nil || got.Version != tls.VersionTLS13 {
				t.Errorf("TLS 1.3: %v %x", err, got.Version)
			}
			for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
				if _, err := shake(version, 0); err == nil {
					t.Errorf("%s is spoken", tls.VersionName(version))
				}
			}
			spoken := 0
			for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
				if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
					continue
				}
				_, err := shake(tls.VersionTLS12, suite.ID)
				strong := strings.HasPrefix(suite.Name, "TLS_ECDHE_") && (strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "_CHACHA20_"))
				fits := strings.Contains(suite.Name, "_"+strings.ToUpper(key)+"_")
				if want := strong && fits; want != (err == nil) {
					t.Errorf("%s: spoken %v, want %v: %v", suite.Name, err == nil, want, err)
				} else if want {
					spoken++
				}
			}
			if spoken != 3 {
				t.Errorf("TLS 1.2 is spoken with %d suites", spoken)
			}
			// And it is SCIM that is spoken.
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
			defer client.CloseIdleConnections()
			q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/scim/acme/v2/Users", nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusUnauthorized || answer.Header.Get("Content-Type") != "application/scim+json" {
				t.Errorf("%d %s", answer.StatusCode, answer.Header.Get("Content-Type"))
			}
		})
	}
}
