package sso

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"usherd/connector"
)

// secretLength is that of what newSecret makes.
const secretLength = 43

// newSecret makes 256 random bits as letters, digits, - and _.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error (Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// isSecret reports whether text could have been made by newSecret.
func isSecret(text string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(raw) == 32 && len(text) == secretLength
}

func hashOf(text string) connector.TokenHash { return sha256.Sum256([]byte(text)) }

// bucket lets burst through at once and rate a second for long.
type bucket struct {
	free float64
	at   time.Time
}

func (b *bucket) take(rate, burst float64, now time.Time) bool {
	if b.at.IsZero() {
		b.free = burst
	} else if since := now.Sub(b.at); since > 0 {
		b.free = min(b.free+since.Seconds()*rate, burst)
	}
	b.at = now
	if b.free < 1 {
		return false
	}
	b.free--
	return true
}

// allowed takes one of what an identity provider may have of something.
func (v *visit) allowed(what string, rate, burst float64) bool {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	key := v.org.Settings.ID + "/" + v.source + "/" + what // of the configuration: there are few
	b := v.s.buckets[key]
	if b == nil {
		b = &bucket{}
		v.s.buckets[key] = b
	}
	return b.take(rate, burst, v.s.o.Now())
}
