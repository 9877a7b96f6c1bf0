package main

import (
	"context"
	"crypto/rand"
	"net/http"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/portal"
	"usherd/scim/auth"
)

// portalDoor is where people go who have a link: the portal of all organizations on one address.
type portalDoor struct {
	*listener
	server *portal.Server
}

// openPortal listens; nil where the configuration has no such door.
func (d *daemon) openPortal(ctx context.Context) (*portalDoor, error) {
	c := d.site.file.Config.Portal
	if c == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	links, err := linkKey(ctx, d.site.db)
	if err != nil {
		return nil, err
	}
	gate := auth.New(auth.Options{Store: d.site.db, Trusted: c.TrustedNetworks(), Now: d.app.now})
	x := &portalDoor{}
	x.server, err = portal.New(portal.Options{
		Store: d.site.db, Links: links, URL: c.URL, Now: d.app.now, Log: d.log, Metrics: portal.NewMetrics(d.metrics.registry),
		Address: func(r *http.Request) string { return application{gate}.Address(r) },
	})
	if err != nil {
		return nil, err
	}
	if x.listener, err = listen(ctx, "portal", c.Listen, c.TLS); err != nil {
		return nil, err
	}
	x.replace(d.site)
	return x, nil
}

// linkKey is the one that all replicas sign links in mails with.
func linkKey(ctx context.Context, db *store.DB) (connector.LinkKey, error) {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // crypto/rand.Read never returns an error (Go 1.24)
	key, err := db.Secret(ctx, "links", fresh)
	return connector.NewLinkKey(key), err
}

// replace takes over the organizations of a configuration.
func (x *portalDoor) replace(s *site) {
	if x == nil {
		return
	}
	orgs := make([]*portal.Organization, 0, len(s.orgs))
	for _, o := range s.orgs {
		orgs = append(orgs, &portal.Organization{Settings: o.Org, People: o.prov, Claims: s.claims, Activations: o.prov})
	}
	x.server.Replace(orgs)
}

// serve answers until ctx ends.
func (x *portalDoor) serve(ctx context.Context, log *zap.Logger) error {
	if x == nil {
		return nil
	}
	return x.listener.serve(ctx, x.server, log)
}
