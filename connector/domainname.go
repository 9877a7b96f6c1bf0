package connector

import (
	"strings"
	"time"
)

// Domain is a mail domain of an organization with the standing of its proof.
type Domain struct {
	Org     string
	Name    string // ASCII form (IDNA), lower case, without a trailing dot
	Token   string // expected in the TXT record usherd-verification=<token>
	AddedAt time.Time

	VerifiedAt   time.Time // zero = not verified
	CheckedAt    time.Time
	FailingSince time.Time // of a verified domain whose checks fail; zero = the last one succeeded
	LastError    string
	Claimed      bool // no other organization may create users with it
}

// Verified reports whether the organization has proven the domain.
func (d Domain) Verified() bool { return !d.VerifiedAt.IsZero() }

// ParentDomains returns name and the names above it, nearest first: a.b.c, b.c, c. A verified parent
// verifies its subdomains.
func ParentDomains(name string) []string {
	var names []string
	for name != "" {
		names = append(names, name)
		_, name, _ = strings.Cut(name, ".")
	}
	return names
}

// DomainStanding is what the rules need to know of the domain of an address.
type DomainStanding struct {
	Verified         bool
	ClaimedElsewhere bool
	// VerifiedElsewhere are the other organizations that have verified the domain too: they may claim its users.
	VerifiedElsewhere []string
}
