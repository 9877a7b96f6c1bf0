package notice_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/notice"
)

const key = "0123456789abcdef0123456789abcdef"

func secret(t *testing.T) notice.Secret {
	t.Helper()
	s, err := notice.ParseSecret(connector.NewSecret("whsec_" + base64.StdEncoding.EncodeToString([]byte(key))))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// receiver is a program that takes webhooks, and checks each signature by itself.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []map[string]any
	ids    []string
	answer func(http.ResponseWriter)
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{answer: func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
		if err != nil {
			t.Error(err)
		}
		id, at := req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp")
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(id + "." + at + "." + string(body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); req.Header.Get("webhook-signature") != want {
			t.Errorf("signature %q, want %q", req.Header.Get("webhook-signature"), want)
		}
		if _, err := strconv.ParseInt(at, 10, 64); err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v", req.Method, req.Header)
		}
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil || doc["id"] != id {
			t.Errorf("%v: %s", err, body)
		}
		r.mu.Lock()
		r.got, r.ids = append(r.got, doc), append(r.ids, id)
		answer := r.answer
		r.mu.Unlock()
		answer(w)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) says(answer func(http.ResponseWriter)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids)
}

func (r *receiver) target(t *testing.T, name string) notice.Target {
	t.Helper()
	return notice.Target{Name: name, Channel: connector.ByWebhook, URL: r.URL + "/hooks", Secret: secret(t)}
}

func (w *world) push() {
	w.t.Helper()
	w.ok(w.reporter.Push(w.t.Context()))
}

// last is the latest delivery to a target.
func (w *world) last(target string) connector.Delivery {
	w.t.Helper()
	list, err := w.db.Deliveries(w.t.Context(), connector.DeliveryQuery{Target: target, Limit: 1})
	if err != nil || len(list) != 1 {
		w.t.Fatal(list, err)
	}
	return list[0]
}

func (w *world) is(target string, state connector.DeliveryState, attempts, code int, words string) {
	w.t.Helper()
	if d := w.last(target); d.State != state || d.Attempts != attempts || d.Code != code || !strings.Contains(d.Answer, words) {
		w.t.Errorf("%s, %d attempts, %d %q; want %s, %d, %d %q", d.State, d.Attempts, d.Code, d.Answer, state, attempts, code, words)
	}
}

// The document is what README promises, signed, and has nothing of what servers say.
func TestWebhookDocument(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w := newWorld(t, r.target(t, "chat"))
	run := w.run(func(r *connector.Run) {
		failing("ldap: cn=reader,dc=acme,dc=test at server-one says no")(r)
		r.Counts.Updated = 2
		r.Hold = &connector.Hold{Status: connector.HoldOpen, Reason: "because of the removal of ann", Expires: w.now.Add(time.Hour)}
		r.Counts.Held = 12
	}, refused("ann", connector.NoSeat))
	w.tell()
	w.push()
	if r.count() != 4 {
		t.Fatalf("%d documents", r.count())
	}
	for _, doc := range r.got {
		text, err := json.Marshal(doc)
		w.ok(err)
		if doc["version"] != 1.0 || doc["org"] != "acme" || doc["link"] != "https://usherd.acme.test/runs/"+run.ID.String()+"?org=acme" || doc["command"] != "usherd report "+run.ID.Short() {
			t.Errorf("%s", text)
		}
		for _, private := range []string{"cn=reader", "server-one", "ann", "check --connect", key} {
			if strings.Contains(string(text), private) {
				t.Errorf("%q is in %s", private, text)
			}
		}
		data := doc["data"].(map[string]any) //nolint:forcetypeassert // it panics then
		counts := data["run"].(map[string]any)["counts"].(map[string]any)
		if counts["failed"] != 1.0 || data["source"] != "ad" {
			t.Errorf("%s", text)
		}
		if doc["type"] == "run.people_failed" && !strings.Contains(string(text), `"failures":[{"code":31,"people":1,"reason":"no_seat"}]`) {
			t.Errorf("%s", text)
		}
	}
	w.is("chat", connector.DeliverySent, 1, 204, "")
	families, err := w.registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 6 {
		t.Errorf("%v %v", families, err)
	}
}

// A receiver that fails is asked again under the same id, less and less often, for more than a day; then by hand.
func TestWebhookIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w := newWorld(t, r.target(t, "chat"))
	r.says(status(http.StatusInternalServerError))
	w.run(changed)
	w.tell()
	began := w.now
	for n := 1; n <= 8; n++ {
		w.push()
		w.push() // it is not due
		if r.count() != n {
			t.Fatalf("asked %d times, want %d", r.count(), n)
		}
		if n < 8 {
			w.is("chat", connector.DeliveryWaiting, n, 500, "Internal Server Error")
			w.now = w.last("chat").Next
		}
	}
	if took := w.now.Sub(began); took < 24*time.Hour || took > 48*time.Hour {
		t.Errorf("given up after %s", took)
	}
	w.is("chat", connector.DeliveryFailed, 8, 500, "")
	w.now = w.now.Add(time.Hour)
	w.push()
	r.says(status(http.StatusOK))
	d := w.last("chat")
	if ok, err := w.db.RetryDelivery(t.Context(), "acme", d.ID, w.now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.push()
	w.is("chat", connector.DeliverySent, 9, 200, "")
	for _, id := range r.ids {
		if id != d.Notice.ID.String() {
			t.Errorf("%s, want %s", id, d.Notice.ID)
		}
	}
}

// What a receiver answers decides: gone is gone, redirects lead nowhere, and whoever asks for time gets it.
func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	r, elsewhere := newReceiver(t), newReceiver(t)
	var w *world
	next := func(answer func(http.ResponseWriter)) {
		t.Helper()
		w = newWorld(t, r.target(t, "chat"))
		r.says(answer)
		w.run(changed)
		w.tell()
		w.push()
	}
	next(status(http.StatusGone))
	w.is("chat", connector.DeliveryFailed, 1, 410, "wants no more")
	next(func(rw http.ResponseWriter) {
		rw.Header().Set("Location", elsewhere.URL)
		rw.WriteHeader(http.StatusTemporaryRedirect)
	})
	w.is("chat", connector.DeliveryWaiting, 1, 307, "redirects are not followed")
	if elsewhere.count() != 0 {
		t.Error("a redirect was followed")
	}
	next(func(rw http.ResponseWriter) {
		rw.Header().Set("Retry-After", "600")
		rw.WriteHeader(http.StatusTooManyRequests)
	})
	if d := w.last("chat"); d.Next.Sub(w.now) != 10*time.Minute {
		t.Errorf("it is tried in %s", d.Next.Sub(w.now))
	}
	next(func(rw http.ResponseWriter) {
		rw.WriteHeader(http.StatusOK)
		for range 1 << 12 { // more than is read
			if _, err := rw.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	})
	w.is("chat", connector.DeliverySent, 1, 200, "")
}

// A receiver that is away, or does not answer, is told of afterwards, and keeps no other one waiting.
func TestWebhookIsAwayAndComesBack(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	r, other := newReceiver(t), newReceiver(t)
	away := notice.Target{Name: "away", Channel: connector.ByWebhook, URL: "http://" + address + "/key-in-the-path", Secret: secret(t)}
	w := newWorld(t, away, other.target(t, "other"))
	w.run(changed)
	w.run(changed)
	w.tell()
	w.push()
	w.is("other", connector.DeliverySent, 1, 204, "")
	if other.count() != 2 {
		t.Errorf("%d", other.count())
	}
	list, err := w.db.Deliveries(t.Context(), connector.DeliveryQuery{Target: "away"})
	w.ok(err)
	if list[0].Attempts != 0 || list[1].Attempts != 1 || !strings.Contains(list[1].Answer, "refused") || strings.Contains(list[1].Answer, "key-in-the-path") {
		t.Errorf("%+v", list)
	}
	w.settings.Targets[0].URL = r.URL
	w.now = list[1].Next
	w.push()
	if r.count() != 2 {
		t.Errorf("%d", r.count())
	}
}

// A receiver that takes its time with each report gets the rest in later rounds: a round, for which all others wait, has an end.
func TestSlowWebhookEndsItsTurn(t *testing.T) {
	t.Parallel()
	slow := newReceiver(t)
	w := newWorld(t, slow.target(t, "slow"))
	slow.says(func(answer http.ResponseWriter) {
		w.later.Add(int64(10 * time.Second))
		answer.WriteHeader(http.StatusOK)
	})
	for range 5 {
		w.run(changed)
	}
	w.tell()
	for round, want := range []int{2, 4, 5} {
		if w.push(); slow.count() != want {
			t.Errorf("after round %d it has %d reports, want %d", round+1, slow.count(), want)
		}
	}
}

// Names do not lead to where machines are told their secrets, and http leads nowhere but to this machine.
func TestWebhookAddresses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://192.0.2.7/":                    "not on this machine",
		"http://localhost.invalid/":            "",
		"https://[::]/":                        "link-local, multicast or nowhere",
		"https://0.0.0.0/":                     "link-local, multicast or nowhere",
		"http://169.254.169.254/latest/":       "not on this machine",
		"https://user:pass word@127.0.0.1:bad": "no address",
	} {
		w := newWorld(t, notice.Target{Name: "x", Channel: connector.ByWebhook, URL: url, Secret: secret(t)})
		w.run(changed)
		w.tell()
		w.push()
		if d := w.last("x"); d.State == connector.DeliverySent || !strings.Contains(d.Answer, want) || strings.Contains(d.Answer, "pass") {
			t.Errorf("%s: %+v", url, d)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		key: true, "whsec_" + base64.StdEncoding.EncodeToString([]byte(key)): true, "short": false, "whsec_!": false, "whsec_c2hvcnQ=": false, "": false,
	} {
		s, err := notice.ParseSecret(connector.NewSecret(text))
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && strings.Contains(string(must(t, s)), key) {
			t.Errorf("%s", must(t, s))
		}
	}
}

func must(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
