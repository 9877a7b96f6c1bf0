package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"usherd/connector"
)

const pushConfig = `store: sqlite:usherd.db
scim: {url: "https://scim.acme.test"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: unlimited}]
  package: standard
  sources: [{id: entra, scim: {}}]
`

// pushes is a site that one identity provider pushes to, at the time that now points to.
func pushes(t *testing.T, now *time.Time) (*app, *site) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "usherd.yaml")
	a := &app{
		now: func() time.Time { return *now }, configPath: path, out: io.Discard, err: io.Discard,
		env: func(name string) (string, bool) { return path, name == "USHERD_CONFIG" },
	}
	if err := os.WriteFile(path, []byte(pushConfig), 0o600); err != nil {
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
	if err := s.adopt(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a, s
}

// TestTokensThatEndAreTold lets days go by.
func TestTokensThatEndAreTold(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	a, s := pushes(t, &now)
	var out bytes.Buffer
	a.out = &out
	for _, args := range []string{"--expires 60d --name first", "--expires never", "--expires 60d --kind secret"} {
		if code := a.run(t.Context(), strings.Fields("token create -o json "+args)); code != exitOK {
			t.Fatal(code)
		}
	}
	var first newTokenJSON
	if err := json.NewDecoder(&out).Decode(&first); err != nil {
		t.Fatal(err)
	}
	id, _ := connector.ParseID(first.ID)
	core, logs := observer.New(zap.InfoLevel)
	d := newDaemon(a, s, zap.New(core), nil)
	day := func(n int) {
		now = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC).AddDate(0, 0, n)
		if err := d.warnOfTokens(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 62 {
		if n == 58 { // the secret has been replaced
			list, err := s.lastingTokens(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			if code := a.run(t.Context(), []string{"token", "revoke", list[2].ID.String()}); code != exitOK {
				t.Fatal(code)
			}
		}
		day(n)
	}
	got := map[string]int{}
	for _, e := range logs.All() {
		m := e.ContextMap()
		if m["token"] == id.Short() {
			got[fmt.Sprint(e.Level)]++
		}
		if strings.Contains(fmt.Sprint(m), first.Token) {
			t.Fatal("the token is in the log")
		}
	}
	if diff := cmp.Diff(map[string]int{"info": 23, "warn": 6, "error": 1}, got); diff != "" {
		t.Errorf("days by level (-want +got):\n%s", diff)
	}
	if others := logs.Len() - 30; others != 28 {
		t.Errorf("the secret was told on %d days", others)
	}
	if err := d.metrics.refresh(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if at := d.gauge(t, "usherd_token_end_timestamp_seconds"); at != float64(first.EndsAt.Unix()) {
		t.Errorf("the metric says %v", at)
	}
}

func TestAccessTokensAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	a, s := pushes(t, &now)
	d := newDaemon(a, s, zap.NewNop(), nil)
	_, hash := connector.NewToken()
	k := connector.Token{
		ID: connector.NewID(now), Org: "acme", Source: "entra", Kind: connector.AccessToken, Hash: hash, Scopes: connector.Scopes(), EndsAt: now.Add(time.Minute),
	}
	if err := s.db.AddToken(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		kept  bool
	}{{24 * time.Hour, true}, {2 * time.Minute, false}} {
		now = now.Add(step.after)
		if err := d.housekeeping(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		_, err := s.db.Token(t.Context(), k.ID)
		if kept := connector.KindOf(err) != connector.NotFound; kept != step.kept {
			t.Errorf("after %v it is kept: %v (%v)", step.after, kept, err)
		}
	}
}

// TestGraceEndsOfASourceThatPushes: nothing holds it, since nobody could approve a run.
func TestGraceEndsOfASourceThatPushes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	a, s := pushes(t, &now)
	d := newDaemon(a, s, zap.NewNop(), nil)
	for n := range 60 {
		name := fmt.Sprintf("u%d", n/2)
		rec := &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name}, Enabled: connector.EnabledYes, Gone: n%2 == 1}
		for k, v := range map[string]string{"userName": name, "givenName": "A", "familyName": "B", "email": name + "@acme.test"} {
			rec.Attributes = append(rec.Attributes, connector.Attribute{Name: k, Values: [][]byte{[]byte(v)}})
		}
		ch, err := s.orgs[0].prov.Submit(t.Context(), "entra", rec, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
		if err != nil || len(ch.Failures) > 0 {
			t.Fatal(err, ch)
		}
	}
	now = now.Add(31 * 24 * time.Hour)
	if err := d.housekeeping(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	users, _, err := s.db.ListUsers(t.Context(), connector.UserQuery{Org: "acme"})
	if err != nil || len(users) != 0 {
		t.Errorf("%d users left, %v", len(users), err)
	}
}
