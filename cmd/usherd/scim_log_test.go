package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
)

const loggedConfig = `store: sqlite:usherd.db
scim: {url: "https://scim.acme.test"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: unlimited}]
  package: standard
  sources:
  - id: entra
    scim: {log: {keep: 2d}}
  - id: okta
    scim: {log: {keep: 0s}}
`

// pushSite is a site with two clients, and an app whose clock it moves.
func pushSite(t *testing.T, now *time.Time) (*app, *site) {
	t.Helper()
	a := &app{
		in: bytes.NewReader(nil), out: io.Discard, err: io.Discard, now: func() time.Time { return *now },
		configPath: filepath.Join(t.TempDir(), "usherd.yaml"), env: func(string) (string, bool) { return "", false },
	}
	if err := os.WriteFile(a.configPath, []byte(loggedConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return a, s
}

func pushed(source string, n int, at time.Time) connector.Request {
	id := connector.FirstID(at)
	id[14], id[15] = byte(n>>8), byte(n)
	return connector.Request{ID: id, Org: "acme", Source: source, At: at, Method: "GET", Path: fmt.Sprint("/", n), Status: 200}
}

// Following shows the last requests and each that comes, once and in order, until it is stopped.
func TestLogIsFollowed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	a, s := pushSite(t, &now)
	put := func(from, to int) {
		var list []connector.Request
		for n := from; n < to; n++ {
			list = append(list, pushed("entra", n, now))
		}
		if err := s.db.PutRequests(t.Context(), list, nil); err != nil {
			t.Error(err)
		}
	}
	put(0, 30)
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	follower := *a
	follower.out = write
	code := make(chan int, 1)
	go func() {
		code <- follower.run(ctx, []string{"scim", "log", "--follow", "-o", "json", "-c", a.configPath})
		_ = write.Close()
	}()
	lines := bufio.NewScanner(read)
	var got []string
	for len(got) < 10+1200 && lines.Scan() {
		var r struct{ Path string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if got = append(got, r.Path); len(got) == 10 {
			put(30, 1230) // more than a page
		}
	}
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	var want []string
	for n := 20; n < 1230; n++ {
		want = append(want, fmt.Sprint("/", n))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d lines: %.200v", len(got), got)
	}
}

func TestHousekeepingForgetsRequests(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	a, s := pushSite(t, &now)
	var list []connector.Request
	for n, source := range []string{"entra", "okta", "gone"} {
		for _, age := range []time.Duration{0, 47 * time.Hour, 49 * time.Hour, 29 * 24 * time.Hour, 31 * 24 * time.Hour} {
			list = append(list, pushed(source, n, now.Add(-age)))
		}
	}
	if err := s.db.PutRequests(t.Context(), list, nil); err != nil {
		t.Fatal(err)
	}
	if fresh, err := s.db.UseAssertion(t.Context(), "acme", "entra", []byte("x"), now.Add(-time.Minute)); err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	now = now.Add(time.Second)
	d := newDaemon(a, s, zap.NewNop(), nil)
	if err := d.forgetRequests(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	left := map[string]int{}
	rows, err := s.db.Requests(t.Context(), connector.RequestQuery{Org: "acme"})
	for _, r := range rows {
		left[r.Source]++
	}
	if err != nil || left["entra"] != 2 || left["okta"] != 0 || left["gone"] != 4 {
		t.Errorf("left: %v, %v", left, err)
	}
	if fresh, err := s.db.UseAssertion(t.Context(), "acme", "entra", []byte("x"), now); err != nil || !fresh {
		t.Error("an assertion that is over is still remembered", err)
	}
	if errors.Join(d.forgetRequests(t.Context(), s)) != nil {
		t.Error("again")
	}
}
