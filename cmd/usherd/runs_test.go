package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"usherd/connector"
)

// Runs are listed in the order in which they began, the last one first, however long before that they were planned.
func TestRunsAreListedByTheirStart(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	a, s := pushSite(t, &now)
	var want []string
	for i, started := range []time.Duration{3 * time.Minute, time.Minute, 2 * time.Minute} {
		run := &connector.Run{
			ID: connector.NewID(now.Add(time.Duration(i) * time.Second)), Org: "acme", Source: "entra", Mode: connector.ModeFull,
			Result: connector.ResultOK, Started: now.Add(started), Finished: now.Add(started + time.Second),
		}
		if err := s.db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRun(t.Context(), run) }); err != nil {
			t.Fatal(err)
		}
		want = append(want, run.ID.String())
	}
	want = []string{want[0], want[2], want[1]}
	var out bytes.Buffer
	if a.out = &out; a.run(t.Context(), []string{"runs", "-o", "json", "-c", a.configPath}) != exitOK {
		t.Fatal(out.String())
	}
	var list struct {
		Runs []struct{ ID string }
	}
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list.Runs {
		got = append(got, r.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: %s", got, want, &out)
	}
}
