package api_test

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/provision"
)

// A request with a key is carried out once, whatever it was answered, and another one cannot have its key.
func TestRepeatedRequestsAreCarriedOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("acme", "ann", nil)
	c := w.client("acme").with("Idempotency-Key", "k-1")
	path := "/orgs/acme/users/ann/deactivate"
	body := map[string]string{"reason": "left"}
	first := c.want(http.StatusOK, http.MethodPost, path, body)
	if first.Header.Get("Idempotency-Replayed") != "" || !read[api.Changed](w, first).Changed {
		t.Fatalf("%s", first.body)
	}
	w.at.Add(time.Hour.Microseconds())
	again := c.want(http.StatusOK, http.MethodPost, path, body)
	if !bytes.Equal(first.body, again.body) || again.Header.Get("Idempotency-Replayed") != "true" ||
		again.Header.Get("ETag") != first.Header.Get("ETag") || again.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
		t.Errorf("%v %s\n%s", again.Header, again.body, first.body)
	}
	if fresh := read[api.Changed](w, c.with("Idempotency-Key", "k-2").want(http.StatusOK, http.MethodPost, path, body)); fresh.Changed {
		t.Errorf("%+v", fresh)
	}
	c.refused(http.StatusUnprocessableEntity, "key_used", http.MethodPost, path, map[string]string{"reason": "other"})
	c.refused(http.StatusUnprocessableEntity, "key_used", http.MethodPost, "/orgs/acme/users/ann/reactivate", body)

	// A refusal too: the same request gets it again although its cause has gone.
	added := connector.Domain{Org: "acme", Name: "new.test", Token: "t", AddedAt: w.now()}
	w.ok(w.db.AddDomain(t.Context(), added))
	k, claim := c.with("Idempotency-Key", "k-3"), "/orgs/acme/domains/new.test/claim"
	k.refused(http.StatusConflict, "refused", http.MethodPost, claim, nil)
	added.VerifiedAt = w.now()
	w.ok(w.db.PutDomain(t.Context(), added))
	k.refused(http.StatusConflict, "refused", http.MethodPost, claim, nil)
	k.with("Idempotency-Key", "k-4").want(http.StatusOK, http.MethodPost, claim, nil)

	// Each token has its own keys, and after a day a key is good for another request.
	other := w.client("acme").with("Idempotency-Key", "k-1")
	if r := other.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/reactivate", nil); r.Header.Get("Idempotency-Replayed") != "" {
		t.Error("replayed for another token")
	}
	w.at.Add((24 * time.Hour).Microseconds())
	if r := c.want(http.StatusOK, http.MethodPost, path, map[string]string{"reason": "other"}); r.Header.Get("Idempotency-Replayed") != "" {
		t.Error("replayed after a day")
	}
	for _, key := range []string{"", "a b", "é", strings.Repeat("x", 256)} {
		c.with("Idempotency-Key", key).refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, path, body)
	}
	c.with("Idempotency-Key", "k-5").refused(http.StatusRequestEntityTooLarge, "too_large", http.MethodPost, path, strings.Repeat("x", 70<<10))
}

// Of many at once one is carried out; the others are told to ask again, or get its answer.
func TestOfManyOneIsCarriedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i := range 3 {
		w.person("acme", "user"+strconv.Itoa(i), nil)
	}
	c := w.client("acme").with("Idempotency-Key", "k")
	var changed, fresh atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for {
				r := c.do(http.MethodPost, "/orgs/acme/users/user1/deactivate", nil)
				if r.StatusCode == http.StatusConflict && strings.Contains(string(r.body), `"in_progress"`) && r.Header.Get("Retry-After") == "1" {
					continue
				}
				if r.StatusCode != http.StatusOK {
					t.Errorf("%s %s", r.Status, r.body)
				}
				if strings.Contains(string(r.body), `"changed":true`) {
					changed.Add(1)
				}
				if r.Header.Get("Idempotency-Replayed") == "" {
					fresh.Add(1)
				}
				return
			}
		})
	}
	wg.Wait()
	if changed.Load() != 20 || fresh.Load() != 1 {
		t.Errorf("%d got the first answer, %d were carried out", changed.Load(), fresh.Load())
	}
}

// stubborn is a Writer that fails, or panics, before it does what it is asked.
type stubborn struct {
	api.Writer
	fail, panics int
	begun        chan struct{} // told of each call, where it is not nil
	goOn         chan struct{} // waited for, where it is not nil
}

func (s *stubborn) Deactivate(ctx context.Context, c provision.Command) (*connector.Change, error) {
	if s.begun != nil {
		s.begun <- struct{}{}
		<-s.goOn
	}
	if s.panics--; s.panics >= 0 {
		panic("on purpose")
	}
	if s.fail--; s.fail >= 0 {
		return nil, &connector.Error{Kind: connector.Unavailable, Op: "test", Err: context.DeadlineExceeded}
	}
	return s.Writer.Deactivate(ctx, c)
}

// withWriter puts a server with another Writer in the place of the one of the world.
func (w *world) withWriter(x *stubborn) {
	x.Writer = w.provs["acme"]
	w.api.Replace([]*api.Organization{{Settings: w.orgs["acme"], Writer: x, Subscribers: w.provs["acme"], Domains: w.keeper("acme")}})
}

// What came to no answer can be tried again at once under its key.
func TestWhatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("acme", "ann", nil)
	w.withWriter(&stubborn{fail: 1, panics: 1})
	c := w.client("acme").with("Idempotency-Key", "k")
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} {
		c.want(status, http.MethodPost, "/orgs/acme/users/ann/deactivate", nil)
	}
	if r := read[api.Changed](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/deactivate", nil)); !r.Changed {
		t.Errorf("%+v", r)
	}
	c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/ann/deactivate", nil)
}

// The work of a client that has gone comes to its end, and its answer is there when it asks again.
func TestWorkOutlivesItsClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("acme", "ann", nil)
	x := &stubborn{begun: make(chan struct{}), goOn: make(chan struct{})}
	w.withWriter(x)
	c := w.client("acme").with("Idempotency-Key", "k")
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/api/v1/orgs/acme/users/ann/deactivate", http.NoBody)
	w.ok(err)
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Idempotency-Key", "k")
	gone := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			err = answer.Body.Close()
		}
		gone <- err
	}()
	<-x.begun
	c.refused(http.StatusConflict, "in_progress", http.MethodPost, "/orgs/acme/users/ann/deactivate", nil)
	cancel()
	if err := <-gone; err == nil {
		t.Error("it was answered")
	}
	close(x.goOn)
	for {
		r := c.do(http.MethodPost, "/orgs/acme/users/ann/deactivate", nil)
		if r.StatusCode == http.StatusConflict {
			continue
		}
		if r.StatusCode != http.StatusOK || r.Header.Get("Idempotency-Replayed") != "true" || !read[api.Changed](w, r).Changed {
			t.Errorf("%s %s", r.Status, r.body)
		}
		return
	}
}
