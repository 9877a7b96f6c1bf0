package auth_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"usherd/connector"
	"usherd/scim/auth"
)

// A client that sends to three replicas in turn may do together what it may do at one, also when some of them go and come.
func TestReplicasShareWhatAClientMay(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	const rate, burst = 30, 60
	client := auth.Source{Org: "acme", ID: "okta"}
	now := start
	var replicas []*auth.Authenticator
	for range 3 {
		replicas = append(replicas, auth.New(auth.Options{
			Store: nothing{}, Sources: map[auth.Source]auth.Limits{client: {Rate: rate, Burst: burst, Concurrency: 6}}, Now: func() time.Time { return now },
		}))
	}
	live := len(replicas)
	share := func() {
		for _, a := range replicas {
			a.Share(live)
		}
	}
	share()
	passed, most := 0, float64(burst)
	for range 20_000 {
		a := replicas[r.IntN(live)]
		c, err := a.Vouched(get(""), client)
		if err != nil {
			t.Fatal(err)
		}
		if leave, err := a.Admit(t.Context(), c); err == nil {
			passed++
			leave()
		}
		step := time.Duration(r.Int64N(int64(20 * time.Millisecond)))
		now = now.Add(step)
		most += rate * step.Seconds()
		if r.IntN(4000) == 0 {
			live = 1 + r.IntN(len(replicas))
			share()
			most += burst // whoever comes back has saved its own
		}
	}
	if float64(passed) > most+1 || float64(passed) < most/2 {
		t.Errorf("%d passed, %v may", passed, most)
	}
}

// However many replicas there are, one request at a time and now and then is let through by each.
func TestShareIsOneRequestAtLeast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, client := door(64, map[string]int{"okta": 2})
		a.Share(10)
		c := client("okta")
		leave, err := a.Admit(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		second := make(chan error, 1)
		go func() {
			free, err := a.Admit(t.Context(), c)
			if err == nil {
				free()
			}
			second <- err
		}()
		synctest.Wait()
		select {
		case err := <-second:
			t.Fatalf("two at a time: %v", err)
		default:
		}
		a.Share(1) // the others have left
		if err := <-second; err != nil {
			t.Error(err)
		}
		leave()
		a.Share(0) // counts as one
		if leave, err := a.Admit(t.Context(), c); err != nil {
			t.Error(err)
		} else {
			leave()
		}
	})
}

// What one replica has not seen another one's clients do holds all the same: tokens are asked of the store.
func TestOneReplicaRefusesWhatAnotherHasRevoked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := auth.New(auth.Options{Store: f.open(), Sources: sources, Now: f.clock.now})
	token, id := f.token(func(k *connector.Token) { k.Source = "entra" })
	for _, a := range []*auth.Authenticator{f.auth, other} {
		if _, err := a.Authenticate(get(token), "acme"); err != nil {
			t.Fatal(err)
		}
	}
	f.ok(f.store.RevokeToken(t.Context(), id.ID, "test", f.clock.now()))
	f.clock.add(500 * time.Millisecond)
	for _, a := range []*auth.Authenticator{f.auth, other} {
		_, err := a.Authenticate(get(token), "acme")
		f.refused(err, "401 token_revoked")
	}
}
