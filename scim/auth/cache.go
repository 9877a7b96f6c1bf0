package auth

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
)

const (
	// lookAgain is how old what is known of revocations may be: another process may revoke.
	lookAgain = 500 * time.Millisecond
	// maxKnown bounds what is remembered; beyond it everything is asked for again.
	maxKnown = 10_000
)

// Store is what tokens are asked for. A store of usherd is one.
type Store interface {
	// TokenByHash returns a token, whatever has become of it, or an error of Kind NotFound.
	TokenByHash(ctx context.Context, hash connector.TokenHash) (*connector.Token, error)
	// TokenRevision returns another number when a token has been revoked.
	TokenRevision(ctx context.Context) (int64, error)
	// UseTokens notes when tokens were used last.
	UseTokens(ctx context.Context, used map[connector.ID]time.Time) error
}

// cache remembers tokens by their hash, so that a request costs no question to the store. What it remembers is true to
// within lookAgain.
type cache struct {
	store Store

	look   sync.Mutex   // held while the revision is asked for
	looked atomic.Int64 // when, in nanoseconds since 1970

	mu       sync.RWMutex
	revision int64
	known    map[connector.TokenHash]*known
	used     map[connector.ID]time.Time // of those that are not known any more
}

type known struct {
	token *connector.Token // never changed
	used  atomic.Int64     // in nanoseconds since 1970; 0 = not since it was written
}

func newCache(s Store) *cache {
	return &cache{store: s, known: map[connector.TokenHash]*known{}, used: map[connector.ID]time.Time{}}
}

// get returns the token with that hash if it is remembered.
func (c *cache) get(ctx context.Context, hash connector.TokenHash, now time.Time) (*known, error) {
	if c.old(now) {
		if err := c.refresh(ctx, now); err != nil {
			return nil, err
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[hash], nil
}

// old reports whether it is time to look again; so it is when the clock was put back.
func (c *cache) old(now time.Time) bool {
	since := now.UnixNano() - c.looked.Load()
	return since < 0 || since >= int64(lookAgain)
}

// refresh forgets everything when a token has been revoked. Who comes meanwhile waits: nobody is let in on knowledge
// that is too old.
func (c *cache) refresh(ctx context.Context, now time.Time) error {
	c.look.Lock()
	defer c.look.Unlock()
	if !c.old(now) {
		return nil // somebody else has looked
	}
	revision, err := c.store.TokenRevision(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if revision != c.revision {
		c.forget()
		c.revision = revision
	}
	c.mu.Unlock()
	c.looked.Store(now.UnixNano())
	return nil
}

// forget keeps when each was used.
func (c *cache) forget() {
	for _, k := range c.known {
		c.keepUse(k)
	}
	clear(c.known)
}

func (c *cache) keepUse(k *known) {
	if used := k.used.Swap(0); used != 0 {
		if at := time.Unix(0, used); at.After(c.used[k.token.ID]) {
			c.used[k.token.ID] = at
		}
	}
}

// ask asks the store, and remembers the token unless one was revoked in the meantime: it could be this one.
func (c *cache) ask(ctx context.Context, hash connector.TokenHash) (*known, error) {
	c.mu.RLock()
	revision := c.revision
	c.mu.RUnlock()
	token, err := c.store.TokenByHash(ctx, hash)
	if err != nil {
		return nil, err
	}
	k := &known{token: token}
	c.mu.Lock()
	defer c.mu.Unlock()
	if revision == c.revision {
		if len(c.known) >= maxKnown {
			c.forget()
		}
		c.known[hash] = k
	}
	return k, nil
}

// write tells the store when tokens were used since it was told last, and forgets access tokens that have
// ended. Others are kept: their client sends them again.
func (c *cache) write(ctx context.Context, now time.Time) error {
	c.mu.Lock()
	for hash, k := range c.known {
		c.keepUse(k)
		if k.token.Kind == connector.AccessToken && !k.token.LiveAt(now) {
			delete(c.known, hash)
		}
	}
	used := maps.Clone(c.used)
	clear(c.used)
	c.mu.Unlock()
	err := c.store.UseTokens(ctx, used)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		for id, at := range used { // the next time, then
			if at.After(c.used[id]) {
				c.used[id] = at
			}
		}
	}
	return err
}
