package auth

import (
	"net/http"
	"net/netip"
	"time"
)

// Addresses is how many addresses are remembered for their guesses.
func Addresses(a *Authenticator) int { return len(a.guesses.at) }

// ClientAddress is clientAddress.
func ClientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	return clientAddress(r, trusted)
}

// Bucket is a bucket with its settings.
type Bucket struct {
	b           bucket
	Rate, Burst float64
}

// Take is take.
func (b *Bucket) Take(now time.Time) time.Duration { return b.b.take(b.Rate, b.Burst, now) }
