package sso

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"usherd/connector"
)

const (
	// Of one identity provider, a second: each sign-in that begins is a row for half an hour.
	loginRate, loginBurst = 50, 500
	// Of one address at one identity provider: less than all, so that nobody keeps the others out.
	addressRate, addressBurst = 25, 400
	// What nobody has proven to be from the identity provider is kept slowly: whoever likes may send it.
	strangeRate, strangeBurst = 1, 100
	// What it has signed, and was refused for itself, can be sent again and again by whoever has it.
	staleRate, staleBurst = 5, 500

	maxBuckets = 10_000
)

// limits count what may be done so many times. The zero value is ready.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

// bucket lets burst through at once and rate a second for long.
type bucket struct {
	rate, burst, free float64
	at                time.Time
}

// fill adds what has come since. A clock that goes back adds nothing.
func (b *bucket) fill(now time.Time) {
	if since := now.Sub(b.at); since > 0 {
		b.free = min(b.free+since.Seconds()*b.rate, b.burst)
	}
	b.at = now
}

func (l *limits) take(key string, rate, burst float64, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		l.clean(now)
		b = &bucket{rate, burst, burst, now}
		l.buckets[key] = b
	}
	if b.fill(now); b.free < 1 {
		return false
	}
	b.free--
	return true
}

// clean makes room: what has been quiet is forgotten, all when there is too much.
func (l *limits) clean(now time.Time) {
	if l.buckets == nil {
		l.buckets = map[string]*bucket{}
	}
	if len(l.buckets) < maxBuckets {
		return
	}
	for key, b := range l.buckets {
		if b.fill(now); b.free >= b.burst {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

// allowed takes one of what an identity provider may have of something.
func (v *visit) allowed(what string, rate, burst float64) bool {
	return v.s.limits.take(v.org.Settings.ID+"/"+v.source+"/"+what, rate, burst, v.s.o.Now())
}

// welcome takes one of what the address may do, and answers where there is none left. In IPv6 it is the network of 64
// bits, which one machine has to itself.
func (v *visit) welcome(what string, code connector.Code) bool {
	from := v.s.o.Gate.Address(v.r)
	if a, err := netip.ParseAddr(from); err == nil && a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			from = p.String()
		}
	}
	if v.allowed(what+" "+from, addressRate, addressBurst) {
		return true
	}
	v.later(code, "too much comes from this address at a time")
	return false
}

// later answers that it is too much at a time.
func (v *visit) later(code connector.Code, detail string) {
	v.w.Header().Set("Retry-After", "5")
	v.fail(http.StatusTooManyRequests, v.failure(code, detail))
}
