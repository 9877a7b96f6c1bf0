package sources_test

import (
	"testing"
	"time"

	"usherd/connector/sources"
)

// People can sign in where there is a door, the identity provider is known, and one of its certificates is good now.
func TestStandingOfIdentityProviders(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	good := sources.Certificate{From: now, Until: now}
	over := sources.Certificate{From: now.Add(-time.Hour), Until: now.Add(-time.Second)}
	early := sources.Certificate{From: now.Add(time.Second), Until: now.Add(time.Hour)}
	for want, list := range map[sources.Standing][]sources.IDP{
		sources.Known:   {{Certificates: []sources.Certificate{over, good, early}}},
		sources.Over:    {{}, {Certificates: []sources.Certificate{over, early}}},
		sources.Unknown: {{Code: 11, Certificates: []sources.Certificate{good}}},
	} {
		for _, is := range list {
			on := sources.SignOn{IDP: func() sources.IDP { return is }}
			if got := on.Standing(now); got != want {
				t.Errorf("%+v is %s, want %s", is, got, want)
			}
		}
	}
	if got := (&sources.SignOn{}).Standing(now); got != sources.NoDoor {
		t.Errorf("without a door it is %s", got)
	}
}
