package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/ldapsync"
	"usherd/sso/saml2"
)

// checkSignOn reads an identity provider as the daemon does, and says until when its certificates are good; ok is false
// where nobody can sign in by it.
func (a *app) checkSignOn(ctx context.Context, c *config.SignOn, tell func(ldapsync.Step)) (ok bool) {
	began := a.now()
	from := c.MetadataURL
	var is saml2.IDP
	var err error
	if from != "" {
		is, err = newIDPs(nil, a.now, zap.NewNop()).fetch(ctx, c)
	} else {
		from = c.MetadataFile
		is, err = readIDP(c)
	}
	s := ldapsync.Step{Name: "identity", Server: from, Took: a.now().Sub(began), Detail: is.EntityID + ", people sign in at " + is.SSOURL}
	if err != nil {
		s.Err = &connector.Error{Kind: connector.Unavailable, Op: "check", Err: err, Hint: hintOfIDP(err)}
		tell(s)
		return false
	}
	tell(s)
	ok = true
	for _, s := range certificateSteps(is.Certificates, a.now()) {
		ok = ok && s.Err == nil
		tell(s)
	}
	return ok
}

func hintOfIDP(err error) string {
	if errors.Is(err, errUnreachable) {
		return "look whether the identity provider is running, and whether this machine may reach it: name, port, proxy, TLS"
	}
	return "let the identity provider make its metadata anew, or see saml in the configuration of the source"
}

// certificateSteps says of each certificate until when it is good: one that is not is an error where no other one is.
func certificateSteps(list []*x509.Certificate, now time.Time) []ldapsync.Step {
	var steps []ldapsync.Step
	live := 0
	for _, c := range list {
		note := ""
		if !now.Before(c.NotBefore) && !now.After(c.NotAfter) {
			live++
		}
		switch left := c.NotAfter.Sub(now); {
		case now.Before(c.NotBefore):
			note = ": not yet good"
		case left < 0:
			note = ": it is over"
		case left < idpEndsSoon:
			note = ": soon over"
		}
		steps = append(steps, ldapsync.Step{
			Name:   "signature",
			Detail: fmt.Sprintf("%s, from %s until %s%s", c.Subject, c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly), note),
		})
	}
	if live == 0 && len(steps) > 0 {
		last := &steps[len(steps)-1]
		last.Err = &connector.Error{
			Kind: connector.Unavailable, Op: "check", Err: errors.New(last.Detail + "; no certificate is good now"),
			Hint: "nobody can sign in (failure 15): enter the certificate that the identity provider signs with now",
		}
	}
	return steps
}
