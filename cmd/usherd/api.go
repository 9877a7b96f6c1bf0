package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/subscribers"
	"usherd/scim/auth"
)

// programs is the door of programs: the API for all organizations on one address.
type programs struct {
	*listener
	gate   *auth.Authenticator
	server *api.Server
	runs   runner
	work   sync.WaitGroup    // that programs have asked for
	links  connector.LinkKey // of subscribers' own ways to the portal
}

// All programs of an organization together may send that much: an application may ask at each of its sign-ins.
var programLimits = auth.Limits{Rate: 5000, Burst: 20_000, Concurrency: 64}

// programsAtATime is how many requests of all programs are worked on at a time.
const programsAtATime = 128

// openAPI listens; nil where the configuration has no such door.
func (d *daemon) openAPI(ctx context.Context) (*programs, error) {
	c := d.site.file.Config.API
	if c == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	x := &programs{gate: auth.New(auth.Options{Store: d.site.db, Trusted: c.TrustedNetworks(), Total: programsAtATime, Now: d.app.now})}
	x.runs = runner{d, ctx, &x.work}
	var err error
	x.server, err = api.New(api.Options{
		Store: d.site.db, Gate: programGate{x.gate}, Runner: &x.runs, Program: d.system, Version: version, Now: d.app.now, Log: d.log, Metrics: api.NewMetrics(d.metrics.registry),
		Stop: ctx.Done(),
	})
	if err != nil {
		return nil, err
	}
	if x.links, err = linkKey(ctx, d.site.db); err != nil {
		return nil, err
	}
	if x.listener, err = listen(ctx, "api", c.Listen, c.TLS); err != nil {
		return nil, err
	}
	x.replace(d.site)
	return x, nil
}

// replace takes over the organizations of a configuration.
func (x *programs) replace(s *site) {
	if x == nil {
		return
	}
	limits := map[auth.Source]auth.Limits{}
	var orgs []*api.Organization
	ownLink, activation := x.ownLink(s), s.activation()
	for _, o := range s.orgs {
		limits[auth.Source{Org: o.Org.ID}] = programLimits
		orgs = append(orgs, &api.Organization{
			Settings: o.Org, Writer: o.prov, Claims: s.claims, Subscribers: o.prov, Domains: o.domains, OwnLink: ownLink, Activation: activation,
			Sources: sourcesOf(s.file, o), SignOns: x.runs.d.signOn.shown(s, o),
		})
	}
	x.gate.Replace(limits)
	x.server.Replace(orgs)
}

// ownLink gives a subscriber's own way to the portal; nil where the configuration has no portal.
func (x *programs) ownLink(s *site) func(*connector.Subscriber) string {
	portal := s.file.Config.Portal
	if portal == nil {
		return nil
	}
	return func(sub *connector.Subscriber) string { return subscribers.OwnLink(portal.URL, x.links, sub) }
}

// serve answers until ctx ends.
func (x *programs) serve(ctx context.Context, log *zap.Logger) error {
	if x == nil {
		return nil
	}
	var uses sync.WaitGroup
	defer uses.Wait()
	defer x.work.Wait()
	uses.Go(func() {
		x.gate.Serve(ctx, func(err error) { log.Error("when tokens were used cannot be kept", zap.Error(err)) })
	})
	return x.listener.serve(ctx, x.server, log)
}

// shut closes the door before it was ever open.
func (x *programs) shut() error {
	if x == nil {
		return nil
	}
	return x.close()
}

// programGate is the gate for programs.
type programGate struct{ gate *auth.Authenticator }

// Enter says whose token was sent, as often as the gate allows.
func (g programGate) Enter(r *http.Request, org string) (api.Caller, func(), *api.Denied) {
	c, err := g.gate.Holder(r, org, connector.APIToken)
	if err == nil {
		var leave func()
		if leave, err = g.gate.Admit(r.Context(), c); err == nil {
			return api.Caller{Token: c.Token, Scopes: c.Scopes}, leave, nil
		}
	}
	denied := &api.Denied{Status: http.StatusServiceUnavailable, Reason: "unavailable", Detail: "this cannot be answered at the moment: try again", Header: http.Header{}}
	if refusal, ok := errors.AsType[*auth.Error](err); ok {
		denied.Status, denied.Reason, denied.Detail = refusal.Status, string(refusal.Reason), refusal.Detail
		refusal.Header(denied.Header)
	}
	return api.Caller{}, nil, denied
}

func (a *app) apiCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "api", Short: "Describe the API for programs",
		Args: noSuchCommand, RunE: showHelp,
	}
	cmd.AddCommand(&cobra.Command{
		Use: "openapi", Short: "Print the OpenAPI 3.1 document of the API", Args: noArgs,
		Long:    "openapi prints the document that the daemon serves at /api/v1/openapi.json. It needs no configuration.",
		Example: "  usherd api openapi > usherd-openapi.json",
		RunE: func(*cobra.Command, []string) error {
			doc, err := api.Document()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s\n", doc)
			return err
		},
	})
	return cmd
}
