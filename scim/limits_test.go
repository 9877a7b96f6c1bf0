package scim_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"usherd/connector"
	"usherd/scim"
	"usherd/scim/auth"
)

// at makes a request of acme's client to any path of the server.
func (w *world) at(t *testing.T, method, path string, body io.Reader, header ...string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.srv.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.tokens["acme:idp"])
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header, string(b)}
}

// endless is a body of n bytes, made as it is read. Length is not told.
func endless(n int64) io.Reader {
	return io.MultiReader(strings.NewReader(`{"userName":"`), io.LimitReader(letters{}, n), strings.NewReader(`"}`))
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestBodiesThatAreTooLarge(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	const mib = 1 << 20
	for _, c := range []struct {
		method, path string
		size         int64
		status       int
	}{
		{"POST", "/Users", mib, 413},
		{"POST", "/Users", mib - 1024, 400}, // read, and refused for what it says
		{"PUT", "/Users/" + h.ann, mib, 413},
		{"PATCH", "/Users/" + h.ann, mib, 413},
		{"POST", "/Users/.search", mib, 413},
		{"POST", "/.search", mib, 413},
		{"POST", "/Groups", mib, 400},
		{"POST", "/Groups", 16 * mib, 413},
		{"PATCH", "/Groups/" + h.team, 16 * mib, 413},
		{"POST", "/Bulk", mib, 400},
		{"POST", "/Bulk", 16 * mib, 413},
	} {
		r := h.at(t, c.method, "/scim/acme/v2"+c.path, endless(c.size), "Content-Type", "application/scim+json")
		if r.status != c.status {
			t.Errorf("%s %s of %d bytes: %d, want %d: %.200s", c.method, c.path, c.size, r.status, c.status, r.body)
		}
		isError(t, r)
	}
	h.send("GET", "/Users/"+h.ann, "").want(t, http.StatusOK)
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, c := range []struct {
		header, value string
		status        int
	}{
		{"Content-Type", "application/scim+json", 201},
		{"Content-Type", "application/json", 201},
		{"Content-Type", "application/scim+json; charset=utf-8", 201},
		{"Content-Type", `Application/SCIM+JSON;charset="UTF-8"`, 201},
		{"Content-Type", "application/json; odata=verbose", 201},
		{"Content-Type", "", 201},
		{"Content-Type", "application/json; charset=iso-8859-1", 415},
		{"Content-Type", "text/plain", 415},
		{"Content-Type", "application/x-www-form-urlencoded", 415},
		{"Content-Type", "application/json, text/plain", 415},
		{"Content-Type", ";", 415},
		{"Accept", "", 201},
		{"Accept", "*/*", 201},
		{"Accept", "application/*", 201},
		{"Accept", "application/json", 201},
		{"Accept", "text/html, application/json;q=0.9", 201},
		{"Accept", "application/scim+json;q=0.5, */*;q=0.1", 201},
		{"Accept", "text/html", 406},
		{"Accept", "text/*, image/png", 406},
		{"Accept", "application/xml", 406},
		{"Accept", "application/scim+json;q=0, text/html", 406},
	} {
		name := fmt.Sprintf("u%d", i)
		r := w.at(t, "POST", "/scim/acme/v2/Users", strings.NewReader(person(name, "")), "Content-Type", "application/scim+json", c.header, c.value)
		if r.status != c.status {
			t.Errorf("%s: %s: %d, want %d: %s", c.header, c.value, r.status, c.status, r.body)
		}
		if got := r.header.Get("Content-Type"); got != "application/scim+json" {
			t.Errorf("%s: %s: the answer is %s", c.header, c.value, got)
		}
	}
}

// Bodies that two readers could read as two things are refused, and nothing of them is done.
func TestBodiesThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, body := range []string{
		"", " ", "null", "[]", `"x"`, "5", "{", `{"userName":`, `{"userName":"x"`, "{}x", "{} {}", `{"userName":"x",}`, `{'userName':'x'}`, `{userName:"x"}`, `{"userName":"x"} //`,
		`{"userName":"a","userName":"b"}`, `{"userName":"a","USERNAME":"b"}`, `{"name":{"givenName":"a","GivenName":"b"}}`, `{"a":[{"b":1,"B":2}]}`,
		`{"a":01}`, `{"a":+1}`, `{"a":NaN}`, `{"a":"` + "\x01" + `"}`, `{"a":"` + "\xff" + `"}`, `{"a":"\ud800"}`, `{"a":"\x"}`, "\ufeff{}", deep, strings.Repeat("[", 100_000),
	} {
		r := w.at(t, "POST", "/scim/acme/v2/Users", strings.NewReader(body), "Content-Type", "application/scim+json")
		if r.status != http.StatusBadRequest || r.text("scimType") != "invalidSyntax" {
			t.Errorf("%.60q: %d %s", body, r.status, r.body)
		}
		isError(t, r)
	}
	if p := w.page("/Users"); p.TotalResults != 0 {
		t.Errorf("%d users were made", p.TotalResults)
	}
}

// A filter that is too long or too deep is an answer in no time, wherever it stands.
func TestHostileFilters(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	for _, filter := range []string{
		strings.Repeat("(", 4000) + "id pr" + strings.Repeat(")", 4000), strings.Repeat("not (", 700) + "id pr" + strings.Repeat(")", 700),
		strings.Repeat("id pr or ", 200) + "id pr", strings.Repeat("a.", 2000) + "b pr", `userName eq "` + strings.Repeat("x", 5000) + `"`,
	} {
		body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":` + quoted(filter) + `}`
		for _, r := range []response{
			h.send("GET", "/Users?"+encoded("filter="+filter), ""), h.send("POST", "/Users/.search", body), h.send("POST", "/.search", body),
			h.send("PATCH", "/Users/"+h.ann, patchOf(`{"op":"remove","path":`+quoted("emails["+filter+"]")+`}`)),
		} {
			if r.status != http.StatusBadRequest {
				t.Errorf("%.30s: %d %.200s", filter, r.status, r.body)
			}
		}
	}
	long := strings.Repeat("(", 400_000)
	if r := h.send("POST", "/Users/.search", `{"filter":"`+long+`"}`); r.status != http.StatusBadRequest || r.text("scimType") != "invalidFilter" {
		t.Errorf("400,000 parentheses: %d %.200s", r.status, r.body)
	}
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func TestTooManyOperations(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	many := strings.Repeat(`{"op":"add","path":"title","value":"x"},`, 1000) + `{"op":"add","path":"title","value":"y"}`
	if r := h.send("PATCH", "/Users/"+h.ann, patchOf(many)); r.status != http.StatusBadRequest && r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("1,001 operations: %d %.200s", r.status, r.body)
	}
	if got := h.send("GET", "/Users/"+h.ann, "").text("title"); got != "Guide" {
		t.Errorf("title is %q", got)
	}
	few := strings.TrimSuffix(strings.Repeat(`{"op":"add","path":"title","value":"x"},`, 1000), ",")
	h.send("PATCH", "/Users/"+h.ann, patchOf(few)).want(t, http.StatusOK)
}

// broken is a store that fails, with words that are nobody's business.
type broken struct {
	connector.Reader
	err error
}

func (b broken) ClientUser(context.Context, string, string, connector.ID) (*connector.ClientUser, error) {
	return nil, b.err
}

// A fault of ours is no answer about the request: its words stay in the log, under a reference.
func TestFaultsOfOursAreHidden(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial postgres://usherd:hunter2@db.internal")
	for _, c := range []struct {
		name   string
		err    error
		status int
	}{
		{"an accident", secret, 500},
		{"a wrapped accident", fmt.Errorf("reading: %w", secret), 500},
		{"a store that is away", &connector.Error{Kind: connector.Unavailable, Op: "store", Err: secret}, 503},
		{"a conflict of transactions", &connector.Error{Kind: connector.Conflict, Op: "store", Err: secret}, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			core, logs := observer.New(zapcore.ErrorLevel)
			s, err := scim.New(scim.Options{Store: broken{w.db, c.err}, Gate: w.gate, URL: "https://scim.test", Now: w.clock, Log: zap.New(core)})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Replace(w.orgs); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/scim/acme/v2/Users/0199b3a0-7c11-7e4f-a0d1-5f2b6c3d4e01", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+w.tokens["acme:idp"])
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, r)
			got := response{rec.Code, rec.Header(), rec.Body.String()}
			isError(t, got.want(t, c.status))
			if strings.Contains(got.body, "hunter2") || strings.Contains(got.body, "postgres") || got.text("scimType") != "" {
				t.Errorf("the answer tells too much: %s", got.body)
			}
			if (c.status == http.StatusServiceUnavailable) != (rec.Header().Get("Retry-After") != "") {
				t.Errorf("Retry-After is %q", rec.Header().Get("Retry-After"))
			}
			all := logs.All()
			if len(all) != 1 {
				t.Fatalf("%d lines in the log", len(all))
			}
			ref, _ := all[0].ContextMap()["ref"].(string)
			if ref == "" || !strings.Contains(got.body, ref) {
				t.Errorf("the reference %q of the log is not in the answer: %s", ref, got.body)
			}
		})
	}
}

// Whoever asks too often is told when to come again.
func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate.Replace(map[auth.Source]auth.Limits{{Org: "acme", ID: "idp"}: {Rate: 1, Burst: 1, Concurrency: 1}})
	w.send("GET", "/Users", "").want(t, http.StatusOK)
	r := w.send("GET", "/Users", "").want(t, http.StatusTooManyRequests)
	isError(t, r)
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// A body that does not arrive is no reason to do what did.
func TestBodyThatIsCutShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := person("bob", "")
	_, err = fmt.Fprintf(c, "POST /scim/acme/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/scim+json\r\nContent-Length: %d\r\n\r\n%s",
		w.tokens["acme:idp"], len(body)+10, body)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil { //nolint:forcetypeassert // dialled so
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d", resp.StatusCode)
	}
	if p := w.page("/Users"); p.TotalResults != 0 {
		t.Errorf("%d users were made", p.TotalResults)
	}
}

// slowly opens connections of clients on which the body of a request does not come to its end, and waits until the door
// has begun to read each: a server answers 100 to whoever asks before it sends (RFC 9110 section 10.1.1).
func (w *world) slowly(t *testing.T, n int, tokens ...string) {
	t.Helper()
	for i := range n {
		org, _, _ := strings.Cut(tokens[i%len(tokens)], ":")
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "POST /scim/%s/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
			org, w.tokens[tokens[i%len(tokens)]])
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("slow request %d: %q %v", i, line, err)
		}
		if _, err := io.WriteString(conn, `{"userName":"`); err != nil {
			t.Fatal(err)
		}
	}
}

// Three clients whose bodies never end have all places of theirs, more than the door has turns, and are in nobody's way.
func TestSlowSendersStarveNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.slowly(t, 3*64, "acme:second", "globex:idp", "globex:second")
	if r := w.sendAs("acme:second", "GET", "/Users", "").want(t, http.StatusTooManyRequests); r.header.Get("Retry-After") == "" {
		t.Errorf("%v", r.header)
	}
	id := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	w.send("GET", "/Users/"+id, "").want(t, http.StatusOK)
	w.send("PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"active","value":false}`)).want(t, http.StatusOK)
}

// Large bodies that are on their way leave no room for another one of their client; others get in, and it does when one of
// them has gone.
func TestLargeBodiesWaitForEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server, err := scim.New(scim.Options{Store: w.db, Gate: w.gate, URL: "https://scim.test", Now: w.clock, Log: zap.NewNop(), Bodies: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Replace(w.orgs); err != nil {
		t.Fatal(err)
	}
	ask := func(token string, body io.Reader) (*httptest.ResponseRecorder, *http.Request) {
		org, _, _ := strings.Cut(token, ":")
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/scim/"+org+"/v2/Users", body)
		r.Header.Set("Authorization", "Bearer "+w.tokens[token])
		return httptest.NewRecorder(), r
	}
	status := func(token string, body io.Reader) int {
		a, r := ask(token, body)
		server.ServeHTTP(a, r)
		if a.Code == http.StatusServiceUnavailable && a.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return a.Code
	}
	slow, send := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a, r := ask("acme:idp", slow)
		server.ServeHTTP(a, r)
	}()
	for _, size := range []int{500 << 10, 1} { // what is read last is counted when somebody reads on
		if _, err := send.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if got := status("acme:idp", endless(200<<10)); got != http.StatusServiceUnavailable {
		t.Errorf("another large one of the same client: %d", got)
	}
	if got := status("acme:idp", strings.NewReader(person("ann", ""))); got != http.StatusCreated {
		t.Errorf("a short one: %d", got)
	}
	if got := status("globex:idp", endless(200<<10)); got != http.StatusBadRequest {
		t.Errorf("a large one of another client: %d", got)
	}
	if err := send.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
	if got := status("acme:idp", endless(200<<10)); got != http.StatusBadRequest {
		t.Errorf("when there is room again: %d", got)
	}
}

// stuck is a client that takes no byte of an answer until it is let go.
type stuck struct {
	header http.Header
	there  chan<- struct{}
	let    <-chan struct{}
}

func (s *stuck) Header() http.Header { return s.header }

func (s *stuck) WriteHeader(int) {}

func (s *stuck) Write(p []byte) (int, error) {
	s.there <- struct{}{}
	<-s.let
	return len(p), nil
}

// An answer that nobody reads holds up its client's own places only.
func TestSlowReadersStarveNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there, let := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	const each = 64
	tokens := []string{"acme:second", "globex:idp", "globex:second"}
	for i := range each * len(tokens) {
		org, _, _ := strings.Cut(tokens[i%len(tokens)], ":")
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/scim/"+org+"/v2/Users", nil)
		r.Header.Set("Authorization", "Bearer "+w.tokens[tokens[i%len(tokens)]])
		wg.Go(func() { w.server.ServeHTTP(&stuck{http.Header{}, there, let}, r) })
		<-there
	}
	w.sendAs("globex:idp", "GET", "/Users", "").want(t, http.StatusTooManyRequests)
	id := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	w.send("GET", "/Users/"+id, "").want(t, http.StatusOK)
	close(let)
	wg.Wait()
	w.sendAs("globex:idp", "GET", "/Users", "").want(t, http.StatusOK)
}

// Whoever does not send the whole body in time is told to send it again.
func TestBodiesEndInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewUnstartedServer(w.server)
	server.Config.ReadTimeout = 200 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /scim/acme/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n{", w.tokens["acme:idp"])
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := response{resp.StatusCode, resp.Header, string(b)}.want(t, http.StatusRequestTimeout)
	if r.text("status") != "408" {
		t.Errorf("%s", r.body)
	}
}
