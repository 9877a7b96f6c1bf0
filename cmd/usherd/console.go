package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/clients"
	"usherd/console"
	"usherd/scim"
	"usherd/scim/auth"
)

// consoleDoor is where administrators are: the console for all organizations on one address.
type consoleDoor struct {
	*listener
	server *console.Server
	work   sync.WaitGroup // that administrators have asked for
	signOn *signOn        // where people sign in; nil = nowhere
}

// openConsole listens; nil where the configuration has no such door.
func (d *daemon) openConsole(ctx context.Context) (*consoleDoor, error) {
	c := d.site.file.Config.Console
	if c == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // crypto/rand.Read never returns an error (Go 1.24)
	secret, err := d.site.db.Secret(ctx, "console forms", fresh)
	if err != nil {
		return nil, err
	}
	gate := auth.New(auth.Options{Store: d.site.db, Trusted: c.TrustedNetworks(), Now: d.app.now})
	x := &consoleDoor{signOn: d.signOn}
	x.server, err = console.New(console.Options{ //nolint:contextcheck // a visit asks under the context of its request
		Store: d.site.db, Runner: &runner{d, ctx, &x.work}, URL: c.URL, Version: version, Secret: secret, Now: d.app.now, Log: d.log, Quirk: scim.Quirk,
		Program: d.system, Metrics: console.NewMetrics(d.metrics.registry),
		Address: func(r *http.Request) string { return application{gate}.Address(r) },
		Go:      func(work func(context.Context)) { x.work.Go(func() { work(ctx) }) },
	})
	if err != nil {
		return nil, err
	}
	if x.listener, err = listen(ctx, "console", c.Listen, c.TLS); err != nil {
		return nil, err
	}
	x.replace(d.site)
	return x, nil
}

// replace takes over another configuration.
func (x *consoleDoor) replace(s *site) {
	if x == nil {
		return
	}
	set := &console.Settings{Revision: s.file.Revision}
	for _, o := range s.orgs {
		pushing := map[string]clients.Settings{}
		for id, c := range o.Clients {
			pushing[id] = clientSettings(c)
		}
		set.Organizations = append(set.Organizations, &console.Organization{
			Settings: o.Org, Writer: o.prov, Domains: o.domains, Claims: s.claims, Sources: sourcesOf(s.file, o), Clients: pushing,
			SignOns: x.signOn.shown(s, o), TokenAddress: s.door,
		})
	}
	if c := s.file.Config.Console; c != nil { // taken away: nobody comes in any more
		for _, a := range c.Admins {
			set.Admins = append(set.Admins, console.Admin{Name: a.Name, PasswordHash: a.PasswordHash, Grant: grant(a.Role, a.Organizations)})
		}
		for i := range c.OIDC {
			set.Providers = append(set.Providers, providerOf(&c.OIDC[i]))
		}
	}
	set.Activation = s.activation()
	x.server.Replace(set)
}

func grant(role string, organizations []string) console.Grant {
	return console.Grant{Role: connector.Role(role), Organizations: organizations}
}

// providerFor is how long we wait for an answer of an OpenID provider.
const providerFor = 10 * time.Second

func providerOf(c *config.OIDC) *console.Provider {
	p := &console.Provider{
		ID: c.ID, Name: c.Name, Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes, GroupsClaim: c.GroupsClaim,
		Client: &http.Client{Timeout: providerFor},
	}
	for _, r := range c.Roles {
		p.Roles = append(p.Roles, console.GroupRole{Group: r.Group, Grant: grant(r.Role, r.Organizations)})
	}
	return p
}

// serve answers until ctx ends.
func (x *consoleDoor) serve(ctx context.Context, log *zap.Logger) error {
	if x == nil {
		return nil
	}
	defer x.work.Wait()
	return x.listener.serve(ctx, x.server, log)
}

// shut closes the door before it was ever open.
func (x *consoleDoor) shut() error {
	if x == nil {
		return nil
	}
	return x.close()
}
