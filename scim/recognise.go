package scim

import (
	"usherd/scim/auth"
	"usherd/scim/dialect"
)

// Auto is the profile of a client that is recognised by what it sends.
const Auto = "auto"

// spoken is the dialect that a client was recognised to speak.
type spoken struct {
	profile dialect.Profile
}

// Know says which dialect another process has recognised a client to speak. It counts until the client shows one here.
func (s *Server) Know(client auth.Source, profile string) {
	if p, ok := dialect.ByName(profile); ok {
		s.spoken.LoadOrStore(client, &spoken{p})
	}
}

// recognise finds the profile of the client: the one that is set, else what this request or one before has told.
func (x *exchange) recognise(body map[string]any) {
	if x.client.Profile != Auto {
		x.profile, _ = dialect.ByName(x.client.Profile)
		return
	}
	key := auth.Source{Org: x.org.Settings.ID, ID: x.source}
	p, why := dialect.Recognise(x.r.UserAgent(), body)
	last, ok := x.s.spoken.Load(key)
	if !ok && x.client.Known != "" {
		before, _ := dialect.ByName(x.client.Known)
		last, _ = x.s.spoken.LoadOrStore(key, &spoken{before})
	}
	switch known, ok := last.(*spoken); {
	case why != "" && (!ok || known.profile.Name != p.Name):
		x.s.spoken.Store(key, &spoken{p})
		if x.s.o.Recognised != nil {
			x.s.o.Recognised(key, p.Name, why)
		}
	case why == "" && ok:
		p = known.profile
	}
	x.profile = p
}
