package scim_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usherd/connector"
	"usherd/scim/requestlog"
)

// The benchmarks answer requests without a network, so that a profile shows the door:
//
//	go test ./scim -run '^$' -bench Requests/get -cpuprofile cpu.out

const benchUsers = 20_000

func BenchmarkRequests(b *testing.B) {
	w, handler, kinds := newBench(b)
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					method, path, body := k.ask(int(w.asked.Add(1)))
					q := httptest.NewRequestWithContext(b.Context(), method, "/scim/acme/v2"+path, strings.NewReader(body))
					q.Header.Set("Authorization", "Bearer "+w.tokens["acme:idp"])
					a := httptest.NewRecorder()
					handler.ServeHTTP(a, q)
					if a.Code >= http.StatusBadRequest {
						b.Errorf("%s %s: %d %s", method, path, a.Code, a.Body)
						return
					}
				}
			})
		})
	}
}

// benched is a kind of request.
type benched struct {
	name string
	ask  func(i int) (method, path, body string)
}

type benchWorld struct {
	*world
	asked atomic.Int64
}

func newBench(b *testing.B) (*benchWorld, http.Handler, []benched) {
	b.Helper()
	w := &benchWorld{world: newWorld(b)}
	ids := w.fill(benchUsers)
	for _, o := range w.orgs {
		for id, c := range o.Clients {
			c.KeepLog = true
			o.Clients[id] = c
		}
	}
	w.replace()
	log := requestlog.New(requestlog.Options{Store: w.db, Now: time.Now})
	b.Cleanup(func() { _ = log.Close() })
	group := w.groupOf("G", ids[:benchUsers/2])
	patch := func(op, path, value string) string {
		return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":%q,"path":%q,"value":%s}]}`, op, path, value)
	}
	return w, log.Handler(w.server), []benched{
		{"get", func(i int) (string, string, string) {
			return http.MethodGet, "/Users/" + ids[i*7919%len(ids)].String(), ""
		}},
		{"filter", func(i int) (string, string, string) {
			return http.MethodGet, "/Users?filter=" + url.QueryEscape(fmt.Sprintf("userName eq %q", benchName(i*7919%len(ids)))), ""
		}},
		{"list", func(int) (string, string, string) { return http.MethodGet, "/Users?count=100", "" }},
		{"post", func(i int) (string, string, string) {
			return http.MethodPost, "/Users", benchBody(benchUsers + i)
		}},
		{"patch", func(i int) (string, string, string) {
			return http.MethodPatch, "/Users/" + ids[i%len(ids)].String(), patch("replace", "active", strconv.FormatBool(i/len(ids)%2 == 1))
		}},
		{"member", func(i int) (string, string, string) {
			half := ids[len(ids)/2:]
			return http.MethodPatch, "/Groups/" + group, patch([]string{"add", "remove"}[i/len(half)%2], "members", fmt.Sprintf(`[{"value":%q}]`, half[i%len(half)]))
		}},
	}
}

// fill writes users as client idp of acme would have pushed them, a thousand at a time.
func (w *world) fill(n int) []connector.ID {
	w.t.Helper()
	ids := make([]connector.ID, 0, n)
	for len(ids) < n {
		now := w.clock()
		chunk := make([]*connector.Change, min(1000, n-len(ids)))
		for i := range chunk {
			chunk[i] = benchUser(len(ids), now)
			ids = append(ids, chunk[i].After.ID)
		}
		if err := w.db.Bulk(w.t.Context(), func(tx connector.Tx) error {
			errs, err := tx.Save(w.t.Context(), chunk, connector.Cause{Kind: connector.CauseRequest, Actor: "test"}, now)
			return errors.Join(append(errs, err)...)
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	return ids
}

// groupOf makes a group with that name and these members and returns its id.
func (w *world) groupOf(name string, ids []connector.ID) string {
	w.t.Helper()
	var members []string
	for _, id := range ids {
		members = append(members, fmt.Sprintf(`{"value":%q}`, id))
	}
	r := w.send(http.MethodPost, "/Groups?attributes=id", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"`+name+`","members":[`+strings.Join(members, ",")+`]}`)
	_, id, _ := strings.Cut(r.body, `"id":"`)
	if r.status != http.StatusCreated || len(id) < 36 {
		w.t.Fatal(r.status, r.body)
	}
	return id[:36]
}

func benchName(n int) string { return fmt.Sprintf("user%06d@example.com", n) }

func benchBody(n int) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u%d","userName":%q,`+
		`"name":{"givenName":"Given","familyName":"Family%[1]d"},"displayName":"Given Family%[1]d","active":true,"title":"Engineer",`+
		`"emails":[{"value":%[2]q,"type":"work","primary":true}],"phoneNumbers":[{"value":"+46 8 123 %[1]d","type":"work"}]}`, n, benchName(n))
}

// benchUser is the decision to create the user of benchBody.
func benchUser(n int, now time.Time) *connector.Change {
	name, family := benchName(n), fmt.Sprint("Family", n)
	u := &connector.User{
		ID: connector.NewID(now), Org: "acme", State: connector.Active, Package: "standard", CreatedAt: now, UpdatedAt: now, Version: 1,
		Profile: connector.Profile{
			"userName": {name}, "givenName": {"Given"}, "familyName": {family}, "displayName": {"Given " + family}, "title": {"Engineer"},
			"email": {name}, "phone": {fmt.Sprint("+46 8 123 ", n)},
		},
	}
	anchor := connector.Anchor{Kind: connector.TextAnchor, Raw: fmt.Sprint("00u", n)}
	return &connector.Change{
		Action: connector.Created, Org: "acme", Source: "idp", Anchor: anchor, Subject: name, After: u, Fields: connector.Diff(nil, u), TakeSeat: "standard",
		Transitions: []connector.Transition{{To: connector.Active, Signal: "created"}},
		Link:        &connector.Link{Org: "acme", Source: "idp", Anchor: anchor, User: u.ID, Standing: connector.StandingEnabled, UpdatedAt: now},
	}
}
