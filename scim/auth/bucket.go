package auth

import "time"

// bucket lets burst requests through at once and rate a second for long. Its zero value has never been used.
type bucket struct {
	free float64
	at   time.Time
}

// take takes one, or says how long to wait until there is one.
func (b *bucket) take(rate, burst float64, now time.Time) (wait time.Duration) {
	if b.fill(rate, burst, now); b.free >= 1 {
		b.free--
		return 0
	}
	return time.Duration((1 - b.free) / rate * float64(time.Second))
}

// fill adds what has come since. A clock that goes back adds nothing.
func (b *bucket) fill(rate, burst float64, now time.Time) {
	if b.at.IsZero() {
		b.free = burst
	}
	if since := now.Sub(b.at); since > 0 && !b.at.IsZero() {
		b.free = min(b.free+since.Seconds()*rate, burst)
	}
	b.at = now
}
