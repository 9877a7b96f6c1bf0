package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What a daemon says that is not ready is told, and one that does not answer is not waited for.
func TestHealthcheckTellsWhatTheDaemonSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"not ready": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"ready":false,"error":"the store does not answer","sources":[]}`))
		}, "answers 503 Service Unavailable: the store does not answer"},
		"another program": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/login", http.StatusFound)
		}, "answers 302 Found\n"},
		"silence": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			defer server.Close()
			var out, err bytes.Buffer
			a := &app{out: &out, err: &err, now: time.Now, env: func(string) (string, bool) { return "", false }}
			code := a.run(context.Background(), []string{"healthcheck", "--timeout", "300ms", "--url", server.URL})
			if code != exitError || !strings.Contains(err.String(), c.want) || out.Len() > 0 {
				t.Errorf("exit code %d, says %q and %q; want 1 and %q", code, out.String(), err.String(), c.want)
			}
		})
	}
}
