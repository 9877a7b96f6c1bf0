package auth

import (
	"net/netip"
	"sync"
	"time"
)

// An address may send that many tokens that are not known: each is a question to the store. Tokens that are
// remembered are not held up.
const (
	guessRate    = 5
	guessBurst   = 100
	maxAddresses = 10_000
)

// guesses count tokens that are not known by where they come from. The zero value is ready.
type guesses struct {
	mu    sync.Mutex
	at    map[netip.Addr]*bucket
	parts int // among which they are shared out; 0 = 1
}

// split shares what an address may do out among so many processes.
func (g *guesses) split(parts int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts = parts
}

func (g *guesses) take(b *bucket, now time.Time) (wait time.Duration) {
	parts := float64(max(g.parts, 1))
	return b.take(guessRate/parts, max(guessBurst/parts, 1), now)
}

// where is the address, or its network of 64 bits in IPv6, which one machine has to itself.
func where(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

// wait says how long an address has to wait before it may send a token that is not remembered.
func (g *guesses) wait(a netip.Addr, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.at[where(a)]
	if b == nil {
		return 0
	}
	wait := g.take(b, now)
	if wait == 0 {
		b.free++ // it costs only when it turns out to be none
	}
	return wait
}

// count notes that a token of that address is none.
func (g *guesses) count(a netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at == nil {
		g.at = map[netip.Addr]*bucket{}
	}
	b := g.at[where(a)]
	if b == nil {
		g.clean(now)
		b = &bucket{}
		g.at[where(a)] = b
	}
	g.take(b, now)
}

// clean makes room: those who have been quiet are forgotten, all when there are too many.
func (g *guesses) clean(now time.Time) {
	if len(g.at) < maxAddresses {
		return
	}
	for a, b := range g.at {
		if b.fill(guessRate, guessBurst, now); b.free >= guessBurst {
			delete(g.at, a)
		}
	}
	if len(g.at) >= maxAddresses {
		clear(g.at)
	}
}
