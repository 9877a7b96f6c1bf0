package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Stats count what has happened to requests. They may be read at any time.
type Stats struct {
	Requests   atomic.Int64 // that were sent, repetitions too
	Lost       atomic.Int64 // answers that were thrown away
	Cut        atomic.Int64 // requests after which the client went away
	Partial    atomic.Int64 // requests of which a part was sent
	Doubled    atomic.Int64 // requests that were sent twice at once
	Repeated   atomic.Int64 // requests that were sent again after a good answer
	Broken     atomic.Int64 // connections that failed by themselves
	Busy       atomic.Int64 // answers 429 and 503
	Accidents  atomic.Int64 // answers 500, 502 and 504
	Conflicts  atomic.Int64 // answers 409
	NotThere   atomic.Int64 // answers 404
	lastFaulty atomic.Value // text of the last accident
}

// LastAccident is what the last answer 500 said.
func (s *Stats) LastAccident() string {
	text, _ := s.lastFaulty.Load().(string)
	return text
}

func (s *Stats) String() string {
	return fmt.Sprintf("%d requests; %d answers lost, %d cut off, %d partly sent, %d sent twice at once, %d again; %d connections broken, %d answers 429 or 503, %d accidents, %d 409, %d 404",
		s.Requests.Load(), s.Lost.Load(), s.Cut.Load(), s.Partial.Load(), s.Doubled.Load(), s.Repeated.Load(), s.Broken.Load(), s.Busy.Load(), s.Accidents.Load(), s.Conflicts.Load(), s.NotThere.Load())
}

func (s *Stats) answered(r reply) {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		s.Busy.Add(1)
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		s.Accidents.Add(1)
		s.lastFaulty.Store(r.String())
	case http.StatusConflict:
		s.Conflicts.Add(1)
	case http.StatusNotFound:
		s.NotThere.Add(1)
	}
}

// reply is an answer.
type reply struct {
	status int
	body   map[string]any
}

func (r reply) String() string { return fmt.Sprintf("%d %v", r.status, r.body) }

func (r reply) ok() bool { return r.status >= 200 && r.status < 300 }

// id is that of the resource that was answered.
func (r reply) id() string {
	id, _ := r.body["id"].(string)
	return id
}

// again reports whether a client tries later what was answered so.
func (r reply) again() bool {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// fate is what happens to a request.
type fate int

const (
	good    fate = iota
	lost         // it is answered, and the answer does not arrive
	cut          // the client goes away while it is worked on
	partial      // the client goes away before all is sent
	doubled      // it comes twice at once
	again        // it comes once more after it was answered
)

// request is what a client sends, as often as it takes.
type request struct {
	method, path string
	body         []byte
}

// How long a client waits before it tries again: products wait seconds to hours.
const (
	firstWait = 10 * time.Millisecond
	maxWait   = 500 * time.Millisecond
)

var errGone = errors.New("the client went away")

// talk is one task of a client: requests one after the other, with a fate of their own each.
type talk struct {
	c    *Client
	rand *rand.Rand
}

// do sends a request until there is an answer with which a client goes on. The error says that there is none, or what is
// wrong about answers to requests that came twice.
func (t *talk) do(ctx context.Context, method, path string, body any) (reply, error) {
	q := request{method: method, path: path}
	if body != nil {
		var err error
		if q.body, err = json.Marshal(body); err != nil {
			return reply{}, err
		}
	}
	f := t.draw()
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		r, err := t.suffer(ctx, f, q)
		if f = good; err == nil && !r.again() { // nothing happens to the repetition
			return r, nil
		}
		if wrong, ok := errors.AsType[*contradictionError](err); ok {
			return r, wrong
		}
		if err := pause(ctx, wait); err != nil {
			return r, fmt.Errorf("%s %s: %w; last: %s", method, path, err, r)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// draw decides on the fate of a request.
func (t *talk) draw() fate {
	if t.rand.Float64() >= t.c.o.Faults {
		return good
	}
	return fate(1 + t.rand.IntN(int(again)))
}

// suffer sends a request as its fate wants.
func (t *talk) suffer(ctx context.Context, f fate, q request) (reply, error) {
	s := &t.c.Stats
	switch f {
	case lost:
		s.Lost.Add(1)
		if _, err := t.c.send(ctx, q); err != nil {
			return reply{}, err
		}
		return reply{}, errGone
	case cut:
		s.Cut.Add(1)
		return reply{}, t.c.abandon(ctx, q, 0)
	case partial:
		s.Partial.Add(1)
		return reply{}, t.c.abandon(ctx, q, 1+t.rand.IntN(len(q.body)+16))
	case doubled:
		s.Doubled.Add(1)
		return t.twice(ctx, q)
	case again:
		s.Repeated.Add(1)
		first, err := t.c.send(ctx, q)
		if err != nil || first.again() {
			return first, err
		}
		second, err := t.c.send(ctx, q)
		if err != nil || second.again() {
			return first, nil //nolint:nilerr // the first answer was good
		}
		return first, consistent(q, first, second)
	case good:
	}
	return t.c.send(ctx, q)
}

// twice sends a request twice at once, and takes the better answer.
func (t *talk) twice(ctx context.Context, q request) (reply, error) {
	var answers [2]reply
	var errs [2]error
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i], errs[i] = t.c.send(ctx, q) })
	}
	wg.Wait()
	a, b := answers[0], answers[1]
	switch ill := func(i int) bool { return errs[i] != nil || answers[i].again() }; {
	case ill(0):
		return b, errs[1]
	case ill(1):
		return a, errs[0]
	case !a.ok() && b.ok():
		a, b = b, a
	}
	return a, consistent(q, a, b)
}

// contradictionError says that answers to the same request do not fit.
type contradictionError struct {
	q             request
	first, second reply
}

func (w *contradictionError) Error() string {
	return fmt.Sprintf("%s %s %s came twice: %s, and %s", w.q.method, w.q.path, w.q.body, w.first, w.second)
}

// consistent holds the answers to a request that came twice to each other: what was made is made once, what was deleted
// is gone, everything else is the same. A change is answered with what it made or with nothing, as the client's dialect
// wants it, which not all replicas know at the same moment.
func consistent(q request, first, second reply) error {
	changed := func(r reply) bool { return r.status == http.StatusOK || r.status == http.StatusNoContent }
	fits := first.status == second.status || changed(first) && changed(second)
	switch q.method {
	case http.MethodPost:
		fits = fits && first.id() == second.id() || second.status == http.StatusConflict
	case http.MethodDelete:
		fits = second.status == http.StatusNotFound
	}
	if !fits {
		return &contradictionError{q, first, second}
	}
	return nil
}

func (c *Client) request(ctx context.Context, q request) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, q.method, c.o.Base()+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.o.Token)
	r.Header.Set("User-Agent", c.product.agent())
	r.Header.Set("Accept", "application/scim+json, application/json")
	if len(q.body) > 0 {
		r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	return r, nil
}

// send sends a request once.
func (c *Client) send(ctx context.Context, q request) (reply, error) {
	c.Stats.Requests.Add(1)
	r, err := c.request(ctx, q)
	if err != nil {
		return reply{}, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.Stats.Broken.Add(1)
		return reply{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Stats.Broken.Add(1)
		return reply{}, err
	}
	a := reply{status: resp.StatusCode}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &a.body); err != nil {
			return a, &contradictionError{q, a, reply{body: map[string]any{"no JSON": string(b)}}}
		}
	}
	c.Stats.answered(a)
	return a, nil
}

// abandon sends a request but for its last bytes, and goes away. It returns when the service provider has seen that and
// is done with the request, whatever it has made of it.
func (c *Client) abandon(ctx context.Context, q request, without int) error {
	c.Stats.Requests.Add(1)
	r, err := c.request(ctx, q)
	if err != nil {
		return err
	}
	r.Close = true
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		return err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", r.URL.Host)
	if err != nil {
		c.Stats.Broken.Add(1)
		return err
	}
	defer conn.Close() //nolint:errcheck // nobody waits for it
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := conn.Write(text.Bytes()[:text.Len()-without]); err != nil {
		return err
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // one that is closed already is what is wanted
	}
	_, _ = io.Copy(io.Discard, conn) // until the other side closes it
	return errGone
}

// quoted is a value in a filter.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a text
	}
	return strings.ReplaceAll(string(b), "\\u0026", "&")
}
