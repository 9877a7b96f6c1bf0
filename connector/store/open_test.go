package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
)

func TestPath(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs("usherd.db")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		url, want string
		windows   bool
	}{
		{url: "sqlite:usherd.db", want: here},
		{url: "sqlite:./usherd.db", want: here},
		{url: "sqlite:/var/lib/usherd.db", want: "/var/lib/usherd.db"},
		{url: "sqlite:///var/lib/usherd.db", want: "/var/lib/usherd.db"},
		{url: `sqlite:C:\usherd\usherd.db`, want: `C:\usherd\usherd.db`, windows: true},
		{url: "sqlite:///C:/usherd/usherd.db", want: `C:\usherd\usherd.db`, windows: true},
		{url: "sqlite:"},
		{url: "sqlite://host/x"},
		{url: "sqlite::memory:"},
		{url: "sqlite:a\x00b"},
		{url: "usherd.db"},
		{url: "postgres://user:hunter2@host/db"},
	} {
		if (test.windows != (runtime.GOOS == "windows")) && (test.windows || strings.HasPrefix(test.want, "/")) {
			continue
		}
		got, err := store.Path(test.url)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v", test.url, got, err)
		}
		if err != nil && (connector.KindOf(err) != connector.Invalid || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v", test.url, err)
		}
	}
}

func TestOpenCreatesAFileForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd ?name#%20 å.db")
	db := open(t, path)
	if err := live(t.Context(), db, 1); connector.KindOf(err) != connector.Internal && err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	foreign, garbage, newer, branch := filepath.Join(dir, "foreign"), filepath.Join(dir, "garbage"), filepath.Join(dir, "newer"), filepath.Join(dir, "branch")
	execute(t, foreign, "CREATE TABLE t (x)")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, statement := range map[string]string{
		newer:  "INSERT INTO migrations VALUES (999, '0999_future.sql', x'00', 1, 0)",
		branch: "UPDATE migrations SET checksum = x'00'",
	} {
		db := open(t, path)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		execute(t, path, statement)
	}
	for _, test := range []struct {
		path, want string
		kind       connector.Kind
	}{
		{foreign, "no usherd store", connector.Invalid},
		{garbage, "garbage", connector.Invalid},
		{newer, "version 999", connector.Refused},
		{branch, "was another one", connector.Refused},
		{filepath.Join(dir, "no", "such", "folder.db"), "no such", connector.Unavailable},
	} {
		_, err := store.Open(t.Context(), "sqlite:"+test.path, store.Options{Now: time.Now})
		if connector.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) || connector.HintOf(err) == "" {
			t.Errorf("%s: %v of kind %d", test.path, err, connector.KindOf(err))
		}
	}
	if _, err := store.Open(t.Context(), "sqlite:"+newer, store.Options{}); connector.KindOf(err) != connector.Invalid {
		t.Errorf("no clock: %v", err)
	}
}

// execute runs a statement past the store.
func execute(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestCloseWaitsForTheWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	db := open(t, path)
	var wg sync.WaitGroup
	done := make(chan error, 64)
	inside, leave := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		done <- db.Write(t.Context(), func(connector.Tx) error {
			close(inside)
			<-leave
			return nil
		})
	})
	<-inside
	for n := range 32 {
		wg.Go(func() { done <- live(t.Context(), db, 3*n+1) })
	}
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	close(leave)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
	close(done)
	written := 0
	for err := range done {
		switch {
		case err == nil:
			written++
		case connector.KindOf(err) != connector.Unavailable && !errors.Is(err, connector.ErrNoSeat):
			t.Error(err)
		}
	}
	if written == 0 {
		t.Error("the write that was at work has not been answered with success")
	}
	if err := db.Write(t.Context(), func(connector.Tx) error { return nil }); connector.KindOf(err) != connector.Unavailable {
		t.Errorf("a write after Close: %v", err)
	}
	if _, err := db.UsersByKey(t.Context(), "acme", []connector.UserKey{{Kind: connector.UserName, Value: "anna"}}); connector.KindOf(err) != connector.Unavailable {
		t.Errorf("a read after Close: %v", err)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "usherd.db"), filepath.Join(dir, "backup.db")
	ctx, url := t.Context(), "sqlite:"+path
	save := func(db *store.DB, n int) {
		t.Helper()
		err := db.Write(ctx, func(tx connector.Tx) error {
			errs, err := tx.Save(ctx, []*connector.Change{storetest.Create(n, "", storetest.Start())}, storetest.RunCause(connector.ID{}), storetest.Start())
			return errors.Join(append(errs, err)...)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, path)
	save(db, 1)
	if err := db.Backup(ctx, backup); err != nil {
		t.Fatal(err)
	}
	save(db, 2)
	refused := func(file, why string, kind connector.Kind) {
		t.Helper()
		if _, err := store.Restore(ctx, url, file); connector.KindOf(err) != kind || !strings.Contains(err.Error(), why) || connector.HintOf(err) == "" {
			t.Errorf("restore of %s: %v of kind %d, hint %q", file, err, connector.KindOf(err), connector.HintOf(err))
		}
	}
	refused(backup, "in use", connector.Conflict) // by an open connection
	if _, err := db.Lease(ctx, "daemon", "me", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	refused(backup, "daemon (by me)", connector.Conflict)
	execute(t, path, "UPDATE leases SET expires_at = 0")

	damaged := filepath.Join(dir, "damaged.db")
	data, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096 * 3; i < 4096*20; i++ {
		data[i] ^= 0x55
	}
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(damaged, "damaged", connector.Invalid)
	foreign := filepath.Join(dir, "foreign.db")
	execute(t, foreign, "CREATE TABLE t (x)")
	refused(foreign, "no usherd store", connector.Invalid)
	refused(filepath.Join(dir, "none.db"), "none.db", connector.NotFound)
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(garbage, "not a database", connector.Invalid)
	if _, err := store.Restore(ctx, "sqlite:"+garbage, backup); connector.KindOf(err) != connector.Invalid || !strings.Contains(connector.HintOf(err), "move it away") {
		t.Errorf("over what is no store: %v, hint %q", err, connector.HintOf(err))
	}
	if _, err := store.Restore(ctx, "sqlite:"+filepath.Join(dir, "no", "folder.db"), backup); !strings.Contains(connector.HintOf(err), "create the folder") {
		t.Errorf("into no folder: %v, hint %q", err, connector.HintOf(err))
	}

	old, err := store.Restore(ctx, url, backup)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]int{path: 1, old: 2} {
		db := open(t, file)
		sound(t, db)
		counts, err := db.CountUsers(context.WithoutCancel(ctx), storetest.Org)
		if err != nil || counts[connector.Active] != want {
			t.Errorf("%s: %v, %v", file, counts, err)
		}
	}
}

func TestVerifyNamesWhatDoesNotHold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ statement, want string }{
		{"UPDATE packages SET used = used + 1", "seats are counted as used"},
		{"UPDATE packages SET seats = 1", "was not lowered"},
		{"UPDATE users SET seat = ''", "holds no seat"},
		{"UPDATE users SET version = 7", "its events lead to"},
		{"UPDATE users SET state = 'verified'", "State is not what"},
		{"UPDATE users SET profile = CAST(replace(profile, 'Senior', 'Junior') AS BLOB)", "title is not what"},
		{"UPDATE users SET email_domain = 'org.'", "e-mail domain"},
		{"DELETE FROM user_keys WHERE kind = 1", "does not hold the name"},
		{"DELETE FROM user_terms", "does not hold the name"},
		{"INSERT INTO user_keys VALUES ('acme', 1, 'ghost', x'00')", "of which no user has one"},
		{"UPDATE user_counts SET n = n + 1", "are counted as active"},
		{"UPDATE users SET id = randomblob(16)", "belongs to no user"},
		{"UPDATE links SET user_id = randomblob(16)", "belongs to no live user"},
		{"DELETE FROM events", "its events lead to 0"},
		{`UPDATE events SET doc = CAST(replace(doc, '["","active"', '["","inactive"') AS BLOB)`, "begins with created in state inactive"},
	} {
		t.Run(test.statement, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "usherd.db")
			db := open(t, path)
			if err := db.SetPackages(t.Context(), storetest.Org, []connector.Package{{ID: "gold", Seats: 2}}); err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1, 3} {
				if err := live(t.Context(), db, n); err != nil {
					t.Fatal(err)
				}
			}
			sound(t, db)
			execute(t, path, test.statement)
			faults, err := db.Verify(t.Context())
			if err != nil || !strings.Contains(strings.Join(faults, "\n"), test.want) {
				t.Errorf("got %q, %v, want %q", faults, err, test.want)
			}
		})
	}
}
