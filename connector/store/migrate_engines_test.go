package store

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/internal/testpg"
)

// emptyURLs are where a store of each kind may be made.
func emptyURLs(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"sqlite": "sqlite:" + t.TempDir() + "/usherd.db", "postgres": testpg.URL(t)}
}

func openWith(t *testing.T, url string, files fs.FS) (*DB, error) {
	t.Helper()
	db, err := open(t.Context(), url, Options{Now: time.Now}, files)
	if err == nil {
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return db, err
}

// Both schemas end in the same tables with the same columns, of which the same may be NULL.
func TestSchemasAreAlike(t *testing.T) {
	t.Parallel()
	words := strings.NewReplacer("TEXT", "text", "INTEGER", "bigint", "BLOB", "bytea")
	columns := map[string][]string{}
	for kind, url := range emptyURLs(t) {
		db, err := openWith(t, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		q := `SELECT m.name || '.' || c.name || ' ' || c.type || CASE WHEN c."notnull" = 1 THEN ' not null' ELSE '' END
 FROM sqlite_master m CROSS JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'`
		if kind == "postgres" {
			q = `SELECT table_name || '.' || column_name || ' ' || data_type || CASE WHEN is_nullable = 'NO' THEN ' not null' ELSE '' END
 FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT IN ('writer', 'writer_marks')`
		}
		list, err := texts(t.Context(), db.q, q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			list[i] = words.Replace(list[i])
		}
		slices.Sort(list)
		columns[kind] = list
		if kind == "postgres" {
			loose, err := texts(t.Context(), db.q, `SELECT table_name || '.' || column_name FROM information_schema.columns
 WHERE table_schema = current_schema() AND data_type = 'text' AND coalesce(collation_name, '') <> 'C'`)
			if err != nil || len(loose) > 0 {
				t.Errorf("these columns do not sort by bytes: %v, %v", loose, err)
			}
		}
	}
	if d := cmp.Diff(columns["sqlite"], columns["postgres"]); d != "" || len(columns["sqlite"]) < 200 {
		t.Errorf("%d columns; SQLite's (-) and PostgreSQL's (+):\n%s", len(columns["sqlite"]), d)
	}
}

// A newer usherd that has only added something leaves an older one at work.
func TestOlderUsherdGoesOnWhereOnlySomethingWasAdded(t *testing.T) {
	t.Parallel()
	for kind, url := range emptyURLs(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			old, err := openWith(t, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			list, err := loadMigrations(old.engine.migrations())
			if err != nil {
				t.Fatal(err)
			}
			files, n := fstest.MapFS{}, len(list)
			for _, m := range list {
				files[m.name] = &fstest.MapFile{Data: []byte(m.text)}
			}
			add := func(version int, text string) {
				t.Helper()
				files[fmt.Sprintf("%04d_more.sql", version)] = &fstest.MapFile{Data: []byte(text)}
				if _, err := openWith(t, url, files); err != nil {
					t.Fatal(err)
				}
			}
			works := func(name string, db *DB) {
				t.Helper()
				if err := db.AddDomain(t.Context(), connector.Domain{Org: "acme", Name: name}); err != nil {
					t.Error(err)
				}
				if _, err := db.Domains(t.Context(), "acme"); err != nil {
					t.Error(err)
				}
			}
			add(n+1, fmt.Sprintf("-- since: %d\nALTER TABLE domains ADD COLUMN colour %s NOT NULL DEFAULT 0;", n,
				map[string]string{"sqlite": "INTEGER", "postgres": "bigint"}[kind]))
			works("before.example", old)
			again, err := openWith(t, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			works("again.example", again)
			add(n+2, "CREATE INDEX domains_colour ON domains (colour);")
			_, err = openWith(t, url, nil)
			if connector.KindOf(err) != connector.Refused || !strings.Contains(fmt.Sprint(err), fmt.Sprint("version ", n+2)) {
				t.Errorf("after a step that is none for the older one: %v", err)
			}
		})
	}
}
