package auth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usherd/connector"
	"usherd/scim/auth"
)

// TestBucketGivesItsRate walks at random: what is let through never exceeds burst + rate × time, and whoever waits as
// long as told is let through.
func TestBucketGivesItsRate(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		b := auth.Bucket{Rate: float64(1 + r.IntN(100)), Burst: float64(1 + r.IntN(100))}
		now, passed := start, 0
		for range 500 {
			if wait := b.Take(now); wait > 0 {
				now = now.Add(wait + time.Nanosecond)
				if b.Take(now) > 0 {
					t.Fatalf("seed %d: waited %v for %+v in vain", seed, wait, b)
				}
			}
			passed++
			now = now.Add(time.Duration(r.Int64N(int64(2 * time.Second / time.Duration(b.Rate)))))
		}
		if most := b.Burst + b.Rate*now.Sub(start).Seconds() + 1; float64(passed) > most {
			t.Fatalf("seed %d: %d passed, at most %v may", seed, passed, most)
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, _ := f.token(func(k *connector.Token) { k.Source = "okta" })
	twin, _ := f.token(func(k *connector.Token) { k.Source = "okta" })
	once := func(token string) error {
		c, err := f.auth.Authenticate(get(token), "acme")
		f.ok(err)
		leave, err := f.auth.Admit(t.Context(), c)
		if err == nil {
			leave()
		}
		return err
	}
	for i := range 20 {
		f.ok(once([]string{token, twin}[i%2])) // two tokens of a client have one rate
	}
	f.refused(once(token), "429 rate: too many requests a second: wait, and send them more slowly [Retry-After: 1]")
	f.clock.add(100 * time.Millisecond)
	f.ok(once(token))
	f.refused(once(token), "429 rate")
}

// door is an Authenticator without a store, in the time of a bubble.
func door(total int, concurrency map[string]int) (*auth.Authenticator, func(id string) *auth.Client) {
	limits := map[auth.Source]auth.Limits{}
	for id, n := range concurrency {
		limits[auth.Source{Org: "acme", ID: id}] = auth.Limits{Rate: 1 << 20, Burst: 1 << 20, Concurrency: n}
	}
	a := auth.New(auth.Options{Store: nothing{}, Sources: limits, Total: total, Now: time.Now})
	return a, func(id string) *auth.Client {
		c, err := a.Vouched(get(""), auth.Source{Org: "acme", ID: id})
		if err != nil {
			panic(err)
		}
		return c
	}
}

func TestOneClientMayDoSoMuchAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{TB: t}
		a, client := door(64, map[string]int{"entra": 2, "okta": 2})
		entra := client("entra")
		first, err := a.Admit(t.Context(), entra)
		f.ok(err)
		_, err = a.Admit(t.Context(), entra)
		f.ok(err)
		begin := time.Now()
		_, err = a.Admit(t.Context(), entra)
		f.refused(err, "429 too_many_at_a_time: too many requests at a time: wait for the answers of those before [Retry-After: 1]")
		if waited := time.Since(begin); waited != 3*time.Second {
			t.Errorf("waited %v", waited)
		}
		var turn atomic.Bool
		go func() {
			if _, err := a.Admit(t.Context(), entra); err == nil {
				turn.Store(true)
			}
		}()
		synctest.Wait()
		if turn.Load() {
			t.Error("three at a time")
		}
		first()
		synctest.Wait()
		if !turn.Load() {
			t.Error("a place was lost")
		}
		_, err = a.Admit(t.Context(), client("okta"))
		f.ok(err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = a.Admit(ctx, entra)
		f.refused(err, "429 ")
		for range 2 {
			go a.Admit(t.Context(), entra) //nolint:errcheck // it waits in vain
		}
		synctest.Wait()
		begin = time.Now()
		_, err = a.Admit(t.Context(), entra)
		f.refused(err, "429 ")
		if time.Since(begin) != 0 {
			t.Error("a lane without an end")
		}
		time.Sleep(time.Minute)
	})
}

// TestFloodOfOneDoesNotStarveAnother: a client sends as much as it can, all of it slow; another one's requests wait
// for one answer at most.
func TestFloodOfOneDoesNotStarveAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes = 100 * time.Millisecond
		a, client := door(8, map[string]int{"flood1": 20, "flood2": 20, "calm": 16})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 60 {
			c := client(fmt.Sprintf("flood%d", 1+i%2))
			wg.Go(func() {
				for ctx.Err() == nil {
					leave, err := a.Admit(ctx, c)
					if err != nil {
						time.Sleep(7 * time.Millisecond)
						continue
					}
					time.Sleep(takes)
					leave()
				}
			})
		}
		time.Sleep(time.Second)
		calm, worst := client("calm"), time.Duration(0)
		for range 30 {
			begin := time.Now()
			leave, err := a.Admit(t.Context(), calm)
			if err != nil {
				t.Fatal(answer(err))
			}
			worst = max(worst, time.Since(begin))
			time.Sleep(takes)
			leave()
		}
		if worst > takes {
			t.Errorf("the calm client waited %v", worst)
		}
		cancel()
		wg.Wait()
	})
}

// TestArrivedAndAnsweredRequestsTakeNoTurn: whoever sends or reads slowly has places of its own lane, and no turn.
func TestArrivedAndAnsweredRequestsTakeNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{TB: t}
		a, client := door(4, map[string]int{"sends": 2, "reads": 2, "quick": 2})
		var sending, reading []*auth.Visit
		for range 4 {
			v, err := a.Arrive(client("sends"))
			f.ok(err)
			sending = append(sending, v)
			v, err = a.Arrive(client("reads"))
			f.ok(err)
			f.ok(v.Work(t.Context()))
			v.Rest()
			reading = append(reading, v)
		}
		for _, id := range []string{"sends", "reads"} {
			_, err := a.Arrive(client(id))
			f.refused(err, "429 too_many_at_a_time")
		}
		begin := time.Now()
		var leave []func()
		for range 2 {
			l, err := a.Admit(t.Context(), client("quick"))
			f.ok(err)
			leave = append(leave, l)
		}
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("waited %v behind those who are slow", waited)
		}
		for _, l := range leave {
			l()
		}
		for _, v := range sending { // what has arrived whole is worked on, two at a time
			if f.ok(v.Work(t.Context())); v == sending[1] {
				sending[0].Leave()
				sending[1].Leave()
			}
		}
		for _, v := range append(sending[2:], reading...) {
			v.Leave()
		}
		for _, id := range []string{"sends", "reads"} {
			_, err := a.Arrive(client(id))
			f.ok(err)
		}
	})
}

func TestFullDoorIsNotTheClientsFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{TB: t}
		a, client := door(2, map[string]int{"a": 5, "b": 5, "c": 5})
		for _, id := range []string{"a", "b"} {
			_, err := a.Admit(t.Context(), client(id))
			f.ok(err)
		}
		_, err := a.Admit(t.Context(), client("c"))
		f.refused(err, "503 door_full: there is too much to do at the moment: try again [Retry-After: 1]")
		_, err = a.Admit(t.Context(), client("a"))
		f.refused(err, "429 too_many_at_a_time")
	})
}

// TestNobodyIsForgotten lets clients come, give up and be reconfigured at random, and looks that bounds hold and all
// places are free at the end.
func TestNobodyIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seed := uint64(time.Now().UnixNano())
		concurrency := map[string]int{"a": 1, "b": 3, "c": 50}
		a, client := door(6, concurrency)
		var at, most atomic.Int32
		var wg sync.WaitGroup
		for i := range 60 {
			c := client([]string{"a", "b", "c"}[i%3])
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			wg.Go(func() {
				for range 50 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(200))*time.Millisecond)
					if leave, err := a.Admit(ctx, c); err == nil {
						n := at.Add(1)
						for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
							continue
						}
						time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
						at.Add(-1)
						leave()
					}
					cancel()
				}
			})
		}
		wg.Wait()
		if most.Load() != 6 {
			t.Errorf("seed %d: %d at a time", seed, most.Load())
		}
		for _, id := range []string{"b", "b", "b", "c", "c", "c"} {
			begin := time.Now()
			if _, err := a.Admit(t.Context(), client(id)); err != nil || time.Since(begin) > 0 {
				t.Errorf("seed %d: a place was lost: %v", seed, err)
			}
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var tokens []string
	for i := range 20 {
		token, _ := f.token(func(k *connector.Token) { k.Org = []string{"acme", "beta"}[i%2] })
		tokens = append(tokens, token)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var served sync.WaitGroup
	served.Go(func() { f.auth.Serve(ctx, func(err error) { t.Error(err) }) })
	var wg sync.WaitGroup
	for i, token := range tokens {
		wg.Go(func() {
			for j := range 100 {
				c, err := f.auth.Authenticate(get(token), []string{"acme", "beta"}[i%2])
				if err != nil {
					t.Error(answer(err))
					return
				}
				if leave, err := f.auth.Admit(ctx, c); err == nil {
					leave()
				}
				switch j % 25 {
				case 7:
					f.clock.add(time.Second)
				case 13:
					f.auth.Replace(sources)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	served.Wait()
	list, err := f.store.Tokens(t.Context(), connector.TokenFilter{Kinds: []connector.TokenKind{connector.BearerToken}})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		if k.LastUsed.IsZero() {
			t.Errorf("the use of %s is lost", k.ID)
		}
	}
}

// BenchmarkAuthenticate is a request with a token that is remembered.
func BenchmarkAuthenticate(b *testing.B) {
	f := newFixture(b)
	token, _ := f.token(nil)
	r := get(token)
	for b.Loop() {
		if _, err := f.auth.Authenticate(r, "acme"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdmit is a turn that need not be waited for.
func BenchmarkAdmit(b *testing.B) {
	a, client := door(64, map[string]int{"entra": 16})
	c := client("entra")
	for b.Loop() {
		leave, err := a.Admit(b.Context(), c)
		if err == nil {
			leave()
		}
	}
}
