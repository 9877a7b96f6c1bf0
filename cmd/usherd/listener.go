package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
)

// listener is the address of a door, with its certificate.
type listener struct {
	what string // scim, or sso
	ln   net.Listener
	tls  *tls.Config // nil = plain HTTP
}

// listen takes the address, and reads the certificate where there is one. what is the key of the door in the
// configuration.
func listen(ctx context.Context, what, address string, cert config.ServerTLS) (*listener, error) {
	x := &listener{what: what}
	if cert.CertFile != "" {
		pair := &keyPair{what: what, certFile: cert.CertFile, keyFile: cert.KeyFile}
		if _, err := pair.get(nil); err != nil {
			return nil, err
		}
		x.tls = &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites12, GetCertificate: pair.get}
	}
	var err error
	if x.ln, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
		return nil, &connector.Error{
			Kind: connector.Unavailable, Op: what, Err: err,
			Hint: "another program may have the address " + address + ": see " + what + ".listen in the configuration",
		}
	}
	return x, nil
}

// suites12 are what TLS 1.2 is spoken with, which Entra's documents ask for; whoever can speaks 1.3, which has its own. All
// have forward secrecy and authenticated encryption (RFC 9325 section 4.2).
var suites12 = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

func (x *listener) close() error { return x.ln.Close() }

// serve answers until ctx ends, and then lets the requests that go on end.
func (x *listener) serve(ctx context.Context, handler http.Handler, log *zap.Logger) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: zap.NewStdLog(log.Named(x.what)),
	}
	log.Info(x.what+" listens", zap.String("listen", x.ln.Addr().String()))
	listen := func() error { return server.Serve(x.ln) }
	if x.tls != nil {
		server.TLSConfig = x.tls
		listen = func() error { return server.ServeTLS(x.ln, "", "") }
	}
	return serveUntil(ctx, server, listen, 10*time.Second)
}

// serveUntil runs listen, which answers with server, until ctx ends. It returns when the requests that go on have ended,
// since whoever calls it then closes what they work with; those that take longer than grace are cut off.
func serveUntil(ctx context.Context, server *http.Server, listen func() error, grace time.Duration) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(end) != nil {
			_ = server.Close()
		}
	})
	err := listen()
	if !stop() { // it has been stopped, and listen returns as soon as it is
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// keyPair is a certificate that is read again when its file has changed, so that a renewed one needs no restart.
type keyPair struct {
	what              string
	certFile, keyFile string

	mu      sync.Mutex
	changed time.Time
	cert    *tls.Certificate
}

func (p *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.certFile)
	if err == nil && p.cert != nil && info.ModTime().Equal(p.changed) {
		return p.cert, nil
	}
	if err == nil {
		var cert tls.Certificate
		if cert, err = tls.LoadX509KeyPair(p.certFile, p.keyFile); err == nil {
			p.cert, p.changed = &cert, info.ModTime()
			return p.cert, nil
		}
	}
	if p.cert != nil { // a renewal that is only half there: the last one is good
		return p.cert, nil
	}
	return nil, &connector.Error{
		Kind: connector.Invalid, Op: p.what, Err: fmt.Errorf("the certificate cannot be read: %w", err), Hint: "see " + p.what + ".tls in the configuration",
	}
}
