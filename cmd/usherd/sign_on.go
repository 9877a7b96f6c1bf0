package main

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/scim/auth"
	"usherd/sso"
	"usherd/sso/saml2"
)

// signOn is where people sign in: SAML for all organizations on one address.
type signOn struct {
	*listener
	gate   *auth.Authenticator
	server *sso.Server
	idps   *idps
}

// An application asks once for each sign-in.
var applicationLimits = auth.Limits{Rate: 100, Burst: 400, Concurrency: 16}

// openSignOn listens; nil where the configuration has no such door.
func (d *daemon) openSignOn(ctx context.Context) (*signOn, error) {
	c := d.site.file.Config.SSO
	if c == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	keys, err := signingKeys(c.Keys)
	if err != nil {
		return nil, err
	}
	x := &signOn{idps: newIDPs(keys, d.app.now, d.log)}
	x.gate = auth.New(auth.Options{Store: d.site.db, Trusted: c.TrustedNetworks(), Now: d.app.now})
	x.server, err = sso.New(sso.Options{
		Store: d.site.db, Gate: application{x.gate}, URL: c.URL, Keys: keys, Now: d.app.now, Log: d.log, Metrics: sso.NewMetrics(d.metrics.registry),
	})
	if err != nil {
		return nil, err
	}
	if x.listener, err = listen(ctx, "sso", c.Listen, c.TLS); err != nil {
		return nil, err
	}
	x.replace(d.site)
	d.metrics.registry.MustRegister(x.idps)
	return x, nil
}

// signingKeys reads our keys.
func signingKeys(files []config.ServerTLS) ([]saml2.Key, error) {
	var list []saml2.Key
	for i, f := range files {
		key, err := signingKey(f)
		if err != nil {
			return nil, &connector.Error{Kind: connector.Invalid, Op: "sso", Err: err, Hint: fmt.Sprintf("see sso.keys[%d] in the configuration", i)}
		}
		list = append(list, key)
	}
	return list, nil
}

var errNoRSA = errors.New("the key is no RSA key")

func signingKey(f config.ServerTLS) (saml2.Key, error) {
	pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
	if err != nil {
		return saml2.Key{}, err
	}
	private, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return saml2.Key{}, errNoRSA
	}
	return saml2.Key{Private: private, Certificate: pair.Leaf}, nil
}

// replace takes over the organizations and identity providers of a configuration.
func (x *signOn) replace(s *site) {
	if x == nil {
		return
	}
	x.idps.replace(s)
	limits := map[auth.Source]auth.Limits{}
	var orgs []*sso.Organization
	for _, o := range s.orgs {
		providers := map[string]*sso.Provider{}
		for id, c := range o.SignOns {
			key := auth.Source{Org: o.Org.ID, ID: id}
			limits[key] = applicationLimits
			providers[id] = &sso.Provider{
				Known: x.idps.known(key), Application: c.Application, NameIDFormat: c.NameIDFormat, Unsolicited: c.IDPInitiated, Skew: c.ClockSkew, Keep: c.Keep > 0,
			}
		}
		orgs = append(orgs, &sso.Organization{Settings: o.Org, Writer: o.prov, Providers: providers})
	}
	x.gate.Replace(limits)
	x.server.Replace(orgs)
}

// serve answers, and reads the metadata that identity providers publish, until ctx ends.
func (x *signOn) serve(ctx context.Context, log *zap.Logger) error {
	if x == nil {
		return nil
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() {
		x.gate.Serve(ctx, func(err error) { log.Error("when tokens were used cannot be kept", zap.Error(err)) })
	})
	beside.Go(func() { x.idps.follow(ctx) })
	return x.listener.serve(ctx, x.server, log)
}

// shut closes the door before it was ever open.
func (x *signOn) shut() error {
	if x == nil {
		return nil
	}
	return x.close()
}

// application is the gate for what asks who has signed in.
type application struct{ gate *auth.Authenticator }

// Application says whose token was sent, as often as the gate allows.
func (g application) Application(r *http.Request, org string) (source string, denied *sso.Denied) {
	c, err := g.gate.Authenticate(r, org)
	if err == nil {
		var leave func()
		if leave, err = g.gate.Admit(r.Context(), c); err == nil {
			leave()
			return c.ID, nil
		}
	}
	denied = &sso.Denied{Status: http.StatusServiceUnavailable, Detail: "this cannot be answered at the moment", Header: http.Header{}}
	if refusal, ok := errors.AsType[*auth.Error](err); ok {
		denied.Status, denied.Detail = refusal.Status, refusal.Detail
		refusal.Header(denied.Header)
	}
	return "", denied
}

// Address is where a request comes from.
func (g application) Address(r *http.Request) string {
	if a := g.gate.Address(r); a.IsValid() {
		return a.String()
	}
	return ""
}
