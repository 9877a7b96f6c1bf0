package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"

	"usherd/connector/sources"
	"usherd/scim/auth"
	"usherd/sso"
)

// shown are the identity providers by which people of an organization sign in, as administrators see them.
func (x *signOn) shown(s *site, o *org) map[string]*sources.SignOn {
	all := map[string]*sources.SignOn{}
	for id, c := range o.SignOns {
		on := &sources.SignOn{Keep: c.Keep, Skew: c.ClockSkew}
		if c := s.file.Config.SSO; c != nil && x != nil {
			on.Base = c.URL + "/saml/" + o.Org.ID + "/" + id
			on.Try = func(ctx context.Context, by, back string) (string, error) {
				return x.server.Try(ctx, o.Org.ID, id, sso.Trial{By: by, Back: back})
			}
			on.IDP, on.Ours = x.idps.shown(auth.Source{Org: o.Org.ID, ID: id}), x.idps.ours()
		}
		all[id] = on
	}
	return all
}

// shown returns how an identity provider is known now, as administrators see it.
func (x *idps) shown(key auth.Source) func() sources.IDP {
	return func() sources.IDP {
		x.mu.Lock()
		defer x.mu.Unlock()
		i := x.all[key]
		if i == nil {
			return sources.IDP{Code: 9}
		}
		return sources.IDP{
			Code: i.code, EntityID: i.is.EntityID, SSOURL: i.is.SSOURL, Certificates: shownCertificates(i.is.Certificates), Until: i.is.Until, Read: i.read,
			Fetched: i.c.MetadataURL != "",
		}
	}
}

// ours are the certificates that we sign and decrypt with.
func (x *idps) ours() []sources.Certificate {
	var list []*x509.Certificate
	for _, k := range x.keys {
		list = append(list, k.Certificate)
	}
	return shownCertificates(list)
}

func shownCertificates(list []*x509.Certificate) []sources.Certificate {
	out := make([]sources.Certificate, len(list))
	for i, c := range list {
		sum := sha256.Sum256(c.Raw)
		out[i] = sources.Certificate{Subject: c.Subject.String(), SHA256: hex.EncodeToString(sum[:]), From: c.NotBefore, Until: c.NotAfter}
	}
	return out
}
