package sources

import (
	"context"
	"slices"
	"time"

	"usherd/connector"
)

// SignOn is an identity provider by which people sign in, as the configuration in force has it.
type SignOn struct {
	Base string // address of our door for it, to which /metadata, /login and /acs are added; "" = there is no door
	// IDP is how the identity provider is known at this moment. nil = there is no door.
	IDP  func() IDP
	Keep time.Duration // how long attempts are kept; 0 = not at all
	Skew time.Duration // by how much clocks may differ
	Ours []Certificate // that we sign and decrypt with
	// Try gives out the address at which an administrator's browser tries one sign-in, after which it comes back to an address to which
	// the id of the attempt is added; without one, the door tells the id. nil = there is no door.
	Try func(ctx context.Context, by, back string) (address string, err error)
}

// Known is how the identity provider is known; ok is false where there is no door.
func (c *SignOn) Known() (is IDP, ok bool) {
	if c.IDP == nil {
		return is, false
	}
	return c.IDP(), true
}

// EntityID is our name for the identity provider, and the address of our metadata.
func (c *SignOn) EntityID() string { return c.Base + "/metadata" }

// ACS is where the identity provider sends people back.
func (c *SignOn) ACS() string { return c.Base + "/acs" }

// Login is where a sign-in begins.
func (c *SignOn) Login() string { return c.Base + "/login" }

// Standing says whether people can sign in by an identity provider.
type Standing string

// The standings.
const (
	NoDoor  Standing = "no_door" // the configuration has no door for sign-on
	Unknown Standing = "unknown" // IDP.Code says why
	Over    Standing = "over"    // none of its certificates is good now
	Known   Standing = "known"
)

// Standing is how the identity provider stands at an instant.
func (c *SignOn) Standing(now time.Time) Standing {
	is, door := c.Known()
	switch {
	case !door:
		return NoDoor
	case is.Code != 0:
		return Unknown
	case !slices.ContainsFunc(is.Certificates, func(x Certificate) bool { return !now.Before(x.From) && !now.After(x.Until) }):
		return Over
	}
	return Known
}

// Triable reports whether a sign-in can be tried: there is a door, the identity provider is known, and the attempt is kept, so that it
// can be looked at.
func (c *SignOn) Triable() bool {
	is, door := c.Known()
	return door && is.Code == 0 && c.Try != nil && c.Keep > 0
}

// IDP is how an identity provider is known.
type IDP struct {
	Code         connector.Code // why it is not; 0 = it is
	EntityID     string
	SSOURL       string
	Certificates []Certificate
	Until        time.Time // when its metadata ends; zero = it does not say
	Read         time.Time // when it was read last; zero = never
	Fetched      bool      // its metadata is read by URL, each hour
}

// Certificate is one that is signed with.
type Certificate struct {
	Subject, SHA256 string
	From, Until     time.Time
}
