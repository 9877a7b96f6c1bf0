package page

import (
	"net/netip"
	"sync"
	"time"
)

const maxBuckets = 10_000

// Limits count what may be done so many times. The zero value is ready, and safe for concurrent use.
type Limits struct {
	mu      sync.Mutex
	parts   float64 // among which each rate is shared out; 0 = 1
	buckets map[string]*bucket
}

// Share says among how many processes that answer the same people the limits are shared out: each lets its part through, and
// one at least. A process that is asked alone gives less than the whole, and all together never more.
func (l *Limits) Share(parts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts = float64(parts)
}

// part is what this process may let through of a rate.
func (l *Limits) part(r Rate) Rate {
	n := max(l.parts, 1)
	return Rate{r.PerSecond / n, max(r.Burst/n, 1)}
}

// Rate lets Burst through at once, and PerSecond for long.
type Rate struct{ PerSecond, Burst float64 }

type bucket struct {
	rate Rate
	free float64
	at   time.Time
}

// fill adds what has come since. A clock that goes back adds nothing.
func (b *bucket) fill(now time.Time) {
	if since := now.Sub(b.at); since > 0 {
		b.free += since.Seconds() * b.rate.PerSecond
	}
	b.free = min(b.free, b.rate.Burst)
	b.at = now
}

// Take takes one of what there is under a key, and reports whether there was one.
func (l *Limits) Take(key string, rate Rate, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	rate = l.part(rate)
	if b == nil {
		l.clean(now)
		b = &bucket{rate, rate.Burst, now}
		l.buckets[key] = b
	}
	b.rate = rate
	if b.fill(now); b.free < 1 {
		return false
	}
	b.free--
	return true
}

// clean makes room: what has been quiet is forgotten, all when there is too much.
func (l *Limits) clean(now time.Time) {
	if l.buckets == nil {
		l.buckets = map[string]*bucket{}
	}
	if len(l.buckets) < maxBuckets {
		return
	}
	for key, b := range l.buckets {
		if b.fill(now); b.free >= b.rate.Burst {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

// Network is what counts as one address: in IPv6 the network of 64 bits, which one machine has to itself.
func Network(address string) string {
	if a, err := netip.ParseAddr(address); err == nil && a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return address
}
