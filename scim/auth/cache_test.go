package auth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usherd/connector"
	"usherd/scim/auth"
)

// sameToken answers every hash with one token.
type sameToken struct {
	auth.Store
	k connector.Token
}

func (s sameToken) TokenByHash(context.Context, connector.TokenHash) (*connector.Token, error) {
	return &s.k, nil
}

func TestRevocationByAnotherProcessCountsWithinASecond(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, k := f.token(nil)
	other, _ := f.token(nil)
	for range 100 {
		_, err := f.auth.Authenticate(get(token), "acme")
		f.ok(err)
	}
	if byHash, revision := f.store.questions(); byHash != 1 || revision != 1 {
		t.Errorf("%d questions for the token and %d for revocations", byHash, revision)
	}
	if err := f.open().RevokeToken(t.Context(), k.ID, "cli:eva", start); err != nil {
		t.Fatal(err)
	}
	f.clock.add(499 * time.Millisecond)
	_, err := f.auth.Authenticate(get(token), "acme")
	f.ok(err)
	f.clock.add(time.Millisecond)
	_, err = f.auth.Authenticate(get(token), "acme")
	f.refused(err, "401 token_revoked: token revoked on 2026-11-01")
	_, err = f.auth.Authenticate(get(other), "acme")
	f.ok(err)
}

func TestAccessTokensEndWithTheirSecret(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, secret := f.token(func(k *connector.Token) { k.Kind = connector.ClientSecret })
	access, _ := f.token(func(k *connector.Token) { k.Kind, k.Parent = connector.AccessToken, secret.ID })
	_, err := f.auth.Authenticate(get(access), "acme")
	f.ok(err)
	if err := f.store.RevokeToken(t.Context(), secret.ID, "cli:eva", start); err != nil {
		t.Fatal(err)
	}
	f.clock.add(time.Second)
	_, err = f.auth.Authenticate(get(access), "acme")
	f.refused(err, "401 token_revoked")
}

// TestRevocationWhileAsking: what was read before a revocation must not be remembered after it was noticed.
func TestRevocationWhileAsking(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, k := f.token(nil)
	other, _ := f.token(nil)
	once := sync.OnceFunc(func() {
		if err := f.store.RevokeToken(t.Context(), k.ID, "cli:eva", start); err != nil {
			t.Error(err)
		}
		f.clock.add(time.Second)
		_, err := f.auth.Authenticate(get(other), "acme") // notices
		f.ok(err)
	})
	f.store.asked = func() { f.store.asked = nil; once() }
	_, _ = f.auth.Authenticate(get(token), "acme")
	_, err := f.auth.Authenticate(get(token), "acme")
	f.refused(err, "401 token_revoked")
}

func TestClockThatGoesBackIsNoReasonToTrustOldKnowledge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, k := f.token(nil)
	_, err := f.auth.Authenticate(get(token), "acme")
	f.ok(err)
	if err := f.store.RevokeToken(t.Context(), k.ID, "cli:eva", start); err != nil {
		t.Fatal(err)
	}
	f.clock.add(-time.Hour)
	_, err = f.auth.Authenticate(get(token), "acme")
	f.refused(err, "401 token_revoked")
}

func TestNobodyIsLetInWhenTokensCannotBeChecked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, _ := f.token(nil)
	_, err := f.auth.Authenticate(get(token), "acme")
	f.ok(err)
	f.store.broken = errors.New("disk of hunter2 is gone")
	f.clock.add(time.Second)
	_, err = f.auth.Authenticate(get(token), "acme")
	f.refused(err, "503 store: tokens cannot be checked at the moment: try again [Retry-After: 1]")
	if !errors.Is(err, f.store.broken) {
		t.Error("the accident is lost for the log")
	}
	f.store.broken = nil
	_, err = f.auth.Authenticate(get(token), "acme")
	f.ok(err)
}

func TestEndedTokensCostNoQuestions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, _ := f.token(nil)
	_, err := f.auth.Authenticate(get(token), "acme")
	f.ok(err)
	f.clock.add(24 * time.Hour)
	for range 100 {
		_, err := f.auth.Authenticate(get(token), "acme")
		f.refused(err, "401 token_ended: token ended on 2026-11-02")
	}
	if byHash, _ := f.store.questions(); byHash != 1 {
		t.Errorf("%d questions", byHash)
	}
}

func TestUnknownTokensAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	known, _ := f.token(nil)
	fresh, _ := f.token(nil)
	_, err := f.auth.Authenticate(get(known), "acme")
	f.ok(err)
	guess := func(from string) error {
		secret, _ := connector.NewToken()
		r := get(secret.Reveal())
		r.RemoteAddr = from
		_, err := f.auth.Authenticate(r, "acme")
		return err
	}
	for range 100 {
		f.refused(guess("192.0.2.7:1"), "401 unknown_token")
	}
	before, _ := f.store.questions()
	f.refused(guess("192.0.2.7:2"), "429 too_many_unknown_tokens: too many unknown tokens came from this address: wait [Retry-After: 1]")
	_, err = f.auth.Authenticate(get(fresh), "acme")
	f.refused(err, "429 too_many_unknown_tokens")
	_, err = f.auth.Authenticate(get(known), "acme")
	f.ok(err)
	if after, _ := f.store.questions(); after != before {
		t.Error("the store was asked")
	}
	f.refused(guess("192.0.2.8:1"), "401 unknown_token")
	for range 100 {
		f.refused(guess("[2001:db8::1]:1"), "401 unknown_token")
	}
	f.refused(guess("[2001:db8::2]:1"), "429 ")
	f.refused(guess("[2001:db8:0:1::2]:1"), "401 ")
	f.clock.add(time.Second)
	_, err = f.auth.Authenticate(get(fresh), "acme")
	f.ok(err)
}

// TestManyAddressesAreForgotten: the memory for guesses has a bound.
func TestManyAddressesAreForgotten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := auth.New(auth.Options{Store: nothing{}, Sources: sources, Now: f.clock.now})
	for i := range 25_000 {
		secret, _ := connector.NewToken()
		r := get(secret.Reveal())
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)
		_, err := a.Authenticate(r, "acme")
		f.refused(err, "401 ")
	}
	if n := auth.Addresses(a); n > 10_000 {
		t.Errorf("%d addresses are remembered", n)
	}
}

type nothing struct{ auth.Store }

func (nothing) TokenByHash(context.Context, connector.TokenHash) (*connector.Token, error) {
	return nil, &connector.Error{Kind: connector.NotFound, Err: errors.New("no")}
}
func (nothing) TokenRevision(context.Context) (int64, error) { return 0, nil }

// written is a store that keeps when it was told of uses.
type written struct {
	auth.Store
	token connector.Token

	mu     sync.Mutex
	told   []map[connector.ID]time.Time
	broken bool
}

func (w *written) TokenByHash(context.Context, connector.TokenHash) (*connector.Token, error) {
	return &w.token, nil
}
func (w *written) TokenRevision(context.Context) (int64, error) { return 0, nil }

func (w *written) UseTokens(_ context.Context, used map[connector.ID]time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return errors.New("broken")
	}
	if len(used) > 0 {
		w.told = append(w.told, used)
	}
	return nil
}

func (w *written) fail(broken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = broken
}

func TestLastUseIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secret, hash := connector.NewToken()
		k := connector.Token{ID: connector.NewID(start), Org: "acme", Source: "entra", Kind: connector.BearerToken, Hash: hash, Scopes: []string{"scim"}}
		w := &written{token: k}
		a := auth.New(auth.Options{Store: w, Sources: sources, Now: time.Now})
		ctx, cancel := context.WithCancel(t.Context())
		failures, ended := 0, make(chan bool)
		go func() {
			a.Serve(ctx, func(error) { failures++ })
			close(ended)
		}()
		use := func() time.Time {
			if _, err := a.Authenticate(get(secret.Reveal()), "acme"); err != nil {
				t.Fatal(err)
			}
			return time.Now()
		}
		begin := time.Now()
		var last time.Time
		for range 100 { // until 50 s
			last = use()
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(time.Until(begin.Add(70 * time.Second)))
		expect := func(n int, at time.Time) {
			t.Helper()
			if w.mu.Lock(); len(w.told) != n || !w.told[n-1][k.ID].Equal(at) {
				t.Errorf("told %v, want %d with %v", w.told, n, at)
			}
			w.mu.Unlock()
		}
		expect(1, last)
		time.Sleep(5 * time.Minute) // nothing to tell
		expect(1, last)
		w.fail(true)
		last = use()
		time.Sleep(3 * time.Minute)
		w.fail(false)
		time.Sleep(time.Minute)
		expect(2, last)
		last = use()
		cancel()
		<-ended
		expect(3, last)
		if failures != 3 {
			t.Errorf("%d failures", failures)
		}
	})
}
