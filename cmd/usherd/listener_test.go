package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// What a door works with is closed when it has ended: it ends only after the requests that it was asked before.
func TestADoorEndsAfterItsRequests(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{time.Minute, time.Nanosecond} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		asked, answer, cut := make(chan struct{}), make(chan struct{}), make(chan struct{})
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(asked)
			select {
			case <-answer:
				_, _ = w.Write([]byte("done"))
			case <-r.Context().Done():
				close(cut)
			}
		})}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- serveUntil(ctx, server, func() error { return server.Serve(ln) }, grace) }()
		got := make(chan string, 1)
		go func() { got <- fetched("http://" + ln.Addr().String()) }()
		<-asked
		stop()
		if grace == time.Minute {
			for { // it has begun to stop when it takes no connection any more
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					break
				}
				_ = c.Close()
			}
			select {
			case err := <-ended:
				t.Fatalf("it ended with a request open: %v", err)
			default:
			}
			close(answer)
		} else {
			<-cut
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if text := <-got; grace == time.Minute && text != "done" {
			t.Errorf("the request was answered %q", text)
		}
	}
}

// fetched is the body at an address, or why there is none.
func fetched(url string) string {
	resp, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
