package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

// running puts a run into the store that goes on.
func (w *world) running(org string) *connector.Run {
	w.Helper()
	run := &connector.Run{
		ID: connector.NewID(w.now()), Org: org, Source: "idp", Mode: connector.ModeFull, Actor: "test", Result: connector.ResultRunning, Started: w.now(),
		Skips: map[connector.SkipReason]int{},
	}
	w.put(run)
	return run
}

func (w *world) put(run *connector.Run) {
	w.Helper()
	w.ok(w.db.Write(w.Context(), func(tx connector.Tx) error { return tx.PutRun(w.Context(), run) }))
}

// follow opens a stream of events.
func (c *client) follow(run *connector.Run) (status int, body io.ReadCloser) {
	c.w.Helper()
	r, err := http.NewRequestWithContext(c.w.Context(), http.MethodGet, fmt.Sprintf("%s/api/v1/orgs/%s/runs/%s/events", c.w.url, run.Org, run.ID), http.NoBody)
	c.w.ok(err)
	r.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := http.DefaultClient.Do(r)
	c.w.ok(err)
	c.w.Cleanup(func() { _ = answer.Body.Close() })
	return answer.StatusCode, answer.Body
}

// next reads one event.
func next(lines *bufio.Scanner) (name, data string) {
	for lines.Scan() {
		switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
		case "event":
			name = value
		case "data":
			return name, value
		}
	}
	return "", ""
}

// What is told of a run: how it is, how far it is, and its end, with which the stream ends.
func TestEventsOfARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead)
	run := w.running("acme")
	_, body := c.follow(run)
	lines := bufio.NewScanner(body)
	if name, data := next(lines); name != "run" || !strings.Contains(data, run.ID.String()) || !strings.Contains(data, `"result":"running"`) {
		t.Fatal(name, data)
	}
	w.runs.progress.Store(run.ID, provision.Progress{Phase: "read", Done: 1000, Total: 3000})
	if name, data := next(lines); name != "progress" || data != `{"phase":"read","done":1000,"total":3000}` {
		t.Error(name, data)
	}
	w.runs.progress.Store(run.ID, provision.Progress{Phase: "apply", Done: 1, Total: 2})
	if name, data := next(lines); name != "progress" || data != `{"phase":"apply","done":1,"total":2}` {
		t.Error(name, data)
	}
	run.Result, run.Finished = connector.ResultOK, w.now()
	w.put(run)
	if name, data := next(lines); name != "end" || !strings.Contains(data, `"result":"ok"`) {
		t.Error(name, data)
	}
	if lines.Scan() && lines.Text() != "" || lines.Scan() {
		t.Errorf("after the end: %q", lines.Text())
	}
	// One that has ended before is told so at once.
	_, body = c.follow(run)
	if name, _ := next(bufio.NewScanner(body)); name != "end" {
		t.Error(name)
	}
}

// There are places for so many streams; whoever leaves gives one back, and the end of the daemon ends all.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, run := w.client("acme", connector.APIRead), w.running("acme")
	var open []io.ReadCloser
	for range 16 {
		status, body := c.follow(run)
		if status != http.StatusOK {
			t.Fatal(status)
		}
		open = append(open, body)
	}
	path := "/orgs/acme/runs/" + run.ID.String() + "/events"
	c.refused(http.StatusTooManyRequests, "too_many_streams", http.MethodGet, path, nil)
	if status, _ := w.client("beta", connector.APIRead).follow(w.running("beta")); status != http.StatusOK {
		t.Error("the streams of one organization are in the way of another", status)
	}
	c.want(http.StatusOK, http.MethodGet, "/orgs/acme/runs", nil)
	w.client("beta", connector.APIRead).refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/beta/runs/"+run.ID.String()+"/events", nil)
	w.ok(open[0].Close())
	status, body := c.follow(run)
	for ; status == http.StatusTooManyRequests; status, body = c.follow(run) {
	}
	open = append(open[1:], body)
	close(w.stop)
	for _, body := range open {
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Error(err)
		}
	}
}
