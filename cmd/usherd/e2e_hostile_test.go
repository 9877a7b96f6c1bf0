package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const hostileConfig = `listen: 127.0.0.1:0
store: sqlite:$DIR/usherd.db
scim: {listen: "127.0.0.1:0", url: "https://scim.test"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: unlimited}]
  package: standard
  sources: [{id: flood, scim: {rate: 10000}}, {id: calm, scim: {rate: 10000}}]
`

// besieged is a daemon with clients at its door.
type besieged struct {
	*rig
	d      *serving
	door   string // host:port
	tokens map[string]string
	http   *http.Client
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	b := &besieged{rig: newRig(t, hostileConfig), tokens: map[string]string{}, http: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, source := range []string{"flood", "calm"} {
		b.tokens[source] = decode[newTokenJSON](b.rig, exitOK, "token", "create", "--source", source, "-o", "json").Token
	}
	b.d = b.daemonOf(t, b.quick)
	b.door = b.d.log.find(t, "scim listens")["listen"].(string)
	return b
}

// find waits for a line, which may have come before others that were awaited.
func (l *logLines) find(t *testing.T, msg string) map[string]any {
	t.Helper()
	l.mu.Lock()
	l.read = 0
	l.mu.Unlock()
	return l.await(t, msg)
}

// ask makes a request of a client; the path is below v2.
func (b *besieged) ask(source, method, path string, body io.Reader, header ...string) (status int, contentType, text string, err error) {
	r, err := http.NewRequestWithContext(b.t.Context(), method, "http://"+b.door+"/scim/acme/v2"+path, body)
	if err != nil {
		return 0, "", "", err
	}
	r.Header.Set("Authorization", "Bearer "+b.tokens[source])
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.http.Do(r)
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(all), err
}

// must is ask with the one status that is wanted.
func (b *besieged) mustAsk(source, method, path, body string, want int) map[string]any {
	b.t.Helper()
	status, _, text, err := b.ask(source, method, path, strings.NewReader(body))
	if err != nil || status != want {
		b.t.Fatalf("%s %s: %d, want %d, %v: %s", method, path, status, want, err, text)
	}
	var m map[string]any
	_ = json.Unmarshal([]byte(text), &m) // a body that is none has no fields
	return m
}

// memory is what the daemon holds, in MB; 0 where that cannot be told.
func (b *besieged) memory() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.d.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kb >> 10
}

func scimPerson(name, more string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"name":{"familyName":"F","givenName":"G"},"emails":[{"value":"%s@example.test"}]%s}`, name, name, more)
}

func bulkOf(ops ...string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

func bulkGroup(i int, members ...string) string {
	return fmt.Sprintf(`{"method":"POST","path":"/Groups","bulkId":"g%d","data":{"displayName":"Bulk %d","externalId":"%s","members":[%s]}}`, i, i, strings.Repeat("x", 100), strings.Join(members, ","))
}

// numbered are n texts.
func numbered(n int, of func(i int) string) []string {
	list := make([]string, n)
	for i := range n {
		list[i] = of(i)
	}
	return list
}

// attacks are requests that have ended, or filled, other services. Each has to be answered, fast, with one of some
// statuses.
func attacks() []attack {
	deep := strings.Repeat
	ops := func(n int, op string) string {
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + strings.Join(numbered(n, func(int) string { return op }), ",") + `]}`
	}
	refs := func(n int) []string {
		return numbered(n, func(i int) string { return fmt.Sprintf(`{"value":"bulkId:g%d"}`, i) })
	}
	list := []attack{
		{name: "a chain of bulkIds, backwards", method: "POST", path: "/Bulk", body: bulkOf(numbered(1000, func(i int) string {
			if i == 999 {
				return bulkGroup(i)
			}
			return bulkGroup(i, append(numbered(100, func(j int) string { return fmt.Sprintf(`{"value":"nobody%d"}`, j) }), fmt.Sprintf(`{"value":"bulkId:g%d"}`, i+1))...)
		})...), want: []int{200}},
		{name: "a circle of bulkIds", method: "POST", path: "/Bulk", body: bulkOf(numbered(100, func(i int) string { return bulkGroup(i+2000, refs(100)...) })...), want: []int{200}},
		{name: "a bulk of bulks", method: "POST", path: "/Bulk", body: bulkOf(`{"method":"POST","path":"/Bulk","bulkId":"b","data":` + bulkOf(`{"method":"POST","path":"/Bulk","bulkId":"c","data":{}}`) + `}`), want: []int{400}},
		{name: "too many operations", method: "POST", path: "/Bulk", body: bulkOf(numbered(1001, func(int) string { return `{"method":"DELETE","path":"/Users/x"}` })...), want: []int{413}},
		{name: "too many operations of a PATCH", method: "PATCH", path: "/Groups/" + nobodyID, body: ops(1001, `{"op":"add","path":"members","value":[]}`), want: []int{413}},
		{name: "a thousand filters of a thousand values", method: "PATCH", path: "/Users/{id}", body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"roles","value":[` +
			strings.Join(numbered(2000, func(i int) string { return fmt.Sprintf(`{"value":"r%d","type":"t%d"}`, i, i) }), ",") + `]},` +
			strings.Join(numbered(900, func(i int) string {
				return fmt.Sprintf(`{"op":"replace","path":"roles[value eq \"r%d\" and not (type co \"x\")].display","value":"d"}`, i)
			}), ",") + `]}`, want: []int{200, 400, 413}},
	}
	for name, text := range map[string]string{
		"parentheses": deep("(", 400_000), "not": deep("not(", 100_000), "dots": deep("a.", 500_000), "brackets": deep("a[", 200_000), "ands": deep(`a eq "b" and `, 50_000),
	} {
		list = append(list,
			attack{name: "a filter of " + name, method: "GET", path: "/Users?filter=" + url.QueryEscape(text), want: []int{400, 414, 431}},
			attack{name: "a searched filter of " + name, method: "POST", path: "/Users/.search", body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":` + strconv.Quote(text) + `}`, want: []int{400, 413}},
			attack{name: "a path of " + name, method: "PATCH", path: "/Groups/" + nobodyID, body: ops(1, `{"op":"remove","path":`+strconv.Quote(text)+`}`), want: []int{400, 404}},
			attack{name: "sorting by " + name, method: "GET", path: "/Users?sortBy=" + url.QueryEscape(text[:20_000]), want: []int{400, 431}},
		)
	}
	for name, text := range map[string]string{
		"nested objects": deep(`{"a":`, 2<<20), "nested lists": deep("[", 10<<20), "nested lists in an object": `{"a":` + deep("[", 10<<20),
		"keys":         "{" + strings.Join(numbered(300_000, func(i int) string { return fmt.Sprintf(`"k%d":1`, i) }), ",") + "}",
		"the same key": "{" + strings.Join(numbered(1_000_000, func(int) string { return `"k":1` }), ",") + "}",
		"digits":       `{"displayName":` + deep("9", 10<<20) + `}`, "no end": `{"displayName":"` + deep("x", 10<<20), "too much": `{"displayName":"` + deep("x", 17<<20) + `"}`,
		"escapes": `{"displayName":"` + deep(`\u0000\ud800`, 500_000) + `"}`, "nothing": deep("\x00", 1<<20), "no UTF-8": `{"displayName":"` + deep("\xff", 1<<20) + `"}`,
		"spaces": deep(" ", 10<<20), "a long name": `{"displayName":"` + deep("n", 8<<20) + `"}`,
		"members who are nobody": `{"displayName":"Crowd","members":[` + strings.Join(numbered(200_000, func(i int) string { return fmt.Sprintf(`{"value":"nobody-%d"}`, i) }), ",") + `]}`,
	} {
		list = append(list, attack{name: "a body of " + name, method: "POST", path: "/Groups", body: text, want: []int{400, 413, 201}})
	}
	return append(list,
		attack{name: "a huge header", method: "GET", path: "/Users", header: []string{"X-Big", deep("h", 10<<20)}, want: []int{431}},
		attack{name: "many tags", method: "GET", path: "/Users", header: []string{"If-None-Match", deep(`"a",`, 7000)}, want: []int{200}},
		attack{name: "a long Accept", method: "GET", path: "/Users", header: []string{"Accept", deep("a/b,", 7000)}, want: []int{406}},
		attack{name: "a long path", method: "GET", path: "/Users/" + deep("x", 25_000), want: []int{404}},
		attack{name: "many slashes", method: "GET", path: "/" + deep("/", 10_000), want: []int{404}},
		attack{name: "a doubled slash", method: "GET", path: "//Users", want: []int{404}},
		attack{name: "a path with dots", method: "DELETE", path: "/Users/../Groups/x", want: []int{404}},
		attack{name: "a cursor", method: "GET", path: "/Users?cursor=" + deep("A", 25_000), want: []int{400}},
		attack{name: "many attributes", method: "GET", path: "/Users?attributes=" + deep("a[b,", 7000), want: []int{200}},
		attack{name: "numbers", method: "GET", path: "/Users?startIndex=9223372036854775807&count=9223372036854775807", want: []int{200}},
		attack{name: "numbers that are none", method: "GET", path: "/Users?startIndex=99999999999999999999", want: []int{400}},
		attack{name: "gzip", method: "POST", path: "/Users", body: "\x1f\x8b\x08", header: []string{"Content-Encoding", "gzip"}, want: []int{400, 415}},
		attack{name: "another type", method: "POST", path: "/Users", body: "<x/>", header: []string{"Content-Type", "text/xml"}, want: []int{415}},
		attack{name: "a made-up method", method: "SPLICE", path: "/Users", want: []int{405}},
		attack{name: "a made-up method at nothing", method: "SPLICE", path: "/nothing", want: []int{404}},
	)
}

// nobodyID is an id that nobody has.
const nobodyID = "019b0000-0000-7000-8000-000000000000"

type attack struct {
	name, method, path, body string
	header                   []string
	want                     []int
}

// What has ended other services is answered, the daemon lives on, and holds no more memory than before.
func TestHostileRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	id := b.mustAsk("flood", "POST", "/Users", scimPerson("victim", ""), http.StatusCreated)["id"].(string)
	for _, x := range attacks() {
		start := time.Now()
		status, contentType, text, err := b.ask("flood", x.method, strings.ReplaceAll(x.path, "{id}", id), strings.NewReader(x.body), x.header...)
		took := time.Since(start)
		// A refusal may come before all is sent, and the connection end with it.
		if cutOff := len(x.body) > 1<<20 && err != nil; !cutOff && (err != nil || !slices.Contains(x.want, status)) {
			t.Errorf("%s: %d, %v: %.300s", x.name, status, err, text)
		}
		if byServer := status == http.StatusRequestHeaderFieldsTooLarge; err == nil && !byServer && contentType != "application/scim+json" {
			t.Errorf("%s: %d is answered as %q: %.300s", x.name, status, contentType, text)
		}
		if took > time.Second {
			t.Logf("%s took %s", x.name, took.Round(time.Millisecond))
		}
		if took > 20*time.Second { // far from what it takes, for a machine that has others to serve
			t.Errorf("%s took %s", x.name, took)
		}
		b.mustAsk("calm", "GET", "/Users/"+id, "", http.StatusOK)
	}
	before := b.memory()
	for _, x := range attacks() {
		if x.path != "/Bulk" {
			_, _, _, _ = b.ask("flood", x.method, strings.ReplaceAll(x.path, "{id}", id), strings.NewReader(x.body), x.header...) // as above
		}
	}
	if after := b.memory(); after > before+before/2+100 {
		t.Errorf("the daemon held %d MB and holds %d MB", before, after)
	}
	b.d.end()
	b.verify()
}

// slowly opens connections on which a request never ends, and returns what closes them.
func (b *besieged) slowly(source string, n int, head string) (end func()) {
	b.t.Helper()
	var conns []net.Conn
	for range n {
		c, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", b.door)
		if err != nil {
			b.t.Fatal(err)
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, strings.ReplaceAll(head, "TOKEN", b.tokens[source])); err != nil {
			b.t.Fatal(err)
		}
	}
	return func() {
		for _, c := range conns {
			_ = c.Close() // the other side may have done so
		}
	}
}

// latencies asks n times and returns how long that took, the longest last. Whoever asks one after the other is never
// refused.
func (b *besieged) latencies(source, path string, n int) []time.Duration {
	b.t.Helper()
	all := make([]time.Duration, n)
	for i := range all {
		start := time.Now()
		b.mustAsk(source, "GET", path, "", http.StatusOK)
		all[i] = time.Since(start)
	}
	slices.Sort(all)
	return all
}

// One client's flood, of whatever kind, is that client's trouble.
func TestFloodsStarveNobodyElse(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	var id string
	for i := range 120 {
		id = b.mustAsk("flood", "POST", "/Users", scimPerson(fmt.Sprintf("u%d", i), `,"title":"T"`), http.StatusCreated)["id"].(string)
	}
	const n = 60
	alone := b.latencies("calm", "/Users/"+id, n)[n*99/100]
	flood := func(method, path, body string) func() func() {
		return func() func() {
			var ended atomic.Bool
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for !ended.Load() {
						_, _, _, _ = b.ask("flood", method, path, strings.NewReader(body)) // whatever it is told
					}
				})
			}
			return func() {
				ended.Store(true)
				wg.Wait()
			}
		}
	}
	slow := func(head string) func() func() { return func() func() { return b.slowly("flood", 100, head) } }
	const auth = " HTTP/1.1\r\nHost: scim.test\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/scim+json\r\n"
	for name, begin := range map[string]func() func(){
		"reads":        flood("GET", "/Users?filter="+url.QueryEscape(`title co "T"`), ""),
		"writes":       flood("PATCH", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"U"}]}`),
		"refusals":     flood("POST", "/Users", `{"userName":`),
		"slow heads":   slow("POST /scim/acme/v2/Users" + auth),
		"slow bodies":  slow("POST /scim/acme/v2/Groups" + auth + "Content-Length: 1000000\r\n\r\n{"),
		"slow chunks":  slow("PUT /scim/acme/v2/Groups/" + nobodyID + auth + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"),
		"slow readers": slow(strings.Repeat("GET /scim/acme/v2/Users?count=1000"+auth+"\r\n", 50)),
	} {
		end := begin()
		under := b.latencies("calm", "/Users/"+id, n)[n*99/100]
		end()
		t.Logf("99 of 100 answers within %s alone, %s beside a flood of %s", alone.Round(10*time.Microsecond), under.Round(10*time.Microsecond), name)
		if most := 30*alone + time.Second; under > most {
			t.Errorf("a flood of %s: 99 of 100 answers within %s, alone %s", name, under, alone)
		}
	}
	b.d.end()
	b.verify()
}

// A token is changed for another one under load: nobody with the new one is refused, and the old one ends within a second.
func TestTokensAreChangedUnderLoad(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	old := b.tokens["flood"]
	next := decode[newTokenJSON](b.rig, exitOK, "token", "create", "--source", "flood", "--name", "next", "-o", "json")
	var revoked atomic.Int64 // when, in nanoseconds since 1970
	var good, refused atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				token := [...]string{old, next.Token}[i%2]
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.door+"/scim/acme/v2/Users?count=1", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				sent := time.Now().UnixNano()
				resp, err := b.http.Do(r)
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				var text bytes.Buffer
				_, _ = text.ReadFrom(resp.Body) // for the message only
				_ = resp.Body.Close()
				ended := revoked.Load()
				switch late := time.Duration(sent - ended); {
				case resp.StatusCode == http.StatusOK && token == old && ended > 0 && late > time.Second:
					t.Errorf("a revoked token opens the door after %s", late)
				case resp.StatusCode == http.StatusOK:
					good.Add(1)
				case resp.StatusCode == http.StatusUnauthorized && token == old && ended > 0:
					refused.Add(1)
				default:
					t.Errorf("%d %s", resp.StatusCode, text.String())
				}
			}
		})
	}
	list := decode[struct{ Tokens []tokenJSON }](b.rig, exitOK, "token", "list", "-o", "json")
	first := slices.IndexFunc(list.Tokens, func(k tokenJSON) bool { return k.Source == "flood" && k.ID != next.ID })
	b.waitFor(func() bool { return good.Load() > 100 })
	before := time.Now().UnixNano()
	revoked.Store(before) // as early as it may count for a refusal
	b.must(exitOK, "token", "revoke", list.Tokens[first].ID)
	revoked.Store(time.Now().UnixNano())
	b.waitFor(func() bool { return refused.Load() > 100 })
	stop()
	wg.Wait()
	t.Logf("%d answers, %d refusals", good.Load(), refused.Load())
	b.d.end()
}

// waitFor looks until something is so.
func (b *besieged) waitFor(is func() bool) {
	b.t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			b.t.Fatal("it took longer than a minute")
		}
	}
}
