package api

import (
	"context"
	"net/http"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/sources"
)

func (s *Server) identityProviders() {
	route(s, operation{
		id: "listIdentityProviders", method: http.MethodGet, path: "/identity-providers", scope: connector.APIRead, tag: signInTag,
		summary: "Show the identity providers by which people sign in by SAML: how each is known, its certificates, our addresses for it",
	}, s.listIdentityProviders)
	route(s, operation{
		id: "getIdentityProvider", method: http.MethodGet, path: "/identity-providers/{source}", scope: connector.APIRead, tag: signInTag, summary: "Show one identity provider",
	}, s.getIdentityProvider)
	route(s, operation{
		id: "trySignIn", method: http.MethodPost, path: "/identity-providers/{source}/trial", scope: connector.APIRuns, tag: signInTag, refuses: []int{http.StatusConflict},
		summary: "Give out an address at which one sign-in is tried",
		about:   "Whoever opens it in a browser, once and within ten minutes, signs in at the identity provider as everybody does; but nobody is signed in here, and nothing changes. The page at the end names the attempt, and getSignIn shows what came and what would have happened.",
	}, s.trySignIn)
}

// IdentityProvider is one by which people sign in.
type IdentityProvider struct {
	Source       string            `json:"source" doc:"Its id in the configuration."`
	State        sources.Standing  `json:"state" enum:"known,unknown,over,no_door" doc:"known: people can sign in by it; unknown: failure says why not; over: none of its certificates is good now; no_door: the configuration has none (sso:)."`
	Failure      *failure.Document `json:"failure,omitempty" doc:"Why it is unknown, and what to do."`
	EntityID     string            `json:"entity_id,omitempty" doc:"Its own."`
	SSOURL       string            `json:"sso_url,omitempty" doc:"Where it lets people sign in."`
	Certificates []Certificate     `json:"certificates" doc:"That it signs with."`
	Until        *time.Time        `json:"metadata_until,omitempty" doc:"When its metadata ends."`
	Read         *time.Time        `json:"metadata_read,omitempty" doc:"When it was read last."`
	Fetched      bool              `json:"metadata_by_url" doc:"It is read again each hour."`
	Ours         *OurSide          `json:"ours,omitempty" doc:"What it has to know of us; left out where there is no door (sso: in the configuration)."`
	OnlyKnown    bool              `json:"only_known" doc:"Only who has an account signs in: none is made."`
	Approval     bool              `json:"approval" doc:"Whom it brings for the first time waits for an administrator."`
	Package      string            `json:"package,omitempty" doc:"Of whom it brings; left out: the organization's."`
	ClockSkew    float64           `json:"clock_skew_seconds" doc:"By how much clocks may differ."`
	KeepSeconds  float64           `json:"keep_seconds" doc:"How long attempts are kept; 0 = not at all."`
	Tried        int               `json:"tried_24h" doc:"Attempts of 24 hours, up to 10,000."`
	Refused      int               `json:"refused_24h" doc:"Of them refused."`
}

// OurSide is how we are known to an identity provider.
type OurSide struct {
	EntityID     string        `json:"entity_id" doc:"Also the address of our metadata."`
	ACS          string        `json:"acs_url" doc:"Where it sends people back."`
	Login        string        `json:"login_url" doc:"Where a sign-in begins."`
	Certificates []Certificate `json:"certificates" doc:"That we sign and decrypt with."`
}

// Certificate is one that is signed with.
type Certificate struct {
	Subject string    `json:"subject"`
	SHA256  string    `json:"sha256" doc:"Fingerprint in hexadecimal digits."`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
}

// IdentityProviders are all of an organization.
type IdentityProviders struct {
	IdentityProviders []IdentityProvider `json:"identity_providers" doc:"In order of priority."`
}

type identityProvidersOutput struct{ Body IdentityProviders }

func (s *Server) listIdentityProviders(ctx context.Context, c *call, _ *OrgPath) (*identityProvidersOutput, error) {
	out := &identityProvidersOutput{IdentityProviders{[]IdentityProvider{}}}
	for i := range c.org.Settings.Sources {
		x := &c.org.Settings.Sources[i]
		if on := c.org.SignOns[x.ID]; on != nil {
			j, err := s.identityProvider(ctx, c, x, on)
			if err != nil {
				return nil, err
			}
			out.Body.IdentityProviders = append(out.Body.IdentityProviders, j)
		}
	}
	return out, nil
}

type identityProviderOutput struct{ Body IdentityProvider }

func (s *Server) getIdentityProvider(ctx context.Context, c *call, in *SourcePath) (*identityProviderOutput, error) {
	x, on := c.org.Settings.Source(in.Source), c.org.SignOns[in.Source]
	if x == nil || on == nil {
		return nil, noIdentityProvider()
	}
	j, err := s.identityProvider(ctx, c, x, on)
	return &identityProviderOutput{j}, err
}

func noIdentityProvider() *Problem {
	return newProblem(http.StatusNotFound, "not_found", "the organization has no such identity provider")
}

// mostAttempts bounds how many attempts are counted.
const mostAttempts = 10_000

func (s *Server) identityProvider(ctx context.Context, c *call, x *connector.SourceSettings, on *sources.SignOn) (IdentityProvider, error) {
	is, door := on.Known()
	j := IdentityProvider{
		Source: x.ID, State: on.Standing(s.now()), EntityID: is.EntityID, SSOURL: is.SSOURL, Certificates: certificates(is.Certificates),
		Until: when(is.Until), Read: when(is.Read), Fetched: is.Fetched, OnlyKnown: x.OnlyKnown, Approval: x.Approval || c.org.Settings.Approval,
		Package: x.Package, ClockSkew: on.Skew.Seconds(), KeepSeconds: on.Keep.Seconds(),
	}
	if door && is.Code != 0 {
		doc := s.catalogue.Document(connector.Failure{Code: is.Code, Org: c.id(), Source: x.ID, At: s.now()}, c.lang)
		j.Failure = &doc
	}
	if on.Base != "" {
		j.Ours = &OurSide{EntityID: on.EntityID(), ACS: on.ACS(), Login: on.Login(), Certificates: certificates(on.Ours)}
	}
	n, err := s.o.Store.CountAttempts(ctx, c.id(), x.ID, s.now().Add(-24*time.Hour), mostAttempts)
	j.Tried, j.Refused = n.Attempts, n.Refused
	return j, err
}

func certificates(list []sources.Certificate) []Certificate {
	out := make([]Certificate, len(list))
	for i, c := range list {
		out[i] = Certificate(c)
	}
	return out
}

// SignInTrial is a sign-in to be tried.
type SignInTrial struct {
	Address string `json:"address" doc:"To be opened in a browser, once, within ten minutes. Who has it can try a sign-in, and nothing else."`
}

type trialOutput struct{ Body SignInTrial }

func (s *Server) trySignIn(ctx context.Context, c *call, in *SourcePath) (*trialOutput, error) {
	on := c.org.SignOns[in.Source]
	if on == nil {
		return nil, noIdentityProvider()
	}
	if !on.Triable() {
		return nil, newProblem(http.StatusConflict, "refused", "a sign-in can be tried where there is a door (sso:), the identity provider is known, and attempts are kept (saml.keep)")
	}
	address, err := on.Try(ctx, c.by(), "")
	return &trialOutput{SignInTrial{address}}, err
}
