package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

// program is one that uses the API of the daemon.
type program struct {
	t          *testing.T
	url, token string
}

// ask sends one request and reads the answer, which has to be of that status.
func (p *program) ask(status int, method, path, body string, into any) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		p.t.Fatalf("%s %s: %s, want %d, %v\n%s", method, path, answer.Status, status, err, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			p.t.Fatalf("%v in %s", err, text)
		}
	}
}

// run starts work and waits until its run has ended.
func (p *program) run(path, body string) runDocument {
	p.t.Helper()
	var begun struct{ Run string }
	p.ask(http.StatusAccepted, http.MethodPost, path, body, &begun)
	tick, late := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		var run runDocument
		if p.ask(http.StatusOK, http.MethodGet, "/runs/"+begun.Run, "", &run); run.Result != connector.ResultRunning {
			return run
		}
		select {
		case <-tick.C:
		case <-late:
			p.t.Fatalf("run %s does not end", begun.Run)
		}
	}
}

// A program starts a run, approves a preview and undoes it, at the daemon, and sees at each step how it went.
func TestRunsByAPI(t *testing.T) {
	t.Parallel()
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 30)
	r := newRig(t, strings.Replace(oneSource(patient(block)), "organizations:", "api: {listen: \"127.0.0.1:0\", url: \"http://127.0.0.1:1\"}\norganizations:", 1))
	token := decode[struct{ Token string }](r, exitOK, "token", "create", "--api", "--scope", "read", "--scope", "runs", "--scope", "users", "-o", "json").Token
	d := r.daemon(t)
	p := &program{t, "http://" + d.log.find(t, "api listens")["listen"].(string) + "/api/v1/orgs/acme", token}

	held := p.run("/runs", `{"source":"hq","mode":"preview"}`)
	if held.Result != connector.ResultOK || held.Hold == nil || held.Counts.Created != 30 || len(r.users()) != 0 {
		t.Fatalf("%s %+v", held.Result, held.Counts)
	}
	done := p.run("/runs/"+held.ID+"/approve", "")
	if done.Result != connector.ResultOK || done.Counts.Created != 30 {
		t.Fatalf("%s %+v", done.Result, done.Counts)
	}
	p.ask(http.StatusConflict, http.MethodPost, "/runs/"+held.ID+"/approve", "", nil)
	last := p.run("/runs", `{"source":"hq"}`)
	if last.Result != connector.ResultOK || last.Counts.Unchanged != 30 {
		t.Errorf("%s %+v", last.Result, last.Counts)
	}
	if changed := p.run("/runs", `{"source":"hq","mode":"changes"}`); changed.Result != connector.ResultOK {
		t.Errorf("%s %+v", changed.Result, changed.Counts)
	}
	p.ask(http.StatusConflict, http.MethodPost, "/runs/"+last.ID+"/rollback", "", nil) // it has changed nobody
	undo := p.run("/runs/"+done.ID+"/rollback", "")
	if undo.Hold == nil || undo.Counts.Deleted+undo.Counts.Held == 0 || len(r.users()) != 30 {
		t.Errorf("%s %+v", undo.Result, undo.Counts)
	}
	p.ask(http.StatusNoContent, http.MethodPost, "/runs/"+undo.ID+"/reject", "", nil)
	p.ask(http.StatusUnprocessableEntity, http.MethodPost, "/runs", `{"source":"nowhere"}`, nil)
	p.ask(http.StatusUnprocessableEntity, http.MethodPost, "/runs", `{"source":"hq","mode":"person"}`, nil)

	// One at a time; what goes on ends with the daemon.
	gate := make(chan struct{})
	directory.SetFaults(ldaptest.Fault{Kind: ldaptest.Slow, Gate: gate})
	p.ask(http.StatusAccepted, http.MethodPost, "/runs", `{"source":"hq"}`, nil)
	p.ask(http.StatusConflict, http.MethodPost, "/runs", `{"source":"hq"}`, nil)
	close(gate)
	d.end()
	r.verify()
}
