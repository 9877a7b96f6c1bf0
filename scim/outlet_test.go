package scim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"usherd/connector"
	"usherd/scim"
)

// watched is a store whose members are watched, and lost after some of them.
type watched struct {
	connector.Reader
	most   atomic.Int64 // members that were asked for at once
	read   atomic.Int64
	breaks atomic.Int64 // after how many members reading fails, 0 = never
	how    func() error // reading fails; nil = the disk is gone
}

func (s *watched) ClientMembers(ctx context.Context, org, client string, group, after connector.ID, limit int) iter.Seq2[connector.ClientMember, error] {
	if limit <= 0 {
		limit = 1 << 30
	}
	s.most.Store(max(s.most.Load(), int64(limit)))
	return func(yield func(connector.ClientMember, error) bool) {
		for m, err := range s.Reader.ClientMembers(ctx, org, client, group, after, limit) {
			if n := s.read.Add(1); n == s.breaks.Load() {
				m, err = connector.ClientMember{}, errors.New("the disk is gone")
				if s.how != nil {
					err = s.how()
				}
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// largest notes what an answer is written in.
type largest struct {
	http.ResponseWriter
	parts, most *atomic.Int64
}

func (w largest) Write(b []byte) (int, error) {
	w.parts.Add(1)
	w.most.Store(max(w.most.Load(), int64(len(b))))
	return w.ResponseWriter.Write(b)
}

// crowd is a door with groups of many members.
type crowd struct {
	*world
	store       *watched
	parts, most atomic.Int64
	groups      int
	members     int
}

func newCrowd(t *testing.T, members int) *crowd {
	t.Helper()
	c := &crowd{world: newWorld(t), groups: 3, members: members}
	ids := c.fill(c.members)
	for i := range c.groups {
		c.groupOf(fmt.Sprint("G", i), ids)
	}
	c.store = &watched{Reader: c.db}
	core, logs := observer.New(zap.ErrorLevel)
	c.logs = logs
	server, err := scim.New(scim.Options{Store: c.store, Gate: c.gate, URL: "https://scim.test", Now: c.clock, Log: zap.New(core)})
	if err == nil {
		err = server.Replace(c.orgs)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(largest{w, &c.parts, &c.most}, r)
	})
	return c
}

// sent is what came of an answer.
type sent struct {
	status int
	length int64 // that was announced, -1 = none
	etag   string
	body   []byte
}

func (c *crowd) list(t *testing.T, method, path string) (sent, error) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, c.srv.URL+"/scim/acme/v2"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+c.tokens["acme:idp"])
	a, err := c.srv.Client().Do(q)
	if err != nil {
		return sent{}, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return sent{a.StatusCode, a.ContentLength, a.Header.Get("Etag"), b}, err
}

// However many members the groups of a page have, neither they nor their answer are in memory as a whole.
func TestGroupsWithAllTheirMembersAreSentWhileTheyAreRead(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 2500)
	for path, want := range map[string]int{
		"/Groups":                                        c.groups * c.members,
		"/Groups?attributes=members.value":               c.groups * c.members,
		"/Groups?attributes=members":                     c.groups * c.members,
		"/Groups?filter=" + "members.display+sw+%22G%22": c.groups * c.members, // no index answers that
		"/Groups?excludedAttributes=members":             0,
	} {
		c.most.Store(0)
		a, err := c.list(t, http.MethodGet, path)
		var got struct {
			TotalResults, ItemsPerPage int
			Resources                  []struct {
				ID      string
				Members []struct{ Value string }
			}
		}
		if err == nil {
			err = json.Unmarshal(a.body, &got)
		}
		members := 0
		for _, g := range got.Resources {
			seen := map[string]bool{}
			for _, m := range g.Members {
				seen[m.Value] = true
			}
			members += len(seen)
		}
		if err != nil || got.TotalResults != c.groups || got.ItemsPerPage != c.groups || len(got.Resources) != c.groups || members != want {
			t.Errorf("%s: %v, %d of %d groups, %d members, want %d", path, err, len(got.Resources), got.TotalResults, members, want)
		}
		if whole := a.length >= 0; whole != (want == 0) || c.most.Load() > 70_000 {
			t.Errorf("%s: length %d, parts of up to %d bytes", path, a.length, c.most.Load())
		}
	}
	if c.store.most.Load() > 1000 {
		t.Errorf("%d members were asked for at once", c.store.most.Load())
	}
	a, err := c.list(t, http.MethodHead, "/Groups")
	if err != nil || a.status != http.StatusOK || len(a.body) > 0 || a.length >= 0 {
		t.Errorf("HEAD: %v %d, length %d, %d bytes", err, a.status, a.length, len(a.body))
	}
}

// When the store fails, a client gets an error or half an answer that no client can take for the whole.
func TestAnswersThatBreakOff(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 2500)
	c.store.breaks.Store(10)
	a, err := c.list(t, http.MethodGet, "/Groups")
	if err != nil || a.status != http.StatusInternalServerError || a.etag != "" || !json.Valid(a.body) {
		t.Errorf("at once: %v %d %q %s", err, a.status, a.etag, a.body)
	}
	c.store.read.Store(0)
	c.store.breaks.Store(int64(c.members + 7))
	a, err = c.list(t, http.MethodGet, "/Groups")
	if err == nil || a.status != http.StatusOK || json.Valid(a.body) {
		t.Errorf("in the middle: %v, %d bytes", err, len(a.body))
	}
	c.store.breaks.Store(0)
	if a, err = c.list(t, http.MethodGet, "/Groups?count=1"); err != nil || a.status != http.StatusOK || !json.Valid(a.body) {
		t.Errorf("afterwards: %v %.200s", err, a.body)
	}
	direct := httptest.NewRecorder() // what the log and the metrics see of a short answer
	q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/scim/acme/v2/Groups?excludedAttributes=members", http.NoBody)
	q.Header.Set("Authorization", "Bearer "+c.tokens["acme:idp"])
	c.server.ServeHTTP(direct, q)
	if got := direct.Header().Get("Content-Length"); got != strconv.Itoa(direct.Body.Len()) || !strings.HasPrefix(direct.Body.String(), "{") {
		t.Errorf("length %s of %d", got, direct.Body.Len())
	}
}

// A fault of ours in the middle of an answer ends it there too: no error is written behind its beginning.
func TestPanicInTheMiddleOfAnAnswer(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 600)
	c.store.how = func() error { panic("a fault") }
	c.store.breaks.Store(int64(c.members + 7))
	a, err := c.list(t, http.MethodGet, "/Groups")
	if err == nil || a.status != http.StatusOK || strings.Contains(string(a.body), "messages:2.0:Error") {
		t.Errorf("%v %d, %d bytes that end in %q", err, a.status, len(a.body), a.body[max(len(a.body)-200, 0):])
	}
	c.store.read.Store(0)
	c.store.breaks.Store(7)
	if a, err = c.list(t, http.MethodGet, "/Groups"); err != nil || a.status != http.StatusInternalServerError || !json.Valid(a.body) {
		t.Errorf("at once: %v %d %s", err, a.status, a.body)
	}
}

// That a client goes away in the middle of its answer is no fault of ours that somebody has to look at.
func TestClientThatGoesAwayIsNoError(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 600)
	ctx, cancel := context.WithCancel(t.Context())
	c.store.how = func() error { cancel(); return ctx.Err() }
	c.store.breaks.Store(int64(c.members + 7))
	q := httptest.NewRequestWithContext(ctx, http.MethodGet, "/scim/acme/v2/Groups", http.NoBody)
	q.Header.Set("Authorization", "Bearer "+c.tokens["acme:idp"])
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			t.Errorf("the answer ends by %v", v)
		}
		if c.logs.Len() > 0 {
			t.Errorf("logged: %v", c.logs.All())
		}
	}()
	c.srv.Config.Handler.ServeHTTP(httptest.NewRecorder(), q)
}

// unread is a store that cannot be read any more when something was written.
type unread struct{ connector.Reader }

func (unread) ClientGroup(context.Context, string, string, connector.ID) (*connector.ClientGroup, error) {
	return nil, errors.New("the disk is gone")
}

// That nothing was changed is told only where it is so.
func TestFaultsAfterAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/Groups/" + w.groupOf("G", nil)
	server, err := scim.New(scim.Options{Store: unread{w.db}, Gate: w.gate, URL: "https://scim.test", Now: w.clock, Log: zap.NewNop()})
	if err == nil {
		err = server.Replace(w.orgs)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.srv.Config.Handler = server
	const untouched = "nothing was changed"
	if r := w.send("GET", at, "").want(t, http.StatusInternalServerError); !strings.Contains(r.text("detail"), untouched) {
		t.Errorf("%s", r.body)
	}
	r := w.send("PATCH", at, patchOf(`{"op":"replace","path":"displayName","value":"H"}`)).want(t, http.StatusInternalServerError)
	if strings.Contains(r.text("detail"), untouched) || !strings.Contains(r.text("detail"), "the change is stored") {
		t.Errorf("%s", r.body)
	}
	if g := w.send("GET", "/Groups?filter=displayName+eq+%22H%22", ""); !strings.Contains(g.body, `"totalResults":1`) {
		t.Errorf("%s", g.body)
	}
}
