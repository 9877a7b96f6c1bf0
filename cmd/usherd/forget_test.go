package main

import (
	"io"
	"testing"
	"time"

	"go.uber.org/zap"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
)

// TestOldRecordsAreForgotten: of a source that goes on the last words stay, of one that is not configured any
// more nothing that is old, and where nothing is to be kept nothing at all.
func TestOldRecordsAreForgotten(t *testing.T) {
	t.Parallel()
	now := storetest.Start()
	a := &app{now: func() time.Time { return now }, err: io.Discard}
	db, err := store.Open(t.Context(), newstore.URL(t), store.Options{Now: a.now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const day = 24 * time.Hour
	say := func(org, source, words string) {
		var p connector.RecordPacker
		p.Add(storetest.Said(1, words))
		c := p.Pack()
		c.Org, c.Source, c.At = org, source, now
		if err := db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRecords(t.Context(), &c) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Write(t.Context(), func(tx connector.Tx) error {
		_, err := tx.Save(t.Context(), []*connector.Change{storetest.Create(1, "", now)}, storetest.RunCause(connector.ID{}), now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"first", "second"} {
		for _, source := range []string{storetest.Source, "left-out"} {
			say(storetest.Org, source, words)
		}
		say("off", storetest.Source, words)
		now = now.Add(time.Hour)
	}
	now = now.Add(40 * day)
	say(storetest.Org, "left-out", "third")
	now = now.Add(time.Hour)
	customer := func(id string, keep time.Duration) *org {
		return &org{Runtime: &config.Runtime{Org: &connector.Organization{
			ID: id, KeepRecords: keep, Sources: []connector.SourceSettings{{ID: storetest.Source}},
		}}}
	}
	d := &daemon{app: a, log: zap.NewNop()}
	if err := d.forget(t.Context(), &site{db: db, orgs: []*org{customer(storetest.Org, 30*day), customer("off", 0)}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		org, source string
		words       []string
	}{{storetest.Org, storetest.Source, []string{"second"}}, {storetest.Org, "left-out", []string{"third"}}, {"off", storetest.Source, nil}} {
		var got []string
		for s, err := range db.Records(t.Context(), want.org, want.source, time.Unix(0, 0)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(s.Record.Values("mail")[0]))
		}
		if len(got) != len(want.words) || len(got) > 0 && got[0] != want.words[0] {
			t.Errorf("%s/%s: %q, want %q", want.org, want.source, got, want.words)
		}
	}
}
