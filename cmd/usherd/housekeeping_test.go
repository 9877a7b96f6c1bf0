package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"usherd/connector"
)

const quietConfig = `store: sqlite:usherd.db
organizations:
- id: acme
  partner_id: P-1
  contact: {email: help@acme.test}
  packages: [{id: standard, seats: unlimited}]
  package: standard
  sources:
  - id: hq
    directory:
      type: openldap
      servers: [ldaps://127.0.0.1:1]
      bind: {user: cn=sync, password: {env: LDAP_PASSWORD}}
      bases: ["dc=acme"]
`

// The daemon ends grace periods and holds although no source is ever read.
func TestHousekeepingEndsWhatIsOver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	a := &app{
		now: func() time.Time { return now }, configPath: filepath.Join(t.TempDir(), "usherd.yaml"),
		env: func(name string) (string, bool) { return "secret", name == "LDAP_PASSWORD" },
	}
	if err := os.WriteFile(a.configPath, []byte(quietConfig), 0o600); err != nil {
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
	submit := func(n int, gone bool) {
		t.Helper()
		name := fmt.Sprintf("u%d", n)
		rec := &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name}, DN: "uid=" + name, Enabled: connector.EnabledYes, Gone: gone}
		for k, v := range map[string]string{"uid": name, "givenName": "A", "sn": "B", "mail": name + "@acme.test"} {
			rec.Attributes = append(rec.Attributes, connector.Attribute{Name: k, Values: [][]byte{[]byte(v)}})
		}
		ch, err := s.orgs[0].prov.Submit(t.Context(), "hq", rec, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
		if err != nil || len(ch.Failures) > 0 {
			t.Fatal(err, ch)
		}
	}
	for n := range 5 {
		submit(n, false)
	}
	submit(3, true)
	submit(4, true)
	held := &connector.Run{
		ID: connector.NewID(now), Org: "acme", Source: "hq", Mode: connector.ModeFull, Result: connector.ResultHeld, Started: now, Finished: now,
		Hold: &connector.Hold{Status: connector.HoldOpen, Expires: now.Add(24 * time.Hour)},
	}
	if err := s.db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRun(t.Context(), held) }); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	d := newDaemon(a, s, zap.New(core), nil)
	if err := d.housekeeping(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if n := d.gauge(t, "usherd_users_due_within_7d"); n != 2 {
		t.Errorf("%v users are due", n)
	}
	now = now.Add(7*24*time.Hour + time.Second)
	if err := d.housekeeping(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range logs.All() {
		told = append(told, e.Message)
	}
	if got := strings.Join(told, ", "); got != "nobody decided in time, run ended" {
		t.Errorf("the log: %s", got)
	}
	users, _, err := s.db.ListUsers(t.Context(), connector.UserQuery{Org: "acme"})
	if err != nil || len(users) != 3 || d.gauge(t, "usherd_users_due_within_7d") != 0 {
		t.Errorf("%d users left, %v", len(users), err)
	}
	runs, err := s.db.Runs(t.Context(), connector.RunFilter{Limit: 10})
	if err != nil || len(runs) != 1 || runs[0].Mode != connector.ModeGrace || runs[0].Counts.Deleted != 2 {
		t.Errorf("the expired run goes, the one that deleted stays: %+v, %v", runs, err)
	}
}

// gauge is the first value of a metric.
func (d *daemon) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := d.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
