package store

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"usherd/connector"
	"usherd/connector/store/storetest"
)

// Rollbacks are found that were written before the migration, and those that an older usherd writes after it.
func TestRollbacksAreFoundWhoeverHasWrittenThem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	list, err := loadMigrations((&sqliteEngine{}).migrations())
	if err != nil {
		t.Fatal(err)
	}
	const old = 22
	before := fstest.MapFS{}
	for _, m := range list[:old] {
		before[m.name] = &fstest.MapFile{Data: []byte(m.text)}
	}
	db, err := open(t.Context(), "sqlite:"+path, Options{Now: time.Now}, before)
	if err != nil {
		t.Fatal(err)
	}
	var want []connector.ID
	put := func(undoes connector.ID) connector.ID {
		run := connector.Run{ID: connector.NewID(storetest.Start()), Org: storetest.Org, Source: storetest.Source, Undoes: undoes, Counts: connector.Counts{Updated: 1}}
		doc, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		err = db.write(t.Context(), func(x *tx) error { // as it was written then
			_, err := x.s.exec(t.Context(), `INSERT INTO runs (id, org, source, result, finished, held, doc, untold) VALUES (?,?,?,?,?,?,?,?)`,
				run.ID[:], run.Org, run.Source, run.Result, 0, 0, doc, 0)
			if err == nil {
				_, err = x.s.exec(t.Context(), `INSERT INTO outcomes (run, id, doc) VALUES (?,?,?)`, run.ID[:], run.ID[:], []byte("{}"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return run.ID
	}
	first := put(connector.ID{})
	put(connector.ID{1})
	want = append(want, put(first))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openFile(t, path)
	want = append(want, put(first))
	put(connector.ID{1})
	run, err := db.Run(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	found, err := db.Rollbacks(t.Context(), run)
	if err != nil || !slices.EqualFunc(found, want, func(r *connector.Run, id connector.ID) bool { return r.ID == id }) {
		t.Errorf("%v: %d runs, want %v", err, len(found), want)
	}
	if found, err := db.OutcomesFound(t.Context(), first); err != nil || found {
		t.Errorf("%v: what was kept without the person is found by the person", err)
	}
	if n, err := count(t.Context(), db.w, "SELECT count(*) FROM runs WHERE undoes IS NULL"); err != nil || n != 2 {
		t.Errorf("%d runs are not filled in, %v", n, err)
	}
}
