package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
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
	if strings.Contains(path, "/import") {
		r.Header.Set("Content-Type", "text/csv")
	}
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

	// One person: shown, and tried again after a failure.
	dn, who := person(77)
	delete(who, "sn")
	if err := directory.Add(dn, who); err != nil {
		t.Fatal(err)
	}
	var shown struct {
		Succeeds bool
		Action   string
		Steps    []struct{ Step string }
		Failures []struct{ Reason string }
	}
	ask := fmt.Sprintf(`{"person":%q}`, dn)
	p.ask(http.StatusOK, http.MethodPost, "/sources/hq/person", ask, &shown)
	if shown.Succeeds || len(shown.Steps) < 4 || len(shown.Failures) != 1 || len(r.failures()) != 0 {
		t.Errorf("%+v", shown)
	}
	p.ask(http.StatusOK, http.MethodPost, "/sources/hq/person", strings.Replace(ask, "}", `,"apply":true}`, 1), nil)
	failed := r.failures()
	if len(failed) != 1 {
		t.Fatal(failed)
	}
	if err := directory.Modify(dn, ldaptest.Attrs{"sn": {"Lee"}}); err != nil {
		t.Fatal(err)
	}
	p.ask(http.StatusOK, http.MethodPost, "/failures/"+failed[0].Ref+"/retry", "", &shown)
	if !shown.Succeeds || shown.Action != "created" || len(r.failures()) != 0 || len(r.users()) != 31 {
		t.Errorf("%+v", shown)
	}
	p.ask(http.StatusNotFound, http.MethodPost, "/failures/"+failed[0].Ref+"/retry", "", nil)

	// One at a time; what goes on ends with the daemon.
	gate := make(chan struct{})
	directory.SetFaults(ldaptest.Fault{Kind: ldaptest.Slow, Gate: gate})
	p.ask(http.StatusAccepted, http.MethodPost, "/runs", `{"source":"hq"}`, nil)
	p.ask(http.StatusConflict, http.MethodPost, "/runs", `{"source":"hq"}`, nil)
	close(gate)
	d.end()
	r.verify()
}

const withAPI = "api: {listen: \"127.0.0.1:0\", url: \"http://127.0.0.1:1\"}\norganizations:"

// newProgram starts a daemon, whose temporary files are in tmp, and makes a token with these scopes.
func newProgram(t *testing.T, r *rig, tmp string, scopes ...string) (*program, *serving) {
	t.Helper()
	args := []string{"token", "create", "--org", "acme", "--api", "-o", "json"}
	for _, s := range scopes {
		args = append(args, "--scope", s)
	}
	token := decode[struct{ Token string }](r, exitOK, args...).Token
	d := r.daemonOf(t, func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd, errs := r.process(args...)
		cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp)
		return cmd, errs
	})
	return &program{t, "http://" + d.log.find(t, "api listens")["listen"].(string) + "/api/v1/orgs/acme", token}, d
}

// A file is imported: shown, approved from another request, put back; what is wrong with the request is told before anything is read.
func TestImportByAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, `store: sqlite:$DIR/usherd.db
listen: 127.0.0.1:0
api: {listen: "127.0.0.1:0", url: "http://127.0.0.1:1"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: 3}]
  package: standard
  sources:
  - {id: moved, import: {}}
  - {id: site, site_link: {}}
`)
	tmp := t.TempDir()
	p, d := newProgram(t, r, tmp, "read", "import", "runs")
	const file = "userName,givenName,familyName,email\nann,Ann,Lee,ann@x.test\nbob,Bob,Ray,bob@x.test\neve,Eve,Moe,no address\n"
	held := p.run("/sources/moved/import?preview=true&name=people.csv", file)
	if held.Result != connector.ResultOK || held.Hold == nil || held.Counts.Created != 2 || held.Counts.Failed != 1 || len(r.users()) != 0 {
		t.Fatalf("%s %+v", held.Result, held.Counts)
	}
	done := p.run("/runs/"+held.ID+"/approve", "")
	if done.Result != connector.ResultOK || done.Counts.Created != 2 || len(r.users()) != 2 {
		t.Fatalf("%s %+v", done.Result, done.Counts)
	}
	p.ask(http.StatusConflict, http.MethodPost, "/runs/"+held.ID+"/approve", "", nil)
	if again := p.run("/sources/moved/import", file); again.Counts.Unchanged != 2 || again.Counts.Failed != 1 {
		t.Errorf("%+v", again.Counts)
	}
	if site := p.run("/sources/site/import?site_link=true", "userName,givenName,familyName,email\nfay,Fay,Doe,fay@y.test\n"); site.Counts.Created != 1 {
		t.Errorf("%+v", site.Counts)
	}
	if u := r.users()["fay"]; u.State != connector.Verified {
		t.Errorf("%+v", u)
	}
	if undo := p.run("/runs/"+done.ID+"/rollback", `{"apply":true,"users":["ann"]}`); undo.Counts.Deleted != 1 {
		t.Errorf("%+v", undo.Counts)
	}
	if wrong := p.run("/sources/moved/import", "no header that anybody reads\nx\n"); wrong.Result != connector.ResultFailed || wrong.Error == "" {
		t.Errorf("%+v", wrong)
	}
	for path, status := range map[string]int{
		"/sources/nowhere/import": http.StatusNotFound, "/sources/site/import": http.StatusUnprocessableEntity,
		"/sources/moved/import?site_link=true": http.StatusUnprocessableEntity, "/sources/moved/import?name=a%2Fb": http.StatusUnprocessableEntity,
	} {
		p.ask(status, http.MethodPost, path, file, nil)
	}
	p.ask(http.StatusUnprocessableEntity, http.MethodPost, "/runs/"+done.ID+"/rollback", `{"users":["nobody"]}`, nil)
	d.end()
	left, err := filepath.Glob(filepath.Join(tmp, "usherd-import-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("files are left behind: %v %v", left, err)
	}
	r.verify()
}

// event is one of a stream.
type event struct {
	name string
	data json.RawMessage
}

// events reads a stream to its end.
func (p *program) events(path string, got chan<- event) {
	defer close(got)
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		p.t.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		p.t.Errorf("%s %v", answer.Status, answer.Header)
	}
	var e event
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "event":
			e.name = value
		case "data":
			got <- event{e.name, json.RawMessage(value)}
		}
	}
}

// A run is followed from its first entries to its end, which ends the stream, and so does the daemon's end.
func TestRunIsFollowedByAPI(t *testing.T) {
	t.Parallel()
	directory, block := fake(t, ldaptest.Options{})
	people(t, directory, 1200)
	r := newRig(t, strings.Replace(oneSource(patient(block)), "organizations:", withAPI, 1))
	p, d := newProgram(t, r, t.TempDir(), "read", "runs")
	gate := make(chan struct{})
	directory.SetFaults(ldaptest.Fault{Kind: ldaptest.Slow, Gate: gate})
	var begun struct{ Run string }
	p.ask(http.StatusAccepted, http.MethodPost, "/runs", `{"source":"hq","mode":"preview"}`, &begun)
	got := make(chan event)
	go p.events("/runs/"+begun.Run+"/events", got)
	first := <-got
	var run runDocument
	if err := json.Unmarshal(first.data, &run); err != nil || first.name != "run" || run.Result != connector.ResultRunning || run.ID != begun.Run {
		t.Fatalf("%s %s %v", first.name, first.data, err)
	}
	close(gate)
	var last event
	for e := range got {
		last = e
	}
	if err := json.Unmarshal(last.data, &run); err != nil || last.name != "end" || run.Result != connector.ResultOK || run.Counts.Created != 1200 {
		t.Fatalf("%s %s %v", last.name, last.data, err)
	}

	gate = make(chan struct{})
	directory.SetFaults(ldaptest.Fault{Kind: ldaptest.Slow, Gate: gate})
	p.ask(http.StatusAccepted, http.MethodPost, "/runs", `{"source":"hq","mode":"preview"}`, &begun)
	got = make(chan event)
	go p.events("/runs/"+begun.Run+"/events", got)
	<-got
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.end()
	}()
	for range got { // until it ends
	}
	<-ended
	close(gate)
}

// A subscriber's own way to the portal follows the address that the configuration in force has.
func TestOwnLinksFollowAReload(t *testing.T) {
	t.Parallel()
	config := `store: sqlite:$DIR/usherd.db
listen: 127.0.0.1:0
api: {listen: "127.0.0.1:0", url: "http://127.0.0.1:1"}
portal: {listen: "127.0.0.1:0", url: "https://old.test"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: 3}]
  package: standard
  contact: {email: help@acme.test}
  templates: [{id: phones, untrusted_email: true}]
  sources: [{id: idp, scim: {}}]
scim: {listen: "127.0.0.1:0", url: "http://127.0.0.1:2"}
`
	r := newRig(t, config)
	p, d := newProgram(t, r, t.TempDir(), "subscribers")
	link := func(name string) string {
		var doc struct {
			Subscribers []struct {
				Link string `json:"activation_link"`
			}
		}
		p.ask(http.StatusOK, http.MethodPost, "/subscribers", `{"subscribers":[{"template":"phones","subscriber_id":"`+name+`"}]}`, &doc)
		return doc.Subscribers[0].Link
	}
	if first := link("a"); !strings.HasPrefix(first, "https://old.test/") {
		t.Fatal(first)
	}
	r.configure(strings.Replace(config, "old.test", "new.test", 1))
	r.must(exitOK, "reload")
	if next := link("b"); !strings.HasPrefix(next, "https://new.test/") {
		t.Error(next)
	}
	r.configure(strings.Replace(config, "portal: {listen: \"127.0.0.1:0\", url: \"https://old.test\"}\n", "", 1))
	r.must(exitOK, "reload")
	if none := link("c"); none != "" {
		t.Error(none)
	}
	d.end()
}
