package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"

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
	*listener
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
	ln, err := listen(ctx, "scim", c.Listen, c.TLS)
	if err != nil {
		return nil, err
	}
	x := &door{listener: ln}
	key, err := cursorKey(ctx, d.site.db)
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	m := scim.NewMetrics(d.metrics.registry)
	x.gate = auth.New(auth.Options{Store: d.site.db, Trusted: c.TrustedNetworks(), Now: d.app.now})
	x.server, err = scim.New(scim.Options{
		Store: d.site.db, Gate: x.gate, URL: c.URL, Now: d.app.now, Log: d.log, Metrics: m, CursorKey: key, Shared: d.site.db.Shared(),
		Recognised: func(client auth.Source, profile, why string) { d.recognised(ctx, client, profile, why) },
	})
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	x.oauth = oauth.New(oauth.Options{Store: d.site.db, Gate: x.gate, URL: c.URL, Now: d.app.now, Log: d.log, Seen: d.tokenAsked})
	if err := d.site.readKeys(); err != nil { // the others need not wait for it
		d.log.Error("a source cannot prove by signatures who it is", zap.Error(err), zap.String("what_to_do", "usherd check, then usherd reload"))
	}
	if err := x.replace(ctx, d.site); err != nil {
		return nil, errors.Join(err, x.close())
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
	return x.listener.serve(ctx, x.handler, log)
}

// shut closes the door before it was ever open.
func (x *door) shut() error {
	if x == nil {
		return nil
	}
	return errors.Join(x.close(), x.log.Close())
}

// end writes what the request log still holds.
func (x *door) end() error {
	if x == nil {
		return nil
	}
	return x.log.Close()
}
