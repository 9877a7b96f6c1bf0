package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/store"
	"usherd/scim"
	"usherd/scim/auth"
	"usherd/scim/oauth"
	"usherd/scim/requestlog"
)

// door is where identity providers push: SCIM for all organizations on one address.
type door struct {
	ln      net.Listener
	tls     *tls.Config // nil = plain HTTP
	gate    *auth.Authenticator
	server  *scim.Server
	oauth   *oauth.Server
	log     *requestlog.Recorder
	handler http.Handler
}

// openDoor listens; nil where the configuration has no SCIM door.
func (d *daemon) openDoor(ctx context.Context) (*door, error) {
	c := d.site.file.Config.SCIM
	if c == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	x := &door{}
	if err := x.listen(ctx, c); err != nil {
		return nil, err
	}
	key, err := cursorKey(ctx, d.site.db)
	if err != nil {
		return nil, errors.Join(err, x.ln.Close())
	}
	m := scim.NewMetrics(d.metrics.registry)
	x.gate = auth.New(auth.Options{Store: d.site.db, Trusted: c.TrustedNetworks(), Now: d.app.now})
	x.server, err = scim.New(scim.Options{
		Store: d.site.db, Gate: x.gate, URL: c.URL, Now: d.app.now, Log: d.log, Metrics: m, CursorKey: key,
		Recognised: func(client auth.Source, profile, why string) { d.recognised(ctx, client, profile, why) },
	})
	if err != nil {
		return nil, errors.Join(err, x.ln.Close())
	}
	x.oauth = oauth.New(oauth.Options{Store: d.site.db, Gate: x.gate, URL: c.URL, Now: d.app.now, Log: d.log, Seen: d.tokenAsked})
	if err := d.site.readKeys(); err != nil { // the others need not wait for it
		d.log.Error("a source cannot prove by signatures who it is", zap.Error(err), zap.String("what_to_do", "usherd check, then usherd reload"))
	}
	if err := x.replace(ctx, d.site); err != nil {
		return nil, errors.Join(err, x.ln.Close())
	}
	x.log = requestlog.New(requestlog.Options{ //nolint:contextcheck // it writes what waits when the daemon has ended
		Store: d.site.db, Now: d.app.now, Log: d.log, Lost: m.Lost,
	})
	x.handler = x.log.Handler(x.routes())
	return x, nil
}

// cursorKey is the one that all replicas seal cursors with, so that each goes on with what another one has given out.
func cursorKey(ctx context.Context, db *store.DB) ([]byte, error) {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // crypto/rand.Read never returns an error (Go 1.24)
	return db.Secret(ctx, "scim cursors", fresh)
}

// routes takes paths below /scim/ as they are: a ServeMux would answer one with // or .. in it by a redirection, which no
// client that speaks SCIM knows what to do with.
func (x *door) routes() http.Handler {
	mux := http.NewServeMux()
	x.oauth.Routes(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" && strings.HasPrefix(r.URL.Path, "/scim/") {
			x.server.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// listen takes the address, and reads the certificate where there is one.
func (x *door) listen(ctx context.Context, c *config.SCIM) error {
	if c.TLS.CertFile != "" {
		pair := &keyPair{certFile: c.TLS.CertFile, keyFile: c.TLS.KeyFile}
		if _, err := pair.get(nil); err != nil {
			return err
		}
		x.tls = &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites12, GetCertificate: pair.get}
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return &connector.Error{
			Kind: connector.Unavailable, Op: "scim", Err: err, Hint: "another program may have the address " + c.Listen + ": see scim.listen in the configuration",
		}
	}
	x.ln = ln
	return nil
}

// suites12 are what TLS 1.2 is spoken with, which Entra's documents ask for; whoever can speaks 1.3, which has its own. All
// have forward secrecy and authenticated encryption (RFC 9325 section 4.2).
var suites12 = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// tokenAsked has a request for an access token logged with the others of the client, but for its body.
func (d *daemon) tokenAsked(r *http.Request, client auth.Source, address netip.Addr) {
	log := requestlog.From(r.Context())
	log.Client(client.Org, client.ID, d.current().keepsRequests(client.Org, client.ID) > 0, false)
	if address.IsValid() {
		log.Remote(address.String())
	}
}

// readKeys reads the public keys of sources that push, what it can; those that it cannot read are the error.
func (s *site) readKeys() error {
	s.keys = map[auth.Source][]oauth.Key{}
	var all error
	for _, o := range s.orgs {
		for id, c := range o.Clients {
			if c.KeysFile == "" {
				continue
			}
			text, err := os.ReadFile(c.KeysFile)
			if err == nil {
				s.keys[auth.Source{Org: o.Org.ID, ID: id}], err = oauth.ParseKeys(text)
			}
			if err != nil {
				all = errors.Join(all, fmt.Errorf("%s/%s: keys_file %s: %w", o.Org.ID, id, c.KeysFile, err))
			}
		}
	}
	return all
}

// recognised keeps the dialect of a client, for `usherd scim clients`.
func (d *daemon) recognised(ctx context.Context, client auth.Source, profile, why string) {
	d.log.Info("dialect recognised", zap.String("source", client.Org+"/"+client.ID), zap.String("profile", profile), zap.String("by", why))
	err := d.site.db.PutClientProfile(ctx, connector.ClientProfile{Org: client.Org, Source: client.ID, Profile: profile, Why: why, At: d.app.now()})
	if err != nil {
		d.log.Error("the dialect of a client cannot be kept", zap.Error(err))
	}
}

// replace takes over the organizations and clients of a configuration.
func (x *door) replace(ctx context.Context, s *site) error {
	if x == nil {
		return nil
	}
	limits, grants := map[auth.Source]auth.Limits{}, map[auth.Source]oauth.Client{}
	var orgs []*scim.Organization
	for _, o := range s.orgs {
		clients := map[string]scim.Client{}
		for id, c := range o.Clients {
			known, err := s.db.ClientProfile(ctx, o.Org.ID, id)
			if err != nil {
				return err
			}
			clients[id] = scim.Client{Profile: c.Profile, Known: known.Profile, KeepLog: c.KeepLog > 0, LogBodies: c.LogBodies}
			key := auth.Source{Org: o.Org.ID, ID: id}
			limits[key], grants[key] = limitsOf(c), oauth.Client{Keys: s.keys[key], Lifetime: c.TokenLifetime}
		}
		orgs = append(orgs, &scim.Organization{Settings: o.Org, Writer: o.prov, Clients: clients})
	}
	x.gate.Replace(limits)
	x.oauth.Replace(grants)
	return x.server.Replace(orgs)
}

func limitsOf(c *config.Client) auth.Limits {
	return auth.Limits{Networks: c.Networks, Rate: c.Rate, Burst: c.Burst, Concurrency: c.Concurrency}
}

// serve answers until ctx ends, and then lets the requests that go on end.
func (x *door) serve(ctx context.Context, log *zap.Logger) error {
	if x == nil {
		return nil
	}
	var uses sync.WaitGroup
	uses.Go(func() {
		x.gate.Serve(ctx, func(err error) { log.Error("when tokens were used cannot be kept", zap.Error(err)) })
	})
	defer uses.Wait()
	server := &http.Server{
		Handler: x.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: zap.NewStdLog(log.Named("scim")),
	}
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(end)
	})
	defer stop()
	log.Info("scim listens", zap.String("listen", x.ln.Addr().String()))
	listen := func() error { return server.Serve(x.ln) }
	if x.tls != nil {
		server.TLSConfig = x.tls
		listen = func() error { return server.ServeTLS(x.ln, "", "") }
	}
	if err := listen(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// close writes what the request log still holds.
func (x *door) close() error {
	if x == nil {
		return nil
	}
	return x.log.Close()
}

// keyPair is a certificate that is read again when its file has changed, so that a renewed one needs no restart.
type keyPair struct {
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
		Kind: connector.Invalid, Op: "scim", Err: fmt.Errorf("the certificate cannot be read: %w", err), Hint: "see scim.tls in the configuration",
	}
}
