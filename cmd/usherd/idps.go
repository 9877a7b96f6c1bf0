package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/scim/auth"
	"usherd/sso/saml2"
)

const (
	metadataFresh = time.Hour // between two looks at metadata that was read
	metadataRetry = time.Minute
	metadataMost  = 4 << 20
)

// idps are the identity providers as they describe themselves, or as the configuration does. Metadata that was read by URL
// outlives a reload, and an identity provider that does not answer.
type idps struct {
	now    func() time.Time
	log    *zap.Logger
	client *http.Client
	woken  chan struct{} // the configuration has changed
	keys   []saml2.Key   // ours, which end too

	mu   sync.Mutex
	all  map[auth.Source]*idp
	warn time.Time // when what ends of ours is told again
}

type idp struct {
	c    *config.SignOn
	is   saml2.IDP
	code connector.Code // why it is not known; 0 = it is
	next time.Time      // when its metadata is looked at again; zero = it is none by URL
	read time.Time      // when it was read last; zero = never
	warn time.Time      // when what ends is told again
}

func newIDPs(keys []saml2.Key, now func() time.Time, log *zap.Logger) *idps {
	return &idps{
		now: now, log: log, keys: keys, woken: make(chan struct{}, 1), all: map[auth.Source]*idp{},
		client: &http.Client{Timeout: 15 * time.Second, CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 || r.URL.Scheme != via[0].URL.Scheme {
				return errors.New("it leads to too many other addresses, or to one that is not safe")
			}
			return nil
		}},
	}
}

// known returns how an identity provider is known now.
func (x *idps) known(key auth.Source) func() (saml2.IDP, connector.Code) {
	return func() (saml2.IDP, connector.Code) {
		x.mu.Lock()
		defer x.mu.Unlock()
		i := x.all[key]
		if i == nil {
			return saml2.IDP{}, 9
		}
		return i.is, i.code
	}
}

// replace reads what the configuration names; what is to be fetched, follow fetches.
func (x *idps) replace(s *site) {
	all := map[auth.Source]*idp{}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, o := range s.orgs {
		for id, c := range o.SignOns {
			key := auth.Source{Org: o.Org.ID, ID: id}
			i := &idp{c: c}
			all[key] = i
			if c.MetadataURL != "" {
				if old := x.all[key]; old != nil && old.c.MetadataURL == c.MetadataURL && old.c.EntityID == c.EntityID {
					i.is, i.code, i.read = old.is, old.code, old.read
				} else {
					i.code = 11
				}
				i.next = x.now()
				continue
			}
			is, err := readIDP(c)
			if err != nil {
				i.code = unknown(err)
				x.log.Error("an identity provider cannot be read: nobody signs in there", zap.String("source", key.Org+"/"+key.ID), zap.Error(err),
					zap.String("what_to_do", "usherd check, then usherd reload"))
				continue
			}
			i.is, i.read = is, x.now()
		}
	}
	x.all = all
	x.tellEnds()
	select {
	case x.woken <- struct{}{}:
	default:
	}
}

// readIDP reads what the configuration says of an identity provider, but for metadata by URL.
func readIDP(c *config.SignOn) (saml2.IDP, error) {
	if c.MetadataFile != "" {
		text, err := os.ReadFile(c.MetadataFile)
		if err != nil {
			return saml2.IDP{}, err
		}
		return saml2.ReadMetadata(text, c.EntityID)
	}
	is := saml2.IDP{EntityID: c.EntityID, SSOURL: c.SSOURL}
	for _, name := range c.CertificateFiles {
		text, err := os.ReadFile(name) //nolint:gosec // the administrator names it
		var list []*x509.Certificate
		if err == nil {
			list, err = saml2.ReadCertificates(text)
		}
		if err != nil {
			return is, fmt.Errorf("%s: %w", name, err)
		}
		is.Certificates = append(is.Certificates, list...)
	}
	return is, nil
}

// follow reads metadata by URL, each when its time comes, until ctx ends.
func (x *idps) follow(ctx context.Context) {
	for {
		timer := time.NewTimer(x.fetchDue(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-x.woken:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// fetchDue fetches what is due, and says how long nothing is.
func (x *idps) fetchDue(ctx context.Context) time.Duration {
	now, wait := x.now(), metadataFresh
	x.mu.Lock()
	due := map[auth.Source]*idp{}
	for key, i := range x.all {
		switch {
		case i.next.IsZero():
		case !now.Before(i.next):
			due[key] = i
		default:
			wait = min(wait, i.next.Sub(now))
		}
	}
	x.mu.Unlock()
	for key, i := range due {
		is, err := x.fetch(ctx, i.c)
		if ctx.Err() != nil {
			return wait
		}
		x.mu.Lock()
		if err == nil {
			i.is, i.code, i.read, i.next = is, 0, now, now.Add(metadataFresh)
		} else {
			i.next = now.Add(metadataRetry)
			if i.code != 0 {
				i.code = unknown(err)
			}
		}
		wait = min(wait, i.next.Sub(now))
		x.mu.Unlock()
		if err != nil {
			x.log.Warn("the metadata of an identity provider cannot be read; what was read last stays in force", zap.String("source", key.Org+"/"+key.ID), zap.Error(err))
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tellEnds()
	return wait
}

// errUnreachable is for an identity provider that gives no metadata, rather than faulty ones.
var errUnreachable = errors.New("the identity provider cannot be reached")

// unknown is the code of why an identity provider is not known.
func unknown(err error) connector.Code {
	switch {
	case errors.Is(err, errUnreachable):
		return 11
	case errors.Is(err, saml2.ErrNoCertificate):
		return 4
	}
	return 9
}

func (x *idps) fetch(ctx context.Context, c *config.SignOn) (saml2.IDP, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.MetadataURL, nil)
	if err != nil {
		return saml2.IDP{}, err
	}
	a, err := x.client.Do(r)
	if err != nil {
		return saml2.IDP{}, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer a.Body.Close() //nolint:errcheck // it was read
	if a.StatusCode != http.StatusOK {
		return saml2.IDP{}, fmt.Errorf("%w: it answers with %s", errUnreachable, a.Status)
	}
	text, err := io.ReadAll(io.LimitReader(a.Body, metadataMost+1))
	if err != nil {
		return saml2.IDP{}, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return saml2.ReadMetadata(text, c.EntityID)
}
