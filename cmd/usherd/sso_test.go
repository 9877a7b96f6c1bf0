package main

import (
	"testing"
	"time"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
)

// One attempt is found by its id, by the reference that somebody was shown, in any case, the latest of several, and by the end of its id.
func TestAttemptsAreFound(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), newstore.URL(t), store.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &site{db: db, orgs: []*org{{Runtime: &config.Runtime{Org: &connector.Organization{ID: "other"}}}, {Runtime: &config.Runtime{Org: &connector.Organization{ID: "acme"}}}}}
	var kept []connector.Attempt
	for n, ref := range []string{"7KQ2-M4ZT", "7KQ2-M4ZT", "", "ABCD-EF12"} {
		x := connector.Attempt{ID: connector.NewID(now.Add(time.Duration(n) * time.Minute)), Org: "acme", Source: "login", At: now, Ref: ref, Code: 31}
		if err := db.PutAttempt(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, x)
	}
	id := kept[2].ID.String()
	for text, want := range map[string]connector.ID{
		kept[0].ID.String(): kept[0].ID, "7KQ2-M4ZT": kept[1].ID, "7kq2-m4zt": kept[1].ID, "abcd-ef12": kept[3].ID, id[len(id)-8:]: kept[2].ID,
	} {
		if x, err := s.findAttempt(t.Context(), "", text); err != nil || x.ID != want {
			t.Errorf("%s: %v %v, want %s", text, x, err, want)
		}
	}
	for _, text := range []string{"", "7KQ2", "zzzzzzzz", "%", "7KQ2-M4Z", id[len(id)-3:]} {
		if x, err := s.findAttempt(t.Context(), "", text); connector.KindOf(err) != connector.NotFound {
			t.Errorf("%q: %v %v", text, x, err)
		}
	}
}
