package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
)

// sessions are read back, used, and end.
func sessions(f *fixture) {
	s := connector.Session{
		Hash: connector.TokenHash{1}, Provider: "entra", Subject: "00u1", Name: "Ann Lee", Groups: []string{"ops", "åäö"}, Address: "192.0.2.1",
		CreatedAt: f.now, UsedAt: f.now, FreshAt: f.now, Until: f.now.Add(time.Hour),
	}
	f.ok(f.s.PutSession(f.ctx, s))
	f.kind(f.s.PutSession(f.ctx, connector.Session{Hash: s.Hash}), connector.Invalid)
	get := func(hash connector.TokenHash) (connector.Session, bool) {
		got, ok, err := f.s.Session(f.ctx, hash)
		f.ok(err)
		return got, ok
	}
	got, ok := get(s.Hash)
	f.equal(ok, true)
	f.equal(got, s)
	s.UsedAt, s.FreshAt = f.now.Add(time.Minute), f.now.Add(2*time.Minute)
	changed := s
	changed.Subject, changed.Groups = "root", nil // who it is never changes
	f.ok(f.s.PutSession(f.ctx, changed))
	got, _ = get(s.Hash)
	f.equal(got, s)
	other := s
	other.Hash = connector.TokenHash{2}
	f.ok(f.s.PutSession(f.ctx, other))
	f.ok(f.s.EndSession(f.ctx, s.Hash))
	f.ok(f.s.EndSession(f.ctx, s.Hash))
	_, ok = get(s.Hash)
	f.equal(ok, false)
	f.ok(f.s.DropSessions(f.ctx, other.Until))
	_, ok = get(other.Hash)
	f.equal(ok, true)
	f.ok(f.s.DropSessions(f.ctx, other.Until.Add(time.Second)))
	_, ok = get(other.Hash)
	f.equal(ok, false)
}

// triesCounted: of many who try at once no more are let through than there are tries, and a refused one prolongs nothing.
func triesCounted(f *fixture) {
	limits := []connector.TryLimit{{Key: "name ann", Tries: 5}, {Key: "address 192.0.2.1", Tries: 8}}
	take := func(now time.Time, limits ...connector.TryLimit) bool {
		ok, err := f.s.TakeTry(f.ctx, limits, time.Minute, now)
		f.ok(err)
		return ok
	}
	var through atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			ok, err := f.s.TakeTry(f.ctx, limits, time.Minute, f.now)
			if err != nil {
				f.Error(err)
			}
			if ok {
				through.Add(1)
			}
		})
	}
	wg.Wait()
	f.equal(through.Load(), int32(5))
	f.equal(take(f.now.Add(59*time.Second), limits...), false)
	other := connector.TryLimit{Key: "name bob", Tries: 5}
	for _, want := range []bool{true, true, true, false} { // the address has 5 of its 8 behind it
		f.equal(take(f.now, other, limits[1]), want)
	}
	f.equal(take(f.now.Add(time.Minute), limits...), true)
	f.ok(f.s.ForgetTries(f.ctx, "name bob"))
	f.equal(take(f.now, other), true)
	f.ok(f.s.DropSessions(f.ctx, f.now.Add(time.Hour)))
	f.equal(take(f.now, limits...), true)
}

// formKeysOnce: of many who use one key at once, one is told that it is fresh.
func formKeysOnce(f *fixture) {
	until := f.now.Add(time.Hour)
	use := func(hash connector.TokenHash) bool {
		ok, err := f.s.UseFormKey(f.ctx, hash, until)
		if err != nil {
			f.Error(err)
		}
		return ok
	}
	var fresh atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if use(connector.TokenHash{1}) {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	f.equal(fresh.Load(), int32(1))
	f.equal(use(connector.TokenHash{2}), true)
	f.ok(f.s.DropSessions(f.ctx, until))
	f.equal(use(connector.TokenHash{1}), false)
	f.ok(f.s.DropSessions(f.ctx, until.Add(time.Second)))
	f.equal(use(connector.TokenHash{1}), true)
}
