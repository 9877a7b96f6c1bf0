package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/notify/smtpserver"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/ldapsync/ldaptest"
)

// hookReceiver is a program that takes webhooks; it may say no to every other one the first time.
type hookReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	kinds map[string]string // by id
	runs  map[string]int    // how many ids there are by kind and run
	asked int
}

func newHookReceiver(t *testing.T, refuses bool) *hookReceiver {
	t.Helper()
	r := &hookReceiver{kinds: map[string]string{}, runs: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var doc struct {
			ID, Type string
			Data     struct{ Run struct{ ID string } }
		}
		text, err := io.ReadAll(req.Body)
		if err != nil { // the daemon was killed in the middle
			return
		}
		if err := json.Unmarshal(text, &doc); err != nil || doc.ID == "" || doc.ID != req.Header.Get("webhook-id") {
			t.Errorf("%v: %s", err, text)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked++
		if r.kinds[doc.ID] != "" {
			return
		}
		r.kinds[doc.ID] = doc.Type
		r.runs[doc.Type+" "+doc.Data.Run.ID]++
		if refuses && len(r.kinds)%2 == 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *hookReceiver) count(kind string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kinds {
		if k == kind {
			n++
		}
	}
	return n
}

// reported is a configuration that tells a mailbox and a webhook.
func reported(t *testing.T, r *rig, server *smtpserver.Server, hook, directory string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "hook"), []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.configure(fmt.Sprintf(`mail: {server: "%s", tls: none, from: accounts@acme.test, rate: 6000}
reports:
  recipients: [{id: desk, email: desk@acme.test, language: sv, every: 1ms}]
  webhooks: [{id: chat, url: "%s/hook", secret: {file: hook}}]
`, server.Addr, hook) + oneSource(directory))
}

// until waits for a condition, looking often.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	end := time.NewTimer(60 * time.Second)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-end.C:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// Runs end while nobody leads, and daemons are killed at random moments between that and the deliveries: each run is told once by webhook,
// under one id however often it arrives, and stands in one mail.
func TestReportsOutliveKills(t *testing.T) {
	t.Parallel()
	const lives = 10
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	dir, block := fake(t, ldaptest.Options{})
	hook, server := newHookReceiver(t, true), smtpserver.Start(t, smtpserver.Options{TLS: "none"})
	r := newRig(t, oneSource(block))
	reported(t, r, server, hook.URL, block)
	for i := range lives {
		if err := dir.Add(person(i + 1)); err != nil {
			t.Fatal(err)
		}
		r.sync(exitOK)
		log := newLogLines()
		cmd, _ := r.quick("serve")
		cmd.Stdout, cmd.Stderr = nil, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		log.await(t, "ready")
		<-time.After(time.Duration(random.Int64N(int64(300 * time.Millisecond)))) // the moment is what is tried
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}
	d := r.daemonOf(t, r.quick)
	until(t, "all webhooks", func() bool { return r.waiting(t) == 0 })
	until(t, "all mails", func() bool { return r.mailsWaiting(t) == 0 })
	d.end()
	if n := hook.count("run.changed"); n != lives {
		t.Errorf("%d runs were told, want %d", n, lives)
	}
	for run, n := range hook.runs {
		if n != 1 {
			t.Errorf("%s: %d ids", run, n)
		}
	}
	sections, ids := 0, map[string]bool{}
	for _, m := range server.Mails() {
		if id := m.Header.Get("Message-ID"); ids[id] { // sent twice, as a mailbox knows by the id
			continue
		} else {
			ids[id] = true
		}
		text, err := io.ReadAll(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("Content-Language") != "sv" {
			t.Errorf("%v", m.Header)
		}
		plain, _, _ := strings.Cut(string(text), "text/html")
		sections += strings.Count(plain, "Skapade: 1")
	}
	if sections != lives {
		t.Errorf("mails tell of %d runs, want %d", sections, lives)
	}
	r.verify()
}

// waiting is how many reports are on their way, or not yet.
func (r *rig) waiting(t *testing.T) (n int) {
	t.Helper()
	r.withStore(func(db *store.DB) {
		untold, err := db.UntoldRuns(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		waiting, err := db.CountDeliveries(t.Context(), connector.DeliveryWaiting)
		if err != nil {
			t.Fatal(err)
		}
		n = len(untold) + waiting
	})
	return n
}

func (r *rig) mailsWaiting(t *testing.T) (n int) {
	t.Helper()
	r.withStore(func(db *store.DB) {
		var err error
		if n, err = db.CountMails(t.Context(), "acme", connector.MailWaiting); err != nil {
			t.Fatal(err)
		}
	})
	return n
}

// Two replicas serve one store, and the leader is killed in the middle: what happens is told once.
func TestReplicasReportOnce(t *testing.T) {
	t.Parallel()
	dir, block := fake(t, ldaptest.Options{})
	hook, server := newHookReceiver(t, false), smtpserver.Start(t, smtpserver.Options{TLS: "none"})
	r := newRigOn(t, newstore.Postgres(t), oneSource(block))
	reported(t, r, server, hook.URL, block)
	a, b := r.daemonOf(t, r.quick), r.daemonOf(t, r.quick)
	const runs = 4
	for i := range runs {
		if err := dir.Add(person(i + 1)); err != nil {
			t.Fatal(err)
		}
		r.sync(exitOK)
		if i == runs/2 {
			if err := a.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "the last run is told", func() bool { return hook.count("run.changed") == runs && r.waiting(t) == 0 && r.mailsWaiting(t) == 0 })
	b.end()
	for run, n := range hook.runs {
		if n != 1 {
			t.Errorf("%s: %d ids", run, n)
		}
	}
	if len(hook.runs) != runs || hook.asked != runs {
		t.Errorf("asked %d times about %v", hook.asked, hook.runs)
	}
}

// A test sends one report of each event that a recipient wants, by the daemon, and what has failed is tried again by hand.
func TestReportsByHand(t *testing.T) {
	t.Parallel()
	dir, block := fake(t, ldaptest.Options{})
	people(t, dir, 1)
	hook, server := newHookReceiver(t, false), smtpserver.Start(t, smtpserver.Options{TLS: "none"})
	r := newRig(t, oneSource(block))
	if out := r.must(exitOK, "reports"); !strings.Contains(out, "nobody was told anything") {
		t.Error(out)
	}
	reported(t, r, server, hook.URL, block)
	r.must(exitUsage, "reports", "test")
	r.must(exitUsage, "reports", "--state", "lost")
	r.must(exitUsage, "reports", "retry")
	r.must(exitError, "reports", "test", "--to", "nobody")
	for _, to := range []string{"chat", "desk"} {
		if out := r.must(exitOK, "reports", "test", "--to", to); !strings.Contains(out, "10 reports to "+to) {
			t.Error(out)
		}
	}
	if out := r.must(exitOK, "reports", "--to", "chat"); strings.Count(out, "(test)") != 10 || strings.Count(out, "waiting") != 10 {
		t.Error(out)
	}
	d := r.daemonOf(t, r.quick)
	until(t, "all is sent", func() bool { return r.waiting(t) == 0 && r.mailsWaiting(t) == 0 })
	d.end()
	if hook.asked != len(connector.NoticeKinds()) || len(server.Mails()) != 1 {
		t.Errorf("%d webhooks, %d mails", hook.asked, len(server.Mails()))
	}
	type reports struct {
		Reports []struct{ ID, State, Mail, To, Kind string }
	}
	list := decode[reports](r, exitOK, "reports", "--to", "desk", "-o", "json").Reports
	if len(list) != 10 || list[0].State != "sent" || list[0].Mail == "" || list[0].Mail != list[9].Mail {
		t.Errorf("%+v", list)
	}
	r.must(exitError, "reports", "retry", list[0].ID) // it has arrived
	if out := r.must(exitOK, "reports", "retry", "--all"); !strings.Contains(out, "0 reports will be tried again") {
		t.Error(out)
	}
}
